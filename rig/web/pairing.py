"""Pair a phone with a station: make a code, exchange it, unpair."""

from __future__ import annotations

import asyncio
from collections import deque

import structlog

from rig.capture import pairings, stations
from rig.store.database import Database
from rig.web import addresses
from rig.web.addresses import Way
from rig.web.controller import Controller
from rig.web.pairing_codes import Code, TooManyTriesError
from rig.web.phones import NoPairingError, pairing_for
from rig.web.problems import Problem

log = structlog.get_logger("rig.pairing")

WRONG = (
    "This code is not known: it was mistyped, used before, or is older than ten minutes. Make a "
    "new one on the controller's page “Pair a phone”."
)
NOTED = 60
"""Wrong tries that are put into the event log per minute, from all addresses together."""
NOTED_NS = 60 * 10**9


class TryLog:
    """Puts wrong tries into the event log; a flood of them must not fill the disk."""

    def __init__(self) -> None:
        self._noted: deque[int] = deque(maxlen=NOTED)

    async def note(self, database: Database, address: str, why: str, now_ns: int) -> None:
        """Note one, unless `NOTED` were noted within the last minute."""
        if not self.room(now_ns):
            return
        await database.awrite(
            lambda c: pairings.note(
                c, pairings.REFUSED, "phone", now_ns, address=address[:64], why=why
            )
        )

    def room(self, now_ns: int) -> bool:
        """Whether one more may be noted now; then it counts as noted."""
        full = len(self._noted) == NOTED
        if full and 0 <= now_ns - self._noted[0] < NOTED_NS:
            return False
        self._noted.append(now_ns)
        return True


async def make_code(rig: Controller, station: str) -> tuple[str, Code]:
    """A new code for *station*.

    Raises:
        NotFoundError: no such station.
    """
    now = rig.clock_ns()
    await rig.database.aquery(lambda c: stations.find(c, station))
    await rig.database.awrite(
        lambda c: pairings.note(c, pairings.CODE_MADE, "operator", now, name=station)
    )
    return rig.codes.make(station, now)


async def look(rig: Controller, tries: TryLog, text: str, address: str) -> Code | None:
    """The code that *text* names; a wrong one is counted and noted.

    Raises:
        Problem: 429, too many wrong ones from *address*.
    """
    now = rig.clock_ns()
    try:
        code = rig.codes.look(text, address, now)
    except TooManyTriesError as error:
        raise Problem(429, str(error), headers={"Retry-After": str(error.wait_s)}) from error
    if code is None:
        await tries.note(rig.database, address, "unknown code", now)
    return code


async def exchange(
    rig: Controller, tries: TryLog, text: str, *, device: str, base: str, address: str
) -> str:
    """The pairing URL for the phone that knows the code *text*, which is used up by it.

    Args:
        rig: the controller.
        tries: where wrong tries are noted.
        text: the code as it was typed.
        device: what the phone calls itself.
        base: the controller's base URL as the phone sees it.
        address: the phone's.

    Raises:
        Problem: 403 wrong code, 409 the station cannot be paired now (the code stays good), 429.
    """
    code = await look(rig, tries, text, address)
    now = rig.clock_ns()
    if code is not None and not code.fresh(now):
        rig.codes.wrong(address, now)
        await tries.note(rig.database, address, "code was used before", now)
        code = None
    if code is None:
        raise Problem(403, WRONG)
    token = await asyncio.to_thread(rig.auth.phone_token, code.station)
    # From here to the mark there is no await: of two phones with one code, one gets through.
    if not code.fresh(now) or rig.codes.of_station(code.station, now) is not code:
        raise Problem(403, WRONG)
    try:
        link = rig.hub.need(code.station)
        pairing = pairing_for(link, rig.public_url or base, token, address)
    except (stations.StationAwayError, NoPairingError) as error:
        raise Problem(409, f"{error} The code stays good.") from error
    code.used_ns = now
    rig.phones.pair(code.station, device, now, code.number)
    await rig.database.awrite(
        lambda c: pairings.note(
            c,
            pairings.PAIRED,
            f"phone:{code.station}",
            now,
            name=code.station,
            device=device,
            address=address[:64],
        )
    )
    log.info("phone paired", station=code.station)
    return pairing.url()


async def unpair(rig: Controller, station: str) -> int:
    """Void the phone of *station*: its token and any code; the new generation.

    A connected display agent is told at once: it moves to another key, which lets the phone before
    in no more, and the next phone gets that one. Another one is told when it connects.

    Raises:
        NotFoundError: no such station.
    """
    now = rig.clock_ns()
    generation = await rig.database.awrite(lambda c: pairings.unpair(c, station, now))
    rig.codes.void(station)
    rig.phones.forget(station)
    if (link := rig.hub.get(station)) is not None:
        link.pairing = None
        welcome = await rig.welcome(link)
        link.pairing = None  # one of the generation before may have come meanwhile
        link.send(welcome)
    log.info("phone unpaired", station=station)
    return generation


def ways_of(rig: Controller) -> tuple[Way, ...]:
    """How phones can reach this controller, the likeliest first. Asks the system."""
    found = addresses.interfaces()
    return addresses.ways(rig.listening, rig.public_url, found, addresses.route_address())
