"""Events that survive crashes."""

from __future__ import annotations

import json

import pytest

from display_agent.outbox import DURABLE, Outbox, OutboxDamaged

SESSION = "s0123456789abcdef"


@pytest.fixture
def make(tmp_path):
    """Open the outbox of the session; closed afterwards."""
    opened: list[Outbox] = []

    def make_() -> Outbox:
        opened.append(Outbox(tmp_path / "state", SESSION, clock_ns=lambda: 42))
        return opened[-1]

    yield make_
    for box in opened:
        box.close()


@pytest.fixture
def fsyncs(monkeypatch):
    """How often a file or folder was fsynced."""
    calls: list[int] = []
    monkeypatch.setattr("os.fsync", calls.append)
    return calls


def _filled(make, count: int = 3) -> Outbox:
    box = make()
    for index in range(1, count + 1):
        box.append("painted", index, 1, rect=[0, 0, 4, 3])
    return box


def test_events_are_numbered_from_one_and_carry_the_envelope(make):
    """The returned dict is what stands in the file."""
    box = make()
    assert box.last_seq == 0
    event = box.append("committed", 7, 2, sha256="ab", size=3)
    assert event == {
        "event": "committed",
        "session": SESSION,
        "seq": 1,
        "time_ns": 42,
        "index": 7,
        "attempt": 2,
        "sha256": "ab",
        "size": 3,
    }
    assert json.loads(box.path.read_text()) == event
    assert box.append("paused", None, None, code="X")["seq"] == 2


def test_after_gives_the_rest_in_order(make):
    """From any number on, also beyond the end."""
    box = _filled(make, 5)
    assert [e["seq"] for e in box.after(0)] == [1, 2, 3, 4, 5]
    assert [e["seq"] for e in box.after(3)] == [4, 5]
    assert list(box.after(5)) == list(box.after(99)) == []


def test_numbers_go_on_after_a_restart(make):
    """No number is used twice, nothing is lost."""
    _filled(make).close()
    again = make()
    assert again.last_seq == 3
    assert again.append("resumed", None, None)["seq"] == 4
    assert [e["event"] for e in again.after(2)] == ["painted", "resumed"]


def test_what_was_committed_is_known_across_restarts(make):
    """By index and attempt; other events do not count."""
    box = make()
    box.append("committed", 4, 2, sha256="ab")
    box.append("retake", 5, 1, why="blur")
    box.close()
    again = make()
    assert again.has_committed(4, 2)
    assert not again.has_committed(4, 1)
    assert not again.has_committed(5, 1)


@pytest.mark.parametrize("tail", [b'{"event":"pain', b"\0" * 300, b'{"event"\n\0\0\n', b"7\n"])
def test_a_torn_end_is_cut_off_and_written_over(make, tail):
    """Half a line, or the zeros that a file system leaves after a power cut."""
    box = _filled(make)
    box.close()
    with box.path.open("ab") as file:
        file.write(tail)
    again = make()
    assert again.last_seq == 3
    again.append("resumed", None, None)
    again.close()
    assert [e["seq"] for e in make().after(0)] == [1, 2, 3, 4]


def test_every_possible_cut_loses_at_most_the_torn_event(make, fsyncs):
    """Whatever byte the crash stopped at."""
    box = _filled(make, 2)
    box.close()
    whole = box.path.read_bytes()
    for length in range(len(whole)):
        box.path.write_bytes(whole[:length])
        recovered = make()
        assert recovered.last_seq == whole[:length].count(b"\n")
        recovered.close()


def test_rubbish_in_the_middle_is_refused_by_line(make):
    """A crash cannot have done that, so nobody guesses."""
    box = _filled(make)
    box.close()
    lines = box.path.read_bytes().splitlines(keepends=True)
    box.path.write_bytes(lines[0] + b"rubbish\n" + lines[2])
    with pytest.raises(OutboxDamaged, match=r"events\.jsonl line 2 is broken"):
        make()


def test_a_repeated_number_or_a_foreign_session_is_refused(make, tmp_path):
    """Copies and mixed-up folders are found at once."""
    box = _filled(make)
    box.close()
    lines = box.path.read_bytes().splitlines(keepends=True)
    with pytest.raises(OutboxDamaged, match="belongs to session"):
        Outbox(tmp_path / "state", "sffffffffffffffff")
    box.path.write_bytes(b"".join(lines) + lines[1])
    with pytest.raises(OutboxDamaged, match="line 4 has event 2 after 3"):
        make()


def test_decisions_are_fsynced_at_once_and_others_before_they_leave(make, fsyncs):
    """Nothing that the disk may forget is ever told."""
    box = make()
    fsyncs.clear()
    for event in sorted(DURABLE):
        box.append(event, 1, 1)
    assert len(fsyncs) == len(DURABLE)
    assert {"committed", "aborted", "completed", "stopped"} <= DURABLE
    box.append("painted", 2, 1)
    assert len(fsyncs) == len(DURABLE)
    list(box.after(0))
    list(box.after(0))
    assert len(fsyncs) == len(DURABLE) + 1


def test_a_full_disk_leaves_no_half_line(make, monkeypatch):
    """The event is refused, the next one is whole."""
    box = _filled(make)
    real = box._file

    class Full:
        def write(self, data):
            real.write(bytes(data[:5]))
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return getattr(real, name)

    box._file = Full()
    with pytest.raises(OSError, match="No space"):
        box.append("painted", 4, 1)
    box._file = real
    assert box.append("painted", 4, 1)["seq"] == 4
    assert [e["seq"] for e in box.after(0)] == [1, 2, 3, 4]


def test_after_a_failed_fsync_nothing_is_accepted(make, monkeypatch):
    """Nobody knows what is on the disk then."""
    box = make()

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            box.append("committed", 1, 1)
    with pytest.raises(OSError, match="restart the agent"):
        box.append("painted", 2, 1)


def test_numbering_can_skip_what_the_controller_holds_already(make):
    """For a state folder that was lost; the gap is accepted when the file is read again."""
    box = make()
    box.skip_to(400)
    assert box.append("connected", None, None)["seq"] == 401
    box.close()
    assert make().last_seq == 401


@pytest.mark.parametrize("body", [{"seq": 9}, {"session": "s"}, {"rtt_ms": float("nan")}])
def test_a_body_cannot_forge_the_envelope_or_hold_nan(make, body):
    """And a refused event leaves no trace."""
    box = make()
    with pytest.raises(ValueError, match=r"body may not|not JSON compliant"):
        box.append("painted", 1, 1, **body)
    assert box.last_seq == 0
    assert box.path.read_bytes() == b""


def test_sessions_events_begun_while_reading_do_not_disturb_the_reader(make):
    """An iteration ends where the outbox ended when it began."""
    box = _filled(make)
    seen = []
    for event in box.after(0):
        seen.append(event["seq"])
        box.append("painted", 9, 1)
    assert seen == [1, 2, 3]
