"""How a picture is laid on a screen."""

from __future__ import annotations

from rig.errors import UserError

Size = tuple[int, int]
"""Width, height in pixels."""

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


class BadImage(UserError):
    """The picture cannot be shown; the sentence says why."""


def fit(inner: Size, outer: Size) -> Box:
    """The largest box with the aspect of *inner*, centred in *outer*.

    Raises:
        BadImage: one of them has no pixels.
    """
    if min(*inner, *outer) < 1:
        raise BadImage(f"a picture of {inner} pixels cannot be laid on a screen of {outer}")
    scale = min(outer[0] / inner[0], outer[1] / inner[1])
    width, height = (
        min(full, max(1, round(part * scale))) for part, full in zip(inner, outer, strict=True)
    )
    return ((outer[0] - width) // 2, (outer[1] - height) // 2, width, height)


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share a pixel."""
    return all(
        one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2]
        for axis in (0, 1)
    )
