"""What both cores share: one connection's keys and numbers, timers, and waiting for the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from rig.protocol.actions import (
    Addr,
    AppendJournal,
    LocalProtocolError,
    Output,
    SendDatagram,
    WrongCommand,
)
from rig.protocol.codes import PN_MAX, PN_WORN, MessageType, Timers
from rig.protocol.datagram import BadDatagram, Datagram, decode, encode
from rig.protocol.journal import Record
from rig.protocol.window import ReplayWindow, RoundTrip

Rng = Callable[[int], bytes]
"""n -> n random bytes."""


class Connection:
    """One pair of process lives: directional keys, packet numbers, addresses, round-trip time."""

    def __init__(
        self, conn_id: bytes, out_key: bytes, in_key: bytes, addr: Addr, now: float, timers: Timers
    ) -> None:
        self.conn_id = conn_id
        self.addr = addr
        self.other: Addr | None = None
        self.last_heard = now
        self.last_sent = now
        self.closed = False
        """The other side said BYE: nobody is there to send to."""
        self.round_trip = RoundTrip(timers)
        self._out_key = out_key
        self._in_key = in_key
        self._pn = 0
        self._window = ReplayWindow()

    @property
    def worn(self) -> bool:
        """Whether packet numbers of either direction run out, so that a new handshake is due."""
        return max(self._pn, self._window.highest) >= PN_WORN

    @property
    def dead(self) -> bool:
        """Whether nothing can be sent any more: closed, or no packet number is left."""
        return self.closed or self._pn >= PN_MAX

    def seal(self, template: Datagram, now: float) -> tuple[int, bytes]:
        """Packet number and bytes of *template* as this connection's next transmission."""
        self._pn += 1
        self.last_sent = now
        self.round_trip.sent(self._pn, now)
        sealed = replace(template, conn_id=self.conn_id, pn=self._pn)
        return self._pn, encode(sealed, self._out_key)

    def open(self, data: bytes, addr: Addr, now: float) -> Datagram | None:
        """The datagram if it is authentic and new, else None. Follows the peer's address."""
        try:
            datagram = decode(data, self._in_key)
        except BadDatagram:
            return None
        if not self._window.accept(datagram.pn):
            return None
        if datagram.pn == self._window.highest and addr != self.addr:
            self.hint(self.addr)
            self.addr = addr
        self.last_heard = now
        if datagram.ack_pn:
            self.round_trip.answered(datagram.ack_pn, now)
        return datagram

    def hint(self, addr: Addr) -> None:
        """Try *addr* too when nobody answers: it is a rumour, not yet the peer."""
        self.other = addr

    def target(self, losses: int) -> Addr:
        """Where to send after *losses* time-outs: both known addresses in turn."""
        return self.other if self.other is not None and losses % 2 else self.addr


@dataclass
class Outstanding:
    """A message that is sent again until it is answered."""

    template: Datagram
    losses: int = 0
    pns: set[int] = field(default_factory=set)


class Endpoint:
    """Base of both cores. Inputs that arrive while the journal is being written wait their turn."""

    _WAITING_MAX = 64

    def __init__(self, timers: Timers, rng: Rng) -> None:
        self._timers = timers
        self._rng = rng
        self._out: list[Output] = []
        self._durable_out: list[Output] = []
        self._deadlines: dict[str, float] = {}
        self._on_timer: dict[str, Callable[[float], None]] = {}
        self._writing: tuple[int, Callable[[float], None]] | None = None
        self._writes = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def next_deadline(self) -> float | None:
        """When `timer_fired` wants to be called; None while the journal is being written."""
        if self._writing is not None or not self._deadlines:
            return None
        return min(self._deadlines.values())

    def timer_fired(self, now: float) -> list[Output]:
        """Do what is due at *now*."""
        for name in [n for n, at in self._deadlines.items() if at <= now]:
            if self._writing is not None:
                break
            if self._deadlines.get(name, now + 1) <= now:  # an earlier one may have moved it
                del self._deadlines[name]
                self._on_timer[name](now)
        return self._flush()

    def journal_written(self, ticket: int, now: float) -> list[Output]:
        """The records of `AppendJournal` *ticket* are durable.

        Raises:
            LocalProtocolError: no such write is under way.
        """
        if self._writing is None or self._writing[0] != ticket:
            raise LocalProtocolError(f"journal ticket {ticket} is not being written")
        then = self._writing[1]
        self._writing = None
        durable, self._durable_out = self._durable_out, []
        self._out.extend(durable)
        then(now)
        while self._waiting and self._writing is None:
            # A command that waited may have become senseless meanwhile; nobody is there to tell.
            with suppress(WrongCommand):
                self._waiting.popleft()()
        return self._flush()

    def _input(self, handle: Callable[..., None], *args: Any, lossy: bool = False) -> list[Output]:
        """Handle an input now, or after the journal write that is under way.

        A *lossy* one (a datagram) may be dropped when too many wait: it will be sent again.
        """
        if self._writing is None:
            handle(*args)
        elif not lossy or len(self._waiting) < self._WAITING_MAX:
            self._waiting.append(partial(handle, *args))
        return self._flush()

    def _append(self, records: list[Record], then: Callable[[float], None]) -> None:
        """Have *records* made durable, then call *then* with the time."""
        if self._writing is not None:
            raise LocalProtocolError("a second journal write before the first is durable")
        self._writes += 1
        self._writing = (self._writes, then)
        self._out.append(AppendJournal(self._writes, tuple(records)))

    def _emit(self, output: Output) -> None:
        self._out.append(output)

    def _emit_durable(self, output: Output) -> None:
        """Emit *output* once the journal write that this input leads to is durable."""
        self._durable_out.append(output)

    def _flush(self) -> list[Output]:
        out, self._out = self._out, []
        return out

    def _jitter(self) -> float:
        return int.from_bytes(self._rng(2), "big") / 65536

    def _after(self, name: str, now: float, seconds: float) -> None:
        self._deadlines[name] = now + seconds

    def _cancel(self, *names: str) -> None:
        for name in names:
            self._deadlines.pop(name, None)

    def _peer_connection(self) -> Connection | None:
        """The connection that a BYE goes to."""
        return None

    def bye(self, now: float) -> list[Output]:
        """Stop gracefully: the other side need not wait for silence. It decides nothing."""
        connection = self._peer_connection()
        if connection is not None:
            self._send(connection, Datagram(MessageType.BYE), now)
        return self._flush()

    def _send(self, connection: Connection, template: Datagram, now: float) -> None:
        if connection.dead:
            return
        _, data = connection.seal(template, now)
        self._emit(SendDatagram(data, connection.addr))

    def _transmit(
        self, connection: Connection, message: Outstanding, timer: str, now: float
    ) -> None:
        """Send *message* (again) and set the timer that will send it once more."""
        if connection.dead:
            return  # whoever connects next asks anew
        pn, data = connection.seal(message.template, now)
        message.pns.add(pn)
        self._emit(SendDatagram(data, connection.target(message.losses)))
        wait = connection.round_trip.timeout(message.losses, self._jitter())
        self._after(timer, now, wait)
        message.losses += 1
