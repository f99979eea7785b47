"""P-values are those of the tables in books, false alarms are rare, true ties are found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.planning import significance as module
from rig.planning.significance import DRAWS, FIRST, chi2_tail, holm, significance


@pytest.mark.parametrize(
    ("value", "df", "p"),
    [
        (3.841, 1, 0.05),
        (5.991, 2, 0.05),
        (11.345, 3, 0.01),
        (18.307, 10, 0.05),
        (37.697, 15, 0.001),
    ],
)
def test_the_tail_is_that_of_the_tables(value: float, df: int, p: float) -> None:
    """Critical values of chi-squared as any book prints them (three decimals)."""
    assert chi2_tail(value, df) == pytest.approx(p, rel=0.001)


def test_the_tail_bears_many_degrees_of_freedom() -> None:
    """448 environments by 4 labels: near a normal distribution, no overflow on either side."""
    df = 3 * 448
    assert chi2_tail(df, df) == pytest.approx(0.5, abs=0.01)
    assert chi2_tail(df + 3 * math.sqrt(2 * df), df) == pytest.approx(0.0018, abs=0.0003)
    assert chi2_tail(1e6, df) == 0.0
    assert chi2_tail(0.0, df) == 1.0


def test_an_expected_count_of_five_is_enough_for_chi_squared() -> None:
    """10 of 20 in two levels: 5 are expected in each cell; one fewer and tables are drawn."""
    assert significance([[8, 2], [2, 8]]).drawn == 0
    assert significance([[8, 2], [2, 8]]).chi2 == pytest.approx(7.2)
    assert significance([[8, 2], [1, 8]]).drawn > 0


def test_drawn_tables_give_the_exact_p_of_a_small_table() -> None:
    """The lady tasting tea (Fisher 1935): 3 of 4 right is no news, p = 34/70, 4 of 4 is 2/70."""
    assert significance([[3, 1], [1, 3]]).p == pytest.approx(34 / 70, abs=0.07)
    sure = significance([[4, 0], [0, 4]])
    assert sure.p == pytest.approx(2 / 70, abs=0.006)
    assert sure.drawn == DRAWS


def test_few_tables_are_drawn_where_p_is_not_small() -> None:
    assert significance([[3, 1], [1, 3]]).drawn == FIRST


def test_drawn_tables_and_chi_squared_agree_where_both_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thick table of three levels and four labels."""
    counts = [[40, 22, 9, 30], [28, 31, 14, 22], [35, 20, 16, 41]]
    known = significance(counts)
    monkeypatch.setattr(module, "THIN", 1e9)
    monkeypatch.setattr(module, "FIRST", DRAWS)
    drawn = significance(counts, seed=5)
    assert (known.drawn, drawn.drawn) == (0, DRAWS)
    assert (drawn.chi2, drawn.df) == (known.chi2, known.df) == (known.chi2, 6)
    assert drawn.p == pytest.approx(known.p, abs=0.02)


def test_the_same_seed_draws_the_same_tables() -> None:
    counts = [[3, 4, 5, 1], [2, 9, 4, 0], [4, 3, 3, 2]]
    assert significance(counts, seed=1) == significance(counts, seed=1)
    assert significance(counts, seed=1).p != significance(counts, seed=2).p


@pytest.mark.parametrize("counts", [[[3, 4]], [[3], [4]], [[3, 0], [4, 0]], [[0, 0], [0, 0]]])
def test_one_row_or_column_tells_nothing(counts: list[list[int]]) -> None:
    """Empty rows and columns do not count."""
    assert (significance(counts).df, significance(counts).p) == (0, 1.0)


def test_a_false_alarm_is_as_rare_as_it_says() -> None:
    """Labels dealt by chance to 4 subsets of 12: p is below 0.05 in about one of twenty tables."""
    rng = np.random.default_rng(7)
    below = 0
    for _ in range(300):
        labels = rng.choice(3, size=48, p=[0.2, 0.15, 0.65])
        counts = [[int((labels[n::4] == label).sum()) for label in range(3)] for n in range(4)]
        below += significance(counts).p < 0.05
    assert 3 <= below <= 30


def test_holm_multiplies_the_smallest_most() -> None:
    """Holm 1979: by 3, 2, 1, never falling, never above 1."""
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@given(st.dictionaries(st.integers(), st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_lowers(ps: dict[int, float]) -> None:
    corrected = holm(ps)
    assert list(corrected) == list(ps)
    assert all(ps[key] <= corrected[key] <= 1 for key in ps)
    ranked = sorted(ps, key=lambda key: ps[key])
    values = [corrected[key] for key in ranked]
    assert values == sorted(values)
