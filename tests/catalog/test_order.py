"""Three orders, none of which depends on the machine."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from rig.catalog.order import arrange, natural
from rig.catalog.rows import Row

FROZEN = [8, 7, 5, 1, 6, 4, 2, 3]


def rows(*keys: str) -> list[Row]:
    return [Row(line, key, key, "train", ()) for line, key in enumerate(keys, 2)]


def keys(of: list[Row]) -> list[str]:
    return [row.key for row in of]


def test_csv_order_is_the_files_order() -> None:
    """Nothing moves."""
    given_rows = rows("b/s/v", "a/s/v", "b/s/u")
    assert arrange(given_rows, "csv", 5) == given_rows


def test_patient_order_counts_numbers_as_numbers() -> None:
    """patient9 comes before patient10 and study2 before study10."""
    mixed = rows("patient10/s1/v1", "patient9/s10/v1", "patient9/s2/v2", "patient9/s2/v1")
    assert keys(arrange(mixed, "patient", 0)) == [
        "patient9/s2/v1",
        "patient9/s2/v2",
        "patient9/s10/v1",
        "patient10/s1/v1",
    ]


def test_shuffle_is_the_same_for_ever() -> None:
    """This very order for seed 7: a change of method would change finished campaigns."""
    patients = rows(*(f"patient{n:05d}/study1/view1_frontal" for n in range(1, 9)))
    order = [int(key[7:12]) for key in keys(arrange(patients, "shuffle", 7))]
    assert order == FROZEN
    assert [int(key[7:12]) for key in keys(arrange(patients, "shuffle", 8))] != FROZEN


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 2)), unique=True, max_size=30
    ),
    st.integers(),
)
def test_shuffle_keeps_patients_together_whatever_the_files_order(
    triples: list[tuple[int, int, int]], seed: int
) -> None:
    """A permutation; each patient one run of sorted images; input order plays no part."""
    some = rows(*(f"patient{p}/study{s}/view{v}" for p, s, v in triples))
    done = keys(arrange(some, "shuffle", seed))
    assert sorted(done) == sorted(keys(some))
    runs = [patient for patient, _ in itertools.groupby(done, lambda k: k.split("/")[0])]
    assert len(runs) == len(set(runs))
    assert keys(arrange(some[::-1], "shuffle", seed)) == done
    for _, run in itertools.groupby(done, lambda k: k.split("/")[0]):
        images = list(run)
        assert images == sorted(images, key=natural)


@settings(deadline=None)  # a busy machine is no failure
@given(st.sets(st.integers(1, 99), min_size=1), st.integers(0, 9))
def test_a_patient_less_moves_no_other(patients: set[int], seed: int) -> None:
    """Two catalogs that share patients share their relative order."""
    some = rows(*(f"patient{p}/s/v" for p in patients))
    gone = some[len(some) // 2].key
    whole = keys(arrange(some, "shuffle", seed))
    fewer = keys(arrange([row for row in some if row.key != gone], "shuffle", seed))
    assert fewer == [key for key in whole if key != gone]
