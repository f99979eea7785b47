"""Boxes and labels in VinDr-CXR's form (Nguyen et al. 2022): columns are found by name.

`annotations_{train,test}.csv` has `image_id`, `class_name`, `x_min`, `y_min`, `x_max`, `y_max` and,
for the training set, `rad_id`. `image_labels_train.csv` is wide: `image_id`, `rad_id` and a column
of 0 and 1 per finding. Coordinates are pixel-edge, of the annotated picture.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from rig.catalog import vindr_read
from rig.catalog.model import Xray
from rig.catalog.vindr_model import Labels, RowProblem, majority
from rig.catalog.vindr_names import NO_FINDING
from rig.catalog.vindr_read import Places, read_labels
from rig.dataset.errors import DatasetError
from rig.errors import UserError

__all__ = [
    "NO_FINDING",
    "Annotations",
    "ImageLabels",
    "SourceBox",
    "read_annotations",
    "read_image_labels",
]

_SHOWN = 5
"""Broken rows a refusal names."""
_T_co = TypeVar("_T_co", covariant=True)


class _Reader(Protocol[_T_co]):
    """One of the catalog's readers."""

    def __call__(
        self,
        file: Path,
        split: str,
        problems: list[RowProblem],
        places: Places,
        *,
        any_finding: bool,
    ) -> _T_co: ...


@dataclass(frozen=True, slots=True)
class SourceBox:
    """A reader's finding in an x-ray.

    `edges` (left, top, right, bottom) is None for `No finding` and for what has no box: a finding
    of the whole image, or one that only the image labels tell.

    `image` is VinDr's image_id; `reader` is its rad_id, or empty.
    """

    image: str
    reader: str
    name: str
    edges: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class Annotations:
    """All findings by image, and which x-ray each image is.

    Attributes:
        boxes: image_id -> its findings in the order of the file.
        images: key of an x-ray (`patient/study/view`) -> (image_id, width, height); width and
            height are those of the annotated picture, 0 when it is the x-ray's own size. Empty:
            an x-ray is the image whose id is one of the parts of its key.
    """

    boxes: Mapping[str, tuple[SourceBox, ...]]
    images: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)

    def of(self, xray: Xray) -> tuple[SourceBox, ...]:
        """The findings of *xray*, in its own pixels."""
        if not self.images:
            parts = [part for part in xray.key.split("/") if part in self.boxes]
            return self.boxes[parts[-1]] if parts else ()
        image, width, height = self.images.get(xray.key, ("", 0, 0))
        found = self.boxes.get(image, ())
        if not width or (width, height) == (xray.width, xray.height):
            return found
        return tuple(_scaled(box, xray.width / width, xray.height / height) for box in found)


def read_annotations(*files: Path, images: Path | None = None) -> Annotations:
    """Read `annotations_*.csv` and `image_labels_*.csv` files.

    What a reader says of an image in the latter alone is a finding without a box. Findings may be
    others than VinDr-CXR's 28; those have VinDr's own spelling afterwards.

    Args:
        files: the files; their rows are put together.
        images: a CSV with `image_id` and `Path` (of the x-ray, as its catalog writes it), and
            optionally `width` and `height` of the annotated picture.

    Raises:
        DatasetError: a file cannot be read, a column is missing, or rows are broken.
    """
    found: dict[str, list[SourceBox]] = {}
    said: list[Labels] = []
    for file in files:
        if _is_wide(file):
            said += _taken(read_labels, file)[0]
            continue
        for box in _taken(vindr_read.read_annotations, file)[0]:
            one = SourceBox(box.image, box.reader, box.finding, box.edges)
            found.setdefault(box.image, []).append(one)
    for row in said:
        rows = found.setdefault(row.image, [])
        drawn = {box.name for box in rows if box.reader == row.reader}
        rows += (SourceBox(row.image, row.reader, n, None) for n in sorted(row.positive - drawn))
    known = {} if images is None else dict(_images(images))
    return Annotations({image: tuple(rows) for image, rows in found.items()}, known)


def _is_wide(file: Path) -> bool:
    """Whether *file* has a column per finding; what is wrong with it is told by who reads it."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            header = [name.strip() for name in next(csv.reader(handle), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return "image_id" in header and "class_name" not in header


def _taken(reader: _Reader[_T_co], file: Path) -> _T_co:
    """What the catalog's *reader* makes of *file*; a row that it cannot use is an error here."""
    problems: list[RowProblem] = []
    try:
        result = reader(file, "train", problems, Places(), any_finding=True)
    except UserError as error:
        raise DatasetError(str(error)) from error
    if problems:
        more = f" ... and {len(problems) - _SHOWN} more." if len(problems) > _SHOWN else ""
        raise DatasetError(" ".join(map(str, problems[:_SHOWN])) + more)
    return result


def _images(file: Path) -> Iterator[tuple[str, tuple[str, int, int]]]:
    for line, row in _rows(file, ("image_id", "Path")):
        parts = PurePosixPath(row["Path"]).with_suffix("").parts[-3:]
        try:
            size = int(row.get("width") or 0), int(row.get("height") or 0)
        except ValueError as error:
            raise DatasetError(f"{file}, line {line}: width and height must be whole.") from error
        yield "/".join(parts), (row["image_id"], *size)


def _scaled(box: SourceBox, x: float, y: float) -> SourceBox:
    if box.edges is None:
        return box
    left, top, right, bottom = box.edges
    return SourceBox(box.image, box.reader, box.name, (left * x, top * y, right * x, bottom * y))


def _rows(file: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of every row of *file*, which must have the columns *needed*."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
                raise DatasetError(f"{file} has no column {missing[0]!r}.")
            for row in reader:
                if None in row or None in row.values():
                    raise DatasetError(f"{file}, line {reader.line_num}: cells are missing.")
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file} cannot be read as CSV: {error}.") from error


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """Image labels of several readers, put to the vote.

    Attributes:
        images: how many images.
        readers: readers per image: number of readers -> images.
        positive: finding -> images for which more than half of their readers say 1, in the order
            of the file.
    """

    images: int
    readers: Mapping[int, int]
    positive: Mapping[str, int]


def read_image_labels(file: Path) -> ImageLabels:
    """Read a wide `image_labels_*.csv`; a tie of the readers is not a majority.

    Raises:
        DatasetError: the file cannot be read, has no labels, or a label is not 0 or 1.
    """
    rows, columns = _taken(read_labels, file)
    if not columns.findings:
        raise DatasetError(f"{file} has no rows of labels.")
    opinions: dict[str, dict[str, frozenset[str]]] = {}
    for row in rows:
        opinions.setdefault(row.image, {})[row.reader] = row.positive
    votes = Counter(len(them) for them in opinions.values())
    positive = {
        name: sum(majority(them, (name,)) for them in opinions.values())
        for name in columns.findings
    }
    return ImageLabels(len(opinions), dict(sorted(votes.items())), positive)
