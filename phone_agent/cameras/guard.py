"""What must hold for every real camera: no photo twice, and no photo of the exposure before."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import final

from phone_agent.cameras import Camera, CameraFault, deadline_of, quiesce_of
from phone_agent.files import sha256_file

SPARE_S = 1.5
"""Seconds kept back from every deadline, so that the camera itself can say what went wrong before
the protocol gives the exposure up."""
REMEMBERED = 4096
"""So many photos back a camera is caught handing over an old one."""


@final
class GuardedCamera:
    """A camera whose photos are all new.

    Two exposures of a sensor never have the same bytes; a file that comes again is the camera's
    old one. `deadline_s` is what the camera itself wants and `SPARE_S` more.

    Args:
        camera: the camera itself.
        rests: leave a camera with `quiesce_s` alone here: after the start `probe`, and after an
            exposure that was given up `shoot`, return only when it has been quiet for so long. For
            callers that do not see to it themselves, as `rig.protocol.phone_camera` does.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        rests: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.camera = camera
        self.name = camera.name
        self.deadline_s = deadline_of(camera) + SPARE_S
        self.quiesce_s = quiesce_of(camera)
        self._rest_s = self.quiesce_s if rests else 0.0
        self._clock = clock
        self._quiet_until = clock() + self._rest_s
        self._seen: dict[bytes, None] = {}
        self._cancelled = False
        self._closed = threading.Event()

    def remember(self, sha256: bytes) -> None:
        """An earlier photo, for instance of the life before: it must not come again."""
        self._seen[sha256] = None
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def shoot(self, target: Path, deadline_s: float) -> None:
        """As `Camera.shoot`; a photo that was there before is CAMERA_ERROR."""
        self._cancelled = False
        try:
            self.camera.shoot(target, max(deadline_s - SPARE_S, deadline_s / 2))
        except CameraFault as fault:
            if self._cancelled or fault.code_name == "CAMERA_TIMEOUT":
                self._quiet_until = self._clock() + self._rest_s
                self._wait()
            raise
        sha = sha256_file(target)
        if sha in self._seen:
            with contextlib.suppress(OSError):
                target.unlink()
            raise CameraFault(
                "CAMERA_ERROR",
                f"The camera {self.name} returned an earlier picture once more instead of a new "
                "one; it was not kept. If it happens again, close the camera app and open it.",
            )
        self.remember(sha)

    def probe(self) -> dict[str, str | int | bool]:
        """As `Camera.probe`."""
        facts = self.camera.probe()
        self._wait()
        return facts

    def cancel(self) -> None:
        """As `Camera.cancel`; a rest goes on."""
        self._cancelled = True
        self.camera.cancel()

    def close(self) -> None:
        """End the exposure and every rest, now and later: the agent is about to leave."""
        self._closed.set()
        self.cancel()

    def _wait(self) -> None:
        while (seconds := self._quiet_until - self._clock()) > 0:
            if self._closed.wait(seconds):
                return
