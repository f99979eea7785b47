"""Stations are known by their token; at most one agent of each is connected."""

import asyncio

import pytest

from rig.capture import stations
from rig.capture.stations import Hub, StationAwayError
from rig.store.errors import ConflictError, NotFoundError
from rig.store.tables import station


def test_a_token_finds_its_station_and_is_not_kept(rig, database):
    """Only its hash is in the file."""
    with database.read() as connection:
        assert stations.by_token(connection, "token-2") == "room-2"
        assert stations.by_token(connection, "other") is None
        kept = connection.execute(station.select()).all()
    assert "token-2" not in str(kept)


def test_names_are_taken_once(rig, database):
    """A second one of the same name is refused."""
    with pytest.raises(ConflictError):
        rig(lambda c: stations.add(c, "room-1", "x", 1))
    with pytest.raises(NotFoundError, match="room-1, room-2"):
        database.query(lambda c: stations.find(c, "room-3"))


async def test_the_age_of_a_link_grows_until_it_is_heard():
    """By the hub's clock, in milliseconds."""
    now = [100.0]
    hub = Hub(lambda: now[0])
    link = hub.join("a")
    now[0] = 103.5
    assert hub.view("a")["heard_age_ms"] == 3500
    hub.heard(link)
    assert hub.view("a")["heard_age_ms"] == 0
    assert hub.view("b") == {"name": "b", "connected": False, "heard_age_ms": None}


async def test_a_reply_goes_to_its_command_only():
    """Late, doubled and foreign replies are dropped."""
    link = Hub(lambda: 0.0).join("a")
    call = asyncio.create_task(link.call("load", "s1", plan={}))
    sent = await link.outbox.get()
    assert (sent["do"], sent["session"]) == ("load", "s1")
    for number in (99, None, "1"):
        link.answered({"id": number, "ok": False})
    assert not call.done()
    link.answered({"id": sent["id"], "ok": True})
    link.answered({"id": sent["id"], "ok": False})
    assert (await call)["ok"] is True


async def test_who_waits_for_a_station_that_leaves_is_told():
    """Not left hanging."""
    hub = Hub(lambda: 0.0)
    link = hub.join("a")
    call = asyncio.create_task(link.call("start", "s1"))
    await link.outbox.get()
    hub.leave(link)
    with pytest.raises(StationAwayError, match="went away"):
        await call
    with pytest.raises(StationAwayError, match="not connected"):
        hub.need("a")


async def test_the_newer_connection_is_the_station():
    """The older is ended, and its leaving does not remove the newer."""
    hub = Hub(lambda: 0.0)
    old, new = hub.join("a"), hub.join("a")
    assert await old.outbox.get() is None
    hub.leave(old)
    assert hub.get("a") is new


async def test_an_agent_that_does_not_read_is_noticed():
    """The queue to it is bounded."""
    link = Hub(lambda: 0.0).join("a")
    for _ in range(link.outbox.maxsize):
        link.send({})
    with pytest.raises(StationAwayError, match="does not take"):
        link.send({})


def test_a_station_that_an_earlier_controller_heard_has_an_age(rig, session, database):
    """By the log: when it came, when it left, and the last event of its sessions."""
    from rig.capture import projections
    from rig.store.events import Event

    came = Event("station_connected", 40, 40, "station:room-2", body={"name": "room-2"})
    rig(lambda c: projections.record(c, came))
    told = Event("armed", 50, 77, "station:room-1", session, 1)
    rig(lambda c: projections.record(c, told))
    with database.read() as connection:
        assert stations.heard(connection) == {"room-1": 77, "room-2": 40}
    hub = Hub(lambda: 100.0)
    hub.recall("room-1", 8.0)
    assert hub.view("room-1")["heard_age_ms"] == 8000
    hub.leave(hub.join("room-1"))
    hub.recall("room-1", 8.0)
    assert hub.view("room-1")["heard_age_ms"] == 0
