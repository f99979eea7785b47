"""What must be shot again, and the sessions for it: one list for a session or a campaign."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection

from rig.capture import reshoot as sessions_again
from rig.capture.sessions import Session
from rig.intake import reshoot
from rig.intake.reshoot import ReshootList

_SESSION = re.compile(r"s[0-9a-f]{16}", re.ASCII)


def listed(connection: Connection, target: str) -> ReshootList:
    """The list of a session or a campaign.

    Raises:
        NotFoundError: there is neither.
    """
    if _SESSION.fullmatch(target):
        return reshoot.of_session(connection, target)
    return reshoot.of_campaign(connection, target)


def make(
    connection: Connection,
    target: str,
    *,
    now_ns: int,
    doubtful: bool = False,
    name: str | None = None,
    indices: Sequence[int] = (),
) -> list[Session]:
    """Make the sessions for what `listed` says, or for *indices* of it.

    Raises:
        NotFoundError: no such session or campaign.
        ConflictError: as `rig.capture.reshoot.create`.
    """
    rows = listed(connection, target).wanted(doubtful=doubtful or bool(indices))
    chosen = set(indices)
    by_session: dict[str, list[int]] = {}
    for row in rows:
        if not chosen or row.index in chosen:
            by_session.setdefault(row.session, []).append(row.index)
    made: list[Session] = []
    for session in sorted(by_session, key=lambda one: min(by_session[one])):
        made += sessions_again.create(
            connection,
            session,
            new_id=lambda: "s" + secrets.token_hex(8),
            now_ns=now_ns,
            indices=by_session[session],
            name=name,
        )
    return made
