"""What was known of a session's factors, folded out of the event log.

The controller's own events are `condition_applied`, `condition_confirmed`, `condition_evidence` and
`condition_withdrawn`; the display says in `painted` what it drew. An event of one of the first four
kinds that comes from a station means nothing: an agent confirms no lamp.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeGuard

from sqlalchemy import Connection, select

from rig.store import tables
from rig.store.events import Event

APPLIED = "condition_applied"
CONFIRMED = "condition_confirmed"
EVIDENCE = "condition_evidence"
WITHDRAWN = "condition_withdrawn"
PAINTED = "painted"
OWN = frozenset({APPLIED, CONFIRMED, EVIDENCE, WITHDRAWN})
WHITE = "white"
"""The display says how the white of the screen is made: by the monitor itself, or by gains."""
KINDS = OWN | {PAINTED, WHITE}
"""The events that change what is known of a factor."""
_WHITE_FACTOR = "colour_temperature"
_LIGHT = frozenset({"light_out", "light_back"})
_READ_LUX = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?) lux\b")
_KELVIN = re.compile(r"(\d+)\s*k", re.IGNORECASE)


class Known(StrEnum):
    """What is known of a factor."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    """Set by a device that cannot tell."""
    FAILED = "failed"
    DIFFERS = "differs"
    """Read back, and it is not as it should be."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one factor.

    Attributes:
        state: see `Known`.
        by: `person`, `display` or the actuator's name; None: nobody yet.
        name: of the person.
        note: what the person wrote.
        readback: what the device said.
        why: what went wrong, or why it is asked again.
        evidence: kept pictures, `{"sha256", "time_ns"}` each.
        time_ns: when it was learned (Unix time).
    """

    state: Known = Known.WAITING
    by: str | None = None
    name: str | None = None
    note: str | None = None
    readback: str | None = None
    why: str | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    time_ns: int = 0


NOTHING = Fact()
"""Of a factor that nobody has set or looked at."""


def painted_by_display(factor: str, level: str, set_by: str | None = None) -> bool:
    """Whether the display agent sees to this level itself: every cursor, temperatures in kelvin.

    A temperature that *set_by* (the campaign's word; None: it has none) gives to a person or a
    device is theirs: the display leaves its pixels untinted.
    """
    if factor == "cursor":
        return True
    if factor != _WHITE_FACTOR or set_by not in {None, "display"}:
        return False
    return _KELVIN.fullmatch(level.strip()) is not None


def changes(
    event: Event, levels: Mapping[str, str], known: Mapping[str, Fact]
) -> Iterator[tuple[str, Fact]]:
    """The factors that *event* says something new about.

    Args:
        event: of the session.
        levels: factor -> wanted level; only the display's factors are looked at.
        known: what was known before; a factor that is not in it waits.
    """
    if event.kind == PAINTED:
        yield from _drawn(event, levels, known)
    elif event.kind == WHITE:
        yield from _monitor(event, levels, known)
    elif event.kind in OWN and event.source_seq is None:
        body = event.body
        for factor in body["factors"] if "factors" in body else (body["factor"],):
            yield factor, _after(known.get(factor, NOTHING), event)


def _after(fact: Fact, event: Event) -> Fact:
    body, now = event.body, event.time_ns
    if event.kind == EVIDENCE:
        return replace(fact, evidence=(*fact.evidence, {"sha256": body["sha256"], "time_ns": now}))
    if event.kind == CONFIRMED:
        return replace(
            fact, state=Known.CONFIRMED, by="person", name=body["name"], note=body.get("note"),
            why=None, time_ns=now,
        )  # fmt: skip
    if event.kind == WITHDRAWN:
        return Fact(why=body["why"], evidence=fact.evidence, time_ns=now)
    state = Known(body["state"])
    readback = body.get("readback")
    if state is Known.UNCONFIRMED and fact.state is Known.CONFIRMED and fact.by == "person":
        # Set once more to the same level by a device that cannot tell: the look still counts.
        return replace(fact, readback=readback)
    return Fact(state, body["by"], None, None, readback, body.get("why"), fact.evidence, now)


def _drawn(
    event: Event, levels: Mapping[str, str], known: Mapping[str, Fact]
) -> Iterator[tuple[str, Fact]]:
    """Compare what was drawn with what was wanted; an agent that tells nothing confirms nothing."""
    if "gains" not in event.body and "cursor" not in event.body:
        return  # an agent of an older version
    for factor, level in levels.items():
        if not painted_by_display(factor, level):
            continue
        if factor == _WHITE_FACTOR and "white" in event.body:
            yield from _white(event, event.body["white"], levels, known)
            continue
        right, readback = _LOOKS[factor](event.body, level)
        state = Known.CONFIRMED if right else Known.DIFFERS
        before = known.get(factor, NOTHING)
        if (before.state, before.by) != (state, "display"):
            why = None if right else f"drawn at {event.index}: {readback}"
            yield (
                factor,
                Fact(state, "display", None, None, readback, why, before.evidence, event.time_ns),
            )


def _monitor(
    event: Event, levels: Mapping[str, str], known: Mapping[str, Fact]
) -> Iterator[tuple[str, Fact]]:
    """The monitor itself was set; gains are only believed once they are drawn."""
    if event.source_seq is not None and event.body.get("by") == "ddc":
        yield from _white(event, event.body, levels, known)


def _white(
    event: Event, told: Any, levels: Mapping[str, str], known: Mapping[str, Fact]
) -> Iterator[tuple[str, Fact]]:
    """What the display agent told of the white, against the level and the gains it drew."""
    level = levels.get(_WHITE_FACTOR, "")
    if not isinstance(told, Mapping) or told.get("requested") != level:
        return
    by, confirmed = told.get("by"), told.get("confirmed")
    if by == "elsewhere":
        return  # a person's or a device's: the display knows nothing of it
    gains = event.body.get("gains")
    if by == "ddc":
        plain = gains is None or gains == [1, 1, 1]
        right, said = plain, f"monitor at {str(told.get('readback') or 'an unknown setting')[:100]}"
        said += "" if plain else ", and the pixels were tinted too"
    else:
        right, said = _temperature(event.body, level)
    state = Known.CONFIRMED if confirmed is True else Known.UNCONFIRMED
    state = state if right else Known.DIFFERS
    before = known.get(_WHITE_FACTOR, NOTHING)
    if (before.state, before.by, before.readback) != (state, "display", said):
        why = None if state is Known.CONFIRMED else str(told.get("text") or said)[:500]
        fact = Fact(state, "display", None, None, said, why, before.evidence, event.time_ns)
        yield _WHITE_FACTOR, fact


def _cursor(body: Mapping[str, Any], level: str) -> tuple[bool, str]:
    at = body.get("cursor")
    if _numbers(at, 2, 100_000):
        return level.strip().lower() != "hidden", f"cursor at {at[0]}, {at[1]}"
    return level.strip().lower() == "hidden", "no cursor"


def _temperature(body: Mapping[str, Any], level: str) -> tuple[bool, str]:
    """The gains must lean to the right side of 6500 K; their exact values are the display's."""
    gains = body.get("gains")
    if not _numbers(gains, 3, 1):
        return False, "no gains"
    red, blue = float(gains[0]), float(gains[2])
    match = _KELVIN.fullmatch(level.strip())
    kelvin = int(match[1]) if match else 0
    lean = (red > blue) - (red < blue)
    text = "gains " + " ".join(f"{float(one):.3f}" for one in gains)
    return lean == (kelvin < 6500) - (kelvin > 6500), text


def _numbers(told: Any, count: int, most: float) -> TypeGuard[Sequence[float]]:
    """Whether a station told *count* numbers within 0..*most*."""
    return (
        isinstance(told, list | tuple)
        and len(told) == count
        and all(isinstance(one, int | float) and 0 <= one <= most for one in told)
    )


_LOOKS = {"cursor": _cursor, "colour_temperature": _temperature}


def levels_of(connection: Connection, campaign: str, subset: int) -> dict[str, str]:
    """Factor -> level of a subset's environment, in the order of the plan."""
    table = tables.subset
    query = select(table.c.levels).where(table.c.campaign == campaign, table.c.id == subset)
    return dict(connection.scalar(query) or {})


@dataclass(frozen=True, slots=True)
class Held:
    """A level while a photo was taken, and how that is known."""

    level: str
    fact: Fact


class Timeline:
    """What was known of a session's factors at any time; made once for many photos."""

    def __init__(self, levels: Mapping[str, str], log: Sequence[Event]) -> None:
        self._levels = dict(levels)
        self._times: list[int] = []
        self._known: list[dict[str, Fact]] = []
        known: dict[str, Fact] = {}
        for event in sorted(log, key=lambda one: (one.time_ns, one.seq)):
            fresh = {k: v for k, v in changes(event, levels, known) if k in self._levels}
            if fresh:
                known = {**known, **fresh}
                self._times.append(event.time_ns)
                self._known.append(known)

    def at(self, time_ns: int) -> dict[str, Held]:
        """Every factor at *time_ns* (Unix time)."""
        place = bisect.bisect_right(self._times, time_ns)
        known = self._known[place - 1] if place else {}
        return {k: Held(level, known.get(k, NOTHING)) for k, level in self._levels.items()}


@dataclass(frozen=True, slots=True)
class Light:
    """What a light sensor read: lux, and when (Unix time)."""

    lux: float
    time_ns: int


class Readings:
    """The light as sensors read it in a session: at each setting, leaving the band, coming back."""

    def __init__(self, log: Sequence[Event]) -> None:
        found = sorted((event.time_ns, lux) for event in log if (lux := _lux(event)) is not None)
        self._times = [time_ns for time_ns, _ in found]
        self._lux = [lux for _, lux in found]

    def before(self, time_ns: int) -> Light | None:
        """The last reading at *time_ns* (Unix time), None before the first one."""
        place = bisect.bisect_right(self._times, time_ns)
        return Light(self._lux[place - 1], self._times[place - 1]) if place else None


def timeline(connection: Connection, session: str, campaign: str, subset: int) -> Timeline:
    """What was known of the factors of *session*, which shoots *subset* of *campaign* (its id)."""
    return Timeline(levels_of(connection, campaign, subset), _log(connection, session, KINDS))


def readings(connection: Connection, session: str) -> Readings:
    """The light that was read during *session*."""
    return Readings(_log(connection, session, frozenset({APPLIED, *_LIGHT})))


def _log(connection: Connection, session: str, kinds: frozenset[str]) -> list[Event]:
    table = tables.event
    query = select(table).where(table.c.session == session, table.c.kind.in_(kinds))
    rows = connection.execute(query.order_by(table.c.seq)).mappings()
    return [
        Event(
            row["kind"], row["time_ns"], row["received_ns"], row["actor"], session,
            row["source_seq"], row["idx"], row["attempt"], row["body"], row["seq"],
        )
        for row in rows
    ]  # fmt: skip


def _lux(event: Event) -> float | None:
    if event.source_seq is not None:
        return None
    if event.kind in _LIGHT:
        told = event.body.get("lux")
        return float(told) if isinstance(told, int | float) else None
    match = _READ_LUX.search(str(event.body.get("readback") or ""))
    return float(match[1]) if match else None
