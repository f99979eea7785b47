"""Fill the folder of a dataset, image by image, in the order of its CSVs."""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from PIL import Image, UnidentifiedImageError

from rig.catalog.model import COLUMNS, Xray
from rig.dataset import layout
from rig.dataset.box_table import BoxWriter
from rig.dataset.captures import (
    CaptureWriter,
    Environments,
    Stored,
    film_row,
    gap_row,
    photo_row,
)
from rig.dataset.card import card
from rig.dataset.croissant import write_croissant
from rig.dataset.errors import BuildStopped
from rig.dataset.exif import without_location
from rig.dataset.facts import TOLD, Facts
from rig.dataset.files import write_durably
from rig.dataset.labels import CsvWriter, row_of
from rig.dataset.model import BuildReport, CapturedPhoto, FilmCrop, Gap, Homography
from rig.dataset.records import Record, Source
from rig.dataset.rectified import Copies, Rectify
from rig.dataset.reuse import Earlier
from rig.dataset.survey import Survey
from rig.dataset.twins import CHUNK, Twins
from rig.dataset.vindr import Annotations
from rig.errors import UserError

__all__ = ["Assembly", "Plan", "Rectify"]

_Begun = tuple[Stored, str | Future[bytes] | None]
"""A photo that is stored, and its rectified copy as far as it is."""
_AHEAD = 16
"""X-rays whose copies may be under way; each holds a photo in memory."""
_UNMOVED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
"""A rectified copy has the x-ray's own pixels."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be built, where it grows (*folder*), its place when whole, and the survey."""

    folder: Path
    final: Path
    root: str
    kinds: tuple[str, ...]
    seed: int
    terms: str
    annotations: Annotations | None
    visible: float
    rectify: Rectify | None
    executor: Executor | None
    progress: Callable[[int, int], None] | None
    survey: Survey


class Assembly:
    """Writes everything; `run` once, inside a `with`, which completes the files."""

    def __init__(self, plan: Plan, earlier: Earlier, *, scratch: Path) -> None:
        self._plan, self._earlier = plan, earlier
        self._environments = Environments()
        self._failed: list[str] = []
        self._unmade = 0
        self._made: dict[str, int] = {}
        self._done = 0
        self._total = plan.survey.photos + len(plan.kinds) * plan.survey.xrays
        self._copies: dict[str, CsvWriter] = {}
        self._copier = Copies(plan.rectify, plan.executor, plan.folder, earlier)
        folder = plan.folder
        self._facts = Facts(scratch)
        with ExitStack() as stack:
            enter = stack.enter_context
            self._rows = {
                split: enter(CsvWriter(folder / f"{split}.csv", COLUMNS))
                for split in plan.survey.splits
            }
            factors = plan.survey.factors
            self._captures = enter(CaptureWriter(folder / layout.CAPTURES, plan.root, factors))
            self._boxes = enter(
                BoxWriter(folder if plan.annotations else None, visible=plan.visible)
            )
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._facts.__exit__(kind, error, trace)

    def run(self, source: Source, films: Sequence[Xray]) -> BuildReport:
        """Write every file of the dataset."""
        self._naturals(source)
        for film in sorted(films, key=lambda one: (one.split, one.key)):
            self._film(film)
        with Twins(self._plan.folder, self._earlier) as twins:
            for kind in self._plan.kinds:
                self._made[kind] = 0
                self._synthetic(source, kind, twins)
        self._stack.close()
        self._describe()
        return BuildReport(
            path=self._plan.final,
            natural=self._facts.natural,
            synthetic=dict(self._made),
            gaps=tuple(self._facts.gaps),
            failed=tuple(self._failed),
            missing=self._facts.missing,
            unmade=self._unmade,
            boxes=self._boxes.kept,
            boxes_dropped=self._boxes.dropped,
        )

    def _advance(self, count: int = 1) -> None:
        self._done += count
        if self._plan.progress:
            self._plan.progress(self._done, self._total)

    def _follow(self) -> Callable[[int, int], None]:
        """A progress function for a part of the work that begins here."""
        before = self._done
        return lambda done, _: self._advance(before + done - self._done)

    def _naturals(self, source: Source) -> None:
        """Store all photos, some x-rays ahead of the rows: copies are made elsewhere meanwhile."""
        waiting: deque[tuple[Record, list[Gap | _Begun]]] = deque()
        for record in source:
            waiting.append((record, [self._store(photo) for photo in record.photos]))
            if len(waiting) >= _AHEAD:
                self._natural(*waiting.popleft())
        while waiting:
            self._natural(*waiting.popleft())

    def _natural(self, record: Record, stored: Sequence[Gap | _Begun]) -> None:
        """Write the rows of one x-ray: gaps first, those found while storing among them."""
        gaps = [*record.gaps, *(one for one in stored if isinstance(one, Gap))]
        for gap in sorted(gaps, key=lambda one: one.reason):
            self._facts.add_gap(gap)
            self._captures.add(gap_row(gap, record.xray))
        for one in stored:
            if not isinstance(one, Gap):
                done = self._finish(one)
                self._list(done)
                self._captures.add(photo_row(done))

    def _store(self, photo: CapturedPhoto) -> Gap | _Begun:
        """Store one photo; one that is gone or changed is a gap."""
        xray = photo.xray
        path = str(layout.natural(xray, photo.device))
        try:
            data = photo.file.read_bytes()
        except OSError as error:
            reason = f"The photo cannot be read any more: {error.strerror or error}."
            return Gap(xray.index, xray.key, reason)
        if hashlib.sha256(data).hexdigest() != photo.sha256:
            reason = "The photo's bytes are not those that were committed."
            return Gap(xray.index, xray.key, reason)
        data = without_location(data)
        self._earlier.put(data, self._plan.folder, path)
        digest = hashlib.sha256(data).hexdigest()
        stored = Stored(photo, path, digest, len(data), size_of(data))
        before = self._earlier.capture(xray.index, path) if self._plan.rectify else None
        return stored, self._copier.begin(photo, path, data, before)

    def _finish(self, begun: _Begun) -> Stored:
        """Wait for the copy of a photo."""
        stored, copy = begun
        try:
            return replace(stored, rectified=self._copier.end(stored.path, copy))
        except BuildStopped:
            raise
        except (UserError, ValueError) as error:
            self._fail(f"rectified copy of {stored.path}: {error}")
            return stored

    def _list(self, stored: Stored) -> None:
        """Everything that is told of a stored photo but for its capture."""
        photo, xray = stored.photo, stored.photo.xray
        row = row_of(xray, self._plan.root, stored.path)
        self._rows[xray.split].add(row)
        self._facts.add_photo(photo)
        self._facts.add(f"natural/{photo.device}", xray)
        self._environments.add(photo.environment)
        self._carry(xray, stored.path, photo.homography, stored.size)
        if stored.rectified is not None:
            copy = layout.rectified(stored.path)
            self._copies_of(xray.split).add(row_of(xray, self._plan.root, copy))
            self._carry(xray, copy, _UNMOVED, (xray.width, xray.height))
        self._advance()

    def _copies_of(self, split: str) -> CsvWriter:
        """The CSV of the rectified copies of *split*; made when the first one comes."""
        if split not in self._copies:
            file = self._plan.folder / layout.RECTIFIED / f"{split}.csv"
            self._copies[split] = self._stack.enter_context(CsvWriter(file, COLUMNS))
        return self._copies[split]

    def _carry(
        self,
        xray: Xray,
        path: str,
        homography: Homography | None,
        size: tuple[int, int] | None,
        split: str | None = None,
    ) -> None:
        if self._plan.annotations is not None:
            found = self._plan.annotations.of(xray)
            self._boxes.add(path, split or xray.split, found, homography, size)

    def _film(self, film: Xray) -> None:
        """Store the photo of a film; one that is gone or changed is told and left out."""
        path = layout.film(film)
        try:
            data = film.file.read_bytes()
        except OSError as error:
            self._fail(f"film {film.key}: it cannot be read: {error.strerror or error}.")
            return
        if hashlib.sha256(data).hexdigest() != film.sha256:
            self._fail(f"film {film.key}: its bytes changed since they were imported.")
            return
        data = without_location(data)
        self._earlier.put(data, self._plan.folder, str(path))
        self._captures.add(
            film_row(film, str(path), hashlib.sha256(data).hexdigest(), len(data), size_of(data))
        )
        self._rows[film.split].add(row_of(film, self._plan.root, path))
        self._facts.add(layout.FILM, film)
        source, size = (film.source if isinstance(film, FilmCrop) else None), size_of(data)
        if source is None or size is None:
            self._carry(film, str(path), None, size)
        else:
            whole = (
                (size[0] / source.width, 0.0, 0.0),
                (0.0, size[1] / source.height, 0.0),
                (0.0, 0.0, 1.0),
            )
            self._carry(source, str(path), whole, size, split=film.split)

    def _synthetic(self, source: Source, kind: str, twins: Twins) -> None:
        """Make one synthetic set, some thousand x-rays at a time."""
        xrays = (record.xray for record in source if record.xray is not None)
        while chunk := list(islice(xrays, CHUNK)):
            made = twins.make(
                chunk,
                kind,
                seed=self._plan.seed,
                executor=self._plan.executor,
                progress=self._follow(),
            )
            for failure in made.failed:
                self._fail(f"{kind} twin of {failure.key}: {failure.reason}")
            for xray, row in made.twins:
                path = layout.synthetic(xray, kind)
                self._rows[xray.split].add(row_of(xray, self._plan.root, path))
                self._facts.add(f"synthetic/{kind}", xray)
                self._made[kind] += 1
                self._carry(xray, str(path), row["homography"], (row["size"][0], row["size"][1]))

    def _fail(self, sentence: str) -> None:
        self._unmade += 1
        if len(self._failed) < TOLD:
            self._failed.append(sentence)

    def _describe(self) -> None:
        """Environments, the card, and the description for machines."""
        plan = self._plan
        self._environments.write(plan.folder / layout.ENVIRONMENTS)
        text = card(
            plan.root,
            plan.survey.xrays,
            self._facts,
            environments=len(self._environments),
            kinds=plan.kinds,
            seed=plan.seed,
            terms=plan.terms,
            boxes=self._boxes if plan.annotations else None,
        )
        with write_durably(plan.folder / layout.CARD) as handle:
            handle.write(text)
        write_croissant(plan.folder, plan.root)


def size_of(picture: bytes) -> tuple[int, int] | None:
    """Width and height as stored (no orientation applied); None for what is no picture."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            return opened.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
