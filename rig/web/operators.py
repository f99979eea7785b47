"""Which person asks, whether somebody else has the thing in hand, and what pages show of that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fastapi import Depends
from sqlalchemy import Connection
from starlette.requests import HTTPConnection

from rig.capture import locks
from rig.capture.actors import BadNameError, actor_of, name_of
from rig.capture.locks import Lock, Target
from rig.web.auth import Principal

PEOPLE_MOST = 500


class Presence:
    """When there was a sign of each person. Kept in memory: after a restart all have just come.

    A sign is something that a person does: a command, a page that is opened, a touch of the page
    (`POST /api/me/here`). A page that only lies open is none.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._seen: dict[str, float] = {}

    def saw(self, name: str) -> None:
        """There is a sign of *name* now."""
        key = name.casefold()
        self._seen.pop(key, None)
        if len(self._seen) >= PEOPLE_MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = self._clock()

    def silent(self, name: str) -> float:
        """Seconds since there was one."""
        return self._clock() - self._seen.get(name.casefold(), self._began)


def who(connection: HTTPConnection) -> str | None:
    """The name of the person who asks: of the body, else the header, else of the browser."""
    told = getattr(connection.state, "told", None) or {}
    principal: Principal | None = getattr(connection.state, "principal", None)
    said = told.get("name") if _names_a_person(connection) else None
    for name in (said, connection.headers.get("x-operator"), principal and principal.name):
        if isinstance(name, str) and name.strip():
            return name
    return None


def person(connection: HTTPConnection) -> str | None:
    """The same as it stands in the log; None when there is none or it cannot stand there."""
    try:
        return name_of(actor_of(who(connection)))
    except BadNameError:
        return None


def silence(connection: HTTPConnection) -> locks.Silence:
    """How long each person has been silent."""
    presence: Presence = connection.app.state.rig.presence
    return presence.silent


async def _guard(connection: HTTPConnection) -> None:
    """Refuse what somebody else has in hand.

    Raises:
        HeldError: with the holder's name.
        NotFoundError: no such session or campaign.
    """
    names = connection.path_params
    name, quiet = person(connection), silence(connection)

    def check(transaction: Connection) -> None:
        if "session" in names:
            target = locks.of_session(transaction, names["session"])
        else:
            target = locks.of_campaign(transaction, names["name"])
        locks.need(transaction, target, name, quiet)

    await connection.app.state.rig.database.aquery(check)


guarded = Depends(_guard)
"""Dependency of a route with `{session}`, or with the `{name}` of a campaign, that changes it."""


def lock_view(connection: Connection, rig: Any, session: str, me: str | None) -> dict[str, Any]:
    """What a page shows of who has *session* in hand, to the person called *me*.

    Raises:
        NotFoundError: no such session.
    """
    return view(connection, rig, locks.of_session(connection, session), me)


def campaign_lock_view(
    connection: Connection, rig: Any, campaign: str, me: str | None
) -> dict[str, Any]:
    """The same of a campaign; raises likewise."""
    return view(connection, rig, locks.of_campaign(connection, campaign), me)


def view(connection: Connection, rig: Any, target: Target, me: str | None) -> dict[str, Any]:
    """The same of anything that can be locked."""
    at = f"/api/campaigns/{quote(target.campaign, safe='')}/lock"
    if target.session is not None:
        at = f"/api/sessions/{target.session}/lock"
    held = locks.present(connection, target)
    own = held is not None and held.target == target.key
    mine = held is not None and locks.same(held.name, me)
    quiet = None if held is None else rig.presence.silent(held.name)
    silent = quiet is not None and quiet >= locks.SILENT_S
    return {
        "at": at,
        "holder": None if held is None else held.name,
        "since_ns": None if held is None else held.since_ns,
        "mine": mine,
        "silent_s": None if quiet is None else round(quiet, 1),
        "silent": silent,
        "may_take": held is None,
        "may_give": mine and own,
        "may_release": mine and own,
        "may_ask": held is not None and not mine,
        "may_take_over": silent and not mine,
        "asked": [] if held is None else list(held.asked),
        "from_campaign": held is not None and not own,
        "words": _words(target, held, mine, quiet),
    }


def _words(target: Target, held: Lock | None, mine: bool, quiet: float | None) -> str:
    what = "campaign" if target.session is None else "session"
    if held is None:
        return f"Nobody has this {what} in hand: whoever is signed in may command it."
    since = datetime.fromtimestamp(held.since_ns / 1e9, UTC).strftime("%H:%M")
    whole = " (the whole campaign)" if held.target != target.key else ""
    if mine:
        wants = f" {', '.join(held.asked)} would like to have it." if held.asked else ""
        return f"You have this {what} in hand{whole} since {since} UTC.{wants}"
    still = "" if quiet is None or quiet < locks.SILENT_S else f", silent for {locks.ago(quiet)}"
    return f"{held.name} has this {what} in hand{whole} since {since} UTC{still}."


def _names_a_person(connection: HTTPConnection) -> bool:
    """Whether the field `name` of the body is the person's; of some it is the new thing's."""
    path: str = connection.scope["path"]
    return path.startswith(("/api/sessions", "/sessions/", "/api/me")) or any(
        part in path for part in ("/reshoot/", "/hand/", "/lock/")
    )
