"""The pairing: one key per folder, readable by its owner only, reachable hosts."""

from __future__ import annotations

import hmac
import stat
from pathlib import Path

import pytest

from display_agent.pairing import PairingKeys, new_key, pairing_key, pairing_url, reachable
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


def test_number_0_is_the_file_itself_and_every_other_is_its_own(tmp_path: Path) -> None:
    """Pairings from before keys were numbered stay good; no number's key is another's."""
    secret = pairing_key(tmp_path)
    keys = PairingKeys(tmp_path)
    assert keys.psk == secret
    seen = {keys.psk}
    for number in range(1, 20):
        assert keys.move_to(number)
        seen.add(keys.psk)
    assert len(seen) == 20
    assert {len(key) for key in seen} == {32}


def test_the_derivation_is_the_documented_one(tmp_path: Path) -> None:
    """HKDF-SHA256 without salt, written out with the standard library."""
    (tmp_path / "psk").write_bytes(bytes(range(32)))
    prk = hmac.digest(bytes(32), bytes(range(32)), "sha256")
    assert PairingKeys(tmp_path).move_to(7)
    keys = PairingKeys(tmp_path)
    assert keys.psk == hmac.digest(prk, b"xcap1 pairing 7\x01", "sha256")


def test_a_voided_key_never_comes_back(tmp_path: Path) -> None:
    """Not over a restart, and not when the controller is restored and counts from lower again."""
    keys = PairingKeys(tmp_path)
    first = keys.psk
    assert keys.move_to(1)
    second = keys.psk
    assert stat.S_IMODE((tmp_path / "psk.number").stat().st_mode) == 0o600
    again = PairingKeys(tmp_path)
    assert again.psk == second
    assert not again.move_to(1)
    assert not again.move_to(0)  # restored from a backup: the phone of now goes on
    assert again.psk == second
    assert again.move_to(1)  # and the unpairing after that voids it, too
    assert PairingKeys(tmp_path).psk == again.psk
    assert len({first, second, again.psk}) == 3


def test_a_full_disk_does_not_keep_a_phone_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key moves at once; the number is kept as soon as it can be."""
    keys = PairingKeys(tmp_path)
    old = keys.psk

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("display_agent.pairing.write_atomic", full)
        assert keys.move_to(1)
    assert keys.psk != old
    assert not keys.move_to(1)
    assert PairingKeys(tmp_path).psk == keys.psk


@pytest.mark.parametrize("nonsense", [-1, 2**53, True, "1", 1.0, None, [1]])
def test_nonsense_is_no_number(tmp_path: Path, nonsense: object) -> None:
    """And changes nothing."""
    keys = PairingKeys(tmp_path)
    before = keys.psk
    with pytest.raises(UserError, match="number"):
        keys.move_to(nonsense)
    assert keys.psk == before


@pytest.mark.parametrize(
    "text", ["", "{}", "[", '{"told": -1, "key": 0}', '{"told": 1, "key": 1.5}']
)
def test_a_damaged_number_is_a_sentence(tmp_path: Path, text: str) -> None:
    """Falling back to number 0 would let a voided phone in."""
    (tmp_path / "psk.number").write_text(text)
    with pytest.raises(UserError, match="damaged"):
        PairingKeys(tmp_path)


def test_a_new_pairing_without_a_controller(tmp_path: Path) -> None:
    """What `display-agent run --new-pairing` does: neither file nor number stays."""
    keys = PairingKeys(tmp_path)
    old = keys.psk
    keys.move_to(3)
    new_key(tmp_path)
    assert PairingKeys(tmp_path).psk not in (old, keys.psk)
    assert stat.S_IMODE((tmp_path / "psk").stat().st_mode) == 0o600
