"""The quarantine: private, durable, each image once, never larger than it may be."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from rig.dicom.pacs.errors import BadInstance, OutOfSpace, PacsError
from rig.dicom.pacs.model import Instance
from rig.dicom.pacs.quarantine import Limits, Quarantine

ROOMY = Limits(spare=0)


@pytest.fixture
def image(dicoms: dict[str, Any]) -> tuple[str, bytes]:
    one = dicoms["made"](1)
    return str(one.SOPInstanceUID), dicoms["part10"](one)


def asked(sop: str) -> Instance:
    return Instance("1.2", "1.2.3", sop, "1.2.840.10008.5.1.4.1.1.1")


def test_only_its_owner_may_look_even_with_an_open_umask(
    tmp_path: Path, image: tuple[str, bytes]
) -> None:
    before = os.umask(0)
    try:
        with Quarantine(tmp_path / "q", ROOMY) as quarantine:
            quarantine.keep(*image)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o700
    files = [file for file in (tmp_path / "q").rglob("*") if file.is_file()]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_names_are_hashes_and_the_same_image_is_kept_once(
    tmp_path: Path, image: tuple[str, bytes]
) -> None:
    sop, data = image
    with Quarantine(tmp_path / "q", ROOMY) as quarantine:
        assert quarantine.keep(sop, data)
        assert not quarantine.keep(sop, data)
        (file,) = (tmp_path / "q" / "files").rglob("*.dcm")
        assert sop not in str(file)
        assert file.read_bytes() == data
        assert quarantine.size == len(data)


def test_a_second_file_of_the_same_uid_with_other_bytes_is_kept_beside_it(
    tmp_path: Path, dicoms: dict[str, Any], image: tuple[str, bytes]
) -> None:
    """Which is right is not for the network to say; both are there after a restart, too."""
    sop, data = image
    other = dicoms["made"](1)
    other.PixelData = bytes(len(other.PixelData))
    for _ in range(2):
        with Quarantine(tmp_path / "q", ROOMY) as quarantine:
            quarantine.keep(sop, data)
            quarantine.keep(sop, dicoms["part10"](other))
    assert len(list((tmp_path / "q" / "files").rglob("*.dcm"))) == 2


@pytest.mark.parametrize(
    "sop", ["../../etc/passwd", "1.2/3", "", "1..2", ".1", "1.", "a.b", "1" * 65, "1.2\n", "1.2\0"]
)
def test_what_is_no_uid_is_refused_before_anything_is_written(
    tmp_path: Path, image: tuple[str, bytes], sop: str
) -> None:
    with Quarantine(tmp_path / "q", ROOMY) as quarantine, pytest.raises(BadInstance):
        quarantine.keep(sop, image[1])
    assert not list((tmp_path / "q").rglob("*.dcm"))


def test_bytes_that_are_not_that_image_are_refused(
    tmp_path: Path, dicoms: dict[str, Any], image: tuple[str, bytes]
) -> None:
    sop, data = image
    with Quarantine(tmp_path / "q", ROOMY) as quarantine:
        for wrong, sentence in (
            (b"", "no DICOM file"),
            (b"<html>" * 100, "no DICOM file"),
            (data[:132] + b"\xff" * 200, "cannot be read|another instance"),
            (dicoms["part10"](dicoms["made"](2)), "another instance"),
        ):
            with pytest.raises(BadInstance, match=sentence):
                quarantine.keep(sop, wrong)
    assert not list((tmp_path / "q").rglob("*.dcm"))


def test_a_file_whose_line_was_lost_counts_as_here(
    tmp_path: Path, image: tuple[str, bytes]
) -> None:
    """Killed between the file and its line; the half line of a kill is cut off as well."""
    folder = tmp_path / "q"
    with Quarantine(folder, ROOMY) as quarantine:
        quarantine.ask([asked(image[0])])
        quarantine.keep(*image)
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    (folder / "files" / "ab").mkdir()
    (folder / "files" / "ab" / ".x.1234.part").write_bytes(b"half")
    for _ in range(2):
        with Quarantine(folder, ROOMY) as quarantine:
            assert quarantine.got == {image[0]: len(image[1])}
            assert not quarantine.keep(*image)
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [next(iter(row)) for row in rows] == ["asked", "got"]
    assert not list(folder.rglob("*.part"))


def test_an_image_whose_file_is_gone_is_missing_again(
    tmp_path: Path, image: tuple[str, bytes]
) -> None:
    with Quarantine(tmp_path / "q", ROOMY) as quarantine:
        quarantine.keep(*image)
    next((tmp_path / "q").rglob("*.dcm")).unlink()
    with Quarantine(tmp_path / "q", ROOMY) as quarantine:
        assert quarantine.got == {}
        assert quarantine.keep(*image)


def test_limits_hold_and_leave_nothing_behind(tmp_path: Path, image: tuple[str, bytes]) -> None:
    size = len(image[1])
    for limits, error, sentence in (
        (Limits(total=size - 1, spare=0), OutOfSpace, "allow more with --max-gb"),
        (Limits(spare=1 << 60), OutOfSpace, "must stay free"),
        (Limits(instance=size - 1, spare=0), BadInstance, "too large"),
    ):
        with (
            Quarantine(tmp_path / "q", limits) as quarantine,
            pytest.raises(error, match=sentence),
        ):
            quarantine.keep(*image)
    assert not list((tmp_path / "q").rglob("*.dcm"))


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    mode = tmp_path.stat().st_mode
    with pytest.raises(PacsError, match="holds other things"):
        Quarantine(tmp_path)
    assert tmp_path.stat().st_mode == mode
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_two_processes_do_not_work_in_one(tmp_path: Path) -> None:
    with Quarantine(tmp_path / "q"), pytest.raises(PacsError, match="Another process works in"):
        Quarantine(tmp_path / "q")
    Quarantine(tmp_path / "q").close()


def test_nothing_is_kept_once_it_is_closed(tmp_path: Path, image: tuple[str, bytes]) -> None:
    """A sender that is still connected must not write into a file that is another by now."""
    quarantine = Quarantine(tmp_path / "q", ROOMY)
    quarantine.close()
    with pytest.raises(PacsError, match="is closed"):
        quarantine.keep(*image)
    assert not list((tmp_path / "q").rglob("*.dcm"))


def test_a_journal_that_is_damaged_inside_is_not_trusted(
    tmp_path: Path, image: tuple[str, bytes]
) -> None:
    with Quarantine(tmp_path / "q", ROOMY) as quarantine:
        quarantine.keep(*image)
        quarantine.failed("1.2.3", "gone")
    journal = tmp_path / "q" / "journal.jsonl"
    journal.write_bytes(b"\0\0\0\n" + journal.read_bytes())
    with pytest.raises(PacsError, match="line 1, is damaged"):
        Quarantine(tmp_path / "q")
    # The lock was let go of: it can be moved away and pulled anew.
    (tmp_path / "q").rename(tmp_path / "away")
    Quarantine(tmp_path / "q").close()


def test_many_threads_keep_each_image_once(tmp_path: Path, dicoms: dict[str, Any]) -> None:
    images = [dicoms["made"](number) for number in range(6)]
    pairs = [(str(one.SOPInstanceUID), dicoms["part10"](one)) for one in images]
    with Quarantine(tmp_path / "q", ROOMY) as quarantine:
        kept: list[bool] = []
        threads = [
            threading.Thread(target=lambda: kept.extend(quarantine.keep(*p) for p in pairs))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(kept) == [False] * 18 + [True] * 6
    assert len(dicoms["stored"](tmp_path / "q")) == 6
