"""`rig batch import` of a folder that somebody made dirty, cut short, and run again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rig.cli import main
from rig.intake import copying
from rig.intake.folder import brought


def run(card_rig, *words: str) -> int:
    words = (str(card_rig.card.parent), "--home", str(card_rig.home), *words)
    return main(["batch", "import", card_rig.session, *words])


def told(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def rows_of(said):
    return {row["name"]: row for row in said["not_verified"]}


def test_every_kind_of_bad_file_is_a_row_with_its_reason(card_rig, capsys):
    """One card with everything that goes wrong; the good photos come in byte for byte."""
    card = card_rig.card
    good = card_rig.commit(1)
    cut = card_rig.commit(2)
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    edited = card_rig.commit(3)
    edited.write_bytes(edited.read_bytes() + b"\0")
    empty = card_rig.commit(4)
    empty.write_bytes(b"")
    renamed = card_rig.commit(5)
    renamed.rename(card / "IMG_0005 (1).JPG")
    wrong = card_rig.commit(6, card_rig.frame(9))
    (card / "copy").mkdir()
    (card / "copy" / good.name).write_bytes(good.read_bytes())
    (card / "Copy of photo.jpg").write_bytes(good.read_bytes())
    (card / "holiday.jpg").write_bytes(b"\xff\xd8\xff sea and sun")
    (card / "notes.txt").write_text("x")
    stem = good.name[:70]
    (card / f"{stem}~2.jpg").write_bytes(b"an edited copy")
    foreign = good.name.replace("ca" * 8, "fe" * 8)
    (card / foreign).write_bytes(b"x")
    (card / "._thumb").write_bytes(b"x")
    (card / "Thumbs.db").write_bytes(b"x")
    (card / "dangling.jpg").symlink_to(card / "nowhere.jpg")
    os.mkfifo(card / "pipe.jpg")
    before = {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in card.rglob("*") if f.is_file()}

    assert run(card_rig, "--json") == 1
    said = told(capsys)
    rows = rows_of(said)
    assert (said["copied"], said["verified"], said["missing"]) == (3, 2, [2, 3, 4, 6])
    assert said["renamed"] == [{"name": "IMG_0005 (1).JPG", "as": renamed.name}]
    assert "bytes are there: cut short" in rows[cut.name]["reason"]
    assert rows[cut.name]["status"] == "altered"
    assert "edited" in rows[edited.name]["reason"]
    assert rows[empty.name]["status"] == "unreadable"
    assert rows[wrong.name]["status"] == "rejected"
    assert rows[good.name] == {
        "name": good.name, "index": 1, "status": "doubled",
        "reason": rows[good.name]["reason"],
    }  # fmt: skip
    assert rows["Copy of photo.jpg"]["status"] == "doubled"
    assert rows["holiday.jpg"]["status"] == "misnamed"
    assert rows["notes.txt"]["status"] == "misnamed"
    assert rows[f"{stem}~2.jpg"]["index"] == 1
    assert "changed or cut" in rows[f"{stem}~2.jpg"]["reason"]
    assert rows[foreign]["status"] in {"misnamed", "foreign"}
    assert "not there" in rows["dangling.jpg"]["reason"]
    assert "no plain file" in rows["pipe.jpg"]["reason"]
    assert "._thumb" not in rows
    assert "Thumbs.db" not in rows
    after = {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in card.rglob("*") if f.is_file()}
    assert before == after
    kept = card_rig.incoming()
    assert hashlib.sha256((kept / good.name).read_bytes()).hexdigest() == before[good]
    assert (kept / renamed.name).read_bytes() == (card / "IMG_0005 (1).JPG").read_bytes()
    assert sorted(p.name for p in kept.iterdir()) == sorted({good.name, renamed.name, wrong.name})

    events = len(card_rig.log("photo_verified"))
    assert run(card_rig, "--json") == 1
    assert told(capsys)["missing"] == [2, 3, 4, 6]
    assert len(card_rig.log("photo_verified")) == events, "the same verdict is not told twice"


def test_a_mended_copy_fills_the_gap(card_rig, capsys):
    """The person copies the broken file again and runs the same command."""
    photo = card_rig.commit(1)
    whole = photo.read_bytes()
    photo.write_bytes(whole[:1000])
    assert run(card_rig) == 1
    photo.write_bytes(whole)
    for index in range(2, 7):
        card_rig.commit(index)
    assert run(card_rig, "--workers", "2") == 0


def test_a_photo_of_another_session_is_foreign_whatever_its_attempt(card_rig, capsys):
    """The metadata hash tells sessions of one subset apart."""
    card_rig.commit(1)
    other = card_rig.again("s" + "2" * 16, 1, 1)
    strange = card_rig.commit(1, card_rig.frame(1, 3), session=other, attempt=2, meta="1" * 16)
    run(card_rig, "--json")
    assert rows_of(told(capsys))[strange.name]["status"] == "foreign"


def test_a_file_that_changes_while_it_is_copied_is_not_taken(card_rig, capsys, monkeypatch):
    """What is written is what was hashed."""
    photo = card_rig.commit(1)
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"other" if self == photo else real(self))
    run(card_rig, "--json")
    assert rows_of(told(capsys))[photo.name]["status"] == "altered"
    assert not card_rig.incoming().exists() or not any(card_rig.incoming().iterdir())


def test_files_of_other_names_and_sizes_are_not_read(card_rig, monkeypatch):
    """A card full of films of the holiday costs no time."""
    card_rig.commit(1)
    (card_rig.card / "long.mp4").write_bytes(b"x" * 100)
    hashed = []
    real = copying.sha256_of
    monkeypatch.setattr(copying, "sha256_of", lambda f: hashed.append(f.name) or real(f))
    run(card_rig)
    assert "long.mp4" not in hashed


def test_names_that_are_no_text_harm_nothing(card_rig, capsys):
    """Bytes that are no UTF-8, line ends, and what a terminal would obey."""
    photo = card_rig.commit(1)
    data = photo.read_bytes()
    photo.unlink()
    folder = os.fsencode(card_rig.card)
    for name, content in ((b"\xff\xfe.jpg", b"x"), (b"a\nb\x1b[2J.jpg", b"y"), (b"\xe9.jpg", data)):
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123 - a name of bytes
            file.write(content)
    run(card_rig)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\N{REPLACEMENT CHARACTER}.jpg: taken in as" in out
    assert card_rig.photos()[1].verified


def test_a_full_disk_is_a_sentence(card_rig, capsys, monkeypatch):
    """Nothing half written, and what to do."""
    card_rig.commit(1)

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copying, "write_atomic", full)
    assert run(card_rig) == 2
    assert "No space left on device" in capsys.readouterr().err


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    """As another user; this one may be allowed everything, so the system is asked to refuse."""
    shut = tmp_path / "shut"
    shut.mkdir()
    (tmp_path / "a.jpg").write_bytes(b"x")
    real = os.scandir

    def scandir(path):
        if Path(path) == shut:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = brought(tmp_path)
    assert [file.name for file in found.files] == ["a.jpg"]
    assert found.unusable == ((shut, "The folder cannot be read: Permission denied."),)


def test_the_text_lists_some_and_counts_the_rest(card_rig, capsys):
    """Thousands of other files do not hide what matters."""
    card_rig.commit(1)
    for number in range(50):
        (card_rig.card / f"IMG_{number}.jpg").write_bytes(b"x")
    assert run(card_rig) == 0
    out = capsys.readouterr().out
    assert "and 20 more (20 misnamed)" in out


@pytest.mark.system
def test_killed_in_the_middle_and_run_again_nothing_is_lost_or_doubled(card_rig, capsys):
    """kill -9 at several moments; the last run ends what the others began."""
    for index in range(1, 7):
        card_rig.commit(index)
    words = [sys.executable, "-m", "rig.cli", "batch", "import", card_rig.session]
    words += [str(card_rig.card.parent), "--home", str(card_rig.home)]
    for patience in (0.9, 1.5, 2.2):
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path.cwd()
        )
        deadline = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert run(card_rig, "--json") == 0
    assert told(capsys)["verified"] == 6
    assert len(card_rig.log("photo_received")) == 6
    assert len({e.body["name"] for e in card_rig.log("photo_verified")}) == 6
    assert len(card_rig.log("photo_verified")) == 6
