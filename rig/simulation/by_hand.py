"""A rig whose every misfortune is said by hand: datagrams wait until a step lets them arrive."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Literal, cast

from rig.protocol import actions as act
from rig.protocol.actions import WrongCommand
from rig.protocol.display import Phase
from rig.simulation.books import audit
from rig.simulation.faults import Faults
from rig.simulation.network import damage
from rig.simulation.night import Night, NightRig, Outcome, program_failed
from rig.simulation.script import CAMERAS, COMMANDS, Step, Value
from rig.simulation.virtual import DISPLAY_ADDR

_FLYING = 40
"""So many datagrams are kept on their way; older ones are lost."""
_MOMENT = 0.001
_END = 3600.0
"""Virtual seconds in which a good world must bring any rig to its end."""
Command = Literal["pause", "pause_now", "resume", "abort", "rearm"]


class ByHand(NightRig):
    """One subset, watched, with no person near and a network that waits for its steps."""

    def __init__(self, captures: int, seed: int) -> None:
        self.night = Night(captures, seed, subset_size=captures)
        super().__init__(self.night, self.night.subsets()[0])
        self.flying: list[tuple[str, bytes, act.Addr]] = []
        self._automatic = False
        self.operator.call = lambda: None  # type: ignore[method-assign]
        self.boot()

    def play(self, step: Step) -> None:
        """Do *step*, then look whether all is as it must be.

        What a core must never do, or an exception out of one, is a sentence in `watch.problems`.
        """
        try:
            if step.verb in COMMANDS:
                self._command(cast("Command", step.verb))
            else:
                getattr(self, f"_do_{step.verb}")(*step.values)
        except Exception as error:  # noqa: BLE001 - a core that fails is a finding
            self.watch.problems.append(program_failed(error, self.now))
        for name in sorted(self.stored_names() - self.folder.stale - self.files.keys()):
            self.watch.problems.append(f"The phone's journal holds {name}, which has no file.")

    def finish(self) -> Outcome:
        """From wherever it is, a good world and a person bring it to its end; then the books."""
        self._automatic, self.faults = True, Faults()
        self.doom.clear()
        self.flying.clear()
        self.mend_disks()
        end = self.now + _END
        try:
            while not (self.completed() and self.phone is not None):
                if self.now > end:
                    phase = self.display.phase.value if self.display else "gone"
                    self.watch.problems.append(
                        f"Not complete after a good hour; the display is {phase}."
                    )
                    break
                self._help()
                self.step()
        except Exception as error:  # noqa: BLE001 - a core that fails is a finding
            self.watch.problems.append(program_failed(error, self.now))
        journal = bytes(self.display_disk)
        books = audit([(self.subset, journal)], bytes(self.phone_disk), self.folder)
        return Outcome(self.night, self, books, (journal,))

    # -- the network -------------------------------------------------------------------------------

    def _transmit(self, who: str, o: act.SendDatagram) -> None:
        if self._automatic:
            super()._transmit(who, o)
            return
        self.network.count(o.data)
        if who == "phone":
            self.flying.append(("display", o.data, self.phone_addr))
        elif o.addr == self.phone_addr:
            self.flying.append(("phone", o.data, DISPLAY_ADDR))
        del self.flying[:-_FLYING]

    def _pass(self, seconds: float) -> None:
        self.run_until(lambda: False, limit=seconds)

    def _do_good(self, seconds: float) -> None:
        self._automatic = True
        self._pass(seconds)
        self._automatic = False

    def _do_deliver(self, many: int) -> None:
        for _ in range(min(many, _FLYING)):
            if self.flying:
                self._arrive(*self.flying.pop(0))
                self._pass(_MOMENT)

    def _do_overtake(self, at: int) -> None:
        if self.flying:
            self.network.traffic.reordered += 1
            self._arrive(*self.flying.pop(at % len(self.flying)))

    def _do_duplicate(self, at: int) -> None:
        if self.flying:
            self.network.traffic.duplicated += 1
            self._arrive(*self.flying[at % len(self.flying)])

    def _do_corrupt(self, at: int, seed: int) -> None:
        if self.flying:
            to, data, source = self.flying[at % len(self.flying)]
            self.network.traffic.corrupted += 1
            rng = random.Random(seed)  # noqa: S311 - a simulation must be reproducible
            self._arrive(to, damage(data, rng), source)

    def _do_drop(self, many: int) -> None:
        self.network.traffic.lost += len(self.flying[:many])
        del self.flying[:many]

    def _do_roam(self) -> None:
        self.counts["roams"] += 1
        self.roam()

    # -- time, crashes, devices, a person ----------------------------------------------------------

    def _do_advance(self, seconds: float) -> None:
        self._pass(seconds)

    def _do_crash(self, who: str, back: float, *flags: Value) -> None:
        if (self.display if who == "display" else self.phone) is not None:
            self.crash(who, torn="torn" in flags, power="power" in flags)
            self.schedule(back, partial(self.restart, who))

    def _do_doom(self, who: str, steps: int) -> None:
        self.doom[who] = steps

    def _do_start(self, who: str) -> None:
        self.restart(who)

    def _do_camera(self, how: str) -> None:
        self.faults = replace(CAMERAS[how], disturb=self.faults.disturb)

    def _do_disturb(self, chance: float) -> None:
        self.faults = replace(self.faults, disturb=chance)

    def _do_fill(self, disk: str) -> None:
        self.counts["disk_faults"] += 1
        self._fill(disk)

    def _do_room(self) -> None:
        self.mend_disks()

    def _command(self, command: Command) -> None:
        display = self.display
        if display is None:
            return
        latch = display.ledger.latch
        abort_id = latch.abort_id if latch else None
        with suppress(WrongCommand):
            self.tell("display", lambda now: display.operator(command, now, abort_id))

    def _stopped(self, who: str) -> None:
        self.counts["stopped"] += 1

    def _help(self) -> None:
        """A person who is always there."""
        for who in ("display", "phone"):
            self.restart(who)
        display = self.display
        if display is None:
            return
        if display.paused is not None:
            if "restart the phone agent" in display.paused.why:
                self.stop("phone")
                self.boot_phone()
            self._command("resume")
        elif display.phase is Phase.ABORTED:
            self._command("rearm")
