"""`rig check` and what lies below `home/hand`: each file by its hash, nothing beside."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from rig.cli import main
from rig.store import events, hand
from rig.store.database import Database
from rig.store.events import Event

CAMPAIGN = "ab" * 8


@dataclass
class Home:
    """A home whose log speaks of a photo by hand and of films."""

    folder: Path
    database: Database

    def keep(self, name: str, data: bytes) -> Path:
        file = self.folder / "hand" / CAMPAIGN / "iphone" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (1, 1))
        return file

    def say(self, kind: str, **body: object) -> None:
        event = Event(kind, 1, 1, "test", body={"campaign": CAMPAIGN, "device": "iphone", **body})
        self.database.write_now(lambda c: events.append(c, event))

    def photo(self, data: bytes) -> Path:
        digest = hashlib.sha256(data).hexdigest()
        self.say(hand.PHOTO, sha256=digest, size=len(data), name="a.jpg")
        return self.keep(f"{digest}.jpg", data)

    def film(self, data: bytes, crop: bytes) -> tuple[Path, Path]:
        one, two = (hashlib.sha256(part).hexdigest() for part in (data, crop))
        self.say(hand.FILM, sha256=one, suffix=".png", crop_sha256=two, key="p/s/v")
        return self.keep(f"film/{one}.png", data), self.keep(f"film/{two}.crop.jpg", crop)

    def problems(self, capsys, *words: str) -> list[tuple[str, str, str]]:
        main(["check", "--home", str(self.folder), "--json", *words])
        told = json.loads(capsys.readouterr().out.splitlines()[-1])["problems"]
        return [(one["status"], one["what"], one["detail"]) for one in told]


@pytest.fixture
def kept(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    with Database.open(folder / "rig.db") as database:
        yield Home(folder, database)


def test_whole_files_are_no_problem(kept, capsys):
    """Photos, films and their crops."""
    kept.photo(b"photo")
    kept.film(b"film", b"crop")
    assert kept.problems(capsys, "--deep") == []


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_changed_file_is_found_by_its_hash(kept, capsys, which):
    """Of the same size; only reading it tells, so without --deep nothing is said."""
    file = [kept.photo(b"photo"), *kept.film(b"film", b"crop")][which]
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert kept.problems(capsys) == []
    found = kept.problems(capsys, "--deep")
    assert found == [("bad", "photo", "has other bytes (SHA-256) than were taken in")]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_file_that_is_gone_or_cut_is_found_at_once(kept, capsys, which):
    """Without reading."""
    file = [kept.photo(b"photo"), *kept.film(b"film", b"crop")][which]
    file.write_bytes(b"")
    assert [one[:2] for one in kept.problems(capsys)] == [("bad", "photo")]
    file.unlink()
    assert kept.problems(capsys) == [("bad", "photo", "was taken in and is not there")]
    file.symlink_to(kept.folder / "rig.db")
    assert ("bad", "photo", "is a link or no plain file") in kept.problems(capsys)


def test_only_the_newest_crop_must_be_there_and_every_original(kept, capsys):
    """Cut again, or withdrawn: the earlier crop may go, the photos may not."""
    first, old = kept.film(b"film", b"crop")
    old.unlink()
    second, new = kept.film(b"better film", b"better crop")
    assert kept.problems(capsys) == []
    kept.say(hand.FILM, key="p/s/v", withdrawn=True)
    new.unlink()
    assert kept.problems(capsys) == []
    first.unlink()
    second.unlink()
    assert [one[:2] for one in kept.problems(capsys)] == [("bad", "photo")] * 2


def test_a_file_that_nobody_took_in_is_a_stray(kept, capsys):
    """An import that was killed between the file and its event; a young one may still come."""
    kept.keep("0" * 64 + ".jpg", b"x")
    assert [one[:2] for one in kept.problems(capsys)] == [("warn", "stray")]
    young = kept.keep("1" * 64 + ".jpg", b"x")
    os.utime(young)
    assert len(kept.problems(capsys)) == 1
