"""Copies of the real cores, made attribute by attribute, and the random bytes that they draw."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from rig.protocol.actions import Addr
from rig.protocol.codes import Timers
from rig.protocol.display_knocks import Knocks
from rig.protocol.endpoint import Connection
from rig.protocol.phone_hellos import Hellos
from rig.protocol.window import RoundTrip

NOW = 1000.0
"""The time of every input: the search lets any armed timer fire at any moment instead."""
_NEVER = 1e9
MAGIC = b"\xa7\x5e"
"""What every drawn name begins with."""
_CALLS = frozenset({frozenset, FunctionType, MethodType, partial})
_LEAVES = frozenset({bytes, str, int, bool, float, type(None)})


class Draws:
    """The random bytes of one process life: never equal within a world, told from all others.

    They follow from *who* draws for the which-th time, so that a core which comes to the same
    state on two ways is the same core, and what it answers need be worked out only once.
    """

    def __init__(self, who: int) -> None:
        self._head = MAGIC + who.to_bytes(2, "big")
        self.made = 0

    def __call__(self, n: int) -> bytes:
        """*n* fresh bytes; two (jitter) are always zero."""
        if n == 2:
            return bytes(2)
        self.made += 1
        return self._head + self.made.to_bytes(n - 4, "big")


class Timeless(RoundTrip):
    """A round-trip time that nothing changes."""

    def sent(self, pn: int, now: float) -> None:
        """Nothing."""

    def answered(self, ack_pn: int, now: float) -> None:
        """Nothing."""

    def timeout(self, losses: int, jitter: float) -> float:
        """One second."""
        return 1.0


_TIMELESS = Timeless(Timers())


def clone(core: Any) -> Any:
    """A copy of *core* that shares nothing which either of them can change."""
    seen: dict[int, Any] = {}
    new = _clone(core, seen)
    writing = vars(new)["_writing"]
    if writing is not None:
        vars(new)["_writing"] = (writing[0], _rebound(writing[1], seen))
        vars(new)["_waiting"] = deque(_rebound(waiting, seen) for waiting in vars(core)["_waiting"])
    timers = vars(new)["_on_timer"]
    vars(new)["_on_timer"] = {n: MethodType(f.__func__, new) for n, f in timers.items()}
    return new


def _rebound(call: Any, seen: dict[int, Any]) -> Any:
    """*call* of the copy instead of the core: what waits for the journal."""
    if isinstance(call, partial):
        return partial(_rebound(call.func, seen), *[_rebound(a, seen) for a in call.args])
    if isinstance(call, MethodType):
        return MethodType(call.__func__, _clone(call.__self__, seen))
    return _clone(call, seen)


def _clone(value: Any, seen: dict[int, Any]) -> Any:
    kind = type(value)
    if kind in _LEAVES or kind is tuple or kind in _CALLS:
        return value
    if kind is dict or kind is OrderedDict:
        return kind((k, _clone(v, seen)) for k, v in value.items())
    if kind is list or kind is deque:
        return kind(_clone(v, seen) for v in value)
    if kind is set:
        return set(value)
    if _is_shared(kind):
        return value
    known = seen.get(id(value))
    if known is not None:
        return known
    new = object.__new__(kind)
    seen[id(value)] = new
    inside = vars(new)
    for name, v in vars(value).items():
        inside[name] = v if type(v) in _LEAVES else _clone(v, seen)
    return new


_SHARED: dict[type, bool] = {}


def _is_shared(kind: type) -> bool:
    """Whether objects of *kind* never change: frozen dataclasses, enums, the clockless stub."""
    answer = _SHARED.get(kind)
    if answer is None:
        frozen = is_dataclass(kind) and bool(kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]
        answer = frozen or issubclass(kind, (Enum, int, RoundTrip))
        _SHARED[kind] = answer
    return answer


def settle(core: Any, *, keep_numbers: bool = False) -> None:
    """Take time out of *core*: timers are armed or not, silences and losses begin anew.

    *keep_numbers*: the packet numbers of a request matter (only where metadata go ahead of it).
    """
    inside = vars(core)
    inside["_deadlines"] = dict.fromkeys(inside["_deadlines"], _NEVER)
    inside["_hello_sent"], inside["_hello_at"] = NOW - 1, NOW
    inside["_hello_losses"], inside["_hello_tokens"] = 1, 20.0
    if isinstance(inside.get("_window"), Knocks):
        # Every KNOCK in flight counts as new, and nobody waits for a turn: turns are a matter of
        # time, and of floods that this search does not know.
        inside["_window"] = _asking(inside["_window"].asked)
    elif isinstance(inside.get("_window"), Hellos):
        inside["_window"] = Hellos()  # every HELLO in flight counts as new, too
    for name in ("_connection", "_live"):
        if isinstance(inside.get(name), Connection):
            _settle_connection(inside[name])
    for candidate in inside.get("_candidates", {}).values():
        _settle_connection(candidate.connection)
    for name in ("_request", "_con", "_part"):
        if inside.get(name) is not None:
            inside[name].losses = 0
    if inside.get("_request") is not None and not keep_numbers:
        inside["_request"].pns.clear()
    if inside.get("_exposure") is not None:
        inside["_exposure"].waiting_since = 0.0


def _asking(asked: Addr | None) -> Knocks:
    knocks = Knocks()
    knocks.asked = asked
    return knocks


def hidden(core: Any) -> Hashable:
    """What a shape leaves out but tells apart two cores of one shape: packet numbers, draws."""
    if core is None:
        return None
    inside = vars(core)
    asked = [inside.get(name) for name in ("_con", "_request", "_part")]
    exposure = inside.get("_exposure")
    connections = [inside.get("_connection"), inside.get("_live")]
    connections += [c.connection for c in inside.get("_candidates", {}).values()]
    return (
        inside["_rng"].made, inside.get("_boot_pn"), inside.get("_hello_pn"),
        inside.get("_answered"), inside.get("_finish_pn"),
        *[frozenset(a.pns) if a is not None else None for a in asked],
        exposure.result_pn if exposure is not None else None,
        *[_numbers(c) for c in connections],
    )  # fmt: skip


def _numbers(connection: Any) -> Hashable:
    if connection is None:
        return None
    inside = vars(connection)
    window = vars(inside["_window"])
    return connection.conn_id, inside["_pn"], window["_highest"], window["_seen"]


def _settle_connection(connection: Connection) -> None:
    connection.last_heard = connection.last_sent = NOW
    connection.round_trip = _TIMELESS
