"""Aborts between both real cores: one id, no shutter, no record, until a person re-arms."""

from __future__ import annotations

from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.display import Phase

M = MessageType


# -- aborts ----------------------------------------------------------------------------------------


def _inject(rig: Any, **fields: object) -> None:
    """A defective display: CAPTURE of something that is not next, under the right key."""
    core = rig.display
    template = core._request.template
    values = {n: getattr(template, n) for n in ("subset", "token", "chain", "digest", "payload")}
    core._send(core._connection, Datagram(M.CAPTURE, **{**values, "attempt": 1, **fields}), rig.now)
    rig._run("display", core._flush())


@pytest.mark.parametrize("index", [3, 4, 9, 0])
def test_an_index_that_is_not_the_next_stops_both_sides(rig, index: int):
    """Both latch one id; nothing more is shot or written until a person re-arms with that id."""
    rig.until(rig.asking)
    _inject(rig, index=index)
    rig.until(lambda: rig.display.phase is Phase.ABORTED)
    rig.run_until(lambda: False, limit=5.0)
    latch = rig.display.ledger.latch
    assert rig.phone.ledger.latch.abort_id == latch.abort_id
    assert (latch.code, latch.got) == (Code.INDEX_MISMATCH, index)
    assert [e.by for e in rig.said(act.Aborted)] == ["phone", "phone"]
    shutters, disks = rig.audit.shutters, (bytes(rig.phone_disk), bytes(rig.display_disk))
    rig.run_until(lambda: False, limit=300.0)
    assert rig.audit.shutters == shutters
    assert (bytes(rig.phone_disk), bytes(rig.display_disk)) == disks
    assert rig.on_screen is None
    with pytest.raises(act.LocalProtocolError):
        rig.operator("rearm", b"wrong-id")
    rig.operator("rearm", latch.abort_id)
    rig.finish()
    rig.audit_all()


@pytest.mark.parametrize("crashed", ["display", "phone", "both"])
def test_an_abort_survives_a_restart_of_either_side(rig, crashed: str):
    rig.until(rig.asking)
    _inject(rig, index=4)
    rig.until(lambda: rig.display.phase is Phase.ABORTED)
    rig.run_until(lambda: False, limit=1.0)
    abort_id = rig.display.ledger.latch.abort_id
    for who in ("display", "phone"):
        if crashed in (who, "both"):
            rig.crash_and_boot(who)
    rig.run_until(lambda: False, limit=30.0)
    shutters = rig.audit.shutters
    assert rig.display.ledger.latch.abort_id == abort_id
    assert rig.phone.ledger.latch.abort_id == abort_id
    rig.operator("rearm", abort_id)
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters > shutters


def test_an_operator_s_abort_reaches_the_phone_with_the_same_id(rig):
    rig.until(rig.asking)
    rig.operator("abort")
    rig.until(lambda: rig.phone.ledger.latch is not None)
    latch = rig.phone.ledger.latch
    assert (latch.abort_id, latch.by) == (rig.display.ledger.latch.abort_id, "display")
    rig.run_until(lambda: False, limit=2.0)
    assert len(rig.sent("phone", M.ABORT)) == 0
    rig.operator("rearm", latch.abort_id)
    rig.finish()
    rig.audit_all()


def test_aborts_of_both_sides_at_once_end_with_the_phone_s_id(rig):
    """Each is latched already, so neither adopts; the re-arm finds out and asks once more."""
    rig.until(rig.asking)
    rig.phone._abort(Code.INDEX_MISMATCH, "test", 1, 2)
    rig._run("phone", rig.phone._flush())
    rig.operator("abort")
    rig.run_until(lambda: False, limit=2.0)
    mine, theirs = rig.display.ledger.latch.abort_id, rig.phone.ledger.latch.abort_id
    assert mine != theirs
    rig.operator("rearm", mine)
    rig.until(lambda: rig.display.ledger.latch.abort_id == theirs)
    rig.operator("rearm", theirs)
    rig.finish()
    rig.audit_all()


def test_a_late_copy_of_the_cleared_abort_does_not_latch_again(rig):
    """No endless abort and re-arm."""
    rig.until(rig.asking)
    _inject(rig, index=4)
    rig.until(lambda: rig.display.phase is Phase.ABORTED)
    copies = [data for who, data in rig.recorded if who == "phone"]
    rig.operator("rearm", rig.display.ledger.latch.abort_id)
    for n, data in enumerate(copies):
        rig.schedule(0.01 * n, lambda d=data: rig._arrive("display", d, rig.phone_addr))
    rig.finish()
    rig.audit_all()
    assert len(rig.said(act.Aborted, "display")) == 1
