"""Who is asking: an operator (by token, script or signed-in browser), a station, or its phone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie

from sqlalchemy import Connection
from starlette.datastructures import Headers

from rig.capture import pairings, stations
from rig.store import credentials
from rig.store.credentials import BROWSER, SCRIPT, Device
from rig.store.database import Database

COOKIE_SECONDS = 7 * 24 * 3600
LINK_SECONDS = 15 * 60
"""How long a one-time sign-in link is good for."""


class Role(StrEnum):
    """What a principal may do."""

    OPERATOR = "operator"
    STATION = "station"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        role: what it may do.
        station: of an agent; None for an operator.
        cookie: it is a signed-in browser.
        device: id of the browser or script; None: it has the access token, or is an agent.
        name: of the person whose browser or script it is, as far as that was said.
    """

    role: Role
    station: str | None = None
    cookie: bool = False
    device: str | None = None
    name: str | None = None


class Auth:
    """Tokens, cookies and one-time links, all derived from one secret of the home.

    Args:
        secret: 32 bytes, kept in ``HOME/secret``; so everything stays valid over a restart.
        database: where the stations' tokens are kept.
        clock: Unix time in seconds.
        token: the operator's access token; default: derived from *secret*.
    """

    def __init__(
        self,
        secret: bytes,
        database: Database,
        clock: Callable[[], float],
        token: str | None = None,
    ) -> None:
        self._secret = secret
        self._database = database
        self._clock = clock
        self.token = token or self._derive("operator")
        self.chosen = bool(token)
        """Somebody made the access token or gave it; it does not just follow from the secret."""
        # Two rigs on one host must not sign each other out: cookies are shared over ports.
        self.cookie_name = "rig-" + self._derive("cookie name")[:8].lower().translate(_PLAIN)
        self._links: dict[str, float] = {}

    def phone(self, station: str) -> tuple[int, str]:
        """How often *station*'s phone was unpaired, and the bearer token of the present one.

        Reads the store.
        """
        generation = self._database.query(lambda c: pairings.generation(c, station))
        return generation, self._phone_token(station, generation)

    def phone_token(self, station: str) -> str:
        """The bearer token of *station*'s phone: the same until it is unpaired. Reads the store."""
        return self.phone(station)[1]

    def code_key(self) -> bytes:
        """The key that pairing codes are hashed with."""
        return self._derive("pairing codes").encode()

    def new_link(self) -> str:
        """A token that signs in one browser once, within `LINK_SECONDS`."""
        token = secrets.token_urlsafe(24)
        self._links[_digest(token)] = self._clock() + LINK_SECONDS
        return token

    def redeem_link(self, token: str) -> bool:
        """Whether *token* is an unused one-time token; it is used up."""
        now = self._clock()
        self._links = {key: until for key, until in self._links.items() if until > now}
        return self._links.pop(_digest(token), None) is not None

    def is_token(self, token: str) -> bool:
        """Whether *token* is the operator's access token."""
        good = hmac.compare_digest(token.encode(), self.token.encode())
        return good and bool(self.token)

    def code_of(self, purpose: str, *parts: bytes) -> str:
        """A MAC over *parts* that nobody can make without the home's secret, hex."""
        told = b"".join(len(one).to_bytes(8, "big") + one for one in parts)
        return hmac.digest(self._secret, purpose.encode() + b"\0" + told, "sha256").hex()

    def new_device(
        self,
        connection: Connection,
        kind: str,
        *,
        label: str,
        address: str,
        name: str | None = None,
    ) -> tuple[Device, str]:
        """Keep a new browser or script; it, and the cookie or token that proves it.

        Args:
            connection: in a write transaction.
            kind: `BROWSER` (its cookie is good for `COOKIE_SECONDS`) or `SCRIPT`.
            label: what it is, for people.
            address: where it signs in from.
            name: of the person.
        """
        now = int(self._clock() * 1e9)
        device = Device(
            id="d" + secrets.token_hex(8),
            kind=kind,
            name=name,
            label=label[:200],
            address=address[:64],
            created_ns=now,
            expires_ns=now + COOKIE_SECONDS * 10**9 if kind == BROWSER else None,
            revoked_ns=None,
            epoch=self._epoch(),
        )
        secret = ("rb-" if kind == BROWSER else "ro-") + secrets.token_urlsafe(32)
        credentials.add(connection, device, secret)
        return device, secret

    def is_good(self, device: Device) -> bool:
        """Whether *device* may be used now: not signed out, not too old, the same access token."""
        return device.good(self._epoch(), int(self._clock() * 1e9))

    def who(self, headers: Headers) -> Principal | None:
        """The caller that *headers* prove, or None. Reads the database."""
        if (authorization := headers.get("authorization")) is not None:
            scheme, _, token = authorization.partition(" ")
            return self._bearer(token.strip()) if scheme.lower() == "bearer" else None
        value = _cookie(headers.get("cookie", ""), self.cookie_name)
        if not value:
            return None
        device = self._database.query(lambda c: self._device(c, value, BROWSER))
        if device is None:
            return None
        return Principal(Role.OPERATOR, cookie=True, device=device.id, name=device.name)

    def _bearer(self, token: str) -> Principal | None:
        if self.is_token(token):
            return Principal(Role.OPERATOR)
        return self._database.query(lambda connection: self._agent(connection, token))

    def _device(self, connection: Connection, secret: str, kind: str) -> Device | None:
        found = credentials.by_secret(connection, secret, kind)
        return found if found is not None and self.is_good(found) else None

    def _agent(self, connection: Connection, token: str) -> Principal | None:
        if (station := stations.by_token(connection, token)) is not None:
            return Principal(Role.STATION, station)
        if (script := self._device(connection, token, SCRIPT)) is not None:
            return Principal(Role.OPERATOR, device=script.id, name=script.name)
        for name, generation in pairings.generations(connection).items():
            good = self._phone_token(name, generation)
            if hmac.compare_digest(good.encode(), token.encode()):
                return Principal(Role.PHONE, name)
        return None

    def _phone_token(self, station: str, generation: int) -> str:
        # No station's name holds a colon: no two of these are alike.
        return self._derive(f"phone:{station}" + (f":{generation}" if generation else ""))

    def _epoch(self) -> str:
        # Another --token signs everybody out.
        return self._derive(f"epoch:{_digest(self.token)}")[:22]

    def _derive(self, purpose: str) -> str:
        mac = hmac.new(self._secret, purpose.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


_PLAIN = str.maketrans("-_", "xy")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value
