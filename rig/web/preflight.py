"""Before a session starts: everything it needs, in sentences; what is red keeps it from starting.

The page shows what is known now. The start itself asks screen and phone anew and refuses by the
same rules (`rig.web.devices`, `rig.capture.conditions`, `rig.capture.alignment`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection

from rig.capture import alignment, campaigns, conditions, devices
from rig.capture.devices import RECENT_MS, Asked
from rig.capture.free import station_is_free
from rig.capture.sessions import Session
from rig.store.errors import ConflictError
from rig.web import cost
from rig.web.controller import Controller
from rig.web.cost import Usual
from rig.web.receive import FREE_MIN
from rig.web.sentences import shown_by, size

_FULL_PHONE = 1.1


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the preflight.

    Attributes:
        name: what it is about.
        ok: None: nobody can tell.
        blocks: the session cannot start before it is mended.
        text: a sentence.
        link: where it is mended.
        do: what the link does.
    """

    name: str
    ok: bool | None
    blocks: bool
    text: str
    link: str | None = None
    do: str = ""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a session takes, and whether it may start.

    Attributes:
        items: what blocks first.
        usual: what the figures are computed from.
        seconds: of shooting.
        photo_bytes: of all its photos.
        home_free: bytes on the controller's disk.
        phone: what its phone said last, with its age; None: nothing.
    """

    items: tuple[Item, ...]
    usual: Usual
    seconds: float
    photo_bytes: float
    home_free: int
    phone: dict[str, Any] | None

    @property
    def ready(self) -> bool:
        """Nothing blocks."""
        return not any(one.blocks for one in self.items)


def preflight(connection: Connection, rig: Controller, session: Session) -> Preflight:
    """Look at everything that *session* needs."""
    usual = cost.usual(connection, session.station)
    settle = campaigns.find(connection, session.campaign, only=session.subset).settle_ms
    left = session.total - session.committed
    wanted = left * usual.photo_bytes
    free = shutil.disk_usage(rig.home).free
    phone = rig.phones.view(session.station)
    items = [
        *_station(rig, session),
        *_free_station(connection, session),
        *_phone(rig, session, phone, wanted),
        _disk(free, wanted),
        *_room(connection, session),
        *_aligned(connection, rig, session),
    ]
    order = sorted(items, key=lambda one: (not one.blocks, one.ok is True))
    return Preflight(tuple(order), usual, left * usual.each(settle), wanted, free, phone)


def refuse_full_disk(connection: Connection, rig: Controller, session: Session) -> None:
    """The photos that are still to come must fit.

    Raises:
        ConflictError: they do not; the sentence says how much is missing.
    """
    usual = cost.usual(connection, session.station)
    wanted = (session.total - session.committed) * usual.photo_bytes
    item = _disk(shutil.disk_usage(rig.home).free, wanted)
    if item.blocks:
        raise ConflictError(item.text)


def _station(rig: Controller, session: Session) -> Iterator[Item]:
    name, at = session.station, f"/stations/{quote(session.station)}"
    view = rig.hub.view(name)
    if not view["connected"]:
        text = f"The display of {name} is not connected: start its display agent."
        yield Item("display", False, True, text, at, "How to connect it")
        return
    screen = view["screen"]
    pixels = f"{screen.get('width', '?')} by {screen.get('height', '?')} pixels"
    text = f"The display of {name} is connected: {shown_by(screen)}, {pixels}."
    yield Item("display", True, False, text)


def _free_station(connection: Connection, session: Session) -> Iterator[Item]:
    try:
        station_is_free(connection, session.station, session.id)
    except ConflictError as error:
        yield Item("station", False, True, str(error), f"/stations/{quote(session.station)}",
                   "Look at the station")  # fmt: skip


def _phone(
    rig: Controller, session: Session, phone: dict[str, Any] | None, wanted: float
) -> Iterator[Item]:
    link = rig.hub.get(session.station)
    if link is not None and link.legacy:
        yield Item("phone", None, False, "The phone runs the original app: battery and free room "
                   "are unknown.")  # fmt: skip
        return
    pair = f"/stations/{quote(session.station)}/pair"
    if phone is None:
        text = (
            f"The phone of {session.station} has not spoken to this controller: pair it, or look "
            "whether its agent runs."
        )
        yield Item("phone", None, False, text, pair, "Pair the phone")
        return
    told = {**phone, "fresh": phone["age_ms"] <= RECENT_MS}
    for one in devices.health(Asked(session.station, needs_phone=False), told):
        yield Item(f"phone, {one.name}", one.ok, one.blocks, one.text)
    free = phone.get("free_bytes")
    if free is not None and free < wanted * _FULL_PHONE:
        text = (
            f"Its photos take {size(wanted)}, {size(free)} are free on the phone: it will pause "
            "when it is full, until photos that have arrived here are deleted there."
        )
        yield Item("phone, room for all", None, False, text)


def _disk(free: int, wanted: float) -> Item:
    left = free - wanted
    text = f"{size(free)} are free on the controller; the photos take about {size(wanted)}."
    if left < FREE_MIN:
        return Item(
            "controller's disk", False, True,
            f"{text} Free {size(FREE_MIN - left)} more on the controller's disk.",
        )  # fmt: skip
    return Item("controller's disk", True, False, text)


def _room(connection: Connection, session: Session) -> Iterator[Item]:
    every = conditions.every(connection, session)
    waiting = [told for one in every if (told := one.blocker()) is not None]
    for text in waiting:
        yield Item("room", False, True, text, "#conditions", "To the checklist")
    if not waiting:
        yield Item("room", True, False, "Every level of the environment is confirmed.")


def _aligned(connection: Connection, rig: Controller, session: Session) -> Iterator[Item]:
    link = rig.hub.get(session.station)
    if session.legacy or (link is not None and link.legacy):
        return  # the original app cannot take an alignment shot; the start says so
    found = alignment.standing(connection, session)
    at = f"/sessions/{session.id}/alignment"
    do = "Look at it" if found.good else "Take the alignment shot"
    yield Item("alignment", found.good, not found.good, found.why, at, do)
