"""Hypothesis plays the world: it delivers, drops, repeats, damages, waits, crashes, aborts.

A failure of the machine prints its steps, the seed among them. A failure of a whole night prints
the `rig simulate` command that plays it again.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rig.cli import build_parser
from rig.commands.simulate import _night, replay
from rig.protocol import actions as act
from rig.protocol.actions import WrongCommand
from rig.protocol.display import Phase
from rig.simulation.books import Books, audit
from rig.simulation.faults import Faults
from rig.simulation.network import damage
from rig.simulation.night import Night, NightRig, simulate
from rig.simulation.virtual import DISPLAY_ADDR

COUNT = 3
CAMERAS = (
    Faults(),
    Faults(camera_seconds=3.0),
    Faults(camera=1.0),
    Faults(slow=1.0),
    Faults(hang=1.0),
    Faults(stale=0.5),
)


class ByHand(NightRig):
    """A rig whose datagrams wait until somebody delivers them, and with no person near."""

    def __init__(self, seed: int) -> None:
        night = Night(COUNT, seed)
        super().__init__(night, night.subsets()[0])
        self.flying: list[tuple[str, bytes, act.Addr]] = []
        self.automatic = False
        self.operator.call = lambda: None

    def _transmit(self, who: str, o: act.SendDatagram) -> None:
        if self.automatic:
            super()._transmit(who, o)
        elif who == "phone":
            self.flying.append(("display", o.data, self.phone_addr))
        elif o.addr == self.phone_addr:
            self.flying.append(("phone", o.data, DISPLAY_ADDR))
        del self.flying[:-40]

    def _stopped(self, who: str) -> None:
        pass


class World(RuleBasedStateMachine):
    """Everything that may happen to three x-rays."""

    @initialize(seed=st.integers(0, 2**16), tenths=st.integers(0, 30))
    def start(self, seed: int, tenths: int) -> None:
        """A good beginning of up to 3 s, somewhere in the second or third photo."""
        self.rig = ByHand(seed)
        self.rig.boot()
        self.good_network(tenths / 10)

    def core(self, who: str) -> Any:
        return self.rig.display if who == "display" else self.rig.phone

    def datagram(self, at: int) -> tuple[str, bytes, act.Addr]:
        return self.rig.flying[at % len(self.rig.flying)]

    # -- the network -------------------------------------------------------------------------------

    @rule(many=st.integers(1, 8))
    def deliver(self, many: int) -> None:
        """The oldest ones, each with its answers in between."""
        for _ in range(many):
            if self.rig.flying:
                self.rig._arrive(*self.rig.flying.pop(0))
                self.rig.run_until(lambda: False, limit=0.001)

    @rule(seconds=st.sampled_from((0.05, 0.4, 2.0, 6.0)))
    def good_network(self, seconds: float) -> None:
        """For a while."""
        self.rig.automatic = True
        self.rig.run_until(lambda: False, limit=seconds)
        self.rig.automatic = False

    @precondition(lambda self: self.rig.flying)
    @rule(at=st.integers(0, 39))
    def overtake(self, at: int) -> None:
        item = self.datagram(at)
        self.rig.flying.remove(item)
        self.rig._arrive(*item)

    @precondition(lambda self: self.rig.flying)
    @rule(at=st.integers(0, 39))
    def duplicate(self, at: int) -> None:
        self.rig._arrive(*self.datagram(at))

    @precondition(lambda self: self.rig.flying)
    @rule(at=st.integers(0, 39), rng=st.randoms(use_true_random=False))
    def corrupt(self, at: int, rng: Any) -> None:
        to, data, source = self.datagram(at)
        self.rig._arrive(to, damage(data, rng), source)

    @rule(all_of_them=st.booleans())
    def drop(self, all_of_them: bool) -> None:
        del self.rig.flying[: None if all_of_them else 1]

    @precondition(lambda self: self.rig.display is not None and self.rig.display._armed)
    @rule()
    def roam(self) -> None:
        self.rig.roam()

    # -- time, crashes, devices, people ------------------------------------------------------------

    @rule(seconds=st.sampled_from((0.0002, 0.004, 0.02, 0.2, 1.1, 9.0, 130.0)))
    def advance(self, seconds: float) -> None:
        self.rig.run_until(lambda: False, limit=seconds)

    @rule(
        who=st.sampled_from(("display", "phone")),
        torn=st.booleans(),
        power=st.booleans(),
        back=st.sampled_from((0.0, 0.0, 0.4, 20.0)),
    )
    def crash(self, who: str, torn: bool, power: bool, back: float) -> None:
        if self.core(who) is not None:
            self.rig.crash(who, torn=torn, power=power)
            self.rig.schedule(back, lambda: self.rig.restart(who))

    @rule(who=st.sampled_from(("display", "phone")), steps=st.integers(0, 20))
    def doom(self, who: str, steps: int) -> None:
        self.rig.doom[who] = steps

    @rule(who=st.sampled_from(("display", "phone")))
    def start_again(self, who: str) -> None:
        self.rig.restart(who)

    @rule(faults=st.sampled_from(CAMERAS))
    def camera(self, faults: Faults) -> None:
        self.rig.faults = replace(faults, disturb=self.rig.faults.disturb)

    @rule(chance=st.sampled_from((0.0, 0.5)))
    def disturb(self, chance: float) -> None:
        self.rig.faults = replace(self.rig.faults, disturb=chance)

    @rule(disk=st.sampled_from(("store", "low", "phone", "display")))
    def fill(self, disk: str) -> None:
        self.rig._fill(disk)

    @rule()
    def make_room(self) -> None:
        self.rig.mend_disks()

    @rule(command=st.sampled_from(("pause", "resume", "abort", "rearm")))
    def person(self, command: Any) -> None:
        display = self.rig.display
        if display is None:
            return
        latch = display.ledger.latch
        abort_id = latch.abort_id if latch else None
        with suppress(WrongCommand):
            self.rig.tell("display", lambda now: display.operator(command, now, abort_id))

    # -- what must hold ----------------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        rig = self.rig
        assert rig.watch.problems == []
        for name in rig.stored_names() - rig.folder.stale:
            assert name in rig.files
        if rig.completed():
            assert rig.display is not None
            assert len(rig.display.ledger.done) == COUNT

    def teardown(self) -> None:
        """From wherever it is, a good world brings it to its end (liveness), with good books."""
        if not hasattr(self, "rig"):
            return
        rig = self.rig
        rig.automatic, rig.faults = True, Faults()
        rig.doom.clear()
        rig.flying.clear()
        rig.mend_disks()
        end = rig.now + 3600.0
        while not (rig.completed() and rig.phone is not None):
            assert rig.now < end, f"never finished: {self.rig.display and self.rig.display.phase}"
            self.help()
            rig.step()
        journal = bytes(rig.display_disk)
        books = audit([(rig.subset, journal)], bytes(rig.phone_disk), rig.folder)
        assert replace(books, stale_frames=0) == Books(committed=COUNT)
        assert rig.watch.problems == []

    def help(self) -> None:
        """A person who is always there."""
        rig, display = self.rig, self.rig.display
        for who in ("display", "phone"):
            rig.restart(who)
        if display is None:
            return
        if display.paused is not None:
            if "restart the phone agent" in display.paused.why:
                rig.stop("phone")
                rig.boot_phone()
            rig.tell("display", lambda now: display.operator("resume", now))
        elif display.phase is Phase.ABORTED and display.ledger.latch is not None:
            latch = display.ledger.latch.abort_id
            rig.tell("display", lambda now: display.operator("rearm", now, latch))


def test_whatever_hypothesis_does_to_it_three_x_rays_get_three_photos():
    run_state_machine_as_test(
        World,
        settings=settings(
            max_examples=300,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def _words(draw: st.DataObject) -> list[str]:
    chance = st.sampled_from((0.0, 0.05, 0.3))
    words = ["simulate", "--captures", str(draw.draw(st.integers(1, 12), "captures"))]
    words += ["--seed", str(draw.draw(st.integers(0, 2**32), "seed"))]
    for option in ("loss", "duplicate", "reorder", "corrupt", "camera-faults", "screen-faults"):
        words += [f"--{option}", str(draw.draw(chance, option))]
    for option, most in (("crashes", 15), ("disk-faults", 3)):
        words += [f"--{option}", str(draw.draw(st.integers(0, most), option))]
    words += ["--delay-ms", str(draw.draw(st.sampled_from((0, 2, 150)), "delay"))]
    return [*words, "--subset-size", str(draw.draw(st.sampled_from((1, 4, 500)), "subset"))]


@settings(max_examples=60, deadline=None, database=None)
@given(st.data())
def test_whatever_the_options_a_night_ends_well(data: st.DataObject):
    """A failure is a command line that anybody can play again."""
    args: argparse.Namespace = build_parser("simulate").parse_args(_words(data))
    problems = simulate(_night(args)).problems
    assert not problems, f"{problems[:3]}; replay: {replay(args)}"
