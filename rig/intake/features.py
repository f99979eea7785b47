"""Feature points of x-rays and photos, and the homography they agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake.correlate import Texture, textured
from rig.intake.geometry import Matrix, Points, scaling, translation

Grey = NDArray[np.uint8]
"""(H, W) uint8."""

REFERENCE_SIDE = 640
"""Longest side, px, at which x-rays are compared; the photo is rectified to it."""
PHOTO_SIDE = 1600
"""Longest side, px, of the photo that ORB and the comparison see."""
SIFT_SIDE = 1024
"""Longest side, px, of the photo that SIFT sees."""
COUNT = 2000
"""Most features of an x-ray."""
PHOTO_COUNT = 4000
"""Most features of a photo, which shows much else."""
CLAHE = (3.0, 8)
"""Clip limit and tiles along a side of the evening of contrast before features are sought."""
ORB = (1.2, 8, 7)
"""Scale factor, levels and FAST threshold."""
SIFT = 0.02
"""Contrast threshold."""
SIFT_LENGTH = 128
"""Numbers in a SIFT descriptor; an ORB descriptor has 32 bytes."""
VERSION = 1
"""Raised whenever features of the same picture come out otherwise for another reason."""
RECIPE = (VERSION, REFERENCE_SIDE, SIFT_SIDE, COUNT, CLAHE, ORB, SIFT, cv2.__version__)
"""All that the features of an x-ray depend on beside its bytes."""
SEED = 20_261_121
"""OpenCV draws MAGSAC's samples from one generator per thread; it is set before each estimate, so a
photo gives the same homography alone, in a batch and in any order."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Points (n, 2), pixel-edge in the full-size image, and one descriptor row each."""

    points: Points
    descriptors: NDArray[np.uint8]


def shrink(image: Grey, side: int) -> Grey:
    """*image* with its longest side at most *side* px; unchanged when it is smaller."""
    height, width = image.shape
    factor = side / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _evened(image: Grey) -> Grey:
    """Local contrast evened, so that dim photos and dark lungs give points too."""
    return np.asarray(cv2.createCLAHE(CLAHE[0], (CLAHE[1], CLAHE[1])).apply(image), dtype=np.uint8)


def _full_size(keypoints: Sequence[cv2.KeyPoint], work: Grey, size: tuple[int, int]) -> Points:
    found = np.array([k.pt for k in keypoints], dtype=np.float64).reshape(-1, 2) + 0.5
    return np.asarray(found * (np.array(size) / np.array(work.shape[::-1])), dtype=np.float64)


def orb(image: Grey, side: int, count: int) -> Features:
    """At most *count* ORB features of *image*, found at *side* px."""
    work = shrink(image, side)
    detector = cv2.ORB.create(
        nfeatures=count, scaleFactor=ORB[0], nlevels=ORB[1], fastThreshold=ORB[2]
    )
    keypoints, descriptors = detector.detectAndCompute(_evened(work), None)
    rows = np.asarray(descriptors if keypoints else np.zeros((0, 32)), dtype=np.uint8)
    return Features(_full_size(keypoints, work, image.shape[::-1]), rows)


def sift(image: Grey, side: int, count: int) -> Features:
    """At most *count* SIFT features of *image*, found at *side* px; `pairs` takes their roots."""
    work = shrink(image, side)
    detector = cv2.SIFT.create(nfeatures=count, contrastThreshold=SIFT)
    keypoints, descriptors = detector.detectAndCompute(_evened(work), None)
    # OpenCV's are whole numbers 0..255 in floating point.
    rows = np.asarray(descriptors if keypoints else np.zeros((0, SIFT_LENGTH)), dtype=np.uint8)
    return Features(_full_size(keypoints, work, image.shape[::-1]), rows)


def rooted(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """SIFT descriptors (n, 128) as the roots of their shares (Arandjelovic and Zisserman 2012)."""
    whole = rows.astype(np.float32)
    shares = whole / np.maximum(whole.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(np.sqrt(shares), dtype=np.float32)


class Snapshot:
    """What is computed once per photo, however many x-rays it is held against.

    Attributes:
        size: width and height of the photo, px.
        work: (h, w) uint8, longest side at most `PHOTO_SIDE`: what is looked at.
    """

    def __init__(self, photo: Grey) -> None:
        self.size = (photo.shape[1], photo.shape[0])
        self.work = shrink(photo, PHOTO_SIDE)

    @cached_property
    def orb(self) -> Features:
        """ORB features in pixels of `work`."""
        return orb(self.work, PHOTO_SIDE, PHOTO_COUNT)

    @cached_property
    def sift(self) -> Features:
        """SIFT features in pixels of `work`; only computed when ORB was not enough."""
        return sift(self.work, SIFT_SIDE, PHOTO_COUNT)


class Reference:
    """What is computed once per x-ray; `rig.intake.cache` keeps it on disk, callers in memory.

    Attributes:
        width, height: of the x-ray, px.
        grey: (h, w) uint8, longest side at most `REFERENCE_SIDE`: the comparison's pixel grid.
    """

    def __init__(self, xray: Grey) -> None:
        self.height, self.width = xray.shape
        self.grey = shrink(xray, REFERENCE_SIDE)
        self._xray = shrink(xray, SIFT_SIDE)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the x-ray, px."""
        return self.width, self.height

    @cached_property
    def texture(self) -> Texture:
        """Local-contrast-normalised `grey` and its textured blocks."""
        return textured(self.grey)

    @cached_property
    def orb(self) -> Features:
        """ORB features in x-ray pixels."""
        return self._scaled(orb(self._xray, REFERENCE_SIDE, COUNT))

    @cached_property
    def sift(self) -> Features:
        """SIFT features in x-ray pixels; only computed when ORB was not enough."""
        return self._scaled(sift(self._xray, REFERENCE_SIDE, COUNT))

    @property
    def to_xray(self) -> Matrix:
        """From the pixel grid of `grey` to x-ray pixels, pixel-edge."""
        height, width = self.grey.shape
        return scaling(self.width / width, self.height / height)

    def _scaled(self, found: Features) -> Features:
        factor = np.array([self.width, self.height]) / np.array(self._xray.shape[::-1])
        return Features(found.points * factor, found.descriptors)


def pairs(xray: Features, photo: Features, ratio: float) -> tuple[Points, Points]:
    """Points of *xray* and *photo* that look alike, best clearly better than the second best."""
    if min(len(xray.points), len(photo.points)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    # From the x-ray to the photo: clutter in the photo then never claims a point of the x-ray.
    if xray.descriptors.shape[1] == SIFT_LENGTH:
        rows = rooted(xray.descriptors), rooted(photo.descriptors)
        found = cv2.BFMatcher(cv2.NORM_L2).knnMatch(*rows, k=2)
    else:
        found = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(xray.descriptors, photo.descriptors, k=2)
    good = [m for m, n in found if m.distance < ratio * n.distance]
    source = xray.points[[m.queryIdx for m in good]]
    return source.reshape(-1, 2), photo.points[[m.trainIdx for m in good]].reshape(-1, 2)


def homography(source: Points, target: Points, tolerance: float) -> tuple[Matrix | None, int]:
    """MAGSAC homography from *source* to *target* (n, 2) and the number of inliers.

    *tolerance* is in pixels of the target. Deterministic: see `SEED`.
    """
    if len(source) < 4:
        return None, 0
    cv2.setRNGSeed(SEED)
    # Conditioned to about unit scale; tolerance stays in target pixels.
    centre = source.mean(axis=0)
    spread = max(float(source.std()), 1e-9)
    local = (source - centre) / spread
    # Typed as Any: the stubs promise arrays, but without a consensus OpenCV returns None.
    result: tuple[Any, Any] = cv2.findHomography(
        local, target, cv2.USAC_MAGSAC, tolerance, maxIters=4000, confidence=0.999
    )
    found, mask = result
    if found is None or mask is None:
        return None, 0
    condition = scaling(1 / spread, 1 / spread) @ translation(-centre[0], -centre[1])
    return np.asarray(found, dtype=np.float64) @ condition, int(mask.sum())
