"""The log only grows, numbers its entries without reuse, and is read in pages."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from rig.store import events
from rig.store.database import Database
from rig.store.events import Event


@pytest.fixture
def database(tmp_path):
    with Database.open(tmp_path / "rig.db") as one:
        yield one


def append(database, *some):
    return database.write_now(lambda c: [events.append(c, one) for one in some])


def test_an_event_comes_back_as_it_was_written(database):
    """Every field, and its number."""
    one = Event("committed", 5, 6, "station:a", "s1", 3, 17, 2, {"sha256": "x", "n": [1, None]})
    (stored,) = append(database, one)
    with database.read() as connection:
        assert events.after(connection, 0) == [stored]
    assert stored.seq == 1
    assert stored.to_json()["body"] == {"sha256": "x", "n": [1, None]}


@pytest.mark.parametrize("verb", ["UPDATE event SET kind='x'", "DELETE FROM event"])
def test_the_log_is_append_only(database, verb):
    """The database itself refuses changes."""
    append(database, Event("a", 1, 1, "x"))
    with pytest.raises(IntegrityError, match="append-only"):
        database.write_now(lambda c: c.execute(text(verb)))


def test_a_source_number_is_kept_once_per_session(database):
    """UNIQUE(session, source_seq); the controller's own events have none."""
    append(database, Event("a", 1, 1, "x", "s1", 1), Event("a", 1, 1, "x", "s2", 1))
    append(database, Event("a", 1, 1, "x", "s1"), Event("a", 1, 1, "x", "s1"))
    with pytest.raises(IntegrityError):
        append(database, Event("b", 1, 1, "x", "s1", 1))


def test_pages_follow_each_other_without_gap_or_double(database):
    """`after` pages by number; `every` walks them all."""
    append(database, *(Event("a", n, n, "x", f"s{n % 2}") for n in range(25)))
    with database.read() as connection:
        assert [e.seq for e in events.after(connection, 20)] == [21, 22, 23, 24, 25]
        assert [e.seq for e in events.after(connection, 0, session="s1", limit=3)] == [2, 4, 6]
        assert [e.seq for e in events.every(connection, page=4)] == list(range(1, 26))
        assert events.last_seq(connection) == 25


def test_the_newest_of_some_kinds(database):
    """Newest first, of this session only."""
    append(database, *(Event(k, 1, 1, "x", "s1") for k in ("a", "b", "a", "c")))
    with database.read() as connection:
        found = events.latest(connection, session="s1", kinds=frozenset({"a"}))
        assert [e.seq for e in found] == [3, 1]
        assert events.latest(connection, session="s2") == []
