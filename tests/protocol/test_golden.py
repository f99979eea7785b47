"""Golden datagrams: bytes that no change of the code may change, in both directions."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rig.protocol.codes import MessageType
from rig.protocol.datagram import BadDatagram, Datagram, decode, encode, peek
from rig.protocol.keys import boot_key, connection_keys


def _load() -> ModuleType:
    path = Path(__file__).with_name("golden.py")
    spec = importlib.util.spec_from_file_location("protocol_golden", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_golden = _load()
GOLDEN: list[tuple[str, Datagram, str]] = _golden.GOLDEN
PSK, NONCE_D, NONCE_P, CONN = _golden.PSK, _golden.NONCE_D, _golden.NONCE_P, _golden.CONN
M = MessageType


def _key(direction: str) -> bytes:
    keys = connection_keys(PSK, NONCE_D, NONCE_P)
    return {"boot": boot_key(PSK), "d2p": keys.d2p, "p2d": keys.p2d}[direction]


IDS = [M(d.type).name for _, d, _ in GOLDEN]


@pytest.mark.parametrize(("direction", "d", "golden"), GOLDEN, ids=IDS)
def test_a_datagram_encodes_to_its_golden_bytes(direction: str, d: Datagram, golden: str):
    assert encode(d, _key(direction)).hex() == golden


@pytest.mark.parametrize(("direction", "d", "golden"), GOLDEN, ids=IDS)
def test_golden_bytes_decode_to_their_datagram(direction: str, d: Datagram, golden: str):
    data = bytes.fromhex(golden)
    assert decode(data, _key(direction)) == d
    assert peek(data) == (d.type, d.conn_id)


@pytest.mark.parametrize(("direction", "d", "golden"), GOLDEN, ids=IDS)
def test_golden_bytes_are_refused_under_the_other_keys(direction: str, d: Datagram, golden: str):
    """Directional keys, and one for the handshake: nothing can be reflected."""
    for other in {"boot", "d2p", "p2d"} - {direction}:
        with pytest.raises(BadDatagram, match="tag"):
            decode(bytes.fromhex(golden), _key(other))


def test_every_message_is_among_them_and_abort_in_both_directions():
    known = {(direction, MessageType(d.type)) for direction, d, _ in GOLDEN}
    assert {kind for _, kind in known} == set(MessageType)
    for kind in (M.ABORT, M.ABORT_ACK, M.BYE):
        assert {("d2p", kind), ("p2d", kind)} <= known


def test_the_connection_id_follows_from_both_nonces():
    assert connection_keys(PSK, NONCE_D, NONCE_P).conn_id == CONN
