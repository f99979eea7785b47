"""What SQLite fills in is what the store's benchmark fills in, and looks like a real home."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import func, select

from bench import store_bulk, store_rows
from bench.store_rows import Shape
from rig.capture import sessions
from rig.intake import reshoot
from rig.store import captures, tables
from rig.store.database import Database

SHAPE = Shape(1_203)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Fills a database in pieces that end within sessions; returns it."""
    opened = []

    def fill(how, step):
        database = Database.open(tmp_path / f"{len(opened)}.db")
        opened.append(database)
        database.write_now(partial(store_rows.frame, shape=SHAPE))
        monkeypatch.setattr(store_bulk, "CHUNK", step)
        for chunk in store_bulk.chunks(SHAPE):
            database.write_now(partial(how, shape=SHAPE, chunk=chunk))
        return database

    yield fill
    for one in opened:
        one.close()


def test_events_and_captures_are_those_of_the_other_way(home):
    """Column by column, the text of the JSON too."""
    by_rows, by_sqlite = home(store_rows.fill, 400), home(store_bulk.fill, 700)
    for table in (tables.event, tables.capture):
        query = f"SELECT * FROM {table.name} ORDER BY 1, 2"
        with by_rows.read() as first, by_sqlite.read() as second:
            one, other = (c.exec_driver_sql(query).all() for c in (first, second))
        assert len(one) == SHAPE.captures
        assert one == other


def test_every_photo_has_come_back_and_is_right(home):
    """Nothing waits for intake, nothing is to be shot again, each session's batch is complete."""
    database = home(store_bulk.fill, 700)
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.photo)) == SHAPE.captures
        assert captures.waiting(connection) == ()
        found = reshoot.of_campaign(connection, "bench-0")
        assert (found.rows, found.shot, found.unshot) == ((), SHAPE.captures, 0)
        every = sessions.every(connection)
        assert len(every) == SHAPE.sessions
        assert all(one.photos == one.verified == store_rows.SUBSET for one in every)
        batch = captures.batch_of(connection, every[0].id)
        assert batch is not None
        assert batch.complete
