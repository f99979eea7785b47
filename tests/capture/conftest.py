"""A database with a catalog, a campaign and a station."""

from pathlib import Path

import pytest

from rig.capture import campaigns, sessions, stations
from rig.catalog.model import Xray
from rig.planning.model import Environment
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database


@pytest.fixture
def database(tmp_path):
    with Database.open(tmp_path / "rig.db") as one:
        yield one


@pytest.fixture
def rig(database):
    """`rig(fn)` runs *fn* in one write transaction; two stations, six x-rays, two subsets."""

    def set_up(connection):
        xrays = [
            Xray(
                i,
                f"patient{i:05d}/study1/view1_frontal",
                f"D/{i}.jpg",
                Path(f"/d/{i}.jpg"),
                f"{i:064x}",
                30,
                40,
                "train",
                ("p", "Male", "50", "Frontal", "AP", *[str(float(i % 2))] * 14),
            )
            for i in range(1, 7)
        ]
        kept = Catalog("c" * 16, "cat", "/a.csv", "/d", "csv", 0, 6, [], 1)
        catalogs.save(connection, kept, xrays)
        campaigns.create(
            connection,
            new_id="ca" * 8,
            name="camp",
            catalog="cat",
            device="nokia",
            now_ns=2,
            chosen=[Environment("e1", {"light": "on"}), Environment("e2", {"light": "off"})],
            size_min=3,
            size_max=3,
            seed=1,
        )
        stations.add(connection, "room-1", "token-1", 3)
        stations.add(connection, "room-2", "token-2", 3)

    database.write_now(set_up)
    return database.write_now


@pytest.fixture
def session(rig):
    """The id of a new session of subset 1 on room-1."""
    sid = "s" + "1" * 16
    rig(
        lambda c: sessions.create(
            c, new_id=sid, campaign="camp", subset=1, station="room-1", now_ns=10
        )
    )
    return sid
