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
from rig.protocol.ledger import PhoneLedger, ShotState
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.simulation.explore_copy import NOW, Draws, clone, hidden, settle
from rig.simulation.explore_shape import Names, Shapes

PSK = bytes(range(32))
DISPLAY, PHONE = ("display", 47911), ("phone", 40000)
Journal = tuple[Record, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    """A datagram in flight: what the search must see of it. *shape* is a number."""

    data: bytes
    to_phone: bool
    type: int
    index: int
    attempt: int
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
    full: tuple[int, tuple[bytes, ...]] = (0, ())
    """Shape and names with the whole history, where `shape` and `names` are brief."""
    expected: int = 0
    """A phone: the first index that it has not committed."""
    kept: dict[str, tuple[int, int]] = field(default_factory=dict)
    """A phone: the files that it must have; index, and attempt while it is not committed."""
    pending: tuple[int, Journal] | None = None
    """Ticket and records of the journal write that is under way."""
    queued: int = 0
    """Inputs that wait for it."""
    numbers: dict[bytes, int] = field(default_factory=dict)
    """The names, by their order of appearance."""
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
        *,
        queue: int = 0,
        large: bool = False,
    ) -> None:
        self.subset = subset
        self.queue = queue
        """How many inputs may wait behind a journal write; 0: no input arrives during one."""
        self._large = large
        self.names = Names()
        self.shapes = Shapes(self.names)
        self._display, self._phone = display, phone
        self._sides: dict[Hashable, Side] = {}
        self._wires: dict[tuple[bytes, bool], Wire] = {}

    # -- sides -------------------------------------------------------------------------------------

    def down(self, journal: Journal, life: int, *, phone: bool) -> Side:
        """A side whose process is not running."""
        return self._side(None, journal, self._fold(journal, phone=phone), life)

    def _fold(self, journal: Journal, *, phone: bool) -> Any:
        return PhoneLedger(journal) if phone else DisplayLedger(self.subset, journal)

    def _side(
        self,
        core: Any,
        journal: Journal,
        ledger: Any,
        life: int,
        pending: tuple[int, Journal] | None = None,
    ) -> Side:
        shapes, names = self.shapes, dict[bytes, int]()
        live = shapes.freeze(core, names)
        queued = len(vars(core)["_waiting"]) if core is not None else 0
        if pending is not None:
            live = (live, shapes.freeze_queue(core, pending[1], names))
        books = [ledger]
        if core is not None and vars(core.ledger) == vars(ledger):
            live = (live, "durable")
        elif core is not None:
            books = [core.ledger, ledger]
        frozen: list[tuple[int, tuple[bytes, ...]]] = []
        for brief in (True, False):
            known = dict(names)
            parts = [shapes.freeze_ledger(v, known, brief=brief) for v in books]
            frozen.append((shapes.number((live, *parts)), tuple(known)))
        key = (frozen[1], life, hidden(core))
        side = self._sides.get(key)
        if side is None:
            kept = _kept(books[0])
            side = Side(core, journal, ledger, life, *frozen[0], frozen[1], *kept, pending, queued)
            side.numbers = {name: n for n, name in enumerate(side.names)}
            self._sides[key] = side
        return side

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
            draws = Draws(2 * life + phone)
            core: Any
            if phone:
                core = self._phone(PhoneConfig(hosts=(DISPLAY,)), side.journal, PSK, draws)
                core.boot_id = draws(8)
                call = lambda c: c.start(NOW, missing)  # noqa: E731 - one expression
            else:
                core = self._display(DisplayConfig(self.subset), side.journal, PSK, draws)
                call = lambda c: c.start(NOW)  # noqa: E731 - one expression
            newborn = Side(core, side.journal, side.ledger, life, 0, ())
            side.answers[key] = self._run(newborn, core, call, phone=phone)
        return side.answers[key]

    # -- inputs ------------------------------------------------------------------------------------

    def write(self, side: Side) -> list[Outcome]:
        """The journal write that is under way ends."""
        assert side.pending is not None  # noqa: S101 - the caller has looked
        ticket, records = side.pending
        if "write" not in side.answers:
            core = clone(side.core)
            side.answers["write"] = self._run(
                side,
                core,
                lambda c: c.journal_written(ticket, NOW),
                phone=isinstance(core, PhoneCore),
                durable=records,
            )
        return side.answers["write"]

    def tell(
        self, side: Side, key: Hashable, call: Callable[[Any], list[act.Output]], *, phone: bool
    ) -> list[Outcome]:
        """Every outcome of an input to *side*; *key* names the input."""
        outcomes = side.answers.get(key)
        if outcomes is None:
            outcomes = side.answers[key] = self._run(side, clone(side.core), call, phone=phone)
        return outcomes

    def _run(
        self,
        side: Side,
        core: Any,
        call: Callable[[Any], list[act.Output]],
        *,
        phone: bool,
        durable: Journal = (),
    ) -> list[Outcome]:
        effects: list[act.Output | Wire] = []
        journal, deaths = side.journal + durable, list[Outcome]()
        pending = None if durable else side.pending
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
                if append is not None and self.queue:
                    pending = (append.ticket, append.records)
                    break
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
        settle(core, keep_numbers=self._large)
        ledger = side.ledger if journal == side.journal else self._fold(journal, phone=phone)
        after = self._side(core, journal, ledger, side.life, pending)
        return [Outcome(after, tuple(effects)), *deaths]

    def waiting(self, call: Any) -> Wire | None:
        """The datagram that *call*, an input behind a journal write, brings; None if it is none."""
        data = call.args[0] if call.args else None
        return self._wires.get((data, False)) if isinstance(data, bytes) else None

    # -- datagrams ---------------------------------------------------------------------------------

    def wire(self, data: bytes, *, to_phone: bool, bad: bool = False) -> Wire:
        """What the search must see of *data*."""
        wire = self._wires.get((data, bad))
        if wire is None:
            wire = self._wires[data, bad] = self._wire(data, to_phone=to_phone, bad=bad)
            self.shapes.wires.setdefault(data, (wire.shape, wire.names, wire.pn, wire.ack))
        return wire

    def _wire(self, data: bytes, *, to_phone: bool, bad: bool) -> Wire:
        _, _, kind, conn, pn, ack, *rest = HEADER.unpack_from(data)
        subset, index, attempt, flags, code, token, chain, digest, _ = rest
        payload = data[HEADER.size : -TAG_SIZE]
        conn_id = conn.to_bytes(8, "big")
        if conn:
            self.names.connections.add(conn_id)
        names: dict[bytes, int] = {}
        fields = (conn_id, token, digest, payload)
        before = chain if chain == bytes(8) else self.shapes.freeze_chain(chain, names)
        shape = (
            to_phone, kind, subset, index, attempt, flags, code, before, bad,
            *(self.shapes.freeze_bytes(v, names) for v in fields),
        )  # fmt: skip
        body = parse_payload(payload) if kind <= MessageType.READY else {}
        word = f" {code_name(code)}" if code else ""
        return Wire(
            data, to_phone, kind, index, attempt, conn_id, pn, ack, flags, digest,
            self.shapes.number(shape), tuple(names), bytes.fromhex(str(body.get("boot_id") or "")),
            bytes.fromhex(str(body.get("nonce_d") or "")),
            f"{MessageType(kind).name}({index},{attempt}){word}", bad,
        )  # fmt: skip


def _kept(ledger: Any) -> tuple[int, dict[str, tuple[int, int]]]:
    expected, kept = 0, dict[str, tuple[int, int]]()
    for run in ledger.runs.values() if isinstance(ledger, PhoneLedger) else ():
        expected = run.expected
        for s in run.shots.values():
            if s.state in {ShotState.STORED, ShotState.COMMITTED}:
                kept[s.name] = (s.index, s.attempt if s.index >= expected else 0)
    return expected, kept
