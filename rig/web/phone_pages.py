"""The pages about phones: pair one, its own page, its live state; and the zipapp."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import segno
from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import PlainTextResponse, Response

from rig.capture import stations
from rig.web import pairing
from rig.web.addresses import Way, is_local
from rig.web.api.phone import address_of, called_by
from rig.web.controller import Controller
from rig.web.deps import Rig, operator
from rig.web.pairing_codes import Code
from rig.web.phone_app import PhoneApp
from rig.web.phone_view import live_view
from rig.web.problems import Problem
from rig.web.render import page

router = APIRouter(include_in_schema=False)
REVALIDATE = {"Cache-Control": "no-cache"}


@router.get("/phone")
async def phone(rig: Rig, request: Request, c: str = "") -> Response:
    """For the phone's browser: what to install, the line to paste, then how it goes."""
    if not c:
        return page("phone.html", code=None, wrong=None)
    try:
        code = await pairing.look(rig, request.app.state.tries, c, address_of(request))
    except Problem as error:
        return _no_code(error.status, error.detail, error.headers)
    if code is None:
        return _no_code(403, pairing.WRONG)
    way = Way("here", (rig.public_url or called_by(request)).rstrip("/"))
    return page(
        "phone.html",
        code=code,
        line=way.line(c.strip().upper()),
        wrong=None,
        app=rig.phone_app,
        fresh=code.fresh(rig.clock_ns()),
        station=rig.hub.view(code.station),
        paired=rig.phones.paired(code.station),
        told=rig.phones.view(code.station),
    )


@router.get("/phone/agent.pyz")
async def agent_pyz(rig: Rig, request: Request) -> Response:
    """The phone agent in one file; it holds no secret."""
    app = _app(rig)
    headers = {**REVALIDATE, "ETag": f'"{app.sha256}"', "X-Content-SHA256": app.sha256}
    if _matches(request.headers.get("if-none-match"), app.sha256):
        return Response(status_code=304, headers=headers)
    return Response(app.data, media_type="application/zip", headers=headers)


@router.get("/phone/agent.sha256")
async def agent_sha256(rig: Rig) -> Response:
    """The SHA-256 of the phone agent, 64 hex digits."""
    return PlainTextResponse(_app(rig).sha256 + "\n", headers=REVALIDATE)


@router.get("/phone/live", dependencies=operator)
async def phone_live(rig: Rig, station: str | None = None) -> Response:
    """The last photo, its name, the counter and how the phone is, live."""
    names = await rig.database.aquery(stations.names)
    if station is None and len(names) != 1:
        return page("phones.html", stations=[rig.hub.view(name) for name in names])
    name = station if station is not None else names[0]
    view = await rig.database.aquery(lambda c: live_view(c, rig, name))
    return page("phone_live.html", **view)


@router.get("/stations/{name}/pair", dependencies=operator)
async def pair_phone(rig: Rig, name: str) -> Response:
    """How to pair, and whether somebody did."""
    return await _pair_page(rig, name, None)


@router.post("/stations/{name}/pair", dependencies=operator)
async def pair_phone_now(rig: Rig, name: str) -> Response:
    """The same with a new code, which is shown this once."""
    return await _pair_page(rig, name, await pairing.make_code(rig, name))


async def _pair_page(rig: Controller, name: str, made: tuple[str, Code] | None) -> Response:
    await rig.database.aquery(lambda c: stations.find(c, name))
    ways = await asyncio.to_thread(pairing.ways_of, rig)
    shown: list[dict[str, Any]] = []
    if made is not None:
        shown = [_shown(way, made[0]) for way in ways]
    return page(
        "pair.html",
        name=name,
        code=None if made is None else made[0],
        made=None if made is None else made[1],
        ways=shown,
        local=all(is_local(way) for way in ways),
        app=rig.phone_app,
        station=rig.hub.view(name),
        paired=rig.phones.paired(name),
        told=rig.phones.view(name),
    )


def _shown(way: Way, code: str) -> dict[str, Any]:
    return {"way": way, "line": way.line(code), "url": way.page(code), "qr": qr(way.page(code))}


def qr(text: str) -> Markup:
    """*text* as an inline SVG: black on white with the quiet zone that scanners need."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, scale=4, border=4,
        dark="#000", light="#fff", title="QR code for the phone", svgclass="qr", lineclass=None,
    )  # fmt: skip
    return Markup(out.getvalue().decode("utf-8"))  # noqa: S704 - segno's drawing, made above


def _no_code(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    answer = page("phone.html", status, code=None, wrong=why)
    answer.headers.update(headers or {})
    return answer


def _app(rig: Controller) -> PhoneApp:
    if rig.phone_app is None:
        raise Problem(503, "The phone agent is not installed beside this controller.")
    return rig.phone_app


def _matches(told: str | None, sha256: str) -> bool:
    return told is not None and any(
        one.strip().removeprefix("W/") in {f'"{sha256}"', "*"} for one in told.split(",")
    )
