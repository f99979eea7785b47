"""Hugging Face `imagefolder`: a `metadata.parquet` per split with one explicit schema.

`datasets.load_dataset(OUT)` gives `train` and `validation` with a decoded `image`. Parquet, because
types guessed from CSVs differ between splits and such a folder does not load.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from rig.catalog.model import OBSERVATIONS
from rig.dataset import layout
from rig.dataset.export import ExportReport, Progress
from rig.dataset.export.folder import new_folder, place
from rig.dataset.export.images import ImageRow, count, factors, has_boxes, images
from rig.dataset.files import write_durably
from rig.dataset.labels import splits_of
from rig.dataset.row_groups import RowWriter

_TEXTS = ("Path", "Sex", "Frontal/Lateral", "AP/PA", "source", "patient", "study", "view")
_OBJECTS = pa.struct(
    [("bbox", pa.list_(pa.list_(pa.float32(), 4))), ("category", pa.list_(pa.string()))]
)
"""Boxes as object detection expects them: left, top, width, height in pixels."""


def export(
    root: Path, out: Path | None = None, *, copy: bool = False, progress: Progress | None = None
) -> ExportReport:
    """Write the dataset for `imagefolder`; see `rig.dataset.export.export`."""
    total, done, boxes = count(root), 0, 0
    names = factors(root)
    schema = _schema(names, objects=has_boxes(root))
    with new_folder(root, "hf", out) as (folder, final):
        for split in splits_of(root):
            (folder / split).mkdir()
            file = folder / split / "metadata.parquet"
            with RowWriter(file, schema, compression="snappy") as writer:
                for image in images(root, split):
                    place(root / image.path, folder / image.path, copy=copy)
                    writer.add(_row(image, names))
                    done, boxes = done + 1, boxes + len(image.boxes)
                    if progress:
                        progress(done, total)
        _card(root, folder)
    return ExportReport(final, done, boxes)


def _card(root: Path, folder: Path) -> None:
    """The dataset's card under the block that the hub wants at its head."""
    card = root / layout.CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    with write_durably(folder / layout.CARD) as handle:
        handle.write(f"---\npretty_name: {root.resolve().name}\n---\n\n{text}")


def _schema(names: list[str], *, objects: bool) -> pa.Schema:
    fields = [("file_name", pa.string()), *((name, pa.string()) for name in _TEXTS)]
    fields += [("Age", pa.float32()), *((name, pa.float32()) for name in OBSERVATIONS)]
    fields += [("environment", pa.string()), ("score", pa.float32())]
    fields += [(name, pa.string()) for name in names]
    if objects:
        fields.append(("objects", _OBJECTS))
    return pa.schema(fields)


def _row(image: ImageRow, names: list[str]) -> dict[str, Any]:
    values, found, capture = image.row.values, image.place, image.capture or {}
    return {
        "file_name": image.path.partition("/")[2],
        "Path": values[0],
        "Sex": values[1] or None,
        "Frontal/Lateral": values[3] or None,
        "AP/PA": values[4] or None,
        "source": found.source,
        "patient": found.patient,
        "study": found.study,
        "view": found.view,
        "Age": image.age,
        **image.labels,
        "environment": capture.get("environment"),
        "score": capture.get("score"),
        **{name: capture.get(name) for name in names},
        "objects": {
            "bbox": [
                [b["x_min"], b["y_min"], b["x_max"] - b["x_min"], b["y_max"] - b["y_min"]]
                for b in image.boxes
            ],
            "category": [b["class_name"] for b in image.boxes],
        },
    }
