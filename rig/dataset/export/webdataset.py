"""WebDataset: tar shards by split; a sample is a picture and all that is known of it as JSON.

The key is the path without its extension. Shards are the same for the same dataset: names, times
and owners inside are fixed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.dataset.export import ExportReport, Progress
from rig.dataset.export.extras import package
from rig.dataset.export.folder import new_folder
from rig.dataset.export.images import ImageRow, count, images
from rig.dataset.labels import splits_of

SHARD_IMAGES = 1000
SHARD_BYTES = 1_000_000_000
"""A shard ends with the image that reaches either."""
_BOX = ("rad_id", "class_name", "x_min", "y_min", "x_max", "y_max", "visible", "quad")


def export(
    root: Path, out: Path | None = None, *, progress: Progress | None = None
) -> ExportReport:
    """Write `<split>-000000.tar` and so on; see `rig.dataset.export.export`."""
    writer = package("webdataset", "The WebDataset export").TarWriter
    total, done, boxes = count(root), 0, 0
    with new_folder(root, "webdataset", out) as (folder, final):
        for split in splits_of(root):
            shards = _Shards(folder, split, writer)
            with shards.open():
                for image in images(root, split):
                    shards.add(image, (root / image.path).read_bytes())
                    done, boxes = done + 1, boxes + len(image.boxes)
                    if progress:
                        progress(done, total)
    return ExportReport(final, done, boxes)


class _Shards:
    """The shards of one split, one open at a time."""

    def __init__(self, folder: Path, split: str, writer: Any) -> None:
        self._folder, self._split, self._writer = folder, split, writer
        self._number = self._images = self._bytes = 0
        self._handle: Any = None
        self._tar: Any = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Close the last shard in the end."""
        try:
            yield
        finally:
            self._close()

    def add(self, image: ImageRow, picture: bytes) -> None:
        """Append one sample."""
        if self._tar is None:
            file = self._folder / f"{self._split}-{self._number:06d}.tar"
            self._handle = file.open("wb")
            self._tar = self._writer(self._handle, encoder=False, mtime=0.0, user="", group="")
        told = (json.dumps(_json(image)) + "\n").encode()
        key, _, kind = image.path.rpartition(".")
        self._tar.write({"__key__": _key(key), kind.lower(): picture, "json": told})
        self._images += 1
        self._bytes += len(picture) + len(told)
        if self._images >= SHARD_IMAGES or self._bytes >= SHARD_BYTES:
            self._close()

    def _close(self) -> None:
        if self._tar is None:
            return
        self._tar.close()
        if not self._handle.closed:
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()
        self._tar = None
        self._number += 1
        self._images = self._bytes = 0


def _key(path: str) -> str:
    """*path*; a dot in the last name would end the key there and is written as `%2E`."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.replace("%", "%25").replace(".", "%2E")


def _json(image: ImageRow) -> dict[str, Any]:
    values, capture = image.row.values, image.capture or {}
    told = {
        "Path": values[0],
        "Sex": values[1] or None,
        "Age": image.age,
        "Frontal/Lateral": values[3] or None,
        "AP/PA": values[4] or None,
        "labels": image.labels,
        "split": image.row.split,
        "source": image.place.source,
        "patient": image.place.patient,
        "study": image.place.study,
        "view": image.place.view,
    }
    known = {k: v for k, v in capture.items() if k in {"environment", "score", "homography"}}
    factors = {k: v for k, v in capture.items() if k.startswith("factor_") and v is not None}
    found = [{name: box[name] for name in _BOX} for box in image.boxes]
    return told | known | factors | ({"boxes": found} if found else {})
