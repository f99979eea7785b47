"""Who has a session or a campaign in hand: look, take, hand over, ask for it, let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.requests import HTTPConnection

from rig.capture import locks
from rig.capture.actors import NAME_MAX
from rig.capture.locks import Target
from rig.web import operators
from rig.web.controller import Controller
from rig.web.deps import Operator, Rig, SessionId, operator

router = APIRouter(tags=["locks"], dependencies=operator)
SESSION = "/api/sessions/{session}/lock"
CAMPAIGN = "/api/campaigns/{name}/lock"

Person = Annotated[str | None, Field(max_length=200, description="who asks")]
CampaignName = Annotated[str, Path(max_length=200, description="name of a campaign")]


class Take(BaseModel):
    """Take it; with *confirm* also from somebody who has been silent for two minutes."""

    name: Person = None
    confirm: bool = False


class Give(BaseModel):
    """Hand it over to the person called *to*."""

    to: Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
    name: Person = None


class Plain(BaseModel):
    """Who asks; the header `X-Operator` or the signed-in browser say it too."""

    name: Person = None


class LockView(BaseModel):
    """Who has it in hand, since when, and what the person who asks may do about it."""

    at: str
    holder: str | None
    since_ns: int | None
    mine: bool
    silent_s: float | None
    silent: bool
    may_take: bool
    may_give: bool
    may_release: bool
    may_ask: bool
    may_take_over: bool
    asked: list[str]
    from_campaign: bool
    words: str


@router.get(SESSION)
async def show_session_lock(rig: Rig, session: SessionId, by: Operator) -> LockView:
    """Who has the session in hand; the lock of its campaign counts too."""
    return await _shown(rig, lambda c: locks.of_session(c, session), by)


@router.post(SESSION + "/take")
async def take_session(
    rig: Rig, at: HTTPConnection, session: SessionId, by: Operator, told: Take | None = None
) -> LockView:
    """Take the session in hand: from then on only you may command it, save an abort."""
    confirm = told is not None and told.confirm
    return await _take(rig, at, lambda c: locks.of_session(c, session), by, confirm=confirm)


@router.post(SESSION + "/give")
async def give_session(
    rig: Rig, at: HTTPConnection, session: SessionId, by: Operator, told: Give
) -> LockView:
    """Hand the session over to somebody else."""
    return await _give(rig, at, lambda c: locks.of_session(c, session), by, told.to)


@router.post(SESSION + "/release")
async def release_session(
    rig: Rig, at: HTTPConnection, session: SessionId, by: Operator, _told: Plain | None = None
) -> LockView:
    """Let go of the session: everybody may command it again."""
    return await _release(rig, at, lambda c: locks.of_session(c, session), by)


@router.post(SESSION + "/ask")
async def ask_for_session(
    rig: Rig, session: SessionId, by: Operator, _told: Plain | None = None
) -> LockView:
    """Tell who has the session in hand that you would like to have it."""
    return await _ask(rig, lambda c: locks.of_session(c, session), by)


@router.get(CAMPAIGN)
async def show_campaign_lock(rig: Rig, name: CampaignName, by: Operator) -> LockView:
    """Who has the campaign in hand."""
    return await _shown(rig, lambda c: locks.of_campaign(c, name), by)


@router.post(CAMPAIGN + "/take")
async def take_campaign(
    rig: Rig, at: HTTPConnection, name: CampaignName, by: Operator, told: Take | None = None
) -> LockView:
    """Take the campaign in hand, with all of its sessions that nobody else has."""
    confirm = told is not None and told.confirm
    return await _take(rig, at, lambda c: locks.of_campaign(c, name), by, confirm=confirm)


@router.post(CAMPAIGN + "/give")
async def give_campaign(
    rig: Rig, at: HTTPConnection, name: CampaignName, by: Operator, told: Give
) -> LockView:
    """Hand the campaign over to somebody else."""
    return await _give(rig, at, lambda c: locks.of_campaign(c, name), by, told.to)


@router.post(CAMPAIGN + "/release")
async def release_campaign(
    rig: Rig, at: HTTPConnection, name: CampaignName, by: Operator, _told: Plain | None = None
) -> LockView:
    """Let go of the campaign."""
    return await _release(rig, at, lambda c: locks.of_campaign(c, name), by)


@router.post(CAMPAIGN + "/ask")
async def ask_for_campaign(
    rig: Rig, name: CampaignName, by: Operator, _told: Plain | None = None
) -> LockView:
    """Tell who has the campaign in hand that you would like to have it."""
    return await _ask(rig, lambda c: locks.of_campaign(c, name), by)


Find = Callable[[Connection], Target]


async def _take(
    rig: Controller, at: HTTPConnection, find: Find, by: str | None, *, confirm: bool
) -> LockView:
    now, quiet = rig.clock_ns(), operators.silence(at)
    await rig.database.awrite(lambda c: locks.take(c, find(c), by, now, quiet, confirm=confirm))
    return await _shown(rig, find, by)


async def _give(
    rig: Controller, at: HTTPConnection, find: Find, by: str | None, to: str
) -> LockView:
    now, quiet = rig.clock_ns(), operators.silence(at)
    await rig.database.awrite(lambda c: locks.give(c, find(c), by, to, now, quiet))
    return await _shown(rig, find, by)


async def _release(rig: Controller, at: HTTPConnection, find: Find, by: str | None) -> LockView:
    now, quiet = rig.clock_ns(), operators.silence(at)
    await rig.database.awrite(lambda c: locks.release(c, find(c), by, now, quiet))
    return await _shown(rig, find, by)


async def _ask(rig: Controller, find: Find, by: str | None) -> LockView:
    now = rig.clock_ns()
    await rig.database.awrite(lambda c: locks.ask(c, find(c), by, now))
    return await _shown(rig, find, by)


async def _shown(rig: Controller, find: Find, by: str | None) -> LockView:
    view = await rig.database.aquery(lambda c: operators.view(c, rig, find(c), by))
    return LockView(**view)
