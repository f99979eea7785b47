"""Names nobody can compute back without the key."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from pydicom.uid import UID

from rig.dicom.pseudonyms import KEY_FILE, Pseudonyms, load_key
from rig.errors import UserError

NAMES, OTHERS = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)


def test_an_image_id_is_hmac_sha256_of_the_uid():
    wanted = hmac.new(b"a" * 32, b"1.2.3", hashlib.sha256).hexdigest()[:32]
    assert NAMES.image_id("1.2.3") == wanted
    assert OTHERS.image_id("1.2.3") != wanted


def test_names_have_their_forms():
    assert re.fullmatch(r"patient[0-9a-f]{16}", NAMES.patient("12", "Ward"))
    assert re.fullmatch(r"patient[0-9a-f]{16}", NAMES.lone_patient("1.2"))
    assert re.fullmatch(r"study[0-9a-f]{16}", NAMES.study("1.2"))
    for number in range(200):
        new = UID(NAMES.new_uid(f"1.2.{number}"))
        assert new.is_valid
        assert 2**127 > 0 < int(new.removeprefix("2.25.")) < 2**128


def test_no_kind_of_name_gives_another_away():
    names = {
        NAMES.patient("1.2"), NAMES.lone_patient("1.2"), NAMES.study("1.2"), NAMES.mark("1.2"),
        NAMES.image_id("1.2"), NAMES.patient("1", ".2"), NAMES.patient("", "1.2"),
    }  # fmt: skip
    digits = [re.sub(r"^(patient|study)", "", one)[:16] for one in names]
    assert len(set(digits)) == 7


def test_the_key_is_made_once_and_for_nobody_else(tmp_path):
    with pytest.raises(UserError, match="no site key"):
        load_key(tmp_path)
    first = load_key(tmp_path, create=True)
    assert load_key(tmp_path) == first
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert load_key(tmp_path / "other", create=True) != first
    assert first.key.hex() not in repr(first) + str(first)
    assert str(first.key) not in repr(first)


def test_a_key_that_others_may_read_or_that_is_damaged_is_refused(tmp_path):
    load_key(tmp_path, create=True)
    file = tmp_path / KEY_FILE
    file.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        load_key(tmp_path)
    file.chmod(0o600)
    file.write_text(file.read_text()[:40])
    with pytest.raises(UserError, match="damaged"):
        load_key(tmp_path, create=True)
