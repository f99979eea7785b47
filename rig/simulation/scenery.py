"""The desk and wall around a monitor in a simulated photo."""

from __future__ import annotations

from typing import TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]


def clutter(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """A dim, slightly blurred wall with boxes, cables and papers: (h, w, 3), linear, white = 1.

    Args:
        size: width and height in pixels.
        rng: draws everything.
    """
    width, height = size
    wall, floor = rng.uniform(0.05, 0.25, (2, 3))
    blend = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    room = np.broadcast_to(wall * (1 - blend) + floor * blend, (height, width, 3))
    room = np.ascontiguousarray(room, dtype=np.float32)
    for _ in range(25):
        x, y = (int(v) for v in rng.uniform((0, 0), (width, height)))
        w, h = (int(v) for v in rng.uniform(0.02, 0.25, 2) * (width, height))
        cv2.rectangle(room, (x, y), (x + w, y + h), _colour(rng), cv2.FILLED)
    for _ in range(8):
        ends = rng.uniform((0, 0), (width, height), (3, 2)).astype(np.int32)
        cv2.polylines(room, [ends], isClosed=False, color=_colour(rng), thickness=width // 300 + 1)
    return cast("Floats", cv2.GaussianBlur(room, (0, 0), width / 500))


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    red, green, blue = rng.uniform(0.01, 0.35, 3)
    return float(red), float(green), float(blue)
