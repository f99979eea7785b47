"""Stations: add, list, pair."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel
from sqlalchemy import Connection

from rig.capture import projections, stations
from rig.capture.actors import actor_of
from rig.store.events import Event
from rig.web import pairing
from rig.web.api.shapes import StationView
from rig.web.deps import Operator, Rig, operator
from rig.web.problems import Problem

router = APIRouter(prefix="/api/stations", tags=["stations"], dependencies=operator)


StationName = Annotated[str, Path(max_length=200, description="name of a station")]


class NewStation(BaseModel):
    """The name of a station to be."""

    name: str


class StationToken(BaseModel):
    """A new station; its token is shown this once."""

    name: str
    token: str


class Pairing(BaseModel):
    """What the station's phone is to be given."""

    url: str


class WayView(BaseModel):
    """One address of the controller, with what opens it: a page for a QR code, a line to paste."""

    name: str
    base: str
    url: str
    line: str


class CodeView(BaseModel):
    """A pairing code, shown this once; *url* and *line* are for the likeliest address."""

    code: str
    expires_ns: int
    url: str
    line: str
    sha256: str | None
    ways: list[WayView]


class Unpaired(BaseModel):
    """The station's phone is none any more; *generation* counts the tokens it had.

    The display agent lets it in until it was told: *connected* says whether that is now.
    """

    name: str
    generation: int
    connected: bool


@router.post("", status_code=201)
async def add_station(rig: Rig, by: Operator, wanted: NewStation) -> StationToken:
    """Add a station; the token is for `display-agent connect` and is never shown again."""
    token = stations.new_token(secrets.token_urlsafe)
    now, actor = rig.clock_ns(), actor_of(by)

    def write(connection: Connection) -> None:
        stations.add(connection, wanted.name, token, now)
        body = {"name": wanted.name}
        projections.record(connection, Event("station_added", now, now, actor, body=body))

    await rig.database.awrite(write)
    return StationToken(name=wanted.name, token=token)


@router.get("")
async def list_stations(rig: Rig) -> list[StationView]:
    """All stations and what is known about their display agents right now."""
    return [StationView(**rig.hub.view(n)) for n in await rig.database.aquery(stations.names)]


@router.get("/{name}/pairing")
async def show_pairing(rig: Rig, name: StationName) -> Pairing:
    """The pairing URL of the station's phone: whoever reads it is the phone."""
    await rig.database.aquery(lambda c: stations.find(c, name))
    link = rig.hub.need(name)
    if link.pairing is None:
        raise Problem(409, f"Station {name} has not told a pairing yet; start a session first.")
    return Pairing(url=link.pairing)


@router.post("/{name}/codes", status_code=201)
async def make_code(rig: Rig, name: StationName) -> CodeView:
    """A code that pairs a phone with this station, once, within ten minutes."""
    text, code = await pairing.make_code(rig, name)
    ways = [
        WayView(name=way.name, base=way.base, url=way.page(text), line=way.line(text))
        for way in await asyncio.to_thread(pairing.ways_of, rig)
    ]
    return CodeView(
        code=text,
        expires_ns=code.expires_ns,
        url=ways[0].url,
        line=ways[0].line,
        sha256=None if rig.phone_app is None else rig.phone_app.sha256,
        ways=ways,
    )


@router.post("/{name}/renew")
async def renew_station(rig: Rig, name: StationName, by: Operator) -> StationToken:
    """A new token for the station's display agent: the old one is void and its connection ends."""
    token, now = stations.new_token(secrets.token_urlsafe), rig.clock_ns()

    def write(connection: Connection) -> None:
        stations.renew(connection, name, token)
        body = {"name": name}
        event = Event("station_token_renewed", now, now, actor_of(by), body=body)
        projections.record(connection, event)

    await rig.database.awrite(write)
    rig.hub.end(name)
    return StationToken(name=name, token=token)


@router.post("/{name}/unpair")
async def unpair_phone(rig: Rig, name: StationName) -> Unpaired:
    """Void the token of the station's phone: it is refused from now on and has to pair anew."""
    generation = await pairing.unpair(rig, name)
    connected = rig.hub.get(name) is not None
    return Unpaired(name=name, generation=generation, connected=connected)
