"""A home of an older version opens with everything that was in it."""

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, select, text

from rig.store import schema
from rig.store.database import Database
from rig.store.tables import batch, photo, station

SESSION = "s" + "1" * 16
ROWS = (
    "INSERT INTO station (name, token_sha256, created_ns) VALUES ('room-1', 'x', 1)",
    "INSERT INTO catalog VALUES ('c', 'c', 'a', 'd', 'csv', 0, 1, '[]', 1)",
    "INSERT INTO campaign VALUES ('k', 'k', 'c', 'd', 0, 1, 1, 1, 0, 1, 1, 1)",
    "INSERT INTO subset VALUES ('k', 1, 1, 1, 'e', '{}')",
    (
        "INSERT INTO session (id, campaign, subset, station, first, last, state, created_ns, "
        "updated_ns, source_seq, committed, retakes, photos, verified, rejected) "
        f"VALUES ('{SESSION}', 'k', 1, 'room-1', 1, 1, 'completed', 1, 1, 0, 1, 0, 1, 0, 0)"
    ),
    (
        "INSERT INTO photo (session, name, idx, attempt, sha256, size, received_ns) "
        f"VALUES ('{SESSION}', 'n', 1, 1, 'h', 5, 1)"
    ),
    f"INSERT INTO batch VALUES ('{SESSION}', 1, 'c', 0, 1, 1, 1)",
)


@pytest.fixture
def old(tmp_path):
    """A database of the first revision with a row in every table that grew since."""
    path = tmp_path / "rig.db"
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for row in ROWS:
            connection.execute(text(row))
    engine.dispose()
    return path


def test_nothing_is_lost_and_nothing_may_be_deleted(old):
    """No phone is unpaired by it, no photo and no batch is released."""
    with Database.open(old) as database, database.read() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == schema.HEAD
        assert connection.execute(select(station.c.name, station.c.phone_generation)).all() == [
            ("room-1", 0)
        ]
        assert connection.execute(select(photo.c.name, photo.c.released)).all() == [("n", False)]
        assert connection.execute(select(batch.c.count, batch.c.released)).all() == [(1, False)]
