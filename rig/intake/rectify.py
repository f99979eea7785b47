"""Rectified copies: the x-ray alone, cropped out of its photo, upright and square.

The homography of the optical check says where the x-ray is in the photo's stored pixels, whatever
way up the camera was; no EXIF orientation is applied, and none is in the copy.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rig.catalog.images import FORMATS
from rig.intake import geometry
from rig.intake.limits import Limits
from rig.intake.read import UnreadableImage

Pixels = NDArray[np.uint8]
"""(H, W) or (H, W, 3) uint8."""
Homography = Sequence[Sequence[float]]
"""3x3, x-ray pixel to photo pixel, pixel-edge coordinates."""

QUALITY = 95
"""JPEG quality of a copy."""
MOST_PIXELS = 64_000_000
"""Pixels of the largest picture that is made on the way, copies and oversampling included."""
_FINEST = 8


def rectify(photo: Pixels, homography: Homography, size: tuple[int, int]) -> Pixels:
    """The x-ray in *photo* as a picture of *size*.

    Lanczos where a pixel of the copy takes about one of the photo's; where it takes several, the
    copy is made finer and brought down by area, or detail would alias. Values are averaged as they
    are encoded, not in linear light, as every common image tool does.

    Args:
        photo: (H, W) or (H, W, 3) uint8, in stored pixel order.
        homography: from a picture of *size* to the photo, pixel-edge coordinates. It may mirror.
        size: (width, height) of the result, px.

    Returns:
        (h, w) or (h, w, 3) uint8; what lies outside the photo is black.

    Raises:
        ValueError: the homography maps no rectangle into a plane, or *size* is not sane.
    """
    width, height = size
    matrix = np.array(homography, dtype=np.float64)
    if min(size) < 1 or width * height > MOST_PIXELS:
        raise ValueError(f"a copy cannot have {width} x {height} pixels")
    quad = _corners(matrix, width, height)
    per_pixel = math.sqrt(abs(geometry.area(quad)) / (width * height))
    finer = min(_FINEST, math.isqrt(MOST_PIXELS // (width * height)), max(1, round(per_pixel)))
    large = (width * finer, height * finer)
    to_photo = geometry.to_centre(matrix @ geometry.scaling(1 / finer, 1 / finer))
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    found = cv2.warpPerspective(photo, to_photo, large, flags=flags, borderValue=(0, 0, 0))
    if finer > 1:
        found = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
    return np.asarray(found, dtype=np.uint8)


def rectified(data: bytes, homography: Homography, size: tuple[int, int]) -> bytes:
    """The rectified copy of an encoded photo, as JPEG; runs in worker processes.

    The copy has the photo's colours and colour profile and no other metadata: no place, no
    thumbnail, no orientation. The same input gives the same bytes.

    Args:
        data: the photo, JPEG (PNG, TIFF, BMP and WEBP work too).
        homography: x-ray pixel to photo pixel, pixel-edge coordinates.
        size: (width, height) of the x-ray, px.

    Raises:
        UnreadableImage: not a whole picture within the pixel limit.
        ValueError: as `rectify`.
    """
    cv2.setNumThreads(1)
    pixels, profile = read_colours(data)
    return encode(rectify(pixels, homography, size), profile)


def read_colours(
    data: bytes, name: str = "the photo", max_pixels: int = Limits().max_pixels
) -> tuple[Pixels, bytes | None]:
    """*data* as (H, W, 3) or grey (H, W), in stored pixel order, and its colour profile.

    Raises:
        UnreadableImage: not a picture, damaged, cut short or too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                raise UnreadableImage(
                    f"{name} has {picture.width} x {picture.height} pixels, "
                    f"more than the {max_pixels:,} allowed."
                )
            profile: Any = picture.info.get("icc_profile")
            grey = picture.mode in {"L", "1"}
            pixels = np.array(picture.convert("L" if grey else "RGB"), dtype=np.uint8)
    except UnreadableImage:
        raise
    except Exception as error:  # a decoder given damaged bytes may raise anything
        raise UnreadableImage(f"{name} is damaged, cut short or no picture ({error}).") from error
    return pixels, profile if isinstance(profile, bytes) and not grey else None


def encode(pixels: Pixels, profile: bytes | None) -> bytes:
    """*pixels* as a JPEG without any metadata but a colour profile."""
    out = io.BytesIO()
    more: dict[str, Any] = {} if profile is None else {"icc_profile": profile}
    Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY, subsampling=0, **more)
    return out.getvalue()


def _corners(matrix: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError("a homography has 3 x 3 finite numbers")
    box = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=np.float64)
    depth = box @ matrix[2]
    quad = geometry.corners(matrix, width, height)
    flat = not np.isfinite(quad).all() or abs(geometry.area(quad)) < 1.0
    if flat or not ((depth > 0).all() or (depth < 0).all()):
        raise ValueError("the homography maps the x-ray to no area of the photo")
    return quad
