"""The chain digest."""

from __future__ import annotations

import hashlib

from rig.protocol.chain import chain_next, chain_start

CAMPAIGN, MANIFEST = bytes(8), bytes(32)
START = chain_start(CAMPAIGN, 3, 4, MANIFEST)


def test_the_chain_begins_with_what_is_to_be_shot():
    """C_0 = SHA256("xcap1" | campaign | subset | first | manifest)."""
    text = b"xcap1" + CAMPAIGN + b"\0\0\0\x03" + b"\0\0\0\x04" + MANIFEST
    assert hashlib.sha256(text).digest() == START


def test_the_chain_goes_on_with_what_was_shot():
    """C_n = SHA256(C_n-1 | u32 index | u16 attempt | photo | metadata)."""
    photo, meta = b"p" * 32, b"m" * 32
    text = START + b"\0\0\0\x04" + b"\0\x02" + photo + meta
    assert chain_next(START, 4, 2, photo, meta) == hashlib.sha256(text).digest()


def test_every_ingredient_changes_the_chain():
    photo, meta = b"p" * 32, b"m" * 32
    chains = {
        chain_next(START, 4, 2, photo, meta),
        chain_next(START, 5, 2, photo, meta),
        chain_next(START, 4, 3, photo, meta),
        chain_next(START, 4, 2, meta, meta),
        chain_next(START, 4, 2, photo, photo),
        chain_next(bytes(32), 4, 2, photo, meta),
        START,
        chain_start(b"c" * 8, 3, 4, MANIFEST),
        chain_start(CAMPAIGN, 4, 4, MANIFEST),
        chain_start(CAMPAIGN, 3, 5, MANIFEST),
        chain_start(CAMPAIGN, 3, 4, b"m" * 32),
    }
    assert len(chains) == 11
