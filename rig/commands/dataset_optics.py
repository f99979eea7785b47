"""The optical check of photos in a dataset, in other processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.intake.limits import Limits


class PoolOptics:
    """Compares photos with x-rays on an executor; None works here.

    Args:
        executor: where.
        limits: of the optical check; the designed ones by default.
    """

    def __init__(self, executor: Executor | None, limits: Limits | None = None) -> None:
        self._executor = executor
        self._shows = partial(shows, limits=limits)

    def __call__(self, pairs: list[tuple[Path, Path]]) -> Iterator[str | None]:
        """For each (photo, x-ray): None when the photo shows the x-ray, else why not."""
        if self._executor is None:
            yield from map(self._shows, pairs)
        else:
            yield from self._executor.map(self._shows, pairs)


def shows(pair: tuple[Path, Path], limits: Limits | None = None) -> str | None:
    """None when the first file's picture shows the second's, else why not."""
    import cv2

    from rig.intake.limits import Limits
    from rig.intake.read import UnreadableImage, read_grey
    from rig.intake.verify import verify

    cv2.setNumThreads(1)
    limits = limits or Limits()
    photo_file, xray_file = pair
    try:
        photo, xray = read_grey(photo_file, limits.max_pixels), read_grey(xray_file)
    except UnreadableImage as error:
        return str(error)
    found = verify(photo, xray, limits=limits)
    return None if found.verified else found.reason
