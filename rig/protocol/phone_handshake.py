"""The phone's way to a connection: knocking, HELLO, READY (sections 3-5).

The live connection is replaced only by a valid ARM under a fresh candidate's key, so neither an old
HELLO nor a datagram of an earlier process life can disturb a run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from rig.protocol import actions as act
from rig.protocol.actions import Addr, Output
from rig.protocol.codes import (
    Code,
    MessageType,
)
from rig.protocol.datagram import (
    VERSION,
    BadDatagram,
    Datagram,
    Scalar,
    canonical,
    decode,
    encode,
    parse_payload,
    peek,
)
from rig.protocol.endpoint import Connection, Rng
from rig.protocol.journal import Record
from rig.protocol.keys import connection_keys
from rig.protocol.payload import hex_field, number_field
from rig.protocol.phone_base import Health, PhoneBase, PhoneConfig
from rig.protocol.phone_hellos import Hellos
from rig.protocol.phone_messages import condition, standing

_CANDIDATES = 4
_HELLO_BUCKET = 20


@dataclass
class _Candidate:
    """A connection offered by READY and not yet confirmed by an ARM."""

    nonce_d: bytes
    nonce_p: bytes
    connection: Connection


class PhoneHandshake(PhoneBase, ABC):
    """Everything of the phone's core up to READY; `PhoneArming` adds the ARM that follows."""

    def __init__(self, cfg: PhoneConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._candidates: OrderedDict[bytes, _Candidate] = OrderedDict()
        self._window = Hellos()
        self._boot_pn = 0
        self._hello_tokens, self._hello_at = float(_HELLO_BUCKET), 0.0
        self._on_timer["knock"] = self._knock
        self._on_timer["bye"] = self._part

    # -- inputs ------------------------------------------------------------------------------------

    def start(self, now: float, missing: Sequence[str] = ()) -> list[Output]:
        """Recover (section 4): *missing* are stored names whose file is gone."""
        return self._input(self._start, now, tuple(missing))

    def datagram_received(self, data: bytes, addr: Addr, now: float) -> list[Output]:
        """Anything at all from the network; garbage is dropped in silence."""
        return self._input(self._datagram, bytes(data), addr, now, lossy=True)

    def environment(
        self,
        free_bytes: int,
        battery: int | None,
        charging: bool,
        temperature: float | None,
        now: float,
    ) -> list[Output]:
        """Free bytes of the photo folder, battery in percent, battery temperature in Celsius."""
        self._health = Health(free_bytes, battery, charging, temperature)
        del now
        return self._flush()

    @property
    def link_age_since(self) -> float | None:
        """When the display was last heard; None while not connected."""
        return self._live.last_heard if self._live else None

    # -- start and knocking ------------------------------------------------------------------------

    def _start(self, now: float, missing: tuple[str, ...]) -> None:
        records: list[Record] = [{"k": "BOOT", "boot": self.boot_id.hex()}]
        records += self._void_open("restart")
        if missing and self.ledger.latch is None:
            why = (
                f"{len(missing)} stored photo(s) are gone from the phone, first {missing[0]}; put "
                "them back into its photo folder and re-arm"
            )
            records.append(self._abort_record(Code.STORE_LOST, why, None, None, "phone"))
        for record in records:
            self.ledger.apply(record)
        if self.ledger.latch is not None:
            self._emit(self._aborted_event())
        self._append(records, self._knock)

    def _knock(self, now: float) -> None:
        """Say where we are, every second while the display is silent."""
        live = self._live
        if live is not None and not live.dead and now < live.last_heard + self._timers.knock:
            self._after("knock", live.last_heard, self._timers.knock)
            return
        payload: dict[str, Scalar] = {
            "boot_id": self.boot_id.hex(),
            "aborted": self.ledger.latch is not None,
        }
        self._boot_pn += 1
        knock = Datagram(MessageType.KNOCK, pn=self._boot_pn, payload=canonical(payload))
        data = encode(knock, self._boot_key)
        targets = list(self._cfg.hosts)
        if live is not None and live.addr not in targets:
            targets.append(live.addr)
        for addr in targets:
            self._emit(act.SendDatagram(data, addr))
        self._after("knock", now, self._timers.knock_every)

    def _on_bye(self, connection: Connection, now: float) -> None:
        """The display was stopped. The timer carries it out, after what came with it."""
        connection.closed = True
        self._after("bye", now, 0.0)

    def _part(self, now: float) -> None:
        """Let go of a connection that was closed, and knock until somebody opens."""
        if self._live is not None and self._live.closed:
            self._live = None
            self._settle_con()
            self._emit(act.PeerLost(0.0))
            self._knock(now)

    # -- datagrams ---------------------------------------------------------------------------------

    def _datagram(self, data: bytes, addr: Addr, now: float) -> None:
        try:
            kind, conn_id = peek(data)
            if kind == MessageType.HELLO:
                self._on_hello(decode(data, self._boot_key), addr, now)
                return
        except BadDatagram:
            return
        connection = self._connection(conn_id)
        if connection is None:
            return
        d = connection.open(data, addr, now)
        if d is None:
            return
        try:
            self._dispatch(connection, d, now)
        except BadDatagram as error:
            # Authentic, yet not to be understood: one of the two programs is wrong.
            if self.ledger.latch is None:
                self._abort(Code.PROTOCOL, f"{MessageType(d.type).name}: {error}", None, None)

    def _connection(self, conn_id: bytes) -> Connection | None:
        if self._live is not None and self._live.conn_id == conn_id:
            return self._live
        candidate = self._candidates.get(conn_id)
        return candidate.connection if candidate else None

    @abstractmethod
    def _dispatch(self, connection: Connection, d: Datagram, now: float) -> None: ...

    # -- handshake ---------------------------------------------------------------------------------

    def _on_hello(self, d: Datagram, addr: Addr, now: float) -> None:
        hello = parse_payload(d.payload)
        nonce_d, campaign = hex_field(hello, "nonce_d", 16), hex_field(hello, "campaign_id", 8)
        if not self._window.hear(nonce_d, d.pn):
            return
        refill = (now - self._hello_at) * _HELLO_BUCKET
        self._hello_tokens = min(float(_HELLO_BUCKET), self._hello_tokens + refill)
        self._hello_at = now
        if self._hello_tokens < 1:
            return
        self._hello_tokens -= 1
        code = self._refuse_hello(hello, campaign)
        candidate = self._candidate(nonce_d, addr, now)
        self._send_ready(candidate, campaign, d.subset, d.pn, now, code=code)

    def _refuse_hello(self, hello: dict[str, Scalar], campaign: bytes) -> Code:
        """The highest version that both speak must be ours, and the pairing's campaign theirs."""
        lowest = number_field(hello, "vmin") if "vmin" in hello else VERSION
        highest = number_field(hello, "vmax") if "vmax" in hello else VERSION
        if not lowest <= VERSION <= highest:
            return Code.VERSION
        if self._cfg.campaign not in (b"", campaign):
            return Code.CAMPAIGN_MISMATCH
        return Code.OK

    def _candidate(self, nonce_d: bytes, addr: Addr, now: float) -> _Candidate:
        for conn_id, candidate in self._candidates.items():
            if candidate.nonce_d == nonce_d:
                self._candidates.move_to_end(conn_id)
                candidate.connection.addr = addr
                return candidate
        nonce_p = self._rng(16)
        keys = connection_keys(self._psk, nonce_d, nonce_p)
        connection = Connection(keys.conn_id, keys.p2d, keys.d2p, addr, now, self._timers)
        candidate = _Candidate(nonce_d, nonce_p, connection)
        self._candidates[keys.conn_id] = candidate
        while len(self._candidates) > _CANDIDATES:
            self._candidates.popitem(last=False)
        return candidate

    def _send_ready(
        self,
        c: _Candidate,
        campaign: bytes,
        subset: int,
        ack_pn: int,
        now: float,
        *,
        code: Code = Code.OK,
    ) -> None:
        del now
        payload: dict[str, Scalar] = {
            "nonce_d": c.nonce_d.hex(),
            "nonce_p": c.nonce_p.hex(),
            "boot_id": self.boot_id.hex(),
            "campaign_id": campaign.hex(),
            "version": VERSION,
            "est_photo_bytes": self._est_photo,
            **standing(self.ledger.run(campaign, subset), self.ledger.latch),
            **condition(self._health, self._cfg),
        }
        self._boot_pn += 1
        ready = Datagram(
            MessageType.READY,
            conn_id=c.connection.conn_id,
            pn=self._boot_pn,
            ack_pn=ack_pn,
            subset=subset,
            code=code,
            payload=canonical(payload),
        )
        self._emit(act.SendDatagram(encode(ready, self._boot_key), c.connection.addr))
