"""How many subsets there are: few, because each costs a change of the room."""

from __future__ import annotations

import pytest

from rig.planning.model import PlanningError
from rig.planning.subsets import subset_count


@pytest.mark.parametrize(
    ("n", "low", "high", "expected"),
    [
        (10_507, 250, 500, 22),
        (500, 250, 500, 1),
        (501, 250, 500, 2),
        (100, 250, 500, 1),  # fewer than the minimum: one subset
        (600, 400, 500, 2),  # one would be too large, two are too small: the maximum holds
        (48, 1, 1, 48),
    ],
)
def test_the_number_of_subsets(n: int, low: int, high: int, expected: int) -> None:
    """As few as the maximum allows."""
    assert subset_count(n, size_min=low, size_max=high) == expected


def test_more_environments_make_more_subsets_while_sizes_allow() -> None:
    """1000 x-rays in 3 rooms: three subsets rather than two; in 9 rooms: four, not nine."""
    assert subset_count(1000, at_least=1) == 2
    assert subset_count(1000, at_least=3) == 3
    assert subset_count(1000, at_least=9) == 4


@pytest.mark.parametrize(
    ("n", "low", "high", "word"),
    [
        (0, 1, 2, "0 x-rays"), (-1, 1, 2, "-1 x-rays"), (5, 0, 2, "from 0 to 2"),
        (5, 3, 2, "from 3 to 2"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(n: int, low: int, high: int, word: str) -> None:
    """In a sentence with the numbers."""
    with pytest.raises(PlanningError, match=word):
        subset_count(n, size_min=low, size_max=high)
