"""How anything happens in the explored world: inputs to the cores, and what follows from them.

A journal write is part of the input that asks for it, with every way to die during it; or, where
inputs may queue behind it (`Maker.queue`), a step of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import MessageType
from rig.simulation.explore_copy import NOW
from rig.simulation.explore_photos import surface_of
from rig.simulation.explore_sides import DISPLAY, PHONE, Maker, Outcome, Side, Wire
from rig.simulation.explore_state import Budgets, Exposure, Step, World, alive, wanted

_BOOT_KEYED = frozenset({MessageType.KNOCK, MessageType.HELLO, MessageType.READY})
LONG = 1000.0
"""Seconds after which every patience is at its end."""


class Network:
    """Datagrams and inputs. *cap*: datagrams in flight; *copies*: of one message among them."""

    def __init__(self, maker: Maker, cap: int, copies: int = 1, *, prune: bool = True) -> None:
        self._maker = maker
        self._cap, self._copies, self._prune = cap, copies, prune

    def first(self, budgets: Budgets) -> World:
        """Both processes down, nothing journalled."""
        display = self._maker.down((), 0, phone=False)
        return World(display, self._maker.down((), 0, phone=True), budgets)

    # -- the network -------------------------------------------------------------------------------

    def _network(self, w: World) -> Iterator[Step]:
        for n, wire in enumerate(w.net):
            if any((o.shape, o.names) == (wire.shape, wire.names) for o in w.net[:n]):
                continue
            rest = w.net[:n] + w.net[n + 1 :]
            yield Step(f"{wire.text} is lost", False, self.pruned(w._replace(net=rest)))
            yield from self._deliver(w._replace(net=rest), wire, f"{wire.text} arrives")
            b = w.budgets
            if b.silence and wire.type == MessageType.READY and w.display.inside.get("_armed"):
                quiet = w._replace(net=rest, budgets=b._replace(silence=b.silence - 1))
                label = f"{wire.text} arrives after a long silence"
                yield from self._deliver(quiet, wire, label, fair=False, silent=True)
            if wire.type in _BOOT_KEYED or not self._prune:
                label = f"{wire.text} arrives, a copy stays"
                yield from self._deliver(w, wire, label, fair=False)

    def _deliver(
        self, w: World, wire: Wire, label: str, *, fair: bool = True, silent: bool = False
    ) -> Iterator[Step]:
        side, addr = (w.phone, DISPLAY) if wire.to_phone else (w.display, PHONE)
        if side.core is None or side.queued >= self._maker.queue > 0:
            return

        def call(core: Any) -> list[act.Output]:
            connection = vars(core).get("_connection")
            if silent and connection is not None:
                connection.last_heard = NOW - LONG
            return core.datagram_received(wire.data, addr, NOW)  # type: ignore[no-any-return]

        key = (wire, silent)
        outcomes = self._maker.tell(side, key, call, phone=wire.to_phone)
        yield from self._take(
            w, label, outcomes, "p" if wire.to_phone else "d", fair=fair, cause=wire
        )

    def pruned(self, w: World) -> World:
        """*w* without the datagrams, and the phone's candidates, that nothing can come of."""
        if not self._prune:
            return w
        net = tuple([m for m in w.net if alive(m, w)])
        if len(net) != len(w.net):
            w = w._replace(net=net)
        candidates = w.phone.inside.get("_candidates")
        if candidates and not w.phone.queued:
            dead = [c for c, v in candidates.items() if not wanted(c, v.nonce_d, w)]
            if dead:
                w = w._replace(phone=self._without(w.phone, dead))
        return w

    def _without(self, side: Side, dead: list[bytes]) -> Side:
        def call(core: Any) -> list[act.Output]:
            for conn in dead:
                del vars(core)["_candidates"][conn]
            return []

        return self._maker.tell(side, ("forget", *dead), call, phone=True)[0].side

    def _journal(self, w: World, who: str) -> Iterator[Step]:
        """The journal write that is under way ends, or the process dies with part of it durable."""
        side, phone = (w.phone, True) if who == "p" else (w.display, False)
        if side.pending is None:
            return
        waiting = [self._maker.waiting(call) for call in side.inside["_waiting"]]
        arms = [m for m in waiting if m is not None and m.type == MessageType.ARM]
        label = f"the {'phone' if phone else 'display'}'s journal is written"
        cause = arms[0] if arms else None  # the one command whose effect `Safety` must recognize
        yield from self._take(w, label, self._maker.write(side), who, cause=cause)

    def _deaths(self, w: World, who: str) -> Iterator[Step]:
        side, phone = (w.phone, True) if who == "p" else (w.display, False)
        records = side.pending[1] if side.pending is not None else ()
        for n in range(len(records) + 1):
            down = self._maker.down(side.journal + records[:n], side.life, phone=phone)
            after = w._replace(phone=down) if phone else w._replace(display=down)
            said = f", {n} of {len(records)} records durable" if records else ""
            label = f"the {'phone agent' if phone else 'display'} dies{said}"
            yield Step(label, False, self.pruned(dead(after, who, w.budgets)))

    def _leaves(self, w: World, who: str) -> Iterator[Step]:
        """A process is stopped in good order: it says BYE and is no more."""
        side, phone = (w.phone, True) if who == "p" else (w.display, False)
        connected = side.inside["_live" if phone else "_connection"] is not None
        if not w.budgets.bye or not connected or side.pending is not None:
            return
        (said,) = self._maker.tell(side, ("bye",), lambda c: c.bye(NOW), phone=phone)
        paid = w._replace(budgets=w.budgets._replace(bye=w.budgets.bye - 1))
        after, _ = self._carry_out(paid, said, who)
        down = self._maker.down(side.journal, side.life, phone=phone)
        after = after._replace(phone=down) if phone else after._replace(display=down)
        label = f"the {'phone agent' if phone else 'display'} says BYE and stops"
        yield Step(label, False, self.pruned(gone(after, who)))

    # -- what an answer leads to -------------------------------------------------------------------

    def _take(
        self,
        w: World,
        label: str,
        outcomes: list[Outcome],
        who: str,
        *,
        fair: bool = True,
        cause: Wire | None = None,
        budgets: Budgets | None = None,
        copies: int = 0,
    ) -> Iterator[Step]:
        """The steps of *outcomes*; a death is one only while there is a crash to spend."""
        budgets = budgets or w.budgets
        for o in outcomes:
            if o.died and not budgets.crash:
                continue
            if copies and self._crowded(w, o, copies):
                continue
            after, triggered = self._carry_out(w._replace(budgets=budgets), o, who)
            if o.died:
                after = dead(after, who, budgets)
                name = "display" if who == "d" else "phone"
                died = f"{label}; the {name} dies, {o.died}"
                yield Step(died, False, self.pruned(after), cause, triggered)
            else:
                aborts = [e.abort_id for e in o.effects if isinstance(e, act.Aborted)]
                told = aborts[0] if aborts and who == "p" else b""
                final = self.pruned(after)
                yield Step(label, fair, final, cause, triggered, o.error, told)

    def _crowded(self, w: World, o: Outcome, copies: int) -> bool:
        """Whether what would be sent again is in flight *copies* times already."""
        if len(w.net) >= self._cap:
            return True
        sent = [e for e in o.effects if isinstance(e, Wire)]
        return all(
            sum((m.shape, m.names) == (e.shape, e.names) for m in w.net) >= copies for e in sent
        )

    def _carry_out(
        self, w: World, o: Outcome, who: str
    ) -> tuple[World, tuple[tuple[int, int], ...]]:
        fields: dict[str, Any] = {"display" if who == "d" else "phone": o.side}
        sent, triggered = list[Wire](), list[tuple[int, int]]()
        cameras, files, fired = w.cameras, w.files, w.fired
        for e in o.effects:
            if isinstance(e, Wire):
                sent.append(e)
            elif isinstance(e, act.Paint):
                fields.update(screen=0, paint=(e.index, e.token))
            elif isinstance(e, act.Blank):
                fields.update(screen=0, paint=None)
            elif isinstance(e, act.CheckSurface):
                fields["check"] = (e.token, surface_of(w.screen))
            elif isinstance(e, act.TriggerCamera):
                key = (e.ticket.index, e.ticket.attempt)
                triggered.append(key)
                cameras += (Exposure(e.ticket, None),)
                fired |= {key}
            elif isinstance(e, act.KillCamera):
                cameras = tuple(
                    c._replace(killed=c.killed or c.ticket == e.ticket) for c in cameras
                )
            elif isinstance(e, act.StorePhoto):
                fields["store"] = e
            elif isinstance(e, act.Quarantine):
                files -= {e.name}
            elif isinstance(e, act.Stopping) and w.ended is None:
                fields["ended"] = self._under_way(w)
        after = w._replace(**fields, cameras=cameras, files=files, fired=fired)
        after = self.pruned(after)
        room = self._cap - len(after.net)
        if sent and room > 0:
            useful = [m for m in sent if not self._prune or alive(m, after)]
            after = after._replace(net=after.net + tuple(useful[:room]))
        return after, tuple(triggered)

    def _under_way(self, w: World) -> frozenset[tuple[int, int]]:
        """The attempts that the display has asked for and the phone may still begin."""
        asked, waiting = w.display.inside["_request"], w.phone.inside.get("_waiting", ())
        wires = [*w.net, *[m for m in map(self._maker.waiting, waiting) if m is not None]]
        keys = {(m.index, m.attempt) for m in wires if m.type == MessageType.CAPTURE}
        if asked is not None and asked.template.type == MessageType.CAPTURE:
            keys.add((asked.template.index, asked.template.attempt))
        if w.phone.pending is not None:
            keys |= {run.open for run in w.phone.core.ledger.runs.values() if run.open}
        return frozenset(keys)

    # -- inputs ------------------------------------------------------------------------------------

    def _do(
        self, w: World, label: str, who: str, method: str, *args: object, fair: bool = True
    ) -> Iterator[Step]:
        def call(core: Any) -> list[act.Output]:
            told = (args[0], NOW) if method == "operator" else (*args, NOW)
            return getattr(core, method)(*told)  # type: ignore[no-any-return]

        side = w.display if who == "d" else w.phone
        if side.queued >= self._maker.queue > 0:
            return
        outcomes = self._maker.tell(side, (method, *args), call, phone=who == "p")
        yield from self._take(w, label, outcomes, who, fair=fair)

    def _fire(
        self,
        w: World,
        name: str,
        who: str,
        *,
        fair: bool = True,
        budgets: Budgets | None = None,
        copies: int = 0,
    ) -> Iterator[Step]:
        side, label = (w.display, "display") if who == "d" else (w.phone, "phone")
        if side.pending is not None:
            return  # the core has no deadline while its journal is being written
        outcomes = self._tell_timer(side, name, phone=who == "p")
        yield from self._take(
            w, f"{label} timer: {name}", outcomes, who, fair=fair, budgets=budgets, copies=copies
        )

    def _tell_timer(self, side: Side, name: str, *, phone: bool) -> list[Outcome]:
        def call(core: Any) -> list[act.Output]:
            s = vars(core)
            connection = s["_live"] if phone else s["_connection"]
            if connection is not None and name in {"knock", "watch"}:
                connection.last_heard = NOW - LONG
            s["_deadlines"][name] = NOW - 1
            return core.timer_fired(NOW)  # type: ignore[no-any-return]

        return self._maker.tell(side, ("timer", name), call, phone=phone)


def dead(w: World, who: str, budgets: Budgets) -> World:
    """*w* after a process is gone; the camera goes on."""
    b = budgets._replace(crash=budgets.crash - 1)
    return gone(w._replace(budgets=b), who)


def gone(w: World, who: str) -> World:
    """*w* after the display's or the phone's process ended, and what it alone knew."""
    if who == "d":
        return w._replace(screen=0, paint=None, check=None)
    return w._replace(store=None)
