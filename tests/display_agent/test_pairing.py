"""The pairing: one key per folder, readable by its owner only, reachable hosts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from display_agent.pairing import pairing_key, pairing_url, reachable
from rig.errors import UserError
from rig.protocol.keys import parse_pairing


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """A pairing stays valid across restarts; two folders have two keys."""
    key = pairing_key(tmp_path / "a")
    assert len(key) == 32
    assert pairing_key(tmp_path / "a") == key
    assert pairing_key(tmp_path / "b") != key
    assert stat.S_IMODE((tmp_path / "a" / "psk").stat().st_mode) == 0o600


def test_a_damaged_key_is_a_sentence(tmp_path: Path) -> None:
    """Not a run with half a key."""
    (tmp_path / "psk").write_bytes(b"short")
    with pytest.raises(UserError, match="pair the phone again"):
        pairing_key(tmp_path)


def test_the_url_carries_hosts_and_upload() -> None:
    """What the display writes is what the phone reads."""
    url = pairing_url(bytes(32), (("192.168.1.5", 47911),), "http://192.168.1.5:8000", "secret")
    read = parse_pairing(url)
    assert read.hosts == (("192.168.1.5", 47911),)
    assert (read.upload_url, read.upload_token) == ("http://192.168.1.5:8000", "secret")


def test_a_bound_address_is_told_as_it_is() -> None:
    """Only the wildcard is translated into something a phone can reach."""
    assert reachable("192.168.1.5", 5) == (("192.168.1.5", 5),)
    assert reachable("0.0.0.0", 5)[0][0] != "0.0.0.0"
