"""What the display durably knows of one subset, as a fold over its journal (XCAP/1 section 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rig.protocol.chain import chain_next, chain_start
from rig.protocol.datagram import BadDatagram, Scalar, parse_payload
from rig.protocol.display_fold import check_run, latched
from rig.protocol.journal import JournalCorrupt, Record
from rig.protocol.ledger import Latch
from rig.protocol.names import PhotoName, encode_name
from rig.protocol.payload import hex_field, number_field


@dataclass(frozen=True)
class Subset:
    """The subset that is to be shot.

    Attributes:
        campaign: 8 bytes.
        manifest: SHA-256 of the list of x-rays, 32 bytes.
        env: name of the environment, *session*: the controller's id of this run.
        metadata: canonical JSON for each index, first to last.
    """

    campaign: bytes
    subset: int
    first: int
    last: int
    manifest: bytes
    env: str
    session: str
    metadata: tuple[bytes, ...]

    @property
    def count(self) -> int:
        """How many x-rays it has."""
        return self.last - self.first + 1

    def meta(self, index: int) -> bytes:
        """The metadata that goes with *index*."""
        return self.metadata[index - self.first]

    def chain_start(self) -> bytes:
        """C_0."""
        return chain_start(self.campaign, self.subset, self.first, self.manifest)


def checked_result(payload: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """What CAPTURED says of a photo, fit for `done_record`; BadDatagram if it is not."""
    result: dict[str, Scalar] = {"sha256": hex_field(payload, "sha256", 32).hex()}
    for name in ("size", "w", "h"):
        result[name] = number_field(payload, name)
    for name in ("t_trigger", "t_done"):
        time = payload.get(name)
        if not isinstance(time, str) or not (time.isascii() and time.isdigit()):
            raise BadDatagram(f"{name} is not a time in nanoseconds")
        result[name] = time
    return result


def done_record(subset: Subset, index: int, attempt: int, result: Mapping[str, Scalar]) -> Record:
    """The DONE record of (index, attempt); *result* is a `checked_result`."""
    meta = subset.meta(index)
    values = parse_payload(meta)
    meta_sha = hashlib.sha256(meta).hexdigest()
    name = PhotoName(
        campaign=subset.campaign.hex(),
        subset=subset.subset,
        index=index,
        attempt=attempt,
        env=str(values["env"]),
        key=str(values["key"]),
        meta16=meta_sha[:16],
        photo16=str(result["sha256"])[:16],
    )
    return {
        "k": "DONE", "i": index, "a": attempt, "sha": str(result["sha256"]), "meta": meta_sha,
        "name": encode_name(name), "size": number_field(result, "size"),
        "w": number_field(result, "w"), "h": number_field(result, "h"),
        "t0": str(result["t_trigger"]), "t1": str(result["t_done"]),
    }  # fmt: skip


@dataclass(frozen=True)
class Done:
    """A decision: the photo of (index, attempt) is the one."""

    index: int
    attempt: int
    sha256: bytes


class DisplayLedger:
    """Durable state of the display side; `apply` is the only way to change it."""

    def __init__(self, subset: Subset, records: Iterable[Record] = ()) -> None:
        self._subset = subset
        self.done: list[Done] = []
        self.chain = subset.chain_start()
        self.chain_before_last = self.chain
        self.latch: Latch | None = None
        self.complete = False
        self.begun = False
        self.stopping = False
        for record in records:
            self.apply(record)

    @property
    def stopped(self) -> bool:
        """Whether it is to end, or has ended, with x-rays left."""
        return self.stopping and self.next_index <= self._subset.last

    @property
    def next_index(self) -> int:
        """The first index that is not decided yet (last + 1 when all are)."""
        return self._subset.first + len(self.done)

    def apply(self, record: Record) -> None:
        """Fold *record* in.

        Raises:
            JournalCorrupt: it cannot follow what came before, or belongs to another subset.
        """
        try:
            self._apply(record)
        except (KeyError, ValueError, TypeError) as error:
            kind = record.get("k")
            raise JournalCorrupt(f"a {kind} record does not fit what came before it") from error

    def _apply(self, r: Record) -> None:
        kind = r["k"]
        if kind == "RUN":
            self._on_run(r)
        elif kind == "DONE":
            self._on_done(r)
        elif kind == "ABORT":
            self.latch = latched(r)
        elif kind == "CLEAR":
            self.latch = None
        elif kind == "COMPLETE":
            self.complete = True
        elif kind == "STOP":
            self.stopping = True
        elif kind != "ARM":
            raise ValueError("unknown kind")

    def _on_run(self, r: Record) -> None:
        check_run(r, self._subset)
        self.begun = True

    def _on_done(self, r: Record) -> None:
        index, attempt, sha = int(str(r["i"])), int(str(r["a"])), bytes.fromhex(str(r["sha"]))
        if index != self.next_index or index > self._subset.last:
            raise ValueError("not the next index")
        meta = bytes.fromhex(str(r["meta"]))
        self.chain_before_last = self.chain
        self.chain = chain_next(self.chain, index, attempt, sha, meta)
        self.done.append(Done(index, attempt, sha))
