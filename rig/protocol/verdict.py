"""What the phone makes of a CAPTURE: the table of XCAP/1 section 4, as one pure function."""

from __future__ import annotations

from dataclasses import dataclass

from rig.protocol.codes import Code
from rig.protocol.datagram import Datagram
from rig.protocol.ledger import Run, Shot, ShotState


@dataclass(frozen=True)
class Repeat:
    """(index, attempt) is known: the stored answer is given again."""

    shot: Shot


@dataclass(frozen=True)
class Stale:
    """An attempt older than what is known: refused, nothing changes."""


@dataclass(frozen=True)
class Wait:
    """The camera still works on another exposure: nothing is journalled, no attempt is burnt."""


@dataclass(frozen=True)
class Expose:
    """A new exposure; the photo in doubt is thereby committed or void."""

    commit: Shot | None = None
    void: Shot | None = None


@dataclass(frozen=True)
class Contradiction:
    """Everything stops."""

    code: Code
    expected: int
    why: str


Verdict = Repeat | Stale | Wait | Expose | Contradiction


def judge_capture(run: Run, d: Datagram, *, busy: bool) -> Verdict:
    """Judge CAPTURE *d* against *run*; *busy*: a camera call of any exposure is under way."""
    known = run.shots.get((d.index, d.attempt))
    if known is not None:
        return _judge_known(known, d, run)
    doubtful = run.doubtful
    if doubtful is not None and d.index == doubtful.index:
        if d.attempt < doubtful.attempt:
            return Stale()
        return _expose(d, run.chain, busy, run, Expose(void=doubtful))
    if doubtful is not None and d.index == doubtful.index + 1 and d.index <= run.last:
        return _expose(d, run.chain_after(doubtful), busy, run, Expose(commit=doubtful))
    if doubtful is None and d.index == run.expected <= run.last and not run.finished:
        if d.attempt <= run.last_attempt:
            return Stale()
        return _expose(d, run.chain, busy or run.open is not None, run, Expose())
    if run.first <= d.index < run.expected and d.attempt < _committed_attempt(run, d.index):
        return Stale()
    return _mismatch(run, d)


def _judge_known(known: Shot, d: Datagram, run: Run) -> Verdict:
    if known.meta_sha[:8] != d.digest:
        why = f"index {d.index} attempt {d.attempt} came again with other metadata"
        return Contradiction(Code.META_CONFLICT, run.expected, why)
    if known.token != d.token and known.state in (ShotState.VOID, ShotState.FAILED):
        # A late CAPTURE of the display's last life came to nothing; this attempt is merely taken.
        return Stale()
    if known.token != d.token:
        why = f"index {d.index} attempt {d.attempt} came again for another painting of the screen"
        return Contradiction(Code.TOKEN_MISMATCH, run.expected, why)
    return Repeat(known)


def _expose(d: Datagram, chain: bytes, busy: bool, run: Run, verdict: Expose) -> Verdict:
    if d.chain != chain[:8]:
        why = f"the display's history before index {d.index} differs from the phone's"
        return Contradiction(Code.CHAIN_MISMATCH, run.expected, why)
    return Wait() if busy else verdict


def _committed_attempt(run: Run, index: int) -> int:
    return max((a for (i, a) in run.shots if i == index), default=0)


def _mismatch(run: Run, d: Datagram) -> Contradiction:
    expected = run.expected if run.in_doubt is None else run.in_doubt[0] + 1
    why = f"the display asked for index {d.index}; the next one is {expected}"
    return Contradiction(Code.INDEX_MISMATCH, expected, why)
