"""One plan through the original Android app: `display-agent run PLAN --legacy-phone IP`."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from display_agent.alone import STATUS, Report
from display_agent.alone import _read as read_plan
from display_agent.images import ImageProblem, LocalImages
from display_agent.legacy_audit import JOURNAL, pairs_csv
from display_agent.outbox import Event, Outbox
from display_agent.prefetch import Prefetch
from display_agent.screens import Screen
from display_agent.session import save_plan
from display_agent.station import Station
from rig.errors import UserError
from rig.planning.plan import SubsetPlan
from rig.protocol import actions as act
from rig.protocol.codes import Timers, code_name
from rig.protocol.journal import JournalCorrupt
from rig.protocol.journal_file import JournalFile
from rig.protocol.legacy import (
    REPLY_TIMEOUT,
    WEAKER_DISPLAY,
    BadLegacy,
    legacy_parts,
)
from rig.protocol.legacy_display import LegacyDisplayConfig, LegacyDisplayCore
from rig.protocol.legacy_ledger import LegacySubset
from rig.protocol.shell import Shell

_TOLD_ONCE = frozenset({"claimed", "completed", "aborted", "answered"})


def subset_of(plan: SubsetPlan) -> LegacySubset:
    """The plan as the original app sees it.

    Raises:
        UserError: a key makes a name that the app could not store or read whole.
    """
    try:
        return LegacySubset(
            campaign=bytes.fromhex(plan.campaign_id),
            subset=plan.subset,
            first=plan.first,
            last=plan.last,
            manifest=bytes.fromhex(plan.manifest_sha256),
            session=plan.session,
            parts=tuple(legacy_parts(item.key) for item in plan.items),
        )
    except BadLegacy as error:
        raise UserError(f"this plan cannot be shot in legacy mode: {error}") from error


@dataclass(frozen=True, slots=True)
class LegacySettings:
    """What the command line says; *reply_s* is the app's time to answer, seconds."""

    peer: act.Addr
    rearm: str | None = None
    resolve: Any = None
    reply_s: float = REPLY_TIMEOUT


class LegacySession:
    """Runs one plan through the original app. Everything happens on one event loop.

    Raises:
        UserError: the plan cannot be shot so, or the folder belongs to another plan or mode.
    """

    def __init__(
        self,
        plan: SubsetPlan,
        folder: Path,
        settings: LegacySettings,
        *,
        screen: Screen,
        prefetch: Prefetch,
        report: Report,
    ) -> None:
        self.plan = plan
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._folder = folder
        self._settings = settings
        self._screen = screen
        self._prefetch = prefetch
        self._report = report
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._wanted: bytes | None = None
        subset = subset_of(plan)
        if (folder / "journal").exists():
            raise UserError(
                f"{folder} holds an XCAP/1 run; give legacy mode another --journal folder"
            )
        save_plan(folder, plan)
        self._outbox = Outbox(folder, plan.session)
        self._told = {_identity(e) for e in self._outbox.after(0) if e["event"] in _TOLD_ONCE}
        try:
            self._journal = JournalFile(folder / JOURNAL)
            timers = Timers(settle=plan.settle_ms / 1000)
            config = LegacyDisplayConfig(subset, settings.peer, timers, settings.reply_s)
            self.core = LegacyDisplayCore(config, self._journal.records, os.urandom)
        except (JournalCorrupt, OSError) as error:
            self._outbox.close()
            raise UserError(f"the journal in {folder} cannot be used: {error}") from error
        self.shell = Shell(self.core, self._journal, self._perform, self._fatal)
        screen.on_disturbed = self._disturbed

    def start(self) -> None:
        """Say what is weaker, then begin or go on.

        Raises:
            UserError: the answer or the abort id given does not fit what the journal holds.
        """
        for sentence in WEAKER_DISPLAY:
            sys.stderr.write(f"{sentence}\n")
        sys.stderr.write(
            f"The app's start number must be {self.core.ledger.next_index} now, its port "
            f"{self._settings.peer[1]}.\n"
        )
        self._tell("guarantees", weaker=list(WEAKER_DISPLAY))
        for done in self.core.ledger.done:
            self._answered(done.index, done.attempt, done.name, done.suspect, None)
        rearm = self._settings.rearm
        try:
            raw = bytes.fromhex(rearm) if rearm else None
            now = self.shell.now
            self.shell.run(self.core.start(now, rearm=raw, resolve=self._settings.resolve))
        except act.WrongCommand as error:
            raise UserError(str(error)) from error
        except ValueError as error:
            raise UserError(f"{rearm!r} is not an abort id") from error

    async def close(self) -> None:
        """Stop; journal and outbox stay for the next start."""
        self.shell.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._screen.on_disturbed = None
        self._journal.close()
        self._outbox.close()

    # -- what the core asks ------------------------------------------------------------------------

    def _perform(self, output: act.Output) -> None:
        if isinstance(output, act.Paint):
            self._wanted = output.token
            self._spawn(self._paint(output), f"paint {output.index}")
        elif isinstance(output, act.CheckSurface):
            asyncio.get_running_loop().call_soon(self._check, output.token)
        elif isinstance(output, act.Blank):
            self._wanted = None
            self._spawn(self._blank(output.reason), "blank")
        else:
            self._hear(output)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _paint(self, paint: act.Paint) -> None:
        at = paint.index - self.plan.first
        try:
            composition, hit = await self._prefetch.get(self.plan.items[at])
            async with self._turn:
                if self._wanted != paint.token:
                    return  # something else is to be shown by now
                shown = await self._screen.show(paint.token, composition)
        except (ImageProblem, UserError, OSError) as error:
            self.shell.run(self.core.display_failed(str(error), self.shell.now))
            return
        self._tell("painted", paint.index, prefetch_hit=hit, rect=list(composition.rect))
        self.shell.run(self.core.painted(paint.token, shown.surface_sha, self.shell.now))
        for ahead in self.plan.items[at + 1 : at + 3]:
            self._prefetch.prepare(ahead)

    async def _blank(self, reason: str) -> None:
        async with self._turn:
            if self._wanted is None:
                await self._screen.blank(reason)

    def _check(self, token: bytes) -> None:
        self.shell.run(self.core.surface_checked(token, self._screen.surface(), self.shell.now))

    def _disturbed(self, why: str) -> None:
        self.shell.run(self.core.display_disturbed(why, self.shell.now))

    def _fatal(self, error: BaseException) -> None:
        self.shell.close()
        self._end("fault")
        sys.stderr.write(f"the journal cannot be written: {error}; free some disk, run again\n")

    # -- what people hear --------------------------------------------------------------------------

    def _hear(self, event: act.Output) -> None:
        if isinstance(event, act.Committed):
            suspect, trip = str(event.record["sus"]), self.core.last_reply_s
            self._answered(event.index, event.attempt, event.name, suspect, trip)
        elif isinstance(event, act.Armed):
            self._tell("armed", event.index, first=event.index, last=event.last)
        elif isinstance(event, act.PeerLost):
            self._tell("link_lost", seconds=round(event.seconds, 1))
        elif isinstance(event, act.PeerBack):
            self._tell("link_back")
        elif isinstance(event, act.Rearmed):
            self._tell("rearmed", abort_id=event.abort_id.hex())
        elif isinstance(event, act.Paused):
            self._tell("paused", code=code_name(event.code), why=event.why[:2000])
            self._end("paused")
        elif isinstance(event, act.Aborted):
            self._tell(
                "aborted",
                abort_id=event.abort_id.hex(),
                code=code_name(event.code),
                why=event.why[:2000],
                expected=event.expected,
                got=event.got,
                by=event.by,
            )
            self._end("aborted")
        elif isinstance(event, act.Completed):
            self._completed(event.count)

    def _answered(
        self, index: int, attempt: int, name: str, suspect: str, trip: float | None
    ) -> None:
        rtt = None if trip is None else round(trip * 1000, 3)
        self._tell("answered", index, attempt, name=name, suspect=suspect or None, rtt_ms=rtt)

    def _completed(self, count: int) -> None:
        names = [(done.index, done.name) for done in self.core.ledger.done]
        try:
            pairs = pairs_csv(self._folder, self.plan, names)
        except OSError as error:
            self._fatal(error)
            return
        suspects = [done.index for done in self.core.ledger.done if done.suspect]
        why = (
            "the photos are only claimed: copy the phone's CheXpeditor folder here, then run "
            f"`display-agent audit-legacy --journal {self._folder} --export FOLDER` and after it "
            f"`rig verify --pairs {pairs}`"
        )
        self._tell("claimed", count=count, suspects=suspects, pairs=str(pairs), why=why)
        self._tell("completed", count=count, chain="", claimed=True)
        self._end("completed")

    def _tell(
        self, kind: str, index: int | None = None, attempt: int | None = None, **body: Any
    ) -> None:
        """Keep and report an event; what earlier lives have told is only reported again."""
        body["legacy"] = True
        session = self.plan.session
        said: Event = {"event": kind, "session": session, "index": index, "attempt": attempt} | body
        if kind in _TOLD_ONCE and _identity(said) in self._told:
            if kind != "answered":
                self._report(said)
            return
        self._told.add(_identity(said))
        try:
            said = self._outbox.append(kind, index, attempt, **body)
        except OSError as error:
            self._fatal(error)
            return
        self._report(said)

    def _end(self, how: str) -> None:
        if not self.ended.done():
            self.ended.set_result(how)


async def run_legacy(
    args: argparse.Namespace,
    make_station: Callable[[argparse.Namespace, Path, Any], Station],
    report: Report,
    stop: asyncio.Event,
    *,
    reply_s: float = REPLY_TIMEOUT,
) -> int:
    """Shoot the plan of *args* through the original app; returns the exit status."""
    plan = read_plan(args.plan)
    if args.settle_ms is not None:
        plan = replace(plan, settle_ms=args.settle_ms)
    folder = args.journal or args.plan.with_name(args.plan.stem + ".legacy")
    settings = LegacySettings(args.legacy_phone, args.rearm, args.legacy_resolve, reply_s)
    images = LocalImages(plan)
    # The station's own socket is for XCAP/1 and stays unused here.
    station = make_station(argparse.Namespace(**{**vars(args), "listen": _LOCAL}), folder, images)
    prefetch: Prefetch | None = None
    transport: asyncio.DatagramTransport | None = None
    session: LegacySession | None = None
    try:
        await station.open()
        prefetch = Prefetch(images, station.screen.size)
        session = LegacySession(
            plan, folder, settings, screen=station.screen, prefetch=prefetch, report=report
        )
        shell = partial(_as_is, session.shell)
        bind = _LOCAL if ipaddress.ip_address(settings.peer[0]).is_loopback else _ANY
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(shell, local_addr=bind)
        report({
            "event": "listening", "legacy": True, "frames": station.frames_url,
            "udp": list(transport.get_extra_info("sockname")[:2]),
        })  # fmt: skip
        session.start()
        return await _watch(session, stop)
    finally:
        if session is not None:
            await session.close()
        if transport is not None:
            transport.close()
        if prefetch is not None:
            await prefetch.close()
        await station.close()


def xcap_folder(args: argparse.Namespace) -> None:
    """Refuse an XCAP/1 run what only legacy mode knows, and a folder that it has used.

    Raises:
        UserError: --pairing is missing, or an option or folder of legacy mode is given.
    """
    if args.legacy_resolve is not None:
        raise UserError("--legacy-resolve belongs to --legacy-phone")
    if args.pairing is None:
        raise UserError("--pairing FILE is needed: the phone agent is paired by what it holds")
    folder = args.journal or args.plan.with_name(args.plan.stem + ".journal")
    if (folder / JOURNAL).exists():
        raise UserError(f"{folder} holds a legacy run; give --journal another folder")


_LOCAL = ("127.0.0.1", 0)
_ANY = ("0.0.0.0", 0)  # noqa: S104 - only the phone's address is listened to


def _as_is(shell: Shell) -> Shell:
    return shell


async def _watch(session: LegacySession, stop: asyncio.Event) -> int:
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        waits: set[asyncio.Future[Any]] = {stopping, session.ended}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
    return STATUS.get(session.ended.result(), 2) if session.ended.done() else 130


def _identity(event: Event) -> tuple[Any, ...]:
    return event["event"], event.get("index"), event.get("attempt"), event.get("abort_id")
