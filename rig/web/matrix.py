"""A plan as a table: environments down, subsets across, a cell where they meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rig.capture.states import State
from rig.planning.model import Environment, Subset

WIDEST = 120
"""Subsets across; beyond that a table helps nobody, the list below has them all."""

_LOOK: Mapping[str, tuple[str, str, str]] = {
    "planned": ("planned", "○", "planned"),
    "completed": ("good", "✓", "done"),
    "claimed": ("warn", "▲", "claimed"),
    "aborted": ("bad", "■", "aborted"),
    "stopped": ("warn", "◼", "stopped"),
    "interrupted": ("warn", "❚❚", "interrupted"),
    "paused": ("warn", "❚❚", "paused"),
}
_BUSY = ("info", "▶", "shooting")
_BEFORE = ("info", "…", "preparing")


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a subset meets its environment.

    Attributes:
        subset: it.
        state: `planned` or the state of its newest session.
        look: `good`, `warn`, `bad`, `info` or `planned`.
        mark: a sign for it.
        word: the state in a word.
        kept: captures kept.
        station: that it is dealt to; None: to any.
    """

    subset: Subset
    state: str
    look: str
    mark: str
    word: str
    kept: int
    station: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """An environment and its cells, one for each subset across; None where they do not meet."""

    environment: Environment
    cells: tuple[Cell | None, ...]
    xrays: int
    kept: int
    differs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The table.

    Attributes:
        subsets: across, by index.
        factors: that every environment sets.
        rows: environments in the order of shooting.
        levels: factor -> level -> (x-rays planned, kept).
        left_out: subsets that did not fit across.
    """

    subsets: tuple[Cell, ...]
    factors: tuple[str, ...]
    rows: tuple[Row, ...]
    levels: Mapping[str, Mapping[str, tuple[int, int]]]
    left_out: int


def planned(subsets: Iterable[Subset]) -> list[dict[str, Any]]:
    """Rows of a plan that nobody has begun."""
    return [{"subset": one, "state": "planned", "kept": 0, "station": None} for one in subsets]


def of(rows: Sequence[Mapping[str, Any]]) -> Matrix:
    """The table of *rows*: `subset`, `state`, `kept` and `station` of each subset."""
    cells = [_cell(row) for row in rows]
    across = tuple(cells[:WIDEST])
    environments = list(dict.fromkeys(one.subset.environment for one in across))
    found: list[Row] = []
    before: Mapping[str, str] = {}
    for environment in environments:
        met = tuple(one if one.subset.environment == environment else None for one in across)
        differs = {name for name, level in environment.levels.items() if before.get(name) != level}
        found.append(
            Row(
                environment,
                met,
                sum(one.subset.size for one in met if one),
                sum(one.kept for one in met if one),
                frozenset(differs if before else ()),
            )
        )
        before = environment.levels
    factors = tuple(environments[0].levels) if environments else ()
    return Matrix(across, factors, tuple(found), _levels(cells), len(cells) - len(across))


def factors_of(balance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Factor by factor: x-rays at each level, and the label that goes with it most."""
    by_factor = balance["cramers_v_factors"]
    found = []
    for factor, counts in balance["levels"].items():
        values = {name: of.get(factor, 0.0) for name, of in by_factor.items()}
        worst = max(values, key=lambda name: values[name], default=None)
        found.append(
            {
                "name": factor,
                "levels": counts,
                "most": max(counts.values(), default=1),
                "v": 0.0 if worst is None else values[worst],
                "label": worst,
                "p": 1.0 if worst is None else balance["significance"][worst][factor]["p_holm"],
            }
        )
    return found


def _cell(row: Mapping[str, Any]) -> Cell:
    state = str(row["state"])
    if state in {State.CREATED, State.ENVIRONMENT, State.ALIGNMENT}:
        look = _BEFORE
    else:
        look = _LOOK.get(state, _BUSY)
    return Cell(row["subset"], state, *look, kept=row["kept"], station=row["station"])


def _levels(cells: Sequence[Cell]) -> dict[str, dict[str, tuple[int, int]]]:
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for one in cells:
        for factor, level in one.subset.environment.levels.items():
            size, kept = found.setdefault(factor, {}).get(level, (0, 0))
            found[factor][level] = (size + one.subset.size, kept + one.kept)
    return found
