"""The display's link to its phone: whose datagram is whose, silence, and BYE (sections 3 and 7)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from rig.protocol import actions as act
from rig.protocol.actions import Addr, Output
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import BadDatagram, Datagram, decode, peek
from rig.protocol.display_base import DisplayConfig, Phase
from rig.protocol.display_handshake import DEAF, DisplayHandshake
from rig.protocol.endpoint import Connection, Rng
from rig.protocol.journal import Record


class DisplayLink(DisplayHandshake, ABC):
    """Takes datagrams apart and notices silence; `DisplayCore` adds captures."""

    def __init__(self, cfg: DisplayConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._on_timer["watch"] = self._watch
        self._on_timer["bye"] = self._tell_bye

    def datagram_received(self, data: bytes, addr: Addr, now: float) -> list[Output]:
        """Anything at all from the network; garbage is dropped in silence."""
        return self._input(self._datagram, bytes(data), addr, now, lossy=True)

    @property
    def link_age_since(self) -> float | None:
        """When the phone was last heard; None before the first connection."""
        return self._connection.last_heard if self._connection else None

    @property
    def round_trip(self) -> float | None:
        """Smoothed round-trip time in seconds, once measured."""
        return self._connection.round_trip.smoothed if self._connection else None

    @abstractmethod
    def _dispatch(self, d: Datagram, now: float) -> None: ...

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
            if self.phase not in DEAF:
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
