"""One side of the explored world: a real core, its journal, and what it answers to each input.

A side never changes; an input makes a new one. Answers are remembered with the side, because many
worlds differ only in the other side. A journal write is part of the input that asks for it, in
every outcome it can have: all durable and told, or the process dies with 0..n records durable.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import MessageType, code_name
from rig.protocol.datagram import HEADER, TAG_SIZE, parse_payload
from rig.protocol.display import DisplayConfig, DisplayCore, Subset
from rig.protocol.display_ledger import DisplayLedger
from rig.protocol.journal import Record
from rig.protocol.ledger import PhoneLedger
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.simulation.explore_copy import NOW, Fresh, Shapes, clone, settle

PSK = bytes(range(32))
DISPLAY, PHONE = ("display", 47911), ("phone", 40000)
Journal = tuple[Record, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    """A datagram in flight: what the search must see of it. *shape* is a number."""

    data: bytes
    to_phone: bool
    type: int
    conn: bytes
    pn: int
    ack: int
    flags: int
    digest: bytes
    shape: int
    names: tuple[bytes, ...]
    boot: bytes
    nonce: bytes
    text: str
    bad: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What an input led to. *error*: the core raised, which it never may."""

    side: Side
    effects: tuple[act.Output | Wire, ...]
    died: str = ""
    error: str = ""


@dataclass(slots=True, eq=False)
class Side:
    """A core (None while its process is down), its journal and what the journal amounts to."""

    core: Any
    journal: Journal
    ledger: Any
    life: int
    shape: int
    names: tuple[bytes, ...]
    answers: dict[Hashable, list[Outcome]] = field(default_factory=dict)

    @property
    def inside(self) -> dict[str, Any]:
        """The core's attributes; empty while it is down."""
        return vars(self.core) if self.core is not None else {}


class Maker:
    """Makes sides and wires; knows which core classes are explored."""

    def __init__(
        self,
        subset: Subset,
        display: type[DisplayCore] = DisplayCore,
        phone: type[PhoneCore] = PhoneCore,
    ) -> None:
        self.subset = subset
        self.fresh = Fresh()
        self.shapes = Shapes(self.fresh)
        self._display, self._phone = display, phone
        self._folds: dict[int, tuple[Journal, Any]] = {}

    # -- sides -------------------------------------------------------------------------------------

    def down(self, journal: Journal, life: int, *, phone: bool) -> Side:
        """A side whose process is not running."""
        return self._side(None, journal, self._fold(journal, phone=phone), life)

    def _fold(self, journal: Journal, *, phone: bool) -> Any:
        return PhoneLedger(journal) if phone else DisplayLedger(self.subset, journal)

    def _side(self, core: Any, journal: Journal, ledger: Any, life: int) -> Side:
        names: dict[bytes, int] = {}
        live, durable = self.shapes.freeze(core, names), self.shapes.freeze(ledger, names)
        shape = self.shapes.number((live, durable, life))
        return Side(core, journal, ledger, life, shape, tuple(names))

    def boot_display(self, side: Side) -> list[Outcome]:
        """A new life from the journal."""
        return self._boot(side, phone=False, missing=())

    def boot_phone(self, side: Side, missing: tuple[str, ...]) -> list[Outcome]:
        """A new life from the journal; *missing*: stored names without a file."""
        return self._boot(side, phone=True, missing=missing)

    def _boot(self, side: Side, *, phone: bool, missing: tuple[str, ...]) -> list[Outcome]:
        key = ("boot", missing)
        if key not in side.answers:
            life = side.life + 1
            core: Any
            if phone:
                core = self._phone(PhoneConfig(hosts=(DISPLAY,)), side.journal, PSK, self.fresh)
                core.boot_id = b"boot%04d" % life
                call = lambda c: c.start(NOW, missing)  # noqa: E731 - one expression
            else:
                core = self._display(DisplayConfig(self.subset), side.journal, PSK, self.fresh)
                call = lambda c: c.start(NOW)  # noqa: E731 - one expression
            newborn = Side(core, side.journal, side.ledger, life, 0, ())
            side.answers[key] = self._run(newborn, core, call, phone=phone)
        return side.answers[key]

    # -- inputs ------------------------------------------------------------------------------------

    def tell(
        self, side: Side, key: Hashable, call: Callable[[Any], list[act.Output]], *, phone: bool
    ) -> list[Outcome]:
        """Every outcome of an input to *side*; *key* names the input."""
        outcomes = side.answers.get(key)
        if outcomes is None:
            outcomes = side.answers[key] = self._run(side, clone(side.core), call, phone=phone)
        return outcomes

    def _run(
        self, side: Side, core: Any, call: Callable[[Any], list[act.Output]], *, phone: bool
    ) -> list[Outcome]:
        effects: list[act.Output | Wire] = []
        journal, deaths = side.journal, list[Outcome]()
        try:
            outputs = call(core)
            while True:
                append = None
                for o in outputs:
                    if isinstance(o, act.AppendJournal):
                        append = o
                    elif isinstance(o, act.SendDatagram):
                        effects.append(self.wire(o.data, to_phone=not phone))
                    else:
                        effects.append(o)
                if append is None:
                    break
                for n in range(len(append.records) + 1):
                    if n or effects:
                        kept = journal + append.records[:n]
                        dead = self.down(kept, side.life, phone=phone)
                        said = f"{n} of {len(append.records)} records durable"
                        deaths.append(Outcome(dead, tuple(effects), died=said))
                journal += append.records
                outputs = core.journal_written(append.ticket, NOW)
        except act.WrongCommand:
            return []
        except Exception as error:  # noqa: BLE001 - whatever a core raises is a finding
            said = f"{type(error).__name__}: {error}"
            return [Outcome(side, (), error=said)]
        settle(core)
        ledger = side.ledger if journal == side.journal else self._fold(journal, phone=phone)
        return [Outcome(self._side(core, journal, ledger, side.life), tuple(effects)), *deaths]

    # -- datagrams ---------------------------------------------------------------------------------

    def wire(self, data: bytes, *, to_phone: bool, bad: bool = False) -> Wire:
        """What the search must see of *data*."""
        _, _, kind, conn, pn, ack, *rest = HEADER.unpack_from(data)
        subset, index, attempt, flags, code, token, chain, digest, _ = rest
        payload = data[HEADER.size : -TAG_SIZE]
        conn_id = conn.to_bytes(8, "big")
        if conn:
            self.fresh.connections.add(conn_id)
        names: dict[bytes, int] = {}
        fields = (conn_id, token, digest, payload)
        shape = (
            to_phone, kind, subset, index, attempt, flags, code, chain, bad,
            *(self.shapes.freeze_bytes(v, names) for v in fields),
        )  # fmt: skip
        body = parse_payload(payload) if kind <= MessageType.READY else {}
        word = f" {code_name(code)}" if code else ""
        return Wire(
            data, to_phone, kind, conn_id, pn, ack, flags, digest, self.shapes.number(shape),
            tuple(names), bytes.fromhex(str(body.get("boot_id") or "")),
            bytes.fromhex(str(body.get("nonce_d") or "")),
            f"{MessageType(kind).name}({index},{attempt}){word}", bad,
        )  # fmt: skip
