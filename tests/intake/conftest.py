"""X-rays of the bundled sample, and what a camera would make of them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import rig.sample
from rig.intake.batch import ExpectedBatch, XraySource
from rig.intake.match import CommittedCapture
from rig.intake.read import read_grey
from rig.protocol.names import PhotoName, encode_name
from rig.simulation.optics import shoot

Grey = NDArray[np.uint8]
CAMPAIGN = "00112233445566aa"


@dataclass(frozen=True)
class Sample:
    """The sample's x-rays in CSV order: files, keys and pixels."""

    files: tuple[Path, ...]
    keys: tuple[str, ...]
    pixels: tuple[Grey, ...]

    def at(self, tail: str) -> Grey:
        return self.pixels[self.keys.index(tail)]

    @property
    def same_patient(self) -> list[tuple[int, int]]:
        """Ordered pairs of different x-rays of one patient."""
        who = [key.split("/")[0] for key in self.keys]
        places = range(len(who))
        return [(a, b) for a in places for b in places if a != b and who[a] == who[b]]


@pytest.fixture(scope="session")
def sample() -> Sample:
    with rig.sample.csv_path().open(newline="") as handle:
        paths = [row["Path"] for row in csv.DictReader(handle)]
    files = tuple(rig.sample.data_dir() / path for path in paths)
    keys = tuple("/".join(Path(path).with_suffix("").parts[-3:]) for path in paths)
    return Sample(files, keys, tuple(read_grey(f) for f in files))


def compose(xray: Grey, width: int = 1920, height: int = 1080) -> tuple[Grey, NDArray[np.float64]]:
    """The frame a monitor shows, and the pixel-edge homography x-ray -> frame."""
    h, w = xray.shape
    scale = min(width / w, height / h)
    nw, nh = round(w * scale), round(h * scale)
    x, y = (width - nw) // 2, (height - nh) // 2
    frame = np.zeros((height, width), np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    frame[y : y + nh, x : x + nw] = cv2.resize(xray, (nw, nh), interpolation=way)
    return frame, np.array([[nw / w, 0, x], [0, nh / h, y], [0, 0, 1.0]])


def jpeg(image: Grey, quality: int = 90) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality)
    return out.getvalue()


def decoded(data: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="session")
def frame_of() -> Callable[[Grey], Grey]:
    """The frame as its JPEG shows it."""
    return lambda xray: decoded(jpeg(compose(xray)[0]))


@pytest.fixture(scope="session")
def composed() -> Callable[[Grey], tuple[Grey, NDArray[np.float64]]]:
    return compose


@pytest.fixture(scope="session")
def photo_of() -> Callable[..., tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """A simulated photo of a frame, and the homography x-ray -> photo."""

    def photo(
        xray: Grey, seed: int, preset: str = "typical", frame: Grey | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        shown, to_frame = compose(xray)
        picture = Image.fromarray(shown if frame is None else frame)
        shot = shoot(picture, preset, np.random.default_rng(seed))  # type: ignore[arg-type]
        return decoded(jpeg(np.asarray(shot.photo))), shot.homography @ to_frame

    return photo


@dataclass
class Batch:
    """A small session on disk: photos, their captures and x-rays."""

    folder: Path
    sample: Sample
    committed: dict[tuple[int, int], CommittedCapture] = field(default_factory=dict)

    def name(self, at: int, data: bytes, **changes: object) -> str:
        fields = {
            "campaign": CAMPAIGN,
            "subset": 1,
            "index": at,
            "attempt": 1,
            "env": "e01-dark",
            "key": self.sample.keys[at - 1],
            "meta16": "0" * 16,
            "photo16": hashlib.sha256(data).hexdigest()[:16],
        }
        return encode_name(PhotoName(**(fields | changes)))  # type: ignore[arg-type]

    def commit(self, index: int, data: bytes | None = None, *, write: bool = True) -> Path:
        """Commit index (from 1) with *data*, by default its frame; returns the photo's path."""
        if data is None:
            data = jpeg(compose(self.sample.pixels[index - 1])[0])
        name = self.name(index, data)
        digest = hashlib.sha256(data).hexdigest()
        self.committed[index, 1] = CommittedCapture(index, 1, digest, name, len(data))
        path = self.folder / name
        if write:
            path.write_bytes(data)
        return path

    @property
    def expected(self) -> ExpectedBatch:
        return ExpectedBatch(first=1, committed=self.committed)

    def source(self, index: int) -> XraySource:
        file = self.sample.files[index - 1]
        return XraySource(file, hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.fixture
def batch(tmp_path: Path, sample: Sample) -> Batch:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return Batch(folder, sample)
