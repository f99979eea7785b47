"""The display's abort latch and its re-arming."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.actions import LocalProtocolError
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.protocol.display import Phase
from rig.protocol.payload import printable

M = MessageType
PHONE_ID = b"phone-id"


def _operator(bench, command: str, abort_id: bytes | None = None, why: str = "") -> None:
    bench.feed(bench.core.operator(command, bench.now, abort_id, why))


def _phone_aborts(bench, abort_id: bytes = PHONE_ID, **fields: object) -> None:
    payload = canonical({"expected": 1, "got": 2, "why": "not the next"})
    values = {"code": Code.INDEX_MISMATCH, "digest": abort_id, "payload": payload, **fields}
    bench.tell(Datagram(M.ABORT, **values))


def test_an_operator_s_abort_is_durable_before_it_is_told(armed_display):
    """Journal ABORT, fsync, blank the screen with the reason, send ABORT."""
    armed_display.take()
    armed_display.hold = True
    _operator(armed_display, "abort", why="the tripod fell")
    assert armed_display.messages() == []
    assert armed_display.said_of(act.Aborted) == []
    armed_display.durable()
    abort = armed_display.messages(M.ABORT)[0]
    assert abort.code == Code.OPERATOR
    assert parse_payload(abort.payload)["why"] == "the tripod fell"
    assert "the tripod fell" in armed_display.said_of(act.Blank)[0].reason
    event = armed_display.said_of(act.Aborted)[0]
    assert (event.abort_id, event.by) == (abort.digest, "display")
    assert armed_display.core.phase is Phase.ABORTED


def test_an_abort_of_the_display_is_repeated_until_it_is_acknowledged(armed_display):
    _operator(armed_display, "abort")
    armed_display.take()
    armed_display.advance(3.0)
    repeated = armed_display.messages(M.ABORT)
    assert len(repeated) >= 2
    armed_display.tell(Datagram(M.ABORT_ACK, digest=repeated[0].digest))
    armed_display.take()
    armed_display.advance(5.0)
    assert armed_display.messages(M.ABORT) == []


def test_an_abort_is_repeated_only_until_the_link_is_dead(armed_display):
    """Until ABORT_ACK or link death (120 s)."""
    _operator(armed_display, "abort")
    armed_display.advance(125.0)
    armed_display.take()
    armed_display.advance(60.0)
    assert armed_display.take() == []


def test_the_receiver_adopts_the_phone_s_id(armed_display):
    """It acknowledges, latches that id and sends no abort of its own."""
    armed_display.take()
    _phone_aborts(armed_display)
    event = armed_display.said_of(act.Aborted)[0]
    assert (event.abort_id, event.by, event.code) == (PHONE_ID, "phone", Code.INDEX_MISMATCH)
    assert (event.expected, event.got, event.why) == (1, 2, "not the next")
    assert [d.digest for d in armed_display.messages(M.ABORT_ACK)] == [PHONE_ID]
    assert armed_display.messages(M.ABORT) == []


def test_an_id_that_is_latched_is_not_replaced(armed_display):
    _operator(armed_display, "abort")
    mine = armed_display.core.ledger.latch
    _phone_aborts(armed_display)
    assert armed_display.core.ledger.latch == mine
    assert [d.digest for d in armed_display.messages(M.ABORT_ACK)] == [PHONE_ID]


@pytest.mark.parametrize("payload", [canonical({}), canonical({"expected": "x", "why": None})])
def test_an_abort_without_particulars_is_an_abort(armed_display, payload: bytes):
    """Unknown codes of 64 and above too."""
    _phone_aborts(armed_display, payload=payload, code=222)
    assert armed_display.core.ledger.latch.why == "ABORT_222"
    assert armed_display.core.ledger.latch.expected is None


def test_while_latched_nothing_is_painted_asked_or_decided(armed_display):
    """Replies, knocks, disturbances and time change nothing; the link alone is watched."""
    armed_display.paint()
    asked = armed_display.asked()
    _phone_aborts(armed_display)
    records = len(armed_display.journal)
    armed_display.take()
    armed_display.reply(M.ACCEPTED, asked)
    armed_display.reply(M.CAPTURED, asked)
    armed_display.reply(M.FAILED, asked)
    armed_display.knock()
    armed_display.knock(b"new-boot")
    armed_display.feed(armed_display.core.display_disturbed("moved", 0.0))
    armed_display.advance(20.0)
    assert {type(o) for o in armed_display.said} <= {Datagram, act.PeerLost}
    assert {d.type for d in armed_display.messages()} == {M.PING}
    assert len(armed_display.journal) == records


@pytest.mark.parametrize("command", ["pause", "resume", "abort"])
def test_while_latched_only_a_rearm_makes_sense(armed_display, command: str):
    _operator(armed_display, "abort")
    with pytest.raises(LocalProtocolError, match="aborted"):
        _operator(armed_display, command)


@pytest.mark.parametrize("wrong", [None, b"", b"wrong-id"])
def test_a_rearm_with_another_id_is_refused(armed_display, wrong: bytes | None):
    """The sentence names the id that is latched."""
    _phone_aborts(armed_display)
    armed_display.take()
    with pytest.raises(LocalProtocolError, match=PHONE_ID.hex()):
        _operator(armed_display, "rearm", wrong)
    assert armed_display.take() == []
    assert armed_display.core.phase is Phase.ABORTED


def test_a_rearm_without_an_abort_is_refused(armed_display):
    with pytest.raises(LocalProtocolError, match="no abort"):
        _operator(armed_display, "rearm", PHONE_ID)


def test_a_rearm_is_a_new_handshake_and_clears_only_when_armed(armed_display):
    """ARM+REARM(abort_id); CLEAR is durable when the phone is armed, not before."""
    _phone_aborts(armed_display)
    armed_display.take()
    _operator(armed_display, "rearm", PHONE_ID)
    assert [d.type for d in armed_display.messages()] == [M.HELLO]
    armed_display.ready(aborted_id=PHONE_ID.hex(), aborted_code=64)
    arm = armed_display.messages(M.ARM)[0]
    assert (arm.flags, arm.digest) == (4, PHONE_ID)
    assert armed_display.kinds()[-1] == "ABORT"
    armed_display.hold = True
    armed_display.armed()
    assert armed_display.said_of(act.Rearmed) == []
    armed_display.durable()
    assert armed_display.kinds()[-2:] == ["ARM", "CLEAR"]
    assert armed_display.said_of(act.Rearmed) == [act.Rearmed(PHONE_ID)]
    assert armed_display.said_of(act.Paint)[-1].index == 1


def test_an_abort_with_the_id_just_cleared_is_ignored(armed_display):
    """A late copy of it must not latch again: no abort and re-arm for ever."""
    _phone_aborts(armed_display)
    _operator(armed_display, "rearm", PHONE_ID)
    armed_display.ready(aborted_id=PHONE_ID.hex(), aborted_code=64)
    _phone_aborts(armed_display)
    assert armed_display.core.phase is Phase.ARM
    armed_display.armed()
    _phone_aborts(armed_display)
    assert armed_display.core.ledger.latch is None
    _phone_aborts(armed_display, b"other-id")
    assert armed_display.core.ledger.latch.abort_id == b"other-id"


def test_a_phone_that_latched_another_id_makes_the_operator_look_again(armed_display):
    """Both aborted at once: the phone's id is adopted, and that one must be re-armed."""
    _operator(armed_display, "abort")
    mine = armed_display.core.ledger.latch.abort_id
    _operator(armed_display, "rearm", mine)
    armed_display.ready(aborted_id=PHONE_ID.hex(), aborted_code=65, aborted_why="history")
    latch = armed_display.core.ledger.latch
    assert (latch.abort_id, latch.code, latch.by) == (PHONE_ID, 65, "phone")
    with pytest.raises(LocalProtocolError):
        _operator(armed_display, "rearm", mine)
    _operator(armed_display, "rearm", PHONE_ID)
    armed_display.ready(aborted_id=PHONE_ID.hex(), aborted_code=65)
    armed_display.armed()
    assert armed_display.core.ledger.latch is None


def test_a_phone_that_never_heard_of_the_abort_is_armed_all_the_same(armed_display):
    _operator(armed_display, "abort")
    _operator(armed_display, "rearm", armed_display.core.ledger.latch.abort_id)
    armed_display.ready()
    armed_display.armed()
    assert armed_display.core.ledger.latch is None
    assert armed_display.core.phase is Phase.PAINT


def test_a_rearm_after_a_long_silence_does_not_pause_at_once(armed_display):
    """The silence before the operator came says nothing about the link now."""
    _operator(armed_display, "abort")
    armed_display.advance(1000.0)
    armed_display.take()
    _operator(armed_display, "rearm", armed_display.core.ledger.latch.abort_id)
    armed_display.advance(3.0)
    assert armed_display.said_of(act.Paused) == []
    armed_display.ready()
    armed_display.armed()
    assert armed_display.core.phase is Phase.PAINT


def test_the_latch_survives_a_restart(armed_display):
    """The new life shows the reason again, is deaf to knocks, and re-arms by the same id."""
    armed_display.shoot()
    _phone_aborts(armed_display)
    after = armed_display.restart()
    assert after.said_of(act.Aborted)[0].abort_id == PHONE_ID
    assert "not the next" in after.said_of(act.Blank)[0].reason
    after.knock()
    after.advance(30.0)
    assert after.messages() == []
    _operator(after, "rearm", PHONE_ID)
    after.knock()
    after.ready(aborted_id=PHONE_ID.hex(), aborted_code=64)
    after.armed()
    assert after.said_of(act.Paint)[-1].index == 2


@pytest.mark.parametrize("why", ["\U0001f4f7" * 400, '"\\\n' * 400, "x" * 2000])
def test_a_reason_of_any_length_and_script_fits_a_datagram(armed_display, why: str):
    _operator(armed_display, "abort", why=why)
    abort = armed_display.messages(M.ABORT)[0]
    assert printable(why).startswith(parse_payload(abort.payload)["why"])
