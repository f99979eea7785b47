"""The phone under the original client: `phone-agent --legacy-listen 4445 --legacy-from IP`."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from phone_agent.cameras import Camera, deadline_of
from phone_agent.exposures import Exposures
from phone_agent.status import Status
from phone_agent.store import PhotoStore
from phone_agent.surroundings import Surroundings
from rig.protocol import actions as act
from rig.protocol.codes import Timers, code_name
from rig.protocol.journal_file import JournalFile
from rig.protocol.ledger import ShotState
from rig.protocol.legacy import LEGACY_PORT, SEQ_MAX, WEAKER_PHONE
from rig.protocol.legacy_phone import LegacyPhoneConfig, LegacyPhoneCore
from rig.protocol.shell import Shell

JOURNAL = "legacy.journal"
HELP = "legacy mode (--legacy-listen serves the original CheXpeditor client):\n" + "".join(
    f"  - {sentence}\n" for sentence in WEAKER_PHONE
)
"""What `--help` says of it."""
_LOOK_EVERY = 5.0
_HELD = (ShotState.STORED, ShotState.COMMITTED)


def add_legacy(parser: argparse.ArgumentParser) -> None:
    """Add the options of legacy mode."""
    legacy = parser.add_argument_group("legacy mode")
    legacy.add_argument(
        "--legacy-listen",
        type=int,
        nargs="?",
        const=LEGACY_PORT,
        metavar="PORT",
        help=f"serve the original client at this UDP port (default {LEGACY_PORT}), without --pair",
    )
    legacy.add_argument("--legacy-first", type=int, metavar="N", help="number of the first photo")
    legacy.add_argument("--legacy-from", metavar="IP", help="the client's address; no other counts")
    legacy.add_argument("--legacy-rearm", metavar="ID", help="clear the abort with this id")


def legacy_problem(args: argparse.Namespace) -> str | None:
    """A sentence when the options do not fit together or into the folder, else None."""
    given = [args.legacy_first, args.legacy_from, args.legacy_rearm]
    if args.legacy_listen is None:
        if any(value is not None for value in given):
            return "--legacy-first, --legacy-from and --legacy-rearm belong to --legacy-listen"
        if args.pair is None:
            return "--pair URL is needed (or --legacy-listen for the original client)"
        if (args.dir / JOURNAL).exists():
            return f"{args.dir} holds photos of a legacy run; give --dir another folder"
        return None
    if args.pair is not None or args.upload or args.once:
        return "--legacy-listen knows no --pair, --upload or --once: the original client has none"
    if args.legacy_first is None or not 0 <= args.legacy_first <= SEQ_MAX:
        return f"--legacy-first N is needed, 0 to {SEQ_MAX}: the client's --row_start"
    if not 0 <= args.legacy_listen < 65536:
        return f"{args.legacy_listen} is not a UDP port"
    if args.legacy_from is None or not _is_ipv4(args.legacy_from):
        return "--legacy-from IP is needed: the address of the computer that shows the x-rays"
    if (args.dir / "journal").exists():
        return f"{args.dir} holds photos of a paired run; give --dir another folder"
    return None


@dataclass(frozen=True)
class LegacyConfig:
    """What the command line says; *port* 0 takes a free one."""

    folder: Path
    port: int
    first: int
    client: str
    rearm: bytes | None = None


class LegacyAgent:
    """One run of the phone under the original client, on one event loop.

    Raises:
        StoreBusy: another agent uses the folder.
        JournalCorrupt: the journal is damaged before its last record.
        OSError: the folder cannot be used.
    """

    def __init__(
        self,
        config: LegacyConfig,
        camera: Camera,
        status: Status,
        around: Surroundings | None = None,
    ) -> None:
        self._config = config
        self._camera = camera
        self._status = status
        self._around = around or Surroundings(checks=False)
        self._view = self._around.view
        self._look_at_battery = around is not None
        self._looking: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[int] = self._loop.create_future()
        self._timers = Timers(camera=deadline_of(camera))
        self._store = PhotoStore(config.folder)
        try:
            self._journal = JournalFile(config.folder / JOURNAL)
        except BaseException:
            self._store.close()
            raise
        self._exposures = Exposures(camera, self._store, status, self._timers.camera)
        self._shell: Shell | None = None
        self._core: LegacyPhoneCore | None = None

    async def run(self) -> int:
        """Serve until stopped; returns the exit status.

        Raises:
            WrongCommand: the first number or the abort id does not fit the folder.
        """
        transport: asyncio.BaseTransport | None = None
        look: asyncio.Task[None] | None = None
        try:
            self._around.start()
            self._view.update(camera=self._camera.name, has_link=False)
            config = LegacyPhoneConfig(self._config.first, self._config.client, self._timers)
            core = LegacyPhoneCore(config, self._journal.records, os.urandom)
            shell = self._shell = Shell(core, self._journal, self._perform, self._fatal)
            self._core = core
            self._exposures.serve(shell, core)
            for sentence in WEAKER_PHONE:
                self._status.warning("guarantees", sentence)
            missing = self._recover(core)
            transport, _ = await self._loop.create_datagram_endpoint(
                lambda: shell, local_addr=self._bind()
            )
            self._tell_health()
            self._recall(core)
            shell.run(core.start(shell.now, missing, self._config.rearm))
            look = self._loop.create_task(self._keep_looking(), name="look")
            self._status.note("ready", self._greeting(transport))
            return await self._stopped
        finally:
            self._around.interrupt()
            if look is not None:
                look.cancel()
            tasks = [task for task in (look, self._looking) if task is not None]
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close(transport)
            await asyncio.sleep(0)

    def stop(self, status: int = 0) -> None:
        """End `run`."""
        if not self._stopped.done():
            self._stopped.set_result(status)

    def _close(self, transport: asyncio.BaseTransport | None) -> None:
        if self._shell is not None:
            self._shell.close()
        if transport is not None:
            transport.close()
        self._exposures.close()
        self._journal.close()
        self._store.close()
        self._around.close()

    def _bind(self) -> act.Addr:
        if ipaddress.ip_address(self._config.client).is_loopback:
            return "127.0.0.1", self._config.port
        return "0.0.0.0", self._config.port  # noqa: S104 - only one source address is listened to

    def _greeting(self, transport: asyncio.DatagramTransport) -> str:
        host, port = transport.get_extra_info("sockname")[:2]
        text = (
            f"the original client at {self._config.client} may send to {host}:{port}; next number "
            f"{self._require_core().expected}; photos go to {self._store.photos}"
        )
        return text if self._around.page is None else f"{text}; see {self._around.page.url}"

    def _recover(self, core: LegacyPhoneCore) -> list[str]:
        """Sort the folder by the journal; returns stored photos that are not there."""
        runs = core.ledger.runs.values()
        held = {s.name: s for run in runs for s in run.shots.values() if s.state in _HELD}
        return self._exposures.missing(held)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self._tell_health()
            idle = self._looking is None or self._looking.done()
            if self._look_at_battery and idle and self._view.now.state != "exposing":
                self._looking = self._loop.create_task(self._battery(), name="battery")

    async def _battery(self) -> None:
        """For the person only: the original client knows no pause that a low battery could ask."""
        battery = await self._loop.run_in_executor(None, self._around.battery.look)
        if battery is not None:
            self._view.update(
                battery_pct=battery.percent, charging=battery.charging, temp_c=battery.temp_c
            )

    def _tell_health(self) -> None:
        free, shell = self._store.free_bytes(), self._require_shell()
        self._view.update(free_bytes=free)
        shell.run(self._require_core().environment(free, shell.now))

    def _recall(self, core: LegacyPhoneCore) -> None:
        """After a restart: the newest photo, until there is a newer one."""
        self._view.update(state="armed", count=core.expected - self._config.first)
        held = [s for run in core.ledger.runs.values() for s in run.shots.values()]
        held = [shot for shot in held if shot.state in _HELD]
        if held and (self._store.photos / held[-1].name).is_file():
            last = held[-1]
            photo = self._store.photos / last.name
            self._view.update(photo=photo, name=last.name, index=last.index)

    # -- what the core asks ------------------------------------------------------------------------

    def _perform(self, output: act.Output) -> None:
        if isinstance(output, act.TriggerCamera):
            self._view.update(state="exposing")
        if not self._exposures.perform(output):
            self._tell(output)

    def _fatal(self, error: BaseException) -> None:
        why = f"the journal cannot be written ({error}); free some room and start again"
        self._view.update(last_error=why)
        self._status.warning("journal", why)
        self.stop(1)

    # -- what the person hears ---------------------------------------------------------------------

    def _tell(self, event: act.Output) -> None:
        if isinstance(event, act.Armed):
            self._view.update(state="armed", abort="")
            self._status.note("armed", f"waiting for number {event.index} (legacy mode)")
        elif isinstance(event, act.PhotoStored):
            count = self._require_core().expected - self._config.first
            self._view.update(
                state="armed", index=event.index, name=event.name, result="stored", count=count,
                photo=self._store.photos / event.name, last_error="",
            )  # fmt: skip
            self._status.note("stored", f"#{event.index}  {event.name}  {count} photos so far")
        elif isinstance(event, act.ExposureFailed):
            result = f"failed: {code_name(event.code)}"
            self._view.update(
                state="armed", index=event.index, name="", result=result, last_error=event.why
            )
            self._status.warning("failed", f"#{event.index}  {code_name(event.code)}: {event.why}")
        elif isinstance(event, act.Aborted):
            detail = "" if event.expected is None else f" (expected {event.expected}"
            detail += f", got {event.got})" if detail else ""
            again = f"start the client at row {event.expected}, this agent with --legacy-rearm"
            code, abort_id = code_name(event.code), event.abort_id.hex()
            why = f"{event.why}{detail}; {again}"
            self._view.update(state="aborted", abort=f"{code}: {why}  [abort id {abort_id}]")
            self._status.aborted(code, why, abort_id)
        elif isinstance(event, act.Rearmed):
            self._view.update(abort="", last_error="")
            self._status.note("rearmed", f"re-armed: {event.abort_id.hex()}")

    def _require_core(self) -> LegacyPhoneCore:
        if self._core is None:
            raise RuntimeError("the agent has not been started")
        return self._core

    def _require_shell(self) -> Shell:
        if self._shell is None:
            raise RuntimeError("the agent has not been started")
        return self._shell


def legacy_agent(
    args: argparse.Namespace, camera: Camera, status: Status, around: Surroundings | None = None
) -> LegacyAgent:
    """The agent that *args* ask for; call `legacy_problem` before.

    Raises:
        ValueError: the abort id is not hex.
    """
    rearm = bytes.fromhex(args.legacy_rearm) if args.legacy_rearm else None
    return LegacyAgent(
        LegacyConfig(args.dir, args.legacy_listen, args.legacy_first, args.legacy_from, rearm),
        camera,
        status,
        around,
    )


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
