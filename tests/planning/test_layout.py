"""Subsets cover every index once, also around those that were shot already."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.planning.layout import cut, free_spans, lay_out
from rig.planning.model import Environment, PlanningError, Subset

DIM = Environment("dim", {"light": "dim"})
sizes = st.tuples(st.integers(1, 60), st.integers(0, 60)).map(lambda t: (t[0], t[0] + t[1]))


@settings(deadline=None)
@given(st.integers(1, 3000), sizes, st.integers(1, 40))
def test_every_index_is_in_exactly_one_piece(n: int, size: tuple[int, int], least: int) -> None:
    """Even pieces within the sizes whenever any cut is; else only the minimum gives way."""
    low, high = size
    pieces = cut([(1, n)], size_min=low, size_max=high, at_least=least)
    assert [i for first, last in pieces for i in range(first, last + 1)] == list(range(1, n + 1))
    got = [last - first + 1 for first, last in pieces]
    assert max(got) - min(got) <= 1
    assert max(got) <= high
    if any(k * low <= n <= k * high for k in range(1, n + 1)):
        assert min(got) >= low
    else:
        assert len(got) == math.ceil(n / high)


def test_ten_thousand_x_rays_for_thirty_environments() -> None:
    """As many subsets as asked for while each keeps its least size."""
    assert len(cut([(1, 10_507)])) == 22
    assert len(cut([(1, 10_507)], at_least=30)) == 30
    assert len(cut([(1, 10_507)], at_least=99)) == 42


def test_what_was_shot_stays_where_it_is() -> None:
    """The rest is cut anew, each gap by itself; a small gap is one small subset."""
    kept = [Subset(3, 801, 1200, DIM), Subset(1, 1, 400, DIM)]
    spans = free_spans(1300, kept)
    assert spans == ((401, 800), (1201, 1300))
    pieces = cut(spans, at_least=4)
    assert pieces == ((401, 800), (1201, 1300))
    assert cut(spans, size_min=100, size_max=200, at_least=4)[-1] == (1201, 1300)
    subsets = lay_out(pieces, [DIM, DIM], first_id=7)
    assert [(s.id, s.first, s.last) for s in subsets] == [(7, 401, 800), (8, 1201, 1300)]


@settings(deadline=None)
@given(st.integers(1, 500), st.data())
def test_kept_and_new_cover_everything_once(n: int, data: st.DataObject) -> None:
    """Whatever was shot."""
    pieces = cut([(1, n)], size_min=5, size_max=20)
    every = lay_out(pieces, [DIM] * len(pieces))
    kept = data.draw(st.lists(st.sampled_from(every), unique_by=lambda s: s.id))
    fresh = cut(free_spans(n, kept), size_min=3, size_max=9)
    covered = [*[(s.first, s.last) for s in kept], *fresh]
    found = sorted(i for first, last in covered for i in range(first, last + 1))
    assert found == list(range(1, n + 1))


@pytest.mark.parametrize(
    "kept", [[Subset(1, 1, 5, DIM), Subset(2, 5, 6, DIM)], [Subset(1, 8, 11, DIM)]]
)
def test_kept_subsets_must_fit(kept: list[Subset]) -> None:
    """Overlap and overhang are defects."""
    with pytest.raises(PlanningError, match="overlaps"):
        free_spans(10, kept)
