"""The conditions of a session: look, confirm, set by devices, keep a picture."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from rig.capture import conditions, sessions
from rig.capture.condition_rows import facts
from rig.capture.conditions import NAME_LENGTH, NOTE_LENGTH
from rig.capture.messages import Hex64
from rig.capture.sessions import Session
from rig.errors import UserError
from rig.store.errors import ConflictError
from rig.web import evidence
from rig.web.api.shapes import ConditionsView, EvidenceView
from rig.web.conditions import conditions_view
from rig.web.controller import Controller
from rig.web.deps import Rig, SessionId, operator
from rig.web.images import exact
from rig.web.operators import guarded
from rig.web.problems import Problem
from rig.web.render import page
from rig.web.room import SHOOTING, set_devices

router = APIRouter(prefix="", tags=["conditions"], dependencies=operator)
AT = "/api/sessions/{session}/conditions"
FORM_LIMIT = 16 * 1024
PICTURE_LIMIT = 8 * 1024 * 1024
PICTURES_MOST = 50
"""Of one factor: evidence, not a film."""

Factor = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
Note = Annotated[str, Field(max_length=NOTE_LENGTH)]


class Confirm(BaseModel):
    """A person looked: the level is as the plan wants it."""

    confirm: Annotated[bool, Field(description="must be true")]
    name: Name
    note: Note = ""


class ConfirmMany(BaseModel):
    """A person looked at everything that waits for one, or at all that did not change."""

    confirm_all: bool = False
    unchanged: bool = False
    name: Name
    note: Note = ""


@router.get(AT)
async def show_conditions(rig: Rig, session: SessionId) -> ConditionsView:
    """Every level: wanted, set by, what is known and from whom; and what blocks the start."""
    return await _view(rig, session)


@router.post(AT, dependencies=[guarded])
async def confirm_many(rig: Rig, session: SessionId, told: ConfirmMany) -> ConditionsView:
    """Confirm all that a person's look is enough for; with `unchanged` only what is as before."""
    if told.confirm_all == told.unchanged:
        raise Problem(422, "Say either `confirm_all` or `unchanged`.")
    now = rig.clock_ns()

    def write(connection: Connection) -> None:
        conditions.confirm_all(
            connection, sessions.find(connection, session), name=told.name, note=told.note,
            unchanged=told.unchanged, now_ns=now,
        )  # fmt: skip

    await rig.database.awrite(write)
    return await _view(rig, session)


@router.post(AT + "/apply", dependencies=[guarded])
async def apply_conditions(rig: Rig, session: SessionId) -> ConditionsView:
    """Set what devices set, again, and read it back; answers when they are done."""
    await _apply(rig, session)
    return await _view(rig, session)


@router.post(AT + "/{factor}", dependencies=[guarded])
async def confirm_one(
    rig: Rig, session: SessionId, factor: Factor, told: Confirm
) -> ConditionsView:
    """Confirm one level; against a device's word only with a note."""
    if not told.confirm:
        raise Problem(422, "A confirmation says `confirm: true`.")
    await _confirm(rig, session, [factor], told.name, told.note)
    return await _view(rig, session)


@router.put(
    AT + "/{factor}/evidence",
    status_code=201,
    dependencies=[guarded],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def keep_evidence(
    rig: Rig, request: Request, session: SessionId, factor: Factor
) -> EvidenceView:
    """Keep a picture of how it is; JPEG, PNG or WebP, at most 8 MiB."""
    found = await rig.database.aquery(lambda c: _may_keep(c, session, factor))
    data = await _body(request, PICTURE_LIMIT)
    sha256 = await asyncio.to_thread(evidence.keep, rig.home, session, data)
    now = rig.clock_ns()
    await rig.database.awrite(lambda c: conditions.add_evidence(c, found, factor, sha256, now))
    return EvidenceView(sha256=sha256, url=f"/api/sessions/{session}/evidence/{sha256}")


@router.get("/api/sessions/{session}/evidence/{sha256}")
async def show_evidence(rig: Rig, session: SessionId, sha256: Hex64) -> Response:
    """A picture that was kept."""
    known = await rig.database.aquery(lambda c: facts(c, session))
    if not any(one["sha256"] == sha256 for fact in known.values() for one in fact.evidence):
        raise Problem(404, "No such picture belongs to this session.")
    return await exact(evidence.place(rig.home, session, sha256), sha256)


@router.post("/sessions/{session}/conditions", include_in_schema=False, dependencies=[guarded])
async def conditions_form(rig: Rig, request: Request, session: SessionId) -> Response:
    """The checklist as a plain form; errors are a page that leads back."""
    fields = parse_qs((await _body(request, FORM_LIMIT)).decode("utf-8", "replace"))
    first = {key: values[0] for key, values in fields.items()}
    try:
        await _do(rig, session, first, fields.get("factor", []))
    except (UserError, Problem) as error:
        status = 409 if isinstance(error, ConflictError) else 422
        return page("error.html", status, title="Not done", detail=str(error))
    return RedirectResponse(f"/sessions/{session}#conditions", 303)


async def _do(rig: Controller, session: str, first: dict[str, str], ticked: list[str]) -> None:
    name, note = first.get("name", ""), first.get("note", "")
    match first.get("do"):
        case "apply":
            await _apply(rig, session)
        case "unchanged":
            now = rig.clock_ns()
            await rig.database.awrite(
                lambda c: conditions.confirm_all(
                    c, sessions.find(c, session), name=name, note=note, now_ns=now, unchanged=True
                )
            )
        case "confirm":
            if not ticked:
                raise Problem(422, "Nothing was ticked: tick what you have looked at.")
            await _confirm(rig, session, ticked, name, note)
        case _:
            raise Problem(422, "The form does not say what to do.")


async def _confirm(rig: Controller, session: str, factors: list[str], name: str, note: str) -> None:
    now = rig.clock_ns()

    def write(connection: Connection) -> None:
        found = sessions.find(connection, session)
        conditions.confirm(connection, found, factors, name=name, note=note, now_ns=now)

    await rig.database.awrite(write)


async def _apply(rig: Controller, session: str) -> None:
    found = await rig.database.aquery(lambda c: sessions.find(c, session))
    view = await rig.database.aquery(lambda c: conditions_view(c, found))
    if not view["may_apply"]:
        do = "pause it first" if found.state in SHOOTING else "nothing is to be set"
        raise ConflictError(f"Session {session} is {found.state}: {do}.")
    await set_devices(rig, found)


def _may_keep(connection: Connection, session: str, factor: str) -> Session:
    found = sessions.find(connection, session)
    fact = facts(connection, session).get(factor)
    if fact is not None and len(fact.evidence) >= PICTURES_MOST:
        raise ConflictError(f"There are {PICTURES_MOST} pictures of this already.")
    conditions.find(connection, found, factor)
    return found


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise Problem(413, f"The body is larger than {limit} bytes.")
    return bytes(data)


async def _view(rig: Controller, session: str) -> ConditionsView:
    def read(connection: Connection) -> dict[str, Any]:
        return conditions_view(connection, sessions.find(connection, session))

    light = {} if rig.room is None else rig.room.light
    seen = [{"sensor": k, "lux": one.lux, "at_ns": one.at_ns} for k, one in light.items()]
    return ConditionsView(**await rig.database.aquery(read), light=seen)
