"""Photos of the explored world: their hashes, and what each of them shows."""

from __future__ import annotations

import hashlib

from rig.protocol import actions as act

_SHOWN: dict[bytes, int] = {}
_HEADS: dict[bytes, int] = {}


def photo_of(ticket: act.Ticket, shown: int) -> act.Photo:
    """The photo that the exposure of *ticket* leads to; *shown*: the index on the screen, or 0."""
    text = f"{ticket.index}.{ticket.attempt}.{ticket.boot!r}:{shown}"
    sha = hashlib.sha256(text.encode()).digest()
    _SHOWN[sha] = _HEADS[sha[:8]] = shown
    return act.Photo(sha, 6_000_000, 4, 3, 1, 2)


def shown_in(sha: bytes) -> int:
    """What the photo with this hash shows."""
    return _SHOWN[sha]


def shown_by(head: bytes) -> int | None:
    """What the photo whose hash begins with these 8 bytes shows; None if there is none."""
    return _HEADS.get(head)


def surface_of(screen: int) -> bytes:
    """What the surface reads back while *screen* is up."""
    return b"surface %d" % screen
