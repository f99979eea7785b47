"""The person who is called when a night of capturing has stopped, and comes after a while."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

from rig.protocol.actions import WrongCommand

if TYPE_CHECKING:
    from rig.simulation.night import NightRig

_COMES = (30.0, 180.0)
"""After so many seconds, at least and at most."""
_REARMS = 20
"""Aborts after which a person stops to believe in it."""


class Operator:
    """Makes room on disks, starts agents that stopped, resumes pauses, re-arms aborts."""

    def __init__(self, rig: NightRig, rng: random.Random) -> None:
        self._rig = rig
        self._rng = rng
        self._called = False
        self._since = 0.0
        self._rearms = 0
        self.waited = 0.0
        """Seconds for which the rig has waited for a person."""

    def call(self) -> None:
        """Something asks for a person."""
        if not self._called:
            self._called = True
            self._since = self._rig.now
            self._rig.schedule(self._rng.uniform(*_COMES), self._come)

    def _come(self) -> None:
        rig = self._rig
        self._called = False
        self.waited += rig.now - self._since
        rig.mend_disks()
        paused = rig.display.paused if rig.display is not None else None
        if paused is not None and "restart the phone agent" in paused.why:
            rig.stop("phone")
        for who in ("display", "phone"):
            rig.restart(who)
        self._go_on()

    def _go_on(self) -> None:
        rig, display = self._rig, self._rig.display
        if display is None:
            return
        # What this person saw a moment ago may have changed: then the command is refused.
        with suppress(WrongCommand):
            if display.ledger.latch is not None and self._rearms < _REARMS:
                self._rearms += 1
                latched = display.ledger.latch.abort_id
                rig.tell("display", lambda now: display.operator("rearm", now, latched))
            elif display.paused is not None:
                rig.tell("display", lambda now: display.operator("resume", now))
