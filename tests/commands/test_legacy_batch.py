"""From the original app's folder to a dataset: nothing gets in without the optical check."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

import rig.sample
from rig.capture import campaigns, photos, projections, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import parse_event
from rig.catalog.model import COLUMNS
from rig.cli import main
from rig.dataset.captures import read_captures
from rig.planning.model import Environment
from rig.protocol.legacy import legacy_name, legacy_parts
from rig.protocol.names import decode_name
from rig.store import captures, catalogs, tables
from rig.store.database import Database

CAMPAIGN = "ca" * 8
SESSION = "s" + "1" * 16
NONCE = "0123456789ab"


def frame_of(xray: Path, mark: int = 0) -> bytes:
    """What a monitor shows of *xray*; *mark* makes every exposure's bytes differ."""
    out = io.BytesIO()
    frame = Image.new("L", (1920, 1080))
    with Image.open(xray) as source:
        scale = min(1920 / source.width, 1080 / source.height)
        size = (round(source.width * scale), round(source.height * scale))
        picture = source.convert("L").resize(size)
    frame.paste(picture, ((1920 - size[0]) // 2, (1080 - size[1]) // 2))
    frame.save(out, "JPEG", quality=90, comment=f"exposure {mark}")
    return out.getvalue()


@dataclass
class Rig:
    """A home with a session of three x-rays through the original app, and the app's folder."""

    home: Path
    export: Path
    database: Database
    seq: int = 0
    names: dict[int, str] = field(default_factory=dict)

    def say(self, event: str, **body: Any) -> None:
        self.seq += 1
        message = {"event": event, "session": SESSION, "seq": self.seq, "time_ns": self.seq * 10**9}
        told = parse_event({**message, "legacy": True, **body})
        kept = self.database.write_now(lambda c: sessions.ingest(c, "room-1", [told], 60))
        assert kept.acks == {SESSION: self.seq}

    def xray(self, index: int) -> Any:
        with self.database.read() as connection:
            (one,) = catalogs.xrays(connection, "c" * 16, index, index)
        return one

    def claim(self, index: int, **more: Any) -> str:
        name = legacy_name(index, NONCE, legacy_parts(self.xray(index).key))
        self.say(
            "answered", index=index,
            **{"attempt": 1, "name": name, "earlier": [], "by": "phone", "rtt_ms": 500.0} | more,
        )  # fmt: skip
        self.names[index] = name
        return name

    def photo(self, index: int, shows: int | None = None) -> Path:
        """The app's file for *index*, showing the x-ray *shows*."""
        file = self.export / self.names[index]
        file.write_bytes(frame_of(self.xray(shows or index).file, index))
        return file

    def shoot(self, shows: dict[int, int] | None = None) -> None:
        self.say("guarantees", weaker=["w"], start_number=1, app="10.0.0.9:4445")
        for index in (1, 2, 3):
            self.claim(index)
            self.photo(index, (shows or {}).get(index))
        self.say("completed", count=3, chain="", claimed=True)

    def run(self, *words: str) -> int:
        home = ["--home", str(self.home)]
        return main(["batch", "import", SESSION, str(self.export), *home, "--json", *words])

    def build(self, out: Path) -> int:
        home = ["--home", str(self.home), "--out", str(out)]
        return main(["dataset", "build", "camp", *home])

    def built(self, out: Path) -> list[int]:
        rows = read_captures(out / "camp-v1.0")
        assert all((out / "camp-v1.0" / row["path"]).is_file() for row in rows if row["path"])
        return sorted(row["index"] for row in rows if row["path"])

    def show(self) -> sessions.Session:
        return self.database.query(lambda c: sessions.find(c, SESSION))

    def captured(self) -> dict[int, captures.Committed]:
        with self.database.read() as connection:
            return {one.index: one for one in captures.committed(connection, SESSION)}


@pytest.fixture
def shot(tmp_path):
    """A session on a station, nothing told yet."""
    home, export = tmp_path / "home", tmp_path / "CheXpeditor"
    home.mkdir()
    export.mkdir()
    with rig.sample.csv_path().open(newline="") as handle:
        rows = list(csv.reader(handle))[1:4]
    table = tmp_path / "three.csv"
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows([COLUMNS, *rows])
    with Database.open(home / "rig.db") as database:
        import_catalog(
            database, new_id="c" * 16, name="three", csv=table, data_dir=rig.sample.data_dir(),
            order="csv", seed=0, skip_bad=False, now_ns=1, actor="test",
        )  # fmt: skip

        def plan(connection):
            campaigns.create(
                connection, new_id=CAMPAIGN, name="camp", catalog="three", device="nokia", now_ns=2,
                chosen=[Environment("e1", {"light": "on"})], size_min=3, size_max=3, seed=4,
            )  # fmt: skip
            stations.add(connection, "room-1", "token", 3)
            sessions.create(
                connection, new_id=SESSION, campaign="camp", subset=1, station="room-1", now_ns=4
            )

        database.write_now(plan)
        yield Rig(home, export, database)


def test_a_sound_export_is_proved_renamed_and_recorded(shot, capsys):
    """Bytes as they were on the phone, under the names of XCAP/1; the app's name is kept beside."""
    shot.shoot()
    assert (shot.show().claimed, shot.show().committed) == (3, 0)
    assert shot.run() == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["copied"], told["verified"], told["missing"]) == (3, 3, [])
    assert (shot.show().verified, shot.show().committed) == (3, 3)
    incoming = captures.incoming(shot.home, SESSION)
    for index, one in shot.captured().items():
        data = (incoming / one.name).read_bytes()
        assert data == (shot.export / shot.names[index]).read_bytes()
        assert one.sha256 == hashlib.sha256(data).hexdigest()
        name = decode_name(one.name)
        assert (name.index, name.key, name.env) == (index, shot.xray(index).key, "e1")
        sidecar = json.loads((incoming / one.name).with_suffix(".json").read_text())
        assert sidecar["original_name"] == shot.names[index]
        assert one.t_done_ns - one.t_trigger_ns == 500_000_000
    assert shot.run() == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["copied"], again["present"], again["verified"]) == (0, 3, 3)


def test_a_photo_one_too_early_is_found_and_never_built(shot, tmp_path, capsys):
    """Number 2 shows x-ray 1: every name and count is right, only the pixels are not."""
    shot.shoot({2: 1})
    assert shot.run() == 1
    told = json.loads(capsys.readouterr().out)
    assert told["missing"] == [2]
    (row,) = told["not_verified"]
    assert (row["index"], row["status"]) == (2, "rejected")
    assert set(shot.captured()) == {1, 3}
    assert (shot.show().verified, shot.show().rejected, shot.show().committed) == (2, 1, 2)
    assert shot.build(tmp_path / "dataset") == 1
    assert shot.built(tmp_path / "dataset") == [1, 3]


def test_an_import_cut_short_before_the_check_commits_nothing(shot, tmp_path, monkeypatch, capsys):
    """Copied and recorded, but nobody has looked at the pixels: no capture, no dataset."""
    shot.shoot()

    def power_cut(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rig.commands.batch.take_in", power_cut)
        with contextlib.suppress(KeyboardInterrupt):
            shot.run()
    assert shot.show().photos == 3
    assert shot.captured() == {}
    assert shot.build(tmp_path / "dataset") == 1
    assert shot.built(tmp_path / "dataset") == []
    assert shot.run() == 0
    assert set(shot.captured()) == {1, 2, 3}


def test_a_verdict_without_an_optical_check_is_not_enough(shot, tmp_path):
    """Whoever notes `verified` by hand still has no homography on record."""
    shot.shoot()
    assert shot.run() == 0
    name = shot.captured()[2].name
    shot.database.write_now(
        lambda c: photos.verified(
            c, SESSION, name=name, verified=True, reason="I looked", now_ns=99, score=1.0
        )
    )
    assert shot.build(tmp_path / "dataset") == 1
    assert shot.built(tmp_path / "dataset") == [1, 3]


def test_a_commit_told_by_the_station_counts_for_nothing(shot):
    """In legacy mode only the optical check commits."""
    shot.shoot()
    shot.say(
        "committed", index=1, attempt=1, sha256="a" * 64, size=5, name="x1_whatever.jpg",
        t_trigger_ns=1, t_done_ns=2,
    )  # fmt: skip
    assert shot.captured() == {}
    assert shot.show().committed == 0


def test_the_audit_lists_what_is_not_there_once_and_whole(shot, capsys):
    """Missing, empty and damaged ones are to be shot again; the sound one is kept."""
    shot.shoot()
    (shot.export / shot.names[1]).write_bytes(b"")
    (shot.export / shot.names[2]).unlink()
    assert shot.run() == 1
    told = json.loads(capsys.readouterr().out)
    rows = {row["index"]: row["status"] for row in told["not_verified"]}
    assert rows == {1: "unreadable", 2: "missing"}
    assert told["missing"] == [1, 2]
    assert set(shot.captured()) == {3}
    problems = shot.database.query(
        lambda c: c.execute(
            select(tables.event.c.body).where(tables.event.c.kind == "exported")
        ).scalar_one()
    )["problems"]
    assert [(one["index"], one["kind"]) for one in problems] == [(1, "empty"), (2, "missing")]


def test_the_same_bytes_twice_are_one_photo_at_most(shot, capsys):
    """A camera that returned its last frame again."""
    shot.shoot()
    (shot.export / shot.names[2]).write_bytes((shot.export / shot.names[1]).read_bytes())
    assert shot.run() == 1
    rows = {r["index"]: r for r in json.loads(capsys.readouterr().out)["not_verified"]}
    assert rows[2]["status"] == "doubled"
    assert set(shot.captured()) == {1, 3}


def test_a_file_under_an_earlier_name_counts_and_keeps_its_attempt(shot):
    """The OK of the first attempt was lost; its photo is the one that exists."""
    shot.say("guarantees", weaker=["w"])
    first = legacy_name(1, "ffffffffffff", legacy_parts(shot.xray(1).key))
    shot.claim(1, attempt=2, earlier=[first], by="operator", rtt_ms=None)
    for index in (2, 3):
        shot.claim(index)
    for index in (1, 2, 3):
        shot.photo(index)
    (shot.export / shot.names[1]).rename(shot.export / first)
    assert shot.run() == 0
    assert shot.captured()[1].attempt == 1
    assert shot.captured()[2].attempt == 1
    assert decode_name(shot.captured()[1].name).attempt == 1


def test_foreign_names_never_become_paths(shot, tmp_path, capsys):
    """Links and strangers stay where they are; a claim's own name is never used as a path."""
    shot.say("guarantees", weaker=["w"])
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(frame_of(shot.xray(1).file))
    shot.claim(1, name="../../secret.jpg")
    shot.claim(2)
    (shot.export / shot.names[2]).symlink_to(secret)
    shot.claim(3)
    shot.photo(3)
    (shot.export / "3__x__stranger.jpg").write_bytes(b"x")
    before = sorted(path for path in tmp_path.iterdir())
    assert shot.run() == 1
    rows = {r["index"]: r["status"] for r in json.loads(capsys.readouterr().out)["not_verified"]}
    assert rows == {1: "missing", 2: "missing", 3: "doubled"}
    assert sorted(path for path in tmp_path.iterdir()) == before
    inside = list(captures.incoming(shot.home, SESSION).iterdir())
    assert all(decode_name(one.with_suffix(".jpg").name).index == 3 for one in inside)


def test_a_rejected_photo_of_a_disturbed_screen_says_so(shot, capsys):
    """Why it failed is likely what the display noted."""
    shot.shoot({1: 3})
    shot.claim(1, suspect="a window popped up")
    assert shot.run() == 1
    (row,) = json.loads(capsys.readouterr().out)["not_verified"]
    assert row["reason"].endswith("The screen was disturbed: a window popped up.")


def test_a_disturbed_photo_that_shows_its_xray_is_kept_and_told(shot, capsys):
    """The check decides; the note of the display is passed on."""
    shot.shoot()
    shot.claim(1, suspect="a window popped up")
    assert shot.run() == 0
    told = json.loads(capsys.readouterr().out)
    assert told["suspects"] == [{"index": 1, "why": "a window popped up"}]
    assert set(shot.captured()) == {1, 2, 3}


def test_a_new_verdict_takes_the_capture_back(shot):
    """The photo was changed on the controller's disk: looked at again it is out."""
    shot.shoot()
    assert shot.run() == 0
    name = shot.captured()[2].name
    file = captures.incoming(shot.home, SESSION) / name
    file.write_bytes(frame_of(shot.xray(1).file))
    from rig.commands.batch import take_in

    take_in(shot.database, shot.home, SESSION, again=True)
    assert set(shot.captured()) == {1, 3}
    assert (shot.show().committed, shot.show().verified, shot.show().rejected) == (2, 2, 1)


def test_a_session_that_is_being_shot_is_not_imported(shot, capsys):
    """The open request would look like a stranger's photo."""
    shot.say("guarantees", weaker=["w"])
    shot.say("armed", first=1, last=3)
    assert shot.run() == 2
    assert "is being shot" in capsys.readouterr().err


def test_rebuilding_the_projections_gives_the_same(shot):
    """The log is the truth, of claims and proofs too."""
    shot.shoot({2: 1})
    shot.run()

    def state(connection):
        both = (tables.claim, tables.capture, tables.session)
        return [[tuple(row) for row in connection.execute(select(one))] for one in both]

    before = shot.database.query(state)
    shot.database.write_now(projections.rebuild)
    assert shot.database.query(state) == before
