"""Shapes of the real cores: what makes one different from another, for the exhaustive search.

A core is frozen generically, attribute by attribute, so that an attribute added to a core later
becomes part of its shape by itself. What is left out is listed in `_IGNORED`: times, packet
numbers, counters, keys that follow from a connection's id, words for people. (`_finish_pn`: a
CAPTURE on the live connection of a finished run is always older than its FINISH, if there is one.)

Names (tokens, nonces, ids, and with them chains and hashes of photos) are replaced by their order
of appearance: cores only compare them, and hash them into other names, so what follows from two
worlds that differ by a renaming differs by that renaming too.

A *brief* shape also forgets how the committed photos came about: of an index that the phone has
committed only the photo's name stays, not the number of attempts, nor the exposures that came to
nothing. They are read in one place only, where a CAPTURE of such an index is judged; while one is
in flight `Explorer` takes the full shape instead. No such CAPTURE can be sent later: the display
asks for indices that it has not decided, and the phone commits only what is decided (S5, checked
on every transition); the captures of a defective display name attempt 9, which no photo has.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Hashable
from enum import Enum
from functools import partial
from types import MethodType
from typing import Any

from rig.protocol.display_ledger import DisplayLedger
from rig.protocol.ledger import PhoneLedger, Run, ShotState
from rig.simulation.explore_copy import MAGIC
from rig.simulation.explore_photos import shown_by

_CHAINS = ("chain", "chain_before_last")
_HEX = re.compile(r"(?<![0-9a-f])a75e(?:[0-9a-f]{28}|[0-9a-f]{12})(?![0-9a-f])")
_SHA = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_CHAIN = re.compile(r'"chain":"([0-9a-f]{64})"')
_FILE = re.compile(r"_p([0-9a-f]{16})_c[0-9a-f]{8}")
_IGNORED = frozenset({
    "_cfg", "_subset", "ledger", "_superseded", "_psk", "_boot_key", "_timers", "_rng", "_out",
    "_on_timer", "_durable_out",
    "_waiting", "_writing", "_writes", "_health", "_info", "_lost", "_hello_pn", "_hello_losses",
    "_hello_sent", "_boot_pn", "_hello_tokens", "_hello_at", "_answered", "_view", "_out_key",
    "_in_key", "_pn", "_window", "round_trip", "last_heard", "last_sent", "why", "why_broken",
    "accepted", "waiting_since", "losses", "pns", "result_pn", "addr", "other", "pn", "ack_pn",
    "_finish_pn",
})  # fmt: skip
_SILENT_TIMERS = frozenset({"accept", "watch"})
"""Timers that only tell people something."""


class Names:
    """Which bytes are names: drawn by `Draws`, or the id of a connection."""

    def __init__(self) -> None:
        self.connections: set[bytes] = set()

    def is_name(self, value: bytes) -> bool:
        """Whether *value* is a name."""
        return value[:2] == MAGIC or value in self.connections


class Shapes:
    """Shapes and their numbers. Equal shapes differ in nothing but the names in them."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._numbers: dict[Hashable, int] = {}
        self.wires: dict[bytes, tuple[int, tuple[bytes, ...], int, int]] = {}
        """Shape, names, packet number and answered packet number of every datagram."""

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
        if self._names.is_name(value):
            return ("name", names.setdefault(value, len(names)))
        if len(value) in {8, 32}:
            shown = shown_by(value[:8])
            if shown is not None:
                return ("photo", shown, len(value), names.setdefault(value[:8], len(names)))
        if len(value) > 32 and (b"a75e" in value or b'"' in value):
            return self.freeze_text(value.decode("latin-1"), names)
        return value

    def freeze_chain(self, value: bytes, names: dict[bytes, int]) -> Hashable:
        """A chain, or the 8 bytes of one that go over the wire."""
        return ("chain", len(value), names.setdefault(value[:8], len(names)))

    def freeze_text(self, value: str, names: dict[bytes, int]) -> Hashable:
        """Text that may hold names in hex."""
        if len(value) < 16:
            return value

        def number(found: bytes) -> int:
            return names.setdefault(found, len(names))

        def photo(found: re.Match[str]) -> str:
            head = bytes.fromhex(found[0][:16])
            shown = shown_by(head)
            return found[0] if shown is None else f"<{number(head)} shows {shown}>"

        if "a75e" in value:
            value = _HEX.sub(lambda found: f"<{number(bytes.fromhex(found[0]))}>", value)
        if '"chain"' in value:
            value = _CHAIN.sub(lambda found: f"<{number(bytes.fromhex(found[1][:16]))}>", value)
        if "_p" in value:
            value = _FILE.sub(lambda found: f"_p<{number(bytes.fromhex(found[1]))}>", value)
        return _SHA.sub(photo, value) if len(value) >= 64 else value

    def _freeze_object(self, value: Any, names: dict[bytes, int]) -> Hashable:
        parts: list[Hashable] = [type(value).__name__]
        for name, v in vars(value).items():
            if name == "_deadlines":
                parts.append(frozenset(v) - _SILENT_TIMERS)
            elif name == "_metadata":
                parts.append(v[0] if vars(value).get("_camera") is not None else b"")
            elif name in _CHAINS:
                parts.append(self.freeze_chain(v, names))
            elif name not in _IGNORED:
                parts.append(self.freeze(v, names))
        inside = vars(value)
        if "_answered" in inside:
            parts.append(inside["_window"].asked is not None)
            parts.append(inside["_answered"][0] == inside["_nonce_d"])
        if "_view" in inside and inside["phase"].value == "doubt":
            committed, ready = inside["_view"]
            parts.append((committed, ready.get("in_doubt_sha")))
        return tuple(parts)

    def freeze_queue(self, core: Any, records: Any, names: dict[bytes, int]) -> Hashable:
        """A journal write under way, and the inputs that wait for it."""
        inside = vars(core)
        con = inside.get("_con")
        pns = con.pns if con is not None else frozenset()
        return (
            tuple([self.freeze(dict(r), names) for r in records]),
            self._freeze_call(inside["_writing"][1], names, pns),
            tuple([self._freeze_call(call, names, pns) for call in inside["_waiting"]]),
            tuple([self.freeze(o, names) for o in inside["_durable_out"]]),
        )

    def _freeze_call(self, call: Any, names: dict[bytes, int], pns: Any) -> Hashable:
        if isinstance(call, partial):
            parts = [self._freeze_call(v, names, pns) for v in (call.func, *call.args)]
            return tuple(parts)
        if isinstance(call, MethodType):
            return call.__func__.__qualname__
        wire = self.wires.get(call) if isinstance(call, bytes) else None
        if wire is None:
            return self.freeze(call, names) if not isinstance(call, float) else None
        shape, named, pn, ack = wire
        # READYs are told apart by their numbers, an ACK by whether it settles what is repeated.
        return shape, tuple([names.setdefault(n, len(names)) for n in named]), pn, ack in pns

    # -- ledgers -----------------------------------------------------------------------------------

    def freeze_ledger(self, ledger: Any, names: dict[bytes, int], *, brief: bool) -> Hashable:
        """What a side durably knows."""
        if not brief or not isinstance(ledger, PhoneLedger | DisplayLedger):
            return self.freeze(ledger, names)
        if isinstance(ledger, DisplayLedger):
            fields = {**vars(ledger), "done": [(d.index, d.sha256) for d in ledger.done]}
            chains = [self.freeze_chain(fields.pop(n), names) for n in _CHAINS]
            return (*chains, self.freeze(fields, names))
        current = ledger.current
        latch = self.freeze(ledger.latch, names)
        runs = tuple([self._brief_run(run, names) for run in ledger.runs.values()])
        return runs, current is not None and (current.campaign, current.subset), latch

    def _brief_run(self, run: Run, names: dict[bytes, int]) -> Hashable:
        fields = dict(vars(run))
        shots, chain = fields.pop("shots"), fields.pop("chain")
        after = [run.chain_after(run.doubtful)] if run.doubtful else []
        chains = [self.freeze_chain(c, names) for c in (chain, *after)]
        old = [
            (s.index, s.sha256)
            for s in shots.values()
            if s.state is ShotState.COMMITTED and s.index < run.expected
        ]
        new = [s for s in shots.values() if s.index >= run.expected]
        return (*chains, self.freeze([fields, old, new], names))
