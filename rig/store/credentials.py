"""Signed-in browsers and the tokens of scripts; only hashes of what proves them are kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, insert, literal, select, tuple_, update

from rig.store.errors import ConflictError, NotFoundError
from rig.store.tables import device as table

BROWSER, SCRIPT = "browser", "script"


@dataclass(frozen=True, slots=True)
class Device:
    """One browser or script.

    Attributes:
        id: `d` and 16 hex digits.
        kind: `browser` (a cookie) or `script` (a bearer token).
        name: of the person who acts through it, None: not said.
        label: what it is.
        address: where it signed in from.
        created_ns: Unix time.
        expires_ns: Unix time, None: never.
        revoked_ns: Unix time, None: it is good.
        epoch: of the access token that was good when it was made.
    """

    id: str
    kind: str
    name: str | None
    label: str
    address: str
    created_ns: int
    expires_ns: int | None
    revoked_ns: int | None
    epoch: str

    def good(self, epoch: str, now_ns: int) -> bool:
        """Whether it may be used."""
        fresh = self.expires_ns is None or self.expires_ns > now_ns
        return fresh and self.revoked_ns is None and self.epoch == epoch


_FIELDS = tuple(Device.__dataclass_fields__)


def digest(secret: str) -> str:
    """What is kept of a cookie or token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add(connection: Connection, device: Device, secret: str) -> None:
    """Keep *device*, proved by *secret*."""
    values = {name: getattr(device, name) for name in _FIELDS}
    connection.execute(insert(table).values(sha256=digest(secret), **values))


def by_secret(connection: Connection, secret: str, kind: str) -> Device | None:
    """The device that *secret* proves, good or not."""
    query = select(*(table.c[name] for name in _FIELDS)).where(
        table.c.sha256 == digest(secret), table.c.kind == kind
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else Device(**row)


def every(
    connection: Connection, limit: int = 500, *, after: tuple[int, str] | None = None
) -> list[Device]:
    """The newest devices, newest first; those that follow *after* (when it was made, id)."""
    query = select(*(table.c[name] for name in _FIELDS))
    query = query.order_by(table.c.created_ns.desc(), table.c.id.desc()).limit(limit)
    if after is not None:
        place = tuple_(table.c.created_ns, table.c.id)
        query = query.where(place < tuple_(literal(after[0]), literal(after[1])))
    return [Device(**row) for row in connection.execute(query).mappings()]


def find(connection: Connection, ident: str) -> Device:
    """The device with this id.

    Raises:
        NotFoundError: there is none.
    """
    query = select(*(table.c[name] for name in _FIELDS)).where(table.c.id == ident)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"No device has the id {ident[:40]!r}.")
    return Device(**row)


def rename(connection: Connection, ident: str, name: str | None) -> None:
    """From now on *name* acts through it."""
    connection.execute(update(table).where(table.c.id == ident).values(name=name))


def revoke(connection: Connection, ident: str, now_ns: int) -> Device:
    """Void the device's cookie or token, for good.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is void already.
    """
    found = find(connection, ident)
    if found.revoked_ns is not None:
        raise ConflictError(f"Device {ident} was signed out before.")
    connection.execute(update(table).where(table.c.id == ident).values(revoked_ns=now_ns))
    return find(connection, ident)
