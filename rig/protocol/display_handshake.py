"""The display's way to an armed phone: HELLO, the READY decision table, ARM (section 5).

A KNOCK from a new process life only starts a second handshake beside the live connection; the
connection is replaced when a fresh READY proves that the phone really has been restarted. So a
replayed KNOCK costs a few datagrams and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

from rig.protocol import actions as act
from rig.protocol import display_messages as messages
from rig.protocol.actions import Addr, Output
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import (
    BadDatagram,
    Datagram,
    Scalar,
    decode,
    encode,
    parse_payload,
    peek,
)
from rig.protocol.display_base import DisplayBase, DisplayConfig, Exposure, Phase
from rig.protocol.endpoint import Connection, Rng
from rig.protocol.journal import Record
from rig.protocol.keys import connection_keys
from rig.protocol.payload import hex_field, number_field
from rig.protocol.transitions import Trigger

_DEAF = frozenset({Phase.IDLE, Phase.COMPLETE, Phase.ABORTED})
"""Phases in which a phone's knocking changes nothing."""
_PROBES = 8
_ATTEMPTS = 2**16 - 2
"""The last attempt after which there is another."""
_TOLD = (
    "boot_id", "camera", "camera_w", "camera_h", "free_bytes", "battery_pct", "charging", "temp_c",
    "committed",
)  # fmt: skip
"""What of a READY is told to people."""


class DisplayHandshake(DisplayBase, ABC):
    """Everything of the display's core up to an armed phone; `DisplayCore` adds captures."""

    def __init__(self, cfg: DisplayConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._peer = cfg.peer
        self._nonce_d = b""
        self._hello_pn = 0
        self._hello_losses = 0
        self._hello_sent = 0.0
        self._boot = b""
        self._superseded: set[bytes] = set()
        self._answered = (b"", 0)  # nonce and packet number of the READY that counts
        self._armed = False
        self._lost = False
        self._view: tuple[int, dict[str, Scalar]] = (0, {})
        self._info: dict[str, Scalar] = {}
        self._attempt = 0
        self._exposure: Exposure | None = None
        self._on_timer["hello"] = self._send_hello
        self._on_timer["watch"] = self._watch
        self._on_timer["bye"] = self._tell_bye

    # -- inputs ------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Output]:
        """Begin or go on, from what the journal says."""
        return self._input(self._start, now)

    def datagram_received(self, data: bytes, addr: Addr, now: float) -> list[Output]:
        """Anything at all from the network; garbage is dropped in silence."""
        return self._input(self._datagram, bytes(data), addr, now, lossy=True)

    @property
    def link_age_since(self) -> float | None:
        """When the phone was last heard; None before the first connection."""
        return self._connection.last_heard if self._connection else None

    @property
    def peer(self) -> Addr | None:
        """Where the phone was heard last."""
        return self._peer

    @property
    def attempt(self) -> int:
        """Number of the exposure under way, or of the last one at this index."""
        return self._attempt

    @property
    def round_trip(self) -> float | None:
        """Smoothed round-trip time in seconds, once measured."""
        return self._connection.round_trip.smoothed if self._connection else None

    def _start(self, now: float) -> None:
        if self.ledger.complete:
            self._enter(Trigger.WAS_COMPLETE)
            self._emit(act.Completed(self._subset.count, self.ledger.chain))
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
        if self._peer is None or not self._nonce_d:
            return
        if self._armed and self._hello_losses > _PROBES:
            self._end_handshake()  # nobody is there: the knock was a replay
            return
        self._hello_pn += 1
        hello = messages.hello(self._subset, self._nonce_d, self._hello_pn)
        self._emit(act.SendDatagram(encode(hello, self._boot_key), self._peer))
        self._hello_sent = now
        wait = min(self._timers.rto_init * 2.0 ** min(self._hello_losses, 8), self._timers.rto_max)
        self._hello_losses += 1
        self._after("hello", now, wait * (1 + self._jitter() / 2))

    def _on_knock(self, d: Datagram, addr: Addr, now: float) -> None:
        boot = hex_field(parse_payload(d.payload), "boot_id", 8)
        if boot in self._superseded or self.phase in _DEAF:
            return
        if self._armed and boot == self._boot and self._connection is not None:
            if addr != self._connection.addr:
                self._connection.hint(addr)
            if not self._replaceable(now):
                return
        self._peer = addr
        if not self._nonce_d:
            self._begin_handshake(now)
        elif now - self._hello_sent >= self._timers.rto_init:
            self._hello_losses = 0
            self._send_hello(now)

    # -- READY and the decision table --------------------------------------------------------------

    def _on_ready(self, d: Datagram, addr: Addr, now: float) -> None:
        ready = parse_payload(d.payload)
        if not self._nonce_d or hex_field(ready, "nonce_d", 16) != self._nonce_d:
            return
        boot = hex_field(ready, "boot_id", 8)
        if d.subset != self._subset.subset or boot in self._superseded or self.phase in _DEAF:
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

    def _decide(self, ready: dict[str, Scalar], now: float) -> None:
        """Rule 5.4: what is to become of a photo in doubt."""
        aborted = ready.get("aborted_id")
        if aborted is not None and aborted != self._rearm.hex():
            why = str(ready.get("aborted_why") or "the phone is aborted")
            code = number_field(ready, "aborted_code")
            expected, got = ready.get("aborted_expected"), ready.get("aborted_got")
            self._abort(
                code,
                why,
                expected if isinstance(expected, int) else None,
                got if isinstance(got, int) else None,
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
        first = self._subset.first
        self._abort(Code.DIVERGED, why, first + decided, first + committed)

    # -- ARM ---------------------------------------------------------------------------------------

    def _arm(self, resolution: str, now: float) -> None:
        self._enter(Trigger.RESOLVED)
        template = messages.arm(self._subset, self.ledger, self._view, resolution, self._rearm)
        self._ask(template, now)

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

    def _peer_connection(self) -> Connection | None:
        return self._connection

    def _on_bye(self, now: float) -> None:
        """The phone agent was stopped. The x-ray stays; its next life, or this one, will knock."""
        if self._connection is not None:
            self._connection.closed = True
        self._armed = False
        self._after("bye", now, 0.0)

    def _tell_bye(self, now: float) -> None:
        if self.phase not in (Phase.IDLE, Phase.COMPLETE) and not self._lost:
            self._lost = True
            self._emit(act.PeerLost(0.0))

    def _end_handshake(self) -> None:
        self._nonce_d = b""
        self._cancel("hello")

    @abstractmethod
    def _proceed(self, now: float) -> None: ...

    @abstractmethod
    def _dispatch(self, d: Datagram, now: float) -> None: ...

    # -- datagrams and liveness --------------------------------------------------------------------

    def _datagram(self, data: bytes, addr: Addr, now: float) -> None:
        try:
            kind, conn_id = peek(data)
            if kind == MessageType.KNOCK:
                self._on_knock(decode(data, self._boot_key), addr, now)
                return
            if kind == MessageType.READY:
                self._on_ready(decode(data, self._boot_key), addr, now)
                return
        except BadDatagram:
            return
        connection = self._connection
        if connection is None or connection.conn_id != conn_id:
            return
        silent = now - connection.last_heard
        d = connection.open(data, addr, now)
        if d is None:
            return
        if silent >= self._timers.knock and self._request is not None:
            self._after("request", now, 0.0)  # it sat in its back-off while nobody was there
        self._peer = connection.addr
        if self._lost and not connection.closed:
            self._lost = False
            self._emit(act.PeerBack())
        try:
            self._dispatch(d, now)
        except BadDatagram as error:
            if self.phase not in _DEAF:
                self._abort(Code.PROTOCOL, f"{MessageType(d.type).name}: {error}")

    def _watch(self, now: float) -> None:
        """Once a second: ping, and notice silence."""
        if self.phase in (Phase.IDLE, Phase.COMPLETE):
            return
        self._after("watch", now, self._timers.ping)
        connection = self._connection
        if connection is None:
            return
        if self._armed and connection.worn and not self._nonce_d:
            self._begin_handshake(now)
        if now - connection.last_sent >= self._timers.ping and self._armed and not connection.dead:
            pn, data = connection.seal(Datagram(MessageType.PING), now)
            self._emit(act.SendDatagram(data, connection.target(pn)))
        silent = now - connection.last_heard
        told = self._lost or (self.phase is Phase.ABORTED and not self._armed)
        if silent >= self._timers.dead_peer and not told:
            self._lost = True
            self._emit(act.PeerLost(silent))
        if silent >= self._timers.link and self.phase is Phase.ABORTED:
            self._settle_request()
            self._cancel("watch")
        elif silent >= self._timers.link:
            why = (
                f"the phone has not been heard for {self._timers.link:g} s; check that it is on, "
                "in this Wi-Fi and that the agent runs, then resume"
            )
            self._pause(Code.LINK_LOST, why)
