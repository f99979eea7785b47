"""The design of a campaign: which environments, in which order, and how good that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rig.planning.constraints import Constraint
from rig.planning.cover import Pair, Row, cover
from rig.planning.factors import Factor
from rig.planning.model import NAME_LENGTH, Environment, PlanningError, slug
from rig.planning.order import Ordering, order


@dataclass(frozen=True, slots=True)
class Design:
    """One environment for each subset, in the order of shooting.

    Attributes:
        environments: first to last; no two neighbours alike unless there is only one.
        possible: pairs of levels that the constraints allow.
        missing: those that no environment meets.
        minutes: that the changes between neighbours take.
        bound: minutes that no order of these environments can stay below.
        unordered: minutes in the order they were drawn in, for comparison.
    """

    environments: tuple[Environment, ...]
    possible: int
    missing: tuple[Pair, ...]
    minutes: float
    bound: float
    unordered: float

    @property
    def gap(self) -> float:
        """How far `minutes` may be above the best order: 0.05 is at most 5 %."""
        return self.minutes / self.bound - 1 if self.bound > 0 else 0.0


def design(
    factors: Sequence[Factor],
    constraints: Sequence[Constraint],
    count: int,
    seed: int,
    *,
    seconds: float = 20.0,
) -> Design:
    """*count* environments that meet every pair of levels if so few can; the same every time.

    Raises:
        PlanningError: no factors, count < 1, or constraints that exclude each other.
    """
    chosen = cover(factors, constraints, count, seed)
    names = [factor.name for factor in factors]
    levels = [dict(zip(names, row, strict=True)) for row in chosen.rows]
    ordering = order(levels, factors, seconds=seconds)
    rows = [chosen.rows[at] for at in ordering.order]
    return _designed(_named(names, rows), chosen.possible, chosen.missing, ordering)


def arrange(
    environments: Sequence[Environment],
    factors: Sequence[Factor],
    constraints: Sequence[Constraint],
    count: int,
    *,
    seconds: float = 20.0,
) -> Design:
    """Environments that a person listed, each equally often (give or take one), cheaply ordered.

    Raises:
        PlanningError: none given, two of one name, or one that breaks a constraint.
    """
    if not environments:
        raise PlanningError("There is no environment to shoot in; give at least one.")
    if len({one.name for one in environments}) < len(environments):
        raise PlanningError("Two environments have the same name; give each its own.")
    for one in environments:
        for constraint in constraints:
            if constraint.broken_by(one.levels):
                raise PlanningError(
                    f"Environment {one.name} cannot be: {constraint.why}. Change one of its levels."
                )
    dealt = [environments[turn % len(environments)] for turn in range(count)]
    ordering = order([one.levels for one in dealt], factors, seconds=seconds)
    return _designed([dealt[at] for at in ordering.order], 0, (), ordering)


def _designed(
    environments: Sequence[Environment],
    possible: int,
    missing: tuple[Pair, ...],
    ordering: Ordering,
) -> Design:
    return Design(
        tuple(environments), possible, missing,
        round(ordering.minutes, 6), round(ordering.bound, 6), round(ordering.as_given, 6),
    )  # fmt: skip


def renamed(environments: Sequence[Environment]) -> tuple[Environment, ...]:
    """Drawn environments in another order, numbered anew in that order."""
    names = list(environments[0].levels) if environments else []
    return tuple(_named(names, [tuple(one.levels.values()) for one in environments]))


def _named(names: Sequence[str], rows: Sequence[Row]) -> list[Environment]:
    """Numbered in the order of shooting; a row that comes again keeps its name."""
    known: dict[Row, Environment] = {}
    for row in rows:
        if row not in known:
            known[row] = Environment(_name(len(known) + 1, row), dict(zip(names, row, strict=True)))
    return [known[row] for row in rows]


def _name(number: int, levels: Sequence[str]) -> str:
    """`e01` and as many of the levels as fit."""
    name = f"e{number:02d}"
    for level in filter(None, map(slug, levels)):
        if len(name) + 1 + len(level) > NAME_LENGTH:
            break
        name += f"-{level}"
    return name
