"""Stations: add, list, pair."""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Connection

from rig.capture import projections, stations
from rig.store.events import Event
from rig.web.deps import Rig, operator
from rig.web.problems import Problem

router = APIRouter(prefix="/api/stations", tags=["stations"], dependencies=operator)


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


@router.post("", status_code=201)
async def add_station(rig: Rig, wanted: NewStation) -> StationToken:
    """Add a station; the token is for `display-agent connect` and is never shown again."""
    token = stations.new_token(secrets.token_urlsafe)
    now = rig.clock_ns()

    def write(connection: Connection) -> None:
        stations.add(connection, wanted.name, token, now)
        body = {"name": wanted.name}
        projections.record(connection, Event("station_added", now, now, "operator", body=body))

    await rig.database.awrite(write)
    return StationToken(name=wanted.name, token=token)


@router.get("")
async def list_stations(rig: Rig) -> list[dict[str, Any]]:
    """All stations and what is known about their display agents right now."""
    return [rig.hub.view(name) for name in await rig.database.aquery(stations.names)]


@router.get("/{name}/pairing")
async def show_pairing(rig: Rig, name: str) -> Pairing:
    """The pairing URL of the station's phone: whoever reads it is the phone."""
    await rig.database.aquery(lambda c: stations.find(c, name))
    link = rig.hub.need(name)
    if link.pairing is None:
        raise Problem(409, f"Station {name} has not told a pairing yet; start a session first.")
    return Pairing(url=link.pairing)
