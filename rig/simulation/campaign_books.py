"""The audit of a whole simulated campaign, as a stranger would do it: store, stations, phones."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select

from rig.capture import conditions, projections, sessions
from rig.capture.condition_rows import Known
from rig.capture.coverage import first_missing
from rig.capture.sessions import Session
from rig.capture.states import State
from rig.simulation.campaign_outbox import Outbox
from rig.simulation.campaign_station import Station, all_outboxes
from rig.store import events, tables
from rig.store.database import Database
from rig.store.events import Event

_FEW = 5
"""Of each kind of finding so many are told."""
_PROJECTED: tuple[Table, ...] = (
    tables.session, tables.capture, tables.condition, tables.photo, tables.batch,
)  # fmt: skip


@dataclass
class CampaignBooks:
    """What the audit found. Counts of indices.

    Attributes:
        committed: exactly one session holds one committed capture, but for those that shoot again.
            *skipped*: none does. *duplicated*: more than one.
        in_force: indices whose newest capture is one that was shot again.
        unconfirmed: photos with a level that was withdrawn or failed meanwhile; it is written why.
        events: that the stations told; each must be in the log once.
        log_sha256: over the whole event log; the same for the same campaign.
        problems: a sentence for everything that is wrong.
    """

    committed: int = 0
    skipped: int = 0
    duplicated: int = 0
    in_force: int = 0
    unconfirmed: int = 0
    events: int = 0
    log_sha256: str = ""
    sessions: list[Session] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def audit_campaign(
    database: Database, captures: int, stations: Iterable[Station], again: Iterable[int] = ()
) -> CampaignBooks:
    """Compare the store with what the stations told, hold and journalled, and with itself.

    *again*: the indices that were asked for once more, each as often as it was.
    """
    stations = list(stations)
    books = CampaignBooks(sessions=database.query(sessions.every))
    log = database.query(lambda c: list(events.every(c)))
    digest = hashlib.sha256()
    for event in log:
        digest.update(json.dumps(event.to_json(), sort_keys=True).encode())
    books.log_sha256 = digest.hexdigest()
    rows = database.query(_captures)
    _count(rows, captures, books)
    _again(rows, Counter(again), books)
    database.query(lambda c: _conditions(c, rows, books))
    _heard(log, all_outboxes(stations), books)
    _kept(rows, stations, books)
    _ended(books)
    database.write_now(lambda c: _rebuilt(c, books))
    for station in stations:
        books.problems += [f"{station.name}: {told}" for told in station.books().problems]
    return books


def _captures(connection: Connection) -> list[dict[str, Any]]:
    table = tables.capture
    query = select(table).where(table.c.committed).order_by(table.c.idx, table.c.session)
    return [dict(row) for row in connection.execute(query).mappings()]


def _count(rows: list[dict[str, Any]], captures: int, books: CampaignBooks) -> None:
    """Every index is committed in exactly one session, and nothing else is."""
    extra = {one.id for one in books.sessions if one.reshoots is not None}
    found = Counter(row["idx"] for row in rows if row["session"] not in extra)
    wanted = range(1, captures + 1)
    books.committed = sum(found[index] == 1 for index in wanted)
    books.skipped = sum(found[index] == 0 for index in wanted)
    books.duplicated = sum(found[index] > 1 for index in wanted)
    for word in ("skipped", "duplicated"):
        if number := getattr(books, word):
            books.problems.append(f"{number} index(es) {word}.")
    if strange := sorted(set(found) - set(wanted)):
        books.problems.append(f"Committed outside the campaign: {strange[:_FEW]}.")


def _again(rows: list[dict[str, Any]], asked: Counter[int], books: CampaignBooks) -> None:
    """What was asked for once more was shot so often, is the newest, and the older ones stay."""
    extra = {one.id for one in books.sessions if one.reshoots is not None}
    found = Counter(row["idx"] for row in rows if row["session"] in extra)
    if found != asked:
        wrong = sorted((found - asked) + (asked - found))[:_FEW]
        books.problems.append(f"Not shot again as often as it was asked for: {wrong}.")
    held = Counter(row["idx"] for row in rows)
    newest: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row["time_ns"] > newest.get(row["idx"], {"time_ns": -1})["time_ns"]:
            newest[row["idx"]] = row
    for index, times in found.items():
        books.in_force += newest[index]["session"] in extra
        if newest[index]["session"] not in extra or held[index] != times + 1:
            books.problems.append(f"Index {index} was shot again, and that is not in force.")


def _conditions(connection: Connection, rows: list[dict[str, Any]], books: CampaignBooks) -> None:
    """Of every photo it is known how each level of its environment was confirmed, or why not."""
    known = {one.id: conditions.timeline(connection, one) for one in books.sessions}
    unknown: Counter[str] = Counter()
    for row in rows:
        held = known[row["session"]].at(row["time_ns"])
        missing = not held or any(
            one.fact.state is not Known.CONFIRMED and not one.fact.why for one in held.values()
        )
        books.unconfirmed += any(one.fact.state is not Known.CONFIRMED for one in held.values())
        unknown[row["session"]] += missing
    for session, count in unknown.items():
        if count:
            books.problems.append(
                f"Of {count} photo(s) of session {session} not every condition is recorded."
            )


def _heard(log: list[Event], boxes: dict[str, Outbox], books: CampaignBooks) -> None:
    """What each station told is in the log once, in its order, word by word; and no more."""
    heard: dict[str, list[Event]] = {}
    for event in log:
        if event.source_seq is not None:
            heard.setdefault(str(event.session), []).append(event)
    for session in heard.keys() | boxes.keys():
        told = boxes[session].messages if session in boxes else []
        books.events += len(told)
        kept = [_as_told(event) for event in heard.get(session, [])]
        if kept != told:
            numbers = Counter(one["seq"] for one in kept)
            twice = sorted(number for number, times in numbers.items() if times > 1)[:_FEW]
            lost = [one["seq"] for one in told if one["seq"] not in numbers][:_FEW]
            books.problems.append(
                f"The log of session {session} holds {len(kept)} events, its station told "
                f"{len(told)}; twice: {twice}, lost: {lost}."
            )
    committed = Counter(
        (event.session, event.index, event.attempt) for event in log if event.kind == "committed"
    )
    for (session_id, index, attempt), times in committed.items():
        if times > 1:
            books.problems.append(
                f"Attempt {attempt} at index {index} of {session_id} is committed {times} times."
            )


def _as_told(event: Event) -> dict[str, Any]:
    return {
        "event": event.kind, "session": event.session, "seq": event.source_seq,
        "time_ns": event.time_ns, "index": event.index, "attempt": event.attempt, **event.body,
    }  # fmt: skip


def _kept(rows: list[dict[str, Any]], stations: list[Station], books: CampaignBooks) -> None:
    """The phone of the session's station holds exactly that photo."""
    files = {station.name: station.files() for station in stations}
    where = {one.id: one.station for one in books.sessions}
    wrong = [
        row["idx"] for row in rows if files[where[row["session"]]].get(row["name"]) != row["sha256"]
    ]
    if wrong:
        books.problems.append(
            f"{len(wrong)} committed photo(s) are not on the phone as the store knows them, "
            f"first index {wrong[:_FEW]}."
        )


def _ended(books: CampaignBooks) -> None:
    """Sessions are complete or were stopped; together they hold each subset, nothing is open."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for one in books.sessions:
        whole = one.state is State.COMPLETED and one.committed == one.total
        early = one.state is State.STOPPED and one.committed < one.total
        if not whole and not early:
            books.problems.append(
                f"Session {one.id} is {one.state} with {one.committed} of {one.total} committed."
            )
        if one.requested is not None:
            books.problems.append(f"Session {one.id} still waits for {one.requested}.")
        if one.reshoots is None:
            held = spans.setdefault(one.subset, [])
            if one.committed:
                held.append((one.first, one.first + one.committed - 1))
    for subset, held in spans.items():
        ordered = sorted(held)
        if any(first <= last for (_, last), (first, _) in itertools.pairwise(ordered)):
            books.problems.append(f"Sessions of subset {subset} overlap: {ordered[:_FEW]}.")
        elif ordered and first_missing(ordered[0][0], ordered[-1][1], ordered) is not None:
            books.problems.append(f"Sessions of subset {subset} leave a gap: {ordered[:_FEW]}.")


def _rebuilt(connection: Connection, books: CampaignBooks) -> None:
    """The tables that pages read come out the same when they are made anew from the log."""
    before = [_dump(connection, table) for table in _PROJECTED]
    projections.rebuild(connection)
    for table, rows in zip(_PROJECTED, before, strict=True):
        if _dump(connection, table) != rows:
            books.problems.append(
                f"Table {table.name} is not what the event log makes of it when it is rebuilt."
            )


def _dump(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    query = select(table).order_by(*table.primary_key.columns)
    return [tuple(row) for row in connection.execute(query)]
