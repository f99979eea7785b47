"""The parts of a running controller, put together in one place and handed to the app."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from rig.capture import sessions, stations
from rig.capture.stations import Hub, Link
from rig.environment.config import RoomFile
from rig.store.database import Database
from rig.store.errors import StoreError
from rig.web import cache_room, jobs
from rig.web.auth import Auth
from rig.web.feed import Feed
from rig.web.jobs import JobRunner
from rig.web.operators import Presence
from rig.web.pairing_codes import Codes
from rig.web.phone_app import BuildError, PhoneApp, installed_app
from rig.web.phones import Phones
from rig.web.progress import ProgressBook
from rig.web.room import RoomControl

log = structlog.get_logger("rig.web")

OnBatch = Callable[["Controller", str], None]
"""Called in a thread with (controller, session) when a batch became complete."""


Examine = Callable[[], Sequence[Mapping[str, str]]]
"""What `rig doctor` finds: `what`, `status` (ok, warn, bad), `detail`, `remedy`. Blocks."""


def _nothing(_controller: Controller, _session: str) -> None:
    return None


@dataclass
class Controller:
    """Everything the routes need.

    Attributes:
        home: the home folder.
        database: the store.
        auth: who is who.
        hub: the connected display agents.
        feed: wakes the live streams.
        jobs: long work.
        clock_ns: Unix time, nanoseconds.
        public_url: address that phones reach this controller by; None: as their agent calls it.
        on_batch: called when all photos of a session have arrived.
        on_photo: called when one photo has arrived, on any thread; must not block.
        codes: with which phones are paired.
        phones: what the phones said last.
        phone_app: the phone agent as it is served; None when it is not installed here.
        room: the actuators; None when none are configured.
        listening: address and port of the socket, once there is one.
        feed: wakes whoever waits for events.
        examine: looks this machine over; None when nobody can.
        progress: how far the campaigns are.
        presence: when there was a sign of each operator.
        cache_bytes: what small pictures may take on the disk.
    """

    home: Path
    database: Database
    auth: Auth
    hub: Hub
    jobs: JobRunner
    codes: Codes
    phones: Phones
    phone_app: PhoneApp | None = None
    room: RoomControl | None = None
    listening: tuple[str, int] = ("127.0.0.1", 0)
    clock_ns: Callable[[], int] = time.time_ns
    public_url: str | None = None
    on_batch: OnBatch = _nothing
    on_photo: OnBatch = _nothing
    feed: Feed = field(default_factory=Feed)
    progress: ProgressBook = field(default_factory=ProgressBook)
    presence: Presence = field(default_factory=lambda: Presence(time.monotonic))
    examine: Examine | None = None
    cache_bytes: int = cache_room.DEFAULT
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        token: str | None = None,
        public_url: str | None = None,
        on_batch: OnBatch = _nothing,
        on_photo: OnBatch = _nothing,
        room: RoomFile | None = None,
    ) -> Controller:
        """Open *home* and recover from whatever ended the last controller.

        The caller holds the home's lock.

        Raises:
            StoreError: the database cannot be used.
        """
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = Database.open(home / "rig.db")
        now = time.time_ns()
        recovered = database.write_now(lambda c: sessions.recover(c, now))
        database.write_now(lambda c: jobs.recover(c, now))
        if recovered:
            log.info("interrupted sessions", sessions=recovered)
        hub = Hub(time.monotonic)
        for station, heard_ns in database.query(stations.heard).items():
            hub.recall(station, (now - heard_ns) / 1e9)
        auth = Auth(read_secret(home), database, time.time, token)
        return cls(
            home=home,
            database=database,
            auth=auth,
            hub=hub,
            codes=Codes(auth.code_key(), secrets.token_bytes),
            phones=Phones(time.monotonic),
            phone_app=_phone_app(),
            room=None if room is None else _room(room, database, home),
            jobs=JobRunner(database, time.time_ns),
            public_url=public_url,
            on_batch=on_batch,
            on_photo=on_photo,
        )

    def start(self) -> None:
        """Attach to the running event loop."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.feed.notify)

        self.database.on_commit(wake)

    async def welcome(self, link: Link) -> dict[str, Any]:
        """The message that tells *link*'s display agent what its phone is to be given."""
        generation, token = await asyncio.to_thread(self.auth.phone, link.station)
        link.generation = generation
        phone = {"url": link.called, "token": token, "generation": generation}
        return {"type": "welcome", "station": link.station, "phone": phone}

    def hand_on(self, session: str) -> None:
        """Photos or events of *session* have arrived: intake begins if now everything is here.

        Blocks. The photos are safe whatever becomes of them next, so nothing is raised.
        """
        try:
            self.on_batch(self, session)
        except Exception:
            log.exception("intake did not begin", session=session)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run *work* beside the requests; it is cancelled when the controller stops."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def stop(self) -> None:
        """End the streams and tasks, make the room safe, wait for jobs, close the database."""
        self.feed.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self.room is not None:
                await self.room.close()
        finally:
            await asyncio.to_thread(self.jobs.close)
            await asyncio.to_thread(self.database.close)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed", task=task.get_name(), exc_info=error)


def _room(file: RoomFile, database: Database, home: Path) -> RoomControl:
    trace = home / "trace"
    if any(table.trace for table in file.actuators.values()):
        trace.mkdir(parents=True, exist_ok=True, mode=0o700)
    return RoomControl(file, database, time.time_ns, trace)


def _phone_app() -> PhoneApp | None:
    try:
        return installed_app()
    except (BuildError, OSError) as error:
        # Everything but pairing by the one line works without it.
        log.warning("no phone agent to serve", why=str(error))
        return None


SECRET_BYTES = 32


def read_secret(home: Path) -> bytes:
    """The 32 secret bytes of *home*, made at the first call (mode 0600).

    Raises:
        StoreError: the file was cut short: every token would follow from what is left of it.
    """
    path = home / "secret"
    try:
        return _whole(path)
    except FileNotFoundError:
        pass
    fresh = secrets.token_bytes(SECRET_BYTES)
    temporary = home / f"secret.{secrets.token_hex(4)}.tmp"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, not a rename: of two processes that come here, the first one's secret stays.
        os.link(temporary, path)
    except FileExistsError:
        return _whole(path)
    finally:
        temporary.unlink()
    return fresh


def _whole(path: Path) -> bytes:
    found = path.read_bytes()
    if len(found) != SECRET_BYTES:
        raise StoreError(
            f"{path} has {len(found)} bytes, not {SECRET_BYTES}: without it anybody could sign in. "
            "Restore it from a backup, or remove it: then every device has to sign in anew."
        )
    return found
