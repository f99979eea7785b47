"""What the display durably knows of a legacy run, as a fold over its own journal.

RUN; SENT(i, a, name) before a request goes out; DONE(i, a, name) when the phone claims the photo;
DOUBT(i, a) when its answer was ambiguous; LOST(i, a) when a person says that there is no photo;
ABORT and CLEAR as in XCAP/1; COMPLETE when all photos are claimed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rig.protocol.display_fold import check_run, latched
from rig.protocol.journal import JournalCorrupt, Record
from rig.protocol.ledger import Latch
from rig.protocol.legacy import NONCE_SIZE, legacy_name

Resolution = Literal["taken", "missing"]
"""What a person read in the phone's log about a request in doubt."""


@dataclass(frozen=True)
class LegacySubset:
    """What is to be shot through the original app.

    Attributes:
        campaign: 8 bytes.
        manifest: SHA-256 of the list of x-rays, 32 bytes.
        session: id of this run.
        parts: of the name of each index, first to last (`legacy.legacy_parts`).
    """

    campaign: bytes
    subset: int
    first: int
    last: int
    manifest: bytes
    session: str
    parts: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Refuse before the first photo what the app could not store.

        Raises:
            BadLegacy: a name cannot be sent; the sentence gives its index.
        """
        for index in range(self.first, self.last + 1):
            self.name(index, bytes(NONCE_SIZE))

    @property
    def count(self) -> int:
        """How many x-rays it has."""
        return self.last - self.first + 1

    def name(self, index: int, nonce: bytes) -> str:
        """The photo name of *index* for one attempt."""
        return legacy_name(index, nonce.hex(), self.parts[index - self.first])


@dataclass(frozen=True)
class Claimed:
    """A photo that the phone says it has. *by*: ``phone`` or ``operator``."""

    index: int
    attempt: int
    name: str
    by: str
    suspect: str


class LegacyLedger:
    """Durable state of a legacy run; `apply` is the only way to change it."""

    def __init__(self, subset: LegacySubset, records: Iterable[Record] = ()) -> None:
        self._subset = subset
        self.begun = False
        self.complete = False
        self.latch: Latch | None = None
        self.done: list[Claimed] = []
        self.names: dict[int, list[str]] = {}
        """Every name ever asked for, by index, in the order of attempts."""
        self.open: tuple[int, int] | None = None
        """The (index, attempt) that was asked for and is not resolved."""
        self.unanswered = False
        """Whether an earlier attempt at the next index was neither answered nor resolved."""
        self.doubt = False
        for record in records:
            self.apply(record)

    @property
    def next_index(self) -> int:
        """The first index that is not claimed yet (last + 1 when all are)."""
        return self._subset.first + len(self.done)

    def opening(self, rearm: bytes | None, resolve: Resolution | None) -> list[Record]:
        """The records with which a process life begins; they are not applied yet.

        Raises:
            ValueError: the person's *rearm* or *resolve* makes no sense now; a sentence.
        """
        s = self._subset
        run: Record = {
            "k": "RUN", "camp": s.campaign.hex(), "sub": s.subset, "first": s.first, "last": s.last,
            "man": s.manifest.hex(), "ses": s.session,
        }  # fmt: skip
        records = [] if self.begun else [run]
        if rearm is not None:
            records.append(self._clearing(rearm))
        elif resolve is not None and self.latch is not None:
            raise ValueError("an abort is latched; re-arm it by its id together with the answer")
        if resolve is not None or (rearm is not None and self.open is not None):
            # Who re-arms has set the app's start number: what is open counts as missing.
            records.append(self._resolution(resolve or "missing"))
        return records

    def _clearing(self, abort_id: bytes) -> Record:
        if self.latch is None:
            raise ValueError("no abort is latched")
        if abort_id != self.latch.abort_id:
            raise ValueError(
                f"the abort that is latched is {self.latch.abort_id.hex()}; look at its reason "
                "again"
            )
        return {"k": "CLEAR", "id": abort_id.hex()}

    def _resolution(self, resolve: Resolution) -> Record:
        if self.open is None:
            raise ValueError("no request is in doubt, so there is nothing to resolve")
        index, attempt = self.open
        if resolve == "missing":
            return {"k": "LOST", "i": index, "a": attempt}
        name = self.names[index][-1]
        why = "a person read in the phone's log that the photo was taken"
        return {"k": "DONE", "i": index, "a": attempt, "name": name, "by": "operator", "sus": why}

    def apply(self, record: Record) -> None:
        """Fold *record* in.

        Raises:
            JournalCorrupt: it cannot follow what came before, or belongs to another plan.
        """
        kind = record.get("k")
        method = getattr(self, f"_on_{str(kind).lower()}", None)
        if method is None:
            raise JournalCorrupt(f"a record of unknown kind {kind!r}; was a newer agent here?")
        try:
            method(record)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise JournalCorrupt(f"a {kind} record does not fit what came before it") from error

    def _on_run(self, r: Record) -> None:
        check_run(r, self._subset)
        self.begun = True

    def _on_sent(self, r: Record) -> None:
        key = _key(r)
        names = self.names.setdefault(key[0], [])
        if key != (self.next_index, len(names) + 1) or key[0] > self._subset.last:
            raise ValueError("not the next attempt at the next index")
        self.unanswered = self.open is not None
        self.open = key
        names.append(str(r["name"]))

    def _on_done(self, r: Record) -> None:
        self._resolve(r)
        index, attempt = _key(r)
        self.done.append(Claimed(index, attempt, str(r["name"]), str(r["by"]), str(r["sus"])))

    def _on_lost(self, r: Record) -> None:
        self._resolve(r)

    def _on_doubt(self, r: Record) -> None:
        if self.open != _key(r):
            raise ValueError("doubt about nothing that was asked")
        self.doubt = True

    def _on_abort(self, r: Record) -> None:
        self.latch = latched(r)

    def _on_clear(self, r: Record) -> None:
        if self.latch is None or self.latch.abort_id.hex() != r["id"]:
            raise ValueError("clears an abort that is not latched")
        self.latch = None

    def _on_complete(self, r: Record) -> None:
        if r["count"] != len(self.done) or len(self.done) != self._subset.count:
            raise ValueError("complete with another count")
        self.complete = True

    def _resolve(self, r: Record) -> None:
        if self.open != _key(r):
            raise ValueError("resolves nothing that was asked")
        self.open, self.unanswered, self.doubt = None, False, False


def _key(r: Record) -> tuple[int, int]:
    return int(str(r["i"])), int(str(r["a"]))
