"""Carry out what a person asked for: tell the station, note when it refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from sqlalchemy import Connection

from rig.capture import alignment, campaigns, conditions, locks, session_plan, sessions
from rig.capture.sessions import Session
from rig.capture.states import BEFORE, PAUSES, Request, State
from rig.capture.stations import Link, StationAwayError
from rig.planning.plan import to_json
from rig.store import tables
from rig.store.errors import ConflictError
from rig.web import devices, preflight, room
from rig.web.controller import Controller

log = structlog.get_logger("rig.remote")

REPLY_SECONDS = 30.0
"""A display agent answers a command within this; loading a plan is the longest."""
LOADING = frozenset({Request.START, Request.RESUME, Request.STOP, Request.REARM, Request.RESOLVE})
"""Requests that first hand over the plan: the agent may have been replaced meanwhile."""


class RefusedError(Exception):
    """The display agent said no; the sentence is its own."""


async def ask(
    rig: Controller,
    session: str,
    wanted: Request,
    *,
    abort_id: str | None = None,
    answer: str | None = None,
    name: str | None = None,
    confirm: bool = False,
    quiet: locks.Silence | None = None,
) -> Session:
    """Note the request and begin to carry it out; the session as it is now.

    Args:
        rig: the controller.
        session: its id.
        wanted: what is asked for.
        abort_id: of the abort that is cleared.
        answer: legacy mode, of a resolve.
        name: of the operator.
        confirm: before a start, note that *name* has looked at every level of the environment, and
            answers for the alignment as `rig.capture.alignment.gate` says.
        quiet: how long each person has been silent; with it whoever has the session in hand is
            asked for, at the moment of the request. An abort asks nobody.

    Raises:
        NotFoundError: no such session.
        ConflictError: it makes no sense now, screen or phone is not ready, a level of the
            environment is not confirmed, the alignment is missing or rejected, or the station is
            not connected (an abort waits).
    """
    present = await rig.database.aquery(lambda c: sessions.find(c, session))
    unknown = wanted is Request.STOP and present.state in BEFORE
    if wanted is not Request.ABORT and not unknown:
        rig.hub.need(present.station)
    if (
        wanted is Request.RESUME
        and present.started_ns is None
        and present.state is not State.PAUSED
    ):
        wanted = Request.START
    waits = False
    if wanted in devices.ASKS:
        await rig.database.aquery(
            lambda c: sessions.sensible(c, present, wanted, abort_id=abort_id)
        )
        waits = await devices.check(rig, present, wanted)
        await rig.database.aquery(lambda c: preflight.refuse_full_disk(c, rig, present))
    await room.prepare(rig, present, wanted)
    now = rig.clock_ns()
    link = rig.hub.get(present.station)
    legacy = present.legacy or (link is not None and link.legacy)

    def note(connection: Connection) -> Session:
        before = sessions.find(connection, session)
        if quiet is not None and wanted is not Request.ABORT:
            locks.need(connection, locks.of_session(connection, session), name, quiet)
        shoots = wanted in {Request.START, Request.RESUME, Request.REARM}
        card = before.kind == tables.ALIGNMENT
        found = alignment.standing(connection, before)
        if shoots and confirm and not card:
            conditions.confirm_all(connection, before, name=name or "script", now_ns=now)
        missing = conditions.blockers(connection, before) if shoots and not card else []
        if wanted is Request.START and not card and not missing:
            alignment.gate(
                connection, before, found, confirm=confirm, legacy=legacy, name=name, now_ns=now
            )
        asked = sessions.request(
            connection, session, wanted, now, abort_id=abort_id, answer=answer, name=name
        )
        if missing:
            raise ConflictError(" ".join(missing))
        return asked

    noted = await rig.database.awrite(note)
    if unknown:
        return noted
    work = carry_out(rig, noted, wanted, abort_id, answer, waits=waits)
    rig.spawn(work, f"{wanted} {session}")
    return noted


async def suspend(rig: Controller, session: str, *, code: str, why: str) -> bool:
    """Pause *session* after the image in flight because of *code*; False when it needs none.

    Raises:
        NotFoundError: no such session.
    """
    now = rig.clock_ns()
    noted = await rig.database.awrite(lambda c: sessions.suspend(c, session, code, why, now))
    if noted is None:
        return False
    log.warning("session suspended", session=session, code=code, why=why)
    rig.spawn(carry_out(rig, noted, Request.PAUSE), f"suspend {session}")
    return True


async def carry_out(
    rig: Controller,
    session: Session,
    wanted: Request,
    abort_id: str | None = None,
    answer: str | None = None,
    *,
    waits: bool = False,
) -> None:
    """Tell the station; what it does comes back as events, what it refuses is noted.

    With *waits* the phone's agent is starting: it is waited for first, and nothing is told when
    somebody asked for something else meanwhile.
    """
    if waits and not await _begun(rig, session, wanted):
        return
    try:
        async with asyncio.timeout(REPLY_SECONDS):
            link = rig.hub.need(session.station)
            if wanted in LOADING:
                plan = await rig.database.aquery(lambda c: _plan(c, session))
                await _tell(link, "load", session.id, plan=plan)
            more: dict[str, Any] = {"abort_id": abort_id} if wanted is Request.REARM else {}
            if wanted is Request.RESOLVE:
                more = {"answer": answer}
            if wanted in PAUSES and (why := (session.asked or {}).get("why")):
                more = {"why": why}
            await _tell(link, wanted, session.id, **more)
    except TimeoutError:
        why = f"Station {session.station} did not answer `{wanted}` within {REPLY_SECONDS:.0f} s."
        await _refuse(rig, session, wanted, why)
    except StationAwayError as error:
        # For safety's sake an abort is told again as soon as the station is back.
        if wanted is not Request.ABORT:
            await _refuse(rig, session, wanted, str(error))
    except RefusedError as error:
        await _refuse(rig, session, wanted, str(error))


async def _begun(rig: Controller, session: Session, wanted: Request) -> bool:
    """Whether the phone has started and *wanted* is still asked for; why not is noted."""
    try:
        await devices.begun(rig, session, wanted)
    except ConflictError as error:
        await _refuse(rig, session, wanted, str(error))
        return False
    present = await rig.database.aquery(lambda c: sessions.find(c, session.id))
    return present.requested is wanted


async def _tell(link: Link, do: str, session: str, **more: Any) -> None:
    reply = await link.call(do, session, **more)
    if reply.get("ok") is not True:
        said = str(reply.get("error") or "it gave no reason")[:500]
        raise RefusedError(f"Station {link.station} refused `{do}`: {said}")


async def _refuse(rig: Controller, session: Session, wanted: Request, why: str) -> None:
    log.warning("command refused", session=session.id, command=wanted, why=why)
    now = rig.clock_ns()

    def note(connection: Connection) -> None:
        present = sessions.find(connection, session.id)
        # Its events may have confirmed it meanwhile.
        if present.requested is wanted:
            sessions.refuse(connection, session.id, wanted, why, now)

    await rig.database.awrite(note)


def _plan(connection: Connection, session: Session) -> dict[str, Any]:
    if session.kind == tables.ALIGNMENT:
        return to_json(alignment.plan_of(connection, session))
    campaign = campaigns.find(connection, session.campaign)
    plan = session_plan.plan_of(
        connection,
        campaign,
        session.subset,
        session=session.id,
        with_files=False,
        span=(session.first, session.last),
        run=session.run,
    )
    return to_json(plan)
