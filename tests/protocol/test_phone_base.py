"""The phone's abort latch."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.protocol.payload import printable

M = MessageType
ABORT_ID = b"abort-id"


def _abort(**body: object) -> Datagram:
    payload = canonical({"expected": 2, "got": 3, "why": "the operator aborted", **body})
    return Datagram(M.ABORT, code=Code.OPERATOR, digest=ABORT_ID, payload=payload)


def test_an_index_that_is_not_next_latches_an_abort(armed_phone):
    """The abort is durable before it is told, and names what was expected and what came."""
    armed_phone.hold = True
    armed_phone.take()
    armed_phone.capture(3)
    assert armed_phone.messages() == []
    armed_phone.durable()
    abort = armed_phone.messages(M.ABORT)[0]
    assert (abort.code, abort.flags) == (Code.INDEX_MISMATCH, Flag.CON)
    body = parse_payload(abort.payload)
    assert (body["expected"], body["got"]) == (1, 3)
    latch = armed_phone.core.ledger.latch
    assert (latch.abort_id, latch.by) == (abort.digest, "phone")
    event = armed_phone.said_of(act.Aborted)[0]
    assert (event.abort_id, event.expected, event.got, event.by) == (abort.digest, 1, 3, "phone")


def test_while_latched_every_command_is_answered_by_the_abort(armed_phone):
    """No shutter, no record, no decision; PING alone is still answered."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    records = len(armed_phone.journal)
    for send in (
        lambda: armed_phone.capture(1),
        armed_phone.arm,
        lambda: armed_phone.tell(Datagram(M.FINISH, subset=1, index=4)),
    ):
        armed_phone.take()
        send()
        assert [d.digest for d in armed_phone.messages(M.ABORT)] == [abort_id]
        assert armed_phone.said_of(act.TriggerCamera) == []
    armed_phone.tell(Datagram(M.PING))
    assert len(armed_phone.messages(M.PONG)) == 1
    assert len(armed_phone.journal) == records


def test_an_abort_of_the_phone_is_repeated_until_it_is_acknowledged(armed_phone):
    armed_phone.capture(3)
    armed_phone.take()
    armed_phone.advance(2.0)
    repeated = armed_phone.messages(M.ABORT)
    assert len(repeated) >= 2
    armed_phone.tell(Datagram(M.ABORT_ACK, ack_pn=repeated[-1].pn, digest=repeated[-1].digest))
    armed_phone.take()
    armed_phone.advance(2.0)
    assert armed_phone.messages(M.ABORT) == []


def test_the_receiver_adopts_the_sender_s_id(armed_phone):
    """It acknowledges, latches that id, and sends no abort of its own."""
    armed_phone.take()
    armed_phone.tell(_abort())
    latch = armed_phone.core.ledger.latch
    assert (latch.abort_id, latch.by, latch.code) == (ABORT_ID, "display", Code.OPERATOR)
    assert (latch.expected, latch.got, latch.why) == (2, 3, "the operator aborted")
    armed_phone.advance(3.0)
    assert [d.digest for d in armed_phone.messages(M.ABORT_ACK)] == [ABORT_ID]
    assert armed_phone.messages(M.ABORT) == []


def test_an_id_that_is_latched_is_not_replaced(armed_phone):
    """The receiver of an ABORT adopts the sender's id unless it is latched already."""
    armed_phone.capture(3)
    mine = armed_phone.core.ledger.latch
    armed_phone.take()
    armed_phone.tell(_abort())
    assert armed_phone.core.ledger.latch == mine
    assert [d.digest for d in armed_phone.messages(M.ABORT_ACK)] == [ABORT_ID]


@pytest.mark.parametrize("body", [{"why": None}, {"expected": "x", "got": None}, {"why": ""}])
def test_an_abort_without_particulars_is_an_abort(armed_phone, body: dict[str, object]):
    armed_phone.tell(_abort(**body))
    latch = armed_phone.core.ledger.latch
    assert latch.abort_id == ABORT_ID
    assert latch.why


def test_an_unknown_abort_code_is_an_abort(armed_phone):
    """Unknown >= 64: treat as abort."""
    armed_phone.tell(Datagram(M.ABORT, code=250, digest=ABORT_ID, payload=canonical({})))
    assert armed_phone.core.ledger.latch.code == 250
    assert armed_phone.core.ledger.latch.why == "ABORT_250"


def test_an_abort_voids_the_open_exposure_and_stops_the_camera(armed_phone):
    armed_phone.capture(1)
    armed_phone.take()
    armed_phone.tell(_abort())
    assert armed_phone.kinds()[-2:] == ["VOID", "ABORT"]
    ticket = armed_phone.said_of(act.KillCamera)[0].ticket
    armed_phone.feed(armed_phone.core.camera_result(ticket, armed_phone.photo(), 0.0))
    assert len(armed_phone.said_of(act.Quarantine)) == 1
    assert armed_phone.said_of(act.StorePhoto) == []


def test_an_abort_keeps_the_photo_in_doubt_for_the_decider(armed_phone):
    """A stored photo is neither void nor committed: the display may have decided it."""
    sha = armed_phone.expose(1)
    armed_phone.tell(_abort())
    assert armed_phone.core.ledger.current.doubtful.sha256 == sha
    assert armed_phone.said_of(act.Quarantine) == []


def test_a_photo_that_is_being_stored_when_the_abort_comes_is_put_aside(armed_phone):
    armed_phone.capture(1)
    ticket = armed_phone.said_of(act.TriggerCamera)[0].ticket
    armed_phone.feed(armed_phone.core.camera_result(ticket, armed_phone.photo(), 0.0))
    final = armed_phone.said_of(act.StorePhoto)[0].final
    armed_phone.tell(_abort())
    armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    assert armed_phone.said_of(act.Quarantine) == [act.Quarantine(final)]
    assert "STORED" not in armed_phone.kinds()


def test_the_latch_survives_a_restart(armed_phone):
    """The new life says so at once, and refuses to be armed without its id."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    after = armed_phone.restart()
    assert after.said_of(act.Aborted)[0].abort_id == abort_id
    assert parse_payload(after.messages(M.KNOCK)[0].payload)["aborted"] is True
    after.hello()
    assert after.ready["aborted_id"] == abort_id.hex()
    assert after.ready["aborted_code"] == Code.INDEX_MISMATCH
    assert (after.ready["aborted_expected"], after.ready["aborted_got"]) == (1, 3)
    after.arm()
    assert after.messages(M.ABORT)[0].digest == abort_id
    assert after.core.ledger.latch is not None


@pytest.mark.parametrize("why", ["\U0001f4f7" * 400, '"\\\n' * 400, "\u4f60" * 400, "x" * 2000])
def test_a_reason_of_any_length_and_script_fits_a_datagram(armed_phone, why: str):
    """The words of a person are cut by bytes, not by characters; READY fits at its longest."""
    for attempt in (65533, 65534):
        armed_phone.capture(1, attempt)
        ticket = armed_phone.said_of(act.TriggerCamera)[-1].ticket
        late = (1 << 63) - 1
        photo = act.Photo(bytes(32), 1 << 31, 99_999, 99_999, late, late)
        armed_phone.feed(armed_phone.core.camera_result(ticket, photo, 0.0))
        armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    armed_phone.feed(armed_phone.core.environment(1 << 60, 100, False, 4444.4, 0.0))
    armed_phone.core._abort(Code.OPERATOR, why, 2**32 - 1, 2**32 - 1)
    armed_phone.feed(armed_phone.core._flush())
    abort = armed_phone.messages(M.ABORT)[0]
    assert printable(why).startswith(parse_payload(abort.payload)["why"])
    armed_phone.hello()
    assert printable(why).startswith(armed_phone.ready["aborted_why"])
    assert armed_phone.ready["in_doubt_attempt"] == 65534
    assert len(canonical(armed_phone.ready)) <= 1126
