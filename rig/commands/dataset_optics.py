"""The optical check of photos in a dataset, in other processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path


class PoolOptics:
    """Compares photos with x-rays on an executor; None works here."""

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor

    def __call__(self, pairs: list[tuple[Path, Path]]) -> Iterator[str | None]:
        """For each (photo, x-ray): None when the photo shows the x-ray, else why not."""
        if self._executor is None:
            yield from map(shows, pairs)
        else:
            yield from self._executor.map(shows, pairs)


def shows(pair: tuple[Path, Path]) -> str | None:
    """None when the first file's picture shows the second's, else why not."""
    import cv2

    from rig.intake.read import UnreadableImage, read_grey
    from rig.intake.verify import verify

    cv2.setNumThreads(1)
    try:
        photo, xray = (read_grey(file) for file in pair)
    except UnreadableImage as error:
        return str(error)
    found = verify(photo, xray)
    return None if found.verified else found.reason
