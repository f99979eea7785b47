"""The phone agent: the protocol's core joined to camera, photo folder, upload and terminal."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from phone_agent.battery import read_battery
from phone_agent.cameras import Camera, CameraFault
from phone_agent.jpeg import inspect, sha256_file
from phone_agent.status import PhotoLine, Status
from phone_agent.store import PhotoStore, StoreLost
from phone_agent.uploads import Uploads
from rig.protocol import actions as act
from rig.protocol.codes import Code, Timers, code_name
from rig.protocol.journal_file import JournalFile
from rig.protocol.keys import Pairing
from rig.protocol.ledger import Run, Shot, ShotState
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.protocol.shell import Shell

_LOOK_EVERY = 5.0
"""Seconds between looks at battery and free space."""
_HELD = (ShotState.STORED, ShotState.COMMITTED)


@dataclass(frozen=True)
class AgentConfig:
    """What the command line says. *once*: leave when the first subset is finished and uploaded."""

    pairing: Pairing
    folder: Path
    once: bool = False


class PhoneAgent:
    """One run of the agent, on one event loop.

    Raises:
        StoreBusy: another agent uses the folder.
        JournalCorrupt: the journal is damaged before its last record.
        OSError: the folder cannot be used.
    """

    def __init__(
        self, config: AgentConfig, camera: Camera, status: Status, uploads: Uploads | None
    ) -> None:
        self._config = config
        self._camera = camera
        self._status = status
        self._uploads = uploads
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[int] = self._loop.create_future()
        self._store = PhotoStore(config.folder)
        try:
            self._journal = JournalFile(config.folder / "journal")
        except BaseException:
            self._store.close()
            raise
        self._shutter = ThreadPoolExecutor(1, thread_name_prefix="camera")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._timers = Timers()
        self._core: PhoneCore | None = None
        self._shell: Shell | None = None
        self._battery: int | None = None

    async def run(self) -> int:
        """Serve until stopped; returns the exit status."""
        transport = None
        look = None
        try:
            probe = await self._loop.run_in_executor(self._shutter, self._camera.probe)
            core = self._recover(probe)
            self._shell = Shell(core, self._journal, self._perform, self._fatal)
            transport, _ = await self._loop.create_datagram_endpoint(
                self._require_shell, local_addr=_bind(self._config.pairing.hosts)
            )
            self._look()
            self._shell.run(core.start(self._shell.now, self._missing(core)))
            self._offer_uploads(core)
            look = self._loop.create_task(self._keep_looking(), name="look")
            self._status.note("ready", self._greeting())
            return await self._stopped
        finally:
            if look is not None:
                look.cancel()
                await asyncio.gather(look, return_exceptions=True)
            self._close(transport)
            await asyncio.sleep(0)

    def stop(self, status: int = 0) -> None:
        """End `run`."""
        if not self._stopped.done():
            self._stopped.set_result(status)

    def _close(self, transport: asyncio.BaseTransport | None) -> None:
        self._camera.cancel()
        if self._shell is not None:
            self._shell.run(self._require_core().bye(self._shell.now))
            self._shell.close()
        if transport is not None:
            transport.close()
        if self._uploads is not None:
            self._uploads.stop()
        self._shutter.shutdown(wait=True, cancel_futures=True)
        self._files.shutdown(wait=True)
        self._journal.close()
        self._store.close()

    # -- start -------------------------------------------------------------------------------------

    def _recover(self, probe: dict[str, Any]) -> PhoneCore:
        config = PhoneConfig(
            hosts=self._config.pairing.hosts,
            camera=str(probe.get("backend", self._camera.name)),
            camera_size=(int(probe.get("w", 0)), int(probe.get("h", 0))),
            campaign=bytes.fromhex(self._config.pairing.campaign_id),
            timers=self._timers,
        )
        core = PhoneCore(config, self._journal.records, self._config.pairing.psk, os.urandom)
        self._core = core
        if not probe.get("ready", True):
            self._status.warning("camera", f"the camera is not ready: {probe.get('note', '')}")
        return core

    def _missing(self, core: PhoneCore) -> list[str]:
        """Sort the folder by the journal; returns stored photos that are not there."""
        held = {s.name: s for run in core.ledger.runs.values() for s in _held(run)}
        for name in self._store.missing(held):
            staged = self._store.find_staged(held[name].sha256)
            if staged is not None:
                self._store.store(staged, name, self._store.sidecar_path(name).read_bytes())
        missing = self._store.missing(held)
        for name in self._store.recover(held):
            self._status.note("recovered", f"put aside a file that no record knows: {name}")
        return missing

    def _greeting(self) -> str:
        places = ", ".join(f"{host}:{port}" for host, port in self._config.pairing.hosts)
        return (
            f"knocking at {places}; photos go to {self._store.photos}; camera {self._camera.name}"
        )

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self._look()

    def _look(self) -> None:
        shell, core = self._require_shell(), self._require_core()
        battery = read_battery()
        self._battery = battery.percent if battery else None
        shell.run(
            core.environment(
                self._store.free_bytes(),
                self._battery,
                bool(battery and battery.charging),
                battery.temp_c if battery else None,
                shell.now,
            )
        )

    # -- what the core asks ------------------------------------------------------------------------

    def _perform(self, output: act.Output) -> None:
        if isinstance(output, act.TriggerCamera):
            self._submit(
                self._shutter,
                partial(self._shoot, output.staging),
                partial(self._shot, output.ticket),
            )
        elif isinstance(output, act.KillCamera):
            self._camera.cancel()
        elif isinstance(output, act.StorePhoto):
            self._submit(
                self._files, partial(self._keep, output), partial(self._kept, output.ticket)
            )
        elif isinstance(output, act.Quarantine):
            self._submit(self._files, partial(self._put_aside, output.name), _nothing)
        else:
            self._tell(output)

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
            self._camera.shoot(path, self._timers.camera)
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
        shell, core = self._require_shell(), self._require_core()
        shell.run(core.camera_result(ticket, result, shell.now))

    def _keep(self, store: act.StorePhoto) -> act.CameraFailure | None:
        """In the file thread: the photo under its final name, durably."""
        try:
            staging = self._store.staging_path(store.staging)
            self._store.store(staging, store.final, store.sidecar)
        except StoreLost as error:
            return act.CameraFailure(int(Code.STORE_LOST), str(error))
        except OSError as error:
            return act.CameraFailure(int(Code.FS_ERROR), error.strerror or str(error))
        return None

    def _kept(self, ticket: act.Ticket, failure: act.CameraFailure | None) -> None:
        shell, core = self._require_shell(), self._require_core()
        shell.run(core.photo_stored(ticket, failure, shell.now))

    def _put_aside(self, name: str) -> None:
        try:
            self._store.quarantine(name)
        except OSError as error:
            self._status.warning("quarantine", f"{name} could not be put aside: {error}")

    def _fatal(self, error: BaseException) -> None:
        self._status.warning(
            "journal", f"the journal cannot be written ({error}); free some room and start again"
        )
        self.stop(1)

    # -- what the person hears ---------------------------------------------------------------------

    def _tell(self, event: act.Output) -> None:
        if isinstance(event, act.Armed):
            self._status.note(
                "armed", f"armed for subset {event.subset}: next {event.index}, last {event.last}"
            )
        elif isinstance(event, act.PhotoStored):
            self._photo(event.index, event.name, "stored")
        elif isinstance(event, act.ExposureFailed):
            self._photo(event.index, event.why, f"retake: {code_name(event.code)}")
        elif isinstance(event, act.Committed):
            self._upload(event.index, event.attempt)
        elif isinstance(event, act.Aborted):
            detail = ""
            if event.expected is not None or event.got is not None:
                detail = f" (expected {event.expected}, got {event.got})"
            self._status.aborted(code_name(event.code), event.why + detail, event.abort_id.hex())
        elif isinstance(event, act.PeerLost):
            self._status.note("closed", "the display was stopped; knocking until it is back")
        elif isinstance(event, act.Rearmed):
            self._status.note("rearmed", f"re-armed by the operator: {event.abort_id.hex()}")
        elif isinstance(event, act.Completed):
            self._status.completed(event.count, event.chain.hex())
            self._completed()

    def _photo(self, index: int, name: str, result: str) -> None:
        run = self._require_core().ledger.current
        if run is None:
            return
        total = run.last - run.first + 1
        link = self._require_core().link_age_since
        age = "-" if link is None else f"{(self._require_shell().now - link) * 1000:.0f} ms ago"
        count = index - run.first + 1
        self._status.photo(PhotoLine(index, count, total, name, result, age, self._battery))

    # -- upload ------------------------------------------------------------------------------------

    def _offer_uploads(self, core: PhoneCore) -> None:
        """After a restart: everything committed is offered again; what is there costs nothing."""
        if self._uploads is None:
            return
        self._uploads.start()
        for run in core.ledger.runs.values():
            self._offer(run)
            if run.finished:
                self._uploads.finish(run)

    def _offer(self, run: Run) -> None:
        """Put every committed photo; the queue knows which it has."""
        for shot in run.committed_shots():
            if self._uploads is not None:
                self._uploads.photo(run.session, self._store, shot)

    def _upload(self, index: int, attempt: int) -> None:
        run = self._require_core().ledger.current
        if run is not None and self._uploads is not None:
            shot = run.shots.get((index, attempt))
            if shot is not None:
                self._uploads.photo(run.session, self._store, shot)

    def _completed(self) -> None:
        run = self._require_core().ledger.current
        if run is not None and self._uploads is not None:
            self._offer(run)
            self._uploads.finish(run)
        if self._config.once:
            self._loop.run_in_executor(None, self._leave_when_uploaded)

    def _leave_when_uploaded(self) -> None:
        if self._uploads is not None:
            self._uploads.wait()
        # The display asks until it has heard the answer: it has once it has been silent a while.
        core, shell = self._require_core(), self._require_shell()
        while shell.now - (core.link_age_since or 0.0) < 3 * self._timers.rto_max:
            time.sleep(0.25)
        self._loop.call_soon_threadsafe(self.stop)

    def _require_core(self) -> PhoneCore:
        if self._core is None:
            raise RuntimeError("the agent has not been started")
        return self._core

    def _require_shell(self) -> Shell:
        if self._shell is None:
            raise RuntimeError("the agent has not been started")
        return self._shell


def _held(run: Run) -> list[Shot]:
    return [s for s in run.shots.values() if s.state in _HELD]


def _bind(hosts: tuple[act.Addr, ...]) -> act.Addr:
    """Loopback displays need no socket that the network can reach."""
    local = all(host.startswith("127.") or host == "localhost" for host, _ in hosts)
    return ("127.0.0.1", 0) if local else ("0.0.0.0", 0)  # noqa: S104 - every datagram is authenticated


def _nothing(result: Any) -> None:
    del result
