"""Six x-rays of four patients in two splits, photos of five of them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rig.catalog.model import Xray
from rig.dataset.build import build
from rig.dataset.model import BuildReport, CapturedPhoto, Gap
from rig.dataset.vindr import read_annotations
from rig.planning.model import Environment

DARK = Environment("e01-dark", {"light": "off", "blinds": "shut"})
BRIGHT = Environment("e02-bright", {"light": "on", "blinds": "shut", "cursor": "shown"})
EYE = ((2.0, 0.0, 10.0), (0.0, 2.0, 20.0), (0.0, 0.0, 1.0))
KEYS = (
    ("patient00001/study1/view1_frontal", "train", ("1.0", "", "0.0")),
    ("patient00001/study2/view1_frontal", "train", ("-1.0", "", "0.0")),
    ("patient00002/study1/view1_frontal", "train", ("", "1.0", "")),
    ("patient00003/study1/view1_frontal", "train", ("0.0", "1.0", "")),
    ("patient00004/study1/view1_frontal", "valid", ("1.0", "", "")),
    ("patient00004/study1/view2_frontal", "valid", ("", "", "-1.0")),
)


def jpeg(seed: int, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0]), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(out, "JPEG", **options)
    return out.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Kit:
    """A campaign's worth of input, and how to build it."""

    folder: Path
    xrays: list[Xray] = field(default_factory=list)
    photos: list[CapturedPhoto] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def root(self) -> Path:
        return self.out / "Test-v1.0"

    def photo(self, index: int, data: bytes | None = None, **changes: Any) -> CapturedPhoto:
        data = jpeg(100 + index) if data is None else data
        xray = self.xrays[index - 1]
        file = self.folder / f"photo{index}.jpg"
        file.write_bytes(data)
        environment = DARK if index % 2 else BRIGHT
        base = CapturedPhoto(
            xray, file, "s" * 17, 1, environment, "nokia", 1, 1_700_000_000_123_456_789 + index,
            sha(data), 0.9 + index / 100, EYE,
        )  # fmt: skip
        return replace(base, **changes)

    def build(self, **changes: Any) -> BuildReport:
        options: dict[str, Any] = {
            "name": "Test",
            "version": "1.0",
            "xrays": self.xrays,
            "photos": self.photos,
            "gaps": self.gaps,
            "synthetic": ("digital", "spatial"),
            "seed": 5,
            "terms": "CC0, made by a test.",
        }
        return build(self.out, **(options | changes))


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    made = Kit(tmp_path)
    for index, (key, split, labels) in enumerate(KEYS, start=1):
        file = tmp_path / "xrays" / f"{key}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(index, (40, 50)))
        path = f"Source/{split}/{key}.jpg"
        row = (path, "Female", str(50 + index), "Frontal", "AP", *labels, *[""] * 11)
        made.xrays.append(Xray(index, key, path, file, sha(file.read_bytes()), 40, 50, split, row))
    made.photos = [made.photo(index) for index in (1, 2, 3, 5, 6)]
    made.gaps = [Gap(4, made.xrays[3].key, "The photo has not come back.")]
    return made


FINDINGS = (
    # image_id, rad_id, class_name, x_min, y_min, x_max, y_max: of x-rays of 40 x 50 pixels.
    ("patient00001", "R1", "Cardiomegaly", "10", "20", "30", "40.5"),
    ("patient00001", "R2", "Cardiomegaly", "11", "21", "29", "41"),
    ("patient00001", "R2", "Nodule/Mass", "2", "3", "6.5", "9"),
    ("patient00002", "R1", "No finding", "", "", "", ""),
    ("patient00004", "R1", "Nodule/Mass", "20", "30", "39", "49"),
)


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """An `annotations_train.csv`, its columns in an order of its own."""
    file = tmp_path / "annotations_train.csv"
    lines = ["rad_id,image_id,class_name,y_min,x_min,y_max,x_max"]
    for image, reader, name, left, top, right, bottom in FINDINGS:
        lines.append(f"{reader},{image},{name},{top},{left},{bottom},{right}")
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def boxed(kit: Kit, annotations: Path) -> Kit:
    """The built kit with boxes."""
    kit.build(annotations=read_annotations(annotations))
    return kit


@pytest.fixture
def built(kit: Kit) -> Kit:
    kit.build()
    return kit
