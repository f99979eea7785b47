"""Numbers and events in words that a person in the room understands."""

import pytest

from rig.store.events import Event
from rig.web.sentences import duration, say, shown_by, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "\N{EN DASH}"),
        (0.84, "0.8 s"),
        (45.2, "45 s"),
        (119.4, "119 s"),
        (150, "2 min"),
        (11100, "3 h 05 min"),
    ],
)
def test_durations(seconds, words):
    """As short as they can be without misleading."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "\N{EN DASH}"),
        (5, "5 bytes"),
        (3_100_000, "3.1 MB"),
        (12_000_000_000, "12 GB"),
        (5e13, "50.0 TB"),
    ],
)
def test_sizes(count, words):
    """Decimal units, as on the box of a disk."""
    assert size(count) == words


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Event("committed", 1, 1, "x", index=7, attempt=1), "Kept 7"),
        (
            Event("retake", 1, 1, "x", index=7, attempt=2, body={"why": "blur"}),
            "Taken again: 7, exposure 2. blur",
        ),
        (Event("paused", 1, 1, "x"), "Paused."),
        (
            Event("link_lost", 1, 1, "x", body={"seconds": 5.0, "why": "check that it is on"}),
            "No contact with the phone. check that it is on",
        ),
        (Event("something_new", 1, 1, "x"), "something new"),
    ],
)
def test_events(event, words):
    """Also of kinds that this version does not know, and with fields left out."""
    assert say(event) == words


def test_a_screen_that_shows_nothing_to_anybody_says_so() -> None:
    """Its backend is called `null`, which a person takes for a fault."""
    told = [shown_by({"backend": "null"}), shown_by({"backend": "pygame"}), shown_by({})]
    assert told == ["no window", "pygame", "screen"]
