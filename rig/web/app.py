"""The app: a list of parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from rig import __version__
from rig.web import pages, phone_pages, problems
from rig.web.alignment import Aligner
from rig.web.api import (
    access,
    agent,
    alignment,
    campaigns,
    catalogs,
    conditions,
    datasets,
    events,
    hand,
    images,
    jobs,
    phone,
    photos,
    release,
    reshoot,
    review,
    sessions,
    stations,
)
from rig.web.controller import Controller
from rig.web.light import LightWatch
from rig.web.middleware import (
    AccessLog,
    BodyLimit,
    Gate,
    QuietStreams,
    SecurityHeaders,
    TrustedHosts,
)
from rig.web.pairing import TryLog
from rig.web.patience import Hurry
from rig.web.queueing import Queue
from rig.web.receive import MAX_PHOTO, Turns
from rig.web.watching import Watcher

BODY_LIMIT = 8 * 1024 * 1024
LOCAL_NAMES = ("localhost",)
STATIC = Path(__file__).parent / "static"


def create_app(rig: Controller, *, trusted_hosts: Collection[str] = ()) -> FastAPI:
    """The app around *rig*, which it starts, stops and closes."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        rig.start()
        rig.spawn(Watcher(rig).run(), "watch")
        rig.spawn(Aligner(rig).run(), "alignment")
        rig.spawn(Queue(rig).run(), "queue")
        if rig.room is not None:
            rig.spawn(LightWatch(rig).run(), "light")
        try:
            yield
        finally:
            await rig.stop()

    app = FastAPI(
        title="capture-rig",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        # The stock documentation pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(AccessLog),
            Middleware(TrustedHosts, names=(*LOCAL_NAMES, *trusted_hosts)),
            Middleware(Gate, auth=rig.auth),
            Middleware(Hurry),
            Middleware(BodyLimit, limit=BODY_LIMIT, uploads=MAX_PHOTO),
            Middleware(QuietStreams),
        ],
    )
    app.state.rig = rig
    app.state.turns = Turns()
    app.state.tries = TryLog()
    problems.install(app)
    for part in (
        catalogs,
        campaigns,
        stations,
        sessions,
        conditions,
        alignment,
        photos,
        release,
        reshoot,
        review,
        datasets,
        hand,
        phone,
        images,
        events,
        jobs,
        access,
        agent,
        pages,
        phone_pages,
    ):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
