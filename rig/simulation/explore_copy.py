"""Copies and shapes of the real cores, for the exhaustive search.

A core is copied and frozen generically, attribute by attribute, so that an attribute added to a
core later becomes part of its shape by itself. What is left out is listed in `_IGNORED`: times,
packet numbers, counters, keys that follow from a connection's id, words for people.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import is_dataclass
from enum import Enum
from types import FunctionType, MethodType
from typing import Any

from rig.protocol.codes import Timers
from rig.protocol.endpoint import Connection
from rig.protocol.window import RoundTrip

NOW = 1000.0
"""The time of every input: the search lets any armed timer fire at any moment instead."""
_NEVER = 1e9
_MAGIC = b"\xa7\x5e"
_HEX = re.compile(r"(?<![0-9a-f])a75e(?:[0-9a-f]{28}|[0-9a-f]{12})(?![0-9a-f])")
_IGNORED = frozenset({
    "_cfg", "_subset", "_psk", "_boot_key", "_timers", "_rng", "_on_timer", "_out", "_durable_out",
    "_waiting", "_writing", "_writes", "_health", "_info", "_lost", "_hello_pn", "_hello_losses",
    "_hello_sent", "_boot_pn", "_hello_tokens", "_hello_at", "_answered", "_view", "_out_key",
    "_in_key", "_pn", "_window", "round_trip", "last_heard", "last_sent", "why", "why_broken",
    "accepted", "waiting_since", "losses", "pns", "result_pn", "addr", "other", "pn", "ack_pn",
})  # fmt: skip
_SILENT_TIMERS = frozenset({"accept", "watch"})
"""Timers that only tell people something."""
_LEAVES = frozenset({bytes, str, int, bool, float, type(None)})


class Fresh:
    """Random bytes that are never equal and can be told from all others."""

    def __init__(self) -> None:
        self._made = 0
        self.connections: set[bytes] = set()

    def __call__(self, n: int) -> bytes:
        """*n* fresh bytes; two (jitter) are always zero."""
        if n == 2:
            return bytes(2)
        self._made += 1
        return _MAGIC + self._made.to_bytes(n - 2, "big")

    def is_name(self, value: bytes) -> bool:
        """Whether *value* was made here, or is the id of a connection."""
        return value[:2] == _MAGIC or value in self.connections


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
    new = _clone(core, {})
    timers = vars(new)["_on_timer"]
    vars(new)["_on_timer"] = {n: MethodType(f.__func__, new) for n, f in timers.items()}
    return new


def _clone(value: Any, seen: dict[int, Any]) -> Any:
    kind = type(value)
    if kind in _LEAVES or kind is tuple or kind in {frozenset, FunctionType, MethodType}:
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
        answer = frozen or issubclass(kind, (Enum, int, RoundTrip, Fresh))
        _SHARED[kind] = answer
    return answer


def settle(core: Any) -> None:
    """Take time out of *core*: timers are armed or not, silences and losses begin anew."""
    inside = vars(core)
    inside["_deadlines"] = dict.fromkeys(inside["_deadlines"], _NEVER)
    inside["_hello_sent"], inside["_hello_at"] = NOW - 1, NOW
    inside["_hello_losses"], inside["_hello_tokens"] = 1, 20.0
    for name in ("_connection", "_live"):
        if isinstance(inside.get(name), Connection):
            _settle_connection(inside[name])
    for candidate in inside.get("_candidates", {}).values():
        _settle_connection(candidate.connection)
    for name in ("_request", "_con"):
        if inside.get(name) is not None:
            inside[name].losses = 0
    if inside.get("_request") is not None:
        inside["_request"].pns.clear()
    if inside.get("_exposure") is not None:
        inside["_exposure"].waiting_since = 0.0


def _settle_connection(connection: Connection) -> None:
    connection.last_heard = connection.last_sent = NOW
    connection.round_trip = _TIMELESS


class Shapes:
    """Shapes and their numbers. Equal shapes differ in nothing but the names in them."""

    def __init__(self, fresh: Fresh) -> None:
        self._fresh = fresh
        self._numbers: dict[Hashable, int] = {}

    def number(self, shape: Hashable) -> int:
        """The number of *shape*, always the same."""
        return self._numbers.setdefault(shape, len(self._numbers))

    def freeze(self, value: Any, names: dict[bytes, int]) -> Hashable:
        """*value* as a shape; names are replaced by their order of appearance in *names*."""
        kind = type(value)
        if kind is int or kind is bool or value is None:
            return value  # type: ignore[no-any-return]
        if kind is bytes:
            return self.freeze_bytes(value, names)
        if kind is str:
            return self.freeze_text(value, names)
        if kind is tuple or kind is list or kind is deque:
            return tuple([self.freeze(v, names) for v in value])
        if kind is dict or kind is OrderedDict:
            return tuple([(self.freeze(k, names), self.freeze(v, names)) for k, v in value.items()])
        if kind is set or kind is frozenset:
            return frozenset(value)
        if isinstance(value, Enum) and not isinstance(value, int):
            return str(value.value)
        if isinstance(value, int):
            return int(value)
        return self._freeze_object(value, names)

    def freeze_bytes(self, value: bytes, names: dict[bytes, int]) -> Hashable:
        """A name, or bytes that may hold names in hex."""
        if self._fresh.is_name(value):
            return ("name", names.setdefault(value, len(names)))
        if b"a75e" in value:
            return self.freeze_text(value.decode("latin-1"), names)
        return value

    def freeze_text(self, value: str, names: dict[bytes, int]) -> Hashable:
        """Text that may hold names in hex."""
        if "a75e" not in value:
            return value

        def replace(found: re.Match[str]) -> str:
            return f"<{names.setdefault(bytes.fromhex(found[0]), len(names))}>"

        return _HEX.sub(replace, value)

    def _freeze_object(self, value: Any, names: dict[bytes, int]) -> Hashable:
        parts: list[Hashable] = [type(value).__name__]
        for name, v in vars(value).items():
            if name == "_deadlines":
                parts.append(frozenset(v) - _SILENT_TIMERS)
            elif name == "_metadata":
                parts.append(v[0] if vars(value).get("_camera") is not None else b"")
            elif name not in _IGNORED:
                parts.append(self.freeze(v, names))
        inside = vars(value)
        if "_answered" in inside:
            parts.append(inside["_answered"][0] == inside["_nonce_d"])
        if "_view" in inside and inside["phase"].value == "doubt":
            committed, ready = inside["_view"]
            parts.append((committed, ready.get("in_doubt_sha")))
        return tuple(parts)
