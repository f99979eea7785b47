"""From a card in a reader to a dataset: `rig batch import` and `rig dataset build`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

import rig.sample
from rig.capture import campaigns, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import AgentEvent, parse_event
from rig.catalog.model import COLUMNS
from rig.cli import main
from rig.commands import batch as command
from rig.dataset.captures import read_captures
from rig.intake.match import Status
from rig.planning.model import Environment
from rig.protocol.names import PhotoName, encode_name
from rig.store import captures, catalogs
from rig.store.database import Database

CAMPAIGN = "ca" * 8
SESSION = "s" + "1" * 16


def frame_of(xray: Path) -> bytes:
    out = io.BytesIO()
    frame = Image.new("L", (1920, 1080))
    with Image.open(xray) as source:
        scale = min(1920 / source.width, 1080 / source.height)
        size = (round(source.width * scale), round(source.height * scale))
        picture = source.convert("L").resize(size)
    frame.paste(picture, ((1920 - size[0]) // 2, (1080 - size[1]) // 2))
    frame.save(out, "JPEG", quality=90)
    return out.getvalue()


@dataclass
class Rig:
    """A home with six x-rays in two subsets, and a card with the photos of the first."""

    home: Path
    card: Path
    database: Database
    events: int = 0
    names: dict[int, str] = field(default_factory=dict)

    def xray(self, index: int):
        with self.database.read() as connection:
            (one,) = catalogs.xrays(connection, "c" * 16, index, index)
        return one

    def commit(
        self, index: int, data: bytes | None = None, session: str = SESSION, seq: int = 0
    ) -> Path:
        """The phone wrote and the display committed a photo of *index*; it lies on the card."""
        one = self.xray(index)
        data = frame_of(one.file) if data is None else data
        digest = hashlib.sha256(data).hexdigest()
        name = encode_name(PhotoName(CAMPAIGN, 1, index, 1, "e1", one.key, "0" * 16, digest[:16]))
        self.events += 1
        event = AgentEvent(
            event="committed", session=session, seq=seq or self.events, time_ns=50, index=index,
            attempt=1, sha256=digest, size=len(data), name=name, t_trigger_ns=1_700_000_000 + index,
            source_sha256=one.sha256,
        )  # type: ignore[call-arg] # fmt: skip
        self.database.write_now(lambda c: sessions.ingest(c, "room-1", [event], 60))
        self.names[index] = name
        file = self.card / name
        file.write_bytes(data)
        file.with_suffix(".json").write_text("{}")
        return file

    def photos(self) -> dict[int, captures.Photo]:
        with self.database.read() as connection:
            return {photo.index: photo for photo in captures.photos(connection, SESSION)}

    def run(self, *words: str) -> int:
        return main(["batch", "import", SESSION, str(self.card), "--home", str(self.home), *words])


@pytest.fixture
def shot(tmp_path):
    """A campaign whose first subset was shot."""
    home, card = tmp_path / "home", tmp_path / "card" / "DCIM"
    home.mkdir()
    card.mkdir(parents=True)
    with rig.sample.csv_path().open(newline="") as handle:
        rows = list(csv.reader(handle))[1:7]
    table = tmp_path / "six.csv"
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows([COLUMNS, *rows])
    with Database.open(home / "rig.db") as database:
        import_catalog(
            database, new_id="c" * 16, name="six", csv=table, data_dir=rig.sample.data_dir(),
            order="csv", seed=0, skip_bad=False, now_ns=1, actor="test",
        )  # fmt: skip

        def plan(connection):
            campaigns.create(
                connection, new_id=CAMPAIGN, name="camp", catalog="six", device="nokia", now_ns=2,
                chosen=[Environment("e1", {"light": "on"})], size_min=3, size_max=3, seed=4,
            )  # fmt: skip
            stations.add(connection, "room-1", "token", 3)
            sessions.create(
                connection, new_id=SESSION, campaign="camp", subset=1, station="room-1", now_ns=4
            )

        database.write_now(plan)
        yield Rig(home, card, database)


def test_a_card_is_copied_verified_and_recorded(shot, capsys):
    """Every committed photo verified: exit 0, one JSON object, verdicts in the store."""
    for index in (1, 2, 3):
        shot.commit(index)
    assert shot.run("--json", "--workers", "2") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "session": SESSION, "copied": 3, "present": 0, "verified": 3, "missing": [],
        "not_verified": [], "renamed": [],
    }  # fmt: skip
    found = shot.photos()
    assert [found[i].verified for i in (1, 2, 3)] == [True] * 3
    assert found[1].score > 0.9
    assert len(found[1].homography) == 3
    assert found[2].detail["status"] == "verified"
    assert found[2].detail["previous_correlation"] < 0.3
    incoming = captures.incoming(shot.home, SESSION)
    assert (incoming / shot.names[1]).is_file()
    assert (incoming / shot.names[1]).with_suffix(".json").is_file()


def test_a_second_import_does_no_work_twice(shot, capsys, monkeypatch):
    """Idempotent: nothing is copied or looked at again."""
    shot.commit(1)
    assert shot.run() == 0
    monkeypatch.setattr("rig.intake.batch.verify", None)
    assert shot.run("--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["copied"], told["present"], told["verified"]) == (0, 1, 1)


def test_an_import_stopped_after_copying_goes_on(shot):
    """The copy is there but was never noted: it is noted and verified now."""
    photo = shot.commit(1)
    incoming = captures.incoming(shot.home, SESSION)
    incoming.mkdir(parents=True)
    (incoming / photo.name).write_bytes(photo.read_bytes())
    assert shot.run() == 0
    assert shot.photos()[1].verified


def test_gaps_rejects_and_strangers_are_listed(shot, capsys):
    """Exit 1 and precisely what to shoot again; strangers are not copied."""
    shot.commit(1)
    shot.commit(2, frame_of(shot.xray(5).file))
    shot.commit(3).unlink()
    (shot.card / "holiday.jpg").write_bytes(b"x")
    assert shot.run("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["missing"] == [2, 3]
    assert {row["status"] for row in told["not_verified"]} == {"misnamed", "rejected"}
    assert shot.photos()[2].verified is False
    assert not (captures.incoming(shot.home, SESSION) / "holiday.jpg").exists()
    assert shot.run() == 1
    assert "To shoot again: 2, 3" in capsys.readouterr().out


def test_half_arrived_files_are_passed_over(shot):
    """An upload that is going on is none of ours; foreign files there are rows."""
    shot.commit(1)
    incoming = captures.incoming(shot.home, SESSION)
    incoming.mkdir(parents=True)
    (incoming / "x1_growing.jpg.part").write_bytes(b"x")
    (incoming / ".hidden").write_bytes(b"x")
    (incoming / "stray.jpg").write_bytes(b"x")
    assert shot.run() == 0
    report = command.take_in(shot.database, shot.home, SESSION)
    assert {row.name: row.status for row in report.results} == {
        shot.names[1]: Status.VERIFIED,
        "stray.jpg": Status.MISNAMED,
    }


def test_looking_again_can_be_asked_for(shot):
    """After a change of limits every photo is looked at anew."""
    shot.commit(1)
    assert shot.run() == 0
    report = command.take_in(shot.database, shot.home, SESSION, again=True)
    assert report.results[0].verification is not None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["batch", "import", "s" + "9" * 16, "CARD", "--home", "HOME"], "No session"),
        (["batch", "import", SESSION, "CARD/gone", "--home", "HOME"], "not a folder"),
        (["batch", "import", SESSION, "CARD", "--home", "CARD"], "no rig.db"),
        (["batch", "import", SESSION, "CARD", "--home", "HOME", "--workers", "0"], "--workers"),
        (["dataset", "build", "none", "--out", "OUT", "--home", "HOME"], "No campaign"),
        (["dataset", "build", "camp", "--out", "OUT", "--home", "CARD"], "no rig.db"),
        (["dataset", "build", "camp", "--out", "OUT", "--home", "HOME", "--terms", "x"], "x"),
        (["dataset", "build", "camp", "--out", "OUT", "--home", "HOME", "--synthetic", "u"], "u"),
    ],
)
def test_bad_input_exits_with_2(shot, words, told, capsys):
    """One sentence on stderr."""
    places = {"CARD": shot.card, "HOME": shot.home, "OUT": shot.home.parent / "out"}
    for name, place in places.items():
        words = [word.replace(name, str(place)) for word in words]
    assert main(words) == 2
    assert told in capsys.readouterr().err


def test_the_dataset_holds_what_was_verified(shot, tmp_path, capsys):
    """Photos by index and environment, every other x-ray a gap with its reason."""
    shot.commit(1)
    shot.commit(2, frame_of(shot.xray(5).file))
    shot.commit(3).unlink()
    assert shot.run() == 1
    capsys.readouterr()
    terms = tmp_path / "terms.md"
    terms.write_text("Terms of the sample.")
    words = ["--out", str(tmp_path / "out"), "--synthetic", "digital", "--terms", str(terms)]
    words += ["--home", str(shot.home), "--workers", "1", "--json"]
    assert main(["dataset", "build", "camp", *words]) == 1
    told = json.loads(capsys.readouterr().out)
    root = tmp_path / "out" / "camp-v1.0"
    assert told["dataset"] == str(root)
    assert (told["natural"], told["synthetic"], told["failed"]) == (1, {"digital": 6}, [])
    reasons = {gap["index"]: gap["reason"] for gap in told["gaps"]}
    assert sorted(reasons) == [2, 3, 4, 5, 6]
    assert "correlation" in reasons[2] or "not found" in reasons[2]
    assert "not come back" in reasons[3]
    assert "not shot" in reasons[4]
    row = read_captures(root)[0]
    assert (row["environment"], row["factor_light"], row["session"]) == ("e1", "on", SESSION)
    assert row["score"] > 0.9
    assert row["t_trigger_ns"] == 1_700_000_001
    assert "Terms of the sample." in (root / "README.md").read_text()
    assert main(["dataset", "check", str(root)]) == 0


def test_a_later_session_fills_the_gaps_of_an_earlier_one(shot, tmp_path):
    """What was shot again replaces what was missing, and keeps what was good."""
    shot.commit(1)
    shot.commit(2).unlink()
    assert shot.run() == 1
    from rig.dataset.from_store import read_campaign

    ended = {
        "event": "aborted", "session": SESSION, "seq": 3, "time_ns": 55, "abort_id": "ab" * 8,
        "code": "OPERATOR", "why": "a person",
    }  # fmt: skip
    shot.database.write_now(lambda c: sessions.ingest(c, "room-1", [parse_event(ended)], 61))
    later = "s" + "2" * 16
    shot.database.write_now(
        lambda c: sessions.create(
            c, new_id=later, campaign="camp", subset=1, station="room-1", now_ns=9
        )
    )
    shot.commit(2, session=later, seq=1)
    words = ["batch", "import", later, str(shot.card), "--home", str(shot.home)]
    assert main(words) == 0
    with shot.database.read() as connection:
        found = read_campaign(connection, shot.home, "camp")
    assert [(p.xray.index, p.session) for p in found.photos] == [(1, SESSION), (2, later)]
    assert [gap.index for gap in found.gaps] == [3, 4, 5, 6]
