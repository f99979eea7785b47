"""Is the photo good enough: sharpness, clipping, glare and framing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake.correlate import Mask
from rig.intake.geometry import Points
from rig.intake.limits import Limits
from rig.intake.veil import usual

Grey = NDArray[np.uint8]

BLACK, WHITE = 2, 253
"""Grey levels at which a photo counts as clipped."""
BRIGHTER = 45.0
"""Grey levels above what the source explains from which on a pixel counts as glare."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of a photo, and what they mean for it.

    Attributes:
        focus: energy of fine structure that comes from the source, against coarse structure; 1 is
            as sharp as the source.
        clipping: share of the x-ray clipped to black or white by the camera.
        glare: share of the x-ray far brighter than the source explains.
        margin: least distance of a corner from the photo's edge, in photo widths; negative outside.
        offset: distance of the x-ray's centre from the photo's centre, in photo widths.
        rotation: of the x-ray's upper edge, degrees clockwise, -180..180.
        residual: of the block refinement, x-ray pixels; None when it was not possible.
        rejects: why the photo should be shot again, sentences; identity is another question.
        warnings: what to look after, sentences.
    """

    focus: float
    clipping: float
    glare: float
    margin: float
    offset: float
    rotation: float
    residual: float | None
    rejects: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _band(image: NDArray[np.float32], fine: float, coarse: float) -> NDArray[np.float32]:
    low, high = (cv2.GaussianBlur(image, (0, 0), s) for s in (fine, coarse))
    return np.asarray(low - high, dtype=np.float32)


def focus(photo: Grey, xray: Grey, inside: Mask) -> float:
    """Fine to coarse band energy of the rectified *photo* against the *xray*, 0.. about 1.

    Only what goes together with the source counts as energy: noise and moire are fine structure
    too, and would pass for sharpness.
    """
    gains = []
    p, x = photo.astype(np.float32), xray.astype(np.float32)
    for low, high in ((1.0, 2.2), (4.0, 9.0)):
        a, b = _band(p, low, high)[inside], _band(x, low, high)[inside]
        gains.append(float(np.dot(a, b)) / max(float(np.dot(b, b)), 1e-6))
    return (max(gains[0], 0.0) / max(gains[1], 1e-6)) ** 2


def clipping(photo: Grey, xray: Grey, inside: Mask) -> float:
    """Share of *inside* clipped in the photo although the x-ray is well within the range there."""
    middle = inside & (xray > 12) & (xray < 243)
    clipped = middle & ((photo <= BLACK) | (photo >= WHITE))
    return float(clipped.sum()) / max(int(inside.sum()), 1)


def glare(photo: Grey, xray: Grey, inside: Mask) -> float:
    """Share of *inside* far brighter than the photo usually shows the x-ray's grey there."""
    if not inside.any():
        return 0.0
    excess = cv2.GaussianBlur(photo - usual(photo, xray, inside), (0, 0), 4.0)
    return float(((excess > BRIGHTER) & inside).sum()) / float(inside.sum())


def measure(
    photo: Grey,
    xray: Grey,
    inside: Mask,
    quad: Points,
    size: tuple[int, int],
    residual: float | None,
    limits: Limits,
) -> Quality:
    """All measures of a rectified *photo* (h, w) against the *xray* (h, w), both uint8.

    Args:
        photo: the photo in the x-ray's frame.
        xray: the x-ray in the same frame.
        inside: where the photo covers the frame.
        quad: the corners in the full photo, (4, 2), clockwise from top left.
        size: (width, height) of the full photo.
        residual: of the refinement, x-ray pixels.
        limits: what is asked.
    """
    width, height = size
    edge = np.minimum(quad, np.array([width, height]) - quad).min()
    right = quad[1] - quad[0]
    centre = np.linalg.norm(quad.mean(axis=0) - np.array([width, height]) / 2)
    values = Quality(
        focus=focus(photo, xray, inside),
        clipping=clipping(photo, xray, inside),
        glare=glare(photo, xray, inside),
        margin=float(edge) / width,
        offset=float(centre) / width,
        rotation=float(np.degrees(np.arctan2(right[1], right[0]))),
        residual=residual,
    )
    return _judged(values, limits)


def _judged(q: Quality, limits: Limits) -> Quality:
    rejects, warnings = [], []
    if q.focus < limits.focus_reject:
        rejects.append(f"out of focus: {q.focus:.0%} of the source's sharpness; focus and re-shoot")
    elif q.focus < limits.focus_warn:
        warnings.append(f"soft: {q.focus:.0%} of the source's sharpness")
    if q.clipping > limits.clipping_reject:
        rejects.append(
            f"{q.clipping:.1%} of the x-ray is clipped; correct the exposure and re-shoot"
        )
    if q.glare > limits.glare_reject:
        rejects.append(f"glare covers {q.glare:.0%} of the x-ray; move the light and re-shoot")
    elif q.glare > limits.glare_warn:
        warnings.append(f"glare covers {q.glare:.0%} of the x-ray")
    # A picture that fills the screen has no margin in a photo of just the screen: say so, no more.
    if q.margin < limits.margin_warn:
        warnings.append(f"a corner is {q.margin:.1%} of the photo's width from its edge")
    if q.offset > limits.offset_warn:
        warnings.append(f"the x-ray is {q.offset:.0%} of the photo's width off centre")
    return replace(q, rejects=tuple(rejects), warnings=tuple(warnings))
