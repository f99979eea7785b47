"""What the display makes of a READY: the decision table (section 5, rule 4), and the ARM it sends.

Two-phase commit after a restart of either side: the phone says how many photos are decided and
which one is in doubt; the display's own records, and what this process painted and held, decide.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from rig.protocol import actions as act
from rig.protocol import display_messages as messages
from rig.protocol.codes import Code
from rig.protocol.datagram import Scalar
from rig.protocol.display_base import DisplayBase, DisplayConfig, Exposure
from rig.protocol.endpoint import Rng
from rig.protocol.journal import Record
from rig.protocol.payload import heard_number, heard_why, hex_field, number_field
from rig.protocol.transitions import Trigger

_ATTEMPTS = 2**16 - 2
"""The last attempt after which there is another."""


class DisplayDecision(DisplayBase, ABC):
    """Decides about the phone's books; `DisplayHandshake` brings them."""

    def __init__(self, cfg: DisplayConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._view: tuple[int, dict[str, Scalar]] = (0, {})
        self._attempt = 0
        self._exposure: Exposure | None = None

    @property
    def attempt(self) -> int:
        """Number of the exposure under way, or of the last one at this index."""
        return self._attempt

    def _decide(self, ready: dict[str, Scalar], now: float) -> None:
        """Rule 5.4: what is to become of a photo in doubt."""
        aborted = ready.get("aborted_id")
        if aborted is not None and aborted != self._rearm.hex():
            why = heard_why(ready.get("aborted_why")) or "the phone is aborted"
            code = number_field(ready, "aborted_code")
            self._abort(
                code,
                why,
                heard_number(ready.get("aborted_expected")),
                heard_number(ready.get("aborted_got")),
                adopted=hex_field(ready, "aborted_id", 8),
            )
            return
        committed, decided = number_field(ready, "committed"), len(self.ledger.done)
        self._view = (committed, ready)
        if "in_doubt_index" not in ready:
            if committed != decided:
                self._diverged(committed)
                return
            self._attempt = max(self._attempt, number_field(ready, "last_attempt", _ATTEMPTS))
            self._arm("none", now)
            return
        index, attempt = (
            number_field(ready, "in_doubt_index"),
            number_field(ready, "in_doubt_attempt", _ATTEMPTS),
        )
        sha = hex_field(ready, "in_doubt_sha", 32)
        last = self.ledger.done[-1] if self.ledger.done else None
        if committed == decided - 1 and last is not None:
            if (last.index, last.attempt, last.sha256) == (index, attempt, sha):
                self._arm("commit", now)
                return
        elif committed == decided and index == self.ledger.next_index:
            self._attempt = max(self._attempt, attempt)
            self._decide_doubt(attempt, ready, now)
            return
        self._diverged(committed)

    def _decide_doubt(self, attempt: int, ready: dict[str, Scalar], now: float) -> None:
        """A stored photo of the next index: ours only if this process painted and held it."""
        e = self._exposure
        held = (
            e is not None
            and e.continuous
            and (e.index, e.attempt) == (self.ledger.next_index, attempt)
            and e.token == hex_field(ready, "in_doubt_token", 8)
            and self.ledger.latch is None
        )
        if not held or e is None:
            self._arm("void", now)
            return
        e.result = messages.doubtful_result(ready)
        self._enter(Trigger.DOUBTED)
        self._emit(act.CheckSurface(e.token))
        self._after("paint", now, self._timers.paint)

    def _diverged(self, committed: int) -> None:
        decided = len(self.ledger.done)
        why = (
            f"the phone holds {committed} decided photos of this subset, the display {decided}; "
            "one of the two was restored from an older copy"
        )
        if committed == 0:
            why = (
                f"this phone has none of the {decided} decided photos of this subset. Copy the "
                "photo folder of the phone before onto it, or pair that one again; then re-arm"
            )
        first = self._subset.first
        self._abort(Code.DIVERGED, why, first + decided, first + committed)

    def _arm(self, resolution: str, now: float) -> None:
        self._enter(Trigger.RESOLVED)
        template = messages.arm(self._subset, self.ledger, self._view, resolution, self._rearm)
        self._ask(template, now)
