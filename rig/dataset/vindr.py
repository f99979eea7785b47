"""Boxes and labels in VinDr-CXR's form (Nguyen et al. 2022): columns are found by name.

`annotations_{train,test}.csv` has `image_id`, `class_name`, `x_min`, `y_min`, `x_max`, `y_max` and,
for the training set, `rad_id`. `image_labels_train.csv` is wide: `image_id`, `rad_id` and a column
of 0 and 1 per finding. Coordinates are pixel-edge, of the annotated picture.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rig.catalog.model import Xray
from rig.dataset.errors import DatasetError

NO_FINDING = "No finding"
_EDGES = ("x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True, slots=True)
class SourceBox:
    """A reader's finding in an x-ray; `edges` (left, top, right, bottom) is None for `No finding`.

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
    """Read `annotations_*.csv` files.

    Args:
        files: the files; their rows are put together.
        images: a CSV with `image_id` and `Path` (of the x-ray, as its catalog writes it), and
            optionally `width` and `height` of the annotated picture.

    Raises:
        DatasetError: a file cannot be read, a column is missing, or a value is no number.
    """
    boxes: dict[str, list[SourceBox]] = {}
    for file in files:
        for line, row in _rows(file, ("image_id", "class_name", *_EDGES)):
            reader = row.get("rad_id") or ""
            box = SourceBox(row["image_id"], reader, row["class_name"], _edges(file, line, row))
            boxes.setdefault(box.image, []).append(box)
    known = {} if images is None else dict(_images(images))
    return Annotations({image: tuple(found) for image, found in boxes.items()}, known)


def _images(file: Path) -> Iterator[tuple[str, tuple[str, int, int]]]:
    for line, row in _rows(file, ("image_id", "Path")):
        parts = PurePosixPath(row["Path"]).with_suffix("").parts[-3:]
        try:
            size = int(row.get("width") or 0), int(row.get("height") or 0)
        except ValueError as error:
            raise DatasetError(f"{file}, line {line}: width and height must be whole.") from error
        yield "/".join(parts), (row["image_id"], *size)


def _edges(
    file: Path, line: int, row: Mapping[str, str]
) -> tuple[float, float, float, float] | None:
    cells = [(row[name] or "").strip() for name in _EDGES]
    if not any(cells):
        return None
    try:
        left, top, right, bottom = (float(cell) for cell in cells)
    except ValueError as error:
        raise DatasetError(f"{file}, line {line}: {', '.join(cells)} is no box.") from error
    if not all(map(math.isfinite, (left, top, right, bottom))) or right < left or bottom < top:
        raise DatasetError(f"{file}, line {line}: {', '.join(cells)} is no box.")
    return left, top, right, bottom


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
    votes: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    names: list[str] = []
    for line, row in _rows(file, ("image_id",)):
        names = names or [name for name in row if name not in {"image_id", "rad_id"}]
        sums = votes.setdefault(row["image_id"], [0] * len(names))
        counts[row["image_id"]] = counts.get(row["image_id"], 0) + 1
        for place, name in enumerate(names):
            if row[name] not in {"0", "1", "0.0", "1.0"}:
                raise DatasetError(f"{file}, line {line}: {name} is {row[name]!r}, not 0 or 1.")
            sums[place] += row[name].startswith("1")
    if not names:
        raise DatasetError(f"{file} has no labels.")
    positive = {
        name: sum(2 * votes[image][place] > counts[image] for image in votes)
        for place, name in enumerate(names)
    }
    readers: dict[int, int] = {}
    for count in counts.values():
        readers[count] = readers.get(count, 0) + 1
    return ImageLabels(len(votes), dict(sorted(readers.items())), positive)
