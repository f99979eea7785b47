"""Who I am, which browsers and scripts are signed in, and links and tokens for more of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from rig.capture.actors import actor_of, name_of
from rig.store import credentials
from rig.store.credentials import SCRIPT
from rig.web import operators, paging
from rig.web.auth import Auth, Principal
from rig.web.deps import Operator, Rig, operator
from rig.web.problems import Problem

router = APIRouter(tags=["access"], dependencies=operator)
DeviceId = Annotated[str, Path(pattern=r"^d[0-9a-f]{16}$", description="`d` and 16 hex digits")]
PersonName = Annotated[str, Field(min_length=1, max_length=200)]


class SignInLink(BaseModel):
    """Opens the dashboard once, within 15 minutes; *path* is below the controller's address."""

    path: str


class DeviceView(BaseModel):
    """A signed-in browser or a script with a token of its own.

    *name* is the person's, *current* says that it is the one that asks.
    """

    id: str
    kind: str
    name: str | None
    label: str
    address: str
    created_ns: int
    expires_ns: int | None
    revoked_ns: int | None
    good: bool
    current: bool


class Me(BaseModel):
    """The person who asks, and through what; without a device it is the access token."""

    name: str | None
    device: DeviceView | None


class SetName(BaseModel):
    """The name under which this browser or script acts from now on."""

    name: PersonName


class NewToken(BaseModel):
    """A token for a script: *name* is the person who answers for it, *label* says what it is."""

    name: PersonName
    label: Annotated[str, Field(min_length=1, max_length=200)] = "script"


class TokenView(BaseModel):
    """A new token, shown this once."""

    device: DeviceView
    token: str


@router.post("/api/sign-in-links", status_code=201)
async def new_sign_in_link(rig: Rig) -> SignInLink:
    """A one-time link that signs a browser in."""
    return SignInLink(path=f"/sign-in?token={rig.auth.new_link()}")


@router.get("/api/me")
async def show_me(rig: Rig, request: Request, by: Operator) -> Me:
    """Who asks: the name that commands are noted under, and the device."""
    return await _me(rig.auth, rig, request, by)


@router.post("/api/me")
async def set_name(rig: Rig, request: Request, told: SetName) -> Me:
    """Say who sits at this browser; it is kept with its sign-in."""
    principal: Principal = request.state.principal
    if principal.device is None:
        raise Problem(
            409,
            "The access token is nobody's: send the header X-Operator with each command, or make "
            "a token of your own (POST /api/devices).",
        )
    device, name = principal.device, name_of(actor_of(told.name))
    await rig.database.awrite(lambda c: credentials.rename(c, device, name))
    if name is not None:
        rig.presence.saw(name)
    return await _me(rig.auth, rig, request, name)


@router.post("/api/me/here", status_code=204)
async def here(rig: Rig, request: Request) -> Response:
    """A person touched the page: what they have in hand does not look abandoned."""
    if (name := operators.person(request)) is not None:
        rig.presence.saw(name)
    return Response(status_code=204)


@router.get("/api/devices")
async def list_devices(
    rig: Rig,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: paging.Cursor = None,
) -> list[DeviceView]:
    """Browsers and scripts that were signed in, newest first; stations are under `stations`.

    The header `Link` leads to what is older.
    """
    place = paging.places(cursor, int, str)
    after = None if place is None else (int(place[0]), str(place[1]))
    found = await rig.database.aquery(lambda c: credentials.every(c, limit + 1, after=after))
    last = found[limit - 1] if len(found) > limit else None
    paging.link(request, response, None if last is None else [last.created_ns, last.id])
    return [_view(rig.auth, one, request) for one in found[:limit]]


@router.post("/api/devices", status_code=201)
async def make_token(rig: Rig, request: Request, told: NewToken) -> TokenView:
    """A bearer token for a script; it is shown this once and can be voided by itself."""
    address = request.client.host if request.client else "unknown"
    name = name_of(actor_of(told.name))
    device, token = await rig.database.awrite(
        lambda c: rig.auth.new_device(c, SCRIPT, label=told.label, address=address, name=name)
    )
    return TokenView(device=_view(rig.auth, device, request), token=token)


@router.post("/api/devices/{device}/revoke")
async def revoke_device(rig: Rig, request: Request, device: DeviceId) -> DeviceView:
    """Void the cookie or token of a device, at once and for good."""
    now = rig.clock_ns()

    def write(connection: Connection) -> credentials.Device:
        return credentials.revoke(connection, device, now)

    return _view(rig.auth, await rig.database.awrite(write), request)


async def _me(auth: Auth, rig: Rig, request: Request, name: str | None) -> Me:
    principal: Principal = request.state.principal
    if principal.device is None:
        return Me(name=name, device=None)
    ident = principal.device
    found = await rig.database.aquery(lambda c: credentials.find(c, ident))
    return Me(name=name, device=_view(auth, found, request))


def _view(auth: Auth, one: credentials.Device, request: Request) -> DeviceView:
    principal: Principal = request.state.principal
    names = set(DeviceView.model_fields) - {"good", "current"}
    return DeviceView(
        **{name: getattr(one, name) for name in names},
        good=auth.is_good(one),
        current=principal.device == one.id,
    )
