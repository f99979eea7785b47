"""The ARM that makes a connection live, settles the photo in doubt, and clears an abort."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram

M = MessageType


# -- ARM -------------------------------------------------------------------------------------------


def test_armed_is_told_only_once_the_arm_is_durable(phone):
    phone.hello()
    phone.hold = True
    phone.take()
    phone.arm()
    assert phone.messages() == []
    phone.durable()
    assert phone.kinds()[-2:] == ["RUN", "ARM"]
    assert phone.said_of(act.Armed) == [act.Armed(1, 1, 4, "s0")]
    armed = phone.messages(M.ARMED)[0]
    assert armed.index == 1
    assert armed.chain == phone.chain[:8]


def test_a_repeated_arm_is_answered_and_not_journalled_again(phone):
    phone.connect()
    before = list(phone.journal)
    phone.take()
    phone.arm()
    assert len(phone.messages(M.ARMED)) == 1
    assert phone.journal == before


def test_a_candidate_does_nothing_but_arm(phone):
    """CAPTURE, FINISH and PING under a key that no ARM has confirmed are ignored."""
    phone.hello()
    phone.take()
    phone.capture(1)
    phone.tell(Datagram(M.FINISH, subset=1, index=4))
    phone.tell(Datagram(M.PING))
    assert phone.take() == []


def test_a_new_arm_ends_the_old_connection(armed_phone):
    """The live connection is replaced only by a valid ARM under the candidate's key."""
    old = armed_phone.conn
    armed_phone.hello()
    candidate, armed_phone.conn = armed_phone.conn, old
    armed_phone.take()
    armed_phone.tell(Datagram(M.PING))
    assert len(armed_phone.messages(M.PONG)) == 1
    armed_phone.conn = candidate
    armed_phone.arm()
    armed_phone.take()
    armed_phone.conn = old
    armed_phone.tell(Datagram(M.PING))
    assert armed_phone.take() == []


def test_older_candidates_die_when_one_is_armed(phone):
    phone.hello()
    older = phone.conn
    phone.hello()
    phone.arm()
    phone.conn = older
    phone.take()
    phone.arm()
    assert phone.take() == []


def test_arming_voids_an_exposure_that_is_still_open(armed_phone):
    """A new display knows nothing of it; the camera is told to stop."""
    armed_phone.capture(1)
    armed_phone.take()
    armed_phone.connect()
    assert len(armed_phone.said_of(act.KillCamera)) == 1
    assert armed_phone.kinds()[-2:] == ["VOID", "ARM"]
    assert armed_phone.core.ledger.current.open is None


def test_arm_commit_commits_the_photo_in_doubt(armed_phone):
    """ARM(view, resolution): COMMIT, and whoever uploads hears of it as of any other commit."""
    sha = armed_phone.expose(1)
    armed_phone.hello()
    armed_phone.decide(1)
    armed_phone.take()
    armed_phone.arm("commit")
    assert armed_phone.kinds()[-2:] == ["ARM", "COMMIT"]
    assert armed_phone.messages(M.ARMED)[0].index == 2
    committed = armed_phone.said_of(act.Committed)
    assert [(c.index, c.attempt, c.sha256) for c in committed] == [(1, 1, sha)]


def test_arm_void_voids_the_photo_in_doubt_and_puts_its_file_aside(armed_phone):
    armed_phone.expose(1)
    name = armed_phone.core.ledger.current.doubtful.name
    armed_phone.hello()
    armed_phone.hold = True
    armed_phone.take()
    armed_phone.arm("void")
    assert armed_phone.said_of(act.Quarantine) == []
    armed_phone.durable()
    assert armed_phone.kinds()[-2:] == ["ARM", "VOID"]
    assert armed_phone.said_of(act.Quarantine) == [act.Quarantine(name)]
    assert armed_phone.said_of(act.Committed) == []


@pytest.mark.parametrize("resolution", ["none", "maybe", ""])
def test_a_photo_in_doubt_is_never_left_undecided(armed_phone, resolution: str):
    """ARM must say commit or void; otherwise the phone says READY again."""
    armed_phone.expose(1)
    armed_phone.hello()
    armed_phone.take()
    before = list(armed_phone.journal)
    armed_phone.arm(resolution)
    assert [d.type for d in armed_phone.messages()] == [M.READY]
    assert armed_phone.journal == before


def test_an_arm_decided_on_an_old_view_is_answered_by_ready(armed_phone):
    """The phone's state moved on meanwhile: decide again."""
    armed_phone.capture(1)
    armed_phone.hello()
    candidate = armed_phone.conn
    ticket = armed_phone.said_of(act.TriggerCamera)[0].ticket
    armed_phone.feed(armed_phone.core.camera_result(ticket, armed_phone.photo(b"p" * 32), 0.0))
    armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    armed_phone.take()
    armed_phone.arm("none")
    assert [d.type for d in armed_phone.messages()] == [M.READY]
    assert armed_phone.conn is candidate
    assert armed_phone.ready["in_doubt_sha"] == (b"p" * 32).hex()
    armed_phone.arm("void")
    assert len(armed_phone.messages(M.ARMED)) == 1


def test_an_open_exposure_is_void_before_the_view_is_told_again(armed_phone):
    """VOID is durable before the READY that answers an ARM on an old view."""
    armed_phone.capture(1)
    armed_phone.hello()
    armed_phone.take()
    armed_phone.hold = True
    armed_phone.arm(view_committed=7)
    assert armed_phone.messages() == []
    armed_phone.durable()
    assert armed_phone.kinds()[-1] == "VOID"
    assert [d.type for d in armed_phone.messages()] == [M.READY]
    assert armed_phone.ready["last_attempt"] == 1


def test_another_list_of_x_rays_aborts(armed_phone):
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(manifest="11" * 32)
    assert armed_phone.messages(M.ABORT)[0].code == Code.MANIFEST_MISMATCH
    assert armed_phone.core.ledger.latch is not None


@pytest.mark.parametrize("bounds", [(1, 5), (2, 4), (1, 3)])
def test_other_bounds_of_a_subset_that_was_begun_abort(armed_phone, bounds: tuple[int, int]):
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(first=bounds[0], last=bounds[1], index=2)
    assert armed_phone.messages(M.ABORT)[0].code == Code.MANIFEST_MISMATCH


@pytest.mark.parametrize(
    "arm",
    [
        {"first": 3, "last": 2},
        {"index": 0},
        {"index": 6},
        {"first": "1"},
        {"last": None},
        {"manifest": "00"},
        {"campaign_id": "xyz"},
        {"view_committed": "no"},
        {"first": -1},
        {"last": 2**32},
    ],
)
def test_an_arm_that_makes_no_sense_aborts(phone, arm: dict[str, object]):
    """Authentic, yet not to be understood: one of the two programs is wrong."""
    phone.hello()
    phone.arm(**arm)
    assert phone.core.ledger.latch.code == Code.PROTOCOL
    assert "RUN" not in phone.kinds()


def test_another_history_aborts(armed_phone):
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(chain=b"elsewise")
    assert armed_phone.messages(M.ABORT)[0].code == Code.CHAIN_MISMATCH


@pytest.mark.parametrize("resolution", ["void", "commit"])
def test_another_history_decides_nothing_about_the_photo_in_doubt(armed_phone, resolution: str):
    """CHAIN_MISMATCH: the photo stays stored, in its place, for the decider."""
    armed_phone.expose(1)
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(resolution, chain=b"elsewise")
    assert armed_phone.core.ledger.latch.code == Code.CHAIN_MISMATCH
    assert armed_phone.core.ledger.current.doubtful is not None
    assert armed_phone.said_of(act.Quarantine) == []
    assert armed_phone.said_of(act.Committed) == []


# -- re-arming -------------------------------------------------------------------------------------


def test_rearming_takes_the_latched_id_and_a_new_handshake(armed_phone):
    """On the old connection the right id is ignored; after a new HELLO it clears the latch."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    armed_phone.take()
    armed_phone.arm(rearm=abort_id)
    assert armed_phone.messages(M.ARMED) == []
    assert armed_phone.core.ledger.latch is not None
    armed_phone.hello()
    armed_phone.arm(rearm=abort_id)
    assert armed_phone.kinds()[-2:] == ["ARM", "CLEAR"]
    assert armed_phone.said_of(act.Rearmed) == [act.Rearmed(abort_id)]
    armed_phone.expose(1)
    assert armed_phone.core.ledger.current.in_doubt == (1, 1)


@pytest.mark.parametrize("wrong", [b"", b"wrong-id", bytes(8)])
def test_another_id_does_not_clear_the_latch(armed_phone, wrong: bytes):
    """ABORT again: the operator must see that one."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(rearm=wrong)
    assert [d.digest for d in armed_phone.messages(M.ABORT)] == [abort_id]
    assert armed_phone.core.ledger.latch.abort_id == abort_id


def test_a_rearm_that_fails_leaves_a_new_latch(armed_phone):
    """The right id, yet another history: the old abort is cleared, a new one latched."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    armed_phone.hello()
    armed_phone.arm(rearm=abort_id, chain=b"elsewise")
    assert armed_phone.kinds()[-2:] == ["CLEAR", "ABORT"]
    assert armed_phone.core.ledger.latch.abort_id != abort_id
    assert armed_phone.restart().core.ledger.latch == armed_phone.core.ledger.latch
    other = armed_phone.core.ledger.latch.abort_id
    armed_phone.hello()
    armed_phone.arm(rearm=other, manifest="11" * 32)
    assert armed_phone.core.ledger.latch.code == Code.MANIFEST_MISMATCH
