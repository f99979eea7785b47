"""The pages of a batch: its photos as a contact sheet, and each with all that is known of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection, select
from starlette.responses import Response

from rig.capture import campaigns, sessions
from rig.capture.sessions import Session
from rig.catalog.model import OBSERVATIONS
from rig.store import captures, catalogs, events, tables
from rig.store.events import Event
from rig.web import paging, photo_facts, photo_rows
from rig.web.deps import Rig, SessionId, operator
from rig.web.photo_rows import Show, Sort, Verdict
from rig.web.problems import Problem
from rig.web.render import page
from rig.web.reshooting import listed
from rig.web.view import words

router = APIRouter(include_in_schema=False, dependencies=operator)
HISTORY = 200
"""Events of one photo."""
MARKS = {
    Verdict.RIGHT: ("is-good", "✓", "right"),
    Verdict.WARNED: ("is-warn", "▲", "warning"),
    Verdict.REJECTED: ("is-bad", "✕", "rejected"),
    Verdict.MISSING: ("is-bad", "○", "missing"),
    Verdict.UNCHECKED: ("", "◔", "unchecked"),
}
"""Class, glyph and word: no verdict is told by its colour alone."""
COMING = ("", "…", "not here yet")
"""A photo that is missing as long as the phone may still bring it."""
Index = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/sessions/{session}/photos")
async def list_session_photos(
    rig: Rig,
    session: SessionId,
    sort: Sort = Sort.DOUBT,
    show: Annotated[Show, Query(alias="filter")] = Show.ALL,
    after: paging.Cursor = None,
) -> Response:
    """The contact sheet of a session, a page at a time."""
    place = paging.places(after, int, int, int)

    def read(connection: Connection) -> dict[str, Any]:
        found = sessions.find(connection, session)
        shown = photo_rows.page(connection, session, sort=sort, show=show, after=place)
        again = listed(connection, session) if place is None else None
        return {
            "counts": photo_rows.counts(connection, session),
            "sheet": shown,
            "wanted": 0 if again is None else len(again.wanted()),
            "under_way": 0 if again is None else sum(1 for r in again.rows if r.again is not None),
            **_about(connection, found),
        }

    view = await rig.database.aquery(read)
    following = None if view["sheet"].after is None else paging.encode(view["sheet"].after)
    return page(
        "photos.html", **view, sort=sort, show=show, following=following,
        begun=place is not None, Verdict=Verdict, Show=Show, Sort=Sort,
    )  # fmt: skip


@router.get("/sessions/{session}/photos/{index:int}")
async def show_session_photo(rig: Rig, session: SessionId, index: Index) -> Response:
    """One photo beside its x-ray, with everything that was measured and happened."""

    def read(connection: Connection) -> dict[str, Any]:
        found = sessions.find(connection, session)
        row = photo_rows.one(connection, session, index)
        if row is None:
            raise Problem(404, f"Index {index} was not shot in this session.")
        about = _about(connection, found)
        before, later = photo_rows.beside(connection, session, index)
        again = {one.index: one for one in listed(connection, session).rows}
        xrays = catalogs.xrays(connection, about["catalog_id"], index, index)
        return {
            "row": row,
            "xray": xrays[0] if xrays else None,
            "photo": _photo(connection, session, row["name"]),
            "before": before,
            "later": later,
            "again": again.get(index),
            "history": _history(connection, session, index),
            **about,
        }

    view = await rig.database.aquery(read)
    detail = view["photo"]["detail"]
    frame, name = None, view["row"]["name"]
    if name is not None:
        file = captures.incoming(rig.home, session) / name
        turned = await asyncio.to_thread(photo_facts.orientation_of, file)
        frame = photo_facts.frame(detail, turned)
    rejects, warnings = photo_facts.reasons(view["row"]["reason"], detail)
    return page(
        "photo.html", **view, mark=view["marks"][view["row"]["verdict"]], frame=frame,
        warnings=warnings, rejects=rejects, labels=_labels(view["xray"]), Verdict=Verdict,
        numbers=photo_facts.numbers(view["row"]["score"], detail),
    )  # fmt: skip


def _about(connection: Connection, found: Session) -> dict[str, Any]:
    campaign = campaigns.find(connection, found.campaign, only=0)
    batch = captures.batch_of(connection, found.id)
    whole = batch is not None and batch.complete
    return {
        "s": found,
        "batch": batch,
        "whole": whole,
        "marks": MARKS if whole else {**MARKS, Verdict.MISSING: COMING},
        "words": words(found),
        "campaign": campaign.name,
        "catalog": campaign.catalog,
        "catalog_id": campaign.catalog_id,
    }


def _photo(connection: Connection, session: str, name: str | None) -> dict[str, Any]:
    table = tables.photo
    query = select(table.c.detail, table.c.verified_ns, table.c.received_ns)
    query = query.where(table.c.session == session, table.c.name == name)
    row = connection.execute(query).mappings().first() if name is not None else None
    return {"detail": None, "verified_ns": None, "received_ns": None} if row is None else dict(row)


def _history(connection: Connection, session: str, index: int) -> list[Event]:
    """The newest events of this index, oldest first."""
    table = tables.event
    query = select(table.c.seq).where(table.c.session == session, table.c.idx == index)
    seqs = set(connection.scalars(query.order_by(table.c.seq.desc()).limit(HISTORY)))
    found = [e for seq in sorted(seqs) for e in events.after(connection, seq - 1, limit=1)]
    return [one for one in found if one.seq in seqs]


def _labels(xray: Any) -> list[tuple[str, str]]:
    if xray is None:
        return []
    says = {"1.0": "positive", "-1.0": "uncertain"}
    named = zip(OBSERVATIONS, xray.row[5:], strict=True)
    return [(name, says[value]) for name, value in named if value in says]
