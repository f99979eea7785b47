"""The world that the exhaustive search explores: both real cores and everything between them.

A step is one thing that can happen next: a datagram arrives, is lost or leaves a late copy
behind; a timer fires; the screen confirms or is disturbed; the camera, which outlives the phone
agent, fires, answers or fails; a process dies or starts; a person acts. Faults are paid from
budgets; steps that need none are *fair*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.display import Phase
from rig.simulation.explore_copy import NOW
from rig.simulation.explore_sides import DISPLAY, PHONE, Maker, Outcome, Side, Wire
from rig.simulation.explore_state import (
    Budgets,
    Exposure,
    Step,
    World,
    alive,
    held,
    photo_of,
    surface_of,
    wanted,
)  # fmt: skip

_BOOT_KEYED = frozenset({MessageType.KNOCK, MessageType.HELLO, MessageType.READY})
_LONG = 1000.0


class Rules:
    """What can happen. *cap*: datagrams in flight; *copies*: of one message among them."""

    def __init__(self, maker: Maker, cap: int, copies: int = 1, *, prune: bool = True) -> None:
        self._maker = maker
        self._cap, self._copies, self._prune = cap, copies, prune

    def first(self, budgets: Budgets) -> World:
        """Both processes down, nothing journalled."""
        display = self._maker.down((), 0, phone=False)
        return World(display, self._maker.down((), 0, phone=True), budgets)

    def steps(self, w: World) -> Iterator[Step]:
        """Everything that can happen next."""
        yield from self._network(w)
        if w.display.core is None:
            yield from self._take(w, "display starts", self._maker.boot_display(w.display), "d")
        else:
            yield from self._display(w)
        if w.phone.core is None:
            yield from self._start_phone(w)
        else:
            yield from self._phone(w)
        for n, camera in enumerate(w.cameras):
            yield from self._camera(w, camera, w.cameras[:n] + w.cameras[n + 1 :])

    # -- the network -------------------------------------------------------------------------------

    def _network(self, w: World) -> Iterator[Step]:
        for n, wire in enumerate(w.net):
            if any((o.shape, o.names) == (wire.shape, wire.names) for o in w.net[:n]):
                continue
            rest = w.net[:n] + w.net[n + 1 :]
            yield Step(f"{wire.text} is lost", False, self._pruned(replace(w, net=rest)))
            yield from self._deliver(replace(w, net=rest), wire, f"{wire.text} arrives")
            b = w.budgets
            if b.silence and wire.type == MessageType.READY and w.display.inside.get("_armed"):
                quiet = replace(w, net=rest, budgets=b._replace(silence=b.silence - 1))
                label = f"{wire.text} arrives after a long silence"
                yield from self._deliver(quiet, wire, label, fair=False, silent=True)
            if wire.type in _BOOT_KEYED or not self._prune:
                label = f"{wire.text} arrives, a copy stays"
                yield from self._deliver(w, wire, label, fair=False)

    def _deliver(
        self, w: World, wire: Wire, label: str, *, fair: bool = True, silent: bool = False
    ) -> Iterator[Step]:
        side, addr = (w.phone, DISPLAY) if wire.to_phone else (w.display, PHONE)
        if side.core is None:
            return

        def call(core: Any) -> list[act.Output]:
            connection = vars(core).get("_connection")
            if silent and connection is not None:
                connection.last_heard = NOW - _LONG
            return core.datagram_received(wire.data, addr, NOW)  # type: ignore[no-any-return]

        key = (wire, silent)
        outcomes = self._maker.tell(side, key, call, phone=wire.to_phone)
        yield from self._take(
            w, label, outcomes, "p" if wire.to_phone else "d", fair=fair, cause=wire
        )

    def _pruned(self, w: World) -> World:
        if not self._prune:
            return w
        net = tuple([m for m in w.net if alive(m, w)])
        if len(net) != len(w.net):
            w = replace(w, net=net)
        candidates = w.phone.inside.get("_candidates")
        if candidates:
            dead = [c for c, v in candidates.items() if not wanted(c, v.nonce_d, w)]
            if dead:
                w = replace(w, phone=self._without(w.phone, dead))
        return w

    def _without(self, side: Side, dead: list[bytes]) -> Side:
        def call(core: Any) -> list[act.Output]:
            for conn in dead:
                del vars(core)["_candidates"][conn]
            return []

        return self._maker.tell(side, ("forget", *dead), call, phone=True)[0].side

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
            after, triggered = self._carry_out(replace(w, budgets=budgets), o, who)
            if o.died:
                after = _dead(after, who, budgets)
                name = "display" if who == "d" else "phone"
                died = f"{label}; the {name} dies, {o.died}"
                yield Step(died, False, self._pruned(after), cause, triggered)
            else:
                aborts = [e.abort_id for e in o.effects if isinstance(e, act.Aborted)]
                told = aborts[0] if aborts and who == "p" else b""
                final = self._pruned(after)
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
        after = replace(w, **fields, cameras=cameras, files=files, fired=fired)
        after = self._pruned(after)
        room = self._cap - len(after.net)
        if sent and room > 0:
            useful = [m for m in sent if not self._prune or alive(m, after)]
            after = replace(after, net=after.net + tuple(useful[:room]))
        return after, tuple(triggered)

    # -- the display and its person ----------------------------------------------------------------

    def _display(self, w: World) -> Iterator[Step]:
        s, b = w.display.inside, w.budgets
        for name in s["_deadlines"]:
            if name in {"hello", "request", "settle"}:
                copies = 0 if name == "settle" else self._copies
                yield from self._fire(w, name, "d", copies=copies)
            elif name == "paint" and b.glitch:
                left = b._replace(glitch=b.glitch - 1)
                yield from self._fire(w, name, "d", fair=False, budgets=left)
        if w.paint is not None:
            index, token = w.paint
            shown, surface = replace(w, screen=index, paint=None), surface_of(index)
            yield from self._do(shown, f"x-ray {index} is up", "d", "painted", token, surface)
        if w.check is not None:
            unchecked = replace(w, check=None)
            yield from self._do(unchecked, "surface read back", "d", "surface_checked", *w.check)
        phase = s["phase"]
        if w.screen and b.glitch:
            dark = replace(w, screen=0, budgets=b._replace(glitch=b.glitch - 1))
            yield from self._do(
                dark, "the screen is disturbed", "d", "display_disturbed", "moved", fair=False
            )
        if s["paused"] is not None or s["_pause_asked"] is not None:
            yield from self._do(w, "the operator resumes", "d", "operator", "resume")
        if phase is Phase.ABORTED:
            yield from self._rearm(w)
        if b.abort and phase not in {Phase.ABORTED, Phase.COMPLETE}:
            paid = replace(w, budgets=b._replace(abort=b.abort - 1), had_cause=True)
            yield from self._do(paid, "the operator aborts", "d", "operator", "abort", fair=False)
        if b.wrong and phase is Phase.CAPTURE and len(w.net) < self._cap:
            yield from self._wrong(w)
        if b.silence:
            yield from self._silence(w)
        if b.crash and phase is not Phase.COMPLETE:
            dead = self._maker.down(w.display.journal, w.display.life, phone=False)
            after = _dead(replace(w, display=dead), "d", b)
            yield Step("the display dies", False, self._pruned(after))

    def _rearm(self, w: World) -> Iterator[Step]:
        latch = w.display.core.ledger.latch
        if latch is None:
            return
        key = ("rearm",)
        outcomes = self._maker.tell(
            w.display, key, lambda c: c.operator("rearm", NOW, latch.abort_id), phone=False
        )
        yield from self._take(w, "the operator re-arms", outcomes, "d")

    def _wrong(self, w: World) -> Iterator[Step]:
        """An authentic CAPTURE that a defective display should never have sent."""
        subset, ledger = self._maker.subset, w.display.core.ledger
        due, chain = ledger.next_index, ledger.chain[:8]
        b = w.budgets._replace(wrong=w.budgets.wrong - 1)
        for index, attempt, before in (
            (due + 1, 1, chain), (due - 1, 9, chain), (due, 9, b"\xee" * 8), (due + 1, 1, bytes(8)),
        ):  # fmt: skip
            meta = subset.meta(min(max(index, subset.first), subset.last))
            template = Datagram(
                MessageType.CAPTURE, subset=subset.subset, index=index, attempt=attempt,
                token=self._maker.fresh(8), chain=before,
                digest=hashlib.sha256(meta).digest()[:8], payload=meta,
            )  # fmt: skip

            def call(core: Any, template: Datagram = template) -> list[act.Output]:
                _, data = vars(core)["_connection"].seal(template, NOW)
                return [act.SendDatagram(data, PHONE)]

            key = ("wrong", index, attempt, before)
            (o,) = self._maker.tell(w.display, key, call, phone=False)
            (sent,) = o.effects
            if isinstance(sent, Wire):
                bad = self._maker.wire(sent.data, to_phone=True, bad=True)
                after = replace(w, display=o.side, net=(*w.net, bad), budgets=b, had_cause=True)
                yield Step(f"a defective display sends {bad.text}", False, self._pruned(after))

    def _silence(self, w: World) -> Iterator[Step]:
        """The link is silent for long: the display gives up waiting, or the phone knocks."""
        b = w.budgets._replace(silence=w.budgets.silence - 1)
        if w.display.inside["_connection"] is None:
            return
        if "watch" in w.display.inside["_deadlines"]:
            yield from self._fire(w, "watch", "d", fair=False, budgets=b)
        if w.phone.core is not None and "knock" in w.phone.inside["_deadlines"]:
            (o,) = self._tell_timer(w.phone, "knock", phone=True)
            knocked = replace(w, phone=o.side, budgets=b)
            for wire in o.effects[:1]:
                if isinstance(wire, Wire):
                    label = "after a long silence a KNOCK arrives"
                    yield from self._deliver(knocked, wire, label, fair=False, silent=True)

    # -- the phone and its camera ------------------------------------------------------------------

    def _start_phone(self, w: World) -> Iterator[Step]:
        shots = [s for r in w.phone.ledger.runs.values() for s in r.shots.values()]
        kept = {s.name for s in shots if s.state.value in {"stored", "committed"}}
        missing = tuple(sorted(kept - w.files))
        outcomes = self._maker.boot_phone(w.phone, missing)
        yield from self._take(
            replace(w, files=w.files & kept), "the phone agent starts", outcomes, "p"
        )

    def _phone(self, w: World) -> Iterator[Step]:
        s, b = w.phone.inside, w.budgets
        for name in s["_deadlines"]:
            if name == "con":
                yield from self._fire(w, name, "p", copies=self._copies)
            elif name == "knock" and not held(w):
                yield from self._fire(w, name, "p", copies=1)
            elif name == "camera" and b.camera:
                paid = b._replace(camera=b.camera - 1)
                yield from self._fire(w, name, "p", fair=False, budgets=paid)
        if w.store is not None:
            ticket = w.store.ticket
            stored = replace(w, store=None, files=w.files | {w.store.final})
            yield from self._do(stored, "the photo is stored", "p", "photo_stored", ticket, None)
            if b.camera:
                failed = replace(w, store=None, budgets=b._replace(camera=b.camera - 1))
                why = act.CameraFailure(int(Code.FS_ERROR), "full")
                yield from self._do(
                    failed, "storing fails", "p", "photo_stored", ticket, why, fair=False
                )
        if b.crash:
            dead = self._maker.down(w.phone.journal, w.phone.life, phone=True)
            after = _dead(replace(w, phone=dead), "p", b)
            yield Step("the phone agent dies", False, self._pruned(after))

    def _camera(self, w: World, c: Exposure, others: tuple[Exposure, ...]) -> Iterator[Step]:
        at = f"({c.ticket.index},{c.ticket.attempt})"
        gone = replace(w, cameras=others)
        if c.shown is not None:
            photo = photo_of(c.ticket, c.shown)
            yield from self._answer(gone, c, photo, f"the camera answers {at}")
            return
        after = replace(w, cameras=(*others, c._replace(shown=w.screen)))
        yield Step(f"the camera fires {at}: {w.screen or 'nothing'} is on the screen", True, after)
        failure = act.CameraFailure(int(Code.CAMERA_ERROR), "no photo")
        if c.killed:
            yield from self._answer(gone, c, failure, f"the camera {at} is dead")
        elif w.budgets.camera:
            b = w.budgets._replace(camera=w.budgets.camera - 1)
            failed = replace(gone, budgets=b)
            yield from self._answer(failed, c, failure, f"the camera {at} fails", fair=False)

    def _answer(
        self, w: World, c: Exposure, said: object, label: str, *, fair: bool = True
    ) -> Iterator[Step]:
        """To whatever phone agent runs now, also to one that never asked."""
        if w.phone.core is None:
            yield Step(f"{label}, nobody hears it", fair, w)
            return
        yield from self._do(w, label, "p", "camera_result", c.ticket, said, fair=fair)

    # -- inputs ------------------------------------------------------------------------------------

    def _do(
        self, w: World, label: str, who: str, method: str, *args: object, fair: bool = True
    ) -> Iterator[Step]:
        def call(core: Any) -> list[act.Output]:
            told = (args[0], NOW) if method == "operator" else (*args, NOW)
            return getattr(core, method)(*told)  # type: ignore[no-any-return]

        side = w.display if who == "d" else w.phone
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
        outcomes = self._tell_timer(side, name, phone=who == "p")
        yield from self._take(
            w, f"{label} timer: {name}", outcomes, who, fair=fair, budgets=budgets, copies=copies
        )

    def _tell_timer(self, side: Side, name: str, *, phone: bool) -> list[Outcome]:
        def call(core: Any) -> list[act.Output]:
            s = vars(core)
            connection = s["_live"] if phone else s["_connection"]
            if connection is not None and name in {"knock", "watch"}:
                connection.last_heard = NOW - _LONG
            s["_deadlines"][name] = NOW - 1
            return core.timer_fired(NOW)  # type: ignore[no-any-return]

        return self._maker.tell(side, ("timer", name), call, phone=phone)


def _dead(w: World, who: str, budgets: Budgets) -> World:
    b = budgets._replace(crash=budgets.crash - 1)
    if who == "d":
        return replace(w, budgets=b, screen=0, paint=None, check=None)
    return replace(w, budgets=b, store=None)
