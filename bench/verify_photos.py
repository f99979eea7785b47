"""The photos of the verification bench: planned, rendered once, kept, reused."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from bench.programs import BenchError
from display_agent.compose import Composition, compose
from rig.durable import write_atomic
from rig.intake.read import read_grey
from rig.simulation import mishaps
from rig.simulation.optics import PRESETS, shoot
from rig.synthesis.pool import make_pool

SCREEN = (1920, 1080)
SERIES = 4
"""Photos that share a tripod: pose, reflections and surroundings stay, noise does not."""
LARGE, SMALL, TINY = 12.0, 3.0, 2.0
"""Megapixels: of a phone, of the many that only have to be accepted or refused, and for a quick
look."""
SALT = "verification-4"
"""Chosen for halves of like size (58 and 90 x-rays), before anything was looked at."""
Grey = mishaps.Grey


@dataclass(frozen=True, slots=True)
class Source:
    """An x-ray: its file and its key, patient first."""

    file: Path
    key: str

    @property
    def patient(self) -> str:
        return self.key.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Order:
    """A photo to be made.

    Attributes:
        kind: "true", or the mishap.
        preset: of the optics.
        at: place of the x-ray in the list; the one before it was shown before.
        megapixels: of the photo.
        round, series: the tripod is the same within (kind, preset, round, series).
        share: of the mishap.
    """

    kind: str
    preset: str
    at: int
    megapixels: float
    round: int
    series: int
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo made, and its truth: homography x-ray -> photo, pixel-edge."""

    order: Order
    file: Path
    homography: tuple[tuple[float, ...], ...]


def half_of(patient: str) -> str:
    """The half a patient belongs to, for good: "tuning" or "test"."""
    return ("tuning", "test")[hashlib.sha256(f"{SALT}:{patient}".encode()).digest()[0] % 2]


def sources(table: Path, half: str) -> list[Source]:
    """The x-rays of *half* in the order of the CheXpert CSV *table*; "all" takes both.

    Raises:
        BenchError: the table cannot be read or has no such x-rays.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            paths = [row["Path"] for row in csv.DictReader(handle)]
    except (OSError, KeyError, csv.Error, UnicodeDecodeError) as error:
        raise BenchError(f"{table} is not a CSV with a column Path ({error}).") from error
    found = []
    for path in paths:
        key = "/".join(Path(path).with_suffix("").parts[-3:])
        if half in {"all", half_of(key.split("/", 1)[0])}:
            found.append(Source(table.parent.joinpath(*Path(path).parts[1:]), key))
    if len(found) < 2:
        raise BenchError(f"{table} has no two x-rays of the half {half!r}.")
    return found


LAMP = replace(PRESETS["typical"], glare=2.5)
"""A lamp in the glass: two reflections up to two and a half times as bright as the screen's white,
so that the sensor clips there."""
_PRESETS = ("typical", "easy", "hard")
_TRUE = (
    ("easy", LARGE, 1, 3), ("typical", LARGE, 1, 2), ("hard", LARGE, 1, 8),
    ("easy", SMALL, 1, 4), ("typical", SMALL, 1, 1), ("hard", SMALL, 1, 1), ("lamp", SMALL, 1, 4),
)  # fmt: skip
"""Preset, megapixels, rounds, every how many series."""
_MISHAPS = (
    ("dialog", (0.03, 0.03, 0.05), 3), ("hand", (0.10, 0.15), 4), ("tear", (0.25, 0.30, 0.5), 4),
    ("side tear", (0.30,), 9), ("blend", (0.30, 0.45), 4), ("mirror", (1.0,), 9),
    ("black", (1.0,), 18), ("desktop", (1.0,), 9),
)  # fmt: skip
"""What, which shares, every how many x-rays; in turn easy, typical and hard photos."""
_BY_LAMP = (
    ("dialog", (0.03, 0.03, 0.05), 6), ("hand", (0.10,), 6), ("tear", (0.25, 0.30), 9),
    ("blend", (0.30,), 9),
)  # fmt: skip
"""What is also photographed with a lamp in the glass."""


def orders(count: int, *, brief: bool = False) -> list[Order]:
    """What is photographed of *count* x-rays; *brief* is one round of each kind at 2 megapixels."""
    small = TINY if brief else SMALL
    made, rounds = [], dict.fromkeys(("easy", "typical", "hard", "lamp"), 0)
    for preset, megapixels, times, every in _TRUE:
        for _ in range(times):
            rounds[preset] += 1
            if brief and rounds[preset] > 1:
                continue
            size = TINY if brief else megapixels
            made += [
                Order("true", preset, at, size, rounds[preset], at // SERIES)
                for at in range(count)
                if at // SERIES % every == 0
            ]
    for kind, shares, every in _MISHAPS:
        for number, share in enumerate(shares[:1] if brief else shares):
            made += [
                Order(kind, _PRESETS[(at // every + number) % 3], at, small, number, at, share)
                for at in range(number % every, count, every)
            ]
    for kind, shares, every in _BY_LAMP:
        for number, share in enumerate(shares, 10):
            made += [
                Order(kind, "lamp", at, small, number, at, share)
                for at in range(number % every, count, every)
            ]
    return made


def made(
    folder: Path,
    seed: int,
    xrays: Sequence[Source],
    wanted: Sequence[Order],
    *,
    workers: int,
    tell: Callable[[str], None],
) -> list[Photo]:
    """Photos of *wanted*, rendered where *folder* has them not yet."""
    jobs = [(folder, seed, tuple(xrays), order) for order in wanted]
    found = []
    for done, photo in enumerate(_run(jobs, workers), 1):
        found.append(photo)
        if done % 50 == 0:
            tell(f"{done} of {len(jobs)} photos ready")
    return found


def _run(jobs: Sequence[tuple[Any, ...]], workers: int) -> Iterator[Photo]:
    if workers == 1:
        yield from map(photo_of, jobs)
        return
    with make_pool(workers) as pool:
        yield from pool.map(photo_of, jobs, chunksize=4)


def photo_of(job: tuple[Path, int, tuple[Source, ...], Order]) -> Photo:
    """One photo, from the folder or rendered into it."""
    folder, seed, xrays, order = job
    cv2.setNumThreads(1)
    said = json.dumps(
        [seed, asdict(order), [x.key for x in (xrays[order.at - 1], xrays[order.at])]]
    )
    name = hashlib.sha256(said.encode()).hexdigest()[:24]
    file, truth = folder / f"{name}.jpg", folder / f"{name}.json"
    if not truth.exists():
        _render(seed, xrays, order, file, truth)
    matrix = json.loads(truth.read_text())["homography"]
    return Photo(order, file, tuple(tuple(row) for row in matrix))


def _render(seed: int, xrays: Sequence[Source], order: Order, file: Path, truth: Path) -> None:
    folder = file.parent
    folder.mkdir(parents=True, exist_ok=True)
    tag = int.from_bytes(hashlib.sha256(f"{order.kind}/{order.preset}".encode()).digest()[:4])
    place = [seed, tag, order.round, order.series]
    shown, before = (_shown(xrays[at]) for at in (order.at, order.at - 1))
    frame = staged(order, shown, before, np.random.default_rng([*place, order.at, 7]))
    shot = shoot(
        Image.fromarray(frame),
        LAMP if order.preset == "lamp" else PRESETS[order.preset],
        np.random.default_rng([*place, order.at]),
        megapixels=order.megapixels,
        tripod=np.random.default_rng(place),
    )
    part = file.with_suffix(".part.jpg")
    shot.photo.save(part, quality=92)
    part.replace(file)
    with Image.open(xrays[order.at].file) as picture:
        size = picture.size
    x, y, width, height = shown.rect
    onto = np.array([[width / size[0], 0, x], [0, height / size[1], y], [0, 0, 1.0]])
    matrix = shot.homography @ onto
    write_atomic(truth, json.dumps({"homography": (matrix / matrix[2, 2]).tolist()}).encode())


def _shown(source: Source) -> Composition:
    return compose(Image.fromarray(read_grey(source.file)), SCREEN)


def staged(order: Order, shown: Composition, before: Composition, rng: np.random.Generator) -> Grey:
    """The frame of *order*: the x-ray, or what stood there instead."""
    new, old = np.asarray(shown.frame, np.uint8), np.asarray(before.frame, np.uint8)
    match order.kind:
        case "dialog":
            return mishaps.dialog(new, shown.rect, order.share, rng)
        case "hand":
            return mishaps.hand(new, shown.rect, order.share, rng)
        case "tear" | "half":
            return mishaps.tear(new, old, shown.rect, order.share, top=bool(rng.integers(0, 2)))
        case "side tear":  # of a monitor that stands on its side
            x, y, width, height = shown.rect
            turned, top = (y, x, height, width), bool(rng.integers(0, 2))
            return mishaps.tear(new.T, old.T, turned, order.share, top=top).T
        case "blend":
            return mishaps.blend(new, old, order.share)
        case "mirror":
            return mishaps.mirror(new)
        case "black":
            return mishaps.black(SCREEN)
        case "desktop":
            return mishaps.desktop(SCREEN, rng)
    return new
