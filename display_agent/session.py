"""One session at the monitor: the protocol's core, its journal, the screen and the event outbox."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import structlog

from display_agent import events
from display_agent.outbox import Event, Outbox
from display_agent.painting import Painting
from display_agent.prefetch import Prefetch
from display_agent.screens import Screen
from display_agent.white import WhiteKeeper
from rig.errors import UserError
from rig.planning.metadata import photo_metadata
from rig.planning.plan import SubsetPlan
from rig.protocol import actions as act
from rig.protocol.codes import META_MAX, Timers
from rig.protocol.display import DisplayConfig, DisplayCore, OperatorCommand, Phase, Subset
from rig.protocol.journal import JournalCorrupt
from rig.protocol.journal_file import JournalFile
from rig.protocol.shell import Shell

_log = structlog.get_logger()

_WHY = 500
"""Characters of a reason that are kept."""
_ENDS = frozenset({"aborted", "completed", "stopped"})
Told = Callable[[Event], None]
"""Called with each new event of a session, on the loop."""


def subset_of(plan: SubsetPlan) -> Subset:
    """The plan as the protocol sees it; metadata holds allow-listed, pseudonymous fields only.

    Raises:
        UserError: META_TOO_BIG, a key is too long to be sent at all.
    """
    metadata = []
    for item in plan.items:
        raw = photo_metadata(
            key=item.key,
            env=plan.environment.name,
            index=item.index,
            sha256=item.sha256,
            campaign=plan.campaign_id,
            subset=plan.subset,
            device=plan.device,
            session=plan.session,
        )
        if len(raw) > META_MAX:
            raise UserError(
                f"x-ray {item.index}: its key is too long ({len(raw)} bytes of metadata, at most "
                f"{META_MAX} can be sent: META_TOO_BIG); shorten it and load the plan again"
            )
        metadata.append(raw)
    return Subset(
        campaign=bytes.fromhex(plan.campaign_id),
        subset=plan.subset,
        first=plan.first,
        last=plan.last,
        manifest=bytes.fromhex(plan.manifest_sha256),
        env=plan.environment.name,
        session=plan.session,
        metadata=tuple(metadata),
    )


class Session:
    """Runs one plan. Everything happens on one event loop.

    Args:
        plan: what to shoot.
        folder: journal and outbox of this session; a second run of the same plan goes on there.
        psk: the pairing's key, 32 bytes.
        screen: open already.
        prefetch: composes the plan's x-rays.
        told: hears each event after it is in the outbox.
        peer: where the phone was last, if known.
        white: sees to the screen's white, if the plan may want one.

    Raises:
        UserError: the folder belongs to another plan, or its journal is damaged.
    """

    def __init__(
        self,
        plan: SubsetPlan,
        folder: Path,
        psk: bytes,
        *,
        screen: Screen,
        prefetch: Prefetch,
        told: Told,
        peer: act.Addr | None = None,
        white: WhiteKeeper | None = None,
    ) -> None:
        self.plan = plan
        self.finished = asyncio.Event()
        self.started = False
        self.fault: BaseException | None = None
        self._told = told
        self._sources = {item.index: item.sha256 for item in plan.items}
        self._closed = False
        self.outbox = Outbox(folder, plan.session)
        try:
            self._journal = JournalFile(folder / "journal")
        except (JournalCorrupt, OSError) as error:
            self.outbox.close()
            raise UserError(f"the journal in {folder} cannot be used: {error}") from error
        timers = Timers(settle=plan.settle_ms / 1000)
        config = DisplayConfig(subset_of(plan), peer, timers)
        try:
            self.core = DisplayCore(config, self._journal.records, psk, os.urandom)
        except JournalCorrupt as error:
            self.outbox.close()
            self._journal.close()
            raise UserError(f"the journal in {folder} does not fit this plan: {error}") from error
        self.shell = Shell(self.core, self._journal, self._perform, self._fatal)
        self._told_already = _last_words(self.outbox)
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
        return self.core.phase in (Phase.COMPLETE, Phase.ABORTED)

    def start(self) -> None:
        """Begin, or go on where the journal says."""
        if self.started:
            return
        self.started = True
        self._reconcile()
        self.shell.run(self.core.start(self.shell.now))

    def operator(
        self, command: OperatorCommand, abort_id: str | None = None, why: str = ""
    ) -> None:
        """A person's command, or the controller's with its reason *why*.

        Raises:
            UserError: it makes no sense now; the sentence says why.
        """
        if command == "resume" and self.core.paused is None and self.core.phase is not Phase.HOLD:
            # The controller lost sight of a session that never stopped: say that it runs.
            self._tell("stopping" if self.core.ledger.stopping else "resumed", None, None, {})
            return
        white = self._white
        if command == "resume" and not self.over and white is not None and white.by_ddc:
            white.doubt()
            self._spawn(self._resume(white))
            return
        try:
            raw = bytes.fromhex(abort_id) if abort_id else None
            self.shell.run(self.core.operator(command, self.shell.now, raw, why[:_WHY]))
        except ValueError as error:
            raise UserError(f"{abort_id!r} is not an abort id") from error
        except act.WrongCommand as error:
            raise UserError(str(error)) from error

    async def _resume(self, white: WhiteKeeper) -> None:
        """Look at the monitor first: a photo in flight would be decided under an unknown white."""
        await white.ready()
        if self._closed:
            return
        try:
            self.shell.run(self.core.operator("resume", self.shell.now))
        except act.WrongCommand as error:
            _log.warning("the session was not resumed", why=str(error))

    def hold(self, why: str) -> None:
        """Pause for a reason that is told; nothing happens once the session is over."""
        if not self.over:
            self.shell.run(self.core.operator("pause", self.shell.now, why=why))

    def status(self) -> Mapping[str, Any]:
        """Phase, index, link age and round trip, for people."""
        heard, trip = self.core.link_age_since, self.core.round_trip
        return {
            "session": self.plan.session,
            "phase": "paused" if self.core.paused else self.core.phase.value,
            "index": min(self.core.ledger.next_index, self.plan.last),
            "link_age_ms": None if heard is None else round((self.shell.now - heard) * 1000),
            "rtt_ms": None if trip is None else round(trip * 1000, 3),
        }

    async def close(self) -> None:
        """Stop asking and painting; journal and outbox stay for the next start. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.shell.run(self.core.bye(self.shell.now))
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
            said = events.describe(output, round_trip=self.core.round_trip, sources=self._sources)
            if said is not None:
                self._tell(*said)
            if isinstance(output, act.Completed | act.Aborted) and self._white is not None:
                self._spawn(self._white.release())
            if isinstance(output, act.Completed):
                self.finished.set()

    def _painted(self, index: int, body: dict[str, Any]) -> None:
        self._tell("painted", index, self.core.attempt, body)

    def _fatal(self, error: BaseException) -> None:
        _log.error("the journal cannot be written; shooting stops", why=str(error))
        self.fault = error
        self.shell.close()
        self.finished.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what people hear --------------------------------------------------------------------------

    def white_told(self, body: dict[str, Any]) -> None:
        """The screen's white was set, or given back; see `white.Listener`."""
        self._tell("white", None, None, body)

    def white_changed(self, why: str) -> None:
        """The white changed under what is shown."""
        if not self._closed:
            self._painting.spoil(why)

    def _tell(
        self, kind: str, index: int | None, attempt: int | None, body: dict[str, Any]
    ) -> None:
        word = body.get("abort_id") if kind in ("aborted", "rearmed") else None
        if (kind, word) in self._told_already and kind in _ENDS:
            return  # told before a restart
        if kind == "committed" and self.outbox.has_committed(index or 0, attempt or 0):
            return
        self._told_already.add((kind, word))
        try:
            self._told(self.outbox.append(kind, index, attempt, **body))
        except OSError as error:
            self._fatal(error)

    def _reconcile(self) -> None:
        """Tell of decisions that were journalled just before a crash and never became events."""
        for record in self._journal.records:
            if record["k"] == "DONE":
                self._tell(*events.committed(record, round_trip=None, sources=self._sources))


def _last_words(outbox: Outbox) -> set[tuple[str, Any]]:
    """The aborts and the end that earlier lives of this session have told."""
    told: set[tuple[str, Any]] = set()
    for event in outbox.after(0):
        if event["event"] in _ENDS:
            told.add((event["event"], event.get("abort_id")))
    return told
