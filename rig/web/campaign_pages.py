"""The pages of campaigns: the list, a new one with its cost, the plan as a matrix, its balance."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, select
from starlette.responses import Response

from rig.capture import balance_rows, campaigns, projections, stations
from rig.capture.actors import actor_of
from rig.capture.campaigns import Campaign
from rig.errors import UserError
from rig.store import catalogs, events, tables
from rig.store.errors import ConflictError
from rig.store.events import Event
from rig.web import campaign_form, cost, forms, matrix, operators, paging
from rig.web.campaign_form import Cost, Wish
from rig.web.controller import Controller
from rig.web.deps import Rig, operator
from rig.web.forms import Form
from rig.web.home import campaign_view, newest_campaigns, progress_view
from rig.web.problems import Problem
from rig.web.render import page

router = APIRouter(include_in_schema=False, dependencies=operator)
LISTED = 24
"""Campaigns on a page of the list."""


@router.get("/campaigns")
async def list_campaigns(rig: Rig, after: paging.Cursor = None) -> Response:
    """All campaigns, newest first, with their progress, a page at a time."""
    place = paging.places(after, int, str)
    before = None if place is None else (int(place[0]), str(place[1]))

    def read(connection: Connection) -> dict[str, Any]:
        found = newest_campaigns(connection, LISTED + 1, before=before)
        shown = found[:LISTED]
        last = (shown[-1].created_ns, shown[-1].name) if len(found) > LISTED else None
        return {
            "campaigns": [progress_view(connection, one, rig.progress) for one in shown],
            "following": None if last is None else paging.encode(last),
            "catalogs": catalogs.every(connection),
        }

    return page("campaigns.html", **await rig.database.aquery(read))


@router.get("/campaigns/new")
async def new_campaign(rig: Rig, catalog: str = "") -> Response:
    """The form, filled with the factors of the CheXphoto paper."""
    return await _form(rig, Form({"catalog": [catalog]} if catalog else {}), fresh=True)


@router.post("/campaigns/new/preview")
async def preview_campaign(rig: Rig, request: Request) -> Response:
    """The form again, with the plan that it makes and what that costs; nothing is kept."""
    form = await forms.read(request)
    try:
        found = await asyncio.to_thread(_cost, rig, campaign_form.wish_of(form))
    except (UserError, Problem) as error:
        return await _refused(rig, form, error)
    return await _form(rig, form, found=found)


@router.post("/campaigns/new")
async def plan_campaign(rig: Rig, request: Request) -> Response:
    """Keep the campaign that the form makes."""
    form = await forms.read(request)
    try:
        wish = campaign_form.wish_of(form)
        await _create(rig, wish, operators.person(request))
    except (UserError, Problem) as error:
        return await _refused(rig, form, error)
    return RedirectResponse(f"/campaigns/{quote(wish.name)}", 303)


@router.get("/campaigns/{name}")
async def show_campaign(rig: Rig, request: Request, name: str) -> Response:
    """The plan of a campaign: subsets by environments, what is done, what is best next."""
    me = operators.person(request)

    def read(connection: Connection) -> dict[str, Any]:
        view = campaign_view(connection, name, rig)
        lock = operators.campaign_lock_view(connection, rig, name, me)
        return (
            view
            | {"lock": lock}
            | {"seq": events.last_seq(connection), "matrix": matrix.of(view["rows"])}
        )

    return page("campaign.html", **await rig.database.aquery(read))


@router.get("/campaigns/{name}/balance")
async def show_balance(rig: Rig, name: str) -> Response:
    """Which labels go with which conditions; computed once for each revision of a plan."""

    def read(connection: Connection) -> tuple[Campaign, dict[str, Any] | None, dict[str, Any]]:
        campaign = campaigns.find(connection, name)
        known = balance_rows.kept(connection, campaign)
        return campaign, known, known or balance_rows.computed(connection, campaign)

    campaign, known, found = await rig.database.aquery(read)
    if known is None:
        await rig.database.awrite(lambda c: balance_rows.keep(c, campaign, found))
    told = found | {"factors": matrix.factors_of(found)}
    return page("campaign_balance.html", campaign=campaign, b=told)


def _cost(rig: Controller, wish: Wish) -> Cost:
    with rig.database.read() as connection:
        kept = catalogs.find(connection, wish.catalog)
        usual = cost.usual(connection)
    return campaign_form.cost_of(wish, kept.count, usual)


async def _create(rig: Controller, wish: Wish, name: str | None) -> None:
    now = rig.clock_ns()

    def write(connection: Connection) -> None:
        made = campaigns.create(
            connection,
            new_id=secrets.token_hex(8),
            name=wish.name,
            catalog=wish.catalog,
            device=wish.device,
            now_ns=now,
            scheme=wish.scheme,
            size_min=wish.size_min,
            size_max=wish.size_max,
            at_least=wish.at_least,
            seed=wish.seed,
            settle_ms=wish.settle_ms,
            stations=wish.stations,
        )
        body = {"name": made.name, "subsets": len(made.subsets)}
        event = Event("campaign_created", now, now, actor_of(name), body=body)
        projections.record(connection, event)

    await rig.database.awrite(write)


async def _refused(rig: Controller, form: Form, error: Exception) -> Response:
    status = 409 if isinstance(error, ConflictError) else 422
    return await _form(rig, form, wrong=str(error), status=status)


async def _form(
    rig: Controller,
    form: Form,
    *,
    fresh: bool = False,
    found: Cost | None = None,
    wrong: str | None = None,
    status: int = 200,
) -> Response:
    def read(connection: Connection) -> dict[str, Any]:
        devices = select(tables.campaign.c.device).distinct().limit(20)
        return {
            "catalogs": catalogs.every(connection),
            "stations": stations.names(connection),
            "devices": sorted(connection.scalars(devices)),
        }

    factors, rules = campaign_form.first_rows() if fresh else campaign_form.rows_of(form)
    plan = None if found is None else matrix.of(matrix.planned(found.plan.subsets))
    return page(
        "campaign_new.html", status, **await rig.database.aquery(read), form=form, fresh=fresh,
        factors=factors, rules=rules, cost=found, matrix=plan, wrong=wrong,
    )  # fmt: skip
