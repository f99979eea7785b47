"""Pairing by code, and what is remembered of it."""

from __future__ import annotations

import json
import stat

import pytest

from phone_agent import config
from phone_agent.config import ConfigError, Saved
from rig.protocol.keys import Pairing

PAIRING = Pairing(bytes(range(32)), (("192.168.1.5", 47911),), "", "http://192.168.1.5:8000", "tok")


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("192.168.1.5:8000", "http://192.168.1.5:8000"), ("rig.local", "http://rig.local:8000"),
        ("[fe80::1]:8000", "http://[fe80::1]:8000"), ("[::1]", "http://[::1]:8000"),
        ("https://rig.example/", "https://rig.example"), (" 10.0.0.2:1 ", "http://10.0.0.2:1"),
    ],
)  # fmt: skip
def test_address_as_a_person_types_it(typed, url):
    """With and without port and scheme."""
    assert config.controller_url(typed) == url


@pytest.mark.parametrize("typed", ["", "ftp://x", "http://a:b@c", "host:port", "a b:1"])
def test_no_address_is_a_sentence(typed):
    """Nothing of it is repeated: it may hold a secret."""
    with pytest.raises(ConfigError, match="address"):
        config.controller_url(typed)


@pytest.mark.parametrize("typed", ["ABCD2345", "abcd2345", " abcd-2345 ", "ABCD 2345"])
def test_code_is_read_kindly(typed):
    """Case, blanks and dashes do not matter."""
    assert config.pairing_code(typed) == "ABCD2345"


def test_digits_that_base32_lacks_are_letters():
    """0 and 1 are read off the screen as O and I, which is what they are."""
    assert config.pairing_code("01AAAAAA") == "OIAAAAAA"


@pytest.mark.parametrize("typed", ["", "ABCD234", "ABCD23456", "ABCD2348", "ABCD234é"])
def test_what_is_no_code_is_not_sent(typed):
    """A typing error must not count as a wrong try, and is not repeated."""
    with pytest.raises(ConfigError, match="8 letters and digits") as caught:
        config.pairing_code(typed)
    assert not typed or typed not in str(caught.value)


def test_saved_pairing_comes_back_and_is_private(tmp_path):
    """Only its owner may read it; no temporary file stays."""
    folder = tmp_path / "rig"
    config.save(folder, Saved(PAIRING, "termux:1"))
    config.save(folder, Saved(PAIRING, "termux:0"))
    assert config.load(folder) == Saved(PAIRING, "termux:0")
    assert stat.S_IMODE((folder / "pairing.json").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["pairing.json"]


def test_interrupted_saving_leaves_the_old_pairing(tmp_path, monkeypatch):
    """The rename is the moment; a temporary file of an earlier crash is no obstacle."""
    config.save(tmp_path, Saved(PAIRING, "old"))
    (tmp_path / "pairing.json.part").write_text("half")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(config.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        config.save(tmp_path, Saved(PAIRING, "new"))
    monkeypatch.undo()
    assert config.load(tmp_path).camera == "old"


def test_nothing_remembered_says_how_to_pair(tmp_path):
    """The first start without arguments."""
    with pytest.raises(ConfigError, match="HOST:PORT CODE"):
        config.load(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"pairing": 7}', '{"pairing": "xcap://pair?v=1&k=AA&h=a:1"}']
)
def test_damaged_file_is_a_sentence(tmp_path, text):
    """What to do, and no secret of it."""
    (tmp_path / "pairing.json").write_text(text)
    with pytest.raises(ConfigError, match="pair the phone again"):
        config.load(tmp_path)


@pytest.fixture
def desk(http_server):
    """A controller that knows one code, once."""
    codes = {"ABCD2345"}

    def answer(http):
        body = json.loads(http.rfile.read(int(http.headers["Content-Length"])))
        good = http.path == "/api/phone/pair" and body["code"] in codes
        codes.discard(body["code"])
        said = {"pairing": PAIRING.url()} if good else {"detail": "This code is not valid."}
        data = json.dumps(said).encode()
        http.send_response(200 if good else 403)
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)

    return http_server(answer).url


def test_code_works_once(desk):
    """The second try says so."""
    assert config.exchange(desk, "abcd2345") == PAIRING
    with pytest.raises(ConfigError, match="This code is not valid"):
        config.exchange(desk, "ABCD2345")


def test_device_has_a_name():
    """Something for the operator's page; never longer than it may be."""
    assert 1 <= len(config.device_name()) <= 80
