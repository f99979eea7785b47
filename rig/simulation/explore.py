"""Exhaustive search over the real protocol cores, breadth first (XCAP/1, proof by enumeration).

`search` visits every state that is reachable within a configuration's bounds, judges every
transition (`explore_safety`), then searches backwards over the fair steps: from every state that
was visited a run without further faults must be able to complete (L1).

What a state's key leaves out: the clock (any armed timer may fire at any moment), packet numbers,
round-trip times and back-off (a datagram can be accepted by its receiver or not), which random
bytes were drawn (names are numbered by appearance), words for people, and how photos that are
committed came about (`explore_shape`). Banner timers are left out. Datagrams that their receiver
can never accept again are taken out of the network, as if lost. An input and the journal write it
asks for are one step, with every way to die during it; with *queue* the write is a step of its
own, and other inputs wait for it. A write that fails is a death: the shell stops the agent.

    python -m rig.simulation.explore --count 2 --crash 1 --cap 2
"""

from __future__ import annotations

import argparse
import sys
import time
from array import array
from collections import deque
from dataclasses import dataclass, field, replace

from rig.protocol.datagram import canonical, parse_payload
from rig.protocol.display import DisplayCore, Phase, Subset
from rig.protocol.phone import PhoneCore
from rig.simulation.explore_safety import Safety
from rig.simulation.explore_sides import Maker
from rig.simulation.explore_state import Budgets, World, acks, alive, answers, misfiled, old_capture
from rig.simulation.explore_world import Rules
from rig.simulation.virtual import subset_of

_ROOM = 2_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """A configuration: x-rays, datagrams in flight, copies of one message among them, faults."""

    count: int = 2
    cap: int = 2
    copies: int = 1
    crash: int = 0
    camera: int = 0
    glitch: int = 0
    wrong: int = 0
    abort: int = 0
    silence: int = 0
    pause: int = 0
    bye: int = 0
    ping: int = 0
    stop: int = 0
    pause_now: int = 0
    finish: int = 0
    queue: int = 0
    """Inputs that may wait behind a journal write; 0: a write and its input are one step."""
    large: bool = False
    """Whether the metadata exceed a datagram (two parts)."""
    prune: bool = True
    """Whether datagrams that can never be accepted are taken out (fewer states, same verdicts)."""
    brief: bool = True
    """Whether how committed photos came about is forgotten (`explore_shape`; as above)."""

    def budgets(self) -> Budgets:
        """Its faults."""
        return Budgets(**{name: getattr(self, name) for name in Budgets._fields})


@dataclass
class Found:
    """What a search found. *exhausted*: every reachable state was visited; seconds of CPU time."""

    bounds: Bounds
    states: int = 0
    transitions: int = 0
    depth: int = 0
    goals: int = 0
    stuck: int = 0
    seconds: float = 0.0
    exhausted: bool = False
    wrong: str = ""
    trace: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line of figures, then the trace of what is wrong."""
        b = self.bounds
        faults = " ".join(f"{n}={v}" for n, v in b.budgets()._asdict().items() if v)
        verdict = self.wrong or ("S1-S7 and L1 hold" if self.exhausted else "no fault found")
        faults += f" queue={b.queue}" * bool(b.queue) + " large metadata" * b.large
        bounded = "exhausted" if self.exhausted else "NOT exhausted"
        line = (
            f"N={b.count} in flight<={b.cap} copies<={b.copies} {faults.strip() or 'no faults'}: "
            f"{self.states} states, {self.transitions} transitions, depth {self.depth}, "
            f"{self.goals} complete, {self.stuck} stuck, {self.seconds:.1f} s, {bounded}: {verdict}"
        )
        return "\n".join([line, *(f"  {n:3d}. {s}" for n, s in enumerate(self.trace, 1))])


class Explorer:
    """One search."""

    def __init__(
        self,
        bounds: Bounds,
        display: type[DisplayCore] = DisplayCore,
        phone: type[PhoneCore] = PhoneCore,
        beside: Explorer | None = None,
    ) -> None:
        """*beside*: another search of the same world, so that `states` of both can be compared."""
        self._bounds = bounds
        subset = large_subset_of(bounds.count) if bounds.large else subset_of(bounds.count)
        own = Maker(subset, display, phone, queue=bounds.queue, large=bounds.large)
        self.maker: Maker = beside.maker if beside is not None else own
        self._rules = Rules(self.maker, bounds.cap, bounds.copies, prune=bounds.prune)
        self._safety = Safety(self.maker)
        self._ids: dict[bytes, int] = {}
        self._parents = array("i")
        self._labels: list[str] = []
        self._from, self._to = array("I"), array("I")
        self._goals: list[int] = []
        self._reduced: set[bytes] = set()

    def search(self, *, states: int = _ROOM, seconds: float = 1e9, liveness: bool = True) -> Found:
        """Visit everything, or as much as *states* and *seconds* allow."""
        began = time.process_time()
        found = Found(self._bounds)
        frontier = [(self._number(self._first(), -1, ""), self._first_world)]
        while frontier:
            found.depth += 1
            later: list[tuple[int, World]] = []
            for at, world in frontier:
                self._expand(at, world, later, found)
                over = len(self._ids) > states or time.process_time() - began > seconds
                if found.wrong or over:
                    break
            else:
                frontier = later
                continue
            break
        else:
            found.exhausted = True
        if found.exhausted and liveness:
            self._backwards(found)
        found.states, found.goals = len(self._ids), len(self._goals)
        found.seconds = time.process_time() - began
        return found

    @property
    def states(self) -> set[bytes]:
        """Every state that was visited, as the reduced search tells states apart."""
        return self._reduced or set(self._ids)

    def _first(self) -> World:
        self._first_world = self._rules.first(self._bounds.budgets())
        return self._first_world

    def _expand(self, at: int, world: World, later: list[tuple[int, World]], found: Found) -> None:
        core = world.display.core
        if core is not None and core.phase is Phase.COMPLETE:
            self._goals.append(at)
        for step in self._rules.steps(world):
            found.transitions += 1
            after, wrong = self._safety.judge(world, step)
            if wrong:
                found.wrong = wrong
                found.trace = [*self._trace(at), step.label]
                return
            known = len(self._ids)
            to = self._number(after, at, step.label)
            if to == known:
                later.append((to, after))
            if step.fair and to != at:
                self._from.append(at)
                self._to.append(to)

    def _trace(self, at: int) -> list[str]:
        labels: list[str] = []
        while at > 0:
            labels.append(self._labels[at])
            at = self._parents[at]
        return labels[::-1]

    # -- keys --------------------------------------------------------------------------------------

    def _number(self, w: World, parent: int, label: str) -> int:
        key = self._key(w)
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self._ids)
            self._parents.append(parent)
            self._labels.append(sys.intern(label))
            if not (self._bounds.brief and self._bounds.prune):
                self._reduced.add(self._reduced_key(w))
        return number

    def _reduced_key(self, w: World) -> bytes:
        """The key that a reduced search gives to *w*."""
        return self._key(Rules(self.maker, self._bounds.cap).pruned(w), reduced=True)

    def _key(self, w: World, *, reduced: bool = False) -> bytes:
        """What makes *w* different from other worlds."""
        names = w.display.numbers.copy()  # that the display's own links are 0, 1, 2... goes unsaid
        phone, oldest = (w.phone.shape, w.phone.names), w.phone.expected
        if not (reduced or self._bounds.brief) or old_capture(w):
            phone, oldest = w.phone.full, 0
        links = [names.setdefault(a, len(names)) for a in phone[1]]
        stopped = w.stopped or (b"", b"")
        held = [w.paint and w.paint[1], w.check and w.check[0], stopped[0], stopped[1][:8]]
        held += [c.ticket.boot for c in w.cameras]
        held.append(w.store.ticket.boot if w.store is not None else None)
        links += [names.setdefault(one, len(names)) if one else 9999 for one in held]
        exposure = w.display.inside.get("_exposure")
        acked = exposure is not None and acks(
            w.phone, w.display.inside["_connection"].conn_id, exposure.result_pn
        )
        rest = (
            w.budgets, w.screen, w.paint and w.paint[0], w.check and w.check[1],
            tuple([(c.ticket.index, c.ticket.attempt, *c[1:]) for c in w.cameras]),
            w.store and (w.store.ticket.index, w.store.ticket.attempt),
            misfiled(w), frozenset([k for k in w.fired if k[0] >= oldest]), acked, w.had_cause,
            w.stop_asked, w.ended and frozenset([k for k in w.ended if k[0] >= oldest]),
            w.ended is None,
        )  # fmt: skip
        flying = sorted(
            (m.shape, [names.get(a, 9999) for a in m.names], m.pn if m.nonce else 0, n)
            for n, m in enumerate(w.net)
        )
        parts = [w.display.shape, phone[0], self.maker.shapes.number(rest)]
        ready = sorted(m.pn for m in w.net if m.nonce)
        for shape, _, pn, n in flying:
            parts.append(shape)
            useful = reduced or self._bounds.prune or alive(w.net[n], w)
            current = self._bounds.large and answers(w.net[n], w)
            parts.append(4 * (ready.index(pn) if pn in ready else 0) + 2 * current + useful)
            links += [names.setdefault(a, len(names)) for a in w.net[n].names]
        past = w.display.inside.get("_superseded", ())
        links += sorted([names[b] for b in past if b in names])
        return array("I", [*parts, 99999999, *links]).tobytes()

    # -- liveness ----------------------------------------------------------------------------------

    def _backwards(self, found: Found) -> None:
        """From the complete states back over the fair steps: who is not met is stuck."""
        n = len(self._ids)
        starts = array("I", bytes(4 * (n + 2)))
        for to in self._to:
            starts[to + 2] += 1
        for i in range(2, n + 2):
            starts[i] += starts[i - 1]
        before = array("I", bytes(4 * len(self._from)))
        for at, to in zip(self._from, self._to, strict=True):
            before[starts[to + 1]] = at
            starts[to + 1] += 1
        met, queue = bytearray(n), deque(self._goals)
        for at in self._goals:
            met[at] = 1
        while queue:
            at = queue.popleft()
            for edge in range(starts[at], starts[at + 1]):
                if not met[before[edge]]:
                    met[before[edge]] = 1
                    queue.append(before[edge])
        found.stuck = n - sum(met)
        if found.stuck:
            at = met.index(0)
            found.wrong = "L1 no run without faults completes from here"
            found.trace = self._trace(at)


def large_subset_of(count: int) -> Subset:
    """*count* x-rays whose metadata take two parts each."""
    subset = subset_of(count)
    notes = [canonical({**parse_payload(m), "note": "n" * 1500}) for m in subset.metadata]
    return replace(subset, metadata=tuple(notes))


def main(argv: list[str] | None = None) -> int:
    """Search one configuration, or all; print what was found; 1 when something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m rig.simulation.explore", description=(__doc__ or "").partition("\n\n")[0]
    )
    for name, default, text in (
        ("count", 2, "x-rays"), ("cap", 2, "datagrams in flight"),
        ("copies", 1, "copies of one message in flight"), ("crash", 0, "process deaths"),
        ("camera", 0, "camera faults"), ("glitch", 0, "disturbances of the screen"),
        ("wrong", 0, "captures of a wrong index"), ("abort", 0, "aborts by the operator"),
        ("silence", 0, "long silences of the link"), ("pause", 0, "pauses by the operator"),
        ("bye", 0, "processes stopped in good order"), ("ping", 0, "PINGs"),
        ("stop", 0, "early ends by the operator"), ("pause_now", 0, "pauses at once"),
        ("finish", 0, "FINISHes of a wrong index or history"),
        ("queue", 0, "inputs that may wait behind a journal write"),
    ):  # fmt: skip
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=default, help=f"{text} ({default})")
    parser.add_argument("--large", action="store_true", help="metadata larger than a datagram")
    parser.add_argument("--no-prune", action="store_true", help="keep dead datagrams in flight")
    parser.add_argument("--no-brief", action="store_true", help="tell all histories apart")
    parser.add_argument("--all", action="store_true", help="every configuration of the table")
    parser.add_argument("--states", type=int, default=_ROOM, help="stop after so many states")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    args = vars(parser.parse_args(argv))
    states, seconds = args.pop("states"), args.pop("seconds")
    prune, brief = not args.pop("no_prune"), not args.pop("no_brief")
    if args.pop("all"):
        from rig.simulation.explore_table import search_all

        return search_all(states=states, seconds=seconds)
    found = Explorer(Bounds(**args, prune=prune, brief=brief)).search(
        states=states, seconds=seconds
    )
    sys.stdout.write(f"{found}\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
