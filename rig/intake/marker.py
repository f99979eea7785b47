"""Find AprilTags in a photo and read the index marker; what its ids mean is in `marker_ids`.

The tags tell which frame the monitor showed; that the x-ray beside them is the right one, whole and
not half switched, only its own pixels prove (`verify`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake.features import Grey, shrink
from rig.intake.geometry import Points
from rig.intake.marker_ids import NEEDED, Marker, decode_ids
from rig.intake.verify import as_grey

SIDE = 2400
"""Longest side, px, at which tags are looked for first."""

_MODULE = 3.0
"""Pixels of the smallest module that is worth a look."""


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """A tag in a photo.

    Attributes:
        id: of the family 36h11, 0..586.
        corners: (4, 2) of its black square in the photo, pixel-edge coordinates, clockwise from the
            tag's own top left.
    """

    id: int
    corners: Points


def find_tags(photo: NDArray[np.uint8], side: int = SIDE) -> list[Tag]:
    """The 36h11 tags in *photo*, in no particular order; one id may occur twice.

    Args:
        photo: (H, W) grey or (H, W, 3) RGB uint8; any way up.
        side: longest side, px, to which the photo is scaled down; then it is looked at once more
            at half of it, because what hides a tag at one scale seldom does at another.

    Raises:
        ValueError: not an 8-bit picture.
    """
    grey = as_grey(photo)
    side = min(side, max(grey.shape))
    tags = _found(grey, side)
    known = {tag.id for tag in tags}
    return tags + [tag for tag in _found(grey, side // 2) if tag.id not in known]


def decode_marker(photo: NDArray[np.uint8]) -> Marker | None:
    """What the index marker in *photo* says; None when there is none that can be read for certain.

    Args:
        photo: (H, W) grey or (H, W, 3) RGB uint8; any way up, but not mirrored.

    Raises:
        ValueError: not an 8-bit picture.
    """
    grey: Grey = as_grey(photo)
    tags = find_tags(grey)
    marker = decode_ids(tag.id for tag in tags)
    if marker is None and 0 < len(tags) < NEEDED and max(grey.shape) > SIDE:
        # Small tags in a large photo. Both looks count: a contradiction stays one.
        tags += find_tags(grey, max(grey.shape))
        marker = decode_ids(tag.id for tag in tags)
    return marker


def _found(grey: Grey, side: int) -> list[Tag]:
    work = shrink(grey, max(1, side))
    # Sensor noise and moire cost tags and time; modules are several pixels wide.
    work = np.asarray(cv2.GaussianBlur(work, (0, 0), 0.8), dtype=np.uint8)
    scale = np.array(grey.shape[::-1]) / np.array(work.shape[::-1])
    # Typed as Any: the stubs promise an array, but without a tag OpenCV returns None.
    result: tuple[Any, Any, Any] = _detector(max(work.shape)).detectMarkers(work)
    corners, ids, _ = result
    if ids is None:
        return []
    found = zip(ids.ravel(), corners, strict=True)
    return [Tag(int(i), _edges(_refined(work, quad), scale)) for i, quad in found]


def _refined(work: Grey, quad: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Corners to a fraction of a pixel; not by the detector itself, which then lost some tags."""
    corners = np.asarray(quad, dtype=np.float32).reshape(4, 2)
    module = float(np.linalg.norm(corners[0] - corners[2])) / 8 / np.sqrt(2)
    reach = int(np.clip(module / 2, 1, 5))
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.01)
    refined = cv2.cornerSubPix(work, corners.copy(), (reach, reach), (-1, -1), stop)
    return np.asarray(refined, dtype=np.float32)


def _edges(quad: NDArray[np.float32], scale: NDArray[np.float64]) -> Points:
    return np.asarray((quad.reshape(4, 2).astype(np.float64) + 0.5) * scale, dtype=np.float64)


def _detector(side: int) -> cv2.aruco.ArucoDetector:
    family = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    settings = cv2.aruco.DetectorParameters()
    # Given as a share of the picture's longer side; what counts are the pixels of a module.
    settings.minMarkerPerimeterRate = min(0.03, 4 * 8 * _MODULE / side)
    # The family's words differ in 11 bits, so 5 wrong ones can be mended; what noise makes of it is
    # found out by the marker's own check.
    settings.errorCorrectionRate = 1.0
    settings.perspectiveRemovePixelPerCell = 8
    settings.perspectiveRemoveIgnoredMarginPerCell = 0.25
    # The outline of the light rim must not stand in for the black square inside it.
    settings.minMarkerDistanceRate = 0.03
    return cv2.aruco.ArucoDetector(family, settings)
