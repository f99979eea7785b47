"""What the display durably knows of a subset."""

from __future__ import annotations

import hashlib

import pytest

from rig.protocol.chain import chain_next
from rig.protocol.datagram import BadDatagram
from rig.protocol.display_ledger import DisplayLedger, Done, done_record
from rig.protocol.journal import JournalCorrupt
from rig.protocol.names import decode_name
from rig.simulation.virtual import subset_of

SUBSET = subset_of(3, first=11)
RUN = {
    "k": "RUN", "camp": SUBSET.campaign.hex(), "sub": 1, "first": 11, "last": 13,
    "man": SUBSET.manifest.hex(), "ses": "s0",
}  # fmt: skip
RESULT = {"sha256": "0a" * 32, "size": 9, "w": 4, "h": 3, "t_trigger": "1", "t_done": "2"}


def done(index: int, attempt: int = 1):
    return done_record(SUBSET, index, attempt, RESULT)


def test_a_subset_knows_its_count_and_metadata():
    assert SUBSET.count == 3
    assert SUBSET.meta(12) == SUBSET.metadata[1]


def test_an_empty_journal_begins_at_the_first_index():
    ledger = DisplayLedger(SUBSET)
    assert (ledger.next_index, ledger.chain) == (11, SUBSET.chain_start())
    assert (ledger.begun, ledger.complete, ledger.latch) == (False, False, None)


def test_a_decision_moves_on_by_one_and_extends_the_chain():
    ledger = DisplayLedger(SUBSET, [RUN, done(11, 2)])
    meta = hashlib.sha256(SUBSET.meta(11)).digest()
    assert ledger.next_index == 12
    assert ledger.done == [Done(11, 2, b"\n" * 32)]
    assert ledger.chain_before_last == SUBSET.chain_start()
    assert ledger.chain == chain_next(SUBSET.chain_start(), 11, 2, b"\n" * 32, meta)


def test_a_decision_is_named_as_the_phone_names_the_photo():
    """DONE holds the name, so that the display can tell which file it decided for."""
    label = decode_name(str(done(12, 3)["name"]))
    assert (label.index, label.attempt, label.env) == (12, 3, "e01-dark")
    assert label.photo16 == "0a" * 8
    assert label.meta16 == hashlib.sha256(SUBSET.meta(12)).hexdigest()[:16]


@pytest.mark.parametrize("missing", ["size", "w", "h"])
def test_a_result_without_its_numbers_is_refused(missing: str):
    with pytest.raises(BadDatagram):
        done_record(SUBSET, 11, 1, {k: v for k, v in RESULT.items() if k != missing})


def test_abort_and_clear_latch_and_release():
    abort = {"k": "ABORT", "id": "ab" * 8, "code": 72, "why": "w", "exp": 2, "got": None}
    ledger = DisplayLedger(SUBSET, [RUN, {**abort, "by": "display"}])
    assert ledger.latch is not None
    assert (ledger.latch.code, ledger.latch.expected, ledger.latch.got) == (72, 2, None)
    ledger.apply({"k": "CLEAR", "id": "ab" * 8})
    assert ledger.latch is None


def test_arm_and_complete_are_noted():
    ledger = DisplayLedger(SUBSET, [RUN, {"k": "ARM", "boot": ""}, {"k": "COMPLETE"}])
    assert ledger.begun
    assert ledger.complete


def test_a_journal_of_another_plan_is_refused():
    for other in ({"sub": 2}, {"man": "00" * 32}, {"camp": "00" * 8}):
        with pytest.raises(JournalCorrupt, match="another plan"):
            DisplayLedger(SUBSET, [{**RUN, **other}])


@pytest.mark.parametrize(
    "records",
    [
        [{}],
        [{"k": "NEWER"}],
        [RUN, done(12)],
        [RUN, done(11), done(11, 2)],
        [RUN, done(11), done(12), done(13), {**done(13), "i": 14}],
        [RUN, {**done(11), "sha": "zz"}],
        [RUN, {"k": "ABORT", "id": "ab"}],
        [{"k": "RUN"}],
    ],
)
def test_a_record_that_cannot_follow_is_corruption(records):
    with pytest.raises(JournalCorrupt):
        DisplayLedger(SUBSET, records)
