"""Which station shoots which subset: a recommendation that no station has to keep.

A plan that was dealt has a list for each station. A station takes the next subset of its own list,
then what is dealt to nobody, then what costs it least of the others': they lose nothing by it, as a
list without one of its environments is never dearer. No subset is taken twice: only those that
nobody has, or that were stopped, are offered, and `free.subset_is_free` has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from rig.capture.states import State
from rig.planning.constraints import stations_for
from rig.planning.model import Environment, Subset
from rig.planning.order import change_minutes
from rig.store import catalogs, tables
from rig.store.errors import StoreError

if TYPE_CHECKING:
    from rig.capture.campaigns import Campaign

LEFT = frozenset({"planned", str(State.STOPPED)})
"""States of a subset in which a session of it may begin."""


def named(connection: Connection, wanted: int | Sequence[str]) -> tuple[str, ...]:
    """The stations that *wanted* means: names, or so many of those that are registered.

    Names need not be registered yet: a plan may be older than its rooms.

    Raises:
        StoreError: fewer are registered, a bad name, a name twice, or none at all.
    """
    if isinstance(wanted, int):
        table = tables.station
        known = list(connection.scalars(select(table.c.name).order_by(table.c.name)))
        if not 1 <= wanted <= len(known):
            raise StoreError(
                f"There are {len(known)} stations, not {wanted}: add them with rig station add "
                "NAME, or name those that will be, as room-1,room-2."
            )
        return tuple(known[:wanted])
    names = tuple(catalogs.check_name(one, "station") for one in wanted)
    if not names or len(set(names)) < len(names):
        raise StoreError("Name each station once, at least one.")
    return names


def stations_of(campaign: Campaign) -> dict[int, str]:
    """Subset id -> the station that it is dealt to; those that are dealt to nobody are missing."""
    stands = {one.id for one in campaign.subsets}
    lists = (campaign.figures or {}).get("stations", ())
    return {id_: one["name"] for one in lists for id_ in one["subsets"] if id_ in stands}


def carried(campaign: Campaign, stays: Sequence[Subset], figures: dict[str, Any]) -> dict[str, Any]:
    """*figures* of a new revision, with the subsets that stay in the lists that they were in."""
    before = stations_of(campaign)
    lists = [
        {
            **one,
            "subsets": [each.id for each in kept] + one["subsets"],
            "xrays": sum(each.size for each in kept) + one["xrays"],
        }
        for one in figures.get("stations", ())
        for kept in [[each for each in stays if before.get(each.id) == one["name"]]]
    ]
    return figures | ({"stations": lists} if lists else {})


def next_for(
    connection: Connection, campaign: Campaign, states: dict[int, str], station: str
) -> Subset | None:
    """What *station* shoots next, None when nothing is left that it can.

    Args:
        connection: to read with.
        campaign: with its plan.
        states: of its subsets, see `subsets.subset_states`.
        station: its name.
    """
    constraints = campaign.scheme.constraints if campaign.scheme else ()
    free = [
        one
        for one in campaign.subsets
        if states[one.id] in LEFT
        and ((able := stations_for(constraints, one.environment.levels)) is None or station in able)
    ]
    dealt = stations_of(campaign)
    for owner in (station, None):
        if mine := [one for one in free if dealt.get(one.id) == owner]:
            return mine[0]
    here = _room(connection, campaign, station)
    factors = campaign.scheme.factors if campaign.scheme else ()
    if here is None:
        return free[-1] if free else None
    return min(
        reversed(free),  # of equals the last: its station comes to it last
        key=lambda one: change_minutes(here.levels, one.environment.levels, factors),
        default=None,
    )


def _room(connection: Connection, campaign: Campaign, station: str) -> Environment | None:
    """How the station's room was set last in this campaign."""
    table = tables.session
    query = (
        select(table.c.subset)
        .where(
            table.c.campaign == campaign.id,
            table.c.station == station,
            table.c.kind == tables.SUBSET,
            table.c.started_ns.is_not(None),
        )
        .order_by(table.c.started_ns.desc())
        .limit(1)
    )
    subset = connection.scalar(query)
    return next((one.environment for one in campaign.subsets if one.id == subset), None)
