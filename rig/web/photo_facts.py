"""What the optical check measured, as rows of words and numbers; and where it saw the x-ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ORIENTATION = 0x0112
Point = tuple[float, float]

_MEASURES: tuple[tuple[str, str, str], ...] = (
    ("block_agreement", "Blocks that agree", "share of textured 8 x 8 blocks, 1 is all"),
    ("block_cluster", "Largest area of blocks that do not agree", "share of the x-ray"),
    ("worst_cluster", "Largest area that shows something else", "share of the x-ray, 0 is none"),
    ("previous_correlation", "Left over of the x-ray before", "partial correlation, 0 is nothing"),
    ("previous_in_part", "The same at the upper or lower end", "a torn frame keeps it there"),
    ("hidden", "Washed out by glare, not compared", "share of the x-ray"),
    ("inliers", "Points that agree on the place", "feature pairs"),
    ("located_by", "Found by", ""),
    ("ms", "Time of the check", "milliseconds"),
)
_QUALITY: tuple[tuple[str, str, str], ...] = (
    ("focus", "Sharpness", "1 is as sharp as the x-ray"),
    ("clipping", "Clipped to black or white", "share of the x-ray"),
    ("glare", "Glare", "share of the x-ray that is too bright"),
    ("margin", "Margin to the photo's edge", "photo widths, negative is outside"),
    ("offset", "Off the photo's centre", "photo widths"),
    ("rotation", "Rotation", "degrees clockwise"),
    ("residual", "Fit of the blocks", "x-ray pixels"),
)
_FOUND_BY = {
    "prior": "the place in the photo before",
    "orb": "feature points (ORB)",
    "sift": "feature points (SIFT)",
}


@dataclass(frozen=True, slots=True)
class Number:
    """One thing that was measured."""

    name: str
    value: str
    meaning: str


def numbers(score: float | None, detail: Mapping[str, Any] | None) -> list[Number]:
    """All numbers of a verdict that there are."""
    rows = [] if score is None else [Number("Score", _said(score), "correlation with the x-ray")]
    told = detail or {}
    quality = told.get("quality") or {}
    for values, names in ((told, _MEASURES), (quality, _QUALITY)):
        for key, name, meaning in names:
            if values.get(key) is not None:
                rows.append(Number(name, _said(values[key]), meaning))
    return rows


def reasons(reason: str | None, detail: Mapping[str, Any] | None) -> tuple[list[str], list[str]]:
    """Why it must be shot again, and what to look after: sentences."""
    quality = (detail or {}).get("quality") or {}
    rejects = [str(one) for one in quality.get("rejects", ())]
    warnings = [str(one) for one in quality.get("warnings", ())]
    told = [one for one in rejects if one != reason]
    return told, warnings


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"
    return _FOUND_BY.get(str(value), str(value))


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the x-ray is in the upright photo: its size and the corners, pixels."""

    width: int
    height: int
    corners: tuple[Point, ...]

    @property
    def points(self) -> str:
        """As SVG has it."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.corners)


def frame(detail: Mapping[str, Any] | None, orientation: int) -> Frame | None:
    """The x-ray's outline for a photo with this EXIF *orientation*; None when it was not found."""
    told = detail or {}
    corners, size = told.get("corners"), told.get("photo_size")
    if not corners or not size or len(size) != 2 or min(size) < 1:
        return None
    points, (width, height) = upright(corners, (int(size[0]), int(size[1])), orientation)
    return Frame(width, height, points)


def upright(
    points: Sequence[Sequence[float]], size: tuple[int, int], orientation: int
) -> tuple[tuple[Point, ...], tuple[int, int]]:
    """Points of a stored photo of *size* where a viewer shows them, and the size it shows.

    The eight orientations of EXIF 2.32, tag 0x0112; any other number means none.
    """
    width, height = size
    turned: dict[int, Callable[[float, float], Point]] = {
        1: lambda x, y: (x, y),
        2: lambda x, y: (width - x, y),
        3: lambda x, y: (width - x, height - y),
        4: lambda x, y: (x, height - y),
        5: lambda x, y: (y, x),
        6: lambda x, y: (height - y, x),
        7: lambda x, y: (height - y, width - x),
        8: lambda x, y: (y, width - x),
    }
    turn = turned.get(orientation, turned[1])
    moved = tuple(turn(float(x), float(y)) for x, y in points)
    return moved, (height, width) if orientation in {5, 6, 7, 8} else size


def orientation_of(file: Path) -> int:
    """The EXIF orientation of *file*; 1 when there is none or it cannot be read."""
    try:
        with Image.open(file, formats=("JPEG",)) as image:
            return int(image.getexif().get(ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, TypeError):
        return 1
