"""Keys and pairing (XCAP/1 section 3): HKDF of RFC 5869 on the standard library's HMAC."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

PSK_SIZE = 32


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869): *length* bytes, at most 8160."""
    prk = hmac.digest(salt or bytes(32), secret, hashlib.sha256)
    block, out, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), hashlib.sha256)
        out += block
        counter += 1
    return out[:length]


def boot_key(psk: bytes) -> bytes:
    """The key of KNOCK, HELLO and READY."""
    return hkdf(psk, b"", b"xcap1 boot", 32)


@dataclass(frozen=True)
class ConnectionKeys:
    """Keys of one connection; directional, so that nothing can be reflected."""

    conn_id: bytes
    d2p: bytes = field(repr=False)
    p2d: bytes = field(repr=False)


def connection_keys(psk: bytes, nonce_d: bytes, nonce_p: bytes) -> ConnectionKeys:
    """Keys of the connection that both nonces (16 bytes each) name."""
    salt = nonce_d + nonce_p
    return ConnectionKeys(
        conn_id=hkdf(psk, salt, b"xcap1 cid", 8),
        d2p=hkdf(psk, salt, b"xcap1 d2p", 32),
        p2d=hkdf(psk, salt, b"xcap1 p2d", 32),
    )


class BadPairing(ValueError):
    """The pairing URL cannot be used; the sentence says why."""


@dataclass(frozen=True)
class Pairing:
    """What a phone needs to find and trust its display agent.

    Attributes:
        psk: 32 secret bytes. Never logged.
        hosts: (address, UDP port) pairs to try.
        campaign_id: 16 hex digits, or empty when the pairing outlives campaigns.
        upload_url: base URL of the controller, or empty.
        upload_token: bearer token for it, or empty. Never logged.
    """

    psk: bytes
    hosts: tuple[tuple[str, int], ...]
    campaign_id: str = ""
    upload_url: str = ""
    upload_token: str = ""

    def __repr__(self) -> str:
        """Without the secrets: this ends up in logs and tracebacks."""
        return f"Pairing(hosts={self.hosts!r}, campaign_id={self.campaign_id!r})"

    def url(self) -> str:
        """``xcap://pair?...``: whoever reads it is the peer."""
        query = {
            "v": "1",
            "k": base64.urlsafe_b64encode(self.psk).decode("ascii").rstrip("="),
            "h": ",".join(f"{_bracket(host)}:{port}" for host, port in self.hosts),
            "r": self.campaign_id,
            "u": self.upload_url,
            "t": self.upload_token,
        }
        return "xcap://pair?" + urlencode({k: v for k, v in query.items() if v})


def parse_pairing(url: str) -> Pairing:
    """The pairing in *url*.

    Raises:
        BadPairing: not a pairing URL of version 1, or a part of it is broken.
    """
    try:
        parts = urlsplit(url.strip())
        query = dict(parse_qsl(parts.query, strict_parsing=True))
    except ValueError as error:
        raise BadPairing("the pairing is not a URL like xcap://pair?v=1&k=...&h=...") from error
    if (parts.scheme, parts.netloc) != ("xcap", "pair"):
        raise BadPairing("the pairing must begin with xcap://pair? ; copy the whole line")
    if query.get("v") != "1":
        raise BadPairing(
            f"the pairing is of version {query.get('v')!r}; this agent speaks version 1"
        )
    return Pairing(
        psk=_psk(query.get("k", "")),
        hosts=_hosts(query.get("h", "")),
        campaign_id=_campaign(query.get("r", "")),
        upload_url=query.get("u", ""),
        upload_token=query.get("t", ""),
    )


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _psk(text: str) -> bytes:
    try:
        psk = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPairing("the pairing's key is damaged; copy the whole line again") from error
    if len(psk) != PSK_SIZE:
        raise BadPairing(f"the pairing's key has {len(psk)} bytes, not {PSK_SIZE}; copy it again")
    return psk


def _campaign(text: str) -> str:
    if text and (len(text) != 16 or set(text) - set("0123456789abcdef")):
        raise BadPairing("the pairing's campaign is damaged; copy the whole line again")
    return text


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for part in filter(None, text.split(",")):
        host, colon, port = part.rpartition(":")
        number = int(port) if port.isdecimal() and len(port) <= 5 else 0
        if not host or not colon or not 0 < number < 65536:
            raise BadPairing(f"the pairing names the host {part!r}, which is not ADDRESS:PORT")
        hosts.append((host.strip("[]"), number))
    if not hosts:
        raise BadPairing("the pairing names no host")
    return tuple(hosts)
