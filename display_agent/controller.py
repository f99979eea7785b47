"""The link to the controller: outgoing, never in the way of a capture, and nothing gets lost.

Events leave from the outboxes in order, beginning after the controller's last acknowledgement, and
are repeated until acknowledged; the controller knows repetitions by (session, seq). The run does
not depend on the link: while it is down events gather in the outboxes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
)

from display_agent.delivery import Delivery
from display_agent.outbox import Outbox
from rig.errors import UserError

Json = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]

VERSION = 1
MAX_MESSAGE = 64 * 2**20
"""Bytes: the plan of 10,000 x-rays has about 3 MB."""
FIRST_PAUSE, LONGEST_PAUSE, REFUSED_PAUSE = 0.5, 15.0, 60.0
"""Seconds before the first and the later tries, and after a refused token."""
WELCOME_WITHIN = 10.0
STALLED_AFTER = 15.0
"""Seconds without an acknowledgement after which unacknowledged events are sent again."""

_AT_ONCE = frozenset({"abort", "report"})
_REFUSED_CODES = frozenset({1008, 4401, 4403})
_log = structlog.get_logger()


class CommandError(UserError):
    """The command cannot be carried out; the sentence goes to the person who gave it."""


class _LinkLost(Exception):
    pass


class _TokenRefused(Exception):
    pass


class ControllerLink:
    """Keeps one WebSocket to a controller open for as long as `run` runs.

    Commands reach *handler* one after the other in the order of arrival; only `abort` and `report`,
    which changes nothing, wait for nobody. A command outlives the connection it came by, its reply
    does not.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        hello: Callable[[], Json],
        handler: Callable[[Json], Awaitable[Json | None]],
        outboxes: Callable[[], Mapping[str, Outbox]],
        status: Callable[[], Json],
        pairing: Callable[[Json], Awaitable[str | None]],
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        status_every: float = 1.0,
    ) -> None:
        """Describe the link; nothing is opened yet.

        Args:
            url: base address of the controller, `http://host:port` or `https://...`.
            token: the station's bearer token; never logged.
            hello: gives `screen` and `frames` of the hello message.
            handler: carries out a command and returns what the reply is to hold besides, if
                anything; raises UserError (CommandError) to refuse it.
            outboxes: the outbox of every session that may hold events for the controller.
            status: the fields of the status message.
            pairing: the pairing URL for the phone, given the welcome message; None for none.
            sleep: waits some seconds; everything timed here goes through it.
            clock: monotonic seconds.
            rng: draws the jitter of the pauses.
            status_every: seconds between two status messages.

        Raises:
            UserError: *url* is not the address of a controller.
        """
        self.url = _agent_url(url)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._hello = hello
        self._handler = handler
        self._outboxes = outboxes
        self._status = status
        self._pairing = pairing
        self._sleep = sleep
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._status_every = status_every
        # At DEBUG the library prints the handshake, token included: a logger that stays above.
        self._quiet = logging.getLogger("display_agent.websocket")
        self._quiet.setLevel(logging.WARNING)
        self._wake = asyncio.Event()
        self._welcomed = False
        self._deliveries: dict[str, Delivery] = {}
        self._unanswered: set[str] = set()
        self._orders = asyncio.Lock()
        self._welcomes = asyncio.Lock()
        self._commands: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether the controller has welcomed this agent on the present connection."""
        return self._welcomed

    def acked(self, session: str) -> int:
        """Number of the last event of *session* known to be durable at the controller."""
        delivery = self._deliveries.get(session)
        return delivery.acked if delivery else 0

    def notify(self) -> None:
        """Say that an outbox has grown or a new one is there. Call it on the link's event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Connect, talk, and connect again, until cancelled."""
        failures = 0
        try:
            while True:
                try:
                    failures = 0 if await self._connection() else min(failures + 1, 10)
                    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(failures - 1, 0))
                except _TokenRefused:
                    pause = REFUSED_PAUSE
                    _log.error(
                        f"The controller at {self.url} refuses this station's token; pair the "
                        f"station again. Trying once more in {pause:.0f} s."
                    )
                await self._sleep(pause * self._rng.uniform(0.5, 1.5))
        finally:
            for command in self._commands:
                command.cancel()
            await asyncio.gather(*self._commands, return_exceptions=True)

    # --- one connection -----------------------------------------------------------------------

    async def _connection(self) -> bool:
        """Talk until the link is lost; whether the controller welcomed us meanwhile."""
        welcomed = False
        try:
            async with connect(
                self.url,
                additional_headers=self._headers,
                proxy=None,  # the controller is on this network
                compression=None,
                max_size=MAX_MESSAGE,
                ping_interval=5,
                ping_timeout=10,
                close_timeout=2,
                logger=self._quiet,
            ) as socket:
                try:
                    await self._greet(socket)
                    welcomed = True
                    await self._converse(socket)
                finally:
                    self._welcomed = False
        except InvalidStatus as answer:
            _told_status(self.url, answer.response.status_code)
        except ConnectionClosed as closed:
            _told_closed(self.url, closed)
        except _LinkLost as lost:
            _log.warning(f"The link to {self.url} is lost: {lost}. Connecting again.")
        except (OSError, TimeoutError, InvalidHandshake, InvalidMessage, EOFError) as problem:
            _log.warning(
                f"The controller at {self.url} cannot be reached ({type(problem).__name__}: "
                f"{problem}). Shooting goes on; trying again."
            )
        except Exception as bug:  # noqa: BLE001 - a fault here must not end a run that needs no link
            _log.error(f"The link to the controller failed: {bug!r}", exc_info=True)
        return welcomed

    async def _greet(self, socket: ClientConnection) -> None:
        outboxes = self._outboxes()
        self._unanswered = set(outboxes)
        sessions = {session: outbox.last_seq for session, outbox in outboxes.items()}
        greeting = {**self._hello(), "type": "hello", "version": VERSION, "sessions": sessions}
        await socket.send(json.dumps(greeting))
        try:
            async with asyncio.timeout(WELCOME_WITHIN):
                while not self._welcomed:
                    await self._receive(socket, await socket.recv())
        except TimeoutError:
            raise _LinkLost(f"no welcome within {WELCOME_WITHIN:.0f} s") from None

    async def _converse(self, socket: ClientConnection) -> None:
        tasks = [
            asyncio.create_task(self._receive_all(socket), name="link: receive"),
            asyncio.create_task(self._send_events(socket), name="link: events"),
            asyncio.create_task(self._send_status(socket), name="link: status"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive_all(self, socket: ClientConnection) -> None:
        while True:
            await self._receive(socket, await socket.recv())

    async def _receive(self, socket: ClientConnection, text: str | bytes) -> None:
        message = _parse(text)
        match message:
            case None:
                _log.warning("The controller sent something that is no JSON object; ignored.")
            case {"type": "welcome"}:
                self._welcome(socket, message)
            case {"type": "ack", "session": str(session), "seq": int(seq)}:
                self._acknowledged(session, seq)
            case {"type": "command", "id": int(), "do": str()}:
                self._order(socket, message)
            case _:
                _log.warning(f"A message of type {message.get('type')!r} is unknown; ignored.")

    def _welcome(self, socket: ClientConnection, message: Json) -> None:
        self._welcomed = True
        _log.info(f"Connected to {self.url} as station {message.get('station')!r}.")
        self._spawn(self._tell_pairing(socket, message), "pairing")

    async def _tell_pairing(self, socket: ClientConnection, message: Json) -> None:
        try:
            async with self._welcomes:
                url = await self._pairing(message)
        except UserError as problem:
            _log.error(f"No pairing for the phone: {problem}")
            return
        except Exception as bug:  # noqa: BLE001 - shooting goes on without another phone
            _log.error(f"No pairing for the phone: {bug!r}", exc_info=True)
            return
        if url is not None:
            # The number comes back: the controller must not keep a pairing that it has voided.
            phone = message.get("phone")
            generation = phone.get("generation") if isinstance(phone, dict) else None
            told = {"type": "pairing", "url": url, "generation": generation}
            with contextlib.suppress(ConnectionClosed):  # the next welcome asks for it again
                await socket.send(json.dumps(told))

    # --- events and status --------------------------------------------------------------------

    def _acknowledged(self, session: str, seq: int) -> None:
        delivery = self._deliveries.setdefault(session, Delivery())
        if session not in self._unanswered:
            delivery.ack(seq, self._clock())
        elif delivery.resume(seq, self._clock()):
            _log.warning(f"The controller knows session {session} only up to event {seq}: again.")
        self._unanswered.discard(session)
        outbox = self._outboxes().get(session)
        if outbox is not None and seq > outbox.last_seq:
            _log.error(
                f"The controller holds {seq} events of session {session}, this machine only "
                f"{outbox.last_seq}: its state folder was lost. Numbering goes on at {seq + 1}."
            )
            outbox.skip_to(seq)
        self._wake.set()

    async def _send_events(self, socket: ClientConnection) -> None:
        while True:
            self._wake.clear()
            for session, outbox in list(self._outboxes().items()):
                if session not in self._unanswered:
                    await self._send_session(socket, session, outbox)
            await self._wake.wait()

    async def _send_session(self, socket: ClientConnection, session: str, outbox: Outbox) -> None:
        delivery = self._deliveries.setdefault(session, Delivery())
        if outbox.last_seq <= delivery.sent or not delivery.room:
            return
        try:
            await asyncio.to_thread(outbox.sync)  # an fsync can take long; not on the loop
            for event in outbox.after(delivery.sent):
                if not delivery.room:
                    break
                delivery.sending(event["seq"], self._clock())
                await socket.send(json.dumps({"type": "event", **event}))
        except OSError as problem:
            raise _LinkLost(f"the events of session {session} cannot be read: {problem}") from None

    async def _send_status(self, socket: ClientConnection) -> None:
        while True:
            await socket.send(json.dumps({**self._status(), "type": "status"}))
            for delivery in self._deliveries.values():
                delivery.rewind_if_stalled(self._clock(), STALLED_AFTER)
            self._wake.set()  # for a rewind, and should a notify have been forgotten
            await self._sleep(self._status_every)

    # --- commands -----------------------------------------------------------------------------

    def _order(self, socket: ClientConnection, command: Json) -> None:
        self._spawn(self._obey(socket, command), f"command {command['do']}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)

    async def _obey(self, socket: ClientConnection, command: Json) -> None:
        if command["do"] in _AT_ONCE:
            more, error = await self._carry_out(command)
        else:
            async with self._orders:
                more, error = await self._carry_out(command)
        reply = {**more, "type": "reply", "id": command["id"], "ok": error is None, "error": error}
        try:
            await socket.send(json.dumps(reply))
        except ConnectionClosed:
            _log.warning(f"The reply to '{command['do']}' was lost with the link.")

    async def _carry_out(self, command: Json) -> tuple[Json, str | None]:
        try:
            return await self._handler(command) or {}, None
        except UserError as refusal:
            return {}, str(refusal)
        except Exception as bug:  # noqa: BLE001 - one bad command must not end the run
            _log.error(f"The command '{command['do']}' failed: {bug!r}", exc_info=True)
            return {}, f"The display agent failed at '{command['do']}'; see its log."


def _agent_url(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UserError(
            "the controller's address must look like http://host:8000, without user or query"
        )
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/agent"


def _parse(text: str | bytes) -> Json | None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _told_status(url: str, status: int) -> None:
    if status in {401, 403}:
        raise _TokenRefused
    hint = "is that the controller's address?" if status == 404 else "look in its log."
    _log.warning(f"The controller at {url} answered {status}; {hint} Trying again.")


def _told_closed(url: str, closed: ConnectionClosed) -> None:
    code = closed.rcvd.code if closed.rcvd else None
    if code in _REFUSED_CODES:
        raise _TokenRefused
    _log.warning(f"The controller at {url} closed the link ({code}). Connecting again.")
