"""One session through the original Android app: core, journal, screen and event outbox."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from display_agent.legacy_audit import JOURNAL, pairs_csv
from display_agent.outbox import Event, Outbox
from display_agent.painting import Painting
from display_agent.plans import save_plan
from display_agent.prefetch import Prefetch
from display_agent.screens import Screen
from display_agent.session import Told
from display_agent.white import WhiteKeeper
from rig.errors import UserError
from rig.planning.plan import SubsetPlan
from rig.protocol import actions as act
from rig.protocol.codes import Timers, code_name
from rig.protocol.journal import JournalCorrupt
from rig.protocol.journal_file import JournalFile
from rig.protocol.legacy import REPLY_TIMEOUT, WEAKER_DISPLAY, BadLegacy, legacy_parts
from rig.protocol.legacy_display import LegacyDisplayConfig, LegacyDisplayCore, LegacyPhase
from rig.protocol.legacy_ledger import LegacySubset, Resolution
from rig.protocol.legacy_operator import LegacyCommand
from rig.protocol.shell import Shell

_TOLD_ONCE = frozenset({"claimed", "completed", "aborted", "answered"})
_STANDING = frozenset({LegacyPhase.IDLE, LegacyPhase.PAUSED, LegacyPhase.ABORTED})
_OVER = frozenset({LegacyPhase.ABORTED, LegacyPhase.COMPLETE})
_log = structlog.get_logger()


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
    """Where the app is and who is told what to do next.

    Attributes:
        peer: address of the phone.
        alone: without a controller: sentences name commands of this machine.
        reply_s: the app's time to answer, seconds.
    """

    peer: act.Addr
    alone: bool = True
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
        told: Told,
        white: WhiteKeeper | None = None,
    ) -> None:
        self.plan = plan
        self.finished = asyncio.Event()
        self.started = False
        self.fault: BaseException | None = None
        self._folder = folder
        self._settings = settings
        self._report = told
        self._closed = False
        subset = subset_of(plan)
        if (folder / "journal").exists():
            raise UserError(
                f"{folder} holds an XCAP/1 run; give legacy mode another --journal folder, "
                "or make a new session"
            )
        self.outbox = Outbox(folder, plan.session)
        self._told = {_identity(e) for e in self.outbox.after(0) if e["event"] in _TOLD_ONCE}
        try:
            self._journal = JournalFile(folder / JOURNAL)
            timers = Timers(settle=plan.settle_ms / 1000)
            config = LegacyDisplayConfig(subset, settings.peer, timers, settings.reply_s)
            self.core = LegacyDisplayCore(config, self._journal.records, os.urandom)
            save_plan(folder, plan)
        except (JournalCorrupt, OSError) as error:
            self.outbox.close()
            raise UserError(f"the journal in {folder} cannot be used: {error}") from error
        self.shell = Shell(self.core, self._journal, self._perform, self._fatal)
        self._white = white
        self._tasks: set[asyncio.Task[None]] = set()
        self._painting = Painting(plan, screen, prefetch, self._painted, white)
        self._painting.serve(self.shell, self.core)

    @property
    def begun(self) -> bool:
        """Whether it was ever started."""
        return self.core.ledger.begun

    @property
    def over(self) -> bool:
        """Whether another session may take its place: completed or aborted."""
        return self.core.phase in _OVER

    def start(self, rearm: str | None = None, resolve: Resolution | None = None) -> None:
        """Say what is weaker, then begin or go on.

        Raises:
            UserError: the answer or the abort id given does not fit what the journal holds.
        """
        if self.started:
            return
        try:
            raw = _abort_id(rearm)
            outputs = self.core.start(self.shell.now, rearm=raw, resolve=resolve)
        except act.WrongCommand as error:
            raise UserError(str(error)) from error
        self.started = True
        self._greet()
        self.shell.run(outputs)

    def operator(
        self, command: LegacyCommand, abort_id: str | None = None, answer: Any = None
    ) -> None:
        """A person's command; see `LegacyDisplayCore.operator`.

        Raises:
            UserError: it makes no sense now; the sentence says why.
        """
        if command == "resume" and self.started and self._shooting:
            # The controller lost sight of a session that never stopped: say that it runs.
            self._tell("resumed")
            return
        if command == "resume" and self._white is not None:
            self._white.doubt()
        if command == "rearm" and not self.started:
            self.start(abort_id or "")
            return
        try:
            raw = _abort_id(abort_id)
            now = self.shell.now
            self.shell.run(self.core.operator(command, now, abort_id=raw, answer=answer))
        except act.WrongCommand as error:
            raise UserError(str(error)) from error

    @property
    def _shooting(self) -> bool:
        return not (self.core.pausing or self.core.phase in _STANDING or self.over)

    def status(self) -> Mapping[str, Any]:
        """Phase, index and the app's time to answer, for people."""
        trip = self.core.last_reply_s
        return {
            "session": self.plan.session,
            "phase": self.core.phase.value,
            "index": min(self.core.ledger.next_index, self.plan.last),
            "link_age_ms": None,
            "rtt_ms": None if trip is None else round(trip * 1000, 3),
            "legacy": True,
        }

    async def close(self) -> None:
        """Stop; journal and outbox stay for the next start. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.shell.close()
        await self._painting.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._white is not None:
            await self._white.release()
        self._journal.close()
        self.outbox.close()

    # -- what the core asks ------------------------------------------------------------------------

    def _perform(self, output: act.Output) -> None:
        if not self._painting.perform(output):
            self._hear(output)

    def _painted(self, index: int, body: dict[str, Any]) -> None:
        self._tell("painted", index, len(self.core.ledger.names.get(index, ())) + 1, **body)

    def _fatal(self, error: BaseException) -> None:
        _log.error("the journal cannot be written; shooting stops", why=str(error))
        self.fault = error
        self.shell.close()
        self.finished.set()

    def _release(self) -> None:
        if self._white is not None:
            task = asyncio.get_running_loop().create_task(self._white.release())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # -- what people hear --------------------------------------------------------------------------

    def white_told(self, body: dict[str, Any]) -> None:
        """The screen's white was set, or given back; see `white.Listener`."""
        self._tell("white", **body)

    def white_changed(self, why: str) -> None:
        """The white changed under what is shown."""
        if not self._closed:
            self._painting.spoil(why)

    def _greet(self) -> None:
        """What is weaker, where the app must stand, and claims that were never told."""
        host, port = self._settings.peer
        self._tell(
            "guarantees",
            weaker=list(WEAKER_DISPLAY),
            start_number=self.core.ledger.next_index,
            app=f"{host}:{port}",
        )
        for done in self.core.ledger.done:
            self._answered(done.index, done.attempt, done.name, done.by, done.suspect, None)

    def _hear(self, event: act.Output) -> None:
        if isinstance(event, act.Committed):
            r, trip = event.record, self.core.last_reply_s
            by, suspect = str(r["by"]), str(r["sus"])
            trip = trip if by == "phone" else None
            self._answered(event.index, event.attempt, event.name, by, suspect, trip)
        elif isinstance(event, act.Armed):
            self._tell("armed", event.index, first=event.index, last=event.last)
        elif isinstance(event, act.PeerLost):
            self._tell("link_lost", seconds=round(event.seconds, 1))
        elif isinstance(event, act.PeerBack):
            self._tell("link_back")
        elif isinstance(event, act.Rearmed):
            self._tell("rearmed", abort_id=event.abort_id.hex())
        elif isinstance(event, act.Resumed):
            self._tell("resumed")
        elif isinstance(event, act.Paused):
            self._paused(event)
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
            self._release()
        elif isinstance(event, act.Completed):
            self._completed(event.count)
            self._release()

    def _paused(self, event: act.Paused) -> None:
        why, doubt = event.why[:1800], self.core.ledger.doubt
        if doubt and self._settings.alone:
            why += " (run again with --legacy-resolve taken or --legacy-resolve missing)"
        doubtful = self.core.ledger.next_index if doubt else None
        self._tell("paused", code=code_name(event.code), why=why, doubt=doubtful)

    def _answered(
        self, index: int, attempt: int, name: str, by: str, suspect: str, trip: float | None
    ) -> None:
        rtt = None if trip is None else round(trip * 1000, 3)
        earlier = [asked for asked in self.core.ledger.names[index] if asked != name]
        self._tell(
            "answered", index, attempt,
            name=name, earlier=earlier, by=by, suspect=suspect or None, rtt_ms=rtt,
        )  # fmt: skip

    def _completed(self, count: int) -> None:
        suspects = [done.index for done in self.core.ledger.done if done.suspect]
        said: dict[str, Any] = {"count": count, "suspects": suspects}
        if self._settings.alone:
            names = [(done.index, done.name) for done in self.core.ledger.done]
            try:
                said["pairs"] = str(pairs_csv(self._folder, self.plan, names))
            except OSError as error:
                self._fatal(error)
                return
            after = (
                f"`display-agent audit-legacy --journal {self._folder} --export FOLDER` and after "
                f"it `rig verify --pairs {said['pairs']}`"
            )
        else:
            after = f"`rig batch import {self.plan.session} FOLDER`"
        why = (
            "the photos are only claimed: copy the phone's CheXpeditor folder to the computer, "
            f"then run {after}"
        )
        self._tell("claimed", **said, why=why)
        self._tell("completed", count=count, chain="", claimed=True)
        self.finished.set()

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
            said = self.outbox.append(kind, index, attempt, **body)
        except OSError as error:
            self._fatal(error)
            return
        self._report(said)


def _abort_id(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not an abort id") from error


def _identity(event: Event) -> tuple[Any, ...]:
    return event["event"], event.get("index"), event.get("attempt"), event.get("abort_id")
