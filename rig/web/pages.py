"""The pages: sign-in, home, campaign, session."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response

from rig.capture import sessions
from rig.capture.states import State
from rig.store import catalogs, events, tables
from rig.web.auth import COOKIE_SECONDS, Auth, Principal
from rig.web.deps import Rig, SessionId, operator
from rig.web.home import campaign_view, home_view
from rig.web.problems import Problem
from rig.web.render import page
from rig.web.view import session_view

router = APIRouter(include_in_schema=False)
FORM_LIMIT = 4096
LOG_LINES = 40


@router.get("/sign-in")
async def sign_in(request: Request, rig: Rig, token: str | None = None) -> Response:
    """The form, or with a one-time token straight in."""
    if token is not None and rig.auth.redeem_link(token):
        return _welcome(request, rig.auth)
    principal: Principal | None = request.state.principal
    if principal is not None:
        return RedirectResponse("/", 303)
    wrong = None if token is None else "This link was used before or is too old."
    return page("sign_in.html", 200 if token is None else 403, wrong=wrong)


@router.post("/sign-in")
async def sign_in_with_token(request: Request, rig: Rig) -> Response:
    """Sign a browser in with the access token or a one-time token."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > FORM_LIMIT:
                raise Problem(413, "The form is too long.")
    except ClientDisconnect as error:
        raise Problem(408, "The form did not arrive whole: send it again.") from error
    token = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
    if rig.auth.is_token(token) or rig.auth.redeem_link(token):
        return _welcome(request, rig.auth)
    return page("sign_in.html", 403, wrong="That is not the token of this controller.")


@router.post("/sign-out")
async def sign_out(rig: Rig) -> Response:
    """Forget this browser."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(rig.auth.cookie_name, httponly=True, samesite="strict")
    return answer


def _welcome(request: Request, auth: Auth) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        auth.cookie_name,
        auth.new_cookie(),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.get("/", dependencies=operator)
async def home(rig: Rig) -> Response:
    """Campaigns, stations, sessions, and what needs a person now."""
    view = await rig.database.aquery(lambda c: home_view(c, rig.hub))
    return page("home.html", **view)


@router.get("/campaigns/{name}", dependencies=operator)
async def campaign(rig: Rig, name: str) -> Response:
    """The plan of a campaign, subset by subset."""
    view = await rig.database.aquery(lambda c: campaign_view(c, name) | {"seq": events.last_seq(c)})
    return page("campaign.html", **view)


@router.get("/sessions/{session}", dependencies=operator)
async def session(rig: Rig, session: SessionId) -> Response:
    """A session, live; an alignment shot is shown with the session that it is taken for."""
    found = await rig.database.aquery(lambda c: sessions.find(c, session))
    if found.kind == tables.ALIGNMENT:
        return RedirectResponse(f"/sessions/{found.parent}/alignment", 303)
    free = shutil.disk_usage(rig.home).free

    def read(connection: Any) -> dict[str, Any]:
        found = sessions.find(connection, session)
        view = session_view(connection, found, rig.hub)
        log = events.latest(connection, session=session, limit=LOG_LINES)
        catalog = catalogs.find(connection, view["catalog"])
        ends = {
            index: catalogs.xrays(connection, catalog.id, index, index)[0]
            for index in (found.first, found.last)
        }
        return {"s": view, "log": log, "ends": ends, "State": State, "free": free}

    return page("session.html", **await rig.database.aquery(read))


@router.get("/favicon.ico")
async def favicon() -> Response:
    """The icon, for browsers that ask without being told."""
    return FileResponse(Path(__file__).parent / "static" / "icon.svg", media_type="image/svg+xml")
