"""Every action of an operator goes into the audit log before it is answered; the log as a page."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection, select
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from rig.capture.actors import actor_of, name_of
from rig.store import audit, tables
from rig.store.audit import Entry
from rig.web import bodies, operators
from rig.web.audit_words import NOT_NOTED, say
from rig.web.auth import Principal, Role
from rig.web.bodies import GoneError, Held
from rig.web.controller import Controller
from rig.web.deps import SESSION_RE
from rig.web.middleware import SAFE

log = structlog.get_logger("rig.audit")
TOKEN = "token"  # noqa: S105 - the name of a way in, no secret
ROWS_MOST = 200


class Audit:
    """Notes what operators do, with the answer; nothing is answered before it is durable.

    It reads JSON and forms, so that what is inside knows who asks (`state.told`).

    Args:
        app: what is inside.
        rig: the controller.
    """

    def __init__(self, app: ASGIApp, rig: Controller) -> None:
        self.app = app
        self._rig = rig

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, note, answer."""
        principal: Principal | None = scope.get("state", {}).get("principal")
        if scope["type"] != "http" or principal is None or principal.role is not Role.OPERATOR:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] in SAFE:
            if headers.get("sec-fetch-mode") == "navigate":
                self._saw(scope)
            await self.app(scope, receive, send)
            return
        if bodies.is_read(headers):
            try:
                body = await bodies.whole(receive)
            except GoneError:
                return
            scope["state"] |= {"body": body, "told": bodies.fields(headers, body)}
            receive = bodies.again(body, receive)
        self._saw(scope)
        await self._noted(scope, receive, send)

    async def _noted(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = Held(send)
        try:
            await self.app(scope, receive, held.send)
        except BaseException:
            await self._note(scope, 500, "The controller made a mistake; its log says more.")
            raise
        if held.status is not None:
            await self._note(scope, held.status, held.sentence())
        await held.let_go()

    async def _note(self, scope: Scope, status: int, why: str | None) -> None:
        state = scope["state"]
        action = action_of(scope)
        if action in NOT_NOTED or state.get("replayed"):
            return
        entry = _entry(scope, action, status, why, self._rig.clock_ns())
        await self._rig.database.awrite(lambda c: audit.append(c, entry))

    def _saw(self, scope: Scope) -> None:
        # The app is not in the scope yet, and is not needed.
        name = operators.person(HTTPConnection(scope))
        if name is not None:
            self._rig.presence.saw(name)


def action_of(scope: Scope) -> str:
    """The operation id of what was asked for; `unknown` when there is no such route."""
    return str(getattr(scope.get("route"), "name", None) or "unknown")


def _entry(scope: Scope, action: str, status: int, why: str | None, now_ns: int) -> Entry:
    principal: Principal = scope["state"]["principal"]
    names: dict[str, Any] = scope.get("path_params", {})
    path: str = scope["path"]
    told = scope["state"].get("told") or {}
    session = names.get("session")
    campaign = names.get("name") if path.startswith(("/api/campaigns/", "/campaigns/")) else None
    if action in {"create_session", "build_dataset"}:
        campaign = campaign or told.get("campaign")
    others = [
        str(value) if key == "name" else f"{key} {value}" for key, value in names.items()
        if key != "session" and not (key == "name" and campaign is not None)
    ]  # fmt: skip
    return Entry(
        now_ns,
        actor_of(operators.person(HTTPConnection(scope))),
        action,
        device=principal.device or TOKEN,
        session=session if isinstance(session, str) and SESSION_RE.fullmatch(session) else None,
        campaign=str(campaign)[:200] if campaign else None,
        target=", ".join(others)[:200] or None,
        status=status,
        why=why,
        told=audit.plain(told),
    )


def audit_view(
    connection: Connection,
    *,
    before: int | None = None,
    limit: int = 50,
    session: str | None = None,
    campaign: str | None = None,
    who: str | None = None,
) -> dict[str, Any]:
    """Who did what when, newest first, for a page or the API.

    Args:
        connection: to read from.
        before: rows older than this number; None: the newest.
        limit: of rows, 1 to `ROWS_MOST`.
        session: only of this session.
        campaign: only of the campaign of this name.
        who: only of this person; `rig` is the controller, `command line` the commands.
    """
    limit = min(max(limit, 1), ROWS_MOST)
    found = audit.newest(
        connection,
        before=before,
        limit=limit + 1,
        session=session,
        campaign=campaign,
        actor=None if who is None else _actor(who),
    )
    rows = found[:limit]
    labels = _labels(connection, {one.device for one in rows if one.device is not None})
    return {
        "rows": [_row(one, labels) for one in rows],
        "following": rows[-1].seq if len(found) > limit else None,
        "names": [_shown(actor) for actor in audit.actors(connection)],
    }


_OTHERS = {"controller": "rig", "command": "command line", "operator": "unnamed"}


def _shown(actor: str) -> str:
    return name_of(actor) or _OTHERS.get(actor, actor)


def _actor(who: str) -> str:
    return next((actor for actor, shown in _OTHERS.items() if shown == who), f"operator:{who}")


def _labels(connection: Connection, devices: set[str]) -> dict[str, str]:
    table = tables.device
    query = select(table.c.id, table.c.label).where(table.c.id.in_(devices))
    return {row.id: row.label for row in connection.execute(query)}


def _row(one: Entry, labels: dict[str, str]) -> dict[str, Any]:
    link = None
    if one.session is not None:
        link = f"/sessions/{one.session}"
    elif one.campaign is not None:
        link = f"/campaigns/{one.campaign}"
    return {
        "seq": one.seq,
        "time_ns": one.time_ns,
        "who": _shown(one.actor),
        "device": labels.get(one.device or "", one.device),
        "action": one.action,
        "words": say(one),
        "session": one.session,
        "campaign": one.campaign,
        "target": one.target,
        "link": link,
        "status": one.status,
        "ok": one.status is None or one.status < 400,
        "why": one.why,
        "told": dict(one.told),
    }
