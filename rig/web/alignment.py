"""Alignment shots: asked for, watched until the photo is here, measured in another process."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, select

from rig.capture import alignment, sessions
from rig.capture.alignment_rows import ACCEPTED, ALIGNED, WAIVED
from rig.capture.condition_rows import levels_of
from rig.capture.sessions import Session
from rig.capture.states import BEFORE, Request, State
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.intake.alignment_limits import Place
from rig.store import captures, events, tables
from rig.store.errors import ConflictError
from rig.web import devices, remote, room
from rig.web.controller import Controller

log = structlog.get_logger("rig.alignment")
EVERY = 2.0
"""Seconds between two looks when nothing wakes the watcher."""
_PAINTED = frozenset({"painted"})


async def ask(
    rig: Controller, session: str, *, name: str | None = None, width_mm: float | None = None
) -> Session:
    """Begin an alignment shot for *session*: devices first, so that the light is as planned.

    Raises:
        NotFoundError: no such session.
        ConflictError: it has begun, its station is away, busy, or drives the original app.
    """
    parent = await rig.database.aquery(lambda c: sessions.find(c, session))
    link = rig.hub.need(parent.station)
    if link.legacy:
        raise ConflictError(f"Station {parent.station}: {alignment.LEGACY_WHY}.")
    await rig.database.aquery(lambda c: alignment.sensible(c, parent))  # before a lamp is switched
    await devices.check(rig, parent, Request.START)
    await room.prepare(rig, parent, Request.START)
    now, new_id = rig.clock_ns(), "s" + secrets.token_hex(8)
    shot = await rig.database.awrite(
        lambda c: alignment.ask(c, session, new_id=new_id, now_ns=now, name=name, width_mm=width_mm)
    )
    rig.spawn(remote.carry_out(rig, shot, Request.START), f"align {session}")
    return shot


async def take_back(rig: Controller, session: str, *, name: str | None = None) -> Session:
    """End the shot that is under way: by a stop, the second time by an abort.

    Raises:
        ConflictError: none is under way.
    """

    def read(connection: Connection) -> Session | None:
        return alignment.under_way(connection, sessions.find(connection, session))

    shot = await rig.database.aquery(read)
    if shot is None:
        raise ConflictError("No alignment shot is under way.")
    # Without a phone a stop waits for the phone's books; only an abort waits for nobody.
    asked = shot.requested is Request.STOP or shot.state is State.STOPPING
    wanted = Request.ABORT if asked else Request.STOP
    return await remote.ask(rig, shot.id, wanted, name=name)


def place(home: Path, session: str, sha256: str) -> Path:
    """Where the drawing of a shot for *session* is; both names were checked by the caller."""
    return home / "sessions" / session / "alignment" / f"{sha256}.jpg"


@dataclass(frozen=True, slots=True)
class Due:
    """A photo of the card that waits: of *shot*, on a screen of *size*, in *file*.

    *place* is where the plan wants the phone.
    """

    shot: Session
    photo: str
    file: Path
    size: tuple[int, int]
    width_mm: float | None
    place: Place


class Aligner:
    """Measures the photos of alignment shots as they arrive, and those that a crash left.

    Args:
        rig: the controller.
        pool: makes the executor that the first photo needs; default: one spawned process.
    """

    def __init__(self, rig: Controller, pool: Callable[[], Executor] | None = None) -> None:
        self._rig = rig
        self._make = pool or _one_process
        self._pool: Executor | None = None

    async def run(self) -> None:
        """Look whenever something is written, until cancelled."""
        feed = self._rig.feed
        try:
            while not feed.closed:
                version = feed.version
                for due in await self._rig.database.aquery(partial(_due, self._rig.home)):
                    await self._look(due)
                await feed.wait(version, EVERY)
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    async def _look(self, due: Due) -> None:
        verdict, words, measures, drawn = await self._measured(due)
        picture = None if drawn is None else hashlib.sha256(drawn).hexdigest()
        if drawn is not None and picture is not None:
            file = place(self._rig.home, str(due.shot.parent), picture)
            await asyncio.to_thread(write_atomic, file, drawn, mode=PRIVATE)
        now = self._rig.clock_ns()
        await self._rig.database.awrite(
            lambda c: alignment.aligned(
                c, due.shot, photo=due.photo, verdict=verdict, words=words, measures=measures,
                picture=picture, now_ns=now,
            )
        )  # fmt: skip
        log.info("alignment shot measured", session=due.shot.parent, verdict=verdict)

    async def _measured(
        self, due: Due
    ) -> tuple[str, list[str], dict[str, Any] | None, bytes | None]:
        from rig.intake.alignment_photo import align_file  # OpenCV: only when a photo is there

        if self._pool is None:
            self._pool = self._make()
        loop = asyncio.get_running_loop()
        work = partial(
            align_file, due.file, due.size, called="The photo", width_mm=due.width_mm,
            place=due.place,
        )  # fmt: skip
        try:
            found, drawn = await loop.run_in_executor(self._pool, work)
        except UserError as error:
            return "reject", [str(error)], None, None
        except BrokenProcessPool:
            self._pool = None
            log.exception("the alignment photo killed its process", photo=due.photo)
            return "reject", ["This photo could not be measured: take another one."], None, None
        except (ValueError, ArithmeticError):
            log.exception("the alignment photo cannot be measured", photo=due.photo)
            return "reject", ["This photo could not be measured: take another one."], None, None
        return found.verdict.value, list(found.words), found.to_json(), drawn


def _due(home: Path, connection: Connection) -> list[Due]:
    """Photos of the card without a verdict whose shot says on what screen it was shown."""
    session, photo = tables.session, tables.photo
    query = (
        select(session.c.id, photo.c.name)
        .join(photo, photo.c.session == session.c.id)
        .where(session.c.kind == tables.ALIGNMENT, photo.c.verified.is_(None))
        .where(session.c.committed >= 1)
        .order_by(photo.c.received_ns)
    )
    found = []
    for row in connection.execute(query):
        shot = sessions.find(connection, row.id)
        size = _screen(connection, row.id)
        if size is not None:
            parent = sessions.find(connection, str(shot.parent))
            asked = (parent.alignment or {}).get("asked") or {}
            width = asked.get("width_mm") if asked.get("shot") == shot.id else None
            file = captures.incoming(home, row.id) / row.name
            found.append(Due(shot, row.name, file, size, width, _place(connection, shot)))
    return found


def _place(connection: Connection, shot: Session) -> Place:
    """Where the plan wants the phone: its factor `tripod`, if it has one."""
    level = levels_of(connection, shot.campaign, shot.subset).get("tripod", "").lower()
    return "left" if level == "left" else "right" if level == "right" else "centre"


def _screen(connection: Connection, shot: str) -> tuple[int, int] | None:
    """The size of the screen that the card was painted on, as the display agent told."""
    painted = events.latest(connection, session=shot, kinds=_PAINTED, limit=1)
    rect = painted[0].body.get("rect") if painted else None
    if not isinstance(rect, list) or len(rect) != 4:
        return None
    if not all(isinstance(one, int) and 0 < one <= 100_000 for one in rect[2:]):
        return None
    return rect[2], rect[3]


def _one_process() -> Executor:
    from rig.synthesis.pool import make_pool

    return make_pool(1)


def alignment_view(connection: Connection, session: Session) -> dict[str, Any]:
    """What the page and the API show of a session's alignment."""
    known = session.alignment or {}
    found = alignment.standing(connection, session)
    asked = known.get("asked")
    shot = None if asked is None else sessions.find(connection, asked["shot"])
    result = known.get("result")
    running = alignment.under_way(connection, session)
    waiting = shot is not None and (result or {}).get("shot") != shot.id and shot.committed > 0
    before = session.state in BEFORE and not session.legacy
    open_ = before and running is None
    return {
        "session": session.id,
        "good": found.good,
        "why": found.why,
        "verdict": found.verdict,
        "rejected": found.rejected,
        "since_ns": found.since_ns,
        "shot_for": found.shot_for,
        "asked": asked,
        "shot": None if shot is None else _shot(shot, measuring=waiting),
        "result": result,
        "picture_url": _picture(session.id, result),
        "waived": known.get("waived"),
        "may": {
            "align": open_,
            "take_back": running is not None,
            "accept": before and found.verdict == "warn" and not found.good,
            "waive": before and not found.good,
            "needs_reason": found.rejected,
        },
        "history": [
            one.to_json() for one in events.latest(
                connection, session=session.id, kinds=_HISTORY, limit=20
            )
        ],
    }  # fmt: skip


_HISTORY = frozenset({ALIGNED, ACCEPTED, WAIVED})


def _shot(shot: Session, *, measuring: bool) -> dict[str, Any]:
    """Where the newest shot is, in words."""
    paused = str((shot.paused or {}).get("why") or "the station says no reason").rstrip(".")
    words = {
        "loading": "Waiting for the phone",
        "armed": "The phone is armed",
        "running": "The card is up: the photo is taken",
        "paused": f"Held: {paused}. Mend that, take this one back",
        "interrupted": "The controller was restarted: if nothing more comes, take it back",
        "aborted": f"Aborted: {(shot.abort or {}).get('why') or 'no reason was told'}",
        "stopped": "Taken back",
        "created": shot.refused or "Not begun",
    }.get(shot.state, "The photo is taken")
    if shot.state == "completed":
        words = "Measured"
        if shot.photos == 0:
            words = "The photo is taken; it is still on the phone"
        elif measuring:
            words = "The photo has arrived and is being measured"
    return {
        "id": shot.id, "state": shot.state, "words": words, "refused": shot.refused,
        "photos": shot.photos, "abort": shot.abort if shot.state is State.ABORTED else None,
    }  # fmt: skip


def _picture(session: str, result: dict[str, Any] | None) -> str | None:
    if result is None or not result.get("picture"):
        return None
    return f"/api/sessions/{session}/alignment/{result['picture']}"
