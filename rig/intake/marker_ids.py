"""The numbers of the index marker's tags: which x-ray is on the screen, for a camera to read.

A marker is eight AprilTags of the family 36h11, which has 587 ids. A tag says two things: its place
in the marker and one digit to the base 71, id = 71 x place + digit (places 0..7, ids 0..567).

The digits are a Reed-Solomon code over the integers modulo 71 (Reed and Solomon, Polynomial codes
over certain finite fields, 1960). index x 16 + attempt is written as four digits c0..c3 to the base
71; the tag at place x shows c0 + c1 x + c2 x^2 + c3 x^3 modulo 71. Two polynomials of degree three
agree in three places at most, so two markers have at most three of their eight tags in common.

Hence the check: a marker is read only when at least 7 (= 2 x 4 - 1) tags were found, none of them
contradicting another, and all of them lie on one polynomial.

* Frames A and B mixed, in any pattern: a third marker C would share at most three tags with A and
  three with B, and six are less than seven. The mixture is A, or B, or nothing.
* Tags misread in a photo of A: at least four of seven would have to be misread, and fit together.
* One tag of the eight may be lost to glare or a thumb.

Neighbouring indices differ in c0, so all eight tags change from one x-ray to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rig.errors import UserError

TAGS = 8
"""Tags of a marker."""
BASE = 71
"""Digits of a tag; the largest prime of which eight fit into the family's 587 ids."""
NEEDED = 7
"""Tags that must be read; the argument is in the module's docstring."""
ATTEMPTS = 16
"""Attempts are carried modulo this."""
MAX_INDEX = BASE**4 // ATTEMPTS - 1
"""Largest index a marker can carry: 1,588,229."""
CARD_IDS = (583, 584, 585, 586)
"""Ids that no marker uses, for the corners of the test card: clockwise from top left."""

_COEFFICIENTS = 4


@dataclass(frozen=True, slots=True)
class Marker:
    """What a marker says: an *index*, from 1, and an *attempt* modulo `ATTEMPTS`, 0..15."""

    index: int
    attempt: int


def encode_ids(index: int, attempt: int) -> tuple[int, ...]:
    """The ids of the eight tags, in the order of their places.

    Args:
        index: of the x-ray, 1..`MAX_INDEX`.
        attempt: 0 or more; only its remainder modulo 16 is carried.

    Raises:
        UserError: an index or attempt that no marker can carry.
    """
    if not 1 <= index <= MAX_INDEX:
        raise UserError(
            f"x-ray {index}: an index marker can carry 1 to {MAX_INDEX}; shoot without the marker"
        )
    if attempt < 0:
        raise UserError(f"x-ray {index}: attempt {attempt} is no attempt; count from 0 or 1")
    number = index * ATTEMPTS + attempt % ATTEMPTS
    digits = [number // BASE**power % BASE for power in range(_COEFFICIENTS)]
    return tuple(place * BASE + _value(digits, place) for place in range(TAGS))


def decode_ids(ids: Iterable[int]) -> Marker | None:
    """What the tags *ids* say; None when they are too few, or do not all belong together.

    Args:
        ids: of all tags found, in any order; those that no marker uses are passed over.
    """
    points: dict[int, int] = {}
    for number in ids:
        place, digit = divmod(number, BASE)
        if not 0 <= place < TAGS:
            continue
        if points.setdefault(place, digit) != digit:
            return None  # two frames at once
    if len(points) < NEEDED:
        return None
    digits = _through(list(points.items())[:_COEFFICIENTS])
    if any(_value(digits, place) != digit for place, digit in points.items()):
        return None
    index, attempt = divmod(sum(d * BASE**p for p, d in enumerate(digits)), ATTEMPTS)
    return Marker(index, attempt) if 1 <= index <= MAX_INDEX else None


def _value(digits: list[int], place: int) -> int:
    """The polynomial with coefficients *digits*, lowest first, at *place*."""
    return sum(digit * pow(place, power, BASE) for power, digit in enumerate(digits)) % BASE


def _through(points: list[tuple[int, int]]) -> list[int]:
    """Coefficients, lowest first, of the polynomial through *points* (Lagrange)."""
    total = [0] * len(points)
    for place, digit in points:
        basis, scale = [1], digit
        for other, _ in points:
            if other != place:
                # times (x - other)
                shifted, lowered = [0, *basis], [*(-other * c for c in basis), 0]
                basis = [a + b for a, b in zip(shifted, lowered, strict=True)]
                scale = scale * pow(place - other, -1, BASE)
        total = [(t + scale * c) % BASE for t, c in zip(total, basis, strict=True)]
    return total
