"""Photos of x-ray films: what the CSV says of each, and the film cut out of its photo, upright.

There is no protocol here and no index: the CSV names each photo's x-ray. Where the digital picture
of the x-ray is in the catalog, the photo must show it (the same optical check as for every photo),
and the homography crops and turns the film, even one that hangs mirrored. Where there is none, the
film is found by its edges and nothing proves what it shows: the CSV is believed, and that is told.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image

from rig.catalog.model import COLUMNS, OBSERVATIONS, SPLITS
from rig.errors import UserError
from rig.intake import geometry
from rig.intake.batch import XraySource
from rig.intake.features import Reference
from rig.intake.film_border import find_border
from rig.intake.folder import printable
from rig.intake.geometry import Matrix
from rig.intake.limits import Limits
from rig.intake.read import UnreadableImage, decode_grey
from rig.intake.rectify import Pixels, encode, read_colours, rectify
from rig.intake.verify import Verification, as_grey, verify

LONGEST = 3072
"""Longest side of a cropped film, px."""
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_ENDING = re.compile(r"\.(jpe?g|png|tiff?|bmp|webp|dcm|dicom)$", re.ASCII | re.IGNORECASE)
_LABELS = {"": "", "1": "1.0", "1.0": "1.0", "0": "0.0", "0.0": "0.0", "-1": "-1.0", "-1.0": "-1.0"}
_TURNED = {2: 0, 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}


@dataclass(frozen=True, slots=True)
class FilmRow:
    """One line of the CSV.

    Attributes:
        line: its number.
        photo: path of the photo as given.
        key: `patient/study/view`.
        split: of the dataset; `valid` unless the CSV says otherwise.
        row: the 19 cells of a CheXpert CSV when the CSV has them; None: they are the catalog's.
    """

    line: int
    photo: str
    key: str
    split: str
    row: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line of the CSV that says nothing usable: number, photo as given, a sentence."""

    line: int
    photo: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A film cut out of its photo, or why not.

    Attributes:
        reason: a sentence.
        jpeg: the cropped film, upright; None when it is not taken.
        sha256: of the photo's bytes; empty when it cannot be read.
        suffix: of the kept original, with the dot.
        way: `content` or `border`.
        width, height: of the crop, px.
        found: the optical check's result; None without the x-ray's picture.
        homography: x-ray pixel to photo pixel, pixel-edge, stored order; None by border.
        mirrored: the film hung the wrong way round and was turned over.
    """

    reason: str
    jpeg: bytes | None = None
    sha256: str = ""
    suffix: str = ".jpg"
    way: str = "content"
    width: int = 0
    height: int = 0
    found: Verification | None = None
    homography: tuple[tuple[float, ...], ...] | None = None
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class CutOrder:
    """A photo, the x-ray that it should show, and whether edges are enough when it does not.

    Attributes:
        file: the photo.
        xray: its digital picture; None when there is none.
        limits: of the optical check.
        by_border: take it by its edges when its content is not proved.
    """

    file: Path
    xray: XraySource | None
    limits: Limits
    by_border: bool = False


def read_films(file: Path) -> tuple[tuple[FilmRow, ...], tuple[BadRow, ...]]:
    """The lines of the CSV: `photo`, `xray` (or `Path`), optionally `split` and CheXpert's columns.

    Raises:
        UserError: it cannot be read, or lacks the columns.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as CSV: {error}.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="__more__", strict=True)
    try:
        columns = list(reader.fieldnames or ())
        naming = next((name for name in ("xray", "Path") if name in columns), None)
        if "photo" not in columns or naming is None:
            raise UserError(
                f"{file} needs the columns photo and xray in its first line (xray: "
                "patient/study/view, or the path of the x-ray)."
            )
        rows: list[FilmRow] = []
        bad: list[BadRow] = []
        for cells in reader:
            read = _row(reader.line_num, cells, naming)
            if isinstance(read, FilmRow):
                rows.append(read)
            else:
                bad.append(read)
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: it is not CSV ({error}).") from error
    if not rows and not bad:
        raise UserError(f"{file} has no rows.")
    return tuple(rows), tuple(bad)


def _row(line: int, cells: Mapping[str, str | None], naming: str) -> FilmRow | BadRow:
    photo = (cells.get("photo") or "").strip()
    told = (cells.get(naming) or "").strip()
    if not photo or not told or "__more__" in cells:
        return BadRow(line, photo, "The line names no photo or no x-ray, or has too many cells.")
    parts = PurePosixPath(photo.replace("\\", "/")).parts
    if not photo.isprintable() or max(map(len, parts)) > 255 or len(photo) > 1000:
        return BadRow(line, printable(photo[:80]), "That is no file's name.")
    if ".." in parts or parts[0].startswith("/") or ":" in parts[0]:
        return BadRow(line, photo, "The photo's path leads out of the folder.")
    tail = PurePosixPath(told.replace("\\", "/")).parts[-3:]
    if len(tail) == 3 and "." in tail[2]:
        tail = (*tail[:2], _ENDING.sub("", tail[2]))
    if len(tail) != 3 or not all(_PART.fullmatch(part) for part in tail):
        return BadRow(line, photo, f"{told!r} names no x-ray: patient/study/view is wanted.")
    split = (cells.get("split") or "valid").strip().lower()
    if split not in SPLITS:
        return BadRow(line, photo, f"There is no split {split!r}: {', '.join(SPLITS)}.")
    labels = _labels(cells, told)
    if isinstance(labels, str):
        return BadRow(line, photo, labels)
    return FilmRow(line, photo, "/".join(tail), split, labels)


def _labels(cells: Mapping[str, str | None], path: str) -> tuple[str, ...] | str | None:
    """The CheXpert cells when all columns are there, a sentence when one is wrong."""
    if not all(name in cells for name in COLUMNS[1:]):
        return None
    row = [path]
    for name in COLUMNS[1:]:
        text = (cells[name] or "").strip()
        if name in OBSERVATIONS:
            if text not in _LABELS:
                return f"{name} is {text!r}: 1.0, 0.0, -1.0 or blank is wanted."
            text = _LABELS[text]
        row.append(text)
    return tuple(row)


def cut(order: CutOrder) -> Cut:
    """Cut the film out of its photo; runs in worker processes, and no file is an exception."""
    cv2.setNumThreads(1)
    try:
        data = order.file.read_bytes()
    except OSError as error:
        return Cut(f"It cannot be read: {error.strerror or error}.")
    digest = hashlib.sha256(data).hexdigest()
    try:
        pixels, profile = read_colours(data, order.file.name, order.limits.max_pixels)
        with Image.open(io.BytesIO(data)) as picture:
            suffix = f".{(picture.format or 'jpg').lower()}".replace("jpeg", "jpg")
    except UnreadableImage as error:
        return Cut(str(error), sha256=digest)
    made = _by_content(order, pixels, profile)
    if made is None or (made.jpeg is None and order.by_border):
        why = "" if made is None else f"{made.reason} "
        made = _by_border(data, pixels, profile, why)
    return replace(made, sha256=digest, suffix=suffix)


def _by_content(order: CutOrder, pixels: Pixels, profile: bytes | None) -> Cut | None:
    """Where the x-ray's own picture is found; None when there is no such picture."""
    if order.xray is None:
        return None
    try:
        data = order.xray.file.read_bytes()
        if hashlib.sha256(data).hexdigest() != order.xray.sha256:
            return Cut(f"The x-ray {order.xray.file.name} changed since it was imported.")
        xray = decode_grey(data, order.xray.file.name, 2 * Limits().max_pixels)
    except (OSError, UnreadableImage):
        return None
    reference = Reference(xray)
    grey = as_grey(pixels)
    found = verify(grey, reference.grey, limits=order.limits, features=reference)
    mirrored = False
    if not found.verified:
        flipped = np.ascontiguousarray(grey[:, ::-1])
        other = verify(flipped, reference.grey, limits=order.limits, features=reference)
        if other.verified:
            found, mirrored = other, True
    if not found.verified or found.homography is None:
        return Cut(f"It does not show that x-ray. {found.reason}", found=found)
    if found.quality is not None and found.quality.rejects:
        why = "; ".join(found.quality.rejects)
        return Cut(f"It shows that x-ray, but {why}.", found=found)
    matrix: Matrix = np.array(found.homography)
    if mirrored:
        matrix = np.array([[-1, 0, grey.shape[1]], [0, 1, 0], [0, 0, 1.0]]) @ matrix
    quad = geometry.corners(matrix, reference.width, reference.height)
    side = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    size = _size(max(side[0], side[2]), max(side[1], side[3]), reference.width / reference.height)
    to_photo = matrix @ geometry.scaling(reference.width / size[0], reference.height / size[1])
    jpeg = encode(rectify(pixels, to_photo.tolist(), size), profile)
    over = " It hung mirrored and was turned over." if mirrored else ""
    kept = tuple(tuple(float(v) for v in line) for line in geometry.normalised(matrix))
    return Cut(f"{found.reason}{over}", jpeg, way="content", width=size[0], height=size[1],
               found=found, homography=kept, mirrored=mirrored)  # fmt: skip


def _by_border(data: bytes, pixels: Pixels, profile: bytes | None, why: str) -> Cut:
    """Where the film's edges are; upright as the camera says it was held."""
    with Image.open(io.BytesIO(data)) as picture:
        orientation = picture.getexif().get(0x0112, 1)
    upright = _upright(pixels, orientation)
    border = find_border(as_grey(upright))
    if border is None:
        return Cut(
            f"{why}No film can be told from its surroundings by its edges: photograph it whole, "
            "before an even background."
        )
    size = _size(border.width, border.height, border.width / border.height)
    scale = geometry.scaling(border.width / size[0], border.height / size[1])
    jpeg = encode(rectify(upright, (border.homography @ scale).tolist(), size), profile)
    return Cut(f"{why}Found by its edges; nothing proves what it shows.", jpeg, way="border",
               width=size[0], height=size[1])  # fmt: skip


def _size(wide: float, high: float, aspect: float) -> tuple[int, int]:
    """Size of a crop of *aspect* (width:height) that loses nothing, `LONGEST` px at most."""
    width = max(wide, high * aspect)
    factor = min(1.0, LONGEST / max(width, width / aspect))
    return max(1, round(width * factor)), max(1, round(width / aspect * factor))


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """*pixels* as EXIF's *orientation* (1..8) says they are looked at."""
    turned = np.rot90(pixels, -_TURNED.get(orientation, 0) // 90)
    if orientation in {2, 4, 5, 7}:
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)
