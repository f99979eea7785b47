"""Catalogs are kept once, in order, and never change."""

from pathlib import Path

import pytest

from rig.catalog.model import Xray
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database
from rig.store.errors import ConflictError, NotFoundError, StoreError


@pytest.fixture
def database(tmp_path):
    with Database.open(tmp_path / "rig.db") as one:
        yield one


def xrays(n):
    return [
        Xray(
            i,
            f"patient{i}/study1/view1",
            f"D/{i}.jpg",
            Path(f"/d/{i}.jpg"),
            f"{i:064x}",
            3,
            4,
            "train",
            ("x",) * 19,
        )
        for i in range(1, n + 1)
    ]


def keep(database, name="one", n=3):
    kept = Catalog(name.ljust(16, "0"), name, "/a.csv", "/d", "csv", 0, n, [{"line": 2}], 7)
    database.write_now(lambda c: catalogs.save(c, kept, xrays(n)))
    return kept


def test_a_catalog_comes_back_whole_and_in_order(database):
    """The x-rays equal those that were kept."""
    kept = keep(database)
    with database.read() as connection:
        assert catalogs.find(connection, "one") == kept
        assert catalogs.xrays(connection, kept.id) == tuple(xrays(3))
        assert [x.index for x in catalogs.xrays(connection, kept.id, 2, 3)] == [2, 3]
        assert catalogs.image_file(connection, f"{2:064x}") == Path("/d/2.jpg")
        assert catalogs.every(connection) == [kept]


def test_a_taken_name_is_a_conflict_and_changes_nothing(database):
    """Catalogs never change."""
    keep(database)
    with pytest.raises(ConflictError, match="exists already"):
        keep(database, n=2)
    with database.read() as connection:
        assert catalogs.find(connection, "one").count == 3


@pytest.mark.parametrize("name", ["", "a/b", "..", ".a", "a b", "a" * 65, "ä"])
def test_names_that_could_be_trouble_are_refused(database, name):
    """Letters, digits, dots, dashes, underscores."""
    with pytest.raises(StoreError):
        keep(database, name)


def test_what_is_not_known_is_not_found_and_the_known_are_named(database):
    """The sentence helps to find the right name."""
    keep(database)
    with database.read() as connection:
        with pytest.raises(NotFoundError, match="Known: one"):
            catalogs.find(connection, "two")
        with pytest.raises(NotFoundError):
            catalogs.image_file(connection, "0" * 64)
