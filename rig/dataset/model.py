"""What goes into a dataset, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.catalog.model import Xray
from rig.dataset.conditions import UNKNOWN, Conditions
from rig.planning.model import Environment

Homography = Sequence[Sequence[float]]
"""3x3, x-ray pixel to photo pixel, pixel-edge coordinates."""


@dataclass(frozen=True, slots=True)
class CapturedPhoto:
    """A verified photo of an x-ray.

    Attributes:
        xray: what it shows.
        file: where its bytes are now.
        session: session id; empty for a photo taken by hand.
        subset: subset id, from 1; 0 likewise.
        environment: what it was shot in.
        device: e.g. `nokia`.
        attempt: exposure number, from 1.
        t_trigger_ns: when the camera was triggered, Unix time; 0 when unknown.
        sha256: hex digest of the bytes as committed.
        score: of the verification.
        homography: of the verification; None when unknown.
        conditions: how each level was known when it was taken.
    """

    xray: Xray
    file: Path
    session: str
    subset: int
    environment: Environment
    device: str
    attempt: int
    t_trigger_ns: int
    sha256: str
    score: float
    homography: Homography | None
    conditions: Conditions = UNKNOWN


@dataclass(frozen=True, slots=True)
class Gap:
    """An x-ray without a usable photo, and why, as a sentence."""

    index: int
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was built.

    Attributes:
        path: the dataset's folder.
        natural: photos in it.
        synthetic: set -> twins in it.
        gaps: x-rays without a photo, those found while building included; the first thousand.
        failed: twins that could not be made and films that were lost, sentences, likewise.
        missing: how many gaps there are; all of them are in `captures.parquet`.
        unmade: how many failures there are.
        boxes: findings with a box in a picture.
        boxes_dropped: findings that fall out of a picture.
    """

    path: Path
    natural: int
    synthetic: dict[str, int]
    gaps: tuple[Gap, ...]
    failed: tuple[str, ...]
    missing: int
    unmade: int
    boxes: int
    boxes_dropped: int

    @property
    def well(self) -> bool:
        """Nothing is missing. A box that falls out of its picture is no fault."""
        return not self.missing and not self.unmade


@dataclass(frozen=True, slots=True)
class FilmCrop(Xray):
    """The cropped photo of a film: `file`, `sha256` and size are the crop's, the rest the x-ray's.

    Attributes:
        source: the catalog's x-ray, when the crop was made by its content: it then fills the crop
            from edge to edge. None when nothing says where the x-ray is in the crop.
    """

    source: Xray | None = None
