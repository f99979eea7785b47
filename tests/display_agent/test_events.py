"""Protocol events as the controller and scripts read them."""

from __future__ import annotations

import pytest

from display_agent.events import describe
from rig.capture.messages import parse_event
from rig.protocol import actions as act
from rig.protocol.codes import Code

DONE = {
    "k": "DONE", "i": 4, "a": 2, "sha": "ab" * 32, "meta": "cd" * 32, "name": "x.jpg", "size": 7,
    "w": 4, "h": 3, "t0": "1795288380218884758", "t1": "1795288380318884758",
}  # fmt: skip

EVENTS = [
    act.Connected({"boot_id": "00", "free_bytes": 5, "battery_pct": None}),
    act.Armed(1, 4, 9, "s"),
    act.Accepted(4, 2),
    act.Committed(4, 2, b"\xab" * 32, "x.jpg", DONE),
    act.Retake(4, 2, "why " * 1000),
    act.PeerLost(5.04),
    act.PeerBack(),
    act.Paused(int(Code.RETRIES), "reason " * 500),
    act.Resumed(),
    act.Aborted(b"12345678", int(Code.INDEX_MISMATCH), "why", 3, 9, "phone"),
    act.Rearmed(b"12345678"),
    act.Completed(9, b"c" * 32),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_every_event_is_one_that_the_controller_accepts(event: act.Event) -> None:
    """Both ends of the link agree about fields and limits."""
    described = describe(event, round_trip=0.0012, sources={4: "ef" * 32})
    assert described is not None
    kind, index, attempt, body = described
    message = {
        "event": kind, "session": "s" + "0" * 16, "seq": 1, "time_ns": 1, "index": index,
        "attempt": attempt, **body,
    }  # fmt: skip
    assert parse_event(message).event == kind


def test_a_commit_tells_the_photo_and_its_source() -> None:
    """Digest, size, name, exact times and the SHA-256 of the x-ray it claims to show."""
    described = describe(EVENTS[3], round_trip=0.0012, sources={4: "ef" * 32})
    assert described is not None
    _, index, attempt, body = described
    assert (index, attempt) == (4, 2)
    assert body["sha256"] == "ab" * 32
    assert body["t_trigger_ns"] == 1795288380218884758
    assert body["rtt_ms"] == 1.2
    assert body["source_sha256"] == "ef" * 32


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5.2, "not been heard for 5 s; check that it is on"), (0.0, "stopped; start it again")],
)
def test_a_lost_link_says_what_to_look_at(seconds: float, words: str) -> None:
    """A phone that said goodbye is something else than silence."""
    described = describe(act.PeerLost(seconds), round_trip=None, sources={})
    assert described is not None
    assert words in described[3]["why"]
    assert described[3]["seconds"] == round(seconds, 1)


def test_what_nobody_outside_needs_is_not_told() -> None:
    """Actions and inner steps are no events."""
    assert describe(act.Blank("x"), round_trip=None, sources={}) is None
    assert describe(act.Painting(1, 1), round_trip=None, sources={}) is None
