"""Writing VinDr-CXR's tables, under other image ids if need be."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rig.catalog.vindr_model import Box, Columns, Labels, VindrTables
from rig.catalog.vindr_names import FINDINGS
from rig.durable import write_atomic

_EDGES = ("x_min", "y_min", "x_max", "y_max")


def write_tables(
    tables: VindrTables,
    ids: Mapping[str, str],
    folder: Path,
    *,
    splits: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Write the rows of the images in *ids* to *folder*, durably, under their new ids.

    A split's columns are written as its file spelled them; what comes back when they are read is
    equal. A finding that a file did not ask about is not written as denied.

    Args:
        tables: what was read.
        ids: image_id in *tables* -> image_id to write.
        folder: gets `annotations_<split>.csv` and `image_labels_<split>.csv`, whichever have rows.
        splits: new image_id -> split; without, the split it was read from.

    Returns:
        How many `boxes` and `labels` (rows) were written, and how many images were `unknown`: named
        by the tables, but not in *ids*.

    Raises:
        OSError: *folder* cannot be written.
    """
    boxes: dict[str, list[Box]] = {}
    for box in tables.boxes:
        if (new := ids.get(box.image)) is not None:
            split = (splits or {}).get(new, box.split)
            boxes.setdefault(split, []).append(Box(new, box.reader, box.finding, box.edges, split))
    labels: dict[str, list[tuple[Labels, Columns]]] = {}
    for row in tables.labels:
        if (new := ids.get(row.image)) is not None:
            split = (splits or {}).get(new, row.split)
            moved = Labels(new, row.reader, row.positive, split)
            labels.setdefault(split, []).append((moved, tables.columns[row.split]))
    for split, found in boxes.items():
        readers = tables.named.get(split, any(box.reader for box in found))
        write_atomic(folder / f"annotations_{split}.csv", annotations_csv(found, readers=readers))
    for split, rows in labels.items():
        write_atomic(folder / f"image_labels_{split}.csv", labels_csv(rows))
    return {
        "boxes": sum(map(len, boxes.values())),
        "labels": sum(map(len, labels.values())),
        "unknown": sum(image not in ids for image in tables.splits),
    }


def annotations_csv(boxes: Iterable[Box], *, readers: bool) -> bytes:
    """The bytes of an `annotations_*.csv`, with a rad_id or without."""
    rows: list[Sequence[object]] = [
        ("image_id", *(("rad_id",) if readers else ()), "class_name", *_EDGES)
    ]
    for box in boxes:
        who = (box.reader,) if readers else ()
        rows.append((box.image, *who, box.finding, *(box.edges or ("",) * 4)))
    return _text(rows)


def labels_csv(rows: Sequence[tuple[Labels, Columns]]) -> bytes:
    """The bytes of an `image_labels_*.csv`; every row comes with the columns it was read with."""
    kinds = list(dict.fromkeys(columns for _, columns in rows))
    columns = kinds[0] if len(kinds) == 1 else _common(kinds)
    who = ("rad_id",) if columns.readers else ()
    out: list[Sequence[object]] = [("image_id", *who, *columns.names)]
    for row, _ in rows:
        bits = [int(name in row.positive) for name in columns.findings]
        out.append((row.image, *((row.reader,) if columns.readers else ()), *bits))
    return _text(out)


def _common(kinds: Sequence[Columns]) -> Columns:
    """What all of *kinds* ask about: files of different columns come together."""
    asked = frozenset.intersection(*(frozenset(kind.findings) for kind in kinds))
    names = tuple(name for name in FINDINGS if name in asked)
    return Columns(names, names, readers=any(kind.readers for kind in kinds))


def _text(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
