"""What is wrong with a home is found, named, and comes with what to do."""

import importlib.util
import os
import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import event, text

from rig.capture import integrity as projected
from rig.capture import projections
from rig.store import homes, integrity, tables
from rig.store.errors import StoreError

_spec = importlib.util.spec_from_file_location(
    "integrity_made_home", Path(__file__).with_name("made_home.py")
)
made_home = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_home)

LATER = time.time() + 3600


@pytest.fixture
def home(tmp_path):
    one = made_home.MadeHome(tmp_path / "home")
    yield one
    one.close()


def photos(home, *, deep=False):
    known, _ = integrity.received(home.path / "rig.db")
    return list(integrity.check_photos(home.path, known, deep=deep))


def strays(home, now=LATER):
    listed = list(homes.walk(home.path))
    known, sessions = integrity.received(home.path / "rig.db")
    return [
        (one.where, one.status)
        for one in integrity.check_strays(listed, home.path, known, sessions, now=now)
    ]


def test_a_sound_home_has_no_problem(home):
    """Nothing to say, also while a controller has it open."""
    path = home.path / "rig.db"
    assert list(integrity.check_database(path)) == []
    assert photos(home, deep=True) == []
    assert strays(home) == []
    assert list(integrity.check_rights(home.path, os.geteuid())) == []
    assert list(projected.compare(path)) == []


def test_a_photo_that_is_gone_short_or_a_link_is_found(home):
    """By its size alone."""
    gone, short, link = (home.incoming / name for name in home.names)
    gone.unlink()
    short.write_bytes(b"x")
    link.rename(home.path.parent / "elsewhere.jpg")
    link.symlink_to(home.path.parent / "elsewhere.jpg")
    found = {Path(one.where).name: one for one in photos(home)}
    assert "not there" in found[gone.name].detail
    assert "has 1 bytes" in found[short.name].detail
    assert "link" in found[link.name].detail
    assert all(one.status == "bad" and one.remedy for one in found.values())


def test_other_bytes_of_the_same_size_are_found_by_the_deep_check_only(home):
    """The quick one does not read the photos."""
    one = home.incoming / home.names[0]
    one.write_bytes(b"z" * one.stat().st_size)
    assert photos(home) == []
    assert [Path(p.where).name for p in photos(home, deep=True)] == [one.name]


def test_files_that_nobody_knows_are_strays(home):
    """Photo, sidecar, session; what is on its way and temporary names are none."""
    for name in ("x.jpg", "y.json", "z.jpg.part"):
        (home.incoming / name).write_bytes(b"x")
    other = home.path / "sessions" / ("s" + "f" * 16) / "incoming"
    other.mkdir(parents=True)
    (other / "w.jpg").write_bytes(b"x")
    (home.path / "link").symlink_to("/etc")
    base = home.incoming.relative_to(home.path).as_posix()
    assert sorted(strays(home)) == sorted(
        [
            ("link", "warn"),
            (f"{base}/x.jpg", "warn"),
            (f"{base}/y.json", "warn"),
            (other.relative_to(home.path).as_posix() + "/w.jpg", "warn"),
        ]
    )
    # A photo that was written this very moment is about to be noted.
    assert f"{base}/x.jpg" not in dict(strays(home, now=time.time()))


def test_private_files_that_others_can_read_are_bad(home):
    """Also another owner is told."""
    (home.path / "secret").chmod(0o640)
    home.path.chmod(0o755)
    found = {one.where: one for one in integrity.check_rights(home.path, os.geteuid())}
    assert (found["secret"].status, found["."].status) == ("bad", "warn")
    assert "chmod 600" in found["secret"].remedy
    others = list(integrity.check_rights(home.path, os.geteuid() + 1))
    assert any("belongs to user" in one.detail for one in others)


def test_rows_without_parents_are_found(home):
    """`foreign_key_check` looks at what is there, however it came."""
    home.close()
    with sqlite3.connect(home.path / "rig.db") as connection:
        connection.execute("UPDATE station SET name = 'gone'")
    connection.close()
    found = list(integrity.check_database(home.path / "rig.db"))
    assert [one.detail for one in found] == ["a row of session refers to no row of station"]


def test_a_log_with_a_hole_or_without_its_guards_is_found(home):
    """A rebuild would not see it: the tables follow the log."""
    home.close()
    with sqlite3.connect(home.path / "rig.db") as connection:
        guards = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'"
        for (name,) in connection.execute(guards).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE event SET source_seq = 2 WHERE source_seq = 1")
    connection.close()
    hole, guard = [one.detail for one in integrity.check_database(home.path / "rig.db")]
    assert f"{made_home.SESSION} has 1 events of its station, the last is number 2" in hole
    assert "append-only" in guard


def test_a_torn_database_is_one_kind_of_row_not_a_stack_trace(home):
    """And a file that is no database at all."""
    home.close()
    path = home.path / "rig.db"
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data), 512):
        data[at : at + 64] = b"\xff" * 64
    path.write_bytes(data)
    found = list(integrity.check_database(path))
    assert found
    assert {one.status for one in found} == {"bad"}
    assert "rig restore" in found[0].remedy
    path.write_bytes(b"no database" * 1000)
    assert [one.detail for one in integrity.check_database(path)] == ["file is not a database"]


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("UPDATE session SET committed = committed + 1", "session"),
        ("DELETE FROM photo WHERE idx = 2", "photo"),
        ("UPDATE photo SET verified = 1 WHERE idx = 1", "photo"),
        (
            f"INSERT INTO batch VALUES ('{made_home.SESSION}', 1, 'c', 0, 1, 1, 1, 0)",
            "batch",
        ),
    ],
)
def test_a_table_that_is_not_what_the_log_says_is_found(home, change, table):
    """Rows changed, lost or added behind the log's back; the home itself is not touched."""
    home.database.write_now(lambda c: c.execute(text(change)))
    before = home.database.query(lambda c: c.execute(text(f"SELECT * FROM {table}")).all())
    found = list(projected.compare(home.path / "rig.db"))
    assert {(one.where, one.status) for one in found} == {(table, "bad")}
    assert made_home.SESSION in found[0].detail
    after = home.database.query(lambda c: c.execute(text(f"SELECT * FROM {table}")).all())
    assert before == after


def test_every_table_that_a_rebuild_empties_is_compared(home):
    """A new projection cannot be forgotten."""
    emptied = set()

    def note(_connection, _cursor, statement, *_):
        if statement.startswith("DELETE FROM "):
            emptied.add(statement.split()[2].strip('"'))

    def rebuild(connection):
        event.listen(connection, "before_cursor_execute", note)
        projections.rebuild(connection)

    home.database.write_now(rebuild)
    assert emptied >= {"session", "photo", "capture", "batch", "job"}
    assert emptied <= {one.name for one in tables.metadata.sorted_tables} - projected.UNPROJECTED


def test_a_log_that_cannot_be_replayed_is_a_finding(home):
    """An event that makes no sense any more, put there past whatever guards the log."""
    with sqlite3.connect(home.path / "rig.db") as connection:
        guards = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'"
        for (name,) in connection.execute(guards).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE event SET body = '{}' WHERE kind = 'photo_received'")
    connection.close()
    found = list(projected.compare(home.path / "rig.db"))
    assert ["cannot be replayed" in one.detail for one in found] == [True]


def test_many_rows_of_one_kind_are_counted():
    """A lost disk does not print ten thousand lines."""
    rows = [integrity.Problem("bad", "photo", str(i), "gone", "look") for i in range(10)]
    shown = list(integrity.at_most(rows, shown=3))
    assert [one.where for one in shown] == ["0", "1", "2", "..."]
    assert "7 more" in shown[-1].detail


def test_a_folder_without_a_database_is_refused_in_words(tmp_path):
    """A mistyped --home is not a sound home."""
    with pytest.raises(StoreError, match="--home"):
        integrity.require_home(tmp_path)
