"""S1-S5 from outside, at every decision: the world's own book beside those of the cores.

S1 indices are decided in order, none twice, none left out. S2 a photo that is decided shows its
x-ray. S3 complete means complete, with equal books. S4 no shutter opens while an abort is latched,
and none twice for one attempt. S5 the phone commits only what the display has decided, and holds
durably whatever the display decides; nothing decided is ever forgotten.
"""

from __future__ import annotations

from rig.protocol import actions as act
from rig.protocol.display import DisplayCore, Subset
from rig.protocol.ledger import Run, ShotState
from rig.protocol.phone import PhoneCore
from rig.simulation.disk import Folder

Entry = tuple[int, int, bytes]
"""Index, attempt, SHA-256 of a photo."""
_HELD = (ShotState.STORED, ShotState.COMMITTED)


class Watch:
    """Follows one subset after another. *problems*: one sentence for everything that is wrong."""

    def __init__(self, folder: Folder) -> None:
        self.problems: list[str] = []
        self.exposures = 0
        self._folder = folder
        self._decided: list[Entry] = []
        self._exposed: set[tuple[int, int]] = set()

    def load(self, subset: Subset) -> None:
        """Another subset begins."""
        self._subset = subset
        self._decided.clear()
        self._exposed.clear()

    @property
    def decided(self) -> int:
        """How many x-rays of this subset are decided."""
        return len(self._decided)

    def display_booted(self, display: DisplayCore) -> None:
        """A new life has read its journal: it must know everything that was told before."""
        done: list[Entry] = [(d.index, d.attempt, d.sha256) for d in display.ledger.done]
        told = len(self._decided)
        if done[:told] != self._decided or len(done) > told + 1:
            self._wrong("S5", f"the display remembers {len(done)} decisions of {told}")
        self._decided = done

    def phone_booted(self, phone: PhoneCore) -> None:
        """A new life has read its journal: it must know what was committed, and no more."""
        run = self._run(phone)
        shots = run.committed_shots() if run else []
        committed: list[Entry] = [(s.index, s.attempt, s.sha256) for s in shots]
        if committed != self._decided[: len(committed)]:
            self._wrong("S5", "the phone remembers commits that were never decided")
        if len(committed) < len(self._decided) - 1:
            self._wrong("S5", f"the phone has forgotten commits: it knows {len(committed)}")

    def triggered(self, o: act.TriggerCamera, phone: PhoneCore | None) -> None:
        """A shutter is about to open."""
        self.exposures += 1
        key = (o.ticket.index, o.ticket.attempt)
        if key in self._exposed:
            self._wrong("S4", f"attempt {key[1]} at index {key[0]} is exposed twice")
        self._exposed.add(key)
        if phone is not None and phone.ledger.latch is not None:
            self._wrong("S4", f"index {key[0]} is exposed although an abort is latched")

    def decided_by_display(self, event: act.Committed, phone: PhoneCore | None) -> None:
        """The display tells a decision."""
        index = event.index
        expected = self._subset.first + len(self._decided)
        if index != expected:
            self._wrong("S1", f"the display decided index {index} instead of {expected}")
        self._decided.append((index, event.attempt, event.sha256))
        if self._folder.files.get(event.name) != index and event.name not in self._folder.stale:
            shown = self._folder.files.get(event.name, "nothing")
            self._wrong("S2", f"the photo decided for index {index} shows {shown}")
        run = self._run(phone)
        if run is None:
            return
        shot = run.shots.get((index, event.attempt))
        if shot is None or shot.state not in _HELD or shot.sha256 != event.sha256:
            self._wrong("S5", f"the phone does not hold the photo decided for index {index}")
        if len(self._decided) - run.committed > 1:
            self._wrong("S5", f"two decisions ahead of the phone at index {index}")

    def committed_by_phone(self, event: act.Committed) -> None:
        """The phone tells a commit."""
        at = event.index - self._subset.first
        entry = (event.index, event.attempt, event.sha256)
        if not 0 <= at < len(self._decided) or self._decided[at] != entry:
            self._wrong("S5", f"the phone committed index {event.index}, which is not decided")

    def completed(self, event: act.Completed, phone: PhoneCore | None) -> None:
        """One side says that the subset is complete."""
        run = self._run(phone)
        if event.count != self._subset.count or len(self._decided) != self._subset.count:
            self._wrong("S3", f"complete with {len(self._decided)} decisions")
        if run is not None and (run.committed, run.chain) != (event.count, event.chain):
            self._wrong("S3", "complete with different books")

    def _run(self, phone: PhoneCore | None) -> Run | None:
        subset = self._subset
        return phone.ledger.run(subset.campaign, subset.subset) if phone is not None else None

    def _wrong(self, rule: str, what: str) -> None:
        self.problems.append(f"{rule} broken in subset {self._subset.subset}: {what}.")
