"""The table of section 4, row by row: what the phone makes of a CAPTURE."""

from __future__ import annotations

import hashlib

import pytest

from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.ledger import PhoneLedger, Run
from rig.protocol.verdict import Contradiction, Expose, Repeat, Stale, Wait, judge_capture

META = hashlib.sha256(b"meta").digest()
FIRST, LAST = 5, 8
RUN = {
    "k": "RUN", "camp": "00" * 8, "sub": 1, "first": FIRST, "last": LAST, "man": "00" * 32,
    "env": "e", "ses": "s",
}  # fmt: skip
ARM = {"k": "ARM", "camp": "00" * 8, "sub": 1}
WRONG = b"wrongwro"


def token(i: int, a: int) -> bytes:
    return bytes([i % 256, a % 256] * 4)


def intent(i: int, a: int = 1) -> dict[str, object]:
    return {"k": "INTENT", "i": i, "a": a, "tok": token(i, a).hex(), "meta": META.hex()}


def stored(i: int, a: int = 1) -> list[dict[str, object]]:
    record = {"k": "STORED", "i": i, "a": a, "sha": bytes([i, a] * 16).hex(), "size": 1}
    return [intent(i, a), {**record, "name": "n", "w": 1, "h": 1, "t0": 1, "t1": 2}]


def committed(i: int, a: int = 1) -> list[dict[str, object]]:
    return [*stored(i, a), {"k": "COMMIT", "i": i, "a": a}]


def ended(kind: str, i: int, a: int = 1) -> dict[str, object]:
    return {**intent(i, a), "k": kind, "code": 16}


EMPTY: list[dict[str, object]] = []
OPEN = [intent(5)]
FAILED = [intent(5), ended("FAIL", 5)]
DOUBT = stored(5)
DOUBT_2 = stored(5, 2)
ONE = committed(5)
ONE_RETAKEN = [intent(5), ended("VOID", 5), *committed(5, 2)]
ONE_AND_DOUBT = [*committed(5), *stored(6)]
ALMOST = [*committed(5), *committed(6), *committed(7), *stored(8)]
ALL = [*committed(5), *committed(6), *committed(7), *committed(8)]


def run_of(records: list[dict[str, object]]) -> Run:
    run = PhoneLedger([RUN, ARM, *records]).current
    assert run is not None
    return run


def capture(i: int, a: int, chain: bytes, **fields: object) -> Datagram:
    values = {"token": token(i, a), "digest": META[:8], **fields}
    return Datagram(MessageType.CAPTURE, index=i, attempt=a, chain=chain[:8], **values)


def judge(records, i: int, a: int, *, chain: bytes | None = None, busy: bool = False, **fields):
    """The verdict on CAPTURE(i, a); the chain is the display's: after a photo that i passes."""
    run = run_of(records)
    doubtful = run.doubtful
    mine = run.chain
    if doubtful is not None and i > doubtful.index:
        mine = run.chain_after(doubtful)
    return judge_capture(run, capture(i, a, chain or mine, **fields), busy=busy)


@pytest.mark.parametrize(
    ("records", "key"),
    [(OPEN, (5, 1)), (FAILED, (5, 1)), (DOUBT, (5, 1)), (ONE, (5, 1)), (ONE_RETAKEN, (5, 1)),
     (ONE_RETAKEN, (5, 2)), (ALL, (8, 1))],
)  # fmt: skip
@pytest.mark.parametrize("busy", [False, True])
def test_a_known_exposure_is_answered_again(records, key, busy: bool):
    """(i,a) journalled, same digest and token: idempotent, whatever the camera does."""
    assert judge(records, *key, busy=busy) == Repeat(run_of(records).shots[key])


@pytest.mark.parametrize("records", [OPEN, FAILED, DOUBT, ONE])
def test_a_known_exposure_with_other_metadata_is_a_contradiction(records):
    """(i,a) journalled, other digest: ABORT META_CONFLICT."""
    assert judge(records, 5, 1, digest=WRONG).code is Code.META_CONFLICT


@pytest.mark.parametrize("records", [OPEN, DOUBT, ONE])
def test_a_known_exposure_with_another_token_is_a_contradiction(records):
    """The same number for another painting of the screen can only be a defect."""
    assert judge(records, 5, 1, token=WRONG).code is Code.TOKEN_MISMATCH


def test_a_number_that_came_to_nothing_in_an_earlier_life_is_merely_taken():
    """A display that died with CAPTURE in flight cannot know of it: STALE, and it counts on."""
    assert judge(FAILED, 5, 1, token=WRONG) == Stale()


def test_a_higher_attempt_at_the_photo_in_doubt_voids_it():
    """i == s.i, a > s.a, chain == C(i-1): VOID s, new capture."""
    assert judge(DOUBT, 5, 2) == Expose(void=run_of(DOUBT).doubtful)
    assert judge(DOUBT, 5, 9) == Expose(void=run_of(DOUBT).doubtful)


@pytest.mark.parametrize(
    ("records", "i"), [(DOUBT, 6), (ONE_AND_DOUBT, 7)], ids=["first", "second"]
)
def test_the_index_after_the_photo_in_doubt_commits_it(records, i: int):
    """i == s.i + 1, chain == C after s: COMMIT s, new capture."""
    assert judge(records, i, 1) == Expose(commit=run_of(records).doubtful)


@pytest.mark.parametrize(
    ("records", "i", "a"), [(EMPTY, 5, 1), (EMPTY, 5, 4), (FAILED, 5, 2), (ONE, 6, 1)]
)
def test_the_expected_index_with_a_new_attempt_is_exposed(records, i: int, a: int):
    """No s, i == e, a > last, no open INTENT, chain == C(i-1): new capture."""
    assert judge(records, i, a) == Expose()


@pytest.mark.parametrize(
    ("records", "i", "a"),
    [
        (EMPTY, 5, 0),  # i == e, a <= last
        ([intent(5, 3), ended("FAIL", 5, 3)], 5, 2),  # i == e, a <= last, unknown
        ([intent(5, 3)], 5, 2),  # likewise while 3 is open
        (DOUBT_2, 5, 1),  # older attempt of the photo in doubt
        (committed(5, 2), 5, 1),  # older attempt of a committed index
    ],
)
@pytest.mark.parametrize("busy", [False, True])
def test_an_older_attempt_is_stale(records, i: int, a: int, busy: bool):
    """FAILED(STALE): nothing changes."""
    assert judge(records, i, a, busy=busy) == Stale()


@pytest.mark.parametrize(
    ("records", "i", "a"), [(EMPTY, 5, 1), (FAILED, 5, 2), (DOUBT, 5, 2), (DOUBT, 6, 1)]
)
def test_a_busy_camera_makes_a_new_exposure_wait(records, i: int, a: int):
    """ACCEPTED code WAIT_CAMERA, nothing journalled; never burns an attempt."""
    assert judge(records, i, a, busy=True) == Wait()


def test_an_open_intent_is_a_busy_camera():
    """Also when the camera call itself has just ended."""
    assert judge(OPEN, 5, 2) == Wait()


@pytest.mark.parametrize(
    ("records", "i", "a"),
    [(EMPTY, 5, 1), (FAILED, 5, 2), (DOUBT, 5, 2), (DOUBT, 6, 1), (ONE, 6, 1)],
)
@pytest.mark.parametrize("busy", [False, True])
def test_another_chain_is_a_contradiction_in_every_branch(records, i: int, a: int, busy: bool):
    """A supersede without this check could void a photo that is already decided."""
    verdict = judge(records, i, a, chain=WRONG, busy=busy)
    assert isinstance(verdict, Contradiction)
    assert verdict.code is Code.CHAIN_MISMATCH
    assert verdict.expected == run_of(records).expected
    assert str(i) in verdict.why


def test_the_chain_tells_a_supersede_from_a_step():
    """The chain after s does not void s; the chain before s does not commit it."""
    run = run_of(DOUBT)
    before, after = run.chain, run.chain_after(run.doubtful)
    assert judge(DOUBT, 5, 2, chain=after).code is Code.CHAIN_MISMATCH
    assert judge(DOUBT, 6, 1, chain=before).code is Code.CHAIN_MISMATCH


@pytest.mark.parametrize(
    ("records", "i", "a", "expected"),
    [
        (EMPTY, 6, 1, 5),  # skips one
        (EMPTY, 4, 1, 5),  # before the first
        (EMPTY, 0, 1, 5),
        (EMPTY, 2**32 - 1, 1, 5),
        (OPEN, 6, 1, 5),  # on while the exposure is open
        (DOUBT, 7, 1, 6),  # skips one after a photo in doubt
        (DOUBT, 4, 1, 6),
        (ONE, 5, 2, 6),  # a new exposure of a decided index
        (ONE, 7, 1, 6),
        (ONE_AND_DOUBT, 5, 2, 7),
        (ALMOST, 9, 1, 9),  # beyond the last
        (ALL, 9, 1, 9),
    ],
)
@pytest.mark.parametrize("busy", [False, True])
def test_any_other_index_is_a_contradiction(records, i: int, a: int, expected: int, busy: bool):
    """Anything else: ABORT INDEX_MISMATCH, with what was expected."""
    verdict = judge(records, i, a, busy=busy)
    assert isinstance(verdict, Contradiction)
    assert (verdict.code, verdict.expected) == (Code.INDEX_MISMATCH, expected)
    assert f"index {i}" in verdict.why


@pytest.mark.parametrize(
    "records", [EMPTY, OPEN, FAILED, DOUBT, DOUBT_2, ONE, ONE_RETAKEN, ONE_AND_DOUBT, ALMOST, ALL]
)
def test_nothing_but_the_next_step_is_ever_exposed(records):
    """Whatever index, attempt and chain: only the next index, or the one in doubt, is exposed."""
    run = run_of(records)
    chains = [run.chain] + ([run.chain_after(run.doubtful)] if run.doubtful else [])
    for i in range(FIRST - 1, LAST + 3):
        for a in range(5):
            for chain in [*chains, WRONG]:
                verdict = judge_capture(run, capture(i, a, chain), busy=False)
                if not isinstance(verdict, Expose):
                    continue
                assert (i, a) not in run.shots
                assert i <= LAST
                assert chain != WRONG
                if verdict.commit is not None:
                    assert (i, chain) == (verdict.commit.index + 1, chains[1])
                else:
                    assert (i, chain) == (run.expected, chains[0])
                    assert a > run.last_attempt
