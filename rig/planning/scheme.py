"""What a campaign may be shot in, kept beside its plan, and the plan that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rig.planning.constraints import Constraint
from rig.planning.cover import pairwise_rows
from rig.planning.deal import Dealing, deal
from rig.planning.design import Design, arrange, design, renamed
from rig.planning.factors import (
    Factor,
    factors_of,
    load_constraints,
    load_environments,
    load_factors,
    read_tables,
)
from rig.planning.layout import Span, cut, lay_out
from rig.planning.model import Environment, Subset


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a campaign may be shot in, and where.

    Attributes:
        factors: with their levels.
        constraints: that every environment keeps.
        listed: the only environments, if any are.
        stations: that the subsets are dealt to; none: one list for all.
    """

    factors: tuple[Factor, ...]
    constraints: tuple[Constraint, ...] = ()
    listed: tuple[Environment, ...] = ()
    stations: tuple[str, ...] = ()

    def on(self, stations: Sequence[str]) -> Scheme:
        """The same with other stations."""
        return replace(self, stations=tuple(stations))

    def environments_wanted(self, seed: int) -> int:
        """As many as meet every pair of levels, or as are listed."""
        return len(self.listed) or len(pairwise_rows(self.factors, self.constraints, seed))

    def to_json(self) -> dict[str, Any]:
        """To keep."""
        return {
            "factors": [
                {
                    "name": f.name, "levels": list(f.levels), "set_by": f.set_by,
                    "minutes": f.minutes,
                }
                for f in self.factors
            ],
            "constraints": [
                {
                    "when": {k: list(v) for k, v in c.when.items()},
                    "then": {k: list(v) for k, v in c.then.items()},
                    "stations": list(c.stations), "why": c.why,
                }
                for c in self.constraints
            ],
            "listed": [{"name": e.name, "levels": dict(e.levels)} for e in self.listed],
            "stations": list(self.stations),
        }  # fmt: skip


def scheme_from_json(kept: Mapping[str, Any]) -> Scheme:
    """What `Scheme.to_json` kept."""
    return Scheme(
        tuple(
            Factor(f["name"], tuple(f["levels"]), f["set_by"], f["minutes"])
            for f in kept["factors"]
        ),
        tuple(
            Constraint(
                {k: tuple(v) for k, v in c["when"].items()},
                {k: tuple(v) for k, v in c["then"].items()},
                tuple(c["stations"]),
                c["why"],
            )
            for c in kept["constraints"]
        ),
        tuple(Environment(e["name"], e["levels"]) for e in kept["listed"]),
        tuple(kept.get("stations", ())),
    )


def load_scheme(toml: Path | None = None) -> Scheme:
    """The scheme of a file; without one, the CheXphoto paper's.

    Raises:
        PlanningError: as `factors.load_factors`.
    """
    listed = () if toml is None else load_environments(toml)
    return Scheme(load_factors(toml), load_constraints(toml), listed)


def scheme_from_tables(tables: Mapping[str, object], name: str) -> Scheme:
    """The scheme of what a file may hold, already parsed; *name* is what sentences call it.

    Raises:
        PlanningError: as `factors.read_tables`.
    """
    return Scheme(*read_tables(tables, name))


def listed_scheme(environments: Sequence[Environment]) -> Scheme:
    """Of environments that a script gives; every change takes a minute."""
    return Scheme(factors_of(environments), (), tuple(environments))


@dataclass(frozen=True, slots=True)
class Plan:
    """Subsets in the order of shooting, station by station, and how good their environments are."""

    subsets: tuple[Subset, ...]
    design: Design
    dealing: Dealing | None = None

    def figures(self) -> dict[str, Any]:
        """The design in numbers, to keep and to show."""
        made = self.design
        return {
            "environments": len({one.name for one in made.environments}),
            "pairs_possible": made.possible,
            "pairs_missing": [list(map(list, pair)) for pair in made.missing],
            "change_minutes": made.minutes,
            "change_minutes_bound": made.bound,
            "change_minutes_gap": round(made.gap, 4),
            "change_minutes_unordered": made.unordered,
            **self._dealt(),
        }

    def _dealt(self) -> dict[str, Any]:
        if self.dealing is None:
            return {}
        dealing, at, stations = self.dealing, 0, []
        for name, positions in dealing.lists.items():
            mine = self.subsets[at : at + len(positions)]
            at += len(positions)
            stations.append({
                "name": name,
                "subsets": [one.id for one in mine],
                "xrays": sum(one.size for one in mine),
                "change_minutes": dealing.minutes[name],
            })  # fmt: skip
        return {
            "stations": stations,
            "dealt_minutes": round(dealing.total, 6),
            "dealt_minutes_bound": dealing.bound,
            "dealt_minutes_in_turn": dealing.in_turn,
        }


def make_plan(
    spans: Sequence[Span],
    scheme: Scheme,
    *,
    size_min: int,
    size_max: int,
    seed: int,
    at_least: int = 0,
    first_id: int = 1,
) -> Plan:
    """Plan *spans* of the index; with stations in *scheme*, each has a run of subsets of its own.

    Args:
        spans: what is to be shot; disjoint, in order.
        scheme: what it may be shot in.
        size_min: smallest subset wanted, x-rays.
        size_max: largest subset.
        seed: same seed, same plan.
        at_least: subsets wanted; 0: as many as meet every pair of levels. Sizes come first.
        first_id: number of the first subset.

    Raises:
        PlanningError: no plan can be made of it; a sentence.
    """
    wanted = at_least or scheme.environments_wanted(seed)
    pieces = cut(spans, size_min=size_min, size_max=size_max, at_least=wanted)
    if scheme.listed:
        made = arrange(scheme.listed, scheme.factors, scheme.constraints, len(pieces))
    else:
        made = design(scheme.factors, scheme.constraints, len(pieces), seed)
    if not scheme.stations:
        return Plan(lay_out(pieces, made.environments, first_id=first_id), made)
    dealing = deal(made.environments, scheme.factors, scheme.constraints, scheme.stations)
    dealt = [made.environments[at] for each in dealing.lists.values() for at in each]
    environments = tuple(dealt) if scheme.listed else renamed(dealt)
    return Plan(
        lay_out(pieces, environments, first_id=first_id),
        replace(made, environments=environments),
        dealing,
    )
