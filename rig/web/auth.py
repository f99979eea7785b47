"""Who is asking: an operator (by token or signed-in browser), a station, or its phone."""

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
    """An authenticated caller; *station* is the station of an agent, None for an operator."""

    role: Role
    station: str | None = None
    cookie: bool = False


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
        return hmac.compare_digest(token.encode(), self.token.encode())

    def new_cookie(self) -> str:
        """A cookie value for a browser that signed in."""
        until = str(int(self._clock()) + COOKIE_SECONDS)
        return f"{until}.{self._cookie_mac(until)}"

    def who(self, headers: Headers) -> Principal | None:
        """The caller that *headers* prove, or None. Reads the database."""
        if (authorization := headers.get("authorization")) is not None:
            scheme, _, token = authorization.partition(" ")
            return self._bearer(token.strip()) if scheme.lower() == "bearer" else None
        value = _cookie(headers.get("cookie", ""), self.cookie_name)
        return Principal(Role.OPERATOR, cookie=True) if self._good_cookie(value) else None

    def _bearer(self, token: str) -> Principal | None:
        if self.is_token(token):
            return Principal(Role.OPERATOR)
        return self._database.query(lambda connection: self._agent(connection, token))

    def _agent(self, connection: Connection, token: str) -> Principal | None:
        if (station := stations.by_token(connection, token)) is not None:
            return Principal(Role.STATION, station)
        for name, generation in pairings.generations(connection).items():
            good = self._phone_token(name, generation)
            if hmac.compare_digest(good.encode(), token.encode()):
                return Principal(Role.PHONE, name)
        return None

    def _phone_token(self, station: str, generation: int) -> str:
        # No station's name holds a colon: no two of these are alike.
        return self._derive(f"phone:{station}" + (f":{generation}" if generation else ""))

    def _good_cookie(self, value: str) -> bool:
        until, _, mac = value.partition(".")
        if not until.isascii() or not until.isdigit() or len(until) > 12:
            return False
        good = hmac.compare_digest(mac.encode(), self._cookie_mac(until).encode())
        return good and int(until) > self._clock()

    def _cookie_mac(self, until: str) -> str:
        # The access token is part of it: another --token signs everybody out.
        return self._derive(f"cookie:{until}:{_digest(self.token)}")

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
