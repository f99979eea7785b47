"""What comes next in manual mode, on which key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from display_agent.manual import End, ManualCore, Pause, Show, left_by
from rig.intake.manual import Left, Showing


def _before(position: int, left: Left | None) -> Showing:
    return Showing(1, 1, position, position, 1, "key", "ab" * 32, (), 1, left and 2, left)


def test_keys_go_through_the_sets_with_a_pause_after_each():
    """Five x-rays in sets of two."""
    core = ManualCore(5, 2)
    assert core.start() == Show(1, 1, 1, 2)
    assert core.key("space") == Show(2, 1, 2, 2)
    assert core.key("right") == Pause(1, last=False)
    assert core.key("space") == Show(3, 2, 1, 2)
    assert core.key("space") == Show(4, 2, 2, 2)
    assert core.key("space") == Pause(2, last=False)
    assert core.key("x") == Show(5, 3, 1, 1)
    assert core.key("space") == Pause(3, last=True)
    assert core.key("space") == End(stopped=False)
    assert core.key("space") is None


def test_left_goes_back_but_not_beyond_the_sets_first():
    """The set before was copied already."""
    core = ManualCore(5, 2, before=_before(3, None))
    assert core.start() == Show(3, 2, 1, 2)
    assert core.key("left") is None
    core.key("space")
    assert core.key("left") == Show(3, 2, 1, 2)


def test_left_in_the_pause_goes_back_to_the_last_xray_of_the_set():
    """One more photo of it."""
    core = ManualCore(4, 2)
    core.start()
    core.key("space")
    core.key("space")
    assert core.key("left") == Show(2, 1, 2, 2)
    assert core.key("space") == Pause(1, last=False)


def test_other_keys_do_nothing_to_an_xray():
    """Somebody leans on the keyboard."""
    core = ManualCore(5, 2)
    core.start()
    assert core.key("f5") is None
    assert core.key("space") == Show(2, 1, 2, 2)


@pytest.mark.parametrize("key", ["q", "escape"])
def test_stop_stops_anywhere_and_for_good(key):
    """On an x-ray and in a pause."""
    for presses in (0, 1):
        core = ManualCore(2, 1)
        core.start()
        for _ in range(presses):
            core.key("space")
        assert core.key(key) == End(stopped=True)
        assert core.key("space") is None
        assert core.tick() is None


def test_a_tick_does_what_the_next_key_does():
    """At a rate nobody presses anything."""
    core = ManualCore(3, 2)
    steps = [core.start(), *(core.tick() for _ in range(5))]
    assert steps == [
        Show(1, 1, 1, 2), Show(2, 1, 2, 2), Pause(1, last=False), Show(3, 2, 1, 1),
        Pause(2, last=True), End(stopped=False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "first"),
    [
        (_before(2, None), Show(2, 1, 2, 3)),
        (_before(2, Left.STOP), Show(2, 1, 2, 3)),
        (_before(2, Left.NEXT), Show(3, 1, 3, 3)),
        (_before(2, Left.PREVIOUS), Show(1, 1, 1, 3)),
        (_before(3, Left.NEXT), Pause(1, last=False)),
        (_before(5, Left.NEXT), Pause(2, last=True)),
    ],
)
def test_a_restart_goes_on_where_it_stopped(before, first):
    """What was interrupted is shown again, what was done is not."""
    assert ManualCore(5, 3, before=before).start() == first


@given(st.integers(1, 30), st.integers(1, 8), st.lists(st.sampled_from(["right", "left", "x", ""])))
def test_whatever_is_pressed_no_xray_is_passed_over(count, size, keys):
    """Positions change by one; every set ends in its pause before the next begins."""
    core = ManualCore(count, size)
    step, seen = core.start(), 1
    for key in keys:
        following = core.tick() if not key else core.key(key)
        if following is None:
            continue
        if isinstance(following, Show):
            assert following.position <= seen + 1
            assert following.set == (following.position - 1) // size + 1
            assert 1 <= following.place <= following.of <= size
            if isinstance(step, Show):
                assert abs(following.position - step.position) == 1
                assert following.set == step.set
            seen = max(seen, following.position)
        elif isinstance(following, End):
            assert seen == count
            break
        step = following


def test_the_words_say_how_far_it_is():
    """In the corner and in the pause."""
    assert Show(167, 2, 17, 150).progress == "set 2, 17 of 150"
    assert Pause(1, last=False).words.startswith("Set 1 done: copy the photos, press a key")
    assert "last set" in Pause(2, last=True).words


def test_why_an_xray_went_is_told_by_what_follows():
    """For the record."""
    here = Show(3, 1, 3, 5)
    assert left_by(Show(4, 1, 4, 5), here) is Left.NEXT
    assert left_by(Pause(1, last=False), here) is Left.NEXT
    assert left_by(Show(2, 1, 2, 5), here) is Left.PREVIOUS
    assert left_by(End(stopped=True), here) is Left.STOP


@pytest.mark.parametrize(("count", "size", "before"), [(0, 1, None), (1, 0, None), (2, 1, 3)])
def test_numbers_that_make_no_sense_are_refused(count, size, before):
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="in sets of"):
        ManualCore(count, size, before=before and _before(before, None))
