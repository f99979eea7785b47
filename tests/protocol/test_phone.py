"""Exposures on the phone: INTENT, shutter, STORED, COMMIT."""

from __future__ import annotations

import json

import pytest

from rig.protocol import actions as act
from rig.protocol.chain import chain_next
from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.protocol.ledger import PhoneLedger
from rig.protocol.names import decode_name

M = MessageType


def _ticket(bench) -> act.Ticket:
    return bench.said_of(act.TriggerCamera)[-1].ticket


def _shot(bench, result: act.Photo | act.CameraFailure | None = None) -> act.Ticket:
    """The camera call that is under way ends with *result*."""
    ticket = _ticket(bench)
    bench.feed(bench.core.camera_result(ticket, result or bench.photo(), bench.now))
    return ticket


# -- the order of things ---------------------------------------------------------------------------


def test_no_shutter_and_no_accepted_before_the_intent_is_durable(armed_phone):
    """Verify -> INTENT, fdatasync -> ACCEPTED -> shutter."""
    armed_phone.take()
    armed_phone.hold = True
    armed_phone.capture(1)
    assert [r["k"] for r in armed_phone.pending.records] == ["INTENT"]
    assert armed_phone.messages() == []
    assert armed_phone.said_of(act.TriggerCamera) == []
    armed_phone.take()
    armed_phone.durable()
    said = [type(o).__name__ for o in armed_phone.said]
    assert said == ["Datagram", "Accepted", "TriggerCamera"]
    accepted = armed_phone.messages(M.ACCEPTED)[0]
    assert (accepted.index, accepted.attempt, accepted.code) == (1, 1, Code.EXPOSING)


def test_captured_is_told_only_once_stored_is_durable(armed_phone):
    """File durable -> STORED, fdatasync -> CAPTURED."""
    armed_phone.capture(1)
    ticket = _shot(armed_phone)
    armed_phone.take()
    armed_phone.hold = True
    armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    assert [r["k"] for r in armed_phone.pending.records] == ["STORED"]
    assert armed_phone.messages() == []
    armed_phone.durable()
    captured = armed_phone.messages(M.CAPTURED)[0]
    body = parse_payload(captured.payload)
    assert captured.flags == Flag.CON
    assert captured.token == bytes([1] * 8)
    assert bytes.fromhex(body["sha256"])[:8] == captured.digest
    assert (body["size"], body["w"], body["h"]) == (1000, 4, 3)
    assert (body["t_trigger"], body["t_done"]) == ("1", "2")
    stored = armed_phone.said_of(act.PhotoStored)[0]
    assert stored.name == body["name"]


def test_the_photo_is_stored_under_its_label_with_its_metadata_beside_it(armed_phone):
    armed_phone.capture(1)
    trigger = armed_phone.said_of(act.TriggerCamera)[0]
    boot = armed_phone.core.boot_id
    assert trigger.staging == f"1.1.{boot.hex()}.part"
    assert trigger.ticket == act.Ticket(1, 1, 1, boot)
    photo = armed_phone.photo()
    armed_phone.feed(armed_phone.core.camera_result(trigger.ticket, photo, 0.0))
    store = armed_phone.said_of(act.StorePhoto)[0]
    label = decode_name(store.final)
    meta = json.loads(armed_phone.subset.meta(1))
    assert (label.campaign, label.subset, label.index, label.attempt) == (
        "0001020304050607",
        1,
        1,
        1,
    )
    assert (label.env, label.key) == (meta["env"], meta["key"])
    assert label.photo16 == photo.sha256.hex()[:16]
    assert store.sidecar == armed_phone.subset.meta(1)
    assert store.staging == trigger.staging


def test_the_next_capture_commits_the_photo_before_it(armed_phone):
    """CAPTURE(i+1, prev=chain) => COMMIT(i,a), in one write with the next INTENT."""
    sha = armed_phone.expose(1)
    armed_phone.decide(1)
    armed_phone.take()
    armed_phone.hold = True
    armed_phone.capture(2)
    assert [r["k"] for r in armed_phone.pending.records] == ["COMMIT", "INTENT"]
    assert armed_phone.said_of(act.Committed) == []
    armed_phone.durable()
    assert [(c.index, c.sha256) for c in armed_phone.said_of(act.Committed)] == [(1, sha)]
    assert armed_phone.core.ledger.current.chain == armed_phone.chain


def test_a_supersede_voids_the_photo_and_puts_it_aside(armed_phone):
    """CAPTURE(i, a'>a) => VOID(i,a), file to quarantine, retake."""
    armed_phone.expose(1)
    name = armed_phone.core.ledger.current.doubtful.name
    armed_phone.take()
    armed_phone.hold = True
    armed_phone.capture(1, 2)
    assert [r["k"] for r in armed_phone.pending.records] == ["VOID", "INTENT"]
    assert armed_phone.said_of(act.Quarantine) == []
    armed_phone.durable()
    assert armed_phone.said_of(act.Quarantine) == [act.Quarantine(name)]
    assert len(armed_phone.said_of(act.TriggerCamera)) == 1


# -- duplicates ------------------------------------------------------------------------------------


def test_a_duplicated_datagram_is_dropped(armed_phone):
    """The same bytes again: below the window's edge or inside it, they do not exist."""
    data = armed_phone.capture(1)
    armed_phone.take()
    armed_phone.raw(data)
    assert armed_phone.take() == []


def test_a_retransmitted_capture_never_exposes_twice(armed_phone):
    """INTENT -> ACCEPTED; writing -> ACCEPTED; STORED and COMMITTED -> CAPTURED again."""
    armed_phone.capture(1)
    armed_phone.capture(1)
    ticket = _shot(armed_phone)
    armed_phone.capture(1)
    armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    armed_phone.capture(1)
    codes = [d.code for d in armed_phone.messages(M.ACCEPTED)]
    assert codes == [Code.EXPOSING, Code.EXPOSING, Code.WRITING]
    assert len(armed_phone.messages(M.CAPTURED)) == 2
    assert len(armed_phone.said_of(act.TriggerCamera)) == 1
    assert armed_phone.kinds().count("INTENT") == 1


def test_a_committed_photo_is_told_again(armed_phone):
    """A late poll for i after i+1 began is answered with the stored answer."""
    armed_phone.expose(1)
    old = armed_phone.chain
    armed_phone.decide(1)
    armed_phone.expose(2)
    armed_phone.take()
    armed_phone.capture(1, chain=old)
    again = armed_phone.messages(M.CAPTURED)[0]
    assert (again.index, again.attempt) == (1, 1)
    assert armed_phone.core.ledger.latch is None


def test_a_failed_exposure_is_told_again(armed_phone):
    armed_phone.capture(1)
    _shot(armed_phone, act.CameraFailure(Code.CAMERA_EMPTY, "0 bytes"))
    armed_phone.take()
    armed_phone.capture(1)
    assert [d.code for d in armed_phone.messages(M.FAILED)] == [Code.CAMERA_EMPTY]
    assert armed_phone.said_of(act.TriggerCamera) == []


def test_captured_is_repeated_until_it_is_acknowledged(armed_phone):
    """P retransmits CAPTURED by RTO until ACK; every transmission has a number of its own."""
    armed_phone.expose(1)
    armed_phone.advance(3.0)
    told = armed_phone.messages(M.CAPTURED)
    assert len(told) >= 3
    assert len({d.pn for d in told}) == len(told)
    armed_phone.tell(Datagram(M.ACK, ack_pn=1))
    armed_phone.take()
    armed_phone.advance(3.1)
    assert len(armed_phone.messages(M.CAPTURED)) >= 1
    armed_phone.tell(Datagram(M.ACK, ack_pn=told[0].pn))
    armed_phone.take()
    armed_phone.advance(10.0)
    assert armed_phone.messages(M.CAPTURED) == []


def test_an_older_attempt_is_stale_and_changes_nothing(armed_phone):
    armed_phone.capture(1, 3)
    before = list(armed_phone.journal)
    armed_phone.take()
    armed_phone.capture(1, 2)
    assert [d.code for d in armed_phone.messages(M.FAILED)] == [Code.STALE]
    assert armed_phone.journal == before


# -- contradictions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"index": 2}, Code.INDEX_MISMATCH),
        ({"index": 0}, Code.INDEX_MISMATCH),
        ({"index": 1, "chain": b"elsewise"}, Code.CHAIN_MISMATCH),
        ({"index": 1, "subset": 2}, Code.INDEX_MISMATCH),
        ({"index": 1, "digest": b"elsewise"}, Code.PROTOCOL),
        ({"index": 1, "meta": b"not json"}, Code.PROTOCOL),
    ],
)
def test_a_contradiction_aborts_and_nothing_is_shot_or_written_any_more(armed_phone, fields, code):
    """Not the next index, another history, another subset, nonsense: both stop, for good."""
    armed_phone.take()
    armed_phone.capture(fields.pop("index"), **fields)
    assert armed_phone.messages(M.ABORT)[0].code == code
    armed_phone.capture(1)
    armed_phone.advance(5.0)
    assert armed_phone.said_of(act.TriggerCamera) == []
    assert "INTENT" not in armed_phone.kinds()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"token": b"another."}, Code.TOKEN_MISMATCH),
        ({"meta": canonical({"env": "e", "key": "k"})}, Code.META_CONFLICT),
    ],
)
def test_the_same_number_with_another_content_aborts(armed_phone, fields, code):
    armed_phone.expose(1)
    armed_phone.capture(1, **fields)
    assert armed_phone.messages(M.ABORT)[0].code == code
    assert armed_phone.core.ledger.current.doubtful is not None


# -- the end ---------------------------------------------------------------------------------------


def _all(bench) -> None:
    for index in range(1, 5):
        bench.expose(index)
        bench.decide(index)


def _finish(bench, **fields: object) -> None:
    values = {"subset": 1, "index": 4, "chain": bench.chain[:8], **fields}
    bench.tell(Datagram(M.FINISH, **values))


def test_finish_commits_the_last_photo_and_is_answered_with_the_full_chain(armed_phone):
    """FINISH(prev=chain) => COMMIT; FINISHED with count and chain once that is durable."""
    _all(armed_phone)
    armed_phone.take()
    armed_phone.hold = True
    _finish(armed_phone)
    assert [r["k"] for r in armed_phone.pending.records] == ["COMMIT", "FINISH"]
    assert armed_phone.messages() == []
    armed_phone.durable()
    finished = parse_payload(armed_phone.messages(M.FINISHED)[0].payload)
    assert finished == {"count": 4, "chain": armed_phone.chain.hex()}
    assert [c.index for c in armed_phone.said_of(act.Committed)] == [4]
    assert armed_phone.said_of(act.Completed) == [act.Completed(4, armed_phone.chain)]


def test_finish_is_answered_as_often_as_it_is_asked(armed_phone):
    """Dallying: P keeps answering FINISH, also after a restart, and journals it once."""
    _all(armed_phone)
    for _ in range(3):
        _finish(armed_phone)
    assert len(armed_phone.messages(M.FINISHED)) == 3
    assert armed_phone.kinds().count("FINISH") == 1
    after = armed_phone.restart()
    after.hello()
    after.arm(index=5)
    _finish(after)
    assert len(after.messages(M.FINISHED)) == 1
    assert after.kinds().count("FINISH") == 1
    assert after.said_of(act.Completed) == []


def test_finish_after_the_commit_was_told_by_arm(armed_phone):
    """The last photo may be committed by ARM; FINISH then only ends the run."""
    _all(armed_phone)
    armed_phone.hello()
    armed_phone.arm("commit")
    armed_phone.take()
    _finish(armed_phone)
    assert armed_phone.kinds()[-1] == "FINISH"
    assert len(armed_phone.messages(M.FINISHED)) == 1


def test_finish_too_early_aborts(armed_phone):
    armed_phone.expose(1)
    _finish(armed_phone)
    assert armed_phone.messages(M.ABORT)[0].code == Code.INDEX_MISMATCH
    assert armed_phone.core.ledger.current.doubtful is not None


def test_finish_with_another_history_aborts(armed_phone):
    _all(armed_phone)
    _finish(armed_phone, chain=b"elsewise")
    assert armed_phone.messages(M.ABORT)[0].code == Code.CHAIN_MISMATCH
    assert armed_phone.core.ledger.current.in_doubt == (4, 1)


def test_finish_of_a_finished_subset_with_another_history_aborts(armed_phone):
    """All is committed, yet the display believes in other photos: neither is put right."""
    _all(armed_phone)
    _finish(armed_phone)
    _finish(armed_phone, chain=b"elsewise")
    assert armed_phone.messages(M.ABORT)[0].code == Code.CHAIN_MISMATCH
    assert armed_phone.kinds().count("FINISH") == 1


def test_finish_with_the_history_before_the_photo_in_doubt_aborts(armed_phone):
    """A display that forgot its last decision is no reason to end with a photo in doubt."""
    _all(armed_phone)
    before = armed_phone.core.ledger.current.chain
    _finish(armed_phone, chain=before[:8])
    assert armed_phone.messages(M.ABORT)[0].code == Code.CHAIN_MISMATCH
    assert "FINISH" not in armed_phone.kinds()


def test_both_sides_compute_the_same_chain(armed_phone):
    """C_n over index, attempt, photo and metadata, from C_0 of the subset."""
    _all(armed_phone)
    _finish(armed_phone)
    run = armed_phone.core.ledger.current
    chain = armed_phone.subset.chain_start()
    for shot in run.committed_shots():
        chain = chain_next(chain, shot.index, shot.attempt, shot.sha256, shot.meta_sha)
    assert run.chain == chain == armed_phone.chain


def test_the_journal_folds_to_the_live_ledger(armed_phone):
    """There is one place where state changes: replaying the records gives the same."""
    armed_phone.expose(1)
    armed_phone.capture(1, 2)
    _shot(armed_phone, act.CameraFailure(16, "x"))
    armed_phone.expose(1, 3)
    armed_phone.decide(1, 3)
    armed_phone.expose(2)
    armed_phone.capture(9)
    replayed = PhoneLedger(armed_phone.journal)
    live = armed_phone.core.ledger
    assert replayed.runs == live.runs
    assert replayed.current == live.current
    assert replayed.latch == live.latch


def test_messages_that_mean_nothing_to_a_phone_change_nothing(armed_phone):
    """Types of the other direction, and BYE, are never a decision."""
    before = list(armed_phone.journal)
    armed_phone.take()
    for kind in (M.ACCEPTED, M.CAPTURED, M.FAILED, M.FINISHED, M.ARMED, M.PONG, M.BYE, M.META_PART):
        armed_phone.tell(Datagram(kind))
    assert armed_phone.take() == []
    assert armed_phone.journal == before
