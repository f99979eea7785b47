"""Bring a database's schema up to date with the migrations that ship in the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from rig.store.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0009"
"""The newest revision (checked by a test): lets an up-to-date file open without loading Alembic."""


def migrate(engine: Engine, path: Path) -> None:
    """Upgrade the file behind *engine* to `HEAD` in one transaction.

    Raises:
        StoreError: *path* is no database or was written by a newer version.
    """
    try:
        # The write lock is taken first, so that of two processes only one migrates.
        with engine.begin() as connection:
            if inspect(connection).has_table("alembic_version"):
                revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
                if revision == HEAD:
                    return
            _upgrade(connection)
    except DatabaseError as error:
        raise StoreError(f"{path} cannot be opened as a database: {error.orig}.") from error


def _upgrade(connection: object) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"The database was written by a newer version of capture-rig ({error}). "
            "Install that version, or choose another --home."
        ) from error
