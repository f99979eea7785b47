"""One file, one writer, readers that cannot write, a schema that keeps itself up to date."""

import sqlite3
import stat
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from rig.store import schema
from rig.store.database import Database
from rig.store.errors import StoreError
from rig.store.tables import metadata, station, xray


@pytest.fixture
def database(tmp_path):
    with Database.open(tmp_path / "rig.db") as one:
        yield one


def add(name):
    row = {"name": name, "token_sha256": name, "created_ns": 1}
    return lambda connection: connection.execute(insert(station).values(**row))


def names(database):
    with database.read() as connection:
        return list(connection.scalars(select(station.c.name)))


def test_the_file_is_durable_strict_and_private(database):
    """WAL, synchronous=FULL, foreign keys; nobody else may read it."""
    with database.read() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        assert [connection.scalar(text(f"PRAGMA {p}")) for p in pragmas] == ["wal", 2, 1]
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600


def test_migrations_lead_to_the_tables(database):
    """What the migrations make is what `tables` says, and `HEAD` is the newest of them."""
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_a_file_of_a_newer_version_is_refused_in_words(database):
    """An unknown revision is not guessed at."""
    path = database.path
    database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num='9999'")))
    database.close()
    with pytest.raises(StoreError, match="newer version"):
        Database.open(path)


def test_what_is_no_database_is_refused_in_words(tmp_path):
    """A sentence, not a stack trace."""
    path = tmp_path / "rig.db"
    path.write_bytes(b"no database at all, but long enough to look like one" * 20)
    with pytest.raises(StoreError, match=r"cannot be opened as a database"):
        Database.open(path)


def test_a_write_is_all_or_nothing_and_its_error_comes_back(database):
    """An exception rolls the transaction back; the writer goes on."""

    def half(connection):
        add("a")(connection)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        database.write_now(half)
    database.write_now(add("b"))
    assert names(database) == ["b"]


def test_readers_cannot_write(database):
    """Only the writer thread writes."""
    with database.read() as connection, pytest.raises(OperationalError, match="readonly"):
        add("a")(connection)


def test_foreign_keys_hold(database):
    """An x-ray without its catalog is refused."""
    row = dict.fromkeys(("key", "path", "file", "sha256", "split"), "x")
    values = {"catalog": "none", "idx": 1, "width": 1, "height": 1, "row": [], **row}
    with pytest.raises(IntegrityError):
        database.write_now(lambda c: c.execute(insert(xray).values(**values)))


def test_errors_do_not_tell_what_was_written(database):
    """Parameters hold patient keys: they stay out of messages that end in a log."""
    database.write_now(add("secret-name"))
    with pytest.raises(IntegrityError) as error:
        database.write_now(add("secret-name"))
    assert "secret-name" not in str(error.value)


def test_writes_of_many_threads_come_one_after_the_other(database):
    """No write is lost and none fails as locked."""
    threads = [
        threading.Thread(target=lambda n=n: database.write_now(add(f"n{n}"))) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 20


def test_another_process_may_write_to_the_same_file(database):
    """A command's transaction and the controller's follow each other."""
    with Database.open(database.path) as other:
        futures = [
            one.write(add(f"{n}{i}"))
            for i in range(10)
            for n, one in (("a", database), ("b", other))
        ]
        for future in futures:
            future.result()
    assert len(names(database)) == 20


def test_a_writer_waits_for_a_foreign_transaction(database):
    """BEGIN IMMEDIATE waits for the lock instead of failing half way."""
    foreign = sqlite3.connect(database.path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    future = database.write(add("a"))
    assert not future.done()
    foreign.execute("COMMIT")
    foreign.close()
    future.result(timeout=20)
    assert names(database) == ["a"]


def test_listeners_hear_of_commits_only(database):
    """A failed write wakes nobody."""
    heard = []
    database.on_commit(lambda: heard.append(1))
    database.write(lambda _: 1 / 0).exception()
    assert heard == []
    database.write_now(add("a"))
    database.write_now(add("b"))
    assert len(heard) >= 1


def test_closing_finishes_what_is_queued_and_then_refuses(database):
    """Nothing that was promised is dropped; it may be closed twice."""
    futures = [database.write(add(f"n{i}")) for i in range(5)]
    database.close()
    database.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(RuntimeError, match="closed"):
        database.write(add("late"))


async def test_coroutines_write_and_read_too(database):
    """`awrite` and `aquery` do not block the loop."""
    await database.awrite(add("a"))
    assert await database.aquery(lambda c: list(c.scalars(select(station.c.name)))) == ["a"]
