"""A file of an earlier version is brought up to date without losing or inventing anything."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, select, text

from rig.store import schema, tables
from rig.store.database import Database

SESSION = "s" + "1" * 16
_SESSION_ROW = (
    "INSERT INTO session (id, campaign, subset, station, first, last, state, created_ns, "
    "updated_ns, source_seq, committed, retakes, photos, verified, rejected) "
    f"VALUES ('{SESSION}', 'ca', 1, 'room', 1, 3, 'completed', 1, 1, 9, 3, 0, 3, 3, 0)"
)


def old_file(path: Path, revision: str) -> None:
    """A file of *revision* with one session in it, as that version wrote it."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for row in (
            "INSERT INTO catalog VALUES ('c','c','a.csv','/d','csv',0,3,'[]',1)",
            "INSERT INTO campaign VALUES ('ca','camp','c','nokia',0,1,3,3,150,1,3,1)",
            "INSERT INTO subset VALUES ('ca',1,1,3,'e01','{}')",
            "INSERT INTO station VALUES ('room','digest',1)",
            _SESSION_ROW,
        ):
            connection.execute(text(row))
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
