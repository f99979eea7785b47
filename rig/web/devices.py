"""Ask a station's screen and phone how they are, right before photos are taken."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from sqlalchemy import Connection, Select, func, select

from rig.capture import devices, projections
from rig.capture.devices import ANSWER_S, PHONE_S, Answer, Asked
from rig.capture.sessions import Session
from rig.capture.states import Request, State
from rig.capture.stations import StationAwayError
from rig.store import tables
from rig.store.errors import ConflictError
from rig.store.events import Event
from rig.web.controller import Controller

log = structlog.get_logger("rig.devices")

ALIVE_MS = 60_000
"""A phone that has been silent for longer is not waited for: the display tells if it is there."""
BEGIN_S = 60.0
"""A phone's agent that says it is starting has started within this."""
SETTLES = 5
"""So often the display is asked for a phone that has just started."""
ASKS = frozenset({Request.START, Request.RESUME, Request.REARM})
"""Requests after which photos are taken."""
Json = dict[str, Any]


async def check(rig: Controller, session: Session, wanted: Request) -> bool:
    """Before photos are taken: ask screen and phone, keep what they say, refuse what blocks.

    Returns:
        Whether nothing is missing but a phone whose agent is just starting: `begun` waits for it.

    Raises:
        ConflictError: something has to be mended first; the sentences name the device.
    """
    answers, phone = await _ask(rig, session, wanted)
    if devices.time_mends(answers) and devices.begins(phone):
        return True
    _refuse(session, answers)
    return False


async def begun(rig: Controller, session: Session, wanted: Request) -> None:
    """Wait until the phone of *session* has started, as a session that begins waits for it.

    Raises:
        ConflictError: it does not within `BEGIN_S`, or something else blocks by then.
    """
    try:
        async with asyncio.timeout(BEGIN_S):
            settling = SETTLES
            while settling:
                answers, phone = await _ask(rig, session, wanted)
                if not devices.time_mends(answers):
                    break
                # Ready by its own word; the display hears of it a little later.
                settling = SETTLES if devices.begins(phone) else settling - 1
                await rig.feed.wait(rig.feed.version, 1.0)
    except TimeoutError as error:
        raise ConflictError(
            f"The phone of station {session.station} was still starting after {BEGIN_S:.0f} s: "
            "look at it, then try again."
        ) from error
    _refuse(session, answers)


def _refuse(session: Session, answers: list[Answer]) -> None:
    if missing := devices.blockers(answers):
        log.warning("a device is not ready", session=session.id, why=missing)
        raise ConflictError(" ".join(missing))


async def _ask(
    rig: Controller, session: Session, wanted: Request
) -> tuple[list[Answer], Json | None]:
    """Ask screen and phone, keep what they say; it, and what the phone said of itself."""
    again = session.state in {State.PAUSED, State.INTERRUPTED, State.ABORTED}
    shown, before = await rig.database.aquery(lambda c: _screen_before(c, session.id))
    shot = wanted is Request.RESUME and again and shown
    asked = Asked(session.station, needs_phone=shot, screen_before=before)
    began = rig.clock_ns()
    report, phone = await asyncio.gather(_report(rig, session), _phone(rig, asked, wait=again))
    answers = devices.judge(asked, report, phone)
    now = rig.clock_ns()
    body = devices.body_of(answers, report, str(wanted), round((now - began) / 1e6))
    event = Event(devices.KIND, now, now, "controller", session=session.id, body=body)
    await rig.database.awrite(lambda c: projections.record(c, event))
    return answers, phone


def latest(connection: Connection, session: str, now_ns: int) -> Json | None:
    """What screen and phone answered last, with its age in milliseconds; None: never asked."""
    one = connection.execute(_asked(session).limit(1)).first()
    if one is None:
        return None
    age = max(round((now_ns - one.time_ns) / 1e6), 0)
    answers = [
        {**answer, "age_ms": None if answer["age_ms"] is None else answer["age_ms"] + age}
        for answer in one.body["answers"]
    ]
    return {**one.body, "answers": answers, "time_ns": one.time_ns, "age_ms": age}


async def _report(rig: Controller, session: Session) -> Json:
    """The display agent's answer to this very question, or why there is none."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reply = await rig.hub.need(session.station).call("report", session.id)
    except TimeoutError:
        return {"error": f"its display agent did not answer within {ANSWER_S:.0f} s."}
    except StationAwayError as error:
        return {"error": str(error)}
    told = reply.get("report")
    if reply.get("ok") is not True or not isinstance(told, dict):
        return {"error": str(reply.get("error") or "its display agent gave no reason")[:500]}
    return told


async def _phone(rig: Controller, asked: Asked, *, wait: bool) -> Json | None:
    """The phone's status: one that came after now if there is any hope of it, else the last.

    What speaks against the phone is always given the time to be taken back.
    """
    station = asked.station
    before = rig.phones.view(station)
    number = before["number"] if before is not None else 0
    if before is not None and before["age_ms"] <= ALIVE_MS and (wait or _blocks(asked, before)):
        try:
            async with asyncio.timeout(PHONE_S):
                await _newer(rig, asked, number)
        except TimeoutError:
            pass
    told = rig.phones.view(station)
    return None if told is None else {**told, "fresh": told["number"] > number}


async def _newer(rig: Controller, asked: Asked, number: int) -> None:
    """Wait for a status after *number*: one that nothing blocks, for what was mended just now."""
    while not rig.feed.closed:
        version = rig.feed.version
        told = rig.phones.view(asked.station)
        if told is not None and told["number"] > number and not _blocks(asked, told):
            return
        await rig.feed.wait(version, 1.0)


def _blocks(asked: Asked, told: Json) -> bool:
    """Whether what the phone *told* keeps photos from being taken."""
    return any(one.blocks for one in devices.health(asked, told))


def _screen_before(connection: Connection, session: str) -> tuple[bool, Json | None]:
    """Whether the session has shown an x-ray; on which screen, as it was asked before that."""
    table = tables.event
    mine = table.c.session == session
    shown = connection.scalar(select(func.min(table.c.seq)).where(mine, table.c.kind == "painted"))
    if shown is None:
        return False, None
    query = _asked(session).where(table.c.seq < shown)
    body = connection.scalar(query.with_only_columns(table.c.body).limit(1))
    return True, None if body is None else body.get("screen")


def _asked(session: str) -> Select[Any]:
    """The controller's own questions about *session*, newest first."""
    table = tables.event
    query = select(table.c.time_ns, table.c.body).where(
        table.c.session == session, table.c.kind == devices.KIND, table.c.source_seq.is_(None)
    )
    return query.order_by(table.c.seq.desc())
