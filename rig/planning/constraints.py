"""What levels go together: `daylight only with blinds open`, `matte needs the other monitor`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constraint:
    """Where *when* holds, *then* must hold too, on one of *stations* if any are named.

    Attributes:
        when: factor -> levels; holds when each factor has one of its levels.
        then: factor -> levels that are allowed in that case.
        stations: names of the stations that can do it; empty: every station can.
        why: the reason in words, for people.
    """

    when: Mapping[str, tuple[str, ...]]
    then: Mapping[str, tuple[str, ...]]
    stations: tuple[str, ...]
    why: str

    def applies(self, levels: Mapping[str, str]) -> bool:
        """Whether *levels*, which may be incomplete, surely meet `when`."""
        return all(levels.get(factor) in among for factor, among in self.when.items())

    def broken_by(self, levels: Mapping[str, str]) -> bool:
        """Whether *levels*, which may be incomplete, surely break it."""
        return self.applies(levels) and any(
            factor in levels and levels[factor] not in among for factor, among in self.then.items()
        )


def allowed(constraints: Iterable[Constraint], levels: Mapping[str, str]) -> bool:
    """Whether no constraint is surely broken by *levels*, which may be incomplete."""
    return not any(constraint.broken_by(levels) for constraint in constraints)


def completion(
    factors: Sequence[tuple[str, Sequence[str]]],
    constraints: Sequence[Constraint],
    fixed: Mapping[str, str],
) -> dict[str, str] | None:
    """Levels for all *factors* (name, levels) that keep *fixed* and every constraint, if any do."""
    if not allowed(constraints, fixed):
        return None
    for name, levels in factors:
        if name not in fixed:
            for level in levels:
                found = completion(factors, constraints, {**fixed, name: level})
                if found is not None:
                    return found
            return None
    return dict(fixed)


def stations_for(
    constraints: Iterable[Constraint], levels: Mapping[str, str]
) -> frozenset[str] | None:
    """The stations that can set *levels*; None: every one can; empty: no single one can."""
    able: frozenset[str] | None = None
    for constraint in constraints:
        if constraint.stations and constraint.applies(levels):
            these = frozenset(constraint.stations)
            able = these if able is None else able & these
    return able
