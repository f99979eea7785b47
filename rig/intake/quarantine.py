"""Photos that were shot again: the old ones are kept apart, with the reason, and never deleted.

`sessions/<old>/quarantine/<name>` is the old photo and `<name>.reason.json` says what replaced it.
The photo stays in `incoming` too, under the same bytes on the disk where the file system has hard
links: what arrived is what the log says arrived, the phone's manifest stays complete, and a check
of the home finds every photo where it was received.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from rig.durable import PRIVATE, sync_folder, write_atomic
from rig.store import tables
from rig.store.errors import NotFoundError

FOLDER = "quarantine"


@dataclass(frozen=True, slots=True)
class Replaced:
    """An old photo and the verified one that counts instead.

    Attributes:
        session: of the old photo.
        name: of the old photo.
        index: of the x-ray.
        attempt: of the old photo, in its session.
        sha256: of the old photo.
        verified: what the optical check said of the old photo; None: nothing yet.
        reason: why, in its words.
        by_session, by_name, by_sha256: the photo that replaces it.
    """

    session: str
    name: str
    index: int
    attempt: int
    sha256: str
    verified: bool | None
    reason: str | None
    by_session: str
    by_name: str
    by_sha256: str

    def body(self) -> dict[str, Any]:
        """What the log and the reason file say."""
        told = asdict(self)
        told["why"] = (
            f"Shot again: session {self.by_session} has a newer photo, and it is verified."
        )
        return told


def replaced(connection: Connection, session: str) -> tuple[Replaced, ...]:
    """Photos of older sessions of the same subset that verified photos of *session* replace.

    Raises:
        NotFoundError: no such session.
    """
    s, p = tables.session, tables.photo
    here = connection.execute(select(s).where(s.c.id == session)).mappings().first()
    if here is None:
        raise NotFoundError(f"No session has the id {session[:40]!r}.")
    mine = select(p.c.idx, p.c.name, p.c.sha256).where(p.c.session == session, p.c.verified)
    good = {row.idx: row for row in connection.execute(mine)}
    if not good:
        return ()
    order = (s.c.created_ns < here["created_ns"]) | (
        (s.c.created_ns == here["created_ns"]) & (s.c.id < session)
    )
    query = (
        select(p)
        .join(s, s.c.id == p.c.session)
        .where(s.c.campaign == here["campaign"], s.c.subset == here["subset"], order)
        .where(p.c.idx >= min(good), p.c.idx <= max(good))
        .order_by(p.c.idx, p.c.session)
    )
    found = []
    for row in connection.execute(query).mappings():
        new = good.get(row["idx"])
        if new is not None and new.sha256 != row["sha256"]:
            old = {name: row[name] for name in ("session", "name", "attempt", "sha256")}
            old |= {"verified": row["verified"], "reason": row["reason"], "index": row["idx"]}
            found.append(
                Replaced(**old, by_session=session, by_name=new.name, by_sha256=new.sha256)
            )
    return tuple(found)


def keep_apart(home: Path, old: Sequence[Replaced]) -> tuple[Replaced, ...]:
    """Put the photos *old* into quarantine; returns those that were not there yet.

    Idempotent, and durable one by one: a run that was cut short is finished by the next. A photo
    that is gone from its folder gives a reason file all the same.
    """
    done = []
    for one in old:
        folder = home / "sessions" / one.session / FOLDER
        reason = folder / f"{one.name}.reason.json"
        if reason.is_file():
            continue
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _link(home / "sessions" / one.session / "incoming" / one.name, folder / one.name)
        # The reason comes last: with it, all of it is there.
        write_atomic(reason, json.dumps(one.body(), indent=1).encode() + b"\n", mode=PRIVATE)
        done.append(one)
    return tuple(done)


def _link(source: Path, target: Path) -> None:
    if target.is_file() or not source.is_file():
        return
    try:
        os.link(source, target)
        sync_folder(target.parent)
    except OSError:  # no hard links there, as on exFAT
        write_atomic(target, source.read_bytes(), mode=PRIVATE)
