"""What can stand on a monitor, or before it, instead of the x-ray alone: frames to be refused.

Shares are of the x-ray's own area on the screen, 0..1, so that one figure means the same for
square and for narrow films.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Grey: TypeAlias = NDArray[np.uint8]
"""(h, w) uint8, a frame as the monitor shows it."""
Box: TypeAlias = tuple[int, int, int, int]
"""x, y, width, height of the x-ray on the frame, pixels."""

_WORDS = ("Update ready", "Restart now?", "Low disk space", "Battery 15 %", "Network lost", "OK")


def black(size: tuple[int, int]) -> Grey:
    """A dark screen, (width, height)."""
    return np.zeros((size[1], size[0]), np.uint8)


def desktop(size: tuple[int, int], rng: np.random.Generator) -> Grey:
    """A desktop: background, icons, a window full of text, a task bar."""
    width, height = size
    screen = np.full((height, width), int(rng.integers(30, 160)), np.uint8)
    for row in range(6):
        x, y = width // 40, height // 30 + row * height // 8
        cv2.rectangle(screen, (x, y), (x + 60, y + 60), int(rng.integers(60, 240)), -1)
        cv2.putText(screen, f"Folder {row}", (x, y + 85), 0, 0.6, 230, 1)
    _window(screen, (width // 4, height // 8, width // 2, height * 3 // 5), rng)
    cv2.rectangle(screen, (0, height - 48), (width, height), 25, -1)
    return screen


def mirror(frame: Grey) -> Grey:
    """The frame as a front camera or a wrongly set monitor would flip it."""
    return np.ascontiguousarray(frame[:, ::-1])


def dialog(frame: Grey, box: Box, share: float, rng: np.random.Generator) -> Grey:
    """A window of *share* of the x-ray, wholly on it: light or dark, with title, text, buttons."""
    x, y, width, height = box
    aspect = rng.uniform(0.7, 2.5)
    wide = min(width - 2, round(float(np.sqrt(share * width * height * aspect))))
    high = min(height - 2, round(share * width * height / wide))
    left = x + int(rng.integers(0, width - wide))
    top = y + int(rng.integers(0, height - high))
    result = frame.copy()
    _window(result, (left, top, wide, high), rng)
    return result


def _window(screen: Grey, box: Box, rng: np.random.Generator) -> None:
    x, y, width, height = box
    light = bool(rng.integers(0, 2))
    ground = int(rng.integers(215, 256) if light else rng.integers(20, 70))
    ink, title = (30, int(rng.integers(60, 200))) if light else (220, int(rng.integers(30, 110)))
    view = screen[y : y + height, x : x + width]
    view[:] = ground
    bar = max(12, min(30, height // 6))
    view[:bar] = title
    cv2.rectangle(view, (0, 0), (width - 1, height - 1), ink, 1)
    scale = float(rng.uniform(0.5, 0.9))
    step = round(34 * scale)
    for line, base in enumerate(range(bar + step, height - step, step)):
        if rng.uniform() < 0.75:
            text = f"{_WORDS[int(rng.integers(len(_WORDS)))]} {line}"
            cv2.putText(view, text, (10, base), 0, scale, ink, 1, cv2.LINE_AA)
    cv2.rectangle(view, (width // 2, height - 28), (width - 12, height - 8), title, -1)


def hand(frame: Grey, box: Box, share: float, rng: np.random.Generator) -> Grey:
    """A hand before the screen that covers at least *share* of the x-ray, palm and four fingers.

    It is lit by the room, so it is darker than the screen's white; its edge is soft.
    """
    x, y, width, height = box
    centre = np.array([x + width * rng.uniform(0.3, 0.7), y + height * rng.uniform(0.3, 0.7)])
    turn = rng.uniform(0, 2 * np.pi)
    spread = np.radians(rng.uniform(8, 16))
    size = 0.05 * min(width, height)
    while True:
        mask = _hand_mask(frame.shape, centre, turn, float(spread), size)
        if mask[y : y + height, x : x + width].mean() >= 255 * share:
            break
        size *= 1.04
    soft = cv2.GaussianBlur(mask, (0, 0), 2.0).astype(np.float32) / 255
    rows = np.linspace(-1, 1, frame.shape[0], dtype=np.float32)[:, None]
    skin = np.float32(rng.uniform(45, 150)) * (1 + np.float32(rng.uniform(-0.2, 0.2)) * rows)
    return np.asarray(np.rint(frame * (1 - soft) + skin * soft), dtype=np.uint8)


def _hand_mask(
    shape: tuple[int, ...], centre: NDArray[np.float64], turn: float, spread: float, size: float
) -> Grey:
    mask = np.zeros(shape, np.uint8)
    middle = (round(float(centre[0])), round(float(centre[1])))
    axes = (round(size * 1.2), round(size))
    cv2.ellipse(mask, middle, axes, float(np.degrees(turn)), 0, 360, 255, -1)
    for finger in (-1.5, -0.5, 0.5, 1.5):
        angle = turn + finger * spread
        tip = centre + size * 2.6 * np.array([np.cos(angle), np.sin(angle)])
        end = (round(float(tip[0])), round(float(tip[1])))
        cv2.line(mask, middle, end, 255, max(2, round(size * 0.42)), cv2.LINE_AA)
    return mask


def tear(frame: Grey, before: Grey, box: Box, share: float, *, top: bool) -> Grey:
    """*share* of the x-ray's rows, at its top or bottom, still show the frame *before*."""
    _, y, _, height = box
    rows = round(height * share)
    result = frame.copy()
    if top:
        result[: y + rows] = before[: y + rows]
    else:
        result[y + height - rows :] = before[y + height - rows :]
    return result


def blend(frame: Grey, before: Grey, share: float) -> Grey:
    """Slow pixels: everywhere *share* of the way back to the frame *before*."""
    mixed = cv2.addWeighted(frame, 1 - share, before, share, 0)
    return np.asarray(mixed, dtype=np.uint8)
