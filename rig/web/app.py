"""The app: a list of parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from rig import __version__
from rig.web import (
    audit_pages,
    campaign_pages,
    catalog_pages,
    dataset_pages,
    doctor_page,
    jobs_page,
    openapi,
    pages,
    phone_pages,
    photo_pages,
    problems,
    session_pages,
    signing,
    station_pages,
    synthesis_pages,
)
from rig.web.alignment import Aligner
from rig.web.api import (
    access,
    agent,
    alignment,
    audit,
    campaigns,
    captures,
    catalogs,
    conditions,
    datasets,
    dicom_imports,
    events,
    hand,
    images,
    jobs,
    locks,
    phone,
    photos,
    release,
    reshoot,
    review,
    sessions,
    stations,
    thumbnails,
    uploads,
)
from rig.web.assets import Assets
from rig.web.audit import Audit
from rig.web.broadcast import Broadcast
from rig.web.controller import Controller
from rig.web.idempotency import Once
from rig.web.light import LightWatch
from rig.web.middleware import (
    AccessLog,
    BodyLimit,
    Gate,
    Mistakes,
    QuietStreams,
    SecurityHeaders,
    TrustedHosts,
)
from rig.web.pairing import TryLog
from rig.web.patience import Hurry
from rig.web.queueing import Queue
from rig.web.receive import MAX_PHOTO, Turns
from rig.web.tries import Tries
from rig.web.watching import Watcher

BODY_LIMIT = 8 * 1024 * 1024
LOCAL_NAMES = ("localhost",)


def create_app(rig: Controller, *, trusted_hosts: Collection[str] = ()) -> FastAPI:
    """The app around *rig*, which it starts, stops and closes."""
    broadcast = Broadcast(rig)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        rig.start()
        rig.spawn(Watcher(rig).run(), "watch")
        rig.spawn(broadcast.run(), "streams")
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
        generate_unique_id_function=openapi.operation_id,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(Mistakes),
            Middleware(AccessLog),
            Middleware(TrustedHosts, names=(*LOCAL_NAMES, *trusted_hosts)),
            Middleware(Gate, auth=rig.auth),
            Middleware(Hurry),
            Middleware(BodyLimit, limit=BODY_LIMIT, uploads=MAX_PHOTO),
            Middleware(Audit, rig=rig),
            Middleware(Once, rig=rig),
            Middleware(QuietStreams),
        ],
    )
    app.state.rig = rig
    app.state.broadcast = broadcast
    app.state.turns = Turns()
    app.state.tries = TryLog()
    app.state.sign_ins = Tries()
    app.state.sign_in_log = TryLog()
    problems.install(app)
    for part in (
        catalogs,
        campaigns,
        stations,
        sessions,
        captures,
        conditions,
        alignment,
        photos,
        release,
        reshoot,
        review,
        dicom_imports,
        datasets,
        hand,
        phone,
        images,
        events,
        jobs,
        access,
        agent,
        locks,
        audit,
        uploads,
        signing,
        pages,
        jobs_page,
        doctor_page,
        catalog_pages,
        campaign_pages,
        session_pages,
        station_pages,
        phone_pages,
        audit_pages,
        thumbnails,
        photo_pages,
        dataset_pages,
        synthesis_pages,
    ):
        app.include_router(part.router)
    app.mount("/static", Assets(), name="static")
    openapi.install(app)
    return app
