"""How many subsets an index is cut into."""

from __future__ import annotations

import math

from rig.planning.model import PlanningError


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
