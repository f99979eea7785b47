"""A tap on the wire, and the virtual rig that has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import BOOT_KEYED, MessageType
from rig.protocol.datagram import BadDatagram, Datagram, decode, parse_payload, peek
from rig.protocol.display import OperatorCommand, Phase
from rig.protocol.keys import ConnectionKeys, boot_key, connection_keys
from rig.simulation.virtual import PHONE_ADDR, Faults, VirtualRig, subset_of


class Tap:
    """Reads every datagram, as only someone with the pairing's key can."""

    def __init__(self, psk: bytes) -> None:
        self._psk, self._boot = psk, boot_key(psk)
        self._keys: dict[bytes, tuple[bytes, bytes]] = {}

    def learn(self, keys: ConnectionKeys) -> None:
        self._keys[keys.conn_id] = (keys.d2p, keys.p2d)

    def read(self, data: bytes) -> Datagram:
        kind, conn_id = peek(data)
        if kind in BOOT_KEYED:
            d = decode(data, self._boot)
            if kind == MessageType.READY:
                body = parse_payload(d.payload)
                nonces = (bytes.fromhex(str(body[n])) for n in ("nonce_d", "nonce_p"))
                self.learn(connection_keys(self._psk, *nonces))
            return d
        for key in self._keys[conn_id]:
            try:
                return decode(data, key)
            except BadDatagram:
                continue
        raise AssertionError("a datagram under an unknown key")


@dataclass
class Entry:
    """One output of one core: a decoded datagram or the output itself."""

    at: float
    who: str
    what: Any


class Observed(VirtualRig):
    """The virtual rig with a tap on its wire, a phone that can move, and datagrams to lose."""

    def __init__(self, count: int = 4, *, seed: int = 0, **faults: float) -> None:
        super().__init__(subset_of(count), seed=seed, faults=Faults(**faults))
        self.tap = Tap(self._psk)
        self.log: list[Entry] = []
        self.lose: Callable[[str, Datagram], bool] = lambda who, d: False
        self.recorded: list[tuple[str, bytes]] = []
        self.phone_addr = PHONE_ADDR
        self.on_durable: Callable[[str, act.AppendJournal], None] = lambda who, o: None

    def _perform(self, who: str, o: act.Output) -> None:
        if not isinstance(o, act.SendDatagram):
            self.log.append(Entry(self.now, who, o))
            super()._perform(who, o)
            return
        d = self.tap.read(o.data)
        self.log.append(Entry(self.now, who, d))
        self.recorded.append((who, o.data))
        away = who == "display" and o.addr != self.phone_addr
        if not away and not self.lose(who, d):
            super()._perform(who, o)

    def _journal(self, who: str, life: int, o: act.AppendJournal) -> None:
        alive = self._life[who] == life
        super()._journal(who, life, o)
        if alive:
            self.on_durable(who, o)

    def _arrive(self, to: str, data: bytes, source: act.Addr) -> None:
        super()._arrive(to, data, self.phone_addr if to == "display" else source)

    def crash_and_boot(self, who: str, after: float = 0.5) -> None:
        self.crash(who)
        boot = self.boot_display if who == "display" else self.boot_phone
        self.schedule(after, boot)

    def finish(self, limit: float = 600.0) -> None:
        """Run to the end, a person resuming every pause."""
        end = self.now + limit
        while not (self.completed() and self.phone is not None):
            assert self._heap, "nothing will ever happen again"
            assert self.now < end, f"not finished after {limit:g} s"
            self.step()
            if self.display is not None and self.display.paused is not None:
                self.tell("display", lambda now: self.display.operator("resume", now))

    def until(self, condition: Callable[[], bool], limit: float = 60.0) -> None:
        """Run until *condition*."""
        assert self.run_until(condition, limit=limit), "it never happened"

    def asking(self) -> bool:
        """Whether the second photo is being asked for."""
        return self.display.phase is Phase.CAPTURE and self.display.ledger.next_index == 2

    def operator(self, command: OperatorCommand, abort_id: bytes | None = None) -> None:
        """A person at the display."""
        self.tell("display", lambda now: self.display.operator(command, now, abort_id))

    def sent(self, who: str, *types: MessageType) -> list[Datagram]:
        return [
            e.what
            for e in self.log
            if e.who == who and isinstance(e.what, Datagram) and e.what.type in types
        ]

    def said(self, kind: type, who: str | None = None) -> list[Any]:
        return [e.what for e in self.log if isinstance(e.what, kind) and who in (None, e.who)]

    def audit_all(self) -> None:
        """Exactly one photo of every index, showing that index, in both books alike."""
        run = self.phone.ledger.run(self.subset.campaign, self.subset.subset)
        shots, done = run.committed_shots(), self.display.ledger.done
        assert [s.index for s in shots] == list(range(self.subset.first, self.subset.last + 1))
        assert [(s.index, s.attempt, s.sha256) for s in shots] == [
            (d.index, d.attempt, d.sha256) for d in done
        ]
        assert {self.files[s.name] - s.index for s in shots} == {0}
        assert run.chain == self.display.ledger.chain
        assert run.in_doubt is None
