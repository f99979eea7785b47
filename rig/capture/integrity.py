"""Whether the tables that pages read are what the log of events says."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, Connection, Table, create_engine, text

from rig.capture import projections
from rig.store import snapshot, tables
from rig.store.database import Database
from rig.store.errors import StoreError
from rig.store.integrity import Problem
from rig.store.manifest import DATABASE

UNPROJECTED = frozenset({"event", "xray"})
"""The log itself, and the one large table that no event ever changes."""
_REMEDY = (
    "Keep the home as it is, take a backup and report this with `rig check --json`: the log is the "
    "truth, but pages show the table."
)


def compare(path: Path) -> Iterator[Problem]:
    """Rebuild every projection of the database *path* in a copy of it and compare row by row.

    Args:
        path: the database; it is only read, and may be in use.

    Raises:
        StoreError: the database is damaged or newer, or there is no room for the copy.
    """
    size = path.stat().st_size
    with tempfile.TemporaryDirectory(prefix="rig-check-") as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 3 * size:
            raise StoreError(
                f"{folder.parent} has no room for a copy of the database ({3 * size / 1e9:.1f} GB "
                "with the rebuilt tables). Point TMPDIR to a disk that has."
            )
        copy = folder / DATABASE
        snapshot.copy_database(path, copy, lambda _done, _total: None)
        Database.open(copy).close()  # an older schema is brought up to date in the copy
        # On this thread, so that Ctrl-C ends it; what is thrown away need not be durable.
        engine = create_engine(URL.create("sqlite", database=str(copy)), hide_parameters=True)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("PRAGMA cache_size=-65536")
                yield from _differences(connection)
        finally:
            engine.dispose()


def _differences(connection: Connection) -> list[Problem]:
    compared = [one for one in tables.metadata.sorted_tables if one.name not in UNPROJECTED]
    for table in compared:
        # The names are our own tables'.
        copied = f'CREATE TABLE "{_kept(table)}" AS SELECT * FROM "{table}"'  # noqa: S608 - see above
        connection.execute(text(copied))
    try:
        projections.rebuild(connection)
    except Exception as error:  # noqa: BLE001 - whatever stops the replay is the finding
        why = f"the log cannot be replayed: {type(error).__name__}"
        return [Problem("bad", "projection", "event", why, _REMEDY)]
    return [one for table in compared for one in _compare(connection, table)]


def _kept(table: Table) -> str:
    return f"kept_{table.name}"


def _compare(connection: Connection, table: Table) -> Iterator[Problem]:
    pairs = ((_kept(table), table.name, "not from the log"), (table.name, _kept(table), "missing"))
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
    for one, other, how in pairs:
        only = f'SELECT * FROM "{one}" EXCEPT SELECT * FROM "{other}"'  # noqa: S608 - our own names
        query = f"SELECT {keys}, count(*) OVER () FROM ({only}) LIMIT 1"  # noqa: S608 - the same
        row = connection.execute(text(query)).first()
        if row is not None:
            first = "/".join(str(part) for part in row[:-1])
            detail = f"{row[-1]} rows are {how} or differ, the first is {first}"
            yield Problem("bad", "projection", table.name, detail, _REMEDY)
