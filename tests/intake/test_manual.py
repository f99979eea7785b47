"""Which photo of manual mode is which, and the lines that the display writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.errors import UserError
from rig.intake.manual import Left, PhotoSeen, Showing, match_by_marker, read_shown
from rig.intake.marker_ids import Marker, encode_ids


def _showing(number: int, index: int, attempt: int = 1) -> Showing:
    return Showing(
        showing=number,
        set=1,
        position=number,
        index=index,
        attempt=attempt,
        key=f"patient{index:05}/study1/view1_frontal",
        sha256="ab" * 32,
        marker=encode_ids(index, attempt),
        from_ns=number * 10**9,
        to_ns=number * 10**9 + 9 * 10**8,
        left=Left.NEXT,
    )


@pytest.fixture
def shown():
    """X-rays 30, 10, 20, 40, 50, one after the other."""
    return tuple(_showing(at, index) for at, index in enumerate((30, 10, 20, 40, 50), 1))


def test_a_photo_is_the_xray_that_its_marker_says(shown):
    """Whatever it is called; the order agrees, so that is evidence too."""
    photos = [PhotoSeen("a", Marker(30, 1)), PhotoSeen("b", Marker(20, 1))]
    found = match_by_marker(photos, shown)
    assert [(c.name, c.index, c.possible) for c in found] == [("a", 30, (1,)), ("b", 20, (3,))]
    assert {c.evidence for c in found} == {("marker", "order")}


def test_without_a_marker_its_neighbours_say_what_it_may_be(shown):
    """Candidates for the comparison of pixels, never an index."""
    photos = [
        PhotoSeen("a", Marker(10, 1)),
        PhotoSeen("glare", None),
        PhotoSeen("c", Marker(40, 1)),
        PhotoSeen("end", None),
    ]
    found = match_by_marker(photos, shown)
    assert (found[1].index, found[1].possible) == (None, (2, 3, 4))
    assert (found[3].index, found[3].possible) == (None, (4, 5))


def test_photos_are_put_in_order_by_their_clock_however_wrong_it_is(shown):
    """Two hours off and listed backwards; answers come in the order of the list."""
    off = 7200 * 10**9
    photos = [
        PhotoSeen("c", Marker(40, 1), off + 4 * 10**9),
        PhotoSeen("b", None, off + 3 * 10**9),
        PhotoSeen("a", Marker(10, 1), off + 2 * 10**9),
    ]
    found = match_by_marker(photos, shown)
    assert [c.name for c in found] == ["c", "b", "a"]
    assert found[1].possible == (2, 3, 4)
    assert found[0].evidence == ("marker", "order")


def test_a_marker_against_the_order_is_told_but_believed(shown):
    """Photos copied from two phones are not in order; a marker was read for certain."""
    photos = [PhotoSeen("a", Marker(50, 1)), PhotoSeen("b", Marker(30, 1))]
    found = match_by_marker(photos, shown)
    assert [c.index for c in found] == [50, 30]
    assert all(c.evidence == ("marker",) for c in found)
    assert all("neighbours" in c.why for c in found)


def test_a_marker_that_was_never_shown_is_nothing_of_this_run(shown):
    """Another campaign's photo in the folder, or another attempt."""
    found = match_by_marker([PhotoSeen("a", Marker(77, 1)), PhotoSeen("b", Marker(30, 2))], shown)
    assert all((c.index, c.possible, c.evidence) == (None, (), ()) for c in found)


def test_an_xray_shown_twice_is_told_apart_by_its_attempt(shown):
    """Somebody went back: the second showing has attempt 2."""
    again = (*shown, _showing(6, 30, attempt=2))
    found = match_by_marker([PhotoSeen("a", Marker(30, 2)), PhotoSeen("b", None)], again)
    assert (found[0].index, found[0].possible) == (30, (6,))
    assert found[1].possible == (6,)


def test_showings_without_a_marker_match_no_marker(shown):
    """A marker in the photo then came from elsewhere."""
    bare = tuple(replace(one, marker=()) for one in shown)
    assert match_by_marker([PhotoSeen("a", Marker(30, 1))], bare)[0].index is None


def test_lines_are_read_back_and_the_last_of_a_showing_counts(shown):
    """It is written when it came up and again when it went."""
    up = [replace(one, to_ns=None, left=None) for one in shown]
    data = b"".join(a.line() + b.line() for a, b in zip(up, shown, strict=True)) + up[0].line()[:40]
    read, good = read_shown(data)
    assert read == shown
    assert good == len(data) - 40


def test_one_that_was_up_when_the_display_was_killed_has_no_end(shown):
    """Its photo may exist all the same."""
    read, _ = read_shown(shown[0].line() + replace(shown[1], to_ns=None, left=None).line())
    assert [one.to_ns is None for one in read] == [False, True]


@pytest.mark.parametrize("spoil", [b"{}\n", b"rubbish\n", b'{"showing": 3}\n', b"\n"])
def test_a_broken_line_is_named(shown, spoil):
    """Line 2 of the file; nothing is guessed."""
    with pytest.raises(UserError, match=r"shown\.jsonl line 2"):
        read_shown(shown[0].line() + spoil + shown[1].line())


def test_a_missing_showing_is_noticed(shown):
    """Numbers rise by one."""
    with pytest.raises(UserError, match="showing 3 after 1"):
        read_shown(shown[0].line() + shown[2].line())
