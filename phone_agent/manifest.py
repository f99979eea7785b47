"""The list that closes a batch, and what the controller says to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ManifestPhoto:
    """One committed photo in the manifest; `sha256` 32 bytes, `size` in bytes."""

    name: str
    sha256: bytes
    size: int
    index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class BatchReply:
    """What the controller says to a manifest; only complete *and* durable closes the batch."""

    complete: bool
    missing: tuple[str, ...]
    durable: bool


def encode_manifest(photos: Sequence[ManifestPhoto], count: int, chain: str) -> bytes:
    """The manifest as canonical JSON."""
    listed = [
        {
            "name": photo.name,
            "sha256": photo.sha256.hex(),
            "size": photo.size,
            "index": photo.index,
            "attempt": photo.attempt,
        }
        for photo in photos
    ]
    body = {"photos": listed, "count": count, "chain": chain}
    return json.dumps(body, separators=(",", ":"), sort_keys=True).encode()


def decode_reply(body: bytes) -> BatchReply:
    """Read the controller's answer; raises ValueError when it is none."""
    try:
        reply = json.loads(body)
        complete, durable, missing = reply["complete"], reply["durable"], reply["missing"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("the answer to the list is not what a controller says") from None
    if not (
        isinstance(complete, bool)
        and isinstance(durable, bool)
        and isinstance(missing, list)
        and all(isinstance(name, str) for name in missing)
    ):
        raise ValueError("the answer to the list is not what a controller says")
    return BatchReply(complete, tuple(missing), durable)
