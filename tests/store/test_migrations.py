"""A file of an earlier version is brought up to date without losing or inventing anything."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, select, text

from rig.store import captures, schema, tables
from rig.store.database import Database

SESSION = "s" + "1" * 16
_SESSION_ROW = (
    "INSERT INTO session (id, campaign, subset, station, first, last, state, created_ns, "
    "updated_ns, source_seq, committed, retakes, photos, verified, rejected) "
    f"VALUES ('{SESSION}', 'ca', 1, 'room', 1, 3, 'completed', 1, 1, 9, 3, 0, 3, 3, 0)"
)


def old_file(path: Path, revision: str) -> None:
    """A file of *revision* with one session in it, which the first version wrote."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for row in (
            "INSERT INTO catalog VALUES ('c','c','a.csv','/d','csv',0,3,'[]',1)",
            "INSERT INTO campaign VALUES ('ca','camp','c','nokia',0,1,3,3,150,1,3,1)",
            "INSERT INTO subset VALUES ('ca',1,1,3,'e01','{}')",
            "INSERT INTO station VALUES ('room','digest',1)",
            _SESSION_ROW,
        ):
            connection.execute(text(row))
        command.upgrade(config, revision)
    engine.dispose()


def test_sessions_of_before_are_no_legacy_sessions(tmp_path: Path) -> None:
    """They were shot by XCAP/1: nothing about them becomes weaker."""
    path = tmp_path / "rig.db"
    old_file(path, "0001")
    with Database.open(path) as database, database.read() as connection:
        row = connection.execute(select(tables.session)).mappings().one()
        assert (row["legacy"], row["claimed"], row["app"]) == (False, 0, None)
        assert (row["committed"], row["state"]) == (3, "completed")
        assert connection.execute(select(tables.claim)).all() == []
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        assert version == schema.HEAD


def test_what_jobs_were_asked_for_comes_into_their_rows(tmp_path: Path) -> None:
    """Of the first event that says so; a job that says nothing still cannot be resumed."""
    path = tmp_path / "rig.db"
    old_file(path, "0008")
    jobs = {"j1": {"n": 7}, "j2": None, "j3": {"n": 9}}
    connection = sqlite3.connect(path)
    for number, (name, wanted) in enumerate(jobs.items()):
        session = SESSION if name == "j3" else None
        connection.execute(
            "INSERT INTO job (id, kind, session, state, done, total, created_ns, updated_ns) "
            "VALUES (?, 'synthesis', ?, 'failed', 0, 0, ?, 1)",
            (name, session, number),
        )
        for body in ({"id": name, "wanted": wanted}, {"id": name, "state": "failed"}):
            connection.execute(
                "INSERT INTO event (time_ns, received_ns, actor, session, kind, body) "
                "VALUES (1, 1, 'controller', ?, 'job', ?)",
                (session, json.dumps(body)),
            )
    connection.commit()
    connection.close()
    with Database.open(path) as database, database.read() as connection:
        table = tables.job
        rows = connection.execute(select(table.c.id, table.c.wanted).order_by(table.c.id)).all()
    assert [tuple(row) for row in rows] == list(jobs.items())


def test_a_large_home_of_before_gets_its_indexes(tmp_path: Path) -> None:
    """Photos that nobody looked at and sessions by state are found without going through all."""
    path = tmp_path / "rig.db"
    old_file(path, "0008")
    with sqlite3.connect(path) as connection:
        for name, verified in (("a", 1), ("b", None)):
            connection.execute(
                "INSERT INTO photo (session, name, idx, attempt, sha256, size, received_ns, "
                "verified) VALUES (?, ?, 1, 1, 'h', 1, 1, ?)",
                (SESSION, name, verified),
            )
        connection.execute(f"INSERT INTO batch VALUES ('{SESSION}', 3, 'c', 0, 1, 1, 1, 0)")
    connection.close()
    with Database.open(path) as database, database.read() as connection:
        assert captures.waiting(connection) == captures.waiting(connection, SESSION) == (SESSION,)
        assert captures.waiting(connection, "s" + "2" * 16) == ()
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT session FROM photo WHERE verified IS NULL"
        )
        assert "ix_photo_unseen" in str(plan.all())
