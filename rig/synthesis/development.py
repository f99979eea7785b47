"""What a phone's software does to a photo: white balance and JPEG compression.

Sources: white balance is von Kries' diagonal model, one gain per channel, here off by what a
wrong guess of the light's colour leaves. The model is one of light; on a power law a gain of the
light is a gain of the value too, so it is applied to values, which is an approximation: Afifi and
Brown, "What else can fool deep learning? Addressing color constancy errors on deep neural network
performance", ICCV 2019, show where it ends, and fit errors of real cameras instead. JPEG is
ITU-T T.81; messengers compress a photo again (Battiato et al., "In-depth DCT coefficient
distribution analysis for first quantization estimation", arXiv 2008.03206), after a crop on a
grid of 8 px that is not the grid of the first time. Casts and qualities of the levels are our own
choice; ImageNet-C's qualities, 25 to 7, begin where ours are half-way.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg

from rig.synthesis.transform import Pixels, Size, Transform, check_level, within

_CAST = (0.05, 0.1, 0.2, 0.3)
_QUALITY = (60, 35, 20, 10)


@dataclass(frozen=True, slots=True)
class WhiteBalance:
    """Gains of the three channels; a grey image gets their luma, it stays grey."""

    red: float
    green: float
    blue: float

    def __post_init__(self) -> None:
        for name, gain in (("red", self.red), ("green", self.green), ("blue", self.blue)):
            within(gain, 0, 10, name)


@dataclass(frozen=True, slots=True)
class Recompression:
    """JPEG `quality` 1..95 and the place of the 8 px grid, `dx` and `dy` in 0..7."""

    quality: int
    dx: int
    dy: int

    def __post_init__(self) -> None:
        within(self.quality, 1, 95, "quality")
        within(self.dx, 0, 7, "dx")
        within(self.dy, 0, 7, "dy")


def sample_white_balance(generator: np.random.Generator, level: int, size: Size) -> WhiteBalance:
    """Towards red or blue by a fair coin: e^c, and e^-c for the other, c about 0.05 to 0.3.

    Green follows by U(-c/4, c/4) in the exponent.
    """
    del size
    cast = _CAST[check_level(level) - 1] * float(generator.uniform(0.8, 1.2))
    green = float(generator.uniform(-0.25, 0.25)) * cast
    cast = cast if generator.integers(2) else -cast
    red, green, blue = np.exp([cast, green, -cast]).tolist()
    return WhiteBalance(red, green, blue)


def apply_white_balance(image: Pixels, params: WhiteBalance) -> Pixels:
    """Multiply each channel by its gain, rounded and cut off at 255."""
    gains = [params.red, params.green, params.blue]
    if image.ndim == 2:
        gains = [0.299 * params.red + 0.587 * params.green + 0.114 * params.blue]
    tables = np.rint(np.arange(256)[:, None] * np.array(gains)[None]).clip(0, 255).astype(np.uint8)
    table = tables[:, 0] if image.ndim == 2 else tables[:, None, :]
    return np.asarray(cv2.LUT(image, np.ascontiguousarray(table)), dtype=np.uint8)


def sample_recompression(generator: np.random.Generator, level: int, size: Size) -> Recompression:
    """Quality 60, 35, 20 or 10, and any of the 64 places of the grid."""
    del size
    dx, dy = generator.integers(8, size=2).tolist()
    return Recompression(_QUALITY[check_level(level) - 1], dx, dy)


def apply_recompression(image: Pixels, params: Recompression) -> Pixels:
    """Compress and expand again; colour at half resolution (4:2:0)."""
    dx, dy = params.dx, params.dy
    moved = cv2.copyMakeBorder(image, dy, 0, dx, 0, cv2.BORDER_REPLICATE)
    if image.ndim == 2:
        data = simplejpeg.encode_jpeg(
            moved[:, :, None], params.quality, "GRAY", "GRAY", fastdct=False
        )
        return np.array(simplejpeg.decode_jpeg(data, "GRAY")[dy:, dx:, 0], dtype=np.uint8)
    data = simplejpeg.encode_jpeg(moved, params.quality, "RGB", "420", fastdct=False)
    return np.array(simplejpeg.decode_jpeg(data, "RGB")[dy:, dx:], dtype=np.uint8)


WHITE_BALANCE = Transform("white_balance", WhiteBalance, sample_white_balance, apply_white_balance)
RECOMPRESSION = Transform("jpeg", Recompression, sample_recompression, apply_recompression)
