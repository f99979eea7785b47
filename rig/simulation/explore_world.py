"""The world that the exhaustive search explores: both real cores and everything between them.

A step is one thing that can happen next: a datagram arrives, is lost or leaves a late copy
behind; a timer fires; the screen confirms or is disturbed; the camera, which outlives the phone
agent, fires, answers or fails; a process dies or starts; a person acts. Faults are paid from
budgets; steps that need none are *fair*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.display import Phase, Subset
from rig.protocol.display_ledger import DisplayLedger
from rig.simulation.explore_copy import NOW, Draws
from rig.simulation.explore_network import LONG, Network
from rig.simulation.explore_photos import photo_of, surface_of
from rig.simulation.explore_sides import PHONE, Wire
from rig.simulation.explore_state import Exposure, Step, World, held

_DEFECTIVE = Draws(0xFFFF)(8)
"""The token of captures that nobody should have asked for."""


class Rules(Network):
    """What can happen."""

    def steps(self, w: World) -> Iterator[Step]:
        """Everything that can happen next."""
        yield from self._network(w)
        if w.display.core is None:
            yield from self._take(w, "display starts", self._maker.boot_display(w.display), "d")
        else:
            yield from self._display(w)
            yield from self._people(w)
            yield from self._journal(w, "d")
            yield from self._leaves(w, "d")
        if w.phone.core is None:
            yield from self._start_phone(w)
        else:
            yield from self._phone(w)
            yield from self._journal(w, "p")
            yield from self._leaves(w, "p")
        for n, camera in enumerate(w.cameras):
            yield from self._camera(w, camera, w.cameras[:n] + w.cameras[n + 1 :])

    # -- the display and its person ----------------------------------------------------------------

    def _display(self, w: World) -> Iterator[Step]:
        s, b = w.display.inside, w.budgets
        for name in s["_deadlines"]:
            if name in {"hello", "request", "settle", "meta", "bye"}:
                copies = 0 if name in {"settle", "bye"} else self._copies
                yield from self._fire(w, name, "d", copies=copies)
            elif name == "paint" and b.glitch:
                left = b._replace(glitch=b.glitch - 1)
                yield from self._fire(w, name, "d", fair=False, budgets=left)
        if w.paint is not None:
            index, token = w.paint
            shown, surface = w._replace(screen=index, paint=None), surface_of(index)
            yield from self._do(shown, f"x-ray {index} is up", "d", "painted", token, surface)
        if w.check is not None:
            unchecked = w._replace(check=None)
            yield from self._do(unchecked, "surface read back", "d", "surface_checked", *w.check)
        phase, still = s["phase"], w.display.pending is None
        if w.screen and b.glitch:
            dark = w._replace(screen=0, budgets=b._replace(glitch=b.glitch - 1))
            yield from self._do(
                dark, "the screen is disturbed", "d", "display_disturbed", "moved", fair=False
            )
        if phase is Phase.CAPTURE and still and len(w.net) < self._cap:
            yield from self._wrong(w)
        if b.silence and still and w.phone.pending is None:
            yield from self._silence(w)
        if b.crash and phase is not Phase.COMPLETE:
            yield from self._deaths(w, "d")

    def _people(self, w: World) -> Iterator[Step]:
        """What a person at the display may command."""
        s, b = w.display.inside, w.budgets
        phase, asked = s["phase"], s["paused"] is not None or s["_pause_asked"] is not None
        if asked:
            yield from self._do(w, "the operator resumes", "d", "operator", "resume")
        elif b.pause and phase not in {Phase.ABORTED, Phase.COMPLETE}:
            paid = w._replace(budgets=b._replace(pause=b.pause - 1))
            yield from self._do(paid, "the operator pauses", "d", "operator", "pause", fair=False)
        if b.pause_now and phase not in {Phase.ABORTED, Phase.COMPLETE}:
            paid = w._replace(budgets=b._replace(pause_now=b.pause_now - 1))
            said = "the operator pauses at once"
            yield from self._do(paid, said, "d", "operator", "pause_now", fair=False)
        if b.stop and phase not in {Phase.ABORTED, Phase.COMPLETE}:
            paid = w._replace(budgets=b._replace(stop=b.stop - 1), stop_asked=True)
            yield from self._do(paid, "the operator stops", "d", "operator", "stop", fair=False)
        if phase is Phase.ABORTED:
            yield from self._rearm(w)
        if b.abort and phase not in {Phase.ABORTED, Phase.COMPLETE}:
            paid = w._replace(budgets=b._replace(abort=b.abort - 1), had_cause=True)
            yield from self._do(paid, "the operator aborts", "d", "operator", "abort", fair=False)
        if b.ping and "watch" in s["_deadlines"] and s["_armed"] and w.display.pending is None:
            paid = w._replace(budgets=b._replace(ping=b.ping - 1))
            outcomes = self._maker.tell(w.display, ("ping",), _ping, phone=False)
            yield from self._take(paid, "the display pings", outcomes, "d", fair=False)

    def _rearm(self, w: World) -> Iterator[Step]:
        latch = w.display.core.ledger.latch
        if latch is None or w.display.pending is not None:
            return
        key = ("rearm",)
        outcomes = self._maker.tell(
            w.display, key, lambda c: c.operator("rearm", NOW, latch.abort_id), phone=False
        )
        yield from self._take(w, "the operator re-arms", outcomes, "d")

    def _wrong(self, w: World) -> Iterator[Step]:
        """An authentic CAPTURE or FINISH that a defective display should never have sent."""
        b, subset, ledger = w.budgets, self._maker.subset, w.display.core.ledger
        wrong = [(d, b._replace(wrong=b.wrong - 1)) for d in _captures(subset, ledger) if b.wrong]
        wrong += [(d, b._replace(finish=b.finish - 1)) for d in _ends(subset, ledger) if b.finish]
        for template, left in wrong:

            def call(core: Any, template: Datagram = template) -> list[act.Output]:
                _, data = vars(core)["_connection"].seal(template, NOW)
                return [act.SendDatagram(data, PHONE)]

            key = ("wrong", template.type, template.index, template.attempt, template.chain)
            (o,) = self._maker.tell(w.display, key, call, phone=False)
            (sent,) = o.effects
            if isinstance(sent, Wire):
                bad = self._maker.wire(sent.data, to_phone=True, bad=True)
                after = w._replace(display=o.side, net=(*w.net, bad), budgets=left, had_cause=True)
                yield Step(f"a defective display sends {bad.text}", False, self.pruned(after))

    def _silence(self, w: World) -> Iterator[Step]:
        """The link is silent for long: the display gives up waiting, or the phone knocks."""
        b = w.budgets._replace(silence=w.budgets.silence - 1)
        if w.display.inside["_connection"] is None:
            return
        if "watch" in w.display.inside["_deadlines"]:
            yield from self._fire(w, "watch", "d", fair=False, budgets=b)
        if w.phone.core is not None and "knock" in w.phone.inside["_deadlines"]:
            (o,) = self._tell_timer(w.phone, "knock", phone=True)
            knocked = w._replace(phone=o.side, budgets=b)
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
            w._replace(files=w.files & kept), "the phone agent starts", outcomes, "p"
        )

    def _phone(self, w: World) -> Iterator[Step]:
        s, b = w.phone.inside, w.budgets
        for name in s["_deadlines"]:
            if name in {"con", "bye"}:
                yield from self._fire(w, name, "p", copies=self._copies if name == "con" else 0)
            elif name == "knock" and not held(w):
                yield from self._fire(w, name, "p", copies=1)
            elif name == "camera" and b.camera:
                paid = b._replace(camera=b.camera - 1)
                yield from self._fire(w, name, "p", fair=False, budgets=paid)
        if w.store is not None:
            ticket = w.store.ticket
            stored = w._replace(store=None, files=w.files | {w.store.final})
            yield from self._do(stored, "the photo is stored", "p", "photo_stored", ticket, None)
            if b.camera:
                failed = w._replace(store=None, budgets=b._replace(camera=b.camera - 1))
                why = act.CameraFailure(int(Code.FS_ERROR), "full")
                yield from self._do(
                    failed, "storing fails", "p", "photo_stored", ticket, why, fair=False
                )
        if b.crash:
            yield from self._deaths(w, "p")

    def _camera(self, w: World, c: Exposure, others: tuple[Exposure, ...]) -> Iterator[Step]:
        at = f"({c.ticket.index},{c.ticket.attempt})"
        gone = w._replace(cameras=others)
        if c.shown is not None:
            photo = photo_of(c.ticket, c.shown)
            yield from self._answer(gone, c, photo, f"the camera answers {at}")
            return
        after = w._replace(cameras=(*others, c._replace(shown=w.screen)))
        yield Step(f"the camera fires {at}: {w.screen or 'nothing'} is on the screen", True, after)
        failure = act.CameraFailure(int(Code.CAMERA_ERROR), "no photo")
        if c.killed:
            yield from self._answer(gone, c, failure, f"the camera {at} is dead")
        elif w.budgets.camera:
            b = w.budgets._replace(camera=w.budgets.camera - 1)
            failed = gone._replace(budgets=b)
            yield from self._answer(failed, c, failure, f"the camera {at} fails", fair=False)

    def _answer(
        self, w: World, c: Exposure, said: object, label: str, *, fair: bool = True
    ) -> Iterator[Step]:
        """To whatever phone agent runs now, also to one that never asked."""
        if w.phone.core is None:
            yield Step(f"{label}, nobody hears it", fair, w)
            return
        yield from self._do(w, label, "p", "camera_result", c.ticket, said, fair=fair)


def _captures(subset: Subset, ledger: DisplayLedger) -> list[Datagram]:
    """CAPTUREs that contradict what is decided."""
    due, chain, wrong = ledger.next_index, ledger.chain[:8], list[Datagram]()
    for index, attempt, before in (
        (due + 1, 1, chain), (due - 1, 9, chain), (due, 9, b"\xee" * 8), (due + 1, 1, bytes(8)),
    ):  # fmt: skip
        meta = subset.meta(min(max(index, subset.first), subset.last))
        command = Datagram(
            MessageType.CAPTURE, subset=subset.subset, index=index, attempt=attempt,
            token=_DEFECTIVE, chain=before,
            digest=hashlib.sha256(meta).digest()[:8], payload=meta,
        )  # fmt: skip
        wrong.append(command)
    return wrong


def _ends(subset: Subset, ledger: DisplayLedger) -> list[Datagram]:
    """FINISHes that contradict it."""
    due, chain = ledger.next_index, ledger.chain[:8]
    ends = [(due, chain), (due - 2, chain), (due - 1, b"\xee" * 8)]
    return [
        Datagram(MessageType.FINISH, subset=subset.subset, index=index, chain=after)
        for index, after in ends
        if index >= 0
    ]


def _ping(core: Any) -> list[act.Output]:
    """Nothing was sent for a while, though the phone was heard just now."""
    vars(core)["_connection"].last_sent = NOW - LONG
    vars(core)["_deadlines"]["watch"] = NOW - 1
    return core.timer_fired(NOW)  # type: ignore[no-any-return]
