"""No page of the dashboard goes through a whole table that grows with every photo."""

from __future__ import annotations

import re
from functools import partial

import pytest

from bench import store_bulk, store_rows
from bench.store_queries import statements
from bench.store_rows import Shape
from rig.capture import queue, sessions
from rig.intake import reshoot
from rig.store import captures, events
from rig.store.events import Event
from rig.web import listing
from rig.web.audit import audit_view
from rig.web.campaign_pages import campaign_view
from rig.web.controller import Controller
from rig.web.home import home_view
from rig.web.jobs_page import jobs_view
from rig.web.session_pages import _view
from rig.web.watching import _WATCHED

SHAPE = Shape(1_203)
GROWING = ("event", "capture", "photo", "claim", "session", "batch", "xray", "audit", "condition")
_SCAN = re.compile(
    rf"SCAN ({'|'.join(GROWING)})\b(?! USING INDEX ix_photo_unseen)"
    # `session IS NOT NULL` lures SQLite along an index over all sessions: a scan by another name.
    r"|SEARCH (event|job) .*\(session>\?\)"
)


@pytest.fixture
def rig(tmp_path):
    """A controller on a home that was shot for two sessions and more."""
    one = Controller.open(tmp_path / "home")
    one.database.write_now(partial(store_rows.frame, shape=SHAPE))
    for chunk in store_bulk.chunks(SHAPE):
        one.database.write_now(partial(store_bulk.fill, shape=SHAPE, chunk=chunk))
    yield one
    one.jobs.close()
    one.database.close()


def scans(rig, page):
    """Steps of the plans of what *page* asks that go through a table that grows."""
    with rig.database.read() as connection:
        told = statements(connection, page)
    assert told
    return [
        (step, one["sql"])
        for one in told
        for step in one["plan"]
        if _SCAN.search(step) and not _first_rows(one)
    ]


def _first_rows(told):
    """Only the first few rows of a table or index, in its own order."""
    few = " LIMIT " in told["sql"] and " WHERE " not in told["sql"]
    return few and not any("TEMP B-TREE" in step for step in told["plan"])


def views(rig):
    """What pages and watchers ask for, by name."""
    session = SHAPE.id_of(1)
    return {
        "home": lambda c: home_view(c, rig),
        "campaign": lambda c: campaign_view(c, "bench-0", rig),
        "re-shoot list": lambda c: reshoot.of_campaign(c, "bench-0"),
        "sessions": listing.newest,
        "sessions of a campaign": lambda c: listing.newest(c, campaign=store_rows.campaign_id(0)),
        "sessions of a station": lambda c: listing.newest(c, station="room-1"),
        "open sessions": listing.open_ones,
        "session": lambda c: _view(c, rig, sessions.find(c, session), None),
        "jobs": jobs_view,
        "audit": audit_view,
        "watched": lambda c: sessions.every(c, in_states=_WATCHED),
        "queue": queue.waiting,
        "waiting for intake": captures.waiting,
        "one that waits": lambda c: captures.waiting(c, session),
    }


@pytest.mark.parametrize("name", list(views(None)))
def test_nothing_goes_through_all_there_ever_was(rig, name):
    """Every step of SQLite's plans is a search; also when events came since the last look."""
    page = views(rig)[name]
    assert scans(rig, page) == []
    now = Event("link_back", 1, 1, "station:room-1", SHAPE.id_of(0), source_seq=10_000)
    rig.database.write_now(lambda c: events.append(c, now))
    assert scans(rig, page) == []


def test_a_scan_would_be_seen(rig):
    """The check itself can fail."""
    sql = "SELECT DISTINCT session FROM event WHERE seq > 3 AND session IS NOT NULL"
    assert scans(rig, lambda c: c.exec_driver_sql(sql).all())


def test_open_sessions_are_found_by_their_state(rig):
    """Not by walking through the ages of all of them."""
    with rig.database.read() as connection:
        told = statements(connection, lambda c: sessions.every(c, in_states=_WATCHED))
    assert "ix_session_kind_state (kind=? AND state=?)" in str(told[0]["plan"])
