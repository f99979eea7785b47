"""A pull: ask what there is, get what is not here yet, as often as it takes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.find import Told
from rig.dicom.pacs.model import Instance, Wanted
from rig.dicom.pacs.pace import Sleep, backoff
from rig.dicom.pacs.quarantine import Quarantine
from rig.dicom.pacs.storing import Keep

NOT_SENT = "The PACS did not send it."


class Source(Protocol):
    """A way to a PACS: C-GET, C-MOVE or DICOMweb."""

    def find(self, wanted: Wanted, told: Told | None = None) -> Iterator[list[Instance]]:
        """The images that pass *wanted*, series by series; raises PacsError."""

    def fetch(self, wanted: Sequence[Instance], keep: Keep) -> None:
        """Bring *wanted* to *keep*, as far as the PACS sends it; raises PacsError."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(slots=True)
class Pulled:
    """What came of it.

    Attributes:
        asked: images that pass the filter.
        before: of these, how many were here already.
        got: how many came now.
        failed: reason -> how many did not come.
        earlier: images of earlier filters that never came.
        bytes: of what came now.
        retries: how often the PACS was asked again.
        stopped: why it ended before it was through; None: it was through.
    """

    asked: int = 0
    before: int = 0
    got: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    earlier: int = 0
    bytes: int = 0
    retries: int = 0
    stopped: str | None = None

    @property
    def whole(self) -> bool:
        """Whether everything that was asked for is here."""
        return self.stopped is None and not self.failed


@dataclass(frozen=True, slots=True)
class Patience:
    """How hard to try.

    Attributes:
        tries: in a row without a single image, before it is given up.
        batch: images in one request.
        sleep: waits, in seconds.
        rng: of the waits' jitter.
        on_retry: told (why, seconds until the next try).
    """

    tries: int
    batch: int
    sleep: Sleep
    rng: random.Random
    on_retry: Callable[[str, float], None] = lambda _why, _seconds: None


def pull(
    source: Source,
    quarantine: Quarantine,
    wanted: Wanted,
    patience: Patience,
    *,
    finding: Told | None = None,
    progress: Told | None = None,
) -> Pulled:
    """Bring every image that passes *wanted* into *quarantine*, each once.

    Args:
        source: where from.
        quarantine: where to; what is there is not asked for again.
        wanted: the filter.
        patience: how hard to try.
        finding: told (studies looked through, studies).
        progress: told (images here, images).

    Raises:
        PacsError: the PACS cannot be asked what it has.
    """
    run = _Run(source, quarantine, patience, Pulled())
    images = run.find(wanted, finding)
    listed = {one.sop for one in images}
    run.told.asked = len(listed)
    missing = [one for one in images if one.sop not in quarantine.got]
    run.told.before = len(listed) - len(missing)
    run.told.earlier = sum(
        sop not in listed and sop not in quarantine.got for sop in quarantine.asked
    )
    run.progress = lambda: (
        progress(run.told.before + run.told.got, len(listed)) if progress else None
    )
    run.progress()
    try:
        for start in range(0, len(missing), patience.batch):
            run.get(missing[start : start + patience.batch])
    except PacsError as error:
        run.told.stopped = str(error)
    return run.told


@dataclass(slots=True)
class _Run:
    source: Source
    quarantine: Quarantine
    patience: Patience
    told: Pulled
    progress: Callable[[], None] = lambda: None

    def find(self, wanted: Wanted, finding: Told | None) -> list[Instance]:
        """All images that pass, noted in the journal as they are told."""
        for attempt in range(self.patience.tries):
            found: dict[str, Instance] = {}
            try:
                for some in self.source.find(wanted, finding):
                    found |= {one.sop: one for one in some}
                self.quarantine.ask(found.values())
                return list(found.values())
            except PacsError as error:
                if not error.again or attempt + 1 == self.patience.tries:
                    raise
                self._wait(str(error), attempt)
        raise AssertionError("tries is at least 1")

    def get(self, batch: Sequence[Instance]) -> None:
        """Get *batch*; what the PACS has not is noted, a PACS that is gone raises."""
        attempt = 0
        while rest := self._missing(batch):
            before, why, again = self.told.got, NOT_SENT, True
            try:
                self.source.fetch(rest, self._keep)
            except PacsError as error:
                spent = attempt + 1 >= self.patience.tries and self.told.got == before
                if not error.some and (spent or not error.again):
                    raise
                why, again = str(error), error.again
            attempt = 0 if self.told.got > before else attempt + 1
            if not (rest := self._missing(batch)):
                return
            if attempt >= self.patience.tries or not again:
                self._singly(rest, why)
                return
            self._wait(why, attempt)

    def _singly(self, rest: Sequence[Instance], why: str) -> None:
        """One that the PACS cannot send must not keep back the others of its batch."""
        for one in rest:
            if len(rest) > 1:
                why = NOT_SENT
                try:
                    self.source.fetch([one], self._keep)
                except PacsError as error:
                    if not error.some:
                        raise
                    why = str(error)
            if one.sop not in self.quarantine.got:
                self.quarantine.failed(one.sop, why)
                self.told.failed[why] += 1

    def _missing(self, batch: Sequence[Instance]) -> list[Instance]:
        return [one for one in batch if one.sop not in self.quarantine.got]

    def _keep(self, sop: str, data: bytes) -> None:
        if self.quarantine.keep(sop, data):
            self.told.got += 1
            self.told.bytes += len(data)
            self.progress()

    def _wait(self, why: str, attempt: int) -> None:
        seconds = backoff(attempt, self.patience.rng)
        self.told.retries += 1
        self.patience.on_retry(why, seconds)
        self.patience.sleep(seconds)
