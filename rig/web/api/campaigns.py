"""Campaigns: plan and show."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from rig.capture import balance_rows, campaigns, projections
from rig.capture.actors import actor_of
from rig.capture.campaigns import Campaign
from rig.capture.describe import described
from rig.planning.model import Environment
from rig.store.events import Event
from rig.web import paging
from rig.web.deps import Operator, Rig, operator
from rig.web.operators import guarded

router = APIRouter(prefix="/api/campaigns", tags=["campaigns"], dependencies=operator)


CampaignName = Annotated[str, InPath(max_length=200, description="name of a campaign")]
Stations = Annotated[
    Annotated[int, Field(ge=0, le=1000)] | Annotated[list[str], Field(max_length=1000)],
    Field(description="to deal the subsets to: names, or how many; 0: one list for all"),
]


class EnvironmentView(BaseModel):
    """A named combination of factor levels."""

    name: str
    levels: dict[str, str]


class NewCampaign(BaseModel):
    """What to plan: environments as a list, from a TOML file of the controller, or drawn."""

    name: str
    catalog: str
    device: str
    size_min: Annotated[int, Field(ge=1)] = 250
    size_max: Annotated[int, Field(ge=1)] = 500
    at_least: Annotated[int, Field(ge=0, description="subsets; 0: enough for every pair")] = 0
    environments: list[EnvironmentView] | None = None
    environments_file: Path | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    settle_ms: Annotated[int, Field(ge=0, le=60_000)] = 150
    stations: Stations = 0


class Replan(BaseModel):
    """What to plan anew with; what is left out stays as it was planned last."""

    size_min: Annotated[int | None, Field(ge=1)] = None
    size_max: Annotated[int | None, Field(ge=1)] = None
    at_least: Annotated[int, Field(ge=0)] = 0
    environments: list[EnvironmentView] | None = None
    environments_file: Path | None = None
    seed: Annotated[int | None, Field(ge=0, lt=2**31)] = None
    stations: Stations | None = None


class SubsetView(BaseModel):
    """A subset, how far it is (`planned` or the state of its session) and who is to shoot it."""

    id: int
    first: int
    last: int
    environment: EnvironmentView
    state: str
    revision: int
    station: str | None


class CampaignView(BaseModel):
    """A campaign as `rig campaign show --json` prints it.

    `balance` takes seconds for a large plan and is computed when a campaign itself is asked for; a
    list has null where nobody did so yet.
    """

    name: str
    id: str
    catalog: str
    device: str
    seed: int
    revision: int
    xrays: int
    subsets: list[SubsetView]
    design: dict[str, Any] | None
    next: dict[str, int | None]
    balance: dict[str, Any] | None


@router.post("", status_code=201)
async def create_campaign(rig: Rig, by: Operator, wanted: NewCampaign) -> CampaignView:
    """Plan a campaign over all x-rays of a catalog."""
    chosen = _listed(wanted.environments)
    now, actor = rig.clock_ns(), actor_of(by)

    def write(connection: Connection) -> Campaign:
        made = campaigns.create(
            connection,
            new_id=secrets.token_hex(8),
            name=wanted.name,
            catalog=wanted.catalog,
            device=wanted.device,
            now_ns=now,
            chosen=chosen,
            environments_file=wanted.environments_file,
            size_min=wanted.size_min,
            size_max=wanted.size_max,
            at_least=wanted.at_least,
            seed=wanted.seed,
            settle_ms=wanted.settle_ms,
            stations=wanted.stations,
        )
        body = {"name": made.name, "subsets": len(made.subsets)}
        projections.record(connection, Event("campaign_created", now, now, actor, body=body))
        return made

    made = await rig.database.awrite(write)
    return await _view(rig, made.name)


@router.post("/{name}/replan", dependencies=[guarded])
async def replan_campaign(
    rig: Rig, name: CampaignName, by: Operator, wanted: Replan
) -> CampaignView:
    """Plan anew what no session was made for, as the next revision; what was shot stays."""
    chosen = _listed(wanted.environments)
    now, actor = rig.clock_ns(), actor_of(by)

    def write(connection: Connection) -> None:
        made = campaigns.replan(
            connection,
            name,
            chosen=chosen,
            environments_file=wanted.environments_file,
            size_min=wanted.size_min,
            size_max=wanted.size_max,
            at_least=wanted.at_least,
            seed=wanted.seed,
            stations=wanted.stations,
        )
        body = {"name": made.name, "revision": made.revision, "subsets": len(made.subsets)}
        projections.record(connection, Event("campaign_replanned", now, now, actor, body=body))

    await rig.database.awrite(write)
    return await _view(rig, name)


@router.get("")
async def list_campaigns(
    rig: Rig,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: paging.Cursor = None,
) -> list[CampaignView]:
    """Campaigns, oldest first; the header `Link` leads to those that were planned later."""
    place = paging.places(cursor, int, str)
    after = None if place is None else (int(place[0]), str(place[1]))
    found = await rig.database.aquery(lambda c: campaigns.listed(c, after=after, limit=limit + 1))
    paging.link(request, response, found[limit - 1] if len(found) > limit else None)
    return [await _view(rig, name, compute=False) for _, name in found[:limit]]


@router.get("/{name}")
async def show_campaign(rig: Rig, name: CampaignName) -> CampaignView:
    """One campaign with its subsets and balance."""
    return await _view(rig, name)


def _listed(told: list[EnvironmentView] | None) -> list[Environment] | None:
    return None if told is None else [Environment(one.name, one.levels) for one in told]


async def _view(rig: Rig, name: str, *, compute: bool = True) -> CampaignView:
    def read(connection: Connection) -> tuple[Campaign, dict[str, Any], bool]:
        campaign = campaigns.find(connection, name)
        return campaign, *described(connection, campaign, compute=compute)

    campaign, shown, new = await rig.database.aquery(read)
    if new:
        figures = shown["balance"]
        await rig.database.awrite(lambda c: balance_rows.keep(c, campaign, figures))
    return CampaignView(**shown)
