"""Uploads: what is sent lands below its own folder, whatever it is called, or is refused."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from rig.store.errors import ConflictError, NotFoundError
from rig.web import unpacking, uploads
from rig.web.uploads import UploadError

BAD = (
    "../train.csv", "/etc/train.csv", "a/../../train.csv", "a//b.csv", ".hidden.csv", "a/.x/b.csv",
    "a\\b.csv", "c:/x.csv", "a\0.csv", "a\nb.csv", " a.csv", "a /b.csv", "x" * 130 + ".csv",
    "/".join("abcdefghijklmn") + ".csv", "run.sh", "train", "", "con?.csv",
    "\N{SNOWMAN}" * 90 + ".csv",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def put(home: Path, upload: str, name: str, data: bytes) -> None:
    uploads.append(home, upload, name, 0, data)


def zipped(*entries: tuple[str, bytes], **more: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = more.get("attr", 0o644 << 16)
            archive.writestr(info, data)
    return out.getvalue()


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_could_point_elsewhere_is_refused(home, name):
    """And nothing is written, inside or outside."""
    upload = uploads.begin(home)
    with pytest.raises(UploadError):
        put(home, upload, name, b"x")
    assert uploads.look(home, upload).files == 0
    assert [one.name for one in home.iterdir()] == [uploads.FOLDER]


def test_pieces_follow_each_other(home):
    """A piece that came twice, or too early, says how much is here."""
    upload = uploads.begin(home)
    assert uploads.append(home, upload, "a/train.csv", 0, b"12345") == 5
    for offset in (0, 4, 6):
        with pytest.raises(ConflictError, match="5 bytes"):
            uploads.append(home, upload, "a/train.csv", offset, b"x")
    assert uploads.append(home, upload, "a/train.csv", 5, b"67") == 7
    assert uploads.size_of(home, upload, "a/train.csv") == 7
    assert uploads.size_of(home, upload, "b.csv") == 0
    with pytest.raises(UploadError, match="both a file and a folder"):
        put(home, upload, "a/train.csv/b.csv", b"x")


@pytest.mark.parametrize("upload", ["u" + "0" * 16, "../x", "u" + "0" * 15 + "/", "", "U" * 17])
def test_an_upload_that_is_none_is_not_found(home, upload):
    """Also an id that would be a path."""
    for do in (uploads.look, uploads.discard, uploads.sources):
        with pytest.raises(NotFoundError):
            do(home, upload)


def test_a_full_disk_takes_nothing_in(home, monkeypatch):
    """The photos of a session need what is left."""
    upload = uploads.begin(home)
    monkeypatch.setattr(uploads, "FREE_MIN", 1 << 60)
    with pytest.raises(ConflictError, match="free"):
        put(home, upload, "a.csv", b"x")
    with pytest.raises(ConflictError, match="free"):
        uploads.begin(home)


def test_forgotten_uploads_are_limited_and_can_be_discarded(home, monkeypatch):
    """One that a catalog was made of does not wait."""
    monkeypatch.setattr(uploads, "MOST", 2)
    first, second = uploads.begin(home), uploads.begin(home)
    with pytest.raises(ConflictError, match="2 uploads"):
        uploads.begin(home)
    uploads.keep(home, first)
    third = uploads.begin(home)
    uploads.discard(home, second)
    assert uploads.waiting(home) == [third]


def test_a_zip_becomes_files_and_its_junk_is_left_out(home):
    """The CSV is found, and the folder that its paths begin at."""
    upload = uploads.begin(home)
    row = b"Path\nset/train/p1/study1/v.jpg\n"
    data = zipped(
        ("set/train.csv", row), ("set/train/p1/study1/v.jpg", b"jpeg"), ("set/.DS_Store", b"x"),
        ("__MACOSX/set/train.csv", b"x"), ("set/readme.txt", b"x"), ("set/", b""),
    )  # fmt: skip
    put(home, upload, "all.zip", data)
    assert unpacking.unpack(home, upload) == 2
    root = uploads.place(home, upload) / uploads.FILES
    kept = sorted(one.relative_to(root).as_posix() for one in root.rglob("*") if one.is_file())
    assert kept == ["set/train.csv", "set/train/p1/study1/v.jpg"]
    csv, begin = uploads.sources(home, upload)
    assert csv == root / "set/train.csv"
    assert (begin / "set/train/p1/study1/v.jpg").exists() or begin == root / "set"
    assert unpacking.unpack(home, upload) == 0


@pytest.mark.parametrize(
    "name", ["../out.csv", "/out.csv", "a/../../out.csv", "..\\out.csv", "a/b/../../../out.jpg"]
)
def test_a_zip_that_leaves_its_folder_is_refused_whole(home, name):
    """Not one file of it is taken."""
    upload = uploads.begin(home)
    put(home, upload, "all.zip", zipped(("train.csv", b"Path\n"), (name, b"x")))
    with pytest.raises(UploadError):
        unpacking.unpack(home, upload)
    found = sorted(one.name for one in home.rglob("*") if one.is_file())
    assert found == ["all.zip"]


def test_links_in_a_zip_are_refused(home):
    """They could point anywhere."""
    upload = uploads.begin(home)
    attr = (stat.S_IFLNK | 0o777) << 16
    put(home, upload, "all.zip", zipped(("train.csv", b"/etc/passwd"), attr=attr))
    with pytest.raises(UploadError, match="link"):
        unpacking.unpack(home, upload)


def test_a_zip_bomb_is_refused_by_what_it_says_and_by_what_comes_out(home, monkeypatch):
    """A size that is told and one that is a lie."""
    upload = uploads.begin(home)
    monkeypatch.setattr(unpacking, "_SPARE", 1024)
    data = zipped(("train.csv", b"\0" * 3_000_000))
    put(home, upload, "all.zip", data)
    with pytest.raises(UploadError, match="unpacks to"):
        unpacking.unpack(home, upload)
    # The central directory says 10 bytes; the deflated stream has three million.
    lie = bytearray(data)
    at = lie.index(b"PK\x01\x02")
    struct.pack_into("<I", lie, at + 24, 10)
    other = uploads.begin(home)
    put(home, other, "all.zip", bytes(lie))
    with pytest.raises(UploadError):
        unpacking.unpack(home, other)
    grown = [one.stat().st_size for one in home.rglob("*.csv")]
    assert max(grown, default=0) <= 1024 * 1024


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all", zipped(("a.csv", b"x"))[:-30]])
def test_what_is_no_zip_is_told(home, data):
    """In a sentence, whatever the decoder thinks of it."""
    upload = uploads.begin(home)
    put(home, upload, "all.zip", data)
    with pytest.raises((UploadError, ConflictError), match=r"zip|archive"):
        unpacking.unpack(home, upload)


def test_an_upload_needs_exactly_one_csv(home):
    """None, or two, are told with what to do."""
    upload = uploads.begin(home)
    with pytest.raises(UploadError, match="no CSV"):
        uploads.sources(home, upload)
    put(home, upload, "a/train.csv", b"Path\n")
    put(home, upload, "valid.csv", b"Path\n")
    with pytest.raises(UploadError, match="2 CSV files"):
        uploads.sources(home, upload)
