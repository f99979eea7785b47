"""The final audit: both journals and the phone's folder, read as a stranger would read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rig.protocol.display import Subset
from rig.protocol.display_ledger import DisplayLedger
from rig.protocol.journal import JournalCorrupt, parse_journal
from rig.protocol.ledger import PhoneLedger, Run, Shot
from rig.protocol.names import BadPhotoName, decode_name
from rig.simulation.disk import Folder

_FEW = 5
"""Of each kind of wrong photo so many are named."""


@dataclass
class Books:
    """What the audit found. Counts of x-rays, but *mislabelled* and *stale_frames*: of photos.

    Attributes:
        committed: exactly one committed photo. *skipped*: none. *duplicated*: more than one.
        mislabelled: the photo shows another x-ray than its name says, by a fault of the protocol.
        stale_frames: it does because the camera returned its last frame.
        damaged: its file is gone or has other bytes than the journal says.
        problems: a sentence for everything that is wrong.
    """

    committed: int = 0
    skipped: int = 0
    duplicated: int = 0
    mislabelled: int = 0
    stale_frames: int = 0
    damaged: int = 0
    problems: list[str] = field(default_factory=list)


def audit(subsets: Iterable[tuple[Subset, bytes]], phone_journal: bytes, folder: Folder) -> Books:
    """Compare the display's journal of each subset with the phone's journal and its files."""
    books = Books()
    phone = PhoneLedger()
    try:
        phone = PhoneLedger(parse_journal(phone_journal)[0])
    except JournalCorrupt as error:
        books.problems.append(f"The phone's journal cannot be read: {error}.")
    files = _files_by_index(folder, books)
    for subset, journal in subsets:
        run = phone.run(subset.campaign, subset.subset)
        _compare(subset, journal, run, books)
        _count(subset, run, files, folder, books)
    for word in ("skipped", "duplicated", "mislabelled", "damaged"):
        if count := getattr(books, word):
            books.problems.append(f"{count} x-ray(s) {word}.")
    return books


def _files_by_index(folder: Folder, books: Books) -> Counter[tuple[int, int]]:
    """How many photos the folder has for each (subset, index)."""
    found: Counter[tuple[int, int]] = Counter()
    for name in folder.files:
        if name.endswith(".part"):
            continue
        try:
            photo = decode_name(name)
        except BadPhotoName as error:
            books.problems.append(f"A file has a bad name: {error}.")
            continue
        found[photo.subset, photo.index] += 1
    return found


def _compare(subset: Subset, journal: bytes, run: Run | None, books: Books) -> None:
    """Both histories must be the same."""
    where = f"subset {subset.subset}"
    try:
        display = DisplayLedger(subset, parse_journal(journal)[0])
    except JournalCorrupt as error:
        books.problems.append(f"The display's journal of {where} cannot be read: {error}.")
        return
    if not display.complete:
        books.problems.append(f"The display has not finished {where}: {len(display.done)} decided.")
    if run is None or not run.finished:
        books.problems.append(f"The phone has not finished {where}.")
    shots = run.committed_shots() if run else []
    mine = [(d.index, d.attempt, d.sha256) for d in display.done]
    if mine != [(s.index, s.attempt, s.sha256) for s in shots]:
        books.problems.append(f"The two journals of {where} differ.")
    if run is not None and run.chain != display.chain:
        books.problems.append(f"The two chains of {where} differ.")


def _count(
    subset: Subset,
    run: Run | None,
    files: Counter[tuple[int, int]],
    folder: Folder,
    books: Books,
) -> None:
    shots: dict[int, list[Shot]] = {}
    for shot in run.committed_shots() if run else []:
        shots.setdefault(shot.index, []).append(shot)
        _look(shot, folder, books)
    for index in range(subset.first, subset.last + 1):
        photos = max(len(shots.get(index, ())), files[subset.subset, index])
        books.committed += photos == 1 and index in shots
        books.skipped += index not in shots
        books.duplicated += photos > 1


def _look(shot: Shot, folder: Folder, books: Books) -> None:
    """Hash one photo again, and look at it."""
    name = shot.name
    if name not in folder.files:
        books.damaged += 1
        return
    if folder.hashes.get(name) != shot.sha256:
        books.damaged += 1
    try:
        said = decode_name(name).index
    except BadPhotoName:
        said = -1
    if said == shot.index == folder.files[name]:
        return
    if said == shot.index and name in folder.stale:
        books.stale_frames += 1
        return
    books.mislabelled += 1
    if books.mislabelled <= _FEW:
        books.problems.append(f"{name} shows x-ray {folder.files[name]}.")
