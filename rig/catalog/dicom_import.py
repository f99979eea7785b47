"""DICOM files to a folder that is a catalog like any other: pictures and a CheXpert-format CSV.

Two passes. The first reads headers only and settles what can be settled only while identities are
known: duplicates, and patients in two splits. The second decodes, screens, renders and
de-identifies, and may be interrupted at any time: what is done is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig.catalog import dicom_rows, vindr
from rig.catalog.dicom_journal import Journal
from rig.catalog.dicom_output import sweep, write_csv
from rig.catalog.dicom_rows import Outcome, Row, refused_row, row_of
from rig.catalog.dicom_splits import check_overlap, same_uid, settle, split_of
from rig.dicom import reviews
from rig.dicom.finding import Input, find
from rig.dicom.making import IMAGES, Made, MakeTask, make
from rig.dicom.pool import Crew, MakePool
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.refusal import Reason
from rig.dicom.scan import Scanned, ScanTask, fingerprint, scan
from rig.dicom.screening import PLAIN, Screening
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError

REPORT, ANNOTATIONS = "report.csv", "annotations"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How to import.

    Attributes:
        annotations: folder with VinDr-CXR's CSV files, or None.
        keep_16_bit: write 16-bit PNG, too.
        accept_unreviewed: use images that a person should look at first.
        how: of the screening.
        workers: processes.
    """

    annotations: Path | None = None
    keep_16_bit: bool = False
    accept_unreviewed: bool = False
    how: Screening = PLAIN
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an import has made.

    Attributes:
        csv: the CheXpert-format CSV; None when no image is usable.
        data_dir: the folder that its paths begin in.
        inputs: all files.
        rows: what became of each, in their order.
        annotated: counts of the annotations: boxes, labels, unknown images; empty without any.
    """

    csv: Path | None
    data_dir: Path
    inputs: tuple[Input, ...]
    rows: tuple[Row, ...]
    annotated: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Known:
    """The annotations, and which image of them each input is."""

    tables: vindr.VindrTables | None
    images: Mapping[int, str]  # number -> image_id as the annotations write it

    def split(self, number: int) -> str:
        if self.tables is None or number not in self.images:
            return ""
        return self.tables.splits.get(self.images[number], "")

    def labels(self, number: int) -> Mapping[str, str]:
        if self.tables is None:
            return {}
        return vindr.chexpert_labels(self.tables, self.images[number])

    def write(self, used: Sequence[MakeTask], folder: Path) -> Mapping[str, int]:
        """Write the annotations of the images in use under their new ids."""
        for file in folder.glob("*.csv"):  # of an earlier run, with other images
            file.unlink()
        if self.tables is None:
            return {}
        ours = [task for task in used if task.number in self.images]
        ids = {self.images[task.number]: task.image_id for task in ours}
        splits = {task.image_id: task.split for task in ours}
        counts = vindr.write_tables(self.tables, ids, folder, splits=splits)
        found = set(self.images.values())
        counts["unknown"] = sum(image not in found for image in self.tables.splits)
        return counts | {"left_out": len(found) - len(ids)}


def inputs_of(paths: Sequence[Path], options: Options) -> tuple[Input, ...]:
    """The files of an import.

    Raises:
        UserError: a path does not exist, or there is no file at all.
    """
    out = [] if options.annotations is None else [*options.annotations.rglob("*.csv")]
    found = find(paths, leave_out=out)
    if not found:
        raise UserError("The paths on the command line hold no file.")
    return found


def prepare(
    home: Path,
    folder: Path,
    inputs: tuple[Input, ...],
    names: Pseudonyms,
    options: Options,
    *,
    make_pool: MakePool,
    progress: Progress | None = None,
) -> Prepared:
    """Make the pictures, the de-identified files, the report and the CSV of an import.

    Args:
        home: where reviews are kept.
        folder: of the import; what lies there of an earlier run is used.
        inputs: from `inputs_of`.
        names: the site's pseudonyms.
        options: how.
        make_pool: of worker processes.
        progress: called as (steps done, steps in all).

    Raises:
        UserError: a patient is in two splits, or the annotations cannot be used.
        OSError: the disk is full.
    """
    with Crew(make_pool, options.workers) as crew:
        work = _Work(folder, names, options, crew, _Ticks(2 * len(inputs), progress))
        return _prepare(home, inputs, work)


def _prepare(home: Path, inputs: tuple[Input, ...], work: _Work) -> Prepared:
    options, names = work.options, work.names
    tables = vindr.read_tables(options.annotations) if options.annotations else None
    scans = work.scan(inputs)
    known = _match(tables, scans, names)
    splits = {one.number: split_of(one, known.split(one.number)) for one in inputs}
    good = [one for one in scans.values() if one.refused is None]
    check_overlap(good, splits, options.how)
    settled = work.settle(good, {one.number: one for one in inputs})
    tasks = [
        work.task(home, one, scans[one.number], splits[one.number])
        for one in inputs
        if scans[one.number].refused is None and one.number not in settled
    ]
    made = work.make(tasks)
    firsts = {scans[task.number].image_id: task.number for task in tasks}
    rows = tuple(_row(one, scans, splits, settled, made, firsts, names) for one in inputs)
    labels = {number: known.labels(number) for number in known.images}
    used = _used(tasks, rows)
    headers = {task.number: scans[task.number].header for task in used}
    sweep(work.folder, used, rows)
    write_atomic(work.folder / REPORT, dicom_rows.report(rows), mode=PRIVATE)
    counts = known.write(used, work.folder / ANNOTATIONS)
    csv = write_csv(work.folder, used, headers, labels)
    return Prepared(csv, work.folder / IMAGES, inputs, rows, counts)


@dataclass(slots=True)
class _Ticks:
    total: int
    progress: Progress | None
    done: int = 0

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total)


@dataclass(frozen=True, slots=True)
class _Work:
    """What goes to the worker processes."""

    folder: Path
    names: Pseudonyms
    options: Options
    crew: Crew
    tick: _Ticks

    def scan(self, inputs: Sequence[Input]) -> dict[int, Scanned]:
        found = {one.number: Scanned(one.number, Reason.ABSENT) for one in inputs if one.absent}
        tasks = [ScanTask(one.number, one.path, self.names) for one in inputs if not one.absent]
        for scanned in self.crew.run(scan, tasks, _never_seen):
            found[scanned.number] = scanned
            self.tick()
        return found

    def settle(self, good: list[Scanned], inputs: Mapping[int, Input]) -> dict[int, Reason]:
        """What becomes of files that have a UID in common."""
        groups = same_uid(sorted(good, key=lambda one: one.number))
        tasks = [
            ScanTask(one.number, inputs[one.number].path, self.names)
            for group in groups
            for one in group
        ]
        digests = dict(self.crew.run(fingerprint, tasks, lambda task: (task.number, "")))
        return {number: why for one in groups for number, why in settle(one, digests).items()}

    def task(self, home: Path, one: Input, scanned: Scanned, split: str) -> MakeTask:
        return MakeTask(
            number=one.number,
            path=one.path,
            names=self.names,
            folder=self.folder,
            split=split,
            image_id=scanned.image_id,
            patient=scanned.patient,
            study=scanned.study,
            keep_16_bit=self.options.keep_16_bit,
            accept_unreviewed=self.options.accept_unreviewed,
            review=reviews.load(home, scanned.image_id),
            how=self.options.how,
        )

    def make(self, tasks: Sequence[MakeTask]) -> dict[int, Made]:
        by_number = {task.number: task for task in tasks}
        with Journal(self.folder) as journal:
            earlier = ((task.number, journal.done(task)) for task in tasks)
            made = {number: done for number, done in earlier if done is not None}
            left = [task for task in tasks if task.number not in made]
            for one in self.crew.run(make, left, _never_made):
                made[one.number] = one
                journal.add(by_number[one.number], one)
                self.tick()
        return made


def _never_seen(task: ScanTask) -> Scanned:
    return Scanned(task.number, Reason.CRASHED)


def _never_made(task: MakeTask) -> Made:
    return Made(task.number, Reason.CRASHED)


def _match(
    tables: vindr.VindrTables | None, scans: Mapping[int, Scanned], names: Pseudonyms
) -> _Known:
    """Find the input of each annotated image, by file name or SOP Instance UID.

    Raises:
        UserError: two files answer to one annotated image.
    """
    if tables is None:
        return _Known(None, {})
    by_mark = {names.mark(image): image for image in tables.splits}
    images: dict[int, str] = {}
    owner: dict[str, Scanned] = {}
    for number in sorted(scans):
        one = scans[number]
        image = next((by_mark[mark] for mark in one.sources if mark in by_mark), None)
        if image is None:
            continue
        other = owner.setdefault(image, one)
        if other.image_id != one.image_id:
            raise UserError(
                f"Files {other.number} and {number} both go by the name of one annotated image; "
                "leave one of them out."
            )
        images[number] = image
    return _Known(tables, images)


def _used(tasks: Iterable[MakeTask], rows: Iterable[Row]) -> list[MakeTask]:
    numbers = {row.number for row in rows if row.outcome is Outcome.IMPORTED}
    return [task for task in tasks if task.number in numbers]


def _row(
    one: Input,
    scans: Mapping[int, Scanned],
    splits: Mapping[int, str],
    settled: Mapping[int, Reason],
    made: Mapping[int, Made],
    firsts: Mapping[str, int],
    names: Pseudonyms,
) -> Row:
    mark, scanned = names.mark(str(one.path)), scans[one.number]
    if scanned.refused is not None:
        return refused_row(one.number, mark, scanned.refused)
    split = splits[one.number]
    if one.number in settled:
        reason = settled[one.number]
        other = firsts.get(scanned.image_id, 0) if reason is Reason.DUPLICATE else 0
        return row_of(mark, scanned, split, Made(one.number, reason), other=other)
    return row_of(mark, scanned, split, made[one.number])


def digest_of(inputs: Iterable[Input], options: Options, names: Pseudonyms) -> str:
    """Tells whether two imports are of the same files with the same options; keyed."""
    tables = sorted(options.annotations.rglob("*.csv")) if options.annotations else []
    files = [_facts(file) for file in (*(one.path for one in inputs), *tables)]
    told = [files, options.keep_16_bit, options.accept_unreviewed]
    return names.mark(json.dumps([*told, repr(options.how)]))


def _facts(file: Path) -> tuple[str, int, int]:
    try:
        facts = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), facts.st_size, facts.st_mtime_ns
