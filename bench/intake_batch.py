"""A batch to take in: different x-rays, a photo of each on a card, a home that expects them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from rig.capture import campaigns, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import AgentEvent
from rig.catalog.model import COLUMNS, Xray
from rig.planning.model import Environment
from rig.protocol.names import PhotoName, encode_name
from rig.sample import csv_path, data_dir
from rig.simulation.optics import photograph
from rig.store import catalogs
from rig.store.database import Database
from rig.synthesis.pool import make_pool

PRESET: Literal["typical"] = "typical"
SESSION = "s" + "b" * 16
CAMPAIGN = "be" * 8
CATALOG = "c" * 16
SCREEN = (1920, 1080)
CUT = 0.08
"""Share of a side that is cut off an x-ray at most: the sample has fewer x-rays than a batch."""
TRIPOD = 7
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """What was shot: x-rays and their table below *data*, photos on *card*, in order of index."""

    data: Path
    card: Path
    photos: tuple[tuple[str, str, int], ...]
    """Of each photo, from index 1: name, SHA-256, bytes."""

    @property
    def table(self) -> Path:
        """The x-rays in CheXpert's form."""
        return self.data / "xrays.csv"

    @property
    def count(self) -> int:
        """How many photos."""
        return len(self.photos)

    @property
    def bytes(self) -> int:
        """Of all photos together."""
        return sum(size for _, _, size in self.photos)


def photographed(
    folder: Path, count: int, megapixels: float, workers: int, tell: Callable[[str], None]
) -> Batch:
    """Make *count* x-rays, no two alike, and photograph each; all from one tripod.

    Raises:
        ValueError: two photos have the same bytes.
    """
    data, card = folder / "data", folder / "card"
    card.mkdir(parents=True)
    data.mkdir()
    with csv_path().open(newline="") as handle:
        sample = [data_dir() / row["Path"] for row in csv.DictReader(handle)]
    taken = []
    with make_pool(workers) as pool, (data / "xrays.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        jobs = partial(_photograph, sample, data, card, megapixels)
        for index, photo in enumerate(pool.map(jobs, range(1, count + 1)), 1):
            writer.writerow([f"{key_of(index)}.jpg", "Female", "60", "Frontal", "PA", *[""] * 14])
            taken.append(photo)
            if index % 50 == 0:
                tell(f"  {index} photographed")
    if len({digest for _, digest, _ in taken}) != count:
        raise ValueError("two photos of the batch have the same bytes")
    return Batch(data, card, tuple(taken))


def key_of(index: int) -> str:
    """The key of an x-ray: a patient of its own."""
    return f"patient{index:05d}/study1/view1_frontal"


def _photograph(
    sample: list[Path], data: Path, card: Path, megapixels: float, index: int
) -> tuple[str, str, int]:
    """One x-ray and its photo on disk; name, SHA-256 and size of the photo."""
    draw = np.random.default_rng([index, TRIPOD])
    with Image.open(sample[(index - 1) % len(sample)]) as image:
        whole = image.convert("L")
    left, top, right, bottom = draw.uniform(0, CUT, 4)
    box = (left * whole.width, top * whole.height, (1 - right) * whole.width,
           (1 - bottom) * whole.height)  # fmt: skip
    xray = whole.crop(tuple(round(side) for side in box))
    file = data / f"{key_of(index)}.jpg"
    file.parent.mkdir(parents=True)
    xray.save(file, quality=95)
    frame = Image.new("L", SCREEN)
    scale = min(SCREEN[0] / xray.width, SCREEN[1] / xray.height)
    shown = xray.resize((round(xray.width * scale), round(xray.height * scale)))
    frame.paste(shown, ((SCREEN[0] - shown.width) // 2, (SCREEN[1] - shown.height) // 2))
    tripod = np.random.default_rng(TRIPOD)
    photo = photograph(frame, PRESET, draw, megapixels=megapixels, tripod=tripod)
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=90)
    jpeg = out.getvalue()
    digest = hashlib.sha256(jpeg).hexdigest()
    name = encode_name(PhotoName(CAMPAIGN, 1, index, 1, "e1", key_of(index), "0" * 16, digest[:16]))
    (card / name).write_bytes(jpeg)
    return name, digest, len(jpeg)


def new_home(home: Path, batch: Batch) -> Path:
    """A home with the x-rays in one subset that was shot; no photo has come back yet."""
    home.mkdir()
    with Database.open(home / "rig.db") as database:
        import_catalog(
            database, new_id=CATALOG, name="bench", csv=batch.table, data_dir=batch.data,
            order="csv", seed=0, skip_bad=False, now_ns=1, actor="bench",
        )  # fmt: skip
        database.write_now(partial(_plan, count=batch.count))
        with database.read() as connection:
            xrays = catalogs.xrays(connection, CATALOG)
        events = [_committed(xray, batch.photos[xray.index - 1]) for xray in xrays]
        for at in range(0, len(events), _TOGETHER):
            some = events[at : at + _TOGETHER]
            database.write_now(partial(sessions.ingest, station="bench", batch=some, now_ns=60))
    return home


def _plan(connection: Any, count: int) -> None:
    campaigns.create(
        connection, new_id=CAMPAIGN, name="bench", catalog="bench", device="phone",
        chosen=[Environment("e1", {})], size_min=count, size_max=count, seed=1, now_ns=2,
    )  # fmt: skip
    stations.add(connection, "bench", "token", 3)
    sessions.create(connection, new_id=SESSION, campaign="bench", subset=1, station="bench",
                    now_ns=4)  # fmt: skip


def _committed(xray: Xray, photo: tuple[str, str, int]) -> AgentEvent:
    name, digest, size = photo
    return AgentEvent(
        event="committed", session=SESSION, seq=xray.index, time_ns=50, index=xray.index, attempt=1,
        sha256=digest, size=size, name=name, source_sha256=xray.sha256,
    )  # fmt: skip
