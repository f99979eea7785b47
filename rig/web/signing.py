"""Signing in and out: a link that works once, or the access token; then a cookie."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.responses import Response

from rig.capture.actors import actor_of, name_of
from rig.store import audit, credentials
from rig.store.audit import Entry
from rig.store.credentials import BROWSER, Device
from rig.store.errors import StoreError
from rig.web import forms
from rig.web.auth import COOKIE_SECONDS, Principal
from rig.web.controller import Controller
from rig.web.deps import Rig
from rig.web.pairing import TryLog
from rig.web.problems import Problem
from rig.web.render import page
from rig.web.tries import Tries

router = APIRouter(include_in_schema=False)
FORM_LIMIT = 4096
_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPad", "iPad"), ("iPhone", "iPhone"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


@router.get("/sign-in")
async def sign_in(request: Request, rig: Rig, token: str | None = None) -> Response:
    """The form, or with a one-time token straight in."""
    if token is not None:
        _may_try(request, rig)
        if rig.auth.redeem_link(token):
            return await _welcome(request, rig, "link", None)
    principal: Principal | None = request.state.principal
    if principal is not None:
        return RedirectResponse("/", 303)
    if token is None:
        return page("sign_in.html", wrong=None)
    return await _wrong(request, rig, "This link was used before or is too old.")


@router.post("/sign-in")
async def sign_in_with_token(request: Request, rig: Rig) -> Response:
    """Sign a browser in with the access token or a one-time token."""
    form = await forms.read(request, FORM_LIMIT)
    _may_try(request, rig)
    token = form("token")
    if rig.auth.is_token(token) or rig.auth.redeem_link(token):
        try:
            name = name_of(actor_of(form("name")))
        except StoreError as error:
            return page("sign_in.html", 422, wrong=str(error))
        return await _welcome(request, rig, "token", name)
    return await _wrong(request, rig, "That is not the token of this controller.")


@router.post("/sign-out")
async def sign_out(request: Request, rig: Rig) -> Response:
    """Forget this browser: a copy of its cookie is worth nothing either."""
    principal: Principal = request.state.principal
    if principal.cookie and principal.device is not None:
        device, now = principal.device, rig.clock_ns()
        await rig.database.awrite(lambda c: credentials.revoke(c, device, now))
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(rig.auth.cookie_name, httponly=True, samesite="strict")
    # What the browser kept of the pictures is not to be seen any more.
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


def _may_try(request: Request, rig: Controller) -> None:
    tries: Tries = request.app.state.sign_ins
    if (wait := tries.wait_s(_address(request), rig.clock_ns())) is not None:
        raise Problem(
            429,
            f"Too many wrong tries from here: wait {wait} s, then try again.",
            headers={"Retry-After": str(wait)},
        )


async def _wrong(request: Request, rig: Controller, why: str) -> Response:
    tries: Tries = request.app.state.sign_ins
    tries.wrong(_address(request), rig.clock_ns())
    log: TryLog = request.app.state.sign_in_log
    now = rig.clock_ns()
    if log.room(now):
        entry = Entry(now, "nobody", "sign_in_refused", target=_address(request), status=403,
                      why=why)  # fmt: skip
        await rig.database.awrite(lambda c: audit.append(c, entry))
    return page("sign_in.html", 403, wrong=why)


async def _welcome(request: Request, rig: Controller, how: str, name: str | None) -> Response:
    now = rig.clock_ns()

    def write(connection: Connection) -> tuple[Device, str]:
        device, cookie = rig.auth.new_device(
            connection, BROWSER, label=label_of(request.headers.get("user-agent", "")),
            address=_address(request), name=name,
        )  # fmt: skip
        entry = Entry(
            now, actor_of(name), "sign_in", device=device.id, status=303, told={"with": how}
        )
        audit.append(connection, entry)
        return device, cookie

    _, cookie = await rig.database.awrite(write)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        rig.auth.cookie_name,
        cookie,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def label_of(agent: str) -> str:
    """`Firefox, Linux` out of what a browser calls itself; nothing of it is kept besides."""
    browser = next((name for part, name in _BROWSERS if part in agent), None)
    system = next((name for part, name in _SYSTEMS if part in agent), None)
    if browser is None:
        plain = re.match(r"[A-Za-z][A-Za-z0-9._-]{0,30}", agent)
        browser = plain[0] if plain else "a browser"
    return browser if system is None else f"{browser}, {system}"


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
