"""The numbers of sessions that pages show live, and what calls for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from sqlalchemy import Connection, select

from rig.capture import sessions, stations
from rig.capture.sessions import Session
from rig.capture.states import ENDED, State
from rig.capture.stations import Hub
from rig.store import tables
from rig.store.errors import NotFoundError
from rig.web import jobs
from rig.web.jobs import JobState
from rig.web.view import words

OPEN: Final = tuple(state for state in State if state not in ENDED)
SHOOTING: Final = frozenset(
    {State.LOADING, State.ARMED, State.RUNNING, State.PAUSING, State.STOPPING}
)
BY_A_PERSON: Final = "OPERATOR_PAUSE"
RECENT_NS: Final = 3600 * 1_000_000_000
"""A job that failed calls for a person for so long; then only its page shows it, nanoseconds."""
MOST: Final = 50
"""Sessions told at once; a rig has as many open ones as stations."""


def numbers(
    connection: Connection, hub: Hub, changed: Collection[str], now_ns: int
) -> dict[str, Any]:
    """What is told to live pages: open sessions and the *changed* ones, and who is called for.

    Returns:
        `sessions`, one object each (durations in seconds, `rtt_ms` in milliseconds, None where
        nothing is known), and `attention`: how many things wait for a person, and the gravest.
    """
    known = _open(connection)
    ids = {one.id for one in known}
    told = [*known, *_ended(connection, sorted(set(changed) - ids)[:MOST])]
    return {
        "sessions": [_numbers(connection, one) for one in told],
        "attention": _attention([*_sessions(known, hub), *_jobs(connection, now_ns)]),
    }


def _open(connection: Connection) -> list[Session]:
    """Asked for station by station: that is an index, and there are few stations."""
    table = tables.session
    # No more than this in the statement, or another index is taken for the order.
    query = select(table.c.id).where(
        table.c.station.in_(stations.names(connection)), table.c.state.in_(OPEN)
    )
    found = [sessions.find(connection, one) for one in connection.scalars(query).all()]
    found.sort(key=lambda one: one.created_ns, reverse=True)
    return [one for one in found if one.kind == tables.SUBSET][:MOST]


def _ended(connection: Connection, ids: Iterable[str]) -> list[Session]:
    found = []
    for one in ids:
        try:
            found.append(sessions.find(connection, one))
        except NotFoundError:
            continue  # an event of something that is no session
    return found


def _numbers(connection: Connection, session: Session) -> dict[str, Any]:
    speed = sessions.progress(connection, session)
    done = session.claimed if session.legacy else session.committed
    phone = session.phone or {}
    return {
        "id": session.id,
        "station": session.station,
        "state": session.state,
        "words": words(session),
        "requested": session.requested,
        "committed": session.committed,
        "claimed": session.claimed,
        "total": session.total,
        "left": session.total - done,
        "percent": 100 * done / session.total,
        "photos": session.photos,
        "verified": session.verified,
        "rejected": session.rejected,
        "retakes": session.retakes,
        "painted_index": session.painted_index,
        "last_index": session.last_index,
        "rtt_ms": session.rtt_ms,
        "interval_s": speed.interval_s,
        "eta_s": None if session.state in ENDED else speed.eta_s,
        "link": session.link,
        "battery_pct": phone.get("battery_pct"),
        "free_bytes": phone.get("free_bytes"),
    }


def _sessions(known: list[Session], hub: Hub) -> list[dict[str, Any]]:
    calls = []
    for one in known:
        why = _why(one, away=hub.get(one.station) is None)
        if why is not None:
            calls.append(
                {
                    "key": f"{one.id}:{why}",
                    "words": f"{one.station}: {words(one)}",
                    "link": f"/sessions/{one.id}",
                    "grave": one.state is State.ABORTED,
                }
            )
    return calls


def _why(session: Session, *, away: bool) -> str | None:
    """Why a person is wanted; a person's own pause calls for nobody."""
    if session.state in {State.ABORTED, State.INTERRUPTED}:
        return str(session.state)
    if session.refused is not None:
        return "refused"
    if session.state is State.PAUSED:
        code = str((session.paused or {}).get("code"))
        return None if code == BY_A_PERSON else f"paused:{code}"
    return "away" if away and session.state in SHOOTING else None


def _jobs(connection: Connection, now_ns: int) -> list[dict[str, Any]]:
    job = tables.job
    query = select(job.c.id, job.c.kind, job.c.state, job.c.updated_ns).where(
        job.c.state.in_((JobState.FAILED, JobState.INTERRUPTED)),
        job.c.created_ns > now_ns - 24 * RECENT_NS,
        job.c.updated_ns > now_ns - RECENT_NS,
    )
    failed = {one.id for one in jobs.still_failed(jobs.latest(connection, MOST))}
    return [
        {
            "key": f"{row.id}:{row.state}:{row.updated_ns}",
            "words": f"Job: {row.kind} {row.state}",
            "link": "/jobs",
            "grave": False,
        }
        for row in connection.execute(query.order_by(job.c.created_ns.desc()).limit(MOST))
        if row.id in failed
    ]


def _attention(calls: list[dict[str, Any]]) -> dict[str, Any]:
    calls.sort(key=lambda one: not one["grave"])
    several = len(calls) != 1
    return {
        "count": len(calls),
        "calls": [one["key"] for one in calls],
        "words": ". ".join(one["words"] for one in calls[:5]),
        "grave": any(one["grave"] for one in calls),
        "link": "/" if several else calls[0]["link"],
    }
