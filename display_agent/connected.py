"""A station in the service of a controller: commands in, events out, going on alone meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import structlog

from display_agent.controller import CommandError, ControllerLink, Json
from display_agent.legacy_session import LegacySession, LegacySettings
from display_agent.outbox import Event, Outbox
from display_agent.pairing import pairing_url
from display_agent.plans import load_plan, save_plan
from display_agent.report import report
from display_agent.session import Session
from display_agent.station import Station
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.planning.plan import SubsetPlan, from_json
from rig.protocol.legacy import WEAKER_DISPLAY

_DELIVERED = "delivered"
"""In a session's folder: the controller has every event of it."""
_NOT_LEGACY = (
    "the original app cannot give up a photo or end early: pause after this image, or abort"
)
_log = structlog.get_logger()


class ConnectedStation:
    """Serves one controller.

    Args:
        station: open already.
        folder: state folder; `sessions/<id>` holds plan, journal and outbox of each session.
        url, token: the controller and this station's bearer token.
        pairing_file: where to write the phone's pairing URL, mode 0600, if anywhere.
        reported: hears every event, for `--json`.
    """

    def __init__(
        self,
        station: Station,
        folder: Path,
        url: str,
        token: str,
        *,
        pairing_file: Path | None = None,
        reported: Any = None,
    ) -> None:
        self._station = station
        self._folder = folder
        self._pairing_file = pairing_file
        self._reported = reported
        self._closed_outboxes: dict[str, Outbox] = {}
        self._retired: list[Outbox] = []
        self._stocking: asyncio.Task[None] | None = None
        self._moving = asyncio.Lock()
        self.link = ControllerLink(
            url,
            token,
            hello=self._hello,
            handler=self._obey,
            outboxes=self._outboxes,
            status=self._status,
            pairing=self._pair,
        )

    async def run(self) -> None:
        """Go on with what was under way, then serve until cancelled."""
        await self._go_on()
        try:
            await self.link.run()
        finally:
            await self._end_stocking()
            for outbox in (*self._closed_outboxes.values(), *self._retired):
                outbox.close()

    async def _go_on(self) -> None:
        """Load the session that a crash or a power cut interrupted, and start it again."""
        self._reopen_outboxes()
        pointer = self._folder / "current"
        with contextlib.suppress(FileNotFoundError):
            name = pointer.read_text().strip()
            folder = self._folder / "sessions" / name
            try:
                session = await self._open(load_plan(folder))
            except UserError as error:
                _log.error("the interrupted session cannot go on", why=str(error))
                return
            if session.begun:
                _log.info("going on with an interrupted session", session=name)
                session.start()

    def _reopen_outboxes(self) -> None:
        """Earlier sessions whose last events the controller may not have: they are sent again."""
        for file in sorted((self._folder / "sessions").glob("*/events.jsonl")):
            folder = file.parent
            if (folder / _DELIVERED).exists():
                continue
            try:
                self._closed_outboxes[folder.name] = Outbox(folder, folder.name)
            except (UserError, OSError) as error:
                _log.error("the events of an earlier session cannot be read", why=str(error))

    def _retire_delivered(self) -> None:
        """Mark finished sessions whose every event is durable at the controller."""
        for name, outbox in list(self._closed_outboxes.items()):
            if self.link.acked(name) >= outbox.last_seq:
                write_atomic(self._session_folder(name) / _DELIVERED, b"")
                self._retired.append(self._closed_outboxes.pop(name))

    # -- commands ----------------------------------------------------------------------------------

    async def _obey(self, command: Json) -> Json | None:
        if command["do"] == "report":  # waits for the phone, and an abort must not wait for that
            return {"report": await report(self._station, str(command.get("session")))}
        async with self._moving:  # an abort, too, must find the session: it waits for nothing long
            await self._carry_out(command)
        return None

    async def _carry_out(self, command: Json) -> None:
        order = str(command["do"])
        if order == "load":
            await self._load(command)
            return
        session = self._station.session
        if session is None or session.plan.session != command.get("session"):
            raise CommandError("this station has not loaded that session; load it first")
        if order == "start":
            session.start()
        elif order == "resume":
            if session.started:
                session.operator("resume")
            else:
                session.start()
        elif order in ("pause", "pause_now", "stop"):
            _halt(session, order, command.get("why"))
        elif order == "abort":
            session.operator("abort")
        elif order == "rearm":
            session.operator("rearm", str(command.get("abort_id", "")))
        elif order == "resolve":
            if not isinstance(session, LegacySession):
                raise CommandError("only a session in legacy mode has a request to resolve")
            session.operator("resolve", answer=command.get("answer"))
        else:
            raise CommandError(f"this display agent does not know the command {order!r}")

    async def _load(self, command: Json) -> None:
        plan = from_json(command.get("plan"))
        current = self._station.session
        if current is not None and current.plan.session == plan.session:
            if current.plan.manifest_sha256 != plan.manifest_sha256:
                raise CommandError(f"session {plan.session} was begun with another plan")
            return
        if current is not None and current.started and not current.over:
            raise CommandError(
                f"session {current.plan.session} is still under way here; "
                "finish or abort it before another one is loaded"
            )
        save_plan(self._session_folder(plan.session), plan)
        await self._open(plan)
        write_atomic(self._folder / "current", plan.session.encode())

    async def _open(self, plan: SubsetPlan) -> Session | LegacySession:
        if (closed := self._closed_outboxes.pop(plan.session, None)) is not None:
            closed.close()
        before = self._station.session
        session = await self._make(plan)
        (self._session_folder(plan.session) / _DELIVERED).unlink(missing_ok=True)
        if before is not None and before.plan.session != plan.session:
            # Its last events may not have reached the controller yet.
            name = before.plan.session
            self._closed_outboxes[name] = Outbox(self._session_folder(name), name)
        await self._end_stocking()
        self._stocking = asyncio.create_task(self._station.stock(plan), name="stock")
        self.link.notify()
        return session

    async def _make(self, plan: SubsetPlan) -> Session | LegacySession:
        folder, phone = self._session_folder(plan.session), self._station.legacy
        if phone is None:
            return await self._station.load(plan, folder, self._told)
        settings = LegacySettings(phone, alone=False)
        return await self._station.load_legacy(plan, folder, self._told, settings)

    async def _end_stocking(self) -> None:
        if self._stocking is not None:
            self._stocking.cancel()
            await asyncio.gather(self._stocking, return_exceptions=True)
            self._stocking = None

    def _session_folder(self, session: str) -> Path:
        return self._folder / "sessions" / session

    # -- what the link asks ------------------------------------------------------------------------

    def _told(self, event: Event) -> None:
        if self._reported is not None:
            self._reported(event)
        self.link.notify()

    def _outboxes(self) -> dict[str, Outbox]:
        boxes = dict(self._closed_outboxes)
        if self._station.session is not None:
            boxes[self._station.session.plan.session] = self._station.session.outbox
        return boxes

    def _hello(self) -> Json:
        width, height = self._station.screen.size
        kind = type(self._station.screen).__name__.removesuffix("Screen").lower()
        report = self._station.screen_report
        screen = {"backend": kind, **report, "width": width, "height": height}
        hello: Json = {"screen": screen, "frames": self._station.frames_url}
        if self._station.legacy is not None:
            hello |= {"mode": "legacy", "weaker": list(WEAKER_DISPLAY)}
        return hello

    def _status(self) -> Json:
        self._retire_delivered()
        session = self._station.session
        if session is None:
            return {
                "session": None, "phase": "idle", "index": None,
                "link_age_ms": None, "rtt_ms": None,
            }  # fmt: skip
        return dict(session.status())

    async def _pair(self, welcome: Json) -> str | None:
        """The phone's pairing; None when the phone runs the original app, which knows none.

        The key moves before the pairing is told: nobody can be given one that is about to be void.

        Raises:
            UserError: what the controller says is nonsense, or the session cannot go on with it.
        """
        if self._station.legacy is not None:
            return None
        phone = welcome.get("phone")
        phone = phone if isinstance(phone, dict) else {}
        if "generation" in phone:
            async with self._moving:
                if await self._station.move_key(phone["generation"], self._open):
                    _log.info("the phone was unpaired; the next one gets another key")
        url = pairing_url(
            self._station.psk,
            self._station.hosts,
            str(phone.get("url", "")),
            str(phone.get("token", "")),
        )
        if self._pairing_file is not None:
            write_atomic(self._pairing_file, url.encode() + b"\n", mode=PRIVATE)
        return url


def _halt(session: Session | LegacySession, order: str, why: object) -> None:
    if isinstance(session, LegacySession):
        if order != "pause":
            raise CommandError(_NOT_LEGACY)
        session.operator("pause")
        return
    told = why if isinstance(why, str) else ""
    if order == "stop":
        session.start()  # one that is not under way here ends through its journal
        session.operator("stop", why=told)
    else:
        session.operator("pause_now" if order == "pause_now" else "pause", why=told)


async def serve(connected: ConnectedStation, stop: asyncio.Event) -> None:
    """Run until *stop*."""
    work = asyncio.create_task(connected.run(), name="controller link")
    waiting = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        for task in (work, waiting):
            task.cancel()
        await asyncio.gather(work, waiting, return_exceptions=True)
