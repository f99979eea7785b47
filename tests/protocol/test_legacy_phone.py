"""The original client drives our phone: lost answers, new sockets, crashes, hostile datagrams."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.actions import LocalProtocolError, WrongCommand
from rig.protocol.codes import Code
from rig.protocol.journal import JournalCorrupt


def _load() -> ModuleType:
    path = Path(__file__).with_name("legacy_peers.py")
    spec = importlib.util.spec_from_file_location("legacy_peers_phone", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = _load()
HERE = (peers.CLIENT, 50001)
THERE = (peers.CLIENT, 50002)
FIRST, SECOND = b"0|0__57__p__a.jpg", b"1|1__58__p__b.jpg"
OK_FIRST = b"OK|0__57__p__a.jpg"


@pytest.fixture
def phone() -> Any:
    """Started, nothing asked yet, next number 0."""
    return peers.PhoneBench().start()


def test_golden_transcript(phone: Any) -> None:
    """Request, photo, OK: byte for byte, and what is durable before what is said."""
    phone.hear(FIRST)
    assert not phone.sent
    assert phone.kinds() == ["RUN", "ARM", "BOOT", "INTENT"]
    phone.shot()
    assert phone.take() == [(OK_FIRST, HERE)]
    phone.hear(b"1|1__3__p__b.jpg").shot(b"other")
    assert phone.take() == [(b"OK|1__3__p__b.jpg", HERE)]
    assert phone.kinds()[3:] == ["INTENT", "STORED", "COMMIT"] * 2
    assert phone.files["0__57__p__a.jpg"] == b'{"index":0,"legacy":true,"name":"0__57__p__a.jpg"}'


def test_no_ok_before_the_photo_is_durable(phone: Any) -> None:
    """Stored and committed in one write; a disk that refuses gets no OK and another try."""
    phone.store_failure = act.CameraFailure(int(Code.FS_ERROR), "disk full")
    phone.hear(FIRST).shot()
    assert not phone.take()
    assert phone.kinds()[-1] == "FAIL"
    phone.store_failure = None
    phone.hear(FIRST, THERE).shot()
    assert phone.take() == [(OK_FIRST, THERE)]


def test_a_lost_ok_is_said_again_and_nothing_is_taken_twice(phone: Any) -> None:
    """The client retries from a new socket with the same name; a restarted one with a new nonce."""
    phone.hear(FIRST).shot().take()
    for _ in range(3):
        assert phone.hear(FIRST, THERE).take() == [(OK_FIRST, THERE)]
    assert phone.hear(b"0|0__99__p__a.jpg").take() == [(b"OK|0__99__p__a.jpg", HERE)]
    assert phone.exposing is None
    assert len(phone.files) == 1


def test_asked_again_while_exposing_the_last_socket_is_answered(phone: Any) -> None:
    """A slow camera: one exposure, one OK, to the socket that still listens."""
    phone.hear(FIRST).hear(FIRST, THERE).hear(FIRST, (peers.CLIENT, 50003)).shot()
    assert phone.take() == [(OK_FIRST, (peers.CLIENT, 50003))]


@pytest.mark.parametrize("data", [SECOND, b"5|5__1__p.jpg"])
def test_another_number_is_a_mismatch_and_latches(phone: Any, data: bytes) -> None:
    """The expected number gets MISMATCH too, until a person re-arms by the id."""
    assert phone.hear(data).take() == [(b"MISMATCH", HERE)]
    (aborted,) = phone.saw(act.Aborted)
    assert (aborted.code, aborted.expected, aborted.got) == (64, 0, int(data[:1]))
    assert phone.hear(FIRST).take() == [(b"MISMATCH", HERE)]
    again = phone.again()
    assert again.hear(FIRST).take() == [(b"MISMATCH", HERE)]
    with pytest.raises(WrongCommand, match="look at its reason"):
        phone.again(rearm=bytes(8))
    rearmed = phone.again(rearm=aborted.abort_id)
    assert rearmed.saw(act.Rearmed)
    assert rearmed.hear(FIRST).shot().take() == [(OK_FIRST, HERE)]


def test_the_same_number_for_another_xray_is_a_contradiction(phone: Any) -> None:
    """After the photo as well as during it; the exposure under way is void."""
    during = peers.PhoneBench().start().hear(FIRST)
    assert during.hear(b"0|0__1__p__other.jpg").take() == [(b"MISMATCH", HERE)]
    assert during.kinds()[-2:] == ["VOID", "ABORT"]
    during.shot()
    assert not during.files
    assert not during.take()
    assert during.saw(act.Quarantine)
    phone.hear(FIRST).shot().take()
    assert phone.hear(b"0|0__1__p__other.jpg").take() == [(b"MISMATCH", HERE)]


def test_a_duplicate_never_gets_a_mismatch(phone: Any) -> None:
    """Not even when an abort is latched: that photo is there."""
    phone.hear(FIRST).shot().take()
    phone.hear(b"7|7__1__p.jpg").take()
    assert phone.hear(FIRST).take() == [(OK_FIRST, HERE)]
    assert phone.hear(SECOND).take() == [(b"MISMATCH", HERE)]


def test_only_one_address_is_listened_to(phone: Any) -> None:
    """A stranger neither triggers nor latches, and hears nothing."""
    phone.hear(FIRST, ("10.0.2.66", 50001)).hear(b"9|9__1__p.jpg", ("10.0.2.66", 50001))
    assert not phone.sent
    assert phone.exposing is None
    assert phone.core.garbage == 2
    assert phone.core.ledger.latch is None


@pytest.mark.parametrize(
    "data",
    [b"", b"|", b"abc", b"\xff\xfe", b"0", b"-1|x", b"999999999999|x", bytes(1200), b"XC\x01\x06"],
)
def test_garbage_changes_nothing(phone: Any, data: bytes) -> None:
    """One such datagram killed the original app."""
    before = list(phone.journal)
    phone.hear(data)
    assert not phone.sent
    assert phone.journal == before
    assert phone.hear(FIRST).shot().take() == [(OK_FIRST, HERE)]


@pytest.mark.parametrize(
    "name",
    [b"0__1__../../x.jpg", b"/etc/passwd", b"0__1__a/b", b"0__1__\x00", b"0__1__\x1b[0m", b"x"],
)
def test_a_hostile_name_is_refused_and_latches_nothing(phone: Any, name: bytes) -> None:
    """No file, no record; the person at the phone reads why."""
    before = list(phone.journal)
    assert phone.hear(b"0|" + name).take() == [(b"MISMATCH", HERE)]
    assert phone.journal == before
    assert "refused" in phone.saw(act.ExposureFailed)[0].why or "is not" in (
        phone.saw(act.ExposureFailed)[0].why
    )
    assert phone.exposing is None
    assert phone.hear(FIRST).shot().take() == [(OK_FIRST, HERE)]


def test_a_camera_that_fails_is_tried_again_with_the_clients_retry(phone: Any) -> None:
    """No answer, no latch: the client's time-out is the retry, attempts count up."""
    phone.hear(FIRST).failed()
    assert not phone.take()
    phone.hear(FIRST, THERE).shot()
    assert phone.take() == [(OK_FIRST, THERE)]
    assert [r["a"] for r in phone.journal if r["k"] == "INTENT"] == [1, 2]


def test_a_camera_that_hangs_is_killed_before_the_client_gives_up(phone: Any) -> None:
    """And no second exposure begins while the first still holds the camera."""
    phone.hear(FIRST)
    deadline = phone.core.next_deadline()
    assert deadline is not None
    assert deadline < peers.OriginalClient.TIMEOUT
    phone.run(phone.core.timer_fired(deadline))
    assert phone.killed == 1
    phone.hear(FIRST, THERE)
    phone.failed().hear(FIRST, THERE).shot()
    assert phone.take() == [(OK_FIRST, THERE)]


def test_a_full_phone_takes_nothing_and_claims_nothing(phone: Any) -> None:
    """The original said OK."""
    phone.run(phone.core.environment(1000, 0.0))
    phone.hear(FIRST)
    assert phone.exposing is None
    assert not phone.sent
    assert phone.saw(act.ExposureFailed)[0].code == Code.DISK_LOW


def test_files_that_are_gone_stop_the_run(phone: Any) -> None:
    """A stored photo that is missing at the start, or a name that other bytes hold."""
    phone.hear(FIRST).shot().take()
    lost = phone.again(missing=["0__57__p__a.jpg"])
    assert lost.saw(act.Aborted)[0].code == Code.STORE_LOST
    phone.store_failure = act.CameraFailure(int(Code.STORE_LOST), "other bytes")
    phone.hear(SECOND).shot()
    assert phone.take() == [(b"MISMATCH", HERE)]
    assert phone.core.ledger.latch is not None


def test_a_crash_during_the_exposure_voids_it(phone: Any) -> None:
    """The client asks again and gets a fresh photo."""
    again = phone.hear(FIRST).again()
    assert "VOID" in again.kinds()
    assert again.hear(FIRST).shot().take() == [(OK_FIRST, HERE)]


def test_a_crash_between_stored_and_commit_commits(phone: Any) -> None:
    """A torn write left STORED alone: the phone decides alone, so it is the photo."""
    phone.hear(FIRST).shot()
    torn = peers.PhoneBench(0, phone.journal[:-1]).start()
    assert torn.kinds()[-1] == "COMMIT"
    assert torn.hear(FIRST).take() == [(OK_FIRST, HERE)]


def test_a_crash_after_commit_only_repeats_the_ok(phone: Any) -> None:
    """The OK was lost with the process."""
    again = phone.hear(FIRST).shot().again()
    assert again.hear(FIRST).take() == [(OK_FIRST, HERE)]
    assert again.exposing is None
    assert again.hear(SECOND).shot().take() == [(b"OK|1__58__p__b.jpg", HERE)]


def test_the_first_number_belongs_to_the_folder(phone: Any) -> None:
    """Another one on the command line is a mistake, and so is a paired run's journal."""
    with pytest.raises(WrongCommand, match="begun with first number 0"):
        peers.PhoneBench(5, phone.journal)
    other = [{**r, "env": "e01"} if r["k"] == "RUN" else r for r in phone.journal]
    with pytest.raises(JournalCorrupt, match="legacy"):
        peers.PhoneBench(0, other)


def test_a_camera_result_out_of_nowhere_is_our_defect(phone: Any) -> None:
    """It cannot be filed under any photo."""
    stranger = act.Ticket(0, 0, 1, b"x" * 8)
    with pytest.raises(LocalProtocolError):
        phone.core.camera_result(stranger, act.CameraFailure(16, "x"), 0.0)


# -- with the original client ----------------------------------------------------------------------


def drive(phone: Any, client: Any, rng: random.Random, *, loss: float, crash: float = 0.0) -> Any:
    """The client's loop in steps of one try; returns the phone's last life."""
    held: list[tuple[bytes, Any]] = []
    for _ in range(2000):
        if client.stopped:
            return phone
        data, socket = client.ask()
        answer = None
        copies = rng.choice([1, 1, 2])
        if rng.random() < loss:
            copies = 0
        for late in held:  # what the network kept back arrives behind
            phone.hear(*late)
        held = [(data, socket)] if rng.random() < loss / 2 else []
        for _ in range(copies):
            phone.hear(data, socket)
        if rng.random() < crash:
            phone = phone.again()
        if phone.exposing is not None:
            phone.failed() if rng.random() < loss else phone.shot(bytes([client.shows]))
        for said, to in phone.take():
            if to == client.socket and rng.random() >= loss:
                answer = answer or said
        client.hear(answer)
    raise AssertionError("the client never came to an end")


def test_a_whole_run_with_the_client() -> None:
    """One photo per row, each taken while its row was shown."""
    client = peers.OriginalClient(3, [f"p/{i}.jpg" for i in range(5)])
    phone = drive(peers.PhoneBench(3).start(), client, random.Random(1), loss=0.0)
    assert client.stopped == "done"
    assert list(phone.files) == list(client.believes.values())


@pytest.mark.parametrize("seed", range(60))
def test_loss_copies_and_crashes_make_no_gap_no_double_and_no_wrong_label(seed: int) -> None:
    """What the client believes is exactly what the phone has committed."""
    rng = random.Random(seed)
    client = peers.OriginalClient(0, [f"p/{i}.jpg" for i in range(8)])
    phone = drive(peers.PhoneBench(0).start(), client, rng, loss=0.3, crash=0.15)
    assert client.stopped == "done"
    (run,) = phone.core.ledger.runs.values()
    shots = run.committed_shots()
    assert [s.index for s in shots] == list(range(8))
    assert [s.name for s in shots] == [client.believes[i] for i in range(8)]
    assert all(s.sha256[0] == s.index for s in shots), f"seed {seed}: mislabelled"


def test_a_client_at_the_wrong_row_stops_after_two() -> None:
    """It goes on after the first mismatch; the phone has latched and takes nothing."""
    client = peers.OriginalClient(4, [f"p/{i}.jpg" for i in range(5)])
    phone = drive(peers.PhoneBench(3).start(), client, random.Random(1), loss=0.0)
    assert client.stopped == "two mismatches"
    assert client.shows == 5
    assert phone.files == {}
    assert client.believes == {}
