"""Every photo says how each level of its environment was known when it was taken, and the light."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rig.capture import campaigns, conditions, photos, projections, sessions, stations
from rig.capture.condition_rows import Known
from rig.catalog.model import Xray
from rig.dataset.captures import CaptureWriter, Stored, iter_captures, photo_row
from rig.dataset.from_store import read_campaign
from rig.dataset.records import Spool, listed
from rig.planning.model import Environment
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database
from rig.store.events import Event

SESSION = "s" + "1" * 16
LEVELS = {"blinds": "closed", "cursor": "hidden", "lamp": "on", "room_light": "bright"}
"""By a person, the display, a relay that cannot tell, an actuator that reads back."""


@pytest.fixture
def home(tmp_path: Path) -> Any:
    """A home with three verified photos, triggered at 200, 400 and 600."""
    with Database.open(tmp_path / "rig.db") as database:
        database.write_now(_set_up)
        for index, trigger in ((1, 200), (2, 400), (3, 600)):
            database.write_now(lambda c, i=index, t=trigger: _shoot(c, i, t))
        yield database, tmp_path


def _set_up(c: Any) -> None:
    row = ("p", "Male", "50", "Frontal", "AP", *["1.0"] * 14)
    xrays = [
        Xray(
            i, f"patient{i:05d}/study1/view1_frontal", f"D/{i}.jpg", Path(f"/d/{i}.jpg"),
            f"{i:064x}", 30, 40, "train", row,
        )
        for i in (1, 2, 3)
    ]  # fmt: skip
    catalogs.save(c, Catalog("c" * 16, "cat", "/a", "/d", "csv", 0, 3, [], 1), xrays)
    campaigns.create(
        c, new_id="ca" * 8, name="camp", catalog="cat", device="nokia", now_ns=2,
        chosen=[Environment("e1", LEVELS)], size_min=3, size_max=3, seed=1,
    )  # fmt: skip
    stations.add(c, "room-1", "token-1", 3)
    sessions.create(c, new_id=SESSION, campaign="camp", subset=1, station="room-1", now_ns=10)
    session = sessions.find(c, SESSION)
    conditions.confirm(c, session, ["blinds"], name="anna", now_ns=100)
    told: list[tuple[str, str, Known, str | None, int]] = [
        ("lamp", "relay", Known.UNCONFIRMED, None, 110),
        ("room_light", "dimmer", Known.CONFIRMED, "on, 230.5 lux", 120),
    ]
    for factor, by, state, readback, at in told:
        conditions.applied(
            c, SESSION, factor, by=by, state=state, readback=readback, why=None, now_ns=at
        )
    dark = {"factor": "room_light", "sensor": "meter", "lux": 12, "why": "dark"}
    projections.record(c, Event("light_out", 300, 300, "controller", SESSION, body=dark))
    conditions.applied(
        c, SESSION, "room_light", by="dimmer", state=Known.DIFFERS, readback="off", why="burnt",
        now_ns=500,
    )  # fmt: skip
    fake = {"factor": "room_light", "lux": 999}
    projections.record(
        c, Event("light_back", 550, 550, "station:room-1", SESSION, next(_SEQ), body=fake)
    )


_SEQ = itertools.count(1)


def _shoot(c: Any, index: int, trigger: int) -> None:
    seq = sessions.find(c, SESSION).source_seq
    sha = hashlib.sha256(b"%d" % index).hexdigest()
    name = f"{index}.jpg"
    bodies: list[tuple[str, int, dict[str, Any]]] = [
        ("painted", trigger - 5, {"gains": [1.0, 1.0, 1.0], "cursor": None}),
        ("committed", trigger + 5, {"sha256": sha, "size": 1, "name": name,
                                    "t_trigger_ns": trigger}),
    ]  # fmt: skip
    for number, (kind, at, body) in enumerate(bodies, seq + 1):
        event = Event(kind, at, at, "station:room-1", SESSION, number, index, 1, body)
        projections.record(c, event)
    photos.received(
        c, SESSION, name=name, index=index, attempt=1, actor="phone:room-1", sha256=sha, size=1,
        now_ns=trigger + 10,
    )  # fmt: skip
    body = {"name": name, "verified": True, "score": 0.9}
    event = Event("photo_verified", trigger + 20, trigger + 20, "controller", SESSION, None, index,
                  1, body)  # fmt: skip
    projections.record(c, event)


def _rows(home: Any, tmp_path: Path) -> list[dict[str, Any]]:
    database, folder = home
    with database.read() as connection:
        shot = read_campaign(connection, folder, "camp")
    assert [one.xray.index for one in shot.photos] == [1, 2, 3], shot.gaps
    (tmp_path / "out").mkdir()
    with (
        Spool(listed(shot.xrays, shot.photos, shot.gaps)) as spool,  # as a build keeps them
        CaptureWriter(tmp_path / "out" / "captures.parquet", "d-v1.0", sorted(LEVELS)) as writer,
    ):
        for record in spool:
            for one in record.photos:
                writer.add(photo_row(Stored(one, "p", one.sha256, 1)))
    return list(iter_captures(tmp_path / "out"))


def test_who_vouched_since_when_and_what_was_read_back(home: Any, tmp_path: Path) -> None:
    """At the time of each trigger, not at the end of the session."""
    first, second, third = _rows(home, tmp_path)
    assert first["factor_room_light"] == "bright"
    assert {k: first[f"confirmed_by_{k}"] for k in LEVELS} == {
        "blinds": "operator", "cursor": "display", "lamp": "assumed", "room_light": "readback",
    }  # fmt: skip
    assert (first["confirmed_ns_blinds"], first["confirmed_ns_room_light"]) == (100, 120)
    assert first["readback_room_light"] == "on, 230.5 lux"
    assert second["confirmed_by_room_light"] == "readback"
    assert (third["confirmed_by_room_light"], third["confirmed_ns_room_light"]) == ("differs", 500)


def test_the_light_is_the_last_reading_before_the_trigger(home: Any, tmp_path: Path) -> None:
    """Read back at setting, then out of its band; a station's word on light means nothing."""
    rows = _rows(home, tmp_path)
    assert [(row["light_lux"], row["light_ns"]) for row in rows] == [
        (230.5, 120), (12.0, 300), (12.0, 300),
    ]  # fmt: skip


def test_a_photo_without_a_record_has_empty_columns(home: Any, tmp_path: Path) -> None:
    """The columns are there all the same: rows of other campaigns may have them."""
    database, folder = home
    with database.read() as connection:
        shot = read_campaign(connection, folder, "camp")
    from dataclasses import replace

    from rig.dataset.conditions import UNKNOWN

    bare = photo_row(Stored(replace(shot.photos[0], conditions=UNKNOWN), "p", "0" * 64, 1))
    with CaptureWriter(tmp_path / "captures.parquet", "d-v1.0", sorted(LEVELS)) as writer:
        writer.add(bare)
    table = pq.read_table(tmp_path / "captures.parquet")
    assert table.column("confirmed_by_blinds").to_pylist() == [None]
    assert table.column("light_lux").to_pylist() == [None]
