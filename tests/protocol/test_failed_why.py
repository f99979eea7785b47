"""FAILED says why: from the camera's sentence to what people at the display read."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol import actions as act
from rig.protocol.codes import FREE_MIN, Code, MessageType
from rig.protocol.datagram import MAX_DATAGRAM, MIN_DATAGRAM, canonical, parse_payload
from rig.protocol.display_messages import failure
from rig.protocol.payload import printable, told, why_field

M = MessageType
EMPTY = "termux-camera-photo left 0 bytes; close other camera apps"


def _fail(bench: Any, code: Code, why: str, attempt: int = 1) -> None:
    """The camera call of (1, attempt) ends with a failure."""
    bench.capture(1, attempt)
    ticket = bench.said_of(act.TriggerCamera)[-1].ticket
    bench.feed(bench.core.camera_result(ticket, act.CameraFailure(code, why), bench.now))


def _why(bench: Any) -> str:
    return str(parse_payload(bench.messages(M.FAILED)[-1].payload)["why"])


# -- the sentence ----------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.text(max_size=2000))
def test_whatever_a_camera_says_fits_a_datagram_and_shows_no_control_character(text: str):
    why = told(text)
    assert len(why) <= 500
    assert len(canonical({"why": why})) <= MAX_DATAGRAM - MIN_DATAGRAM
    assert not [c for c in why if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"]
    if why:
        assert why_field(canonical({"why": why})) == printable(why)


@pytest.mark.parametrize(
    "text", ["x" * 500, '"' * 500, "\u00e4" * 500, "\U0001f4f7" * 250, "\u0958" * 500]
)
def test_a_long_sentence_is_cut_and_still_arrives(text: str):
    assert why_field(canonical({"why": told(text * 3)})) == told(text)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a\x00b\r\nc\x1b[31md", "a b c [31md"),
        ("left\u202eright\u2066x\u200b\ud800!", "left right x !"),
        ("  two \u00a0 spaces ", "two spaces"),
        ("No such file: '/data/com.termux/my photos/1.part'; go", "No such file: (a file); go"),
        ("/storage/emulated/0/DCIM/a.jpg is gone", "(a file) is gone"),
        ("look at ~/rig/staging and C:\\rig\\x", "look at (a file) and (a file)"),
        ("x1_00aa_s1_i1_a1_e_p00001_m_p_c.jpg exists", "(a file) exists"),
        ("http://10.0.0.5:80/a.jpg and/or 3/4 s", "http://10.0.0.5:80/a.jpg and/or 3/4 s"),
    ],
)  # fmt: skip
def test_no_control_character_no_path_and_no_photo_s_name_is_told(said: str, shown: str):
    """A photo's name holds the x-ray's key."""
    assert told(said) == shown


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"[]", b"null", b'"why"', b"{}", b'{"why":1}', b'{"why":null}', b'{"why":true}',
        b'{"why":["x"]}', b'{"why":"x","why":"y"}', b'{"why":NaN}', b'{"why":"\xff"}',
        b'{"why":"' + b"x" * 501 + b'"}', b"\x00" * 40, b"[" * 1000,
    ],
)  # fmt: skip
def test_a_malformed_why_is_ignored(payload: bytes):
    assert why_field(payload) == ""


# -- the phone says it -----------------------------------------------------------------------------


def test_failed_carries_what_the_camera_said(armed_phone):
    _fail(armed_phone, Code.CAMERA_EMPTY, EMPTY)
    assert _why(armed_phone) == EMPTY
    assert armed_phone.messages(M.FAILED)[-1].code == Code.CAMERA_EMPTY


def test_it_is_said_again_word_for_word_even_after_a_restart(armed_phone):
    """From the journal: the same CAPTURE gets the same answer."""
    _fail(armed_phone, Code.CAMERA_EMPTY, EMPTY)
    token = armed_phone.messages(M.FAILED)[-1].token
    first = armed_phone.messages(M.FAILED)[-1].payload
    after = armed_phone.restart().connect()
    after.capture(1, token=token)
    again = after.messages(M.FAILED)[-1]
    assert (again.code, again.payload) == (Code.CAMERA_EMPTY, first)


def test_a_journal_of_an_older_agent_has_no_sentence_and_is_answered_without(armed_phone):
    _fail(armed_phone, Code.CAMERA_EMPTY, EMPTY)
    token = armed_phone.messages(M.FAILED)[-1].token
    for record in armed_phone.journal:
        record.pop("why", None)
    after = armed_phone.restart().connect()
    after.capture(1, token=token)
    assert after.messages(M.FAILED)[-1].payload == b""


def test_the_person_at_the_phone_reads_all_of_it_but_the_wire_has_no_path(armed_phone):
    why = "cannot write '/data/data/com.termux/files/home/rig/staging/1.part'"
    _fail(armed_phone, Code.FS_ERROR, why)
    assert armed_phone.said_of(act.ExposureFailed)[-1].why == why
    assert _why(armed_phone) == "cannot write (a file)"


def test_metadata_that_makes_no_name_is_not_repeated(armed_phone):
    """The sentence holds nothing of the metadata itself."""
    armed_phone.capture(1, meta=canonical({"env": "", "key": "patient00001/study1"}))
    ticket = armed_phone.said_of(act.TriggerCamera)[-1].ticket
    armed_phone.feed(armed_phone.core.camera_result(ticket, armed_phone.photo(), armed_phone.now))
    assert "file name" in _why(armed_phone)
    assert "patient00001" not in json.dumps(armed_phone.journal) + _why(armed_phone)


def test_a_stale_attempt_and_a_void_one_are_answered_without_a_sentence(armed_phone):
    armed_phone.expose(1, 2)
    armed_phone.capture(1, 1)
    failed = armed_phone.messages(M.FAILED)[-1]
    assert (failed.code, failed.payload) == (Code.STALE, b"")


@pytest.mark.parametrize(
    ("health", "code", "figures"),
    [
        ((200 << 20, 80, False, 30.0), Code.DISK_LOW, ["200 MiB", "256 MiB"]),
        ((1 << 40, 14, False, 30.0), Code.BATTERY_LOW, ["14 %", "15 %"]),
        ((1 << 40, 80, False, 45.5), Code.THERMAL, ["45.5 \u00b0C", "45 \u00b0C"]),
    ],
)
def test_a_refusal_says_how_much_there_is_and_how_much_is_needed(
    armed_phone, health, code: Code, figures: list[str]
):
    armed_phone.feed(armed_phone.core.environment(*health, 0.0))
    armed_phone.capture(1)
    event = armed_phone.said_of(act.ExposureFailed)[-1]
    assert (event.index, event.attempt, event.code) == (1, 1, code)
    assert event.why == _why(armed_phone) == armed_phone.journal[-1]["why"]
    assert all(figure in event.why for figure in figures)
    assert event.why.endswith("then resume")


def test_a_nearly_full_disk_is_no_lie_about_a_rounded_number(armed_phone):
    """One byte too few reads as fewer mebibytes than are needed."""
    armed_phone.feed(armed_phone.core.environment(FREE_MIN - 1, 80, False, 30.0, 0.0))
    armed_phone.capture(1)
    free, needed = map(int, re.findall(r"(\d+) MiB", _why(armed_phone)))
    assert (free, needed) == (255, 256)


# -- the display shows it --------------------------------------------------------------------------


def test_a_retake_says_what_the_camera_said(armed_display):
    armed_display.paint()
    armed_display.reply(M.FAILED, code=Code.CAMERA_EMPTY, payload=canonical({"why": EMPTY}))
    assert armed_display.said_of(act.Retake) == [act.Retake(1, 1, f"CAMERA_EMPTY: {EMPTY}")]


def test_a_pause_says_what_the_phone_said(armed_display):
    why = "200 MiB are free on the phone, 256 MiB are needed; free some room, then resume"
    armed_display.paint()
    armed_display.reply(M.FAILED, code=Code.DISK_LOW, payload=canonical({"why": why}))
    paused = armed_display.core.paused
    assert paused.code == Code.DISK_LOW
    assert paused.why == f"the phone asks for a pause: DISK_LOW: {why}"


def test_a_pause_after_retakes_says_what_the_last_one_said(armed_display):
    for _ in range(3):
        armed_display.paint()
        armed_display.reply(M.FAILED, code=Code.CAMERA_EMPTY, payload=canonical({"why": EMPTY}))
    assert armed_display.core.paused.code == Code.RETRIES
    assert armed_display.core.paused.why.endswith(f"last: CAMERA_EMPTY: {EMPTY}")


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"{", b'{"why":7}', b'{"why":"' + b"x" * 600 + b'"}']
)
def test_a_phone_that_says_nothing_or_nonsense_is_taken_at_its_code(armed_display, payload: bytes):
    """An older phone, or a malformed sentence: the retake is made all the same, and no abort."""
    armed_display.paint()
    armed_display.reply(M.FAILED, code=Code.CAMERA_ERROR, payload=payload)
    assert armed_display.said_of(act.Retake) == [act.Retake(1, 1, "CAMERA_ERROR")]
    assert armed_display.core.ledger.latch is None


def test_control_characters_of_a_defective_phone_are_not_shown(armed_display):
    armed_display.paint()
    why = canonical({"why": "a\x1b]0;b\x07\nc\u202e"})
    armed_display.reply(M.FAILED, code=Code.CAMERA_ERROR, payload=why)
    assert armed_display.said_of(act.Retake)[0].why == "CAMERA_ERROR: a ]0;b c"


def test_an_abort_by_failed_says_it_too(armed_display):
    armed_display.paint()
    armed_display.reply(M.FAILED, code=99, payload=canonical({"why": "a new reason"}))
    latch = armed_display.core.ledger.latch
    assert latch.why == "the phone refused index 1: ABORT_99: a new reason"


def test_both_ends_together(observed: Any):
    """Over the wire of the virtual rig: camera failures read the same on both sides."""
    rig = observed(6, seed=2, camera=0.4)
    rig.boot()
    rig.finish()
    rig.audit_all()
    failed = {(e.index, e.attempt): e for e in rig.said(act.ExposureFailed, "phone")}
    retakes = [r for r in rig.said(act.Retake, "display") if (r.index, r.attempt) in failed]
    assert retakes
    for r in retakes:
        e = failed[r.index, r.attempt]
        assert r.why == f"{Code(e.code).name}: {e.why}"
    assert failure(rig.sent("phone", M.FAILED)[0]).startswith("CAMERA_")
