"""The wire of the original app: golden transcripts, names, and garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.protocol.legacy import (
    BUFFER,
    SEQ_MAX,
    WEAKER_DISPLAY,
    WEAKER_PHONE,
    BadLegacy,
    RefusedName,
    decode_reply,
    decode_request,
    encode_ok,
    encode_request,
    legacy_name,
    legacy_parts,
)

NAME = "3__57__CheXphoto-v1.0__valid__patient64541__study1__view1_frontal.jpg"


def test_golden_request_and_reply() -> None:
    """Both directions, byte for byte."""
    request = bytes.fromhex("337c335f5f35375f5f702e6a7067")
    assert encode_request(3, "3__57__p.jpg") == request
    assert decode_request(request).path == "p.jpg"
    assert encode_ok("3__57__p.jpg") == bytes.fromhex("4f4b7c335f5f35375f5f702e6a7067")
    assert decode_reply(b"OK|3__57__p.jpg") == "3__57__p.jpg"
    assert decode_reply(bytes.fromhex("4d49534d41544348")) is None


def test_what_the_original_client_sends_is_understood() -> None:
    """Row number, nonce of 0 to 100, path of the CSV."""
    request = decode_request(f"3|{NAME}".encode())
    assert (request.seq, request.name) == (3, NAME)
    assert request.path == "CheXphoto-v1.0__valid__patient64541__study1__view1_frontal.jpg"
    assert request.file_name == NAME


def test_only_the_nonce_may_differ_between_requests_for_one_xray() -> None:
    """The digest is that of the path part."""
    assert (
        decode_request(f"3|{NAME}".encode()).path_sha
        == decode_request(f"3|{NAME.replace('57', '9')}".encode()).path_sha
        != decode_request(f"3|{NAME.replace('frontal', 'lateral')}".encode()).path_sha
    )


def test_a_photo_of_a_png_is_kept_as_the_jpeg_it_is() -> None:
    """The original wrote JPEG bytes under a PNG's name."""
    assert decode_request(b"1|1__2__a__b.png").file_name == "1__2__a__b.png.jpg"


@pytest.mark.parametrize(
    "name",
    ["3__1__../../etc/passwd", "3__1__a/b.jpg", "3__1__a\\b.jpg", "3__1__..", "3__1__a\0.jpg",
     "3__1__a\x1b[2J.jpg", "3__1__a\n.jpg", "../3__1__a.jpg", "/etc/passwd", "4__1__a.jpg",
     "3__1__", "3____a.jpg", "3__1", "", "3__1__a|b.jpg", "3__1__é.jpg", "3__1__a b.jpg",
     "03__1__a.jpg", "3__1__" + "a" * 300, "3__1__C:evil.jpg", ".3__1__a.jpg"],
)  # fmt: skip
def test_hostile_names_are_refused(name: str) -> None:
    """Separators, dots, control bytes, foreign numbers: told apart, never a path."""
    with pytest.raises(RefusedName):
        decode_request(f"3|{name}".encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"|", b"3", b"|3__1__a", b"x|3__1__a", b"-1|-1__1__a", b"+3|3__1__a", b" 3|3__1__a",
     b"03|03__1__a", b"\xff\xfe|a", "\u0663|\u0663__1__a".encode(), b"99999999999|a",
     str(SEQ_MAX + 1).encode() + b"|a", b"3\n|3__1__a", b"1e3|a"],
)  # fmt: skip
def test_garbage_is_no_request(data: bytes) -> None:
    """It is not even a refused name: nobody is answered."""
    with pytest.raises(BadLegacy) as caught:
        decode_request(data)
    assert not isinstance(caught.value, RefusedName)


@given(st.binary(max_size=300) | st.text(max_size=120).map(lambda t: f"3|3__1__{t}".encode()))
def test_anything_is_decoded_or_refused(data: bytes) -> None:
    """Nothing else is ever raised, and a name that passes is one plain file name."""
    try:
        name = decode_request(data).file_name
    except BadLegacy:
        return
    assert "/" not in name
    assert ".." not in name
    assert name.isascii()
    assert name.isprintable()
    assert len(name) <= 255


@given(st.binary(max_size=300))
def test_any_reply_is_decoded_or_refused(data: bytes) -> None:
    """An OK that bears a name, a MISMATCH, or `BadLegacy`."""
    try:
        name = decode_reply(data)
    except BadLegacy:
        return
    assert data == (b"MISMATCH" if name is None else encode_ok(name))


@pytest.mark.parametrize("data", [b"OK", b"OK|", b"ok|a", b"MISMATCH\n", b"TIMEOUT", b"\xff", b""])
def test_what_is_no_reply(data: bytes) -> None:
    """Near misses count as garbage."""
    with pytest.raises(BadLegacy):
        decode_reply(data)


def test_our_names_come_back_from_the_grammar() -> None:
    """What the display sends, our own phone would understand too."""
    parts = legacy_parts("patient00001/study1/view1_frontal")
    name = legacy_name(17, "a1b2c3d4e5f6", parts)
    assert name == "17__a1b2c3d4e5f6__patient00001__study1__view1_frontal.jpg"
    assert decode_request(encode_request(17, name)).seq == 17


@pytest.mark.parametrize(
    "part",
    ["a|b", "a__b", "_a", "a_", "", "a/b", "a\\b", "..", "a..b", "a\0", "a\n", "a:b", 'a"b', "a?"],
)
def test_a_part_that_would_blur_or_escape_is_refused(part: str) -> None:
    """Before anything is shot, with the number of the x-ray."""
    with pytest.raises(BadLegacy, match="x-ray 5"):
        legacy_name(5, "00ff", ("patient", part))


@pytest.mark.parametrize("seq", [7, 1234567])
def test_a_request_fits_the_apps_buffer_exactly(seq: int) -> None:
    """256 bytes pass, one more is refused; the count is in bytes, not characters."""
    room = BUFFER - len(str(seq)) - 1 - len(f"{seq}__n__")
    assert len(encode_request(seq, legacy_name(seq, "n", ("x" * room,)))) == BUFFER
    for part in ("x" * (room + 1), "é" * (room // 2) + "xx"):
        with pytest.raises(BadLegacy, match="use shorter keys"):
            legacy_name(seq, "n", (part,))


@pytest.mark.parametrize("seq", [-1, SEQ_MAX + 1])
def test_numbers_beyond_the_apps_are_refused(seq: int) -> None:
    """It counts in 32 signed bits."""
    with pytest.raises(BadLegacy, match="range"):
        legacy_name(seq, "n", ("a",))


def test_what_is_weaker_is_said_on_both_sides() -> None:
    """Sentences, and the optical check that they make mandatory."""
    for sentences in (WEAKER_DISPLAY, WEAKER_PHONE):
        assert all(s.startswith(("Weaker: ", "Mandatory: ")) for s in sentences)
        assert "rig verify --pairs" in sentences[-1]
