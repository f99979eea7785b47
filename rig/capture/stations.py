"""Stations: kept by name and token, and the display agents that are connected right now."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from rig.store import catalogs, tables
from rig.store.errors import ConflictError, NotFoundError

Message = dict[str, Any]


def token_digest(token: str) -> str:
    """What is kept of a station's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def add(connection: Connection, name: str, token: str, now_ns: int) -> None:
    """Keep a station.

    Raises:
        StoreError: a bad name.
        ConflictError: the name is taken.
    """
    catalogs.check_name(name, "station")
    if name in names(connection):
        raise ConflictError(f"A station named {name} exists already; choose another name.")
    row = {"name": name, "token_sha256": token_digest(token), "created_ns": now_ns}
    connection.execute(insert(tables.station).values(**row))


def renew(connection: Connection, name: str, token: str) -> None:
    """Give station *name* another token; the one before is worth nothing from now on.

    Raises:
        NotFoundError: there is no such station.
    """
    table = tables.station
    query = update(table).where(table.c.name == find(connection, name))
    connection.execute(query.values(token_sha256=token_digest(token)))


def names(connection: Connection) -> list[str]:
    """All stations by name."""
    return list(connection.scalars(select(tables.station.c.name).order_by(tables.station.c.name)))


def by_token(connection: Connection, token: str) -> str | None:
    """The station that this bearer token belongs to."""
    table = tables.station
    query = select(table.c.name).where(table.c.token_sha256 == token_digest(token))
    name: str | None = connection.scalar(query)
    return name


class StationAwayError(ConflictError):
    """The station has no connected display agent, or it left before it answered."""


@dataclass(eq=False)
class Link:
    """One connected display agent. Lives on the event loop."""

    station: str
    heard: float  # of the hub's clock, when the last message came
    screen: Message = field(default_factory=dict)
    frames: str | None = None
    pairing: str | None = None
    generation: int = 0  # of the phone, as it was told last
    legacy: bool = False  # its phone runs the original app
    called: str = ""  # base URL by which it called the controller
    peer: str | None = None  # its address
    status: Message | None = None
    outbox: asyncio.Queue[Message | None] = field(default_factory=lambda: asyncio.Queue(256))
    replies: dict[int, asyncio.Future[Message]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, message: Message | None) -> None:
        """Queue *message*; None ends the connection.

        Raises:
            StationAwayError: the agent does not read what it is sent.
        """
        try:
            self.outbox.put_nowait(message)
        except asyncio.QueueFull as error:
            raise StationAwayError(f"Station {self.station} does not take messages.") from error

    async def call(self, do: str, session: str, **more: Any) -> Message:
        """Send a command and wait for its reply (the caller sets the time limit).

        Raises:
            StationAwayError: the agent left before it answered.
        """
        number = next(self.numbers)
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.replies[number] = reply
        try:
            self.send({"type": "command", "id": number, "do": do, "session": session, **more})
            return await reply
        finally:
            self.replies.pop(number, None)

    def answered(self, message: Message) -> None:
        """Hand a reply to whoever waits for it; one that nobody waits for is dropped."""
        number = message.get("id")
        reply = self.replies.get(number) if isinstance(number, int) else None
        if reply is not None and not reply.done():
            reply.set_result(message)

    def close(self) -> None:
        """Tell everybody who waits that the agent is gone."""
        for reply in list(self.replies.values()):
            if not reply.done():
                gone = f"Station {self.station} went away before it answered."
                reply.set_exception(StationAwayError(gone))


class Hub:
    """The connected display agents, at most one per station. Lives on the event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._links: dict[str, Link] = {}
        self._left: dict[str, float] = {}

    def join(self, station: str) -> Link:
        """A new connection of *station*; an older one of the same station is ended."""
        if older := self._links.get(station):
            older.close()
            older.outbox = _ended(older.outbox)
        link = Link(station, heard=self._clock())
        self._links[station] = link
        return link

    def leave(self, link: Link) -> None:
        """*link* is gone."""
        link.close()
        if self._links.get(link.station) is link:
            del self._links[link.station]
            self._left[link.station] = link.heard

    def end(self, station: str) -> None:
        """End the connection of *station*, if there is one; it has to prove itself anew."""
        if (link := self._links.get(station)) is not None:
            link.close()
            link.outbox = _ended(link.outbox)

    def heard(self, link: Link) -> None:
        """A message came over *link*."""
        link.heard = self._clock()

    def recall(self, station: str, seconds: float) -> None:
        """*station* was heard so long ago, by an earlier controller; what is known here counts."""
        self._left.setdefault(station, self._clock() - max(seconds, 0.0))

    def get(self, station: str) -> Link | None:
        """The connection of *station*, if there is one."""
        return self._links.get(station)

    def need(self, station: str) -> Link:
        """The connection of *station*.

        Raises:
            StationAwayError: there is none.
        """
        link = self._links.get(station)
        if link is None:
            raise StationAwayError(
                f"Station {station} is not connected. Start its display agent "
                "(`display-agent connect`), then try again."
            )
        return link

    def view(self, station: str) -> Message:
        """What is known about *station* right now; ages in milliseconds, None: never heard."""
        link = self._links.get(station)
        if link is None:
            heard = self._left.get(station)
            age = None if heard is None else round((self._clock() - heard) * 1000)
            return {"name": station, "connected": False, "heard_age_ms": age}
        return {
            "name": station,
            "connected": True,
            "heard_age_ms": round((self._clock() - link.heard) * 1000),
            "screen": link.screen,
            "frames": link.frames,
            "paired": link.pairing is not None,
            "legacy": link.legacy,
            "status": link.status,
        }


def _ended(outbox: asyncio.Queue[Message | None]) -> asyncio.Queue[Message | None]:
    while outbox.full():
        outbox.get_nowait()
    outbox.put_nowait(None)
    return outbox


def heard(connection: Connection) -> dict[str, int]:
    """Station -> when it was heard last, as far as the log tells (Unix time, controller's clock).

    It came, it left, or an event of one of its newest sessions arrived; nothing else is kept.
    """
    log, table = tables.event, tables.session
    found: dict[str, int] = {}
    came = select(log.c.body, log.c.received_ns).where(
        log.c.session.is_(None), log.c.kind.in_(("station_connected", "station_left"))
    )
    for row in connection.execute(came.order_by(log.c.seq.desc()).limit(1000)):
        found.setdefault(str(row.body.get("name")), row.received_ns)
    for name in names(connection):
        mine = select(table.c.id).where(table.c.station == name)
        for session in connection.scalars(mine.order_by(table.c.updated_ns.desc()).limit(3)):
            told = select(log.c.received_ns).where(
                log.c.session == session, log.c.source_seq.is_not(None)
            )
            last = connection.scalar(told.order_by(log.c.source_seq.desc()).limit(1))
            found[name] = max(found.get(name, 0), last or 0)
    return {name: time_ns for name, time_ns in found.items() if time_ns}


def find(connection: Connection, name: str) -> str:
    """*name*, if such a station is kept.

    Raises:
        NotFoundError: there is none.
    """
    known = names(connection)
    if name not in known:
        raise NotFoundError(
            f"No station is named {name[:70]!r}. Known: {', '.join(known) or 'none yet'}. "
            "Add one with `rig station add NAME`."
        )
    return name


def new_token(random: Callable[[int], str]) -> str:
    """A token for a new station out of 32 random bytes."""
    return "rs-" + random(32)
