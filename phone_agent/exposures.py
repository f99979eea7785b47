"""The camera's and the files' side of a phone agent: what the protocol's core asks is done here.

Two threads, one for the camera and one for the files; their results go back to the core on the
event loop. XCAP/1 and legacy mode shoot, keep and put aside in the same way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from phone_agent.cameras import Camera, CameraFault
from phone_agent.jpeg import inspect, sha256_file
from phone_agent.status import Status
from phone_agent.store import PhotoStore, StoreLost
from rig.protocol import actions as act
from rig.protocol.codes import Code
from rig.protocol.ledger import Shot
from rig.protocol.shell import Shell


class ShootingCore(Protocol):
    """What both phone cores take back."""

    def camera_result(
        self, ticket: act.Ticket, result: act.Photo | act.CameraFailure, now: float
    ) -> list[act.Output]:
        """The exposure is over."""

    def photo_stored(
        self, ticket: act.Ticket, failure: act.CameraFailure | None, now: float
    ) -> list[act.Output]:
        """The photo is durable, or could not be kept."""


class Exposures:
    """Takes, keeps and puts aside photos for one core.

    Args:
        camera: used by one thread only, except for `cancel`.
        store: the photo folder.
        status: hears what could not be put aside.
        deadline_s: seconds that the camera is given for an exposure.
    """

    def __init__(
        self, camera: Camera, store: PhotoStore, status: Status, deadline_s: float
    ) -> None:
        self._camera = camera
        self._store = store
        self._status = status
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._shutter = ThreadPoolExecutor(1, thread_name_prefix="camera")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._served: tuple[Shell, ShootingCore] | None = None

    def serve(self, shell: Shell, core: ShootingCore) -> None:
        """Give every result to *core* through *shell*."""
        self._served = shell, core

    async def probe(self) -> dict[str, Any]:
        """Ask the camera what it is, in its own thread."""
        return await self._loop.run_in_executor(self._shutter, self._camera.probe)

    async def with_camera(self, work: Callable[[], Any]) -> None:
        """Do *work* in the camera's own thread: nothing else may call it."""
        await self._loop.run_in_executor(self._shutter, work)

    def perform(self, output: act.Output) -> bool:
        """Begin what *output* asks; False when it is nothing for camera or files."""
        if isinstance(output, act.TriggerCamera):
            shoot = partial(self._shoot, output.staging)
            self._submit(self._shutter, shoot, partial(self._shot, output.ticket))
        elif isinstance(output, act.KillCamera):
            self._camera.cancel()
        elif isinstance(output, act.StorePhoto):
            keep = partial(self._keep, output)
            self._submit(self._files, keep, partial(self._kept, output.ticket))
        elif isinstance(output, act.Quarantine):
            self._submit(self._files, partial(self._put_aside, output.name), _nothing)
        else:
            return False
        return True

    def missing(self, held: Mapping[str, Shot]) -> list[str]:
        """Sort the folder by the journal; returns names of *held* photos that are not there.

        A photo that was staged and whose sidecar is there is put into its place.
        """
        for name in self._store.missing(held):
            staged = self._store.find_staged(held[name].sha256)
            if staged is not None and self._store.sidecar_path(name).is_file():
                self._store.store(staged, name, self._store.sidecar_path(name).read_bytes())
        missing = self._store.missing(held)
        for name in self._store.recover(held):
            self._status.note("recovered", f"put aside a file that no record knows: {name}")
        return missing

    def close(self) -> None:
        """Stop the camera, wait for what is being written."""
        self._camera.cancel()
        self._shutter.shutdown(wait=True, cancel_futures=True)
        self._files.shutdown(wait=True)

    def _submit(
        self, executor: ThreadPoolExecutor, work: Callable[[], Any], then: Callable[[Any], None]
    ) -> None:
        def done(future: Future[Any]) -> None:
            if not future.cancelled() and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(then, future.result())

        executor.submit(work).add_done_callback(done)

    def _shoot(self, staging: str) -> act.Photo | act.CameraFailure:
        """In the camera thread: one exposure, checked."""
        path = self._store.staging_path(staging)
        began = time.time_ns()
        try:
            self._camera.shoot(path, self._deadline_s)
            ended = time.time_ns()
            info = inspect(path)
            sha = sha256_file(path)
            return act.Photo(sha, path.stat().st_size, info.width, info.height, began, ended)
        except CameraFault as fault:
            return act.CameraFailure(int(Code[fault.code_name]), fault.sentence)
        except OSError as error:
            return act.CameraFailure(int(Code.FS_ERROR), f"{staging}: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - a camera must not take the agent with it
            return act.CameraFailure(int(Code.CAMERA_ERROR), f"{type(error).__name__}: {error}")

    def _shot(self, ticket: act.Ticket, result: act.Photo | act.CameraFailure) -> None:
        shell, core = self._require()
        shell.run(core.camera_result(ticket, result, shell.now))

    def _keep(self, store: act.StorePhoto) -> act.CameraFailure | None:
        """In the file thread: the photo under its final name, durably."""
        try:
            staging = self._store.staging_path(store.staging)
            self._store.store(staging, store.final, store.sidecar)
        except (StoreLost, ValueError) as error:
            return act.CameraFailure(int(Code.STORE_LOST), str(error))
        except OSError as error:
            return act.CameraFailure(int(Code.FS_ERROR), error.strerror or str(error))
        return None

    def _kept(self, ticket: act.Ticket, failure: act.CameraFailure | None) -> None:
        shell, core = self._require()
        shell.run(core.photo_stored(ticket, failure, shell.now))

    def _put_aside(self, name: str) -> None:
        try:
            self._store.quarantine(name)
        except OSError as error:
            self._status.warning("quarantine", f"{name} could not be put aside: {error}")

    def _require(self) -> tuple[Shell, ShootingCore]:
        if self._served is None:
            raise RuntimeError("the agent has not been started")
        return self._served


def _nothing(result: Any) -> None:
    del result
