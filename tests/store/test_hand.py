"""What the log says of photos taken by hand and of films: the newest word counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.store import events, hand
from rig.store.database import Database
from rig.store.errors import NotFoundError, StoreError
from rig.store.events import Event
from rig.store.hand import Standing

CAMPAIGN = "ab" * 8
SHA = "1" * 64


@pytest.fixture
def log(tmp_path):
    """Appends events without a session; reads the photos."""

    class Log:
        home = tmp_path

        def say(self, kind, actor="command", **body):
            told = {"campaign": CAMPAIGN, "device": "iphone", "sha256": SHA, "name": "a.jpg"} | body
            database.write_now(lambda c: events.append(c, Event(kind, 7, 7, actor, body=told)))

        def propose(self, **body):
            base = {
                "size": 9, "taken_ns": 5, "standing": "doubtful", "index": None, "key": None,
                "reason": "?", "evidence": [], "showing": None, "score": None,
                "homography": None, "candidates": [],
            }  # fmt: skip
            self.say(hand.PHOTO, **(base | body))

        def decide(self, decision, index=None, actor="operator:anna"):
            self.say(hand.DECIDED, actor, decision=decision, index=index, key="p/s/v",
                     reason="said", score=0.5, homography=None)  # fmt: skip

        def photos(self, device=None):
            with database.read() as connection:
                return hand.photos(connection, self.home, CAMPAIGN, device)

        def natural(self):
            with database.read() as connection:
                return hand.natural(connection, self.home, CAMPAIGN)

        def films(self):
            with database.read() as connection:
                return hand.films(connection, self.home, CAMPAIGN)

        def find(self, digits):
            with database.read() as connection:
                return hand.find(connection, self.home, CAMPAIGN, "iphone", digits)

    with Database.open(tmp_path / "rig.db") as database:
        yield Log()


def test_a_person_s_word_stands_above_a_later_proposal(log):
    """And the newest of several; taking it back lets the program's own word stand again."""
    log.propose()
    log.decide("xray", 4)
    log.propose(standing="accepted", index=9, key="q/s/v", evidence=["pixels"])
    (one,) = log.photos()
    assert (one.standing, one.index, one.by, one.decided_ns) == (
        Standing.ACCEPTED, 4, "operator:anna", 7,
    )  # fmt: skip
    log.decide("none", actor="operator:ben")
    (one,) = log.photos()
    assert (one.standing, one.index, one.by) == (Standing.REFUSED, None, "operator:ben")
    assert log.natural() == ()
    log.decide("open")
    (one,) = log.photos()
    assert (one.index, one.by, one.evidence) == (9, None, ("pixels",))


def test_a_decision_keeps_the_evidence_that_agrees(log):
    """Marker and person say the same x-ray; for another one the marker is no evidence."""
    log.propose(index=4, evidence=["marker"], showing=3)
    log.decide("xray", 4)
    assert log.photos()[0].evidence == ("marker", "person")
    assert log.photos()[0].showing == 3
    log.decide("xray", 5)
    assert log.photos()[0].evidence == ("person",)
    assert log.photos()[0].showing is None


def test_a_decision_about_a_photo_that_nobody_brought_is_nothing(log):
    log.decide("xray", 4)
    assert log.photos() == ()


def test_photos_of_another_campaign_or_device_are_others(log):
    log.propose()
    log.propose(campaign="cd" * 8, sha256="2" * 64)
    log.propose(device="pixel", sha256="3" * 64)
    assert [one.device for one in log.photos()] == ["iphone", "pixel"]
    assert [one.device for one in log.photos("pixel")] == ["pixel"]


def test_the_newest_accepted_photo_of_an_xray_is_the_dataset_s(log):
    """By the camera's time, then by the import."""
    good = {"standing": "accepted", "index": 4, "key": "p/s/v"}
    log.propose(**good, taken_ns=50)
    log.propose(**good, taken_ns=90, sha256="2" * 64)
    log.propose(**good, taken_ns=None, sha256="3" * 64)
    assert [one.sha256 for one in log.natural()] == ["2" * 64]


def test_a_photo_is_found_by_its_first_digits_when_they_name_one(log):
    log.propose()
    log.propose(sha256="1" * 63 + "2")
    assert log.find(SHA).sha256 == SHA
    for digits in ("1", "9", ""):
        with pytest.raises(NotFoundError, match="rig manual show"):
            log.find(digits)


def test_the_newest_film_of_an_xray_counts_until_it_is_withdrawn(log):
    """Paths are made of hashes, never of names that somebody gave."""
    film = {
        "suffix": ".png", "crop_sha256": "c" * 64, "width": 9, "height": 8, "key": "p/s/v",
        "split": "valid", "row": [""] * 19, "way": "border", "score": None, "homography": None,
    }  # fmt: skip
    log.say(hand.FILM, **film)
    log.say(hand.FILM, **film | {"sha256": "5" * 64})
    (one,) = log.films()
    assert one.sha256 == "5" * 64
    folder = log.home / "hand" / CAMPAIGN / "iphone" / "film"
    assert one.file == folder / f"{'5' * 64}.png"
    assert one.crop == folder / f"{'c' * 64}.crop.jpg"
    log.say(hand.FILM, key="p/s/v", withdrawn=True)
    assert log.films() == ()


@pytest.mark.parametrize("device", ["", "..", ".x", "a/b", "a b", "x" * 41, "end."])
def test_a_device_that_cannot_name_a_folder_is_refused(device):
    with pytest.raises(StoreError, match="cannot name a folder"):
        hand.folder(Path("home"), CAMPAIGN, device)


def test_the_cache_of_a_home_is_in_no_backup(tmp_path):
    """It can be computed again, and may be large."""
    from rig.store.homes import walk

    for name in ("cache/features/aa/x.features", "hand/c/iphone/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    assert [found.path for found in walk(tmp_path)] == ["hand/c/iphone/a.jpg"]
