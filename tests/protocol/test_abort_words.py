"""An abort's reason: from one side's sentence to what people read at the other."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.protocol.display import Phase
from rig.protocol.payload import WHY_SIZE, heard_abort, printable, told_abort

M = MessageType
ABORT_ID = b"abort-id"
HOSTILE = "\x1b[2J\r\nall is\u202e well\x00"
SHOWN = "[2J all is well"
GONE = "1 stored photo(s) are gone from the phone, first x1_00aa_s0001_i0000001_a001_e_p00001_c.jpg"


def _abort(**body: Any) -> Datagram:
    return Datagram(M.ABORT, code=Code.OPERATOR, digest=ABORT_ID, payload=canonical(body))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=1500))
def test_whatever_the_reason_it_fits_and_shows_no_control_character(text: str):
    why = told_abort(text)
    assert len(canonical({"why": why})) <= WHY_SIZE + len('{"why":""}')
    assert not [c for c in why if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"]
    heard, _, _ = heard_abort(canonical({"why": why}), Code.OPERATOR)
    assert heard == (printable(why) or "OPERATOR")


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        ({}, ("OPERATOR", None, None)),
        ({"why": HOSTILE, "expected": 2, "got": 3}, (SHOWN, 2, 3)),
        ({"why": "\n\x00"}, ("OPERATOR", None, None)),
        ({"why": 7, "expected": "2", "got": True}, ("OPERATOR", None, None)),
        ({"why": "x" * 900}, ("x" * WHY_SIZE, None, None)),
    ],
)  # fmt: skip
def test_what_is_no_text_or_number_counts_as_none(body: dict[str, Any], heard: tuple[Any, ...]):
    assert heard_abort(canonical(body), Code.OPERATOR) == heard


def test_the_phone_shows_and_journals_no_control_character(armed_phone):
    armed_phone.tell(_abort(why=HOSTILE))
    assert armed_phone.said_of(act.Aborted)[0].why == SHOWN
    assert armed_phone.journal[-1]["why"] == SHOWN


def test_the_display_shows_and_journals_no_control_character(armed_display):
    armed_display.tell(_abort(why=HOSTILE))
    assert armed_display.said_of(act.Aborted)[0].why == SHOWN
    assert armed_display.said_of(act.Blank)[-1].reason == f"ABORTED: {SHOWN}"
    assert armed_display.journal[-1]["why"] == SHOWN


def test_nor_do_they_come_in_by_ready(display):
    display.knock()
    display.ready(aborted_id=ABORT_ID.hex(), aborted_code=65, aborted_why=HOSTILE, aborted_got=True)
    aborted = display.said_of(act.Aborted)[0]
    assert (aborted.why, aborted.got) == (SHOWN, None)


def test_a_ready_whose_reason_is_no_text_still_aborts(display):
    display.knock()
    display.ready(aborted_id=ABORT_ID.hex(), aborted_code=65, aborted_why=5)
    assert display.said_of(act.Aborted)[0].why == "the phone is aborted"


def test_a_photo_s_name_stays_on_the_phone(armed_phone):
    """The person there reads it; on the air it would tell an x-ray's key."""
    armed_phone.core._abort(Code.STORE_LOST, GONE, None, None)
    armed_phone.feed(armed_phone.core._flush())
    assert armed_phone.said_of(act.Aborted)[0].why == GONE
    said = "1 stored photo(s) are gone from the phone, first (a file)"
    assert parse_payload(armed_phone.messages(M.ABORT)[0].payload)["why"] == said
    armed_phone.hello()
    assert armed_phone.ready["aborted_why"] == said


def test_a_path_of_the_computer_stays_there(armed_display):
    why = "cannot read '/home/rig/x rays/1.png'"
    armed_display.feed(armed_display.core.operator("abort", armed_display.now, None, why))
    assert armed_display.said_of(act.Aborted)[0].why == why
    told = parse_payload(armed_display.messages(M.ABORT)[0].payload)["why"]
    assert told == "cannot read (a file)"


def test_the_phone_repeats_its_abort_until_the_link_is_dead_and_then_by_answers_only(armed_phone):
    """Section 6: with RTO until ABORT_ACK or link death; every later command hears it again."""
    armed_phone.capture(3)
    armed_phone.take()
    armed_phone.advance(119.0)
    assert len(armed_phone.messages(M.ABORT)) > 30
    armed_phone.advance(5.0)
    armed_phone.take()
    armed_phone.advance(600.0)
    assert armed_phone.messages(M.ABORT) == []
    assert armed_phone.messages(M.KNOCK), "it knocks on"
    armed_phone.capture(1)
    assert len(armed_phone.messages(M.ABORT)) == 1


def test_a_display_that_is_pinged_answers(armed_display):
    """Both sides may ask; ours never does so at the phone."""
    armed_display.paint()
    armed_display.take()
    armed_display.tell(Datagram(M.PING))
    (pong,) = armed_display.messages(M.PONG)
    assert pong.ack_pn == armed_display.conn._pn
    assert armed_display.core.phase is Phase.CAPTURE
