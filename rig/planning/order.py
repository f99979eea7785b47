"""In which order to shoot the environments, so that changing the room costs little.

The order is a shortest path through all environments (open travelling salesman) under the minutes
that the changes between neighbours take; solved by OR-tools' routing library, judged by the bound
of Held and Karp 1971, *The traveling-salesman problem and minimum spanning trees: part II*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.constraint_solver import pywrapcp
from ortools.constraint_solver.routing_enums_pb2 import (
    FirstSolutionStrategy,
    LocalSearchMetaheuristic,
)

from rig.planning.factors import Factor

Minutes = NDArray[np.float64]
UNIT = 1000
"""The solver counts in whole numbers: thousandths of a minute."""
_THOROUGH = 60
"""Up to so many environments the search goes on after the first local optimum."""
_ASCENT = 200
"""Steps of the subgradient ascent that tightens the bound."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order and what it costs.

    Attributes:
        order: positions in the list that was given, first to last.
        minutes: that all changes between neighbours take.
        bound: minutes that no order can stay below.
        as_given: minutes of the list as it was given.
    """

    order: tuple[int, ...]
    minutes: float
    bound: float
    as_given: float

    @property
    def gap(self) -> float:
        """How far `minutes` can be from the best: 0.05 is at most 5 % above `bound`."""
        return self.minutes / self.bound - 1 if self.bound > 0 else 0.0


def change_minutes(
    before: Mapping[str, str], after: Mapping[str, str], factors: Sequence[Factor]
) -> float:
    """Minutes to get from one environment's levels to another's: changes are made one by one."""
    return sum(f.minutes for f in factors if before.get(f.name) != after.get(f.name))


def costs(environments: Sequence[Mapping[str, str]], factors: Sequence[Factor]) -> Minutes:
    """Minutes between all pairs, shape (n, n), symmetric, 0 on the diagonal."""
    total = np.zeros((len(environments), len(environments)))
    for factor in factors:
        codes = {level: n for n, level in enumerate(factor.levels)}
        column = np.array([codes[levels[factor.name]] for levels in environments])
        total += (column[:, None] != column[None, :]) * factor.minutes
    return total


def order(
    environments: Sequence[Mapping[str, str]],
    factors: Sequence[Factor],
    *,
    seconds: float = 20.0,
) -> Ordering:
    """A cheap order of *environments*, in which no two neighbours are the same if that can be.

    The same every time unless *seconds*, the wall time after which the best order so far is taken,
    run out: the search ends after a number of solutions, far sooner than that.

    Args:
        environments: levels of each.
        factors: with the minutes that a change takes.
        seconds: at most, more than 0.
    """
    minutes = costs(environments, factors)
    given = tuple(range(len(environments)))
    found = given if len(given) < 3 else _solve(minutes, alike(environments), seconds)
    return Ordering(
        found, path_minutes(minutes, found), path_bound(minutes), path_minutes(minutes, given)
    )


def alike(environments: Sequence[Mapping[str, str]]) -> NDArray[np.bool_]:
    """Which pairs of different places hold the same levels, shape (n, n)."""
    numbers: dict[tuple[str, ...], int] = {}
    codes = np.array(
        [numbers.setdefault(tuple(levels.values()), len(numbers)) for levels in environments]
    )
    alike: NDArray[np.bool_] = codes[:, None] == codes[None, :]
    return alike & ~np.eye(len(codes), dtype=bool)


def path_minutes(minutes: Minutes, path: Sequence[int]) -> float:
    """What the changes along *path* take, out of *minutes* between all pairs."""
    if len(path) < 2:
        return 0.0
    return float(minutes[list(path[:-1]), list(path[1:])].sum())


def _solve(minutes: Minutes, alike: NDArray[np.bool_], seconds: float) -> tuple[int, ...]:
    count = len(minutes)
    arcs = np.zeros((count + 1, count + 1), dtype=np.int64)  # the last node is nowhere: free ends
    arcs[:count, :count] = np.rint(minutes * UNIT)
    # Two neighbours of one environment would be one longer subset: dearer than any change.
    arcs[:count, :count][alike] = int(arcs.max()) * 2 + 1
    manager = pywrapcp.RoutingIndexManager(count + 1, 1, count)
    routing = pywrapcp.RoutingModel(manager)
    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitMatrix(arcs.tolist()))
    parameters = _parameters(count)
    parameters.time_limit.FromMilliseconds(max(1, int(seconds * 1000)))
    solution = routing.SolveWithParameters(parameters)
    if solution is None:
        return tuple(range(count))
    path, at = list[int](), solution.Value(routing.NextVar(routing.Start(0)))
    while not routing.IsEnd(at):
        path.append(manager.IndexToNode(at))
        at = solution.Value(routing.NextVar(at))
    return tuple(path)


def _parameters(count: int) -> Any:
    """Measured on the paper's factors: 42 environments in 0.5 s, 897 in 3 s, gaps 1 and 5 %."""
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    first, search = FirstSolutionStrategy, LocalSearchMetaheuristic
    thorough = count <= _THOROUGH
    parameters.first_solution_strategy = first.PATH_CHEAPEST_ARC if thorough else first.SAVINGS
    parameters.local_search_metaheuristic = (
        search.GUIDED_LOCAL_SEARCH if thorough else search.GREEDY_DESCENT
    )
    parameters.solution_limit = 400 if thorough else 30
    return parameters


def path_bound(minutes: Minutes, paths: int = 1) -> float:
    """Minutes that no *paths* paths through all environments can stay below, from *minutes* (n, n).

    Paths are a spanning forest, and stay one when every node is given a price (its inner nodes have
    degree 2): the dearest of the minimum spanning forests under such prices bounds them. A dummy
    node at cost 0 begins and ends each path, for which this is the 1-tree bound.
    """
    count = len(minutes)
    if count <= paths:
        return 0.0
    prices = np.zeros(count)
    best, step = 0.0, float(minutes.max()) / 2
    for _ in range(_ASCENT):
        length, degrees = _forest(minutes + prices[:, None] + prices[None, :], prices, paths)
        value = length - 2 * prices.sum()
        best = max(best, value)
        slack = degrees - 2
        if not slack.any():
            break
        prices = prices + step * slack / max(1.0, float(np.abs(slack).max()))
        step *= 0.97
    return max(best, 0.0)


def _forest(
    arcs: Minutes, ends: NDArray[np.float64], paths: int
) -> tuple[float, NDArray[np.int64]]:
    """Length and degrees of the minimum spanning forest of *paths* trees (Prim's algorithm).

    With it the cheapest 2 x *paths* ends; a node may be both ends of its path where there is more
    than one.
    """
    count = len(arcs)
    degrees = np.zeros(count, dtype=np.int64)
    outside = np.ones(count, dtype=bool)
    outside[0] = False
    near, parent = arcs[0].copy(), np.zeros(count, dtype=np.int64)
    edges: list[tuple[float, int, int]] = []
    for _ in range(count - 1):
        node = int(np.argmin(np.where(outside, near, np.inf)))
        edges.append((float(near[node]), node, int(parent[node])))
        outside[node] = False
        closer = arcs[node] < near
        near = np.where(closer, arcs[node], near)
        parent[closer] = node
    if paths > 1:
        edges = sorted(edges)[: count - paths]
    for _, node, before in edges:
        degrees[node] += 1
        degrees[before] += 1
    cheapest = np.argsort(ends, kind="stable")
    chosen = np.repeat(cheapest, 2 if paths > 1 else 1)[: 2 * paths]
    np.add.at(degrees, chosen, 1)
    return math.fsum(length for length, _, _ in edges) + float(ends[chosen].sum()), degrees
