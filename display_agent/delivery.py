"""Which events of a session the controller has, and which are on their way: no I/O."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 256
"""Events on their way at once, per session: bounds memory and what a lost link repeats."""


@dataclass(slots=True)
class Delivery:
    """Cursor of one session on one connection.

    Attributes:
        acked: everything up to here is durable at the controller.
        sent: everything up to here was sent on this connection.
        progress: time of the last ack that moved on, or of the first sending after it, seconds.
    """

    acked: int = 0
    sent: int = 0
    progress: float = 0.0

    @property
    def room(self) -> int:
        """How many more events may be sent now."""
        return max(0, WINDOW - (self.sent - self.acked))

    def sending(self, seq: int, now: float) -> None:
        """Event *seq* leaves now."""
        if self.sent <= self.acked:
            self.progress = now
        self.sent = seq

    def resume(self, seq: int, now: float) -> bool:
        """First word of a new connection: the controller ends at *seq*, go on from there.

        True if that is less than it once confirmed (it was restored from a backup, say).
        """
        back = seq < self.acked
        self.acked = self.sent = seq
        self.progress = now
        return back

    def ack(self, seq: int, now: float) -> None:
        """Everything up to *seq* is durable. A lower one is true as well and tells nothing new."""
        if seq > self.acked:
            self.acked = seq
            self.sent = max(self.sent, seq)
            self.progress = now

    def rewind_if_stalled(self, now: float, patience: float) -> bool:
        """Send again from the last ack when none came for *patience* seconds."""
        if self.sent <= self.acked or now - self.progress < patience:
            return False
        self.sent = self.acked
        return True
