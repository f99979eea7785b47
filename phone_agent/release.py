"""Deletes photos from the phone once the controller confirmed them and the operator allowed it.

A photo goes only when all of this holds: its subset is finished in the phone's own journal, the
batch was closed by the controller, the controller lists it as allowed, and the bytes on the phone
still have the SHA-256 that journal and list name. The deletion is noted durably first. Sidecars
and journals stay.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from phone_agent.controller import ControllerError, Release
from phone_agent.files import sha256_file, sync_folder
from phone_agent.upload_log import UploadLog
from rig.protocol.failpoint import hit

FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 900.0


class Asks(Protocol):
    """What is needed of a `Controller`."""

    def release(self, session: str) -> Release: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Deleted:
    """What one look at a session has brought: photos deleted, bytes freed, photos that stay."""

    session: str
    photos: int
    freed: int
    kept: tuple[str, ...]


def delete_released(
    session: str,
    ours: Mapping[str, tuple[Path, bytes]],
    release: Release,
    log: UploadLog,
) -> Deleted:
    """Delete what is ours, listed and unchanged; going on after a crash is harmless.

    Args:
        session: the session's id.
        ours: name -> (file, SHA-256) of the committed photos of this finished session.
        release: what the controller allows.
        log: where deletions are noted.

    Raises:
        OSError: a file cannot be read, noted or deleted; nothing is half done.
    """
    count, freed, kept, folders = 0, 0, list[str](), set[Path]()
    for name, (path, sha256) in ours.items():
        if not release.allowed or release.photos.get(name) != sha256 or not path.is_file():
            continue
        if sha256_file(path) != sha256:
            kept.append(name)
            continue
        size = path.stat().st_size
        log.add_released(session, name, sha256)
        hit("after_release_note")
        path.unlink()
        hit("after_release_unlink")
        count, freed = count + 1, freed + size
        folders.add(path.parent)
    for folder in folders:
        sync_folder(folder)
    return Deleted(session, count, freed, tuple(kept))


class Releases:
    """Asks calmly, session by session, until everything of it may go; in a thread of its own.

    Args:
        asks: the controller.
        log: where deletions are noted.
        tell: hears of deletions and of trouble that a person must know: (is it trouble, sentence).
        pause_s: seconds between two questions about a session; doubled up to 15 minutes.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        asks: Asks,
        log: UploadLog,
        tell: Callable[[bool, str], None],
        *,
        pause_s: float = FIRST_PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asks = asks
        self._log = log
        self._tell = tell
        self._pause_s = pause_s
        self._clock = clock
        self._change = threading.Condition()
        self._open: dict[str, dict[str, tuple[Path, bytes]]] = {}
        self._next: dict[str, tuple[float, float]] = {}  # session -> when, pause after it
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="release", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def closed(self, session: str, photos: Mapping[str, tuple[Path, bytes]]) -> None:
        """The batch of a finished session is complete and durable at the controller."""
        here = {name: each for name, each in photos.items() if each[0].is_file()}
        with self._change:
            if here and session not in self._open:
                self._open[session] = here
                self._next[session] = self._clock(), self._pause_s
                self._change.notify_all()

    def stop(self, timeout_s: float = 6.0) -> None:
        """End the thread."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        self._asks.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        try:
            while (session := self._await()) is not None:
                self._look(session)
        finally:
            self._asks.close()

    def _await(self) -> str | None:
        with self._change:
            while not self._stopping:
                now = self._clock()
                session = min(self._next, key=lambda each: self._next[each][0], default=None)
                if session is None:
                    self._change.wait()
                    continue
                left = self._next[session][0] - now
                if left <= 0:
                    return session
                self._change.wait(left)
            return None

    def _look(self, session: str) -> None:
        """Ask once; the session is over when none of its photos is left to delete."""
        ours = self._open[session]
        over = False
        try:
            release = self._asks.release(session)
            done = delete_released(session, ours, release, self._log)
        except ControllerError:
            pass  # the uploads say it when the controller is away
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self._tell(True, f"photos of {session} could not be deleted: {why}")
        else:
            for name in done.kept:
                self._tell(True, f"{name} is kept: it has other bytes than the controller's copy")
            if done.photos:
                self._tell(
                    False,
                    f"deleted {done.photos} photos of {session} after the operator's permission, "
                    f"{done.freed / 1e6:.0f} MB are free again",
                )
            over = all(not path.is_file() or name in done.kept for name, (path, _) in ours.items())
        with self._change:
            if over:
                del self._open[session], self._next[session]
            else:
                _, pause = self._next[session]
                self._next[session] = self._clock() + pause, min(pause * 2, LONGEST_PAUSE_S)
