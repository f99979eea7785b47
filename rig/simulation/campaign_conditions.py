"""The one place that knows how a person confirms the conditions of a session."""

from __future__ import annotations

from sqlalchemy import Connection

from rig.capture import conditions
from rig.capture.sessions import Session


def confirm(connection: Connection, session: Session, who: str, now_ns: int) -> list[str]:
    """Record that *who* has set the room; the sentences of what still keeps the session waiting."""
    conditions.confirm_all(connection, session, name=who, now_ns=now_ns)
    return conditions.blockers(connection, session)
