"""What stands at the monitor: one screen, one UDP socket, and the session that runs on them."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from display_agent.frames import FrameServer, Optics
from display_agent.images import ImageProblem, ImageSource
from display_agent.legacy_audit import JOURNAL
from display_agent.legacy_session import LegacySession, LegacySettings, subset_of
from display_agent.look import PLAIN, Look, look_of
from display_agent.monitor_white import MonitorWhite
from display_agent.pairing import PairingKeys, reachable
from display_agent.prefetch import Prefetch
from display_agent.screens import Finding, Screen
from display_agent.screens.checks import as_json, take
from display_agent.session import Session, Told
from display_agent.white import WhiteKeeper
from rig.errors import UserError
from rig.intake.card import card_tags
from rig.planning.card import is_card, shows_card
from rig.planning.plan import SubsetPlan
from rig.protocol.actions import Addr

_log = structlog.get_logger()
_UNPAIRED = (
    "the phone was unpaired and is not let in any more. Copy its photo folder to the next phone "
    "(without it that phone lacks the photos of this subset, and the session aborts), pair that "
    "one, put it in its place, then resume"
)


class _Socket(asyncio.DatagramProtocol):
    """One unconnected socket for all sessions, one after the other."""

    def __init__(self) -> None:
        self.transport: asyncio.DatagramTransport | None = None
        self.receive: Callable[[bytes, Any], None] | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if self.receive is not None:
            self.receive(data, addr)

    def error_received(self, exc: Exception) -> None:
        """ICMP is noted by nobody: it decides nothing."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


@dataclass(frozen=True)
class StationConfig:
    """Where a station listens and keeps its state.

    Attributes:
        folder: key, sessions and caches.
        listen: UDP address of the protocol; port 0 takes a free one.
        frames: address of the frame server, or None for none.
        frames_token: needed when *frames* is beyond loopback.
        optics: what the frame server photographs through.
        marker: the index marker stands in the margin of every frame.
        legacy: address of a phone with the original app: the station knows no other phone then,
            and *listen* is not used.
        monitor: the monitor whose white is set over DDC/CI, or None: pixels are tinted.
    """

    folder: Path
    listen: Addr
    frames: Addr | None = None
    frames_token: str | None = None
    optics: Optics = field(default_factory=Optics)
    marker: bool = False
    legacy: Addr | None = None
    monitor: MonitorWhite | None = None

    @property
    def bind(self) -> Addr:
        """Where the socket goes; one that only asks the original app takes any free port."""
        if self.legacy is None:
            return self.listen
        local = ipaddress.ip_address(self.legacy[0]).is_loopback
        return ("127.0.0.1", 0) if local else ("0.0.0.0", 0)  # noqa: S104 - one source is heard


class Station:
    """Opens screen, socket and frame server, and runs sessions on them."""

    def __init__(self, config: StationConfig, screen: Screen, images: ImageSource) -> None:
        self._config = config
        self._screen = screen
        self._images = images
        self._socket = _Socket()
        self._frames: FrameServer | None = None
        self._prefetch: Prefetch | None = None
        self.session: Session | LegacySession | None = None
        self._peer: Addr | None = None
        self._keys: PairingKeys | None = None
        self._findings: tuple[Finding, ...] = ()

    async def open(self) -> None:
        """Take monitor and addresses.

        Raises:
            UserError: one of them is not to be had; the sentence says which.
        """
        self._keys = PairingKeys(self._config.folder)
        self._findings = await take(self._screen)
        self._prefetch = Prefetch(self._images, self._screen.size)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self._socket, local_addr=self._config.bind)
        except OSError as error:
            host, port = self._config.bind
            raise UserError(
                f"UDP {host}:{port} cannot be used ({error.strerror}); "
                "is another display agent running? Choose another --listen"
            ) from error
        if self._config.frames is not None:
            host, port = self._config.frames
            self._frames = FrameServer(
                self._screen.frame,
                host,
                port,
                token=self._config.frames_token,
                optics=self._config.optics,
            )
            await self._frames.start()

    @property
    def psk(self) -> bytes:
        """The key that the present phone and this station share, 32 bytes."""
        if self._keys is None:
            raise UserError("the station is not open")
        return self._keys.psk

    @property
    def udp(self) -> Addr:
        """The address that the socket is bound to."""
        if self._socket.transport is None:
            raise UserError("the station is not open")
        name = self._socket.transport.get_extra_info("sockname")
        return name[0], name[1]

    @property
    def hosts(self) -> tuple[Addr, ...]:
        """Where a phone reaches the socket."""
        return reachable(*self.udp)

    @property
    def frames_url(self) -> str | None:
        """Address of the frame server, if there is one."""
        return self._frames.url if self._frames else None

    @property
    def screen(self) -> Screen:
        """The monitor."""
        return self._screen

    @property
    def screen_report(self) -> dict[str, Any]:
        """Backend, size and what the screen found when it checked itself; JSON values."""
        return as_json(self._screen, self._findings)

    @property
    def legacy(self) -> Addr | None:
        """Where the original app is, when this station drives that."""
        return self._config.legacy

    async def load(self, plan: SubsetPlan, folder: Path, told: Told) -> Session:
        """Make *plan* the session of this station; the one before is closed, not lost.

        Raises:
            UserError: the folder belongs to another plan or to legacy mode.
        """
        prefetch, psk = self._ready(), self.psk
        white = self._white(plan, prefetch)
        if (folder / JOURNAL).exists():
            raise UserError(
                f"session {plan.session} was begun in legacy mode; start the display agent with "
                "--legacy-phone, or make a new session"
            )
        await self.unload()
        session = Session(
            plan,
            folder,
            psk,
            screen=self._screen,
            prefetch=prefetch,
            told=told,
            peer=self._peer,
            white=white,
        )
        self._take(session, white)
        return session

    async def load_legacy(
        self, plan: SubsetPlan, folder: Path, told: Told, settings: LegacySettings
    ) -> LegacySession:
        """Make *plan* the session of this station, shot through the original app.

        Raises:
            UserError: the folder belongs to another plan or to XCAP/1, or a name cannot be sent.
        """
        prefetch = self._ready()
        white = self._white(plan, prefetch)
        subset_of(plan)  # refused before the session before is closed
        await self.unload()
        session = LegacySession(
            plan, folder, settings, screen=self._screen, prefetch=prefetch, told=told, white=white
        )
        self._take(session, white)
        return session

    def _white(self, plan: SubsetPlan, prefetch: Prefetch) -> WhiteKeeper:
        """Sees to the look of *plan*; raises UserError before anything is closed."""
        card = any(is_card(item) for item in plan.items)
        if card:
            if not shows_card(plan) or self._config.legacy is not None:
                raise UserError("a plan shows the test card alone, or not at all, and over XCAP/1")
            card_tags(self._screen.size)  # refuses a screen that is too small

        def look(monitor_set: bool) -> Look:
            if card:
                return PLAIN
            return look_of(
                plan.environment.levels,
                seed=int(plan.campaign_id, 16),
                marker=self._config.marker,
                monitor_set=monitor_set,
            )

        return WhiteKeeper(plan, look, prefetch, self._config.monitor)

    def _ready(self) -> Prefetch:
        if self._prefetch is None or self._socket.transport is None:
            raise UserError("the station is not open")
        return self._prefetch

    def _take(self, session: Session | LegacySession, white: WhiteKeeper) -> None:
        if self._socket.transport is not None:
            session.shell.attach(self._socket.transport)
        self._socket.receive = session.shell.datagram_received
        self.session = session
        white.begin(session)

    async def stock(self, plan: SubsetPlan) -> None:
        """Fetch every x-ray of *plan* ahead: then the run needs nobody but the phone.

        What cannot be had now is only logged; painting asks for it again.
        """
        failed = 0
        for item in plan.items:
            if is_card(item):
                continue  # no file holds it
            try:
                await self._images.fetch(item)
            except ImageProblem as problem:
                failed += 1
                _log.warning("an x-ray could not be fetched ahead", why=str(problem))
        _log.info("x-rays are here", session=plan.session, count=len(plan.items) - failed)

    async def unload(self) -> None:
        """Close the session, if any; it can be loaded again."""
        self._socket.receive = None
        if self.session is not None:
            session, self.session = self.session, None
            if isinstance(session, Session):
                self._peer = session.core.peer
            await session.close()

    async def move_key(
        self, generation: object, reopen: Callable[[SubsetPlan], Awaitable[Any]]
    ) -> bool:
        """Move to the key of the phone's *generation*; whether it is another one.

        From the first line on nothing of the phone before is let in. A session that was under way
        is begun again from its journal, as after a restart, and pauses: another phone has to be
        put in its place.

        Args:
            generation: as the controller tells it.
            reopen: makes the session of a plan again, by way of `load`.

        Raises:
            UserError: *generation* is nonsense, or the session cannot be loaded again.
        """
        if self._keys is None or not self._keys.move_to(generation):
            return False
        self._socket.receive = None
        before = self.session
        await self.unload()
        self._peer = None
        if isinstance(before, Session):
            await reopen(before.plan)
            if isinstance(self.session, Session) and before.started:
                self.session.start()
                self.session.hold(_UNPAIRED)
        return True

    async def close(self) -> None:
        """Give everything back."""
        await self.unload()
        if self._prefetch is not None:
            await self._prefetch.close()
        if self._frames is not None:
            await self._frames.close()
        if self._socket.transport is not None:
            self._socket.transport.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._socket.closed.wait()
        await self._images.close()
        await self._screen.close()
