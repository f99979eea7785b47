"""Keys by RFC 5869, and the pairing URL."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol.keys import (
    BadPairing,
    Pairing,
    boot_key,
    connection_keys,
    hkdf,
    parse_pairing,
)

PSK = bytes(range(32))
URL = Pairing(PSK, (("192.168.1.4", 47911),)).url()


@pytest.mark.parametrize(
    ("secret", "salt", "info", "okm"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)).hex(),
            bytes(range(0x60, 0xB0)).hex(),
            bytes(range(0xB0, 0x100)).hex(),
            (
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                "cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
        ),
        (
            "0b" * 22,
            "",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
    ids=["A.1", "A.2", "A.3"],
)
def test_hkdf_gives_the_vectors_of_rfc_5869(secret: str, salt: str, info: str, okm: str):
    """Appendix A of RFC 5869, the three SHA-256 cases."""
    got = hkdf(*map(bytes.fromhex, (secret, salt, info)), length=len(okm) // 2)
    assert got.hex() == okm


def test_keys_follow_the_formulas_of_section_3():
    nonce_d, nonce_p = b"d" * 16, b"p" * 16
    keys = connection_keys(PSK, nonce_d, nonce_p)
    assert boot_key(PSK) == hkdf(PSK, b"", b"xcap1 boot", 32)
    assert keys.d2p == hkdf(PSK, nonce_d + nonce_p, b"xcap1 d2p", 32)
    assert keys.p2d == hkdf(PSK, nonce_d + nonce_p, b"xcap1 p2d", 32)
    assert keys.conn_id == hkdf(PSK, nonce_d + nonce_p, b"xcap1 cid", 8)


def test_each_nonce_and_each_direction_has_keys_of_its_own():
    one = connection_keys(PSK, b"d" * 16, b"p" * 16)
    others = [
        connection_keys(PSK, b"e" * 16, b"p" * 16),
        connection_keys(PSK, b"d" * 16, b"q" * 16),
        connection_keys(PSK[::-1], b"d" * 16, b"p" * 16),
    ]
    keys = [k for c in (one, *others) for k in (c.d2p, c.p2d)]
    assert len(set(keys)) == 8
    assert len({c.conn_id for c in (one, *others)}) == 4


HOSTS = st.lists(
    st.tuples(
        st.sampled_from(["10.0.0.1", "rig.local", "fe80::1", "localhost"]), st.integers(1, 65535)
    ),
    min_size=1,
    max_size=3,
).map(tuple)
URLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32, max_size=32), HOSTS, st.sampled_from(["", "00" * 8]), URLS, URLS)
def test_a_pairing_survives_its_url(psk, hosts, campaign, url, token):
    pairing = Pairing(psk, hosts, campaign, url, token)
    assert parse_pairing(pairing.url()) == pairing


def test_the_url_has_the_form_of_section_3():
    """xcap://pair?v=1&k=<43 base64url>&h=<ip:port>&r=<campaign>."""
    url = Pairing(PSK, (("10.0.0.1", 47911),), "0123456789abcdef").url()
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert url == f"xcap://pair?v=1&k={key}&h=10.0.0.1%3A47911&r=0123456789abcdef"
    assert len(key) == 43


def test_blanks_around_a_pasted_url_do_no_harm():
    assert parse_pairing(f"  {URL}\n").psk == PSK


@pytest.mark.parametrize(
    "url",
    [
        "", "xcap://pair", "xcap://pair?", "http://pair?v=1", "nonsense", "xcap://[pair?v=1",
        URL.replace("v=1", "v=2"), URL.replace("v=1&", ""), URL.replace("xcap", "ycap"),
        URL.replace("pair", "bear"), URL.replace("47911", "0"), URL.replace("47911", "65536"),
        URL.replace("47911", "x"), URL.replace("%3A47911", ""), URL.replace("192.168.1.4", ""),
        URL.replace("k=AAEC", "k=AAE"), URL.replace("k=AAEC", "k=A!EC"), URL.split("&k")[0],
        URL.split("&h")[0], URL.replace("k=AAEC", "k=AAECAAEC"), URL.replace("k=AAEC", "k=\u00e4"),
    ],
)  # fmt: skip
def test_a_broken_pairing_is_refused_with_a_sentence(url: str):
    """The refusal says what is wrong and holds no key."""
    with pytest.raises(BadPairing) as refusal:
        parse_pairing(url)
    assert "pairing" in str(refusal.value)
    assert "AAEC" not in str(refusal.value)


def test_no_representation_leaks_a_secret():
    """What ends up in logs and tracebacks holds neither key nor token."""
    pairing = Pairing(PSK, (("h", 1),), "r" * 16, "https://u", "TOKEN")
    keys = connection_keys(PSK, b"d" * 16, b"p" * 16)
    for shown in (repr(pairing), str(pairing), f"{pairing!r:>5}", repr(keys), str(keys)):
        assert "TOKEN" not in shown
        for secret in (PSK, keys.d2p, keys.p2d):
            assert repr(secret) not in shown
            assert secret.hex() not in shown
    assert dataclasses.is_dataclass(pairing)
