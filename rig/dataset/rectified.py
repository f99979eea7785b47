"""Rectified copies: the x-ray cut out of a photo and laid straight, in the x-ray's own pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any

from rig.dataset import layout
from rig.dataset.errors import BuildStopped
from rig.dataset.model import CapturedPhoto, Homography
from rig.dataset.reuse import Earlier
from rig.errors import UserError

Rectify = Callable[[bytes, Homography, tuple[int, int]], bytes]
"""Encoded photo, homography (x-ray to photo, pixel-edge), (width, height) -> JPEG of that size.

Raises UserError or ValueError for a photo of which none can be made; must be picklable.
"""


class Copies:
    """Makes the copies of one build, in other processes when there are such."""

    def __init__(
        self, rectify: Rectify | None, executor: Executor | None, folder: Path, earlier: Earlier
    ) -> None:
        self._rectify, self._executor = rectify, executor
        self._folder, self._earlier = folder, earlier

    def begin(
        self, photo: CapturedPhoto, path: str, data: bytes, before: Mapping[str, Any] | None
    ) -> str | Future[bytes] | None:
        """Begin the copy of the photo at *path*, whose bytes are *data*.

        An earlier copy of the same photo by the same homography (*before*, its row) is linked:
        then its SHA-256 comes back at once. None: there is nothing to cut out.
        """
        if self._rectify is None or photo.homography is None:
            return None
        target = layout.rectified(path)
        if before is not None and _same(photo, before) and self._earlier.link(self._folder, target):
            digest = hashlib.sha256((self._folder / target).read_bytes()).hexdigest()
            if digest == before["rectified_sha256"]:
                return digest
            (self._folder / target).unlink()
        size = (photo.xray.width, photo.xray.height)
        if self._executor is not None:
            return self._executor.submit(self._rectify, data, photo.homography, size)
        done: Future[bytes] = Future()
        try:
            done.set_result(self._rectify(data, photo.homography, size))
        except (UserError, ValueError) as error:
            done.set_exception(error)
        return done

    def end(self, path: str, begun: str | Future[bytes] | None) -> str | None:
        """Write what `begin` began; its SHA-256, None when there is none.

        Raises:
            UserError: the photo cannot be decoded.
            BuildStopped: the workers died.
            ValueError: its homography maps no rectangle.
        """
        if begun is None or isinstance(begun, str):
            return begun
        try:
            copy = begun.result()
        except BrokenExecutor as error:
            raise BuildStopped(
                "A worker process died, perhaps for want of memory; nothing was changed: build "
                "again with fewer --workers."
            ) from error
        self._earlier.put(copy, self._folder, layout.rectified(path))
        return hashlib.sha256(copy).hexdigest()


def _same(photo: CapturedPhoto, before: Mapping[str, Any]) -> bool:
    flat = [float(value) for row in photo.homography or () for value in row]
    same = before["photo_sha256"] == photo.sha256 and before["homography"] == flat
    return bool(same and before.get("rectified_sha256"))
