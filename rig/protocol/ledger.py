"""What the phone durably knows, as a fold over its journal (XCAP/1 section 4).

The core changes its durable state only by applying records, and a restart applies the same records:
there is one place where a photo becomes stored, committed or void.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rig.protocol.chain import chain_next, chain_start
from rig.protocol.journal import JournalCorrupt, Record
from rig.protocol.transitions import SHOT, ShotState

__all__ = ["Latch", "PhoneLedger", "Run", "Shot", "ShotState"]


@dataclass(frozen=True)
class Shot:
    """One exposure: attempt *attempt* at *index*. Digests are 32 bytes, *token* 8."""

    index: int
    attempt: int
    state: ShotState
    token: bytes
    meta_sha: bytes
    code: int = 0
    why: str = ""
    """What the camera said, if it failed."""
    sha256: bytes = b""
    size: int = 0
    name: str = ""
    width: int = 0
    height: int = 0
    t_trigger_ns: int = 0
    t_done_ns: int = 0


@dataclass
class Run:
    """One subset on this phone."""

    campaign: bytes
    subset: int
    first: int
    last: int
    manifest: bytes
    env: str
    session: str
    chain: bytes
    committed: int = 0
    finished: bool = False
    last_attempt: int = 0
    """Highest attempt ever begun at the next index."""
    shots: dict[tuple[int, int], Shot] = field(default_factory=dict)
    in_doubt: tuple[int, int] | None = None
    open: tuple[int, int] | None = None

    @property
    def expected(self) -> int:
        """The next index that is not yet committed."""
        return self.first + self.committed

    @property
    def doubtful(self) -> Shot | None:
        """The stored photo that the display has yet to decide."""
        return self.shots[self.in_doubt] if self.in_doubt else None

    def chain_after(self, shot: Shot) -> bytes:
        """The chain as it will be once *shot* is committed."""
        return chain_next(self.chain, shot.index, shot.attempt, shot.sha256, shot.meta_sha)

    def committed_shots(self) -> list[Shot]:
        """The committed photos, by index."""
        done = [s for s in self.shots.values() if s.state is ShotState.COMMITTED]
        return sorted(done, key=lambda s: s.index)


@dataclass(frozen=True)
class Latch:
    """The abort that is latched."""

    abort_id: bytes
    code: int
    why: str
    expected: int | None
    got: int | None
    by: str


class PhoneLedger:
    """Durable state of a phone; `apply` is the only way to change it."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.runs: dict[tuple[bytes, int], Run] = {}
        self.current: Run | None = None
        self.latch: Latch | None = None
        for record in records:
            self.apply(record)

    def run(self, campaign: bytes, subset: int) -> Run | None:
        """The run of a subset, if this phone ever worked on it."""
        return self.runs.get((campaign, subset))

    def apply(self, record: Record) -> None:
        """Fold *record* in.

        Raises:
            JournalCorrupt: the record cannot follow what came before.
        """
        kind = record.get("k")
        method = getattr(self, f"_on_{str(kind).lower()}", None)
        if method is None:
            raise JournalCorrupt(f"a record of unknown kind {kind!r}; was a newer agent here?")
        try:
            method(record)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise JournalCorrupt(f"a {kind} record does not fit what came before it") from error

    def _on_boot(self, r: Record) -> None:
        pass

    def _on_run(self, r: Record) -> None:
        campaign, manifest = bytes.fromhex(str(r["camp"])), bytes.fromhex(str(r["man"]))
        subset, first, last = _int(r, "sub"), _int(r, "first"), _int(r, "last")
        start = chain_start(campaign, subset, first, manifest)
        self.runs[campaign, subset] = Run(
            campaign, subset, first, last, manifest, str(r["env"]), str(r["ses"]), start
        )

    def _on_arm(self, r: Record) -> None:
        self.current = self.runs[bytes.fromhex(str(r["camp"])), _int(r, "sub")]

    def _on_intent(self, r: Record) -> None:
        run, key = self._run(), _key(r)
        run.shots[key] = Shot(
            *key,
            state=_after(run.shots.get(key), "INTENT"),
            token=bytes.fromhex(str(r["tok"])),
            meta_sha=bytes.fromhex(str(r["meta"])),
        )
        run.open, run.last_attempt = key, max(run.last_attempt, key[1])

    def _on_stored(self, r: Record) -> None:
        run, key = self._run(), _key(r)
        if run.open != key:
            raise ValueError("stored without intent")
        run.shots[key] = replace(
            run.shots[key],
            state=_after(run.shots[key], "STORED"),
            sha256=bytes.fromhex(str(r["sha"])),
            size=_int(r, "size"),
            name=str(r["name"]),
            width=_int(r, "w"),
            height=_int(r, "h"),
            t_trigger_ns=_int(r, "t0"),
            t_done_ns=_int(r, "t1"),
        )
        run.open, run.in_doubt = None, key

    def _on_commit(self, r: Record) -> None:
        run, key = self._run(), _key(r)
        if run.in_doubt != key or key[0] != run.expected:
            raise ValueError("commit of a photo that is not in doubt")
        shot = run.shots[key]
        run.chain = run.chain_after(shot)
        run.shots[key] = replace(shot, state=_after(shot, "COMMIT"))
        run.in_doubt, run.committed, run.last_attempt = None, run.committed + 1, 0

    def _on_void(self, r: Record) -> None:
        self._end(r, "VOID")

    def _on_fail(self, r: Record) -> None:
        self._end(r, "FAIL")

    def _end(self, r: Record, kind: str) -> None:
        run, key = self._any_run(r), _key(r)
        shot = run.shots.get(key)
        state = _after(shot, kind)
        if shot is None:
            # Refused before any intent (disk, battery): the answer must be repeatable all the same.
            token, meta = bytes.fromhex(str(r["tok"])), bytes.fromhex(str(r["meta"]))
            shot = Shot(*key, state=state, token=token, meta_sha=meta)
        why = str(r.get("why", "")) if kind == "FAIL" else ""
        run.shots[key] = replace(shot, state=state, code=_int(r, "code"), why=why)
        run.last_attempt = max(run.last_attempt, key[1])
        run.open = None if run.open == key else run.open
        run.in_doubt = None if run.in_doubt == key else run.in_doubt

    def _on_abort(self, r: Record) -> None:
        self.latch = Latch(
            bytes.fromhex(str(r["id"])),
            _int(r, "code"),
            str(r["why"]),
            _int(r, "exp") if r.get("exp") is not None else None,
            _int(r, "got") if r.get("got") is not None else None,
            str(r["by"]),
        )

    def _on_clear(self, r: Record) -> None:
        if self.latch is None or self.latch.abort_id.hex() != r["id"]:
            raise ValueError("clears an abort that is not latched")
        self.latch = None

    def _on_finish(self, r: Record) -> None:
        run = self._run()
        if r["count"] != run.committed:
            raise ValueError("finished with another count")
        if r.get("chain", run.chain.hex()) != run.chain.hex():
            raise ValueError("finished with another chain")
        run.finished = True

    def _run(self) -> Run:
        if self.current is None:
            raise ValueError("no subset is armed")
        return self.current

    def _any_run(self, r: Record) -> Run:
        """Voids may name a subset that is no longer the current one."""
        if "camp" in r:
            return self.runs[bytes.fromhex(str(r["camp"])), _int(r, "sub")]
        return self._run()


def _after(shot: Shot | None, kind: str) -> ShotState:
    """The state that a record of *kind* leads *shot* to."""
    state = SHOT.get((shot.state if shot else None, kind))
    if state is None:
        raise ValueError(f"{kind} leads nowhere from {shot.state.name if shot else 'nothing'}")
    return state


def _int(r: Record, key: str) -> int:
    value = r[key]
    if not isinstance(value, int):
        raise TypeError(f"{key} is not a number")
    return value


def _key(r: Record) -> tuple[int, int]:
    return _int(r, "i"), _int(r, "a")
