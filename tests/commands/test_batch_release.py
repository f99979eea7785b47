"""`rig batch release`: the phone may delete what lies here whole."""

import hashlib
import json
from pathlib import Path

import pytest

from rig.capture import campaigns, photos, sessions, stations
from rig.capture.photos import Listed
from rig.catalog.model import Xray
from rig.cli import main
from rig.protocol.names import PhotoName, encode_name
from rig.store import captures, catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database

SESSION = "s" + "1" * 16
DATA = b"\xff\xd8 a photo \xff\xd9"
SHA = hashlib.sha256(DATA).hexdigest()
NAME = encode_name(PhotoName("ca" * 8, 1, 1, 1, "e1", "p/s/v", "0" * 16, SHA[:16]))


@pytest.fixture
def home(tmp_path):
    """One session of one x-ray, whose photo lies here and is on the phone's list."""
    row = ("p", "Male", "50", "Frontal", "AP", *["1.0"] * 14)
    xray = Xray(1, "p/s/v", "D/1.jpg", Path("/d/1.jpg"), "1" * 64, 30, 40, "train", row)

    def fill(connection):
        kept = Catalog("c" * 16, "cat", "/a.csv", "/d", "csv", 0, 1, [], 1)
        catalogs.save(connection, kept, [xray])
        campaigns.create(
            connection, new_id="ca" * 8, name="camp", catalog="cat", device="d", now_ns=2,
            size_min=1, size_max=1,
        )  # fmt: skip
        stations.add(connection, "room-1", "t", 3)
        sessions.create(
            connection, new_id=SESSION, campaign="camp", subset=1, station="room-1", now_ns=4
        )
        photos.received(
            connection, SESSION, name=NAME, index=1, attempt=1, sha256=SHA, size=len(DATA),
            now_ns=5, actor="phone:room-1",
        )  # fmt: skip
        lacking = len(photos.missing(connection, SESSION, [Listed(NAME, SHA)]))
        photos.manifest(
            connection, SESSION, count=1, chain="", lacking=lacking, now_ns=6, actor="phone:room-1"
        )

    home = tmp_path / "home"
    with Database.open(home / "rig.db") as database:
        database.write_now(fill)
    incoming = captures.incoming(home, SESSION)
    incoming.mkdir(parents=True)
    (incoming / NAME).write_bytes(DATA)
    listed = {"photos": [{"name": NAME, "sha256": SHA}]}
    (incoming.parent / "manifest.json").write_text(json.dumps(listed))
    return home


def run(home, *words):
    try:
        return main(["batch", "release", *words, "--home", str(home)])
    except SystemExit as end:
        return end.code


def test_it_is_allowed_and_taken_back(home, capsys):
    """Words and JSON; the phone's list follows."""
    assert run(home, SESSION, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "session": SESSION,
        "allowed": True,
        "photos": 1,
    }
    assert run(home, SESSION) == 0
    assert "may delete 1 photos" in capsys.readouterr().out
    assert run(home, SESSION, "--no") == 0
    assert "keeps all" in capsys.readouterr().out


def test_a_refusal_changes_nothing(home, capsys):
    """Exit 2 and the file; the phone keeps everything."""
    (captures.incoming(home, SESSION) / NAME).write_bytes(DATA[:-1])
    assert run(home, SESSION) == 2
    assert NAME in capsys.readouterr().err
    with Database.open(home / "rig.db") as database:
        assert database.query(lambda c: captures.batch_of(c, SESSION)).released is False


def test_bad_input_is_a_sentence(home, tmp_path, capsys):
    """Unknown session, wrong home."""
    assert run(home, "s" + "0" * 16) == 2
    assert run(tmp_path / "none", SESSION) == 2
    assert "holds no rig.db" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
