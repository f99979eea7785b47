"""Disjoint subsets of the index 1..N, and which environment each is shot in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from rig.planning.factors import Factor
from rig.planning.model import NAME_LENGTH, Environment, PlanningError, Subset, slug


def subset_count(n: int, *, size_min: int = 250, size_max: int = 500, at_least: int = 1) -> int:
    """How many subsets *n* x-rays are cut into.

    As few as possible, because each costs the operator a change of the room, but *at_least* as many
    (one per environment) while all sizes stay within *size_min*..*size_max*. When no number of
    equal subsets fits (n < size_min; or 600 x-rays with 400-500), the maximum holds and the minimum
    gives way: the fewest subsets that are not too large, sizes as equal as can be.

    Raises:
        PlanningError: n < 1, or not 1 <= size_min <= size_max.
    """
    if n < 1:
        raise PlanningError(f"There are {n} x-rays to plan for; at least one is needed.")
    if not 1 <= size_min <= size_max:
        raise PlanningError(
            f"Subset sizes from {size_min} to {size_max} make no sense; give a minimum of at "
            "least 1 and a maximum not below it."
        )
    fewest, most = math.ceil(n / size_max), n // size_min
    return max(fewest, min(at_least, most))


def plan_subsets(
    n: int,
    environments: Sequence[Environment],
    *,
    size_min: int = 250,
    size_max: int = 500,
    seed: int = 0,
) -> tuple[Subset, ...]:
    """Cut 1..*n* into consecutive subsets and give each an environment.

    Sizes differ by at most one; how many there are and what happens when no cut fits says
    `subset_count`. Environments are dealt in rounds, each round in an order drawn from *seed*, so
    they are used equally often (give or take one) and no two neighbours share one.

    Raises:
        PlanningError: bad sizes, no environment, or two environments of one name.
    """
    names = [e.name for e in environments]
    if not names:
        raise PlanningError("There is no environment to shoot in; give at least one.")
    if len(set(names)) < len(names):
        raise PlanningError("Two environments have the same name; give each its own.")
    count = subset_count(n, size_min=size_min, size_max=size_max, at_least=len(names))
    size, larger = divmod(n, count)
    subsets: list[Subset] = []
    last = 0
    for number, environment in enumerate(_deal(environments, count, seed), 1):
        first, last = last + 1, last + size + (number <= larger)
        subsets.append(Subset(number, first, last, environment))
    return tuple(subsets)


def _deal(environments: Sequence[Environment], count: int, seed: int) -> list[Environment]:
    dealt: list[Environment] = []
    while len(dealt) < count:
        order = sorted(environments, key=lambda e: _draw(seed, "deal", len(dealt), e.name))
        if dealt and len(order) > 1 and order[0].name == dealt[-1].name:
            order[0], order[1] = order[1], order[0]
        dealt += order
    return dealt[:count]


def environments(factors: Sequence[Factor], seed: int, count: int) -> tuple[Environment, ...]:
    """Draw *count* distinct environments, named `e01-...`, the same for the same seed.

    The levels of each factor are dealt in rounds, so each occurs equally often (give or take one)
    as far as distinctness allows.

    Raises:
        PlanningError: count < 1, no factors, or fewer combinations than *count*.
    """
    possible = math.prod(len(f.levels) for f in factors)
    if not factors or count < 1:
        raise PlanningError("Give at least one factor and ask for at least one environment.")
    if count > possible:
        raise PlanningError(
            f"{count} different environments are wanted but the factors allow only {possible}; "
            "add levels or factors, or ask for fewer."
        )
    seen: dict[tuple[str, ...], None] = {}
    while len(seen) < count:
        combination = tuple(_dealt_level(f, len(seen), seed) for f in factors)
        attempt = 0
        while combination in seen:
            combination = tuple(_drawn_level(f, len(seen), attempt, seed) for f in factors)
            attempt += 1
        seen[combination] = None
    names = [f.name for f in factors]
    return tuple(
        Environment(_name(number, combination), dict(zip(names, combination, strict=True)))
        for number, combination in enumerate(seen, 1)
    )


def _dealt_level(factor: Factor, turn: int, seed: int) -> str:
    round_, place = divmod(turn, len(factor.levels))
    order = sorted(factor.levels, key=lambda lv: _draw(seed, "round", factor.name, round_, lv))
    return order[place]


def _drawn_level(factor: Factor, turn: int, attempt: int, seed: int) -> str:
    drawn = _draw(seed, "again", factor.name, turn, attempt)
    return factor.levels[int.from_bytes(drawn) % len(factor.levels)]


def _name(number: int, levels: Sequence[str]) -> str:
    """`e01` and as many of the levels as fit."""
    name = f"e{number:02d}"
    for level in filter(None, map(slug, levels)):
        if len(name) + 1 + len(level) > NAME_LENGTH:
            break
        name += f"-{level}"
    return name


def _draw(seed: int, *what: object) -> bytes:
    """A random-looking value that is the same on every platform and Python version."""
    text = "/".join(map(str, (seed, *what)))
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"planning").digest()
