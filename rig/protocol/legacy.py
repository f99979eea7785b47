"""The wire of the original capture app and client: ``seq|name`` -> ``OK|name`` or ``MISMATCH``.

A photo's name is ``seq__nonce__part__part...``, the parts being the path of the x-ray. Everything
here is written from the behaviour of the original, whose weaknesses docs/legacy.md lists; nothing
that comes in may raise anything but `BadLegacy`, and no name that is refused becomes a path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

LEGACY_PORT = 4445
REPLY_TIMEOUT = 30.0
"""Seconds until a request of ours is sent again, the same number and name."""
BUFFER = 256
"""Bytes that the original app reads of a request; the rest of it is lost."""
SEQ_MAX = 2**31 - 1
"""The original app counts in 32 signed bits."""
NONCE_SIZE = 6
"""Random bytes in our nonces (12 hex digits; the original draws from 0 to 100)."""

WEAKER_DISPLAY = (
    "Weaker: nobody is authenticated; any device in this Wi-Fi can answer for the phone.",
    "Weaker: the app says OK although the write failed; photos are only claimed until the audit.",
    "Weaker: the app may say OK one photo early and mislabel all that follow.",
    "Weaker: MISMATCH after an unanswered request is ambiguous; a person decides by the app's log.",
    "Weaker: the app takes no number twice; a screen disturbed during a photo is only noted.",
    (
        "Mandatory: `display-agent audit-legacy` on the export, then `rig verify --pairs` on its "
        "CSV; with a controller `rig batch import` does both."
    ),
)
"""What does not hold when we drive the original app, and what must be done about it."""

WEAKER_PHONE = (
    "Weaker: nobody is authenticated; requests are bound to one source IP, which can be forged.",
    "Weaker: the phone decides alone; nobody confirms what the screen showed during the photo.",
    "Weaker: the client waits a fixed 100 ms for the screen and stops only after two MISMATCHes.",
    "Weaker: its first row is typed by hand; only the photos show that it was right.",
    "Mandatory: the optical check of every photo, `rig verify --pairs`.",
)
"""What does not hold when the original client drives our phone, and what must be done about it."""

MISMATCH = b"MISMATCH"
_OK = "OK|"
_SEQ = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
# One path component on every file system, with room for the `.jpg` that may have to be added.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~%+-]{0,250}", re.ASCII)
_FORBIDDEN = frozenset('|/\\:*?"<>')
"""What the phone's shared storage takes in no file name: the write would fail, and OK be said."""


class BadLegacy(ValueError):
    """Not a message of this protocol, or one that cannot be sent; the sentence says why."""


class RefusedName(BadLegacy):
    """A well-formed request whose name must not become a file."""


@dataclass(frozen=True)
class LegacyRequest:
    """``seq|name`` as it came in; *path* is the name behind seq and nonce."""

    seq: int
    name: str
    path: str

    @property
    def path_sha(self) -> bytes:
        """SHA-256 of the path part, 32 bytes: what makes two requests the same x-ray."""
        return hashlib.sha256(self.path.encode("utf-8")).digest()

    @property
    def file_name(self) -> str:
        """Under which name the photo is kept: the one asked for, made to end in ``.jpg``."""
        return self.name if self.name.endswith(".jpg") else f"{self.name}.jpg"


def legacy_parts(key: str) -> tuple[str, ...]:
    """The parts of the name for x-ray *key* (``patient/study/view``): the last gets ``.jpg``."""
    *head, tail = key.split("/")
    return (*head, f"{tail}.jpg")


def legacy_name(seq: int, nonce: str, parts: Sequence[str]) -> str:
    """``seq__nonce__part__...``, at most 256 - len(seq) - 1 bytes of UTF-8.

    Raises:
        BadLegacy: the app could not read it back as it was sent, or could not store it.
    """
    if not 0 <= seq <= SEQ_MAX:
        raise BadLegacy(f"the number {seq} is out of the app's range 0..{SEQ_MAX}")
    if not parts:
        raise BadLegacy(f"x-ray {seq} has no name")
    for part in (nonce, *parts):
        _check_part(seq, part)
    name = "__".join((str(seq), nonce, *parts))
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise BadLegacy(f"the name of x-ray {seq} is not text that UTF-8 can hold") from error
    room = BUFFER - len(str(seq)) - 1
    if size > room:
        raise BadLegacy(
            f"the name of x-ray {seq} takes {size} bytes, the original app reads {room}; "
            "use shorter keys"
        )
    return name


def _check_part(seq: int, part: str) -> None:
    if not part or "__" in part or part.startswith("_") or part.endswith("_"):
        raise BadLegacy(f"x-ray {seq}: the part {part!a} of its name would blur the separators __")
    if ".." in part or not part.isprintable() or _FORBIDDEN & set(part):
        raise BadLegacy(f"x-ray {seq}: the part {part!a} of its name cannot be part of a file name")


def encode_request(seq: int, name: str) -> bytes:
    """The datagram that asks for one photo."""
    return f"{seq}|{name}".encode()


def decode_request(data: bytes) -> LegacyRequest:
    """What the original client asks.

    Raises:
        RefusedName: seq and name are told apart, but the name must not become a file.
        BadLegacy: anything else.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLegacy("the request is not UTF-8") from error
    number, bar, name = text.partition("|")
    if not bar or not _SEQ.fullmatch(number) or int(number) > SEQ_MAX:
        raise BadLegacy("the request is not seq|name")
    if not _SAFE.fullmatch(name) or ".." in name or name.endswith("."):
        raise RefusedName(
            f"the name {name[:80]!a} of number {number} is refused: it must be one plain file name "
            "of at most 251 letters, digits and . _ ~ % + -"
        )
    head, nonce, path = (*name.split("__", 2), "", "")[:3]
    if head != number or not nonce or not path:
        raise RefusedName(f"the name {name[:80]!a} is not {number}__nonce__path")
    return LegacyRequest(int(number), name, path)


def encode_ok(name: str) -> bytes:
    """The answer that the photo *name* is there."""
    return f"{_OK}{name}".encode()


def decode_reply(data: bytes) -> str | None:
    """The name that an OK bears, or None for a MISMATCH.

    Raises:
        BadLegacy: it is neither.
    """
    if data == MISMATCH:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLegacy("the reply is not UTF-8") from error
    if not text.startswith(_OK) or len(text) == len(_OK):
        raise BadLegacy("the reply is neither OK|name nor MISMATCH")
    return text[len(_OK) :]
