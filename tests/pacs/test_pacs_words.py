"""What is typed, what a filter lets through, what HTTP and multipart bodies may be."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from rig.cli import main
from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.extras import package, quiet
from rig.dicom.pacs.http import Web, authorization, query
from rig.dicom.pacs.model import Peer, Wanted, is_uid, parse_date, parse_peer
from rig.dicom.pacs.multipart import BadMultipart, boundary, parts
from rig.dicom.pacs.status import failure
from rig.errors import UserError


def test_a_peer_is_title_host_and_port() -> None:
    assert parse_peer("ARCHIVE@pacs.example:104") == Peer("ARCHIVE", "pacs.example", 104)
    assert parse_peer("A B@[::1]:11112") == Peer("A B", "::1", 11112)


@pytest.mark.parametrize(
    "text",
    ["pacs:104", "A@pacs", "A@pacs:0", "A@pacs:70000", "@pacs:104", "A@:104", "A\\B@pacs:104",
     "SEVENTEEN-LETTERS@pacs:104", "A@pa cs:104", "A\n@pacs:104", ""],
)  # fmt: skip
def test_what_is_no_peer_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_peer(text)


def test_dates_are_real_ones() -> None:
    assert (parse_date("2021-03-09"), parse_date("20210309"), parse_date("")) == (
        "20210309",
        "20210309",
        "",
    )
    for text in ("2021-02-30", "9.3.2021", "2021", "20210309x"):
        with pytest.raises(UserError, match="is no date"):
            parse_date(text)


@pytest.mark.parametrize(
    ("wanted", "date", "description", "modalities", "passes"),
    [
        (Wanted(), "", "", [], True),
        (Wanted(since="20210101"), "20201231", None, [], False),
        (Wanted(since="20210101"), "20210101", None, [], True),
        (Wanted(until="20210101"), "20210102", None, [], False),
        (Wanted(since="20210101"), "", None, [], False),
        (Wanted(since="20210101"), None, None, [], True),
        (Wanted(since="20210101"), "2021.01.02", None, [], True),
        (Wanted(description="*thorax*"), None, "RX THORAX PA", [], True),
        (Wanted(description="thorax"), None, "RX THORAX PA", [], False),
        (Wanted(description="a[b]*"), None, "a[b]c", [], True),
        (Wanted(description="x"), None, None, [], True),
        (Wanted(modalities=("CR",)), None, None, ["CT", "CR"], True),
        (Wanted(modalities=("CR",)), None, None, ["CT"], False),
        (Wanted(modalities=("CR",)), None, None, [], True),
    ],
)
def test_a_study_is_held_against_the_filter_as_far_as_the_pacs_tells(
    wanted: Wanted, date: str | None, description: str | None, modalities: list[str], passes: bool
) -> None:
    assert wanted.takes_study(date, description, modalities) is passes


@pytest.mark.parametrize(
    ("unknown", "modality", "part", "passes"),
    [
        (False, "CR", "CHEST", True),
        (False, "CR", "chest ", True),
        (False, "CT", "CHEST", False),
        (False, "CR", "HIP", False),
        (False, "CR", "", False),
        (True, "CR", "", True),
        (True, "CR", "HIP", False),
        (False, None, None, True),
    ],
)
def test_a_series_is_held_against_the_filter_as_far_as_the_pacs_tells(
    unknown: bool, modality: str | None, part: str | None, passes: bool
) -> None:
    wanted = Wanted(modalities=("CR", "DX"), body_parts=("CHEST",), unknown_parts=unknown)
    assert wanted.takes_series(modality, part) is passes


@given(st.text(max_size=70))
def test_a_uid_is_digits_and_dots_and_never_a_path(text: str) -> None:
    if is_uid(text):
        assert set(text) <= set("0123456789.")
        assert not {"", ".", ".."} & set(text.split("."))


@pytest.mark.parametrize(
    "words",
    [
        ["find", "A@h:1", "--from", "yesterday"],
        ["find", "A@h:1", "--modality", "C;R"],
        ["find", "A@h:1", "--study", "../x"],
        ["find", "A@h:1", "--as", "TOO-LONG-A-TITLE-THIS"],
        ["find", "A@h:1", "--ca", "x.pem"],
        ["web", "find", "ftp://h/x"],
        ["web", "find", "https://me:secret@h/x"],
    ],
)
def test_bad_usage_is_one_sentence_and_exit_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pacs", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynetdicom", None)
    with pytest.raises(UserError, match=r"pynetdicom.*capture-rig\[pacs,dicom\]"):
        package("pynetdicom")


# -- HTTP ------------------------------------------------------------------------------------------


def test_a_password_does_not_go_through_plain_http() -> None:
    with pytest.raises(UserError, match="use https://"):
        Web("http://pacs.example/dicom-web", auth="Basic x")
    Web("http://127.0.0.1/dicom-web", auth="Basic x").close()
    Web("https://pacs.example/dicom-web", auth="Basic x").close()


def test_a_secret_is_read_from_a_file_of_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "auth"
    file.write_text("anna:s3cret\n")
    file.chmod(0o644)
    with pytest.raises(UserError, match="can be read by others"):
        authorization(file)
    file.chmod(0o600)
    assert authorization(file) == "Basic YW5uYTpzM2NyZXQ="
    file.write_text("tok-123\n")
    assert authorization(file) == "Bearer tok-123"
    assert authorization(None) == ""
    file.write_text("two\nlines")
    with pytest.raises(UserError, match="one line"):
        authorization(file)


def test_wildcards_are_asked_for_as_they_are() -> None:
    assert query({"StudyDescription": "*HIP?A B&c=d"}) == "?StudyDescription=*HIP?A%20B%26c%3Dd"
    assert query({}) == ""


def test_a_status_becomes_a_sentence_that_says_what_to_do() -> None:
    peer = Peer("A", "h", 1)
    unknown = failure(peer, "C-MOVE", 0xA801, "RIG")
    assert "does not know the AE title RIG as a place to send to" in str(unknown)
    assert (unknown.again, unknown.some) == (False, False)
    odd = failure(peer, "C-GET", 0xC123, "RIG")
    assert "0xC123" in str(odd)
    assert (odd.again, odd.some) == (True, True)
    assert isinstance(odd, PacsError)


# -- multipart -------------------------------------------------------------------------------------


def test_the_boundary_is_in_the_content_type() -> None:
    assert boundary('multipart/related; type="application/dicom"; boundary=ab-c') == b"ab-c"
    assert boundary('Multipart/Related; boundary="a b"; x=y') == b"a b"
    assert boundary("application/dicom") is None
    with pytest.raises(BadMultipart):
        boundary("multipart/related")


@given(st.lists(st.binary(max_size=200), max_size=4), st.binary(max_size=20))
def test_parts_come_out_byte_for_byte(bodies: list[bytes], preamble: bytes) -> None:
    mark = b"=_mark-3f1"
    text = preamble + b"\r\n" if preamble else b""
    for body in bodies:
        text += b"--" + mark + b"\r\nContent-Type: application/dicom\r\n\r\n" + body + b"\r\n"
    text += b"--" + mark + b"--\r\nepilogue"
    assert parts(text, mark) == bodies


@given(st.binary(max_size=300))
def test_any_bytes_are_parts_or_the_one_declared_error(body: bytes) -> None:
    for text in (body, b"--m\r\nA: b\r\n\r\n" + body, b"--m" + body + b"--m--"):
        try:
            assert all(isinstance(part, bytes) for part in parts(text, b"m"))
        except BadMultipart:
            continue


def test_a_body_that_is_cut_short_is_no_part() -> None:
    with pytest.raises(BadMultipart, match="cut short"):
        parts(b"--m\r\nA: b\r\n\r\nhalf an ima", b"m")


# -- silence ---------------------------------------------------------------------------------------


def test_what_the_libraries_quote_of_a_header_is_silenced_and_only_here(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even where somebody logs everything."""
    caplog.set_level(logging.DEBUG)

    def provoke() -> None:
        Dataset().PatientAge = "CANARY-AGE"
        logging.getLogger("pynetdicom.assoc").error("Received CANARY-NAME")
        logging.getLogger("httpx").info("GET /studies/CANARY-UID")

    with warnings.catch_warnings(record=True) as seen, quiet():
        provoke()
    assert seen == []
    assert "CANARY" not in caplog.text
    with pytest.warns(UserWarning, match="CANARY"):
        provoke()
    # Whether pydicom logs, too, depends on who imported rig.dicom.quiet before.
    assert all(text in caplog.text for text in ("CANARY-NAME", "CANARY-UID"))
