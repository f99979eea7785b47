"""A campaign of the store as records: page by page, with what came by hand."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import insert

import rig.sample
from rig.capture import campaigns, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import AgentEvent
from rig.catalog.model import COLUMNS
from rig.cli import main
from rig.dataset import from_store
from rig.dataset.by_hand import film_photos
from rig.dataset.captures import read_captures
from rig.dataset.check import check
from rig.planning.model import Environment
from rig.protocol.names import PhotoName, encode_name
from rig.store import captures, events, hand, tables
from rig.store.database import Database
from rig.store.events import Event

CAMPAIGN, SESSION = "ca" * 8, "s" + "1" * 16
EYE = [[2.0, 0.0, 10.0], [0.0, 2.0, 20.0], [0.0, 0.0, 1.0]]


def picture(seed: int) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 5 + seed).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Home:
    """A home with a campaign of seven x-rays, all in one session."""

    path: Path
    database: Database

    def shoot(self, index: int, *, verified: bool | None = True, seq: int) -> None:
        """A photo of *index* is committed, arrived, and was looked at (or was not: None)."""
        data = picture(index)
        digest = hashlib.sha256(data).hexdigest()
        name = encode_name(PhotoName(CAMPAIGN, 1, index, 1, "e1", "k", "0" * 16, digest[:16]))
        event = AgentEvent(
            event="committed", session=SESSION, seq=seq, time_ns=50, index=index, attempt=1,
            sha256=digest, size=len(data), name=name, t_trigger_ns=1_700_000_000 + index,
        )  # type: ignore[call-arg] # fmt: skip
        row = {
            "session": SESSION, "name": name, "idx": index, "attempt": 1, "sha256": digest,
            "size": len(data), "received_ns": 60, "verified": verified, "reason": "Because.",
            "score": 0.9, "homography": EYE,
        }  # fmt: skip

        def write(connection) -> None:
            sessions.ingest(connection, "room-1", [event], 60)
            connection.execute(insert(tables.photo), [row])

        self.database.write_now(write)
        folder = captures.incoming(self.path, SESSION)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    def by_hand(self, index: int, device: str) -> str:
        """A photo taken by hand was accepted; its SHA-256."""
        data = picture(30 + index)
        digest = hashlib.sha256(data).hexdigest()
        body = {
            "campaign": CAMPAIGN, "device": device, "name": "IMG_1.jpg", "sha256": digest,
            "size": len(data), "taken_ns": 1_600_000_000_000_000_000, "standing": "accepted",
            "index": index, "key": "k", "reason": "Because.", "evidence": ["pixels"],
            "showing": None, "score": 0.8, "homography": EYE, "candidates": [],
        }  # fmt: skip
        self._keep(hand.PHOTO, body, device, f"{digest}.jpg", data)
        return digest

    def film(self, key: str, split: str, row: tuple[str, ...], way: str = "border") -> bytes:
        """The photo of a film was taken in; its crop."""
        data = picture(60)
        digest = hashlib.sha256(data).hexdigest()
        body = {
            "campaign": CAMPAIGN, "device": "pixel", "name": "f.jpg", "sha256": "0" * 64,
            "suffix": ".jpg", "crop_sha256": digest, "width": 64, "height": 48, "key": key,
            "split": split, "row": list(row), "way": way, "reason": "Because.",
            "mirrored": False, "score": None, "homography": None,
        }  # fmt: skip
        self._keep(hand.FILM, body, "pixel", f"film/{digest}.crop.jpg", data)
        return data

    def _keep(self, kind: str, body: dict, device: str, name: str, data: bytes) -> None:
        event = Event(kind, 70, 70, "test", body=body)
        self.database.write_now(lambda c: events.append(c, event))
        file = hand.folder(self.path, CAMPAIGN, device) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def read(self):
        with self.database.read() as connection:
            return from_store.read_campaign(connection, self.path, "camp")

    def build(self, out: Path, **more):
        return from_store.build_campaign(self.database, self.path, "camp", out, **more)


@pytest.fixture
def home(tmp_path):
    with rig.sample.csv_path().open(newline="") as handle:
        rows = list(csv.reader(handle))[1:8]
    table = tmp_path / "seven.csv"
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows([COLUMNS, *rows])
    with Database.open(tmp_path / "rig.db") as database:
        import_catalog(
            database, new_id="c" * 16, name="seven", csv=table, data_dir=rig.sample.data_dir(),
            order="csv", seed=0, skip_bad=False, now_ns=1, actor="test",
        )  # fmt: skip

        def plan(connection):
            campaigns.create(
                connection, new_id=CAMPAIGN, name="camp", catalog="seven", device="nokia",
                now_ns=2, chosen=[Environment("e1", {"light": "on"})], size_min=7, size_max=7,
                seed=4,
            )  # fmt: skip
            stations.add(connection, "room-1", "token", 3)
            sessions.create(
                connection, new_id=SESSION, campaign="camp", subset=1, station="room-1", now_ns=4
            )

        database.write_now(plan)
        made = Home(tmp_path, database)
        for seq, index in enumerate((1, 2, 4, 5, 7), start=1):
            made.shoot(index, verified=index != 5, seq=seq)
        yield made


def test_pages_give_what_one_reading_gives(home, monkeypatch):
    """Whatever their size; a session that lies over several pages loses nothing."""
    whole = home.read()
    assert [photo.xray.index for photo in whole.photos] == [1, 2, 4, 7]
    assert {gap.index: gap.reason for gap in whole.gaps} == {
        3: "It was not shot.", 5: "Because.", 6: "It was not shot.",
    }  # fmt: skip
    for size in (1, 2, 3, 7, 100):
        monkeypatch.setattr(from_store, "PAGE", size)
        assert home.read() == whole


def test_photos_taken_by_hand_join_and_give_way_to_the_protocols(home, tmp_path):
    """Of another device they stand beside; of the same only where there is no other."""
    apple = home.by_hand(1, "apple")
    home.by_hand(2, "nokia")
    filled = home.by_hand(3, "nokia")
    found = [(p.xray.index, p.device, p.sha256) for p in home.read().photos]
    assert [(index, device) for index, device, _ in found] == [
        (1, "apple"), (1, "nokia"), (2, "nokia"), (3, "nokia"), (4, "nokia"), (7, "nokia"),
    ]  # fmt: skip
    assert (found[0][2], found[3][2]) == (apple, filled)
    report = home.build(tmp_path / "out")
    assert (report.natural, report.missing) == (6, 2)
    row = next(r for r in read_captures(report.path) if r["device"] == "apple")
    assert (row["session"], row["subset"], row["environment"]) == (None, None, "by-hand")
    assert check(report.path).problems == ()


def test_films_go_to_their_folder(home, tmp_path):
    """Cropped, with their own row."""
    row = ("x", "Male", "70", "Frontal", "PA", "1.0", *[""] * 13)
    crop = home.film("patient09999/study1/view1_frontal", "valid", row)
    report = home.build(tmp_path / "out")
    file = report.path / "valid/film/patient09999/study1/view1_frontal.jpg"
    assert file.read_bytes() == crop
    assert ",Male,70,Frontal,PA,1.0," in (report.path / "valid.csv").read_text()
    assert check(report.path).problems == ()


def test_a_film_found_by_its_content_knows_its_xray(home):
    """Boxes of the x-ray go into its crop; one found by its edges might show anything."""
    one, two, *_ = home.read().xrays
    home.film(one.key, one.split, one.row, way="content")
    home.film(two.key, two.split, two.row)
    home.film("patient09999/study1/view1_frontal", "valid", one.row, way="content")
    with home.database.read() as connection:
        films = {film.key: film for film in film_photos(connection, home.path, CAMPAIGN)}
    assert films[one.key].source == one
    assert films[two.key].source is None
    assert films["patient09999/study1/view1_frontal"].source is None


def test_what_comes_during_a_build_is_of_the_next(home, tmp_path):
    """One snapshot for all passes."""
    calls = []

    def late(done: int, total: int) -> None:
        if not calls:
            home.by_hand(6, "apple")
        calls.append((done, total))

    report = home.build(tmp_path / "out", progress=late)
    assert (report.natural, calls[-1]) == (4, (4, 4))
    assert home.build(tmp_path / "out").natural == 5


def test_the_command_builds_with_boxes_copies_and_exports(home, tmp_path, capsys):
    """One line does it all, and the result is well."""
    patient = home.read().xrays[0].patient
    boxes = tmp_path / "annotations_train.csv"
    boxes.write_text(
        f"image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n{patient},R1,Mass,2,3,6,9\n"
    )
    words = ["dataset", "build", "camp", "--home", str(tmp_path), "--out", str(tmp_path / "out")]
    words += ["--boxes", str(boxes), "--rectified", "--export", "hf,coco", "--workers", "1"]
    assert main([*words, "--json"]) == 1  # for its gaps
    told = json.loads(capsys.readouterr().out)
    assert (told["natural"], told["missing"], told["unmade"]) == (4, 3, 0)
    assert (told["boxes"], told["boxes_dropped"]) == (2, 0)  # in the photo and in its copy
    assert [Path(path).name for path in told["exports"]] == ["camp-v1.0-hf", "camp-v1.0-coco"]
    root = Path(told["dataset"])
    assert len(list((root / "rectified").rglob("*.jpg"))) == 4
    assert check(root).problems == ()
    assert main([*words[:-4], "--boxes-images", str(boxes), "--export", "zip"]) == 2
    assert "No export 'zip'" in capsys.readouterr().err
