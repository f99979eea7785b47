"""Photos taken by hand: the list, the doubtful side by side, and a person's decision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Connection
from starlette.responses import FileResponse, Response

from rig.capture import campaigns
from rig.capture.actors import actor_of
from rig.intake import hand_decide
from rig.store import events, hand
from rig.store.hand import HandPhoto, Standing
from rig.web import images, paging
from rig.web.api.shapes import HandView
from rig.web.controller import Controller
from rig.web.deps import Operator, Rig, operator
from rig.web.operators import guarded
from rig.web.problems import Problem
from rig.web.render import page

router = APIRouter(tags=["hand"], dependencies=operator)
AT = "/api/campaigns/{name}/hand"
ONE = AT + "/{device}/{sha256}"
PAGED = 20
"""Doubtful photos on one page."""

CampaignName = Annotated[str, Path(max_length=200, description="name of a campaign")]
Device = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


class Decision(BaseModel):
    """What a person saw: x-ray *index*, none of the x-rays, or (open) nothing for certain."""

    index: Annotated[int | None, Field(ge=1, lt=2**31)] = None
    decision: Literal["xray", "none", "open"] = "xray"
    name: Annotated[str | None, Field(max_length=200)] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.decision == "xray") != (self.index is not None):
            raise ValueError("give the index of an x-ray, or the decision none or open")
        return self


@router.get(AT)
async def list_hand_photos(
    rig: Rig,
    request: Request,
    response: Response,
    name: CampaignName,
    standing: Annotated[Standing | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: paging.Cursor = None,
) -> list[HandView]:
    """Photos taken by hand for the campaign, by device and file name.

    The header `Link` leads to the next page.
    """
    after = paging.places(cursor, str, str, str)

    def read(connection: Connection) -> tuple[list[hand.Place], tuple[HandPhoto, ...]]:
        every = hand.places(connection, hand.campaign_id(connection, name))
        wanted = [one for one in every if standing in {None, one.standing}]
        here = [one for one in wanted if after is None or one.key > after][: limit + 1]
        return here, hand.read(connection, rig.home, here[:limit])

    here, photos = await rig.database.aquery(read)
    paging.link(request, response, here[limit - 1].key if len(here) > limit else None)
    return [HandView(**one.to_json()) for one in photos]


@router.post(ONE + "/decide", dependencies=[guarded])
async def decide_hand_photo(
    rig: Rig, name: CampaignName, device: Device, sha256: Sha256, by: Operator, told: Decision
) -> HandView:
    """Record what a person saw; the newest word counts, and who said it when stays in the log."""
    actor = actor_of(by)
    photo = await _find(rig, name, device, sha256)

    def work() -> HandPhoto:
        now = rig.clock_ns()
        if told.decision == "open":
            return hand_decide.reopen(rig.database, rig.home, photo, actor=actor, now_ns=now)
        return hand_decide.decide(
            rig.database, rig.home, photo, index=told.index, actor=actor, now_ns=now
        )

    return HandView(**(await asyncio.to_thread(work)).to_json())


@router.get(ONE + "/image", response_class=Response)
async def get_hand_photo(
    rig: Rig,
    name: CampaignName,
    device: Device,
    sha256: Sha256,
    width: Annotated[int | None, Query(ge=16, le=4096, description="scale to this width")] = None,
) -> Response:
    """The photo, as it was brought or scaled down."""
    photo = await _find(rig, name, device, sha256)
    if not await asyncio.to_thread(photo.file.is_file):
        raise Problem(404, "The photo is gone from the controller's disk: import it again.")
    if width is not None:
        return await images.scaled(photo.file, width)
    return FileResponse(photo.file, headers=images.CACHE, media_type="image/jpeg")


@router.get("/campaigns/{name}/hand", include_in_schema=False)
async def hand_page(rig: Rig, name: str, after: Annotated[int, Query(ge=0)] = 0) -> Response:
    """The doubtful photos, each beside the x-rays that it may show."""

    def read(connection: Connection) -> dict[str, Any]:
        kept = campaigns.find(connection, name, only=0)
        every = hand.places(connection, kept.id)
        doubtful = [one for one in every if one.standing is Standing.DOUBTFUL]
        decided = [one for one in every if one.by]

        def shown(some: Sequence[hand.Place]) -> list[dict[str, Any]]:
            return [_shown(name, one) for one in hand.read(connection, rig.home, some)]

        return {
            "campaign": kept.name,
            "counts": {one.value: sum(p.standing is one for p in every) for one in Standing},
            "doubtful": shown(doubtful[after : after + PAGED]),
            "waiting": len(doubtful),
            "following": after + PAGED if after + PAGED < len(doubtful) else None,
            "decided": shown(decided[-PAGED:]),
            "seq": events.last_seq(connection),
        }

    return page("hand.html", **await rig.database.aquery(read))


def _shown(name: str, one: HandPhoto) -> dict[str, Any]:
    at = f"/api/campaigns/{quote(name, safe='')}/hand/{one.device}/{one.sha256}"
    return one.to_json() | {"at": at}


async def _find(rig: Controller, name: str, device: str, sha256: str) -> HandPhoto:
    def read(connection: Connection) -> HandPhoto:
        ident = hand.campaign_id(connection, name)
        return hand.find(connection, rig.home, ident, device, sha256)

    return await rig.database.aquery(read)
