"""Build a dataset: it appears complete or not at all, and the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from rig.catalog.model import COLUMNS, SPLITS, Xray
from rig.dataset import layout
from rig.dataset.captures import (
    Stored,
    gap_row,
    is_build_of,
    photo_row,
    write_captures,
    write_environments,
)
from rig.dataset.card import card
from rig.dataset.errors import DatasetError
from rig.dataset.exif import without_location
from rig.dataset.files import (
    partial_name,
    recover,
    replace_folder,
    settle,
    write_atomic,
    write_durably,
)
from rig.dataset.labels import row_of, write_csv
from rig.dataset.model import BuildReport, CapturedPhoto, Gap
from rig.synthesis.recipes import named_recipe
from rig.synthesis.runner import Item, synthesize

Progress = Callable[[int, int], None]


def build(
    out: Path,
    *,
    name: str,
    version: str,
    xrays: Sequence[Xray],
    photos: Sequence[CapturedPhoto],
    gaps: Sequence[Gap] = (),
    synthetic: Sequence[str] = (),
    seed: int = 0,
    terms: str = "",
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build `out/<name>-v<version>` in CheXphoto's layout.

    An earlier build of the same name is replaced once the new one is whole; anything else of that
    name is left alone. A photo that is gone or changed becomes a gap, it stops nothing.

    Args:
        out: folder that holds the dataset's folder; made when missing.
        name: of the dataset.
        version: of the dataset.
        xrays: the source x-rays; each gets its twins.
        photos: at most one per x-ray and device.
        gaps: x-rays without a photo.
        synthetic: sets to make, `digital` and `photographic` (or `spatial`).
        seed: of the twins.
        terms: terms and attribution for the card, Markdown.
        executor: makes the twins; None makes them here.
        progress: called with (done, total) images.

    Raises:
        DatasetError: a patient in two splits, a name that cannot be a folder, doubled photos, or
            something else under that name.
        SynthesisError: the executor's workers died.
    """
    root = layout.root_name(name, version)
    kinds = list(dict.fromkeys(layout.kind_of(kind) for kind in synthetic))
    _refuse(xrays, photos)
    final = out / root
    out.mkdir(parents=True, exist_ok=True)
    recover(final)
    if final.exists() and not is_build_of(final, root):
        raise DatasetError(
            f"{final} exists and is not an earlier build of this dataset; move it away first."
        )
    partial = partial_name(final)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    work = _Work(partial, root, len(photos) + len(kinds) * len(xrays), progress)
    try:
        report = _fill(work, xrays, photos, gaps, kinds, seed, terms, executor)
        settle(partial)
        replace_folder(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return BuildReport(final, *report)


def overlap(xrays: Sequence[Xray]) -> dict[str, tuple[str, ...]]:
    """Patients in more than one split -> those splits."""
    splits: dict[str, set[str]] = {}
    for xray in xrays:
        splits.setdefault(xray.patient, set()).add(xray.split)
    return {who: tuple(sorted(found)) for who, found in sorted(splits.items()) if len(found) > 1}


def _refuse(xrays: Sequence[Xray], photos: Sequence[CapturedPhoto]) -> None:
    """Raise DatasetError for input that no dataset can be made of."""
    if shared := overlap(xrays):
        listed = ", ".join(f"{who} ({' and '.join(found)})" for who, found in shared.items())
        raise DatasetError(f"Patients in more than one split: {listed}. Put each into one split.")
    keys = {xray.key: xray for xray in xrays}
    if len(keys) != len(xrays):
        raise DatasetError("Two x-rays have the same key; each image could be either's.")
    taken: set[tuple[str, str]] = set()
    for photo in photos:
        if keys.get(photo.xray.key) != photo.xray:
            raise DatasetError(f"The photo of index {photo.xray.index} shows an unknown x-ray.")
        if (photo.xray.key, photo.device) in taken:
            raise DatasetError(f"Index {photo.xray.index} has two photos by {photo.device}.")
        taken.add((photo.xray.key, photo.device))


@dataclass(slots=True)
class _Work:
    """Where the build grows, and how far it is."""

    folder: Path
    root: str
    total: int
    progress: Progress | None
    done: int = 0

    def advance(self, count: int = 1) -> None:
        self.done += count
        if self.progress:
            self.progress(self.done, self.total)

    def follow(self) -> Progress:
        """A progress function for a part of the work that begins here."""
        before = self.done
        return lambda done, _: self.advance(before + done - self.done)


def _fill(
    work: _Work,
    xrays: Sequence[Xray],
    photos: Sequence[CapturedPhoto],
    gaps: Sequence[Gap],
    kinds: Sequence[str],
    seed: int,
    terms: str,
    executor: Executor | None,
) -> tuple[int, dict[str, int], tuple[Gap, ...], tuple[str, ...]]:
    """Write everything into the partial folder."""
    stored, lost = _store(work, photos)
    every = tuple(sorted((*gaps, *lost), key=lambda gap: (gap.index, gap.reason)))
    made, failed = _twins(work, xrays, kinds, seed, executor)
    kept = [one.photo for one in stored]
    by_index = {xray.index: xray for xray in xrays}
    _write_splits(work, xrays, stored, made)
    rows = [photo_row(s) for s in stored] + [gap_row(g, by_index.get(g.index)) for g in every]
    write_captures(work.folder / layout.CAPTURES, rows, work.root)
    write_environments(work.folder / layout.ENVIRONMENTS, kept)
    text = card(work.root, xrays, kept, made, every, seed=seed, terms=terms)
    with write_durably(work.folder / layout.CARD) as handle:
        handle.write(text)
    return len(stored), {kind: len(found) for kind, found in made.items()}, every, failed


def _store(work: _Work, photos: Sequence[CapturedPhoto]) -> tuple[list[Stored], list[Gap]]:
    """Copy the photos without their location; what is gone or changed is a gap."""
    stored, lost = [], []
    for photo in sorted(photos, key=lambda p: (p.xray.index, p.device)):
        path = layout.natural(photo.xray, photo.device)
        try:
            data = photo.file.read_bytes()
        except OSError as error:
            reason = f"The photo cannot be read any more: {error.strerror or error}."
            lost.append(Gap(photo.xray.index, photo.xray.key, reason))
            continue
        if hashlib.sha256(data).hexdigest() != photo.sha256:
            reason = "The photo's bytes are not those that were committed."
            lost.append(Gap(photo.xray.index, photo.xray.key, reason))
            continue
        data = without_location(data)
        write_atomic(work.folder / path, data)
        stored.append(Stored(photo, str(path), hashlib.sha256(data).hexdigest()))
        work.advance()
    return stored, lost


def _twins(
    work: _Work,
    xrays: Sequence[Xray],
    kinds: Sequence[str],
    seed: int,
    executor: Executor | None,
) -> tuple[dict[str, list[Xray]], tuple[str, ...]]:
    """Make the synthetic sets; returns set -> its x-rays, and what failed."""
    made, sentences = {}, []
    for kind in kinds:
        items = [Item(x.key, x.file, layout.synthetic(x, kind)) for x in xrays]
        summary = synthesize(
            items,
            named_recipe(kind),
            seed=seed,
            out_dir=work.folder,
            executor=executor,
            progress=work.follow(),
        )
        failed = {failure.key for failure in summary.failed}
        made[kind] = [x for x in xrays if x.key not in failed]
        sentences += [f"{kind} twin of {f.key}: {f.reason}" for f in summary.failed]
    return made, tuple(sentences)


def _write_splits(
    work: _Work,
    xrays: Sequence[Xray],
    stored: Sequence[Stored],
    made: Mapping[str, Sequence[Xray]],
) -> None:
    """One CSV per split that has x-rays: natural first, then each synthetic set, by index."""
    for split in SPLITS:
        if any(x.split == split for x in xrays):
            rows = _rows(work.root, split, stored, made)
            write_csv(work.folder / f"{split}.csv", rows, COLUMNS)


def _rows(
    root: str, split: str, stored: Sequence[Stored], made: Mapping[str, Sequence[Xray]]
) -> Iterator[tuple[str, ...]]:
    for one in stored:
        xray = one.photo.xray
        if xray.split == split:
            yield row_of(xray, root, layout.natural(xray, one.photo.device))
    for kind, found in made.items():
        for xray in sorted(found, key=lambda x: x.index):
            if xray.split == split:
                yield row_of(xray, root, layout.synthetic(xray, kind))
