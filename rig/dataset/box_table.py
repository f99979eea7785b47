"""`boxes.parquet` and `boxes.csv`: a row per finding and picture, dropped ones with the reason."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from rig.dataset import layout, row_groups
from rig.dataset.boxes import Matrix, carry
from rig.dataset.errors import DatasetError
from rig.dataset.row_groups import RowWriter
from rig.dataset.vindr import SourceBox

_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("path", pa.string()),
    ("split", pa.string()),
    ("image_id", pa.string()),
    ("rad_id", pa.string()),
    ("class_name", pa.string()),
    ("x_min", pa.float64()),
    ("y_min", pa.float64()),
    ("x_max", pa.float64()),
    ("y_max", pa.float64()),
    ("visible", pa.float64()),
    ("dropped", pa.string()),
    ("quad", pa.list_(pa.float64())),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("source_box", pa.list_(pa.float64())),
)
_SCHEMA = pa.schema(_COLUMNS)


class BoxWriter:
    """Writes both files as rows come, complete when the block ends; nothing without a folder.

    Attributes:
        kept: findings with a box so far.
        dropped: findings that fall out of their picture so far.
    """

    def __init__(self, folder: Path | None, *, visible: float) -> None:
        self.kept = self.dropped = 0
        self._visible = visible
        self._parquet: RowWriter | None = None
        self._text: TextIO | None = None
        if folder is not None:
            self._parquet = RowWriter(folder / layout.BOXES, _SCHEMA)
            self._text = (folder / layout.BOXES_CSV).open("w", encoding="utf-8", newline="")
            self._csv = csv.writer(self._text, lineterminator="\n")
            self._csv.writerow(name for name, _ in _COLUMNS)

    def add(
        self,
        path: str,
        split: str,
        found: Sequence[SourceBox],
        homography: Matrix | None,
        size: tuple[int, int] | None,
    ) -> None:
        """Carry the findings of an x-ray into its picture at *path* of *size*."""
        for box in found:
            row = _row(path, split, box, homography, size, self._visible)
            self.dropped += row["dropped"] is not None
            self.kept += row["x_min"] is not None
            if self._parquet is not None:
                self._parquet.add(row)
                self._csv.writerow([_cell(row[name]) for name, _ in _COLUMNS])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._text is None or self._parquet is None:
            return
        self._parquet.__exit__(kind, error, trace)
        self._text.flush()
        os.fsync(self._text.fileno())
        self._text.close()


def _row(
    path: str,
    split: str,
    box: SourceBox,
    homography: Matrix | None,
    size: tuple[int, int] | None,
    visible: float,
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(name for name, _ in _COLUMNS)
    width, height = size or (None, None)
    row |= {"path": path, "split": split, "image_id": box.image, "rad_id": box.reader or None}
    row |= {"class_name": box.name, "width": width, "height": height}
    if box.edges is None:
        return row
    row["source_box"] = list(box.edges)
    if homography is None or size is None:
        row["dropped"] = "It is not known where the x-ray is in the picture."
        return row
    carried = carry(box.edges, homography, size, visible=visible)
    row |= {"visible": carried.visible, "dropped": carried.dropped}
    if carried.quad is not None:
        row["quad"] = [value for point in carried.quad for value in point]
    if carried.edges is not None:
        row |= dict(zip(("x_min", "y_min", "x_max", "y_max"), carried.edges, strict=True))
    return row


def _cell(value: object) -> object:
    """Lists as numbers with spaces between them; null as nothing."""
    return " ".join(repr(one) for one in value) if isinstance(value, list) else value


def iter_boxes(root: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a dataset's boxes, streamed; none when it has no boxes.

    Raises:
        DatasetError: the file is damaged or has other columns.
    """
    file = root / layout.BOXES
    if not file.is_file():
        return
    try:
        with pq.ParquetFile(file) as parquet:
            if parquet.schema_arrow.names != [name for name, _ in _COLUMNS]:
                raise DatasetError(f"{file} has other columns than a table of boxes.")
            yield from row_groups.rows(parquet)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error
