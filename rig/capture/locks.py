"""Who has a session or a campaign in hand: one name, taken and given where everybody sees it.

A lock keeps two people from commanding the same thing without knowing it of each other. It is no
defence against somebody who wants to: names are said, not proved. The log is the truth
(`lock_taken`, `lock_given`, `lock_released`, `lock_taken_over`, `lock_asked`); the table is its
projection, so that a restart changes nothing. The lock of a session counts before its campaign's.
An abort asks for no lock: whoever sees that something is wrong may stop it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from rig.capture import session_rows
from rig.capture.actors import actor_of, name_of
from rig.store import tables
from rig.store.errors import ConflictError, NotFoundError, StoreError
from rig.store.events import Event, append

TAKEN, GIVEN, RELEASED = "lock_taken", "lock_given", "lock_released"
TAKEN_OVER, ASKED = "lock_taken_over", "lock_asked"
KINDS = frozenset({TAKEN, GIVEN, RELEASED, TAKEN_OVER, ASKED})
SILENT_S = 120.0
"""After this long without a sign of its holder somebody else may take a lock over, seconds."""
ASKED_MOST = 10


@dataclass(frozen=True, slots=True)
class Target:
    """What is locked.

    Attributes:
        key: `session:<id>` or `campaign:<id>`.
        what: in words.
        session: id of the session, None for a campaign.
        campaign: name of the campaign.
        campaign_key: key of the campaign.
    """

    key: str
    what: str
    session: str | None
    campaign: str
    campaign_key: str


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that somebody has; *asked* are the names of those who want it."""

    target: str
    name: str
    since_ns: int
    asked: tuple[str, ...]


class HeldError(ConflictError):
    """Somebody else has it in hand.

    Args:
        lock: whose it is.
        what: is locked, in words.
        silent_s: for how long nothing was heard of the holder.
        hint: what to do.
    """

    def __init__(self, lock: Lock, what: str, silent_s: float, hint: str | None = None) -> None:
        self.holder = lock.name
        self.silent_s = round(silent_s, 1)
        self.may_take_over = silent_s >= SILENT_S
        if hint is None:
            hint = (
                f"Nothing was heard of {lock.name} for {ago(silent_s)}: take it over, and confirm."
                if self.may_take_over
                else f"Ask {lock.name} to hand it over."
            )
        super().__init__(f"{lock.name} has {what} in hand. {hint}")


Silence = Callable[[str], float]
"""Name -> seconds since there was a sign of that person."""


def of_session(connection: Connection, session: str) -> Target:
    """The target for a session; for an alignment shot the session that it is taken for.

    Raises:
        NotFoundError: no such session.
    """
    found = session_rows.find(connection, session)
    if found.parent is not None:
        found = session_rows.find(connection, found.parent)
    table = tables.campaign
    name = connection.scalar(select(table.c.name).where(table.c.id == found.campaign))
    return Target(
        f"session:{found.id}", f"session {found.id}", found.id, str(name),
        f"campaign:{found.campaign}",
    )  # fmt: skip


def of_campaign(connection: Connection, name: str) -> Target:
    """The target for a campaign.

    Raises:
        NotFoundError: no such campaign.
    """
    table = tables.campaign
    query = select(table.c.id, table.c.name).where((table.c.name == name) | (table.c.id == name))
    row = connection.execute(query).first()
    if row is None:
        known = ", ".join(connection.scalars(select(table.c.name).order_by(table.c.name)))
        raise NotFoundError(f"No campaign is named {name[:70]!r}. Known: {known or 'none yet'}.")
    key = f"campaign:{row.id}"
    return Target(key, f"campaign {row.name}", None, row.name, key)


def present(connection: Connection, target: Target) -> Lock | None:
    """The lock that counts for *target*: its own, else its campaign's."""
    return _find(connection, target.key) or _find(connection, target.campaign_key)


def need(connection: Connection, target: Target, name: str | None, silence: Silence) -> None:
    """Whether *name* may command *target* now.

    Raises:
        HeldError: somebody else has it.
    """
    held = present(connection, target)
    if held is not None and not same(held.name, name_of(actor_of(name))):
        what = target.what if held.target == target.key else f"campaign {target.campaign}"
        raise HeldError(held, what, silence(held.name))


def take(
    connection: Connection,
    target: Target,
    name: str | None,
    now_ns: int,
    silence: Silence,
    *,
    confirm: bool = False,
) -> None:
    """*name* takes *target* in hand; with *confirm* from a holder who is silent.

    Raises:
        StoreError: nobody said a name.
        HeldError: somebody else has it, and is there (or *confirm* is missing).
    """
    who = _named(name)
    held = present(connection, target)
    if held is None or (same(held.name, who) and held.target != target.key):
        _note(connection, TAKEN, target, who, now_ns, holder=who)
    elif not same(held.name, who):
        silent = silence(held.name)
        if not confirm or silent < SILENT_S:
            raise HeldError(held, target.what, silent)
        _note(connection, TAKEN_OVER, target, who, now_ns, holder=who, before=held.name)


def give(
    connection: Connection, target: Target, name: str | None, to: str, now_ns: int, silence: Silence
) -> None:
    """The holder hands *target* over to the person called *to*.

    Raises:
        StoreError: a name is missing.
        ConflictError: nobody has it.
        HeldError: somebody else has it.
    """
    who, new = _named(name), _named(to)
    _mine(connection, target, who, silence)
    _note(connection, GIVEN, target, who, now_ns, holder=new, before=who)


def release(
    connection: Connection, target: Target, name: str | None, now_ns: int, silence: Silence
) -> None:
    """The holder lets go of *target*; raises as `give`."""
    who = _named(name)
    _mine(connection, target, who, silence)
    _note(connection, RELEASED, target, who, now_ns, holder=None, before=who)


def ask(connection: Connection, target: Target, name: str | None, now_ns: int) -> None:
    """Tell the holder that *name* would like to have *target*.

    Raises:
        StoreError: nobody said a name.
        ConflictError: nobody has it, or it is *name*'s own.
    """
    who = _named(name)
    held = present(connection, target)
    if held is None:
        raise ConflictError(f"Nobody has {target.what} in hand: take it.")
    if same(held.name, who):
        raise ConflictError(f"You have {target.what} in hand already.")
    if not any(same(one, who) for one in held.asked):
        _note(connection, ASKED, target, who, now_ns, holder=held.name, of=held.target)


def project(connection: Connection, event: Event) -> None:
    """Bring the table of locks up to *event*; a station's word locks nothing."""
    if event.source_seq is not None:
        return
    body, table = event.body, tables.lock
    key = str(body.get("of") or body["target"])
    if event.kind == ASKED:
        held = _find(connection, key)
        if held is not None:
            asked = [*held.asked, str(name_of(event.actor))][-ASKED_MOST:]
            connection.execute(table.update().where(table.c.target == key).values(asked=asked))
        return
    if body.get("holder") is None:
        connection.execute(delete(table).where(table.c.target == key))
        return
    values = {"name": body["holder"], "since_ns": event.time_ns, "asked": []}
    connection.execute(
        upsert(table)
        .values(target=key, **values)
        .on_conflict_do_update(index_elements=["target"], set_=values)
    )


def same(one: str | None, other: str | None) -> bool:
    """Whether two names are the same person's: `Anna` is `anna`."""
    return one is not None and other is not None and one.casefold() == other.casefold()


def ago(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def _mine(connection: Connection, target: Target, who: str, silence: Silence) -> None:
    held = _find(connection, target.key)
    if held is None:
        raise ConflictError(f"Nobody has {target.what} in hand.")
    if not same(held.name, who):
        raise HeldError(held, target.what, silence(held.name))


def _named(name: str | None) -> str:
    found = name_of(actor_of(name))
    if found is None:
        raise StoreError("Say who you are first: a name goes with every lock.")
    return found


def _find(connection: Connection, key: str) -> Lock | None:
    row = connection.execute(select(tables.lock).where(tables.lock.c.target == key)).first()
    return None if row is None else Lock(row.target, row.name, row.since_ns, tuple(row.asked))


def _note(
    connection: Connection,
    kind: str,
    target: Target,
    who: str,
    now_ns: int,
    *,
    holder: str | None,
    before: str | None = None,
    of: str | None = None,
) -> None:
    body = {"target": target.key, "campaign": target.campaign, "holder": holder, "before": before}
    if of is not None and of != target.key:
        body["of"] = of
    event = Event(kind, now_ns, now_ns, actor_of(who), session=target.session, body=body)
    # A lock changes nothing about its session: only its own table follows.
    project(connection, append(connection, event))
