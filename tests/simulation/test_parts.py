"""The parts of the simulated world, one by one."""

from __future__ import annotations

import random
from collections import Counter

from rig.protocol.codes import Timers
from rig.simulation.camera import FAILURES, Outcome, expose
from rig.simulation.clock import VirtualClock
from rig.simulation.disk import Folder, file_hash
from rig.simulation.faults import Faults
from rig.simulation.network import Network, damage

DATA = bytes(range(74))


def _network(seed: int = 1) -> Network:
    return Network(random.Random(seed))


def test_a_good_network_carries_everything_once():
    network = _network()
    for _ in range(50):
        ((delay, data),) = network.carry(DATA, Faults(delay=0.1), 0.0)
        assert 0.05 <= delay <= 0.15
        assert data == DATA


def test_a_bad_network_does_everything_about_as_often_as_it_is_told():
    network = _network()
    faults = Faults(loss=0.2, duplicate=0.3, reorder=0.1, corrupt=0.1)
    copies = [c for _ in range(2000) for c in network.carry(DATA, faults, 0.0)]
    traffic = network.traffic
    assert 540 <= traffic.duplicated <= 660
    assert len(copies) == 2000 + traffic.duplicated - traffic.lost
    assert 0.17 <= traffic.lost / (2000 + traffic.duplicated) <= 0.23
    assert 0.08 <= traffic.reordered / len(copies) <= 0.12
    assert traffic.corrupted == sum(data != DATA for _, data in copies) > 100


def test_nothing_gets_through_between_two_access_points():
    network = _network()
    network.silent_until = 2.0
    assert network.carry(DATA, Faults(), 1.9) == []
    assert len(network.carry(DATA, Faults(), 2.0)) == 1


def test_counts_are_told_by_type():
    network = _network()
    network.count(b"XC\x01\x06" + bytes(70))
    network.count(b"XC\x01\x07" + bytes(80))
    network.misdirect()
    told = network.traffic.as_json()
    assert told["types"] == {"CAPTURE": 1, "ACCEPTED": 1}
    assert (told["sent"], told["bytes"], told["misdirected"]) == (2, 158, 1)


def test_damage_always_changes_something():
    rng = random.Random(4)
    damaged = [damage(DATA, rng) for _ in range(300)]
    assert DATA not in damaged
    assert {len(d) < len(DATA) for d in damaged} == {True, False}


def test_a_good_camera_takes_photos_in_about_its_time():
    rng = random.Random(5)
    plans = [expose(Faults(camera_seconds=2.0), Timers(), rng) for _ in range(200)]
    assert {p.outcome for p in plans} == {Outcome.PHOTO}
    assert 1.8 < sorted(p.seconds for p in plans)[100] < 2.2


def test_a_bad_camera_does_all_that_cameras_do():
    """And never takes longer than it may when it is only slow."""
    rng, timers = random.Random(6), Timers()
    faults = Faults(camera=0.5, hang=0.1, stale=0.2, slow=0.2)
    seen = Counter[Outcome]()
    for _ in range(1000):
        plan = expose(faults, timers, rng)
        seen[plan.outcome] += 1
        if plan.outcome in (Outcome.LATE, Outcome.VERY_LATE):
            assert plan.seconds > timers.camera
        elif plan.outcome is Outcome.PHOTO:
            assert plan.seconds < timers.camera
    assert set(seen) == set(Outcome)
    assert set(FAILURES) < set(seen)


def test_a_folder_keeps_contents_and_hash_through_a_rename():
    folder = Folder()
    sha = folder.expose("1.1.part", 7, stale=True)
    assert folder.rename("1.1.part", "x.jpg") == 7
    assert folder.files == {"x.jpg": 7}
    assert folder.hashes == {"x.jpg": sha} == {"x.jpg": file_hash("1.1.part", 7)}
    assert folder.stale == {"x.jpg"}


def test_a_folder_puts_aside_what_no_journal_knows_and_loses_what_was_never_synced():
    folder = Folder()
    for name in ("a.jpg", "b.jpg", "2.1.part"):
        folder.expose(name, 1, stale=True)
    folder.lose_staging()
    assert set(folder.files) == {"a.jpg", "b.jpg"}
    folder.keep({"a.jpg"})
    folder.discard("never.jpg")
    assert folder.quarantine == ["b.jpg"]
    assert set(folder.files) == set(folder.hashes) == folder.stale == {"a.jpg"}


def test_a_clock_lets_things_happen_in_order_and_equal_times_in_the_order_of_asking():
    clock, seen = VirtualClock(), list[str]()
    for seconds, name in ((2.0, "c"), (1.0, "a"), (1.0, "b")):
        clock.schedule(seconds, lambda name=name: seen.append(name))  # type: ignore[misc]
    assert clock.run_until(lambda: len(seen) == 2, limit=9.0)
    assert (seen, clock.now) == (["a", "b"], 1.0)
    assert not clock.run_until(lambda: False, limit=0.5)
    assert (seen, clock.now) == (["a", "b"], 1.5)
    assert clock.step()
    assert not clock.step()
