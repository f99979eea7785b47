"""Where the camera stands before the screen, out of the corners of the card's tags.

Axes are the screen's, as seen by a person before it: x to the right, y down, z into the screen; the
origin is the screen's centre. So everything holds however the phone is turned about its lens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake.card import CELLS, card_tags
from rig.intake.geometry import Matrix, Points, normalised, transform
from rig.intake.marker import Tag

Floats = NDArray[np.float64]
DEFAULT_FOCAL_35 = 26.0
"""Focal length in 35 mm terms where a photo does not say its own: main cameras of phones have 24 to
28 mm. A wrong guess scales every distance by as much (8 %), and no direction."""
_DIAGONAL_35 = math.hypot(36.0, 24.0)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera is and looks.

    Attributes:
        right: of the screen's centre, in `unit`s; negative to the left.
        up: above the screen's centre.
        away: from the screen's plane, more than 0.
        unit: `cm`, or `%` of the screen's width when the monitor's size is not known.
        yaw: degrees that the camera aims to the right of the screen's normal.
        pitch: degrees that it aims above it.
        roll: degrees that the phone is rotated clockwise, as seen from behind it, against the
            nearest quarter turn, -45..45.
        quarter: quarter turns clockwise beside that, 0..3.
        fill: share of the photo that the screen would fill from straight ahead at this distance.
        aim_right: degrees to turn to the right to bring the screen's centre into the middle.
        aim_up: degrees to tilt up for the same.
    """

    right: float
    up: float
    away: float
    unit: str
    yaw: float
    pitch: float
    roll: float
    quarter: int
    fill: float
    aim_right: float
    aim_up: float

    @property
    def distance(self) -> float:
        """Of the camera, where 1 is the distance at which the screen just fills the photo."""
        return 1 / self.fill

    @property
    def angle(self) -> float:
        """Of the line of sight against the screen's normal, degrees."""
        return math.degrees(math.atan2(math.hypot(self.right, self.up), self.away))

    @property
    def aside(self) -> float:
        """Degrees that the camera stands to the right of the screen's normal."""
        return math.degrees(math.atan2(self.right, self.away))

    @property
    def above(self) -> float:
        """Degrees that it stands above it."""
        return math.degrees(math.atan2(self.up, self.away))


def tag_corners(size: tuple[int, int]) -> dict[int, Points]:
    """Id -> (4, 2) corners of each tag's black square on the screen, clockwise from top left."""
    found = {}
    for number, (x, y, side, _) in card_tags(size).items():
        rim = side / CELLS
        low = np.array([x + rim, y + rim])
        inner = side - 2 * rim
        found[number] = low + inner * np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
    return found


def screen_to_photo(tags: dict[int, Tag], size: tuple[int, int]) -> tuple[Matrix, float] | None:
    """The homography screen -> photo and its residual (root mean square, photo pixels).

    From all corners of the tags that were found, 16 at best; None when no plane fits them.
    """
    known = tag_corners(size)
    there = np.vstack([known[number] for number in tags])
    here = np.vstack([tag.corners for tag in tags.values()])
    # Typed as Any: the stubs promise an array, but without a plane OpenCV returns None.
    result: tuple[Any, Any] = cv2.findHomography(there, here, 0)
    matrix = result[0]
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        return None
    found = normalised(np.asarray(matrix, dtype=np.float64))
    apart = transform(found, there) - here
    return found, float(np.sqrt((apart**2).sum(axis=1).mean()))


def focal_px(photo: tuple[int, int], focal_35: float) -> float:
    """Focal length in pixels of a *photo* (width, height), from the one in 35 mm terms.

    The 35 mm equivalent compares diagonals (CIPA DCG-001, section 4.3).
    """
    return focal_35 * math.hypot(*photo) / _DIAGONAL_35


def pose_of(
    tags: dict[int, Tag],
    size: tuple[int, int],
    photo: tuple[int, int],
    *,
    focal_35: float,
    width_mm: float | None,
) -> Pose | None:
    """The pose of the camera; None when the corners fit none before the screen.

    Args:
        tags: found ones of the card, by id; at least one.
        size: of the screen, pixels.
        photo: width and height of the photo, pixels.
        focal_35: focal length in 35 mm terms.
        width_mm: of the visible screen, millimetres, if known.
    """
    known = tag_corners(size)
    there = np.vstack([known[number] for number in tags]) - np.array(size) / 2
    points = np.column_stack([there / size[0], np.zeros(len(there))])
    here = np.vstack([tag.corners for tag in tags.values()])
    focal = focal_px(photo, focal_35)
    camera = np.array([[focal, 0, photo[0] / 2], [0, focal, photo[1] / 2], [0, 0, 1.0]])
    poses = []
    for vector, shift in _candidates(points, here, camera):
        turn = np.asarray(cv2.Rodrigues(vector)[0], dtype=np.float64)
        seen = (camera @ (turn @ points.T + shift[:, None])).T
        error = float(np.square(seen[:, :2] / seen[:, 2:] - here).sum())
        if np.isfinite(error) and (turn.T @ shift)[2] > 0:
            poses.append((error, turn, shift))
    if not poses:
        return None
    _, turn, shift = min(poses, key=lambda one: one[0])
    return _described(turn, shift, size, photo, focal, width_mm)


def _candidates(points: Floats, here: Points, camera: Floats) -> list[tuple[Floats, Floats]]:
    """Both poses that a plane can have, each refined: alone they are a degree off near the axis."""
    straight = np.zeros(5)
    _, vectors, shifts, _ = cv2.solvePnPGeneric(
        points, here, camera, straight, flags=cv2.SOLVEPNP_IPPE
    )
    found = []
    for vector, shift in zip(vectors, shifts, strict=True):
        better = cv2.solvePnPRefineLM(points, here, camera, straight, vector, shift)
        found.append(tuple(np.asarray(one, dtype=np.float64).ravel() for one in better))
    return [(one[0], one[1]) for one in found]


def _described(
    turn: Floats,
    shift: Floats,
    size: tuple[int, int],
    photo: tuple[int, int],
    focal: float,
    width_mm: float | None,
) -> Pose:
    """*turn* and *shift* take the screen (width 1) into the camera: x right, y down, z forward."""
    place = -turn.T @ shift
    x, y, away = float(place[0]), float(place[1]), float(-place[2])
    axis = turn[2]
    yaw = math.degrees(math.atan2(axis[0], axis[2]))
    pitch = -math.degrees(math.asin(max(-1.0, min(1.0, float(axis[1])))))
    # The camera's right hand side against what would be level, and down, for where it looks.
    level = np.array([axis[2], 0.0, -axis[0]]) / math.hypot(axis[0], axis[2])
    rotated = math.degrees(math.atan2(turn[0] @ np.cross(axis, level), turn[0] @ level))
    quarter = round(rotated / 90)
    wide, high = photo if quarter % 2 == 0 else photo[::-1]
    fill = focal / away * max(1 / wide, size[1] / size[0] / high)
    scale, unit = (100.0, "%") if width_mm is None else (width_mm / 10, "cm")
    return Pose(
        right=x * scale,
        up=-y * scale,
        away=away * scale,
        unit=unit,
        yaw=yaw,
        pitch=pitch,
        roll=rotated - 90 * quarter,
        quarter=quarter % 4,
        fill=fill,
        aim_right=math.degrees(math.atan2(-x, away)) - yaw,
        aim_up=math.degrees(math.atan2(y, math.hypot(x, away))) - pitch,
    )
