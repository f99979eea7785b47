"""The database file: migrations at opening, one writer thread, read-only readers."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from rig.store.schema import migrate

T = TypeVar("T")

BUSY_SECONDS = 30.0
"""How long a writer waits for another process (a command) to finish its transaction."""


class _Work(Generic[T]):
    """One transaction to run, and where its outcome goes."""

    def __init__(self, fn: Callable[[Connection], T]) -> None:
        self.fn = fn
        self.future: Future[T] = Future()

    def run(self, engine: Engine) -> bool:
        """Run in one transaction; true when it was committed."""
        if not self.future.set_running_or_notify_cancel():
            return False
        try:
            with engine.begin() as connection:
                result = self.fn(connection)
        except BaseException as error:  # noqa: BLE001 - the caller gets it through the future
            self.future.set_exception(error)
            return False
        self.future.set_result(result)
        return True


class Database:
    """A home's database. Every write is one `BEGIN IMMEDIATE` transaction on the writer thread."""

    def __init__(self, path: Path, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._queue: queue.SimpleQueue[_Work[Any] | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[], None]] = []
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="rig-store-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open (or create, mode 0600) the database at *path* and bring its schema up to date.

        Raises:
            StoreError: the file is from a newer version, or is no database.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        writer = _engine(path, "BEGIN IMMEDIATE", read_only=False)
        try:
            migrate(writer, path)
        except BaseException:
            writer.dispose()
            raise
        return cls(path, writer, _engine(path, "BEGIN", read_only=True))

    def write(self, fn: Callable[[Connection], T]) -> Future[T]:
        """Queue *fn* as one transaction; the future resolves once it is durable.

        An exception in *fn* rolls everything back and comes out of the future.
        """
        work = _Work(fn)
        with self._closing:
            if self._closed:
                raise RuntimeError("the database is closed")
            self._queue.put(work)
        return work.future

    def write_now(self, fn: Callable[[Connection], T]) -> T:
        """`write`, waiting for the outcome."""
        return self.write(fn).result()

    async def awrite(self, fn: Callable[[Connection], T]) -> T:
        """`write` for coroutines. Cancelling the caller does not undo a transaction under way."""
        return await asyncio.shield(asyncio.wrap_future(self.write(fn)))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only connection on one consistent snapshot."""
        with self._reader.connect() as connection:
            yield connection

    def query(self, fn: Callable[[Connection], T]) -> T:
        """What *fn* reads from one snapshot."""
        with self.read() as connection:
            return fn(connection)

    async def aquery(self, fn: Callable[[Connection], T]) -> T:
        """`query` in a thread."""
        return await asyncio.to_thread(self.query, fn)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call *listener* (on the writer thread, so it must be quick) after every commit."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Finish the queued writes and close. May be called twice."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()
        self._reader.dispose()
        self._writer.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            if work.run(self._writer):
                for listener in self._listeners:
                    listener()


def _engine(path: Path, begin: str, *, read_only: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=32,
        # Parameters hold patient keys and file names; they must not reach a traceback in a log.
        hide_parameters=True,
        # The driver must not begin transactions by itself: ours are IMMEDIATE.
        connect_args={
            "isolation_level": None,
            "timeout": BUSY_SECONDS,
            "check_same_thread": False,
        },
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        if read_only:
            connection.execute("PRAGMA query_only=ON").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
