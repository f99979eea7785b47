"""What the phone agent asks of the controller: to be paired, what time it is, to tell its state."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from rig import __version__
from rig.web import pairing
from rig.web.addresses import base_of
from rig.web.auth import Principal, Role
from rig.web.deps import Rig, bearer, only
from rig.web.phones import Line, NoPairingError, PhoneStatus, pairing_for
from rig.web.problems import Problem

router = APIRouter(prefix="/api/phone", tags=["phone"])
Phone = Annotated[Principal, Depends(only(Role.PHONE))]


class Wanted(BaseModel):
    """A code to exchange, and what the phone calls itself."""

    code: Annotated[str, Field(max_length=64)]
    device: Line = ""


class Pairing(BaseModel):
    """What the phone needs to know: whoever has it is the phone."""

    pairing: str


class Hello(BaseModel):
    """Who the phone belongs to, what time it is here, and where its display agent listens.

    *session* is the one that the display agent has open, if any: before that nobody answers there.
    """

    station: str
    controller_version: str
    udp: list[tuple[str, int]]
    time_ns: int
    session: str | None


@router.post("/pair")
async def pair_phone(rig: Rig, request: Request, wanted: Wanted) -> Pairing:
    """Exchange a code for the station's pairing, once. Open to everybody: the code is the proof."""
    url = await pairing.exchange(
        rig,
        request.app.state.tries,
        wanted.code,
        device=wanted.device or "unnamed",
        base=called_by(request),
        address=address_of(request),
    )
    return Pairing(pairing=url)


@router.get("/hello", dependencies=[bearer])
async def phone_hello(rig: Rig, request: Request, who: Phone) -> Hello:
    """HTTP works; the phone compares clocks and tries the display agent's UDP address."""
    station = who.station or ""
    udp: tuple[tuple[str, int], ...] = ()
    if (link := rig.hub.get(station)) is not None:
        with suppress(NoPairingError):
            base = rig.public_url or called_by(request)
            udp = pairing_for(link, base, "", address_of(request)).hosts
    status = rig.hub.view(station).get("status") or {}
    return Hello(
        station=station,
        controller_version=__version__,
        udp=list(udp),
        time_ns=rig.clock_ns(),
        session=status.get("session"),
    )


@router.post("/status", dependencies=[bearer], status_code=204)
async def tell_phone_status(rig: Rig, who: Phone, told: PhoneStatus) -> Response:
    """Keep what the phone says about itself for the page that shows it."""
    rig.phones.tell(who.station or "", told)
    rig.feed.notify()
    return Response(status_code=204)


def called_by(request: Request) -> str:
    """The base URL by which this request called the controller."""
    base = base_of(request.url.scheme, request.headers.get("host", ""))
    if base is None:
        raise Problem(400, "The Host header is not an address.")
    return base


def address_of(request: Request) -> str:
    """Where the request comes from."""
    return request.client.host if request.client else "unknown"
