"""Look at one photo taken by hand: what its file says, and which of many x-rays it shows.

Runs in worker processes; plain values go in and come out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import cv2
from PIL import Image

from rig.intake.batch import XraySource
from rig.intake.cache import FeatureCache
from rig.intake.features import (
    PHOTO_COUNT,
    PHOTO_SIDE,
    Features,
    Reference,
    homography,
    orb,
    pairs,
    shrink,
)
from rig.intake.limits import Limits
from rig.intake.marker import decode_marker
from rig.intake.marker_ids import Marker
from rig.intake.read import UnreadableImage, decode_grey
from rig.intake.verify import Verification, verify

RATIO = 0.85
"""Best to second best distance of a feature pair, as the cascade's first step has it."""
CLEAR = 25
"""Inliers from which on a candidate is compared by its pixels before the others are looked for.
Inliers rank candidates and never decide: x-rays of one patient share many."""
FIRST = 12
"""Candidates that are ranked before the rest is looked at."""
COMPARED = 3
"""Candidates that are compared by their pixels, the best ranked ones."""
_NANOSECONDS = 1_000_000_000
_EXIF, _TAKEN, _SUBSECONDS = 0x8769, 0x9003, 0x9291
_STILLS = frozenset({b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif"})
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a photo's file says.

    Attributes:
        sha256: of its bytes, hex; empty when it cannot be read.
        size: bytes.
        problem: why it cannot be used, a sentence; None when it can.
        taken_ns: by the camera's clock, as if that were UTC; None when the file does not say.
        marker: index marker in the picture; None without one that can be read.
    """

    sha256: str
    size: int
    problem: str | None = None
    taken_ns: int | None = None
    marker: Marker | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A photo that can be used: the name it was brought with, where it is, what it says."""

    name: str
    file: Path
    seen: Seen


@dataclass(frozen=True, slots=True)
class Sighting:
    """A photo compared with one x-ray.

    Attributes:
        index: of the x-ray.
        found: the optical check's result.
    """

    index: int
    found: Verification

    @property
    def proved(self) -> bool:
        """It shows this x-ray, and well enough to keep."""
        return self.found.verified and not (self.found.quality and self.found.quality.rejects)


@dataclass(frozen=True, slots=True)
class Search:
    """A photo and the x-rays that it may show, the likeliest first.

    Attributes:
        file: of the photo.
        candidates: index and x-ray.
        limits: of the optical check.
        cache: folder with kept features; None keeps none.
    """

    file: Path
    candidates: tuple[tuple[int, XraySource], ...]
    limits: Limits
    cache: Path | None = None


def see(file: Path, max_pixels: int) -> Seen:
    """Read *file* once: hash, time, marker; a file that is no photo has a problem, no exception."""
    cv2.setNumThreads(1)
    try:
        data = file.read_bytes()
    except OSError as error:
        return Seen("", 0, f"It cannot be read: {error.strerror or error}.")
    seen = Seen(hashlib.sha256(data).hexdigest(), len(data))
    if problem := not_a_jpeg(data):
        return Seen(seen.sha256, seen.size, problem)
    try:
        grey = decode_grey(data, file.name, max_pixels)
    except UnreadableImage as error:
        return Seen(seen.sha256, seen.size, str(error))
    return Seen(seen.sha256, seen.size, None, taken_ns(data), decode_marker(grey))


def not_a_jpeg(data: bytes) -> str | None:
    """Why these bytes are no camera's JPEG, as a sentence with what to do; None when they are."""
    if not data:
        return "It is empty (0 bytes)."
    if data[:3] == b"\xff\xd8\xff":
        return None
    if data[4:8] == b"ftyp":
        kind = "HEIC or AVIF" if data[8:12] in _STILLS else "a video or another format"
        return (
            f"It is {kind}, not JPEG: set the phone's camera to JPEG (iPhone: Settings, Camera, "
            "Formats, Most Compatible), or export the photos as JPEG in full size."
        )
    if data[:4] in {b"II*\0", b"MM\0*"}:
        return "It is TIFF or a raw photo, not JPEG: import the JPEG of the same shot."
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "It is PNG, not a camera's JPEG: a screenshot is no photo."
    return "It is not a JPEG."


def taken_ns(data: bytes) -> int | None:
    """When a JPEG says it was taken (EXIF DateTimeOriginal), as if its clock were UTC.

    Zones are left out on purpose: the clock's offset is estimated anyway, and phones write the
    zone or do not.
    """
    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as picture:
            told = picture.getexif().get_ifd(_EXIF)
        found = _TIME.match(str(told.get(_TAKEN, "")))
        if found is None:
            return None
        at = datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[arg-type, misc]
        digits = re.match(r"\d{1,9}", str(told.get(_SUBSECONDS, "")), re.ASCII)
    except Exception:  # noqa: BLE001 - metadata of any kind of camera, damaged in any way
        return None
    part = int(digits[0].ljust(9, "0")) if digits else 0
    return int(at.timestamp()) * _NANOSECONDS + part


def search(wanted: Search) -> tuple[Sighting, ...]:
    """Compare the photo with the candidates; the best sightings, the best first.

    The likeliest few are ranked by their feature pairs; one that stands out is compared by its
    pixels, and when that proves it the rest is not looked at. Else all are ranked and the best
    ones compared.
    """
    cv2.setNumThreads(1)
    try:
        photo = decode_grey(wanted.file.read_bytes(), wanted.file.name, wanted.limits.max_pixels)
    except (OSError, UnreadableImage):
        return ()
    theirs = orb(shrink(photo, PHOTO_SIDE), PHOTO_SIDE, PHOTO_COUNT)
    ranked: list[tuple[int, int]] = []
    sightings: dict[int, Sighting] = {}
    places = range(len(wanted.candidates))
    for part in (places[:FIRST], places[FIRST:]):
        for place in part:
            _, source = wanted.candidates[place]
            ranked.append((_inliers(source, wanted.cache, theirs), place))
        ranked.sort(key=lambda one: (-one[0], one[1]))
        for rank, (inliers, place) in enumerate(ranked[:COMPARED]):
            index, source = wanted.candidates[place]
            # The first look is for one that stands out; the last one misses none.
            early = len(ranked) < len(places)
            if index in sightings or (early and (rank or inliers < CLEAR)):
                continue
            reference = _reference(source, wanted.cache)
            if reference is None:
                continue
            found = verify(photo, reference.grey, limits=wanted.limits, features=reference)
            sightings[index] = Sighting(index, found)
            if found.verified:
                return _best(sightings)
    return _best(sightings)


def _best(sightings: dict[int, Sighting]) -> tuple[Sighting, ...]:
    every = sightings.values()
    return tuple(sorted(every, key=lambda one: (-one.found.verified, -one.found.score, one.index)))


def _inliers(source: XraySource, cache: Path | None, photo: Features) -> int:
    ours = _features(source, cache)
    if ours is None:
        return -1
    return homography(*pairs(ours, photo, RATIO), 3.0)[1]


@lru_cache(maxsize=512)
def _features(source: XraySource, cache: Path | None) -> Features | None:
    """The x-ray's ORB features, about 100 kB."""
    reference = _made(source, cache)
    return None if reference is None else reference.orb


@lru_cache(maxsize=4)
def _reference(source: XraySource, cache: Path | None) -> Reference | None:
    return _made(source, cache)


def _made(source: XraySource, cache: Path | None) -> Reference | None:
    """The x-ray; None when it is gone or changed."""

    def load() -> cv2.typing.MatLike:
        data = source.file.read_bytes()
        if hashlib.sha256(data).hexdigest() != source.sha256:
            raise UnreadableImage(f"{source.file.name} changed since it was imported.")
        return decode_grey(data, source.file.name, 2 * Limits().max_pixels)

    try:
        if cache is None:
            return Reference(load())  # type: ignore[arg-type] # the stubs' name for arrays
        return FeatureCache(cache).reference(source.sha256, load)  # type: ignore[arg-type]
    except (OSError, UnreadableImage):
        return None
