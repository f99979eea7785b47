"""What must be free for a session: its subset, its station, and a station that is able."""

from __future__ import annotations

from sqlalchemy import Connection, select

from rig.capture.campaigns import Campaign
from rig.capture.states import BUSY
from rig.planning.constraints import stations_for
from rig.planning.model import Subset
from rig.store import tables
from rig.store.errors import ConflictError


def subset_is_free(connection: Connection, campaign: str, subset: int, but: str = "") -> None:
    """No photo is taken twice: two stations never shoot one subset at a time.

    Raises:
        ConflictError: another session than *but* shoots it.
    """
    table = tables.session
    query = select(table.c.id, table.c.station).where(
        table.c.campaign == campaign, table.c.subset == subset, table.c.state.in_(BUSY)
    )
    query = query.where(table.c.id != but)
    if (other := connection.execute(query.limit(1)).first()) is not None:
        raise ConflictError(
            f"Subset {subset} is being shot by session {other.id} on station {other.station}: "
            "finish or abort that one first."
        )


def station_is_able(campaign: Campaign, subset: Subset, station: str) -> None:
    """The station can show the levels of the subset's environment.

    Raises:
        ConflictError: only others can.
    """
    constraints = campaign.scheme.constraints if campaign.scheme else ()
    able = stations_for(constraints, subset.environment.levels)
    if able is not None and station not in able:
        why = "; ".join(
            one.why
            for one in constraints
            if one.stations and one.applies(subset.environment.levels)
        )
        where = ", ".join(sorted(able)) or "no station at all"
        raise ConflictError(f"Subset {subset.id} can be shot on {where}, not on {station}: {why}.")


def station_is_free(connection: Connection, station: str, but: str) -> None:
    """A station has one session at a time.

    Raises:
        ConflictError: it has another one than *but*.
    """
    table = tables.session
    query = select(table.c.id).where(
        table.c.station == station, table.c.state.in_(BUSY), table.c.id != but
    )
    if (other := connection.scalar(query.limit(1))) is not None:
        raise ConflictError(
            f"Station {station} still has session {other}: finish or abort that one first."
        )
