"""Which station shoots which environments: lists of about equal length, each cheap in itself.

A shortest cover by one path for each station (open vehicle routing) under the minutes that changes
take, by OR-tools' routing library, begun with the one cheap order cut into pieces. The bound is
that of Held and Karp for paths (`order.path_bound`), for as many paths as there are stations.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.constraint_solver import pywrapcp
from ortools.constraint_solver.routing_enums_pb2 import LocalSearchMetaheuristic

from rig.planning.constraints import Constraint, stations_for
from rig.planning.factors import Factor
from rig.planning.model import Environment, PlanningError
from rig.planning.order import UNIT, Minutes, alike, costs, path_bound, path_minutes

_FEW = 60
"""Up to so many environments the search goes on after the first local optimum."""
_SOLUTIONS = (400, 60)
_TOO_MANY = 1000 * UNIT
"""What one environment over a station's share costs: more than any change of rooms."""


@dataclass(frozen=True, slots=True)
class Dealing:
    """Environments dealt to stations.

    Attributes:
        lists: station -> positions in the list that was given, in the order of shooting.
        minutes: station -> that its changes take.
        bound: minutes that no dealing to so many stations can stay below, all together.
        in_turn: minutes, all together, if stations took the next one of the given list in turn.
    """

    lists: Mapping[str, tuple[int, ...]]
    minutes: Mapping[str, float]
    bound: float
    in_turn: float

    @property
    def total(self) -> float:
        """Minutes of all stations together."""
        return sum(self.minutes.values())


def deal(
    environments: Sequence[Environment],
    factors: Sequence[Factor],
    constraints: Sequence[Constraint],
    stations: Sequence[str],
    *,
    seconds: float = 20.0,
) -> Dealing:
    """Deal *environments*, given in a cheap order for one station, to *stations*.

    No station gets more than its share (rounded up) unless constraints leave no other. The same
    every time unless *seconds*, the wall time after which the best so far is taken, run out.

    Raises:
        PlanningError: no stations, one twice, or an environment that none of them can set.
    """
    if not stations or len(set(stations)) < len(stations):
        raise PlanningError("Name each station once, at least one.")
    able = [_able(one, constraints, stations) for one in environments]
    levels = [one.levels for one in environments]
    minutes = costs(levels, factors)
    share = math.ceil(len(environments) / len(stations))
    first = _cut(able, len(stations), share)
    lists = first
    if len(stations) > 1 and len(environments) > len(stations):
        same = alike(levels)
        second = _solve(minutes, same, able, first, share, seconds)
        lists = min((first, second), key=lambda one: _cost(one, minutes, same, share))
    turns = [tuple(range(at, len(environments), len(stations))) for at in range(len(stations))]
    return Dealing(
        dict(zip(stations, lists, strict=True)),
        {
            name: round(path_minutes(minutes, one), 6)
            for name, one in zip(stations, lists, strict=True)
        },
        round(path_bound(minutes, len(stations)), 6),
        round(sum(path_minutes(minutes, one) for one in turns), 6),
    )


def _able(
    environment: Environment, constraints: Sequence[Constraint], stations: Sequence[str]
) -> tuple[int, ...]:
    """Numbers of the stations that can set *environment*."""
    among = stations_for(constraints, environment.levels)
    found = tuple(at for at, name in enumerate(stations) if among is None or name in among)
    if not found:
        why = "; ".join(
            one.why for one in constraints if one.stations and one.applies(environment.levels)
        )
        raise PlanningError(
            f"None of the stations {', '.join(stations)} can set {environment.name}: {why}. Name "
            "a station that can, or leave these levels out."
        )
    return found


def _cut(able: Sequence[Sequence[int]], stations: int, share: int) -> list[tuple[int, ...]]:
    """The given order cut into shares; who cannot set an environment leaves it to another."""
    lists: list[list[int]] = [[] for _ in range(stations)]
    at = 0
    for number, among in enumerate(able):
        if at not in among or len(lists[at]) >= share:
            at = min(among, key=lambda one: (len(lists[one]) >= share, len(lists[one]), one))
        lists[at].append(number)
    return [tuple(one) for one in lists]


def _cost(
    lists: list[tuple[int, ...]], minutes: Minutes, same: NDArray[np.bool_], share: int
) -> tuple[int, int, float]:
    """Environments over a share, then neighbours that are one environment, then minutes."""
    over = sum(max(0, len(each) - share) for each in lists)
    twice = sum(bool(same[a, b]) for each in lists for a, b in itertools.pairwise(each))
    return over, twice, round(sum(path_minutes(minutes, each) for each in lists), 6)


def _solve(
    minutes: Minutes,
    same: NDArray[np.bool_],
    able: Sequence[Sequence[int]],
    first: list[tuple[int, ...]],
    share: int,
    seconds: float,
) -> list[tuple[int, ...]]:
    count, stations = len(minutes), len(first)
    arcs = [[round(value * UNIT) for value in row] + [0] for row in minutes.tolist()]
    arcs.append([0] * (count + 1))
    # Two neighbours of one environment would be one longer subset: dearer than any change.
    dear = max(map(max, arcs)) * 2 + 1
    for row, column in zip(*same.nonzero(), strict=True):
        arcs[row][column] = dear
    manager = pywrapcp.RoutingIndexManager(count + 1, stations, count)
    routing = pywrapcp.RoutingModel(manager)
    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitMatrix(arcs))
    steps = routing.RegisterUnaryTransitVector([1] * count + [0])
    routing.AddDimension(steps, 0, count + 1, True, "environments")
    length = routing.GetDimensionOrDie("environments")
    for station in range(stations):
        length.SetCumulVarSoftUpperBound(routing.End(station), share, _TOO_MANY)
    for node, among in enumerate(able):
        if len(among) < stations:
            routing.VehicleVar(manager.NodeToIndex(node)).SetValues(list(among))
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    few = count <= _FEW
    search = LocalSearchMetaheuristic
    parameters.local_search_metaheuristic = (
        search.GUIDED_LOCAL_SEARCH if few else search.GREEDY_DESCENT
    )
    parameters.solution_limit = _SOLUTIONS[not few]
    parameters.time_limit.FromMilliseconds(max(1, int(seconds * 1000)))
    routing.CloseModelWithParameters(parameters)
    begun = routing.ReadAssignmentFromRoutes(
        [[manager.NodeToIndex(node) for node in one] for one in first],
        True,
    )
    solution = routing.SolveFromAssignmentWithParameters(begun, parameters)
    if solution is None:
        return first
    lists = []
    for station in range(stations):
        one, at = list[int](), solution.Value(routing.NextVar(routing.Start(station)))
        while not routing.IsEnd(at):
            one.append(manager.IndexToNode(at))
            at = solution.Value(routing.NextVar(at))
        lists.append(tuple(one))
    return lists
