"""The pages of stations: the list, a new one, how its display connects, a new token for it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import Response

from rig.capture import projections, stations
from rig.errors import UserError
from rig.protocol.codes import DEFAULT_PORT
from rig.store.errors import ConflictError
from rig.store.events import Event
from rig.web import forms, listing, pairing
from rig.web.addresses import Way, is_local
from rig.web.controller import Controller
from rig.web.deps import Rig, operator
from rig.web.problems import Problem
from rig.web.render import page

router = APIRouter(include_in_schema=False, dependencies=operator)
RECENT = 10
"""Sessions on a station's page."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed on the monitor's computer, for one address of the controller."""

    way: Way
    line: str


@router.get("/stations")
async def list_stations(rig: Rig) -> Response:
    """All stations with their screens and phones, and the form for a new one."""
    return await _list(rig)


@router.post("/stations")
async def add_station(rig: Rig, request: Request) -> Response:
    """Add a station; its page shows the command with the token, this once."""
    form = await forms.read(request)
    name, token = form("name"), stations.new_token(secrets.token_urlsafe)
    now = rig.clock_ns()

    def write(connection: Connection) -> None:
        stations.add(connection, name, token, now)
        event = Event("station_added", now, now, "operator", body={"name": name})
        projections.record(connection, event)

    try:
        await rig.database.awrite(write)
    except UserError as error:
        status = 409 if isinstance(error, ConflictError) else 422
        return await _list(rig, name, str(error), status)
    return await _page(rig, name, token)


@router.get("/stations/{name}")
async def show_station(rig: Rig, name: str) -> Response:
    """One station: what is connected, what it shot, how to connect its display."""
    return await _page(rig, name)


@router.post("/stations/{name}/token")
async def new_token(rig: Rig, request: Request, name: str) -> Response:
    """Another token for the station's display agent: the one before is worth nothing from now."""
    form = await forms.read(request)
    if not form.ticked("sure"):
        raise Problem(422, "Tick that the display agent is to be started anew.")
    token, now = stations.new_token(secrets.token_urlsafe), rig.clock_ns()

    def write(connection: Connection) -> None:
        stations.renew(connection, name, token)
        event = Event("station_token_renewed", now, now, "operator", body={"name": name})
        projections.record(connection, event)

    await rig.database.awrite(write)
    rig.hub.end(name)
    return await _page(rig, name, token)


async def _list(
    rig: Controller, name: str = "", wrong: str | None = None, status: int = 200
) -> Response:
    names = await rig.database.aquery(stations.names)
    shown = [_seen(rig, one) for one in names]
    return page("stations.html", status, stations=shown, name=name, wrong=wrong)


async def _page(rig: Controller, name: str, token: str | None = None) -> Response:
    def read(connection: Connection) -> dict[str, Any]:
        stations.find(connection, name)
        return {"recent": listing.newest(connection, limit=RECENT, station=name).rows}

    view = await rig.database.aquery(read)
    ways = await asyncio.to_thread(pairing.ways_of, rig)
    outside = any(not is_local(way) for way in ways)
    made = [] if token is None else _ways(rig, ways)
    commands = [_command(way, token or "", outside=outside) for way in made]
    return page("station.html", **view, station=_seen(rig, name), token=token, commands=commands)


def _seen(rig: Controller, name: str) -> dict[str, Any]:
    return {
        **rig.hub.view(name),
        "at": f"/stations/{quote(name)}",
        "phone": rig.phones.view(name),
        "paired_as": rig.phones.paired(name),
    }


def _ways(rig: Controller, ways: tuple[Way, ...]) -> list[Way]:
    """As for phones; this machine itself may be the monitor's computer too."""
    here = Way("this computer", f"http://127.0.0.1:{rig.listening[1]}")
    reachable = rig.listening[0] in {"0.0.0.0", "::", "127.0.0.1"}  # noqa: S104 - compared
    known = {way.base for way in ways}
    return [*ways, *([here] if reachable and here.base not in known else [])]


def _command(way: Way, token: str, *, outside: bool) -> Command:
    """The line for the display agent; phones call it, so it listens where they can come."""
    line = f"display-agent connect {way.base} --token {token}"
    if outside:
        line += f" --listen 0.0.0.0:{DEFAULT_PORT}"
    return Command(way, line)
