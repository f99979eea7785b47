"""The display's way to an armed phone: KNOCK, HELLO, READY, ARMED (sections 3 and 5).

A KNOCK from a new process life only starts a second handshake beside the live connection; the
connection is replaced when a fresh READY proves that the phone really has been restarted. So a
replayed KNOCK costs a few datagrams and nothing else; many of them wait their turn (`Knocks`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

from rig.protocol import actions as act
from rig.protocol import display_messages as messages
from rig.protocol.actions import Addr, Output
from rig.protocol.codes import Code
from rig.protocol.datagram import BadDatagram, Datagram, Scalar, encode, parse_payload
from rig.protocol.display_base import DisplayConfig, Phase
from rig.protocol.display_decision import DisplayDecision
from rig.protocol.display_knocks import Knocks
from rig.protocol.endpoint import Connection, Rng
from rig.protocol.journal import Record
from rig.protocol.keys import connection_keys
from rig.protocol.payload import hex_field
from rig.protocol.transitions import Trigger

DEAF = frozenset({Phase.IDLE, Phase.COMPLETE, Phase.ABORTED})
"""Phases in which a phone's knocking changes nothing."""
_PROBES = 8
_EVERY = 0.05
"""Seconds between HELLOs to different process lives: no phone takes more than 20 a second."""
_TOLD = (
    "boot_id", "camera", "camera_w", "camera_h", "free_bytes", "battery_pct", "charging", "temp_c",
    "committed",
)  # fmt: skip
"""What of a READY is told to people."""


class DisplayHandshake(DisplayDecision, ABC):
    """Everything of the display's core up to an armed phone; `DisplayCore` adds captures."""

    def __init__(self, cfg: DisplayConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._peer = cfg.peer
        self._window = Knocks()
        self._nonce_d = b""
        self._hello_pn = 0
        self._hello_losses = 0
        self._hello_sent = 0.0
        self._boot = b""
        self._superseded: set[bytes] = set()
        self._answered = (b"", 0)  # nonce and packet number of the READY that counts
        self._armed = False
        self._lost = False
        self._info: dict[str, Scalar] = {}
        self._on_timer["hello"] = self._send_hello

    # -- inputs ------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Output]:
        """Begin or go on, from what the journal says."""
        return self._input(self._start, now)

    @property
    def peer(self) -> Addr | None:
        """Where the phone was heard last and proved to be: a KNOCK alone proves nothing."""
        return self._peer

    def _start(self, now: float) -> None:
        if self.ledger.complete:
            self._enter(Trigger.WAS_COMPLETE)
            self._emit(self._end())
        elif self.ledger.latch is not None:
            latch = self._latch()
            self._enter(Trigger.WAS_ABORTED)
            self._emit(act.Blank(f"ABORTED: {latch.why}"))
            self._emit(latch)
        elif self.ledger.begun:
            self._seek(now)
        else:
            record: Record = {
                "k": "RUN", "camp": self._subset.campaign.hex(), "sub": self._subset.subset,
                "first": self._subset.first, "last": self._subset.last,
                "man": self._subset.manifest.hex(), "ses": self._subset.session,
            }  # fmt: skip
            self.ledger.apply(record)
            self._append([record], self._seek)

    # -- HELLO -------------------------------------------------------------------------------------

    def _seek(self, now: float) -> None:
        """Look for the phone: at its last address, or wait until it knocks."""
        self._enter(Trigger.SEEK)
        self._armed = False
        if self._connection is not None:
            self._connection.last_heard = now  # the silence so far was nobody's fault
        self._after("watch", now, self._timers.ping)
        if self._peer is not None:
            self._begin_handshake(now)

    def _begin_handshake(self, now: float) -> None:
        self._nonce_d = self._rng(16)
        self._hello_losses = 0
        self._send_hello(now)

    def _send_hello(self, now: float) -> None:
        if not self._nonce_d:
            return
        places = self._window.next()
        if places:
            self._hello_losses = 0  # one that was not asked yet
        elif self._armed and self._hello_losses > _PROBES:
            self._end_handshake()  # nobody is there: the knock was a replay
            return
        wait = min(self._timers.rto_init * 2.0 ** min(self._hello_losses, 8), self._timers.rto_max)
        self._hello_losses += 1
        self._after("hello", now, wait * (1 + self._jitter() / 2))
        for addr in places or self._again():
            self._hello_pn += 1
            hello = messages.hello(self._subset, self._nonce_d, self._hello_pn)
            self._emit(act.SendDatagram(encode(hello, self._boot_key), addr))
            self._hello_sent = now
        self._take_turns(now)

    def _again(self) -> list[Addr]:
        """When nobody waits: who was asked last and the proven address, alternately."""
        proven = self._peer
        if proven is not None and (self._window.asked is None or self._hello_losses % 2):
            return [proven]
        addr = self._window.repeat() or proven
        return [addr] if addr is not None else []

    def _take_turns(self, now: float) -> None:
        """Who waits is asked soon, but the address that was asked last not before its time-out."""
        waiting = self._window.soonest
        if waiting is None:
            return
        gap = self._timers.rto_init if waiting == self._window.asked else _EVERY
        due = max(self._hello_sent + gap, now)
        self._after("hello", min(due, self._deadlines.get("hello", due)), 0.0)

    def _on_knock(self, d: Datagram, addr: Addr, now: float) -> None:
        boot = hex_field(parse_payload(d.payload), "boot_id", 8)
        if boot in self._superseded or self.phase in DEAF or self._window.old(boot, d.pn):
            return
        if self._armed and boot == self._boot and self._connection is not None:
            if addr != self._connection.addr:
                self._connection.hint(addr)
            if not self._replaceable(now):
                return
        if not self._window.hear(boot, d.pn, addr):
            return
        if not self._nonce_d:
            self._begin_handshake(now)
        elif now - self._hello_sent >= self._timers.rto_init:
            self._send_hello(now)
        else:
            self._take_turns(now)

    # -- READY -------------------------------------------------------------------------------------

    def _on_ready(self, d: Datagram, addr: Addr, now: float) -> None:
        ready = parse_payload(d.payload)
        if not self._nonce_d or hex_field(ready, "nonce_d", 16) != self._nonce_d:
            return
        boot = hex_field(ready, "boot_id", 8)
        if d.subset != self._subset.subset or boot in self._superseded or self.phase in DEAF:
            return
        if self._armed and boot == self._boot and not self._replaceable(now):
            self._end_handshake()  # the knock was a replay: the phone we know is alive
            return
        keys = connection_keys(self._psk, self._nonce_d, hex_field(ready, "nonce_p", 16))
        if keys.conn_id != d.conn_id:
            return
        nonce, pn = self._answered
        if self._boot and boot != self._boot:
            if nonce == self._nonce_d:
                # Two lives answered one HELLO: only a fresh nonce tells which of them lives.
                self._begin_handshake(now)
                return
            self._superseded.add(self._boot)
        elif boot == self._boot and d.pn <= pn:
            return  # a late copy; its candidate may be gone
        self._answered = (self._nonce_d, d.pn)
        self._peer = addr
        self._window.over(proved=True)
        self._boot, self._armed, self._info = boot, False, ready
        if self._connection is None or self._connection.conn_id != keys.conn_id:
            self._connection = Connection(keys.conn_id, keys.d2p, keys.p2d, addr, now, self._timers)
        elif addr != self._connection.addr:
            # The phone moved between READY and ARM: nothing else would ever tell this connection.
            self._connection.hint(self._connection.addr)
            self._connection.addr = addr
        self._connection.last_heard = now
        self._settle_request()
        self._cancel("hello", "settle", "paint", "accept", "meta")
        refusal = messages.refusal(d, ready)
        if refusal is not None:
            self._abort(*refusal)
            return
        try:
            self._decide(ready, now)
        except BadDatagram as error:
            self._abort(Code.PROTOCOL, f"READY: {error}")

    # -- ARM ---------------------------------------------------------------------------------------

    def _on_armed(self, now: float) -> None:
        if self.phase is not Phase.ARM:
            return
        self._settle_request()
        self._end_handshake()
        self._armed, self._lost = True, False
        records: list[Record] = [{"k": "ARM", "boot": self._boot.hex()}]
        if self.ledger.latch is not None:
            records.append({"k": "CLEAR", "id": self._rearm.hex()})
            self._cleared = self._rearm
            self._emit_durable(act.Rearmed(self._rearm))
        self._rearm = b""
        for record in records:
            self.ledger.apply(record)
        self._enter(Trigger.ARMED)
        self._append(records, partial(self._connected, self._info))

    def _connected(self, info: dict[str, Scalar], now: float) -> None:
        self._emit(act.Connected({k: info[k] for k in _TOLD if k in info}))
        self._emit(
            act.Armed(
                self._subset.subset, self.ledger.next_index, self._subset.last, self._subset.session
            )
        )
        self._proceed(now)

    def _replaceable(self, now: float) -> bool:
        """Whether our phone may be armed anew: it was silent, or packet numbers run out."""
        connection = self._connection
        if connection is None:
            return False
        return connection.worn or now - connection.last_heard >= self._timers.dead_peer

    def _end_handshake(self) -> None:
        self._nonce_d = b""
        self._window.over(proved=False)
        self._cancel("hello")

    @abstractmethod
    def _proceed(self, now: float) -> None: ...
