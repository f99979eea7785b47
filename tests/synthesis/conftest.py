"""Images to work on and a measure of likeness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rig.synthesis.image import encode_jpeg
from rig.synthesis.runner import Item

Pixels = NDArray[np.uint8]


def make_xray(width: int, height: int, seed: int = 0) -> Pixels:
    """A chest-like picture: soft lungs, a spine, ribs, some grain."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / width, y / height
    body = 150 * np.exp(-((u - 0.5) ** 2) / 0.15) + 40 * v
    lungs = sum(np.exp(-((u - c) ** 2) / 0.012 - (v - 0.45) ** 2 / 0.06) for c in (0.3, 0.7))
    ribs = 12 * np.sin(40 * v + 6 * (u - 0.5) ** 2 * 10)
    grain = np.random.default_rng(seed).normal(0, 1.5, (height, width))
    return np.clip(body - 100 * lungs + ribs + grain, 0, 255).astype(np.uint8)


@pytest.fixture
def xray() -> Pixels:
    return make_xray(130, 107)


@pytest.fixture
def small_chexpert() -> Pixels:
    """An x-ray of the size that CheXpert's small edition has."""
    return make_xray(390, 320)


@pytest.fixture
def colour() -> Pixels:
    return np.dstack([make_xray(96, 80, seed) // (seed + 1) for seed in range(3)])


@pytest.fixture
def ssim() -> Callable[[Pixels, Pixels], float]:
    """Mean structural similarity, Gaussian window of 11 px, sigma 1.5."""

    def measure(first: Pixels, second: Pixels) -> float:
        def blur(z: NDArray[np.float64]) -> NDArray[np.float64]:
            return cv2.GaussianBlur(z, (11, 11), 1.5)

        a, b = first.astype(np.float64), second.astype(np.float64)
        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
        cov = blur(a * b) - mean_a * mean_b
        top = (2 * mean_a * mean_b + 6.5025) * (2 * cov + 58.5225)
        bottom = (mean_a**2 + mean_b**2 + 6.5025) * (var_a + var_b + 58.5225)
        return float((top / bottom).mean())

    return measure


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """Six x-rays on disk, one of them in colour."""
    made = []
    for n in range(6):
        key = f"patient{n:05}/study1/view1_frontal"
        source = tmp_path / "source" / "train" / f"{key}.jpg"
        source.parent.mkdir(parents=True)
        image = make_xray(60 + n, 50, n)
        source.write_bytes(encode_jpeg(np.dstack([image] * 3) if n == 5 else image, 95))
        made.append(Item(key, source, PurePosixPath("train") / f"{key}.jpg"))
    return made
