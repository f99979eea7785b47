"""The transforms that exist, by name. A new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rig.synthesis import glare, identity, moire, tilt, tone
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
            glare.GLARE_MATTE,
            moire.MOIRE,
            tilt.TILT,
            identity.IDENTITY,
        )
    }
)
"""Name -> transform, in the order of the preview."""


def transform(name: str) -> Transform[Any]:
    """The transform called *name*, or SynthesisError naming those that exist."""
    try:
        return TRANSFORMS[name]
    except KeyError:
        known = ", ".join(TRANSFORMS)
        raise SynthesisError(f"There is no transform {name!r}; there are {known}.") from None
