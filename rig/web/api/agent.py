"""The display agents' WebSocket: events in, acknowledgements and commands out."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from sqlalchemy import Connection

from rig.capture import projections, sessions
from rig.capture.messages import AgentEvent, BadEventError, parse_event
from rig.capture.states import Request
from rig.capture.stations import Link
from rig.store.events import Event
from rig.web import remote
from rig.web.auth import Principal, Role
from rig.web.controller import Controller

router = APIRouter()
log = structlog.get_logger("rig.agent")

VERSION = 1
HELLO_SECONDS = 10.0
TOGETHER = 200
"""Events that are kept in one transaction when a backlog arrives."""


class ProtocolError(Exception):
    """The agent does not keep to the conversation; the sentence goes into the close frame."""


class EndedError(Exception):
    """The conversation is over."""


@router.websocket("/api/agent")
async def agent(websocket: WebSocket) -> None:
    """Serve one display agent until it goes."""
    principal: Principal = websocket.state.principal
    if principal.role is not Role.STATION or principal.station is None:
        await websocket.close(1008, "only stations connect here")
        return
    await websocket.accept()
    conversation = Conversation(websocket.app.state.rig, websocket, principal.station)
    try:
        await conversation.run()
    except WebSocketDisconnect:
        return
    except ProtocolError as error:
        log.warning("agent broke the protocol", station=principal.station, why=str(error))
        await _close(websocket, 1008, str(error))


class Conversation:
    """One connection of one station."""

    def __init__(self, rig: Controller, websocket: WebSocket, station: str) -> None:
        self.rig = rig
        self.websocket = websocket
        self.station = station
        self.events: asyncio.Queue[AgentEvent] = asyncio.Queue(TOGETHER)

    async def run(self) -> None:
        """Greet, then read, keep and write until one of them ends.

        Raises:
            ProtocolError: the agent said something it must not.
            WebSocketDisconnect: it went during the greeting.
        """
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = await self._receive()
        except TimeoutError as error:
            raise ProtocolError("no hello came within 10 s") from error
        if hello.get("type") != "hello" or hello.get("version") != VERSION:
            raise ProtocolError(f"the first message must be a hello of version {VERSION}")
        link = self.rig.hub.join(self.station)
        try:
            await self._greet(link, hello)
            await self._talk(link)
        finally:
            self.rig.hub.leave(link)
            self.rig.spawn(self._note("station_left"), f"{self.station} left")

    async def _greet(self, link: Link, hello: dict[str, Any]) -> None:
        screen = hello.get("screen")
        link.screen = screen if isinstance(screen, dict) else {}
        link.frames = _text(hello.get("frames"))
        link.legacy = hello.get("mode") == "legacy"
        known = hello.get("sessions")
        for session in known if isinstance(known, dict) else {}:
            seq = await self.rig.database.aquery(
                lambda c, session=session: sessions.acked(c, self.station, str(session))  # type: ignore[misc]
            )
            if seq is not None:
                await link.outbox.put({"type": "ack", "session": session, "seq": seq})
        link.called = self._base_url()
        link.peer = self.websocket.client.host if self.websocket.client else None
        await link.outbox.put(await self.rig.welcome(link))
        await self._note("station_connected")
        waiting = await self.rig.database.aquery(lambda c: sessions.unanswered(c, self.station))
        for session in waiting:
            self.rig.spawn(
                remote.carry_out(self.rig, session, Request.ABORT), f"abort {session.id}"
            )

    async def _talk(self, link: Link) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(link), name=f"{self.station} read")
                group.create_task(self._keep(link), name=f"{self.station} keep")
                group.create_task(self._write(link), name=f"{self.station} write")
        except* (EndedError, WebSocketDisconnect):
            pass
        except* ProtocolError as errors:
            raise ProtocolError(str(errors.exceptions[0])) from errors

    async def _read(self, link: Link) -> NoReturn:
        while True:
            message = await self._receive()
            self.rig.hub.heard(link)
            kind = message.get("type")
            if kind == "event":
                await self._event(link, message)
            elif kind == "status":
                link.status = {key: value for key, value in message.items() if key != "type"}
                self.rig.feed.notify()
            elif kind == "reply":
                link.answered(message)
            elif kind == "pairing":
                # An older one crossed an unpairing on its way: it opens nothing any more.
                if message.get("generation") in (link.generation, None):
                    link.pairing = _text(message.get("url"))
            else:
                raise ProtocolError(f"unknown message type {str(kind)[:40]!r}")

    async def _event(self, link: Link, message: dict[str, Any]) -> None:
        try:
            event = parse_event(message)
        except BadEventError as error:
            await self._refuse(link, message.get("session"), message.get("seq"), str(error))
        else:
            await self.events.put(event)

    async def _keep(self, link: Link) -> NoReturn:
        """Keep events in transactions of whatever has arrived; acknowledge what is durable."""
        while True:
            together = [await self.events.get()]
            while not self.events.empty() and len(together) < TOGETHER:
                together.append(self.events.get_nowait())
            now = self.rig.clock_ns()

            def write(
                connection: Connection, batch: list[AgentEvent] = together, at: int = now
            ) -> sessions.Ingested:
                return sessions.ingest(connection, self.station, batch, at)

            kept = await self.rig.database.awrite(write)
            for session, seq in kept.acks.items():
                await link.outbox.put({"type": "ack", "session": session, "seq": seq})
            for session, seq, why in kept.refused:
                await self._refuse(link, session, seq, why)
            for event in kept.stored:
                if event.kind in ("completed", "stopped") and event.session is not None:
                    await asyncio.to_thread(self.rig.hand_on, event.session)
                room = self.rig.room
                if event.kind == "aborted" and event.session is not None and room is not None:
                    self.rig.spawn(room.after_abort(event.session), f"safe {event.session}")

    async def _write(self, link: Link) -> NoReturn:
        while (message := await link.outbox.get()) is not None:
            await self.websocket.send_text(json.dumps(message))
        await _close(self.websocket, 1000, "this station connected anew")
        raise EndedError

    async def _refuse(self, link: Link, session: object, seq: object, why: str) -> None:
        log.warning("event refused", station=self.station, why=why)
        await link.outbox.put({"type": "refused", "session": session, "seq": seq, "error": why})

    async def _receive(self) -> dict[str, Any]:
        text = await self.websocket.receive_text()
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ProtocolError("a message is not JSON") from error
        if not isinstance(message, dict):
            raise ProtocolError("a message is not a JSON object")
        return message

    async def _note(self, kind: str) -> None:
        now = self.rig.clock_ns()
        event = Event(kind, now, now, f"station:{self.station}", body={"name": self.station})
        await self.rig.database.awrite(lambda connection: projections.record(connection, event))

    def _base_url(self) -> str:
        """What the phone is to call: as configured, or as this agent called us."""
        if self.rig.public_url is not None:
            return self.rig.public_url.rstrip("/")
        scheme = "https" if self.websocket.url.scheme == "wss" else "http"
        return f"{scheme}://{self.websocket.headers['host']}"


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    try:
        await websocket.close(code, reason.encode()[:120].decode(errors="ignore"))
    except (RuntimeError, WebSocketDisconnect):
        return  # it is closed already


def _text(value: object) -> str | None:
    return value[:2000] if isinstance(value, str) else None
