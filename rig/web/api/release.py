"""May the phone delete its photos? An operator says so, the phone asks."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel

from rig.capture import sessions
from rig.capture.actors import actor_of as person_of
from rig.web import release
from rig.web.api.photos import Sender, actor_of
from rig.web.deps import Operator, Rig, SessionId, bearer, operator
from rig.web.operators import guarded

router = APIRouter(prefix="/api/sessions/{session}/release", tags=["photos"])


class Allow(BaseModel):
    """Whether the phone may delete what is here."""

    allow: bool


class ReleasedPhoto(BaseModel):
    """A photo that may be deleted on the phone while its own bytes have this SHA-256."""

    name: str
    sha256: str


class ReleaseView(BaseModel):
    """What the phone may delete; `photos` is empty unless it is allowed."""

    allowed: bool
    photos: list[ReleasedPhoto]


@router.get("", dependencies=[bearer])
async def show_release(rig: Rig, session: SessionId, who: Sender) -> ReleaseView:
    """The photos that lie here whole and whose deletion on the phone is allowed."""
    actor_of(await rig.database.aquery(lambda c: sessions.find(c, session)), who)
    return _view(await asyncio.to_thread(release.released, rig.database, rig.home, session))


@router.post("", dependencies=[*operator, guarded])
async def set_release(rig: Rig, session: SessionId, by: Operator, told: Allow) -> ReleaseView:
    """Allow the deletion (409 unless every photo of the batch lies here whole), or take it back."""
    change = partial(
        release.set_release,
        rig.database,
        rig.home,
        session,
        allow=told.allow,
        now_ns=rig.clock_ns(),
        actor=person_of(by),
    )
    return _view(await asyncio.to_thread(change))


def _view(found: release.Release) -> ReleaseView:
    photos = [ReleasedPhoto(name=one.name, sha256=one.sha256) for one in found.photos]
    return ReleaseView(allowed=found.allowed, photos=photos)
