"""A process of the synthesis benchmark: the codec alone, or the original's own mappings.

    python -m bench.synthesis_child floor IMAGE TIMES
    python -m bench.synthesis_child original CLONE IMAGE OUT TIMES NAME[,NAME...] LEVEL
    python -m bench.synthesis_child parity CLONE IMAGE

The original is used as it lies in its clone; what newer libraries have dropped is put back.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from rig.synthesis.parameters import params_from_json
from rig.synthesis.registry import TRANSFORMS

Draws = list[float]


def main(words: list[str]) -> int:
    """Do what the first word says."""
    if words[0] == "floor":
        floor(Path(words[1]), int(words[2]))
    elif words[0] == "original":
        original(Path(words[1]), Path(words[2]), Path(words[3]), int(words[4]), words[5:])
    else:
        print(json.dumps(parity(Path(words[1]), Path(words[2]))))
    return 0


def floor(image: Path, times: int) -> None:
    """Decode and encode, nothing else; prints the CPU and wall milliseconds of one."""
    data = image.read_bytes()
    space = str(simplejpeg.decode_jpeg_header(data)[2]).upper()
    space = "GRAY" if space.startswith("GR") else "RGB"
    began, clock = time.process_time(), time.perf_counter()
    for _ in range(times):
        pixels = simplejpeg.decode_jpeg(data, space)
        simplejpeg.encode_jpeg(pixels, 75, space, "GRAY" if space == "GRAY" else "420")
    cpu, wall = time.process_time() - began, time.perf_counter() - clock
    print(json.dumps({"ms": cpu * 1e3 / times, "wall_ms": wall * 1e3 / times}))


def mappings(clone: Path) -> dict[str, Callable[[int, Image.Image], Image.Image]]:
    """The original's mappings by its names."""
    np.float = float  # type: ignore[attr-defined]
    Image.ANTIALIAS = Image.Resampling.LANCZOS  # type: ignore[attr-defined]
    sys.path.insert(0, str(clone))
    import importlib

    try:
        found: dict[str, Any] = importlib.import_module("transforms.constants").PERTURBATIONS
    except ImportError as error:
        if error.name is None or not error.name.startswith("skimage"):
            raise
        # Only `exposure` needs scikit-image; the others are compared without it.
        sys.modules["skimage"] = type(sys)("skimage")
        sys.modules["skimage"].exposure = None  # type: ignore[attr-defined]
        found = importlib.import_module("transforms.constants").PERTURBATIONS
        found.pop("exposure")
    return found


def original(clone: Path, image: Path, out: Path, times: int, words: list[str]) -> None:
    """Open, map and save *times* images, as the original's worker does."""
    steps, level = [mappings(clone)[name] for name in words[0].split(",")], int(words[1])
    np.random.seed(0)
    for n in range(times):
        picture = Image.open(image)
        for step in steps:
            picture = step(level, picture)
        target = out / f"{n}" / "view1.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target)


class Recorder:
    """Notes what is drawn, in order, and hands it on."""

    def __init__(self) -> None:
        self.drawn: Draws = []
        self._kept = (np.random.uniform, np.random.normal, np.random.randint, random.getrandbits)

    def __enter__(self) -> Draws:
        np.random.uniform, np.random.normal, np.random.randint = map(self._noted, self._kept[:3])
        random.getrandbits = self._noted(self._kept[3])
        return self.drawn

    def __exit__(self, *_: object) -> None:
        np.random.uniform, np.random.normal, np.random.randint, random.getrandbits = self._kept

    def _noted(self, draw: Callable[..., float]) -> Callable[..., float]:
        def noted(*args: Any) -> float:
            value = draw(*args)
            self.drawn.append(float(value))
            return value

        return noted


def parity(clone: Path, image: Path) -> list[dict[str, Any]]:
    """Each mapping at each level, beside ours with the parameters that it drew."""
    rows = []
    picture = Image.open(image).convert("L")
    pixels = np.asarray(picture)
    for name, mapping in mappings(clone).items():
        ours = TRANSFORMS[name.replace("-", "_")]
        for level in (1, 2, 3, 4):
            random.seed(level)
            np.random.seed(level)
            source = picture.convert("RGB") if name == "exposure" else picture
            with Recorder() as drawn:
                theirs = np.asarray(mapping(level, source))
            params = params_from_json(ours.name, parameters(ours.name, level, drawn, picture.size))
            grey = theirs if theirs.ndim == 2 else theirs[..., 0]
            if name == "motion" and level < 3:  # the original's even kernels shift a row
                grey = np.roll(grey, -1, 0)[1:-1]
                made = ours.apply(pixels, params)[1:-1]
            else:
                made = ours.apply(pixels, params)
            rows.append({"name": ours.name, "level": level, **likeness(made, grey)})
    return rows


def parameters(name: str, level: int, drawn: Draws, size: tuple[int, int]) -> dict[str, Any]:
    """What the original drew, as our manifest writes it."""
    width, height = size
    k = 0.5 if level == 1 else level

    def factor(up: float, noise: float) -> float:
        return 1 + 0.2 * k + noise if up else 1 / (1 + 0.4 * k + noise)

    if name in {"contrast_up", "contrast_down", "brightness_up", "brightness_down"}:
        return {"factor": factor(name.endswith("up"), drawn[0])}
    if name == "random_digital":
        return {"contrast": factor(*drawn[:2]), "brightness": factor(*drawn[2:4])}
    if name == "glare_matte":
        sizes = {"sigma": 50 * level, "peak": 100 * level, "cap": 150 + 20 * level}
        return {"x": drawn[0], "y": drawn[1], **sizes}
    if name == "glare_glossy":
        return {"box": glossy_box(level, drawn, size), "opacity": 150 + 20 * level + drawn[-1]}
    if name == "moire":
        gap = (20, 4.5, 2.5, 1)[level - 1]
        layers = [[90, 0.5, drawn[0:2]], [90 + drawn[2], 0.5, drawn[3:5]]]
        opacity = (0.05, 0.15, 0.35, 0.5)[level - 1]
        return {"gap": gap, "opacity": opacity, "thickness": 1, "layers": layers}
    if name == "tilt":
        return {
            "corners": [
                [width * x, height * y] for x, y in zip(drawn[::2], drawn[1::2], strict=True)
            ]
        }
    if name == "rotation":
        return {"degrees": -5 * level if drawn[0] else 5 * level}
    if name == "translation":
        dx, dy = (-20 * level if bit else 20 * level for bit in drawn[:2])
        return {"dx": dx, "dy": dy, "inset": 100}
    fixed: dict[str, dict[str, Any]] = {
        "blur": {"radius": (1.5, 3, 6, 10)[level - 1]},
        "motion": {"length": (2, 10, 25, 45)[level - 1]},
        "exposure": {"cutoff": 0.5, "gain": 5},
    }
    return fixed.get(name, {})


def glossy_box(level: int, drawn: Draws, size: tuple[int, int]) -> list[int]:
    """The box of the place that was drawn: numbered down the columns, left to right."""
    width, height = size
    long = (0.1 * level * width + drawn[1] * width, 0.1 * level * height + drawn[2] * height)
    column, row = divmod(int(drawn[3]) - 1, 3)
    starts = list(drawn[4:-1])

    def side(place: int, length: int, extent: float) -> tuple[int, int]:
        if place == 0:
            return 0, int(extent)
        if place == 2:
            return length - int(extent), length
        middle = starts.pop(0) * length
        return int(middle - extent / 2), int(middle + extent / 2)

    y0, y1 = side(row, height, long[1])
    x0, x1 = side(column, width, long[0])
    return [x0, y0, x1, y1]


def likeness(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> dict[str, float]:
    """Greatest and mean difference, and SSIM (Gaussian window, sigma 1.5)."""

    def blur(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(cv2.GaussianBlur(z, (11, 11), 1.5))

    a, b = first.astype(np.float64), second.astype(np.float64)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + 6.5025) * (2 * both + 58.5225)
    bottom = (mean_a**2 + mean_b**2 + 6.5025) * (var_a + var_b + 58.5225)
    return {
        "max": float(abs(a - b).max()),
        "mean": float(abs(a - b).mean()),
        "ssim": float((top / bottom).mean()),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
