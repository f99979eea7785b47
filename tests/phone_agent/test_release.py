"""Photos go from the phone only with permission, only when unchanged, and with a note."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time

import pytest

from phone_agent.controller import ControllerError, Release
from phone_agent.release import Releases, delete_released
from phone_agent.upload_log import UploadLog, released_photos


def digest(data):
    return hashlib.sha256(data).digest()


@pytest.fixture
def folder(tmp_path):
    """Three photos with sidecars."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in "abc":
        (photos / f"{name}.jpg").write_bytes(name.encode() * 9)
        (photos / f"{name}.json").write_bytes(b"{}")
    return photos


@pytest.fixture
def ours(folder):
    """What the journal says of them."""
    return {f"{n}.jpg": (folder / f"{n}.jpg", digest(n.encode() * 9)) for n in "abc"}


@pytest.fixture
def log(tmp_path):
    return UploadLog(tmp_path / "uploads.jsonl")


def listed(ours, *names):
    return {name: ours[name][1] for name in names or ours}


def left(folder):
    return sorted(path.name for path in folder.glob("*.jpg"))


def test_allowed_photos_go_and_sidecars_stay(folder, ours, log, tmp_path):
    """Each is noted with its hash; doing it again does nothing."""
    done = delete_released("s1", ours, Release(True, listed(ours)), log)
    assert (done.photos, done.freed, done.kept) == (3, 27, ())
    assert left(folder) == []
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "b.json", "c.json"]
    assert released_photos(tmp_path / "uploads.jsonl") == {(n, s) for n, (_, s) in ours.items()}
    again = delete_released("s1", ours, Release(True, listed(ours)), log)
    assert (again.photos, len((tmp_path / "uploads.jsonl").read_text().splitlines())) == (0, 3)


def test_without_permission_nothing_goes(folder, ours, log, tmp_path):
    """Not even what is listed."""
    assert delete_released("s1", ours, Release(False, listed(ours)), log).photos == 0
    assert left(folder) == ["a.jpg", "b.jpg", "c.jpg"]
    assert released_photos(tmp_path / "uploads.jsonl") == frozenset()


def test_only_listed_and_unchanged_photos_go(folder, ours, log):
    """Not listed, listed with another hash, changed on the phone: all stay."""
    (folder / "c.jpg").write_bytes(b"changed")
    photos = {"b.jpg": bytes(32), "c.jpg": ours["c.jpg"][1], "stranger.jpg": bytes(32)}
    (folder / "stranger.jpg").write_bytes(b"not of this session")
    done = delete_released("s1", ours, Release(True, photos), log)
    assert (done.photos, done.kept) == (0, ("c.jpg",))
    assert left(folder) == ["a.jpg", "b.jpg", "c.jpg", "stranger.jpg"]


def test_what_cannot_be_noted_is_not_deleted(folder, ours, log, monkeypatch):
    """A full disk must not cost a photo its note."""

    def full(entry):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log, "_append", full)
    with pytest.raises(OSError, match="No space"):
        delete_released("s1", ours, Release(True, listed(ours)), log)
    assert left(folder) == ["a.jpg", "b.jpg", "c.jpg"]
    assert log.released == frozenset()


@pytest.mark.parametrize("point", ["after_release_note:2", "after_release_unlink:2"])
def test_killed_in_between_it_goes_on(folder, ours, tmp_path, point):
    """Whenever it dies: every photo that is gone has its note; the next life does the rest."""
    code = (
        "import sys; from pathlib import Path\n"
        "from phone_agent.controller import Release\n"
        "from phone_agent.files import sha256_file\n"
        "from phone_agent.release import delete_released\n"
        "from phone_agent.upload_log import UploadLog\n"
        "folder = Path(sys.argv[1])\n"
        "ours = {p.name: (p, sha256_file(p)) for p in sorted(folder.glob('*.jpg'))}\n"
        "release = Release(True, {n: s for n, (_, s) in ours.items()})\n"
        "delete_released('s1', ours, release, UploadLog(folder.parent / 'uploads.jsonl'))\n"
    )
    run = [sys.executable, "-c", code, str(folder)]
    environ = {**os.environ, "XCAP_FAILPOINT": point}
    done = subprocess.run(run, env=environ, check=False, capture_output=True, timeout=60)
    assert done.returncode == -9, done.stderr
    noted = {name for name, _ in released_photos(tmp_path / "uploads.jsonl")}
    assert {"a.jpg", "b.jpg", "c.jpg"} - set(left(folder)) <= noted
    assert 1 <= len(left(folder)) <= 2
    log = UploadLog(tmp_path / "uploads.jsonl")
    delete_released("s1", ours, Release(True, listed(ours)), log)
    assert left(folder) == []
    assert log.released == {(n, s) for n, (_, s) in ours.items()}


class Controller:
    """Answers as planned, then with `always`."""

    def __init__(self, always):
        self.plan, self.always = [], always
        self.asked = []
        self.news = threading.Semaphore(0)

    def release(self, session):
        self.asked.append(session)
        answer = self.plan.pop(0) if self.plan else self.always
        self.news.release()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self):
        pass

    def close(self):
        pass


@pytest.fixture
def run(log):
    """Start to ask; what was told is kept."""
    running = []

    def start(controller, **options):
        said = []
        releases = Releases(
            controller, log, lambda bad, text: said.append((bad, text)),
            **{"pause_s": 0.01, **options},
        )  # fmt: skip
        releases.start()
        running.append(releases)
        releases.said = said
        return releases

    yield start
    for each in running:
        each.stop()


def test_it_asks_until_it_is_allowed(run, folder, ours):
    """No permission yet, a controller that is away: it asks again, then deletes and is done."""
    controller = Controller(Release(True, listed(ours)))
    controller.plan = [Release(False, {}), ControllerError("away", "x"), Release(False, {})]
    releases = run(controller)
    releases.closed("s1", ours)
    for _ in range(4):
        assert controller.news.acquire(timeout=10)
    while releases._open:
        time.sleep(0.005)
    assert left(folder) == []
    assert controller.asked == ["s1"] * 4
    assert [bad for bad, _ in releases.said] == [False]
    assert "deleted 3 photos of s1" in releases.said[0][1]


def test_it_asks_calmly(run, ours):
    """30 s, doubled up to 15 minutes; a permission may take days."""
    clock = [0.0]
    controller = Controller(Release(False, {}))
    releases = Releases(controller, None, lambda *_: None, clock=lambda: clock[0])
    releases.closed("s1", ours)
    waits = []
    for _ in range(8):
        releases._look("s1")
        waits.append(releases._next["s1"][0] - clock[0])
        clock[0] = releases._next["s1"][0]
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_sessions_without_photos_here_are_not_asked_about(run, folder, ours):
    """After a restart: what was deleted before is no question any more."""
    for path, _ in ours.values():
        path.unlink()
    controller = Controller(Release(True, {}))
    releases = run(controller)
    releases.closed("s1", ours)
    assert not releases._open


def test_changed_photo_is_told_once_and_kept(run, folder, ours):
    """A person must look at it."""
    (folder / "a.jpg").write_bytes(b"changed")
    releases = run(Controller(Release(True, listed(ours))))
    releases.closed("s1", ours)
    while releases._open or not releases.said:
        time.sleep(0.005)
    assert left(folder) == ["a.jpg"]
    assert [text for bad, text in releases.said if bad] == [
        "a.jpg is kept: it has other bytes than the controller's copy"
    ]
