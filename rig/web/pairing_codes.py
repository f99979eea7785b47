"""Pairing codes: eight characters that a phone exchanges, once, for its station's pairing.

They live in memory only: a code is good for ten minutes, and after a restart a new one is made in a
second; so nothing about them is ever on a disk. Even here only their keyed hashes are kept.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

CODE_NS = 10 * 60 * 10**9
"""How long a code may be exchanged, nanoseconds."""
VIEW_NS = 60 * 60 * 10**9
"""How long after the exchange its page shows the phone's state, nanoseconds."""
TRIES = 5
"""Wrong tries that one address has in `TRIES_NS`."""
TRIES_NS = 60 * 10**9
ADDRESSES = 1000
"""Addresses whose wrong tries are remembered; with more, the oldest are forgotten."""

_CODE = re.compile(r"[A-Z2-7]{8}", re.ASCII)
_BYTES = 5  # 8 characters of base32 are 40 bits


@dataclass(slots=True)
class Code:
    """A code that was made; its characters are not kept.

    Attributes:
        number: counts the codes of this start; names one without giving it away.
        station: whose phone it pairs.
        expires_ns: Unix time until which it may be exchanged.
        used_ns: Unix time of the exchange, None before.
    """

    number: int
    station: str
    expires_ns: int
    used_ns: int | None = None

    def fresh(self, now_ns: int) -> bool:
        """Whether it may still be exchanged."""
        return self.used_ns is None and now_ns < self.expires_ns

    def known(self, now_ns: int) -> bool:
        """Whether its page still shows something."""
        until = self.expires_ns if self.used_ns is None else self.used_ns + VIEW_NS
        return now_ns < until


class TooManyTriesError(Exception):
    """This address has tried too often; *wait_s* says how many seconds it has to wait."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many wrong codes from here: wait {wait_s} s, then try again.")
        self.wait_s = wait_s


class Codes:
    """The codes of one controller. Lives on the event loop.

    Args:
        key: of the hashes; secret.
        random: n -> n random bytes.
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        self._key = key
        self._random = random
        self._codes: dict[bytes, Code] = {}
        self._wrong: dict[str, deque[int]] = {}
        self._made = 0

    def make(self, station: str, now_ns: int) -> tuple[str, Code]:
        """A new code for *station*; an older one that was not used is void."""
        self._forget(now_ns)
        self._codes = {
            key: one
            for key, one in self._codes.items()
            if one.station != station or one.used_ns is not None
        }
        text = base64.b32encode(self._random(_BYTES)).decode("ascii")
        self._made += 1
        code = Code(self._made, station, now_ns + CODE_NS)
        self._codes[self._digest(text)] = code
        return text, code

    def look(self, text: str, address: str, now_ns: int) -> Code | None:
        """The code that *text* names, used or not; None counts as a wrong try of *address*.

        Raises:
            TooManyTriesError: *address* had all its wrong tries; nothing was looked up.
        """
        self._forget(now_ns)
        tries = self._tries(address, now_ns)
        if len(tries) >= TRIES:
            raise TooManyTriesError(-((now_ns - tries[0] - TRIES_NS) // 10**9))
        plain = re.sub(r"[\s-]", "", text[:64]).upper()
        code = self._codes.get(self._digest(plain)) if _CODE.fullmatch(plain) else None
        if code is None:
            tries.append(now_ns)
        return code

    def wrong(self, address: str, now_ns: int) -> None:
        """Count a wrong try of *address* (a code that is known but was used)."""
        self._tries(address, now_ns).append(now_ns)

    def of_station(self, station: str, now_ns: int) -> Code | None:
        """The newest code of *station* that still says something."""
        self._forget(now_ns)
        found = [one for one in self._codes.values() if one.station == station]
        return max(found, key=lambda one: one.number, default=None)

    def void(self, station: str) -> None:
        """Forget every code of *station*."""
        self._codes = {key: one for key, one in self._codes.items() if one.station != station}

    def _forget(self, now_ns: int) -> None:
        self._codes = {key: one for key, one in self._codes.items() if one.known(now_ns)}

    def _tries(self, address: str, now_ns: int) -> deque[int]:
        key = network_of(address)
        tries = self._wrong.pop(key, deque(maxlen=TRIES))
        # Not in the last minute; or "later" than now, because the clock was set back.
        while tries and not 0 <= now_ns - tries[0] < TRIES_NS:
            tries.popleft()
        if len(self._wrong) >= ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[key] = tries
        return tries

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256")


def network_of(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 an IPv6 address can be chosen from."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
