"""What the phone durably knows, folded from its journal."""

from __future__ import annotations

import pytest

from rig.protocol.chain import chain_next, chain_start
from rig.protocol.journal import JournalCorrupt
from rig.protocol.ledger import PhoneLedger, ShotState

CAMPAIGN, MANIFEST = b"c" * 8, b"m" * 32
RUN = {
    "k": "RUN", "camp": CAMPAIGN.hex(), "sub": 1, "first": 5, "last": 7, "man": MANIFEST.hex(),
    "env": "e01", "ses": "s0",
}  # fmt: skip
ARM = {"k": "ARM", "camp": CAMPAIGN.hex(), "sub": 1}
ABORT = {"k": "ABORT", "id": "ab" * 8, "code": 64, "why": "w", "exp": 1, "got": None, "by": "phone"}


def intent(i: int, a: int = 1) -> dict[str, object]:
    return {"k": "INTENT", "i": i, "a": a, "tok": "01" * 8, "meta": "02" * 32}


def stored(i: int, a: int = 1) -> dict[str, object]:
    return {
        "k": "STORED", "i": i, "a": a, "sha": "03" * 32, "size": 9, "name": f"{i}.{a}.jpg",
        "w": 4, "h": 3, "t0": 1, "t1": 2,
    }  # fmt: skip


def commit(i: int, a: int = 1) -> dict[str, object]:
    return {"k": "COMMIT", "i": i, "a": a}


def void(i: int, a: int = 1) -> dict[str, object]:
    return {"k": "VOID", "camp": CAMPAIGN.hex(), "sub": 1, "i": i, "a": a, "code": 5, "why": "w"}


def fail(i: int, a: int = 1, code: int = 16) -> dict[str, object]:
    return {"k": "FAIL", "i": i, "a": a, "code": code, "tok": "01" * 8, "meta": "02" * 32}


def fold(*records: dict[str, object]) -> PhoneLedger:
    return PhoneLedger([RUN, ARM, *records])


def test_an_empty_journal_knows_nothing():
    ledger = PhoneLedger()
    assert (ledger.runs, ledger.current, ledger.latch) == ({}, None, None)
    assert ledger.run(CAMPAIGN, 1) is None


def test_a_run_begins_with_its_first_index_and_chain():
    run = fold().current
    assert run is not None
    assert run.chain == chain_start(CAMPAIGN, 1, 5, MANIFEST)
    assert (run.expected, run.committed, run.last_attempt, run.in_doubt) == (5, 0, 0, None)


def test_intent_stored_commit_moves_the_run_on():
    """INTENT(i,a) -> STORED(i,a,sha) -> COMMITTED(i,a,sha)."""
    ledger = fold(intent(5))
    run = ledger.current
    assert run.shots[5, 1].state is ShotState.INTENT
    assert run.open == (5, 1)
    ledger.apply(stored(5))
    assert run.shots[5, 1].state is ShotState.STORED
    assert (run.open, run.in_doubt, run.doubtful.sha256) == (None, (5, 1), b"\3" * 32)
    after = run.chain_after(run.doubtful)
    ledger.apply(commit(5))
    assert run.shots[5, 1].state is ShotState.COMMITTED
    assert (run.expected, run.last_attempt, run.doubtful) == (6, 0, None)
    assert run.chain == after
    assert after == chain_next(chain_start(CAMPAIGN, 1, 5, MANIFEST), 5, 1, b"\3" * 32, b"\2" * 32)


def test_committed_photos_come_by_index():
    ledger = fold(intent(5), stored(5), commit(5), intent(6), void(6), intent(6, 2), stored(6, 2))
    ledger.apply(commit(6, 2))
    assert [(s.index, s.attempt) for s in ledger.current.committed_shots()] == [(5, 1), (6, 2)]


@pytest.mark.parametrize(("end", "state"), [(void(5), ShotState.VOID), (fail(5), ShotState.FAILED)])
def test_an_ended_exposure_is_closed_and_its_number_spent(end, state: ShotState):
    run = fold(intent(5), end).current
    assert run.shots[5, 1].state is state
    assert (run.open, run.last_attempt) == (None, 1)


def test_a_stored_photo_can_be_voided():
    run = fold(intent(5), stored(5), void(5)).current
    assert (run.in_doubt, run.last_attempt, run.expected) == (None, 1, 5)


def test_an_exposure_refused_before_its_intent_is_known_all_the_same():
    """Disk or battery: the answer must be repeatable."""
    run = fold(fail(5, 1, code=32)).current
    shot = run.shots[5, 1]
    assert (shot.state, shot.code, shot.token) == (ShotState.FAILED, 32, b"\1" * 8)
    assert run.last_attempt == 1


def test_a_void_may_name_a_run_that_is_not_the_current_one():
    other = {**RUN, "sub": 2}
    ledger = fold(intent(5), other, {**ARM, "sub": 2}, void(5))
    assert ledger.run(CAMPAIGN, 1).shots[5, 1].state is ShotState.VOID
    assert ledger.current.subset == 2


def test_an_abort_is_latched_until_its_own_id_clears_it():
    ledger = fold(ABORT)
    assert (ledger.latch.abort_id, ledger.latch.expected, ledger.latch.got) == (
        b"\xab" * 8,
        1,
        None,
    )
    with pytest.raises(JournalCorrupt):
        ledger.apply({"k": "CLEAR", "id": "cd" * 8})
    assert ledger.latch is not None
    ledger.apply({"k": "CLEAR", "id": "ab" * 8})
    assert ledger.latch is None


def test_a_subset_is_finished_with_its_own_count():
    ledger = fold()
    ledger.apply({"k": "FINISH", "count": 0})
    assert ledger.current.finished
    with pytest.raises(JournalCorrupt):
        fold().apply({"k": "FINISH", "count": 3})


def test_a_boot_changes_nothing():
    assert fold({"k": "BOOT", "boot": "00"}).current.expected == 5


@pytest.mark.parametrize(
    "records",
    [
        [{"k": "NEWER"}],
        [{}],
        [ARM],
        [RUN, intent(5)],
        [RUN, ARM, stored(5)],
        [RUN, ARM, intent(5), stored(5, 2)],
        [RUN, ARM, commit(5)],
        [RUN, ARM, intent(5), commit(5)],
        [RUN, ARM, intent(6), stored(6), commit(6)],
        [RUN, ARM, intent(5), stored(5), commit(5, 2)],
        [RUN, ARM, void(5)],
        [RUN, ARM, {**intent(5), "tok": "zz"}],
        [RUN, ARM, {**intent(5), "i": "5"}],
        [RUN, ARM, intent(5), {**stored(5), "size": None}],
        [{**RUN, "man": "xyz"}],
        [{"k": "CLEAR", "id": "ab" * 8}],
        [{"k": "ABORT"}],
        [{"k": "FINISH", "count": 0}],
        [RUN, {**ARM, "sub": 9}],
    ],
)
def test_a_record_that_cannot_follow_is_corruption(records):
    """A journal that contradicts itself is never folded into something else."""
    with pytest.raises(JournalCorrupt):
        PhoneLedger(records)
