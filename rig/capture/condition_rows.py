"""What an event means for what is known of a session's factors: the same live and when rebuilding.

The controller's own events are `condition_applied`, `condition_confirmed`, `condition_evidence` and
`condition_withdrawn`; the display says in `painted` what it drew. An event of one of the first four
kinds that comes from a station means nothing: an agent confirms no lamp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, TypeGuard

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.dialects.sqlite import insert as upsert

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


def project(connection: Connection, row: RowMapping, event: Event) -> None:
    """Bring the table of conditions up to *event* of the session in *row*."""
    if event.kind == PAINTED and "gains" not in event.body and "cursor" not in event.body:
        return
    levels = levels_of(connection, row["campaign"], row["subset"])
    if event.kind in {PAINTED, WHITE} and not any(
        painted_by_display(*one) for one in levels.items()
    ):
        return
    known = facts(connection, row["id"])
    for factor, fact in changes(event, levels, known):
        if factor in levels:
            _put(connection, row["id"], factor, fact)


def levels_of(connection: Connection, campaign: str, subset: int) -> dict[str, str]:
    """Factor -> level of a subset's environment, in the order of the plan."""
    table = tables.subset
    query = select(table.c.levels).where(table.c.campaign == campaign, table.c.id == subset)
    return dict(connection.scalar(query) or {})


def facts(connection: Connection, session: str) -> dict[str, Fact]:
    """What is known of the factors of *session*; those that are not in it wait."""
    table = tables.condition
    found: dict[str, Fact] = {}
    for row in connection.execute(select(table).where(table.c.session == session)).mappings():
        values = {name: row[name] for name in Fact.__dataclass_fields__}
        values |= {"state": Known(row["state"]), "evidence": tuple(row["evidence"])}
        found[row["factor"]] = Fact(**values)
    return found


def _put(connection: Connection, session: str, factor: str, fact: Fact) -> None:
    values = asdict(fact)
    values["evidence"] = [dict(one) for one in fact.evidence]
    connection.execute(
        upsert(tables.condition)
        .values(session=session, factor=factor, **values)
        .on_conflict_do_update(index_elements=["session", "factor"], set_=values)
    )
