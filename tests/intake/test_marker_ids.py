"""The numbers of the index marker: what is read is right, or nothing is read."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import UserError
from rig.intake.marker_ids import (
    ATTEMPTS,
    BASE,
    CARD_IDS,
    MAX_INDEX,
    TAGS,
    Marker,
    decode_ids,
    encode_ids,
)

indices = st.integers(1, MAX_INDEX)
attempts = st.integers(0, 40)
labels = st.tuples(indices, attempts)


@given(indices, attempts, st.randoms(use_true_random=False))
def test_eight_tags_in_any_order_are_read_back(index, attempt, rng):
    """The attempt comes back modulo 16."""
    ids = list(encode_ids(index, attempt))
    rng.shuffle(ids)
    assert decode_ids(ids) == Marker(index, attempt % ATTEMPTS)


@given(indices, attempts)
def test_any_one_tag_may_be_lost_and_no_two(index, attempt):
    """Seven are enough, six are not."""
    ids = encode_ids(index, attempt)
    for kept in itertools.combinations(ids, 7):
        assert decode_ids(kept) == Marker(index, attempt % ATTEMPTS)
    for kept in itertools.combinations(ids, 6):
        assert decode_ids(kept) is None


@given(labels, labels, st.integers(0, 2**TAGS - 1))
def test_a_mixture_of_two_frames_is_one_of_them_or_nothing(one, other, pattern):
    """Whatever tag comes from whichever frame."""
    pairs = zip(encode_ids(*one), encode_ids(*other), strict=True)
    mixed = [b if pattern >> place & 1 else a for place, (a, b) in enumerate(pairs)]
    read = decode_ids(mixed)
    assert read in (None, *(Marker(index, attempt % ATTEMPTS) for index, attempt in (one, other)))


def test_six_tags_of_a_mixture_can_agree_on_a_third_frame_so_seven_are_asked():
    """Three from one frame, three from another, all on the polynomial of an x-ray never shown."""
    third = [5, 6, 7, 8]
    shapes = ([0, 2, -3, 1], [-60, 47, -12, 1])  # zero at places 0, 1, 2 and at 3, 4, 5
    one, other, ghost = (
        divmod(
            sum((c + d) % BASE * BASE**p for p, (c, d) in enumerate(zip(third, s, strict=True))),
            ATTEMPTS,
        )
        for s in (*shapes, [0] * 4)
    )
    mixed = [*encode_ids(*one)[:3], *encode_ids(*other)[3:6]]
    assert mixed == list(encode_ids(*ghost)[:6])
    assert decode_ids(mixed) is None
    assert decode_ids([*mixed, encode_ids(*one)[6], encode_ids(*other)[7]]) is None


def test_every_mixture_of_neighbours_is_refused():
    """All eight tags change from one x-ray to the next, so no part of a new frame goes unseen."""
    for index in (1, 4, 17, 71, 315, 5000, MAX_INDEX - 1):
        one, other = encode_ids(index, 1), encode_ids(index + 1, 1)
        assert not set(one) & set(other)
        for pattern in range(1, 2**TAGS - 1):
            mixed = [(one, other)[pattern >> place & 1][place] for place in range(TAGS)]
            read = decode_ids(mixed)
            # One tag of the other frame contradicts the seven that fit: nothing is read.
            assert read is None


def test_both_frames_at_once_are_refused():
    """A ghosted photo in which tags of both are found."""
    assert decode_ids(encode_ids(5, 1) + encode_ids(6, 1)) is None


@given(labels, st.data())
def test_up_to_three_misread_tags_are_never_another_index(label, data):
    """Another polynomial shares at most three of the right digits and has three wrong ones: six."""
    ids = list(encode_ids(*label))
    places = data.draw(st.lists(st.integers(0, TAGS - 1), max_size=3, unique=True))
    for place in places:
        ids[place] = place * BASE + data.draw(st.integers(0, BASE - 1))
    assert decode_ids(ids) in (None, Marker(label[0], label[1] % ATTEMPTS))


def test_random_tags_are_hardly_ever_a_marker():
    """The check is worth four digits: 1 in 25 million for eight tags read from noise."""
    rng = random.Random(3)
    noise = [[place * BASE + rng.randrange(BASE) for place in range(TAGS)] for _ in range(5000)]
    assert not any(decode_ids(ids) for ids in noise)


def test_tags_of_the_test_card_and_strangers_change_nothing():
    """Their ids belong to no place of a marker."""
    assert min(CARD_IDS) >= TAGS * BASE
    assert max(CARD_IDS) < 587
    assert decode_ids([*encode_ids(9, 2), *CARD_IDS, -5, 10_000]) == Marker(9, 2)
    assert decode_ids(CARD_IDS) is None
    assert decode_ids([]) is None


def test_every_tag_is_of_the_family_and_says_its_place():
    """Eight times 71 digits fit into 587 ids."""
    for index in (1, 1000, MAX_INDEX):
        ids = encode_ids(index, 15)
        assert [number // BASE for number in ids] == list(range(TAGS))
        assert max(ids) < 568


def test_the_encoding_is_the_documented_one():
    """Other people's decoders depend on it: worked out by hand for index 300, attempt 2."""
    # 300 x 16 + 2 = 4802 = 45 + 67 x 71: c0 = 45, c1 = 67
    digits = [(45 + 67 * place) % 71 for place in range(8)]
    assert encode_ids(300, 2) == tuple(71 * place + digit for place, digit in enumerate(digits))


@pytest.mark.parametrize("label", [(0, 1), (-1, 1), (MAX_INDEX + 1, 1), (1, -1)])
def test_what_no_marker_can_carry_is_a_sentence_with_the_index(label):
    """Not a wrong marker."""
    with pytest.raises(UserError, match=f"x-ray {label[0]}"):
        encode_ids(*label)
