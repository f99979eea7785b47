"""Photo names: a bijection between labels and file names."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rig.protocol.names import (
    ENV_BUDGET,
    KEY_BUDGET,
    BadPhotoName,
    PhotoName,
    decode_name,
    encode_name,
    shorten,
    sidecar_name,
)

HEX16 = st.text("0123456789abcdef", min_size=16, max_size=16)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
NAMES = st.builds(
    PhotoName, HEX16, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 65535),
    VALUES, VALUES, HEX16, HEX16,
)  # fmt: skip
PLAIN = PhotoName("00" * 8, 1, 2, 3, "e01-dark", "p1/study1/v1", "aa" * 8, "bb" * 8)
ENCODED = (
    "x1_0000000000000000_s0001_i0000002_a003_e01-dark_p1%2fstudy1%2fv1"
    "_maaaaaaaaaaaaaaaa_pbbbbbbbbbbbbbbbb_c"
)


def _signed(stem: str) -> str:
    """A name whose check field is right, whatever the rest says."""
    return f"{stem}c{hashlib.sha256(stem.encode()).hexdigest()[:8]}.jpg"


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def test_a_name_has_the_form_of_section_9():
    name = encode_name(PLAIN)
    assert name == _signed(ENCODED[:-1])


@settings(max_examples=200, deadline=None)
@given(NAMES)
def test_a_label_comes_back_from_its_name(label: PhotoName):
    """Values come back in normal form C, or hashed when they are over budget."""
    back = decode_name(encode_name(label))
    assert back == replace(
        label, env=shorten(label.env, ENV_BUDGET), key=shorten(label.key, KEY_BUDGET)
    )
    assert encode_name(back) == encode_name(label)


@settings(max_examples=200, deadline=None)
@given(NAMES)
def test_every_name_is_a_portable_file_name(label: PhotoName):
    """ASCII, lower case, no separator of any file system, well below 255 bytes."""
    name = encode_name(label)
    assert re.fullmatch(r"[a-z0-9._%~-]+", name)
    assert len(name) <= 245
    assert name.count("_") == 9


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES)
def test_different_values_have_different_names(one: str, two: str):
    """Also on file systems that ignore case."""
    assume(_nfc(one) != _nfc(two))
    names = [encode_name(replace(PLAIN, key=k)) for k in (one, two)]
    assert names[0].casefold() != names[1].casefold()


def test_values_that_differ_only_by_case_differ_in_lower_case_names():
    names = [encode_name(replace(PLAIN, key=k)) for k in ("Abc", "abc", "ABC")]
    assert len({n.lower() for n in names}) == 3


def test_composed_and_decomposed_text_are_one_value():
    """Normal form C first: a keyboard's accents decide nothing."""
    assert encode_name(replace(PLAIN, key="\u00e9")) == encode_name(replace(PLAIN, key="e\u0301"))


def test_separators_and_unsafe_characters_are_escaped():
    name = encode_name(replace(PLAIN, key="a_b/c\\d:e f\n"))
    assert "_a%5fb%2fc%5cd%3ae%20f%0a_" in name
    assert decode_name(name).key == "a_b/c\\d:e f\n"


@pytest.mark.parametrize(("budget", "field"), [(ENV_BUDGET, "env"), (KEY_BUDGET, "key")])
def test_a_value_over_its_budget_becomes_its_hash(budget: int, field: str):
    """`~` and 32 hex digits of the SHA-256 of the value; at the budget it is still itself."""
    fits, over = "x" * budget, "x" * (budget + 1)
    assert getattr(decode_name(encode_name(replace(PLAIN, **{field: fits}))), field) == fits
    hashed = "~" + hashlib.sha256(over.encode()).hexdigest()[:32]
    assert getattr(decode_name(encode_name(replace(PLAIN, **{field: over}))), field) == hashed


def test_the_budget_counts_encoded_bytes():
    """An escaped byte takes three."""
    assert shorten("\u00e9" * 5, 33).startswith("\u00e9")
    assert shorten("\u00e9" * 6, 33).startswith("~")


def test_the_worst_case_fits_every_file_system():
    """234 bytes with numbers of the padded width, 245 with the widest: 255 is the limit."""
    worst = PhotoName(
        "f" * 16, 2**32 - 1, 2**32 - 1, 65535, "e" * 33, "k" * 110, "a" * 16, "b" * 16
    )
    longest = encode_name(replace(worst, subset=9999, index=9999999, attempt=999))
    assert len(longest) == 234
    assert decode_name(encode_name(worst)) == worst
    assert len(encode_name(worst)) == 245


def test_every_truncation_is_detected():
    name = encode_name(PLAIN)
    for cut in range(len(name)):
        with pytest.raises(BadPhotoName):
            decode_name(name[:cut])
        if cut != len(name) - len(".jpg"):
            with pytest.raises(BadPhotoName):
                decode_name(name[:cut] + ".jpg")


def test_every_renaming_by_one_character_is_detected():
    """Digits exchanged, characters lost or doubled: the check field does not fit."""
    name = encode_name(PLAIN)
    for at in range(len(name)):
        other = "1" if name[at] != "1" else "2"
        for wrong in (name[:at] + other + name[at + 1 :], name[:at] + name[at] + name[at:]):
            with pytest.raises(BadPhotoName):
                decode_name(wrong)


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("e01-dark", "E01-dark"),
        ("e01-dark", "e01%2ddark"),
        ("e01-dark", "e01%2Fdark"),
        ("%2f", "%2F"),
        ("e01-dark", "e01/dark"),
        ("e01-dark", "e01-%ff"),
        ("e01-dark", "e01-%e9"),
        ("e01-dark", "e01-%ed%a0%80"),
        ("e01-dark", "e01-%c0%af"),
        ("e01-dark", "e%cc%81"),
        ("e01-dark", "e01%2"),
        ("e01-dark", "e01%"),
        ("e01-dark", "e01%zz"),
        ("e01-dark", "~" + "a" * 31),
        ("e01-dark", "~" + "A" * 32),
        ("e01-dark", "x" * 34),
        ("e01-dark", "e01\n"),
        ("e01-dark", "e01-d\u00e4rk"),
        ("e01-dark", ""),
        ("s0001", "s00001"),
        ("s0001", "s001"),
        ("i0000002", "i00000002"),
        ("a003", "a0003"),
        ("a003", "a000"),
        ("a003", "a70000"),
        ("s0001", "s9999999999"),
        ("i0000002", "i0000\u0662002"),
        ("x1_", "x2_"),
        ("x1_", "../x1_"),
        ("maaaa", "mAAAA"),
        ("_s0001", ""),
    ],
)
def test_a_name_in_any_other_spelling_is_refused(what: str, wrong: str):
    """Upper case, needless escapes, bad UTF-8, spare zeros: one value has one name.

    The check field is right in each, so that it is the spelling that is refused.
    """
    stem = ENCODED[:-1]
    assert what in stem
    with pytest.raises(BadPhotoName):
        decode_name(_signed(stem.replace(what, wrong, 1)))


@settings(max_examples=400, deadline=None)
@given(NAMES, st.integers(0, 250), st.sampled_from("09afgzAF_%~.-/\\ \n\u00e9"), st.integers(0, 2))
def test_a_near_miss_under_a_right_check_field_is_refused_or_is_a_name_itself(
    label: PhotoName, at: int, new: str, cut: int
):
    """One character put in, exchanged or taken for another: never two names of one label."""
    name = encode_name(label)
    stem = name[: -len("c00000000.jpg")]
    at %= len(stem)
    wrong = _signed(stem[:at] + new + stem[at + cut :])
    try:
        other = decode_name(wrong)
    except BadPhotoName:
        return
    assert encode_name(other) == wrong
    assert wrong == name or other != decode_name(name)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_other_text_is_refused_by_bad_photo_name_only(text: str):
    with pytest.raises(BadPhotoName):
        decode_name(text)
    with pytest.raises(BadPhotoName):
        decode_name(encode_name(PLAIN).replace("e01-dark", "x" + text))


@pytest.mark.parametrize(
    "wrong",
    [
        {"campaign": "00" * 7}, {"campaign": "GG" * 8}, {"campaign": "AA" * 8}, {"subset": -1},
        {"subset": 2**32}, {"index": -1}, {"index": 2**32}, {"attempt": 0}, {"attempt": 65536},
        {"env": ""}, {"key": ""}, {"key": "\ud800"}, {"meta16": "x"}, {"photo16": "B" * 16},
    ],
)  # fmt: skip
def test_a_label_out_of_range_has_no_name(wrong: dict[str, object]):
    with pytest.raises(BadPhotoName):
        encode_name(replace(PLAIN, **wrong))


def test_a_hashed_value_keeps_its_name():
    """What came out of a name goes into the same name again."""
    hashed = "~" + "0" * 32
    assert decode_name(encode_name(replace(PLAIN, key=hashed))).key == hashed


def test_the_sidecar_has_the_same_stem():
    assert sidecar_name(encode_name(PLAIN)) == encode_name(PLAIN)[:-4] + ".json"
