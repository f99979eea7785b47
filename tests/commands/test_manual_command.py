"""`rig manual`: a folder of photos taken by hand, decisions, re-imports, kills."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from rig.cli import main
from rig.intake import hand_store
from rig.intake.manual import Left, Showing
from rig.intake.marker_ids import encode_ids
from rig.store import hand
from rig.store.hand import Standing

S = 1_000_000_000
START = 1_772_600_000 * S


class Phone:
    """A person with a phone: shows x-rays, takes photos, and forgets what is what."""

    def __init__(self, card_rig, tmp_path: Path) -> None:
        self.rig = card_rig
        self.folder = tmp_path / "iphone"
        self.folder.mkdir()
        self.log = tmp_path / "shown.jsonl"
        self.indices = [5, 2, 9, 11, 1, 7]
        lines = []
        for at, index in enumerate(self.indices, 1):
            one = card_rig.xray(index)
            showing = Showing(
                showing=at, set=1, position=at, index=index, attempt=1, key=one.key,
                sha256=one.sha256, marker=encode_ids(index, 1), from_ns=START + at * 10 * S,
                to_ns=START + at * 10 * S + 9 * S, left=Left.NEXT,
            )  # fmt: skip
            lines.append(showing.line())
        self.log.write_bytes(b"".join(lines))

    def take(self, name: str, at: int, data: bytes, ahead: int = 3600) -> Path:
        """A photo of showing *at*, with the phone's clock an hour ahead."""
        exif = Image.Exif()
        moment = time.gmtime((START // S) + at * 10 + 4 + ahead)
        exif.get_ifd(0x8769)[0x9003] = time.strftime("%Y:%m:%d %H:%M:%S", moment)
        out = io.BytesIO()
        with Image.open(io.BytesIO(data)) as picture:
            picture.save(out, "JPEG", quality=90, exif=exif.tobytes())
        file = self.folder / name
        file.write_bytes(out.getvalue())
        return file

    def take_all(self) -> None:
        for at, index in enumerate(self.indices, 1):
            self.take(f"IMG_{at}.JPG", at, self.rig.frame(index))

    def words(self, *more: str) -> list[str]:
        words = ["manual", "import", str(self.folder), "--log", str(self.log), "--workers", "1"]
        words += ["--campaign", "camp", "--device", "iphone", "--home", str(self.rig.home)]
        return [*words, *more]

    def bring(self, capsys, *more: str) -> tuple[int, dict]:
        status = main(self.words("--json", *more))
        return status, json.loads(capsys.readouterr().out.splitlines()[-1])

    def photos(self, standing=None):
        with self.rig.database.read() as connection:
            every = hand.photos(connection, self.rig.home, self.rig.campaign)
        return [one for one in every if standing in {None, one.standing}]


def black() -> bytes:
    out = io.BytesIO()
    Image.new("L", (1280, 720), 4).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def phone(card_rig, tmp_path):
    return Phone(card_rig, tmp_path)


def test_a_set_of_photos_is_settled_by_its_pixels(phone, capsys):
    """Each under its x-ray, the clock found, originals kept byte for byte, events in the log."""
    phone.take_all()
    status, told = phone.bring(capsys)
    assert status == 0
    assert (told["photos"], told["new"], told["accepted"], told["doubtful"]) == (6, 6, 6, 0)
    assert told["clock"]["trusted"]
    assert abs(told["clock"]["offset_s"] - 3600) < 6
    assert told["unseen"] == []
    by_name = {one.name: one for one in phone.photos()}
    for at, index in enumerate(phone.indices, 1):
        one = by_name[f"IMG_{at}.JPG"]
        assert (one.index, one.key, one.showing) == (index, phone.rig.xray(index).key, at)
        assert one.file.read_bytes() == (phone.folder / one.name).read_bytes()
        assert one.homography is not None
        assert "pixels" in one.evidence
    with phone.rig.database.read() as connection:
        kept = hand.natural(connection, phone.rig.home, phone.rig.campaign)
    assert [one.index for one in kept] == sorted(phone.indices)
    assert main(["check", "--home", str(phone.rig.home)]) == 0


def test_the_same_folder_again_changes_nothing(phone, capsys, monkeypatch):
    """No photo is compared again, no event is written."""
    phone.take_all()
    phone.bring(capsys)
    before = len(phone.rig.log(hand.PHOTO))
    monkeypatch.setattr("rig.intake.hand_look.verify", None)
    status, told = phone.bring(capsys)
    assert (status, told["new"], told["accepted"]) == (0, 0, 6)
    assert len(phone.rig.log(hand.PHOTO)) == before


def test_bad_files_are_told_and_the_rest_goes_on(phone, capsys):
    """HEIC, damaged, doubled, empty; sidecars of the phone are passed over."""
    phone.take_all()
    (phone.folder / "IMG_7.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 64)
    (phone.folder / "IMG_1.AAE").write_bytes(b"<plist/>")
    first = (phone.folder / "IMG_1.JPG").read_bytes()
    (phone.folder / "IMG_8.JPG").write_bytes(first[:3000])
    (phone.folder / "IMG_9 copy.JPG").write_bytes(first)
    (phone.folder / "IMG_10.JPG").write_bytes(b"")
    status, told = phone.bring(capsys)
    assert status == 1
    rows = {row["name"]: row for row in told["not_taken"]}
    assert "Most Compatible" in rows["IMG_7.HEIC"]["reason"]
    assert rows["IMG_8.JPG"]["status"] == "unreadable"
    doubled = [row for row in told["not_taken"] if row["status"] == "doubled"]
    assert len(doubled) == 1
    assert "empty" in rows["IMG_10.JPG"]["reason"]
    assert "IMG_1.AAE" not in rows
    assert told["accepted"] == 6


def test_a_person_decides_the_doubtful_and_may_take_it_back(phone, capsys):
    """Who and when stay in the log; a re-import does not undo it."""
    phone.take_all()
    phone.take("IMG_3.JPG", 3, black())
    status, told = phone.bring(capsys)
    assert status == 1
    (doubtful,) = told["doubtful_photos"]
    assert doubtful["name"] == "IMG_3.JPG"
    assert told["unseen"] == [9]
    digits = doubtful["sha256"][:10]
    where = ["--home", str(phone.rig.home), "--by", "anna"]
    assert main(["manual", "decide", "camp", "iphone", digits, "--index", "9", *where]) == 0
    (one,) = [p for p in phone.photos() if p.name == "IMG_3.JPG"]
    assert (one.standing, one.index, one.by) == (Standing.ACCEPTED, 9, "operator:anna")
    assert one.homography is None
    assert one.decided_ns is not None
    status, told = phone.bring(capsys)
    assert (status, told["accepted"], told["unseen"]) == (0, 6, [])
    assert main(["manual", "decide", "camp", "iphone", digits, "--none", *where]) == 0
    with phone.rig.database.read() as connection:
        kept = hand.natural(connection, phone.rig.home, phone.rig.campaign)
    assert 9 not in {p.index for p in kept}
    assert main(["manual", "decide", "camp", "iphone", digits, "--undo", *where]) == 0
    assert [p.name for p in phone.photos(Standing.DOUBTFUL)] == ["IMG_3.JPG"]
    assert [e.body["decision"] for e in phone.rig.log(hand.DECIDED)] == ["xray", "none", "open"]
    assert main(["manual", "decide", "camp", "iphone", digits, "--undo", *where]) == 2
    assert main(["manual", "decide", "camp", "iphone", digits, "--index", "99", *where]) == 2
    capsys.readouterr()
    assert main(["manual", "show", "camp", "--doubtful", "--home", str(phone.rig.home)]) == 1
    assert capsys.readouterr().out.startswith("doubtful: IMG_3.JPG")


def test_the_newest_of_two_photos_of_one_xray_counts(phone, capsys):
    """A person who takes it twice was not content with the first; both are kept."""
    phone.take_all()
    better = phone.take("IMG_2b.JPG", 2, phone.rig.frame(2, 5), ahead=3603)
    phone.bring(capsys)
    with phone.rig.database.read() as connection:
        kept = hand.natural(connection, phone.rig.home, phone.rig.campaign)
    (two,) = [one for one in kept if one.index == 2]
    assert two.name == better.name
    assert len(phone.photos(Standing.ACCEPTED)) == 7


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"--campaign": "nobody"}, "No campaign"), ({"--log": "LOG.gone"}, "cannot be read"),
        ({"--device": "../x"}, "cannot name a folder"), ({"--workers": "0"}, "--workers"),
        ({"--log": "EMPTY"}, "nothing was shown"), ({"--log": "STRANGE"}, "holds none of them"),
        ({"--home": "HOME.gone"}, "no rig.db"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(phone, capsys, tmp_path, change, word):
    """Exit 2, nothing written."""
    (tmp_path / "EMPTY").write_bytes(b"")
    line = phone.log.read_bytes().splitlines(keepends=True)[0]
    told = json.loads(line) | {"sha256": "0" * 64, "key": "p/s/v"}
    (tmp_path / "STRANGE").write_text(json.dumps(told) + "\n")
    words = phone.words()
    for name, value in change.items():
        named = str(tmp_path / value) if name in {"--log", "--home"} else value
        words[words.index(name) + 1] = named
    assert main(words) == 2
    assert word in capsys.readouterr().err


def test_killed_in_the_middle_the_next_run_goes_on(phone, capsys, tmp_path):
    """What was proved before the kill is not looked at again, and nothing is doubled."""
    phone.take_all()
    process = subprocess.Popen(
        [sys.executable, "-m", "rig.cli", *phone.words()], cwd=Path.cwd(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not phone.rig.log(hand.PHOTO):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    early = len(phone.rig.log(hand.PHOTO))
    assert early >= 1
    status, told = phone.bring(capsys)
    assert (status, told["accepted"]) == (0, 6)
    assert len({e.body["sha256"] for e in phone.rig.log(hand.PHOTO)}) == 6


def test_a_damaged_kept_photo_is_mended_by_the_next_import(phone, capsys):
    """The bytes on the disk are compared, not only the name."""
    phone.take_all()
    phone.bring(capsys)
    one = phone.photos()[0]
    one.file.write_bytes(b"bit rot")
    phone.bring(capsys)
    assert hashlib.sha256(one.file.read_bytes()).hexdigest() == one.sha256


def test_what_changes_while_it_is_read_is_told(tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"other")
    assert hand_store.keep(file, "0" * 64, tmp_path / "store", ".jpg") is None
    assert not (tmp_path / "store").exists()
