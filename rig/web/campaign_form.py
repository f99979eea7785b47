"""The form of a new campaign: from fields to a scheme, and what its plan would cost."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rig.planning.constraints import Constraint
from rig.planning.factors import Factor
from rig.planning.model import PlanningError
from rig.planning.scheme import Plan, Scheme, load_scheme, make_plan, scheme_from_tables
from rig.web.cost import Usual
from rig.web.forms import Form
from rig.web.problems import Problem

BLANK = 2
"""Empty rows under the factors and under the constraints."""
TOML_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class FactorRow:
    """A line of the form: a factor, whether it is varied."""

    name: str = ""
    levels: str = ""
    set_by: str = "operator"
    minutes: str = "1"
    used: bool = False


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A line of the form: what must go together."""

    when: str = ""
    when_levels: str = ""
    then: str = ""
    then_levels: str = ""
    stations: str = ""
    why: str = ""

    @property
    def empty(self) -> bool:
        """Nothing was written into it."""
        return not any((self.when, self.when_levels, self.then, self.then_levels, self.why))


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form asks for.

    Attributes:
        name: of the campaign.
        catalog: its catalog.
        device: the phone.
        size_min: smallest subset.
        size_max: largest subset.
        at_least: subsets; 0: as many as meet every pair of levels.
        seed: of the plan.
        settle_ms: from paint to photo.
        stations: names to deal the subsets to.
        scheme: what it may be shot in.
        dropped: sentences about rules that do not apply.
    """

    name: str
    catalog: str
    device: str
    size_min: int
    size_max: int
    at_least: int
    seed: int
    settle_ms: int
    stations: tuple[str, ...]
    scheme: Scheme
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan takes, before anything is kept.

    Attributes:
        plan: it.
        xrays: how many.
        shooting_s: seconds of shooting.
        each_s: seconds per photo.
        changing_s: seconds of changing the room between the subsets.
        phone_bytes: on the phone, of the largest subset: it may be emptied between them.
        home_bytes: on the controller's disk, of everything.
        usual: what that is computed from.
    """

    plan: Plan
    xrays: int
    shooting_s: float
    each_s: float
    changing_s: float
    phone_bytes: float
    home_bytes: float
    usual: Usual
    warnings: tuple[str, ...] = field(default=())


def first_rows() -> tuple[list[FactorRow], list[RuleRow]]:
    """What the form begins with: the factors of the CheXphoto paper."""
    scheme = load_scheme()
    factors = [_factor_row(one) for one in scheme.factors]
    rules = [_rule_row(one) for one in scheme.constraints]
    return factors + [FactorRow()] * BLANK, rules + [RuleRow()] * BLANK


def rows_of(form: Form) -> tuple[list[FactorRow], list[RuleRow]]:
    """The rows as they were written, with empty ones below."""
    used = set(form.every("use"))
    columns = [form.every(f"factor_{name}") for name in ("name", "levels", "set_by", "minutes")]
    factors = [
        FactorRow(name, levels, set_by or "operator", minutes or "1", str(number) in used)
        for number, (name, levels, set_by, minutes) in enumerate(zip(*columns, strict=False))
    ]
    names = ("when", "when_levels", "then", "then_levels", "stations", "why")
    told = [form.every(f"rule_{name}") for name in names]
    rules = [RuleRow(*values) for values in zip(*told, strict=False)]
    factors = [one for one in factors if one.name or one.levels]
    rules = [one for one in rules if not one.empty]
    return factors + [FactorRow()] * BLANK, rules + [RuleRow()] * BLANK


def wish_of(form: Form) -> Wish:
    """What *form* asks for.

    Raises:
        Problem: 422, a number that is none; the sentence names the field.
        PlanningError: factors, levels or rules that make no sense.
    """
    scheme, dropped = _scheme(form)
    low = form.number("size_min", "The smallest subset", low=1, high=100_000, default=250)
    high = form.number("size_max", "The largest subset", low=1, high=100_000, default=500)
    if low > high:
        raise Problem(422, f"The smallest subset ({low}) is larger than the largest ({high}).")
    return Wish(
        name=form("name"),
        catalog=form("catalog"),
        device=form("device").lower(),
        size_min=low,
        size_max=high,
        at_least=form.number("at_least", "Subsets at least", low=0, high=10_000, default=0),
        seed=form.number("seed", "The seed", low=0, high=2**31 - 1, default=0),
        settle_ms=form.number("settle_ms", "The wait", low=0, high=60_000, default=150),
        stations=tuple(one for one in form.every("station") if one),
        scheme=scheme,
        dropped=dropped,
    )


def cost_of(wish: Wish, xrays: int, usual: Usual) -> Cost:
    """Plan *xrays* as *wish* says, and what that takes. Blocks for up to a few seconds.

    Raises:
        PlanningError: no plan can be made of it.
    """
    scheme = wish.scheme.on(wish.stations) if wish.stations else wish.scheme
    plan = make_plan(
        [(1, xrays)],
        scheme,
        size_min=wish.size_min,
        size_max=wish.size_max,
        seed=wish.seed,
        at_least=wish.at_least,
    )
    minutes = plan.design.minutes if plan.dealing is None else plan.dealing.total
    largest = max(one.size for one in plan.subsets)
    warnings = [
        f"No subset has {_pair(pair)}: ask for more subsets, or for smaller ones."
        for pair in plan.design.missing[:5]
    ]
    if len(plan.design.missing) > 5:
        warnings.append(f"{len(plan.design.missing) - 5} more pairs of levels are not met.")
    return Cost(
        plan=plan,
        xrays=xrays,
        shooting_s=xrays * usual.each(wish.settle_ms),
        each_s=usual.each(wish.settle_ms),
        changing_s=minutes * 60,
        phone_bytes=largest * usual.photo_bytes,
        home_bytes=xrays * usual.photo_bytes,
        usual=usual,
        warnings=(*wish.dropped, *warnings),
    )


def _pair(pair: Any) -> str:
    (one, level), (other, its) = pair
    return f"{one.replace('_', ' ')} {level} with {other.replace('_', ' ')} {its}"


def _scheme(form: Form) -> tuple[Scheme, tuple[str, ...]]:
    if text := form("toml"):
        return _from_text(text), ()
    factors, rules = rows_of(form)
    used = [one for one in factors if one.used and (one.name or one.levels)]
    if not used:
        raise PlanningError("Tick at least one factor: a campaign is shot in some environment.")
    known = {one.name for one in used}
    kept = [one for one in rules if not one.empty]
    apply = [one for one in kept if {one.when, one.then} - {""} <= known]
    dropped = tuple(
        f"The rule about {one.when or 'nothing'} and {one.then or 'nothing'} is left out: one of "
        "them is not ticked."
        for one in kept
        if one not in apply
    )
    tables: Mapping[str, object] = {
        "factor": [_factor_table(one) for one in used],
        "constraint": [_rule_table(one) for one in apply],
    }
    return scheme_from_tables(tables, "The form"), dropped


def _from_text(text: str) -> Scheme:
    if len(text) > TOML_LIMIT:
        raise PlanningError(f"The file has more than {TOML_LIMIT} characters.")
    try:
        return scheme_from_tables(tomllib.loads(text), "The file")
    except tomllib.TOMLDecodeError as error:
        raise PlanningError(f"The file is not valid TOML: {error}.") from error


def _factor_table(row: FactorRow) -> dict[str, object]:
    try:
        minutes = float(row.minutes.replace(",", "."))
    except ValueError as error:
        raise PlanningError(
            f"{row.name}: {row.minutes[:20]!r} is no number of minutes; write 0.5, say."
        ) from error
    return {
        "name": row.name,
        "levels": _split(row.levels),
        "set_by": row.set_by,
        "minutes": minutes,
    }


def _rule_table(row: RuleRow) -> dict[str, object]:
    table: dict[str, object] = {
        "when": {row.when: _split(row.when_levels)},
        "why": row.why or f"{row.when} {row.when_levels} goes with {row.then} {row.then_levels}",
    }
    if row.then:
        table["then"] = {row.then: _split(row.then_levels)}
    if row.stations:
        table["stations"] = _split(row.stations)
    return table


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _factor_row(one: Factor) -> FactorRow:
    return FactorRow(one.name, ", ".join(one.levels), one.set_by, f"{one.minutes:g}", used=True)


def _rule_row(one: Constraint) -> RuleRow:
    """The first factor of each side: the paper's rules have no more."""
    when, then = _side(one.when), _side(one.then)
    return RuleRow(*when, *then, ", ".join(one.stations), one.why)


def _side(side: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    for name, levels in side.items():
        return name, ", ".join(levels)
    return "", ""
