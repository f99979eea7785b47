"""How far the subsets of a campaign are, out of their sessions."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, and_, case, exists, select

from rig.capture.campaigns import Campaign
from rig.capture.coverage import Span, first_missing
from rig.capture.states import ENDED, State
from rig.store import tables


def subset_states(
    connection: Connection, campaign: Campaign, *, only: int | None = None
) -> dict[int, str]:
    """Subset id -> `planned`, `completed` when its sessions shot all, else the newest's state.

    With *only*, of that subset alone, which is quicker; *campaign* has to have it.

    A completed session of legacy mode is only `claimed` until every photo of it is verified. A
    session that shoots photos again changes nothing here.
    """
    table = tables.session
    found = dict.fromkeys((one.id for one in campaign.subsets), "planned")
    whole = {one.id: (one.first, one.last) for one in campaign.subsets}
    shot: dict[int, list[Span]] = {}
    query = (
        select(table.c.subset, table.c.state, _claimed_only(table), table.c.first, _reached(table))
        .where(
            table.c.campaign == campaign.id,
            table.c.reshoots.is_(None),
            table.c.kind == tables.SUBSET,
        )
        .order_by(table.c.created_ns, table.c.id)
    )
    if only is not None:
        found = {only: "planned"}
        query = query.where(table.c.subset == only)
    for subset, state, claimed, first, reached in connection.execute(query):
        if found[subset] == State.COMPLETED:
            continue
        only = state == State.COMPLETED and claimed
        found[subset] = "claimed" if only else str(state)
        if state in ENDED and not only and reached is not None:
            spans = shot.setdefault(subset, [])
            spans.append((first, reached))
            if first_missing(*whole[subset], spans) is None:
                found[subset] = str(State.COMPLETED)
            elif state == State.COMPLETED:
                found[subset] = str(State.STOPPED)
    return found


def _claimed_only(table: Table) -> ColumnElement[bool]:
    return and_(table.c.legacy, table.c.verified < table.c.last - table.c.first + 1)


def _reached(table: Table) -> ColumnElement[int | None]:
    """The last index that an ended session has shot."""
    return case((table.c.state == State.COMPLETED, table.c.last), else_=table.c.last_index)


def shot_spans(
    connection: Connection, campaign: str, subset: int, *, ended_after: int | None = None
) -> list[tuple[int, int]]:
    """What the ended sessions of a subset have shot, as spans of indices.

    Only those whose end has a number beyond *ended_after* in the log, if that is given.
    """
    table, log = tables.session, tables.event
    query = select(table.c.first, _reached(table).label("reached")).where(
        table.c.campaign == campaign,
        table.c.subset == subset,
        table.c.state.in_(ENDED),
        table.c.reshoots.is_(None),
        table.c.kind == tables.SUBSET,
        _reached(table).is_not(None),
        ~_claimed_only(table),
    )
    if ended_after is not None:
        ended = log.c.kind.in_([str(state) for state in ENDED]) & (log.c.seq > ended_after)
        query = query.where(exists().where(log.c.session == table.c.id, ended))
    return [(row.first, row.reached) for row in connection.execute(query)]
