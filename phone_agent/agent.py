"""The phone agent: the protocol's core joined to camera, photo folder, upload and terminal."""

from __future__ import annotations

import asyncio
import math
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from phone_agent.cameras import Camera, deadline_of, quiesce_of
from phone_agent.checks import Subject, check_udp, run_checks
from phone_agent.exposures import Exposures
from phone_agent.findings import Finding
from phone_agent.narrator import Narrator
from phone_agent.status import Status
from phone_agent.store import PhotoStore
from phone_agent.surroundings import Surroundings
from phone_agent.upload_log import released_photos
from phone_agent.uploads import LOG, Uploads
from rig.protocol import actions as act
from rig.protocol.codes import Timers, is_pause
from rig.protocol.journal_file import JournalFile
from rig.protocol.keys import Pairing
from rig.protocol.ledger import Run, Shot, ShotState
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.protocol.shell import Shell

_TICK_S = 1.0
_LOOK_EVERY = 5
"""Ticks between looks at battery and free space; while they forbid photos it is every tick."""
_UDP_PATIENCE_S = 8.0
"""Without any datagram for so long after the start, the network is talked about."""
_UDP_AGAIN_S = 30.0
"""Between looks whether there is a session by now."""
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
        self,
        config: AgentConfig,
        camera: Camera,
        status: Status,
        uploads: Uploads | None,
        around: Surroundings | None = None,
    ) -> None:
        self._config = config
        self._camera = camera
        self._status = status
        self._uploads = uploads
        self._around = around or Surroundings(checks=False)
        self._view = self._around.view
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[int] = self._loop.create_future()
        self._store = PhotoStore(config.folder)
        try:
            self._journal = JournalFile(config.folder / "journal")
        except BaseException:
            self._store.close()
            raise
        self._timers = Timers(camera=deadline_of(camera))
        self._exposures = Exposures(camera, self._store, status, self._timers.camera)
        self._narrator = Narrator(status, self._view, self._store.photos)
        self._core: PhoneCore | None = None
        self._shell: Shell | None = None
        self._looking: asyncio.Task[None] | None = None
        self._judge_at = math.inf
        self._silent = False
        self._refusing = False

    async def run(self) -> int:
        """Serve until stopped; returns the exit status."""
        transport = None
        ticks = None
        try:
            self._around.start()
            self._view.update(state="checking", camera=self._camera.name)
            probe = await self._exposures.probe()
            await self._check()
            if self._stopped.done():
                return self._stopped.result()
            core = self._recover(probe)
            self._shell = Shell(core, self._journal, self._perform, self._fatal)
            self._exposures.serve(self._shell, core)
            transport, _ = await self._loop.create_datagram_endpoint(
                self._require_shell, local_addr=_bind(self._config.pairing.hosts)
            )
            self._tell_health()
            self._view.update(state="knocking")
            self._judge_at = self._shell.now + _UDP_PATIENCE_S
            self._shell.run(core.start(self._shell.now, self._missing(core)))
            self._offer_uploads(core)
            ticks = self._loop.create_task(self._keep_looking(), name="look")
            self._status.note("ready", self._greeting())
            return await self._stopped
        finally:
            self._around.interrupt()
            tasks = [task for task in (ticks, self._looking) if task is not None]
            if ticks is not None:
                ticks.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close(transport)
            await asyncio.sleep(0)

    def stop(self, status: int = 0) -> None:
        """End `run`, also in the middle of the checks."""
        if not self._stopped.done():
            self._stopped.set_result(status)
        if self._shell is None:
            self._end_camera()
            self._around.interrupt()

    def _close(self, transport: asyncio.BaseTransport | None) -> None:
        self._end_camera()
        if self._shell is not None:
            self._shell.run(self._require_core().bye(self._shell.now))
            self._shell.close()
        if transport is not None:
            transport.close()
        if self._uploads is not None:
            self._uploads.stop()
        self._exposures.close()
        self._journal.close()
        self._store.close()
        self._around.close()

    def _end_camera(self) -> None:
        """End the exposure, and the wait of a camera that is left alone for a while."""
        getattr(self._camera, "close", self._camera.cancel)()

    # -- start -------------------------------------------------------------------------------------

    async def _check(self) -> None:
        """Look at everything; a loopback camera has neither permission nor foreground to test."""
        if self._around.checks and not self._stopped.done():
            shot = self._camera.name != "loopback"
            await self._exposures.with_camera(lambda: self._run_checks(shot))

    def _run_checks(self, shot: bool) -> None:
        around = self._around
        subject = Subject(
            self._camera, self._store, None, around.controller, around.tools, around.battery,
            around.wake,
        )  # fmt: skip
        for finding in run_checks(subject, shot=shot, knock=False):
            if self._stopped.done():
                return
            self._found(finding)

    def _found(self, finding: Finding) -> None:
        kept = [one for one in self._view.now.checks if one.name != finding.name]
        self._view.update(checks=(*kept, finding))
        if finding.ok:
            self._status.note("check", f"{finding.name}: {finding.text}")
        else:
            self._status.warning("check", f"{finding.name}: {finding.text}")

    def _recover(self, probe: dict[str, Any]) -> PhoneCore:
        config = PhoneConfig(
            hosts=self._config.pairing.hosts,
            camera=str(probe.get("backend", self._camera.name)),
            camera_size=(int(probe.get("w", 0)), int(probe.get("h", 0))),
            campaign=bytes.fromhex(self._config.pairing.campaign_id),
            quiesce=quiesce_of(self._camera),
            timers=self._timers,
        )
        core = PhoneCore(config, self._journal.records, self._config.pairing.psk, os.urandom)
        self._core = core
        if not probe.get("ready", True):
            self._status.warning("camera", f"the camera is not ready: {probe.get('note', '')}")
        if core.ledger.current is not None:
            self._narrator.recall(core.ledger.current)
        remember = getattr(self._camera, "remember", None)
        if remember is not None:
            for shot in (s for run in core.ledger.runs.values() for s in run.shots.values()):
                if shot.sha256:
                    remember(shot.sha256)
        return core

    def _missing(self, core: PhoneCore) -> list[str]:
        """Sort the folder by the journal; returns stored photos that are not there but should be.

        A photo of a finished subset that was deleted with permission is not missed.
        """
        runs = core.ledger.runs.values()
        released = released_photos(self._config.folder / LOG)
        gone = {
            shot.name
            for run in runs
            if run.finished
            for shot in run.committed_shots()
            if (shot.name, shot.sha256) in released
        }
        missing = self._exposures.missing({s.name: s for run in runs for s in _held(run)})
        return [name for name in missing if name not in gone]

    def _greeting(self) -> str:
        places = ", ".join(f"{host}:{port}" for host, port in self._config.pairing.hosts)
        text = (
            f"knocking at {places}; photos go to {self._store.photos}; camera {self._camera.name}"
        )
        return text if self._around.page is None else f"{text}; see {self._around.page.url}"

    # -- once a second -----------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            ticks += 1
            link_ms = self._link_ms()
            if link_ms is None and self._view.now.state not in {"aborted", "finished"}:
                self._view.update(state="knocking")
            self._view.update(link_ms=link_ms)
            self._watch_udp()
            if self._refusing or ticks % _LOOK_EVERY == 0:
                self._look_soon()

    def _look_soon(self) -> None:
        """Look at battery and disk, in a thread: the battery may take seconds to tell."""
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look(), name="battery")

    async def _look(self) -> None:
        # A person who has freed room or plugged it in will resume at once.
        look = partial(self._around.battery.look, awaited=self._refusing)
        await self._loop.run_in_executor(None, look)
        if not self._stopped.done():
            self._tell_health()

    def _tell_health(self) -> None:
        shell, core = self._require_shell(), self._require_core()
        battery = self._around.battery.latest
        free = self._store.free_bytes()
        percent = battery.percent if battery else None
        charging = bool(battery and battery.charging)
        temperature = battery.temp_c if battery else None
        self._view.update(
            battery_pct=percent, charging=charging, temp_c=temperature, free_bytes=free
        )
        shell.run(core.environment(free, percent, charging, temperature, shell.now))

    def _watch_udp(self) -> None:
        """Say what the silence may mean, and that it is over."""
        shell = self._require_shell()
        if shell.datagrams_in > 0:
            if self._silent:
                self._silent = False
                self._found(check_udp(self._config.pairing, True, None))
            self._judge_at = math.inf
        elif shell.now >= self._judge_at:
            self._judge_at = math.inf
            self._loop.run_in_executor(None, self._judge_silence)

    def _judge_silence(self) -> None:
        hello = self._around.hello()
        shell = self._require_shell()
        if shell.datagrams_in == 0 and not self._stopped.done():
            finding = check_udp(self._config.pairing, False, hello)
            if not (finding.ok and self._silent):
                self._found(finding)
            self._silent = True
            if finding.ok:  # no session yet: once there is one, silence means something
                self._judge_at = shell.now + _UDP_AGAIN_S

    # -- what the core asks ------------------------------------------------------------------------

    def _perform(self, output: act.Output) -> None:
        self._exposures.perform(output)
        self._narrator.tell(output, self._require_core().ledger.current, self._link_ms())
        if isinstance(output, act.PhotoStored):
            self._look_soon()  # the camera is idle while the display paints
        elif isinstance(output, act.ExposureFailed):
            self._refusing = is_pause(output.code)
        elif isinstance(output, act.TriggerCamera):
            self._refusing = False
        elif isinstance(output, act.Armed) and self._uploads is not None:
            self._uploads.retry_now()  # the network is back
        elif isinstance(output, act.Committed):
            self._upload(output.index, output.attempt)
        elif isinstance(output, act.Completed):
            self._completed()

    def _fatal(self, error: BaseException) -> None:
        why = f"the journal cannot be written ({error}); free some room and start again"
        self._view.update(last_error=why)
        self._status.warning("journal", why)
        self.stop(1)

    def _link_ms(self) -> int | None:
        heard = self._require_core().link_age_since
        return None if heard is None else max(round((self._require_shell().now - heard) * 1000), 0)

    # -- upload ------------------------------------------------------------------------------------

    def _offer_uploads(self, core: PhoneCore) -> None:
        """After a restart: everything committed is offered again; what is there costs nothing."""
        if self._uploads is None:
            return
        self._uploads.start()
        for run in core.ledger.runs.values():
            self._offer(run)
            if run.finished:
                self._uploads.finish(run, self._store)

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
            self._uploads.finish(run, self._store)
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
