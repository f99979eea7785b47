"""The virtual rig: the real cores survive a bad world, and every run can be had again."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code
from rig.protocol.display import Phase
from rig.simulation.virtual import Faults, VirtualRig, subset_of

CLEAN = Faults()
BAD = Faults(loss=0.2, duplicate=0.1, reorder=0.2, camera=0.1, disturb=0.05)


class Witness(VirtualRig):
    """Checks the invariants S1-S5 after every step, from the outside."""

    def check(self) -> None:
        if self.display is None or self.phone is None:
            return
        first = self.subset.first
        done = [(d.index, d.attempt, d.sha256) for d in self.display.ledger.done]
        run = self.phone.ledger.run(self.subset.campaign, self.subset.subset)
        shots = run.committed_shots() if run else []
        committed = [(s.index, s.attempt, s.sha256) for s in shots]
        assert [d[0] for d in done] == list(range(first, first + len(done))), "S1 display"
        assert [c[0] for c in committed] == list(range(first, first + len(shots))), "S1 phone"
        assert {self.files[s.name] - s.index for s in shots} <= {0}, "S2 photo shows another x-ray"
        if self.completed():
            assert committed == done, "S3 complete with different books"
            assert len(done) == self.subset.count, "S3 complete too early"
        if self.phone.ledger.latch is not None:
            assert run is None or run.open is None, "S4 an exposure is open while aborted"
        assert committed == done[: len(committed)], "S5 committed what was not decided"
        assert len(done) - len(committed) <= 1, "S5 decided two ahead of the phone"
        if len(done) > len(committed):
            shot = run.doubtful if run else None
            assert shot is not None, "S5 the phone does not hold the photo that was decided"
            assert (shot.index, shot.attempt, shot.sha256) == done[-1], "S5 it holds another one"
            assert self.files[shot.name] == shot.index, "S2 decided photo shows another x-ray"

    def step(self) -> bool:
        happened = super().step()
        self.check()
        return happened

    def play(self, limit: float = 3000.0) -> VirtualRig:
        """To the end; a person resumes every pause."""
        end = self.now + limit
        while not (self.completed() and self.phone is not None):
            assert self.now < end, f"not finished after {limit:g} s: {self.audit.events[-3:]}"
            assert self.step(), "nothing will ever happen again"
            if self.display is not None and self.display.paused is not None:
                self.tell("display", lambda now: self.display.operator("resume", now))
        return self


def _rig(seed: int, faults: Faults = BAD, count: int = 8, crashes: int = 0, **more: Any) -> Witness:
    """A rig that is started, with *crashes* at random times of random agents."""
    rig = Witness(subset_of(count), seed=seed, faults=faults, **more)
    rig.boot()
    rng = random.Random(seed)
    for _ in range(crashes):
        who = rng.choice(("display", "phone"))
        boot = rig.boot_display if who == "display" else rig.boot_phone
        rig.schedule(rng.uniform(0.0, 1.5 * count), lambda w=who, b=boot: _crash(rig, w, b))
    return rig


def _crash(rig: VirtualRig, who: str, boot: Any) -> None:
    if (rig.display if who == "display" else rig.phone) is not None:
        rig.crash(who)
        rig.schedule(0.5, boot)


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.2, 0.3, 0.4])
def test_loss_duplicates_and_reordering_only_delay(loss: float):
    """Up to 40 % of all datagrams lost: one shutter an x-ray all the same."""
    for seed in range(4):
        faults = Faults(loss=loss, duplicate=0.2, reorder=0.3)
        rig = _rig(seed, faults).play()
        assert rig.audit.shutters == 8
        assert rig.quarantine == []


@pytest.mark.parametrize("block", range(6))
def test_every_fault_at_once_and_crashes_of_both_sides_are_survived(block: int):
    """Loss, duplicates, reordering, camera faults, disturbances, crashes: S1-S5 at every step."""
    for seed in range(40 * block, 40 * block + 40):
        rng = random.Random(seed)
        faults = Faults(
            loss=rng.uniform(0, 0.4), duplicate=rng.uniform(0, 0.3), reorder=rng.uniform(0, 0.4),
            camera=rng.uniform(0, 0.3), disturb=rng.uniform(0, 0.2),
            delay=rng.choice((0.001, 0.02, 0.3)),
        )  # fmt: skip
        _rig(seed, faults, crashes=rng.randrange(6)).play()


@pytest.mark.parametrize("who", ["display", "phone"])
def test_one_side_crashing_all_the_time_is_survived(who: str):
    for seed in range(4):
        rig = _rig(seed, Faults(loss=0.1))
        boot = rig.boot_display if who == "display" else rig.boot_phone
        for n in range(12):
            rig.schedule(0.3 + 0.83 * n, lambda r=rig, b=boot: _crash(r, who, b))
        rig.play()
        assert rig.audit.crashes == 12


def test_the_whole_subset_is_a_range_that_begins_anywhere():
    rig = Witness(subset_of(5, subset=7, first=4711), seed=1)
    rig.boot()
    rig.play()
    assert [d.index for d in rig.display.ledger.done] == list(range(4711, 4716))


def test_the_same_seed_is_the_same_run_byte_for_byte():
    """Both journals, the events, the clock and the number of datagrams."""
    one, two = (_rig(3, crashes=3).play() for _ in range(2))
    assert one.display_disk == two.display_disk
    assert one.phone_disk == two.phone_disk
    assert one.audit == two.audit
    assert one.now == two.now


def test_another_seed_is_another_run():
    one, two = _rig(3).play(), _rig(4).play()
    assert one.phone_disk != two.phone_disk
    assert one.now != two.now


def test_a_clean_network_needs_at_most_six_datagrams_a_capture():
    rig = _rig(0, CLEAN, count=100).play()
    assert rig.audit.datagrams <= 6 * 100
    assert rig.audit.shutters == 100


def test_a_slow_camera_costs_polls_and_nothing_else():
    rig = _rig(0, Faults(camera_seconds=5.0), count=5).play()
    assert rig.audit.shutters == 5
    assert rig.audit.datagrams <= 5 * 30


def test_a_camera_that_hangs_fires_late_and_is_quarantined_or_killed():
    """Its ticket is not the open INTENT any more."""
    rig = _rig(5, Faults(camera=0.6), count=20).play()
    codes = {e.code for e in rig.audit.events if isinstance(e, act.ExposureFailed)}
    assert codes == {
        Code.CAMERA_ERROR, Code.CAMERA_EMPTY, Code.CAMERA_BAD_JPEG, Code.CAMERA_TIMEOUT
    }  # fmt: skip


def test_disturbed_photos_are_kept_apart():
    rig = _rig(2, Faults(disturb=0.5), count=6).play()
    assert rig.quarantine
    kept = rig.stored_names()
    assert not kept & set(rig.quarantine)
    assert rig.audit.shutters == 6 + len(rig.quarantine)


def test_the_camera_outlives_the_phone_agent():
    """It fires although the agent that asked is dead; nobody takes its photo for one."""
    rig = _rig(0, Faults(camera_seconds=2.0), count=2)
    assert rig.run_until(lambda: rig.phone._camera is not None, limit=10.0)
    rig.crash("phone")
    rig.boot_phone()
    assert rig.run_until(lambda: rig.audit.shutters == 1, limit=10.0)
    rig.play()
    assert rig.audit.shutters == 3


def test_a_crash_loses_what_was_not_yet_durable_and_nothing_else():
    rig = _rig(0, CLEAN, count=3)
    assert rig.run_until(lambda: rig.display.ledger.next_index == 2, limit=10.0)
    disk = bytes(rig.display_disk)
    rig.crash("display")
    assert rig.display is None
    assert rig.on_screen is None
    rig.run_until(lambda: False, limit=1.0)
    assert rig.display_disk == disk
    rig.boot_display()
    rig.play()


def test_run_until_stops_at_its_limit():
    rig = Witness(subset_of(2), seed=0)
    assert not rig.step()
    assert not rig.run_until(lambda: False, limit=5.0)
    assert rig.now == 5.0
    rig.boot()
    assert rig.run_until(lambda: rig.display.phase is Phase.ARM, limit=5.0)
    assert 5.0 < rig.now < 6.0


def test_nothing_is_known_of_a_rig_that_is_off():
    rig = Witness(subset_of(2), seed=0)
    assert not rig.completed()
    assert rig.stored_names() == set()
