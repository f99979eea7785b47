"""The transforms that exist, by name. A new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rig.synthesis import (
    blur,
    development,
    exposure,
    glare,
    glossy,
    identity,
    lens,
    moire,
    noise,
    screen_door,
    shift,
    tilt,
    tone,
)
from rig.synthesis.transform import SynthesisError, Transform

TRANSFORMS: Mapping[str, Transform[Any]] = MappingProxyType(
    {
        transform.name: transform
        for transform in (
            tone.CONTRAST_UP,
            tone.CONTRAST_DOWN,
            tone.BRIGHTNESS_UP,
            tone.BRIGHTNESS_DOWN,
            tone.RANDOM_DIGITAL,
            exposure.EXPOSURE,
            glare.GLARE_MATTE,
            glossy.GLARE_GLOSSY,
            moire.MOIRE,
            tilt.TILT,
            blur.BLUR,
            blur.MOTION,
            shift.ROTATION,
            shift.TRANSLATION,
            identity.IDENTITY,
            lens.VIGNETTING,
            noise.SENSOR_NOISE,
            development.WHITE_BALANCE,
            development.RECOMPRESSION,
            lens.BARREL,
            screen_door.SCREEN_DOOR,
            blur.DEFOCUS,
            noise.LOW_LIGHT,
        )
    }
)
"""Name -> transform, in the order of the preview: CheXphoto's, then those beyond it."""


def transform(name: str) -> Transform[Any]:
    """The transform called *name*, or SynthesisError naming those that exist."""
    try:
        return TRANSFORMS[name]
    except KeyError:
        known = ", ".join(TRANSFORMS)
        raise SynthesisError(f"There is no transform {name!r}; there are {known}.") from None
