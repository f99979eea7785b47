"""The chain digest, which both sides must share before every capture (XCAP/1 section 1)."""

from __future__ import annotations

import hashlib
import struct


def chain_start(campaign_id: bytes, subset: int, first: int, manifest_sha: bytes) -> bytes:
    """C_0 of a subset: 32 bytes."""
    head = b"xcap1" + campaign_id + struct.pack("!II", subset, first)
    return hashlib.sha256(head + manifest_sha).digest()


def chain_next(chain: bytes, index: int, attempt: int, photo_sha: bytes, meta_sha: bytes) -> bytes:
    """C_n after the photo of (index, attempt) with its two 32-byte digests."""
    return hashlib.sha256(
        chain + struct.pack("!IH", index, attempt) + photo_sha + meta_sha
    ).digest()
