"""COCO object detection: `instances_<split>.json`, boxes with the quadrilateral as segmentation.

`file_name` starts at the dataset's folder. Images without a box are listed too: that a reader found
nothing is worth knowing. Coordinates are pixel-edge in the picture as stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from PIL import Image, UnidentifiedImageError

from rig.dataset import layout
from rig.dataset.box_table import iter_boxes
from rig.dataset.boxes import area, clipped
from rig.dataset.errors import DatasetError
from rig.dataset.export import ExportReport, Progress
from rig.dataset.export.folder import new_folder
from rig.dataset.export.images import ImageRow, count, has_boxes, images
from rig.dataset.files import write_durably
from rig.dataset.labels import splits_of

_SLACK = 1e-6


def export(
    root: Path, out: Path | None = None, *, progress: Progress | None = None
) -> ExportReport:
    """Write one file per split; see `rig.dataset.export.export`. No picture is copied.

    Raises:
        DatasetError: the dataset has no boxes, or a box is not inside its picture.
    """
    total, done, boxes = count(root), 0, 0
    if not has_boxes(root):
        raise DatasetError(
            f"{root} has no {layout.BOXES}: build it with --boxes annotations_train.csv."
        )
    names = sorted({row["class_name"] for row in iter_boxes(root) if row["x_min"] is not None})
    categories = {name: number for number, name in enumerate(names, start=1)}
    with new_folder(root, "coco", out) as (folder, final):
        for split in splits_of(root):
            with write_durably(folder / f"instances_{split}.json") as handle:
                sizes = _write(handle, root, split, categories)
                for _, found in sizes:
                    done, boxes = done + 1, boxes + found
                    if progress:
                        progress(done, total)
    return ExportReport(final, done, boxes)


def _write(
    handle: TextIO, root: Path, split: str, categories: dict[str, int]
) -> Iterator[tuple[str, int]]:
    """Write one file, an item a line; gives path and boxes of every image."""
    info = {"description": f"{root.resolve().name}, {split}", "version": "1"}
    handle.write(f'{{"info": {json.dumps(info)},\n"licenses": [],\n"categories": ')
    listed = [{"id": number, "name": name} for name, number in categories.items()]
    handle.write(json.dumps(listed) + ',\n"images": [')
    comma = chain([""], iter(lambda: ",", None))
    for number, image in enumerate(images(root, split), start=1):
        width, height = _size(root, image)
        row = {"id": number, "file_name": image.path, "width": width, "height": height}
        handle.write(f"{next(comma)}\n{json.dumps(row)}")
        yield image.path, len(image.boxes)
    handle.write('\n],\n"annotations": [')
    comma, ident = chain([""], iter(lambda: ",", None)), 0
    for number, image in enumerate(images(root, split), start=1):
        for box in image.boxes:
            ident += 1
            row = _annotation(ident, number, box, categories)
            handle.write(f"{next(comma)}\n{json.dumps(row)}")
    handle.write("\n]}\n")


def _annotation(ident: int, image: int, box: Any, categories: dict[str, int]) -> dict[str, Any]:
    """One annotation; the segmentation is the quadrilateral as far as it is in the picture."""
    left, top, right, bottom = (box[n] for n in ("x_min", "y_min", "x_max", "y_max"))
    size = (box["width"], box["height"])
    inside = 0 <= left < right <= size[0] + _SLACK and 0 <= top < bottom <= size[1] + _SLACK
    if not inside:
        raise DatasetError(f"The box of {box['class_name']} in {box['path']} is not inside it.")
    flat = box["quad"]
    seen = clipped(list(zip(flat[::2], flat[1::2], strict=True)), size)
    return {
        "id": ident,
        "image_id": image,
        "category_id": categories[box["class_name"]],
        "bbox": [left, top, right - left, bottom - top],
        "area": abs(area(seen)),
        "iscrowd": 0,
        "segmentation": [[value for point in seen for value in point]],
        "visible": box["visible"],
        "reader": box["rad_id"],
    }


def _size(root: Path, image: ImageRow) -> tuple[int, int]:
    for known in (image.capture, *image.boxes[:1]):
        if known is not None and known.get("width"):
            return known["width"], known["height"]
    try:
        with Image.open(root / image.path) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{image.path} is no picture: {error}.") from error
