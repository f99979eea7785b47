"""The cache of small pictures: never larger than it may be, what was not looked at goes first."""

from __future__ import annotations

import os
from pathlib import Path

from rig.web import thumbnails
from rig.web.cache_room import CacheRoom
from rig.web.thumbnails import Size, Thumbnails

JPEG = b"\xff\xd8" + bytes(996) + b"\xff\xd9"
OLD = 1_000_000_000.0


def key(number: int) -> str:
    return f"{number:064x}"


def size_of(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


async def test_the_oldest_go_when_there_is_too_much(tmp_path):
    """Never more than the limit, and the newest picture is always there."""
    kept = Thumbnails(tmp_path, free=0, room=CacheRoom([tmp_path], 10_000))
    for number in range(30):
        await kept.get(key(number), Size.SMALL, lambda: JPEG)
        (file,) = tmp_path.rglob(f"{key(number)}-small.jpg")
        os.utime(file, (OLD + number, OLD + number))
        assert size_of(tmp_path) <= 10_000
    left = sorted(int(one.name[:64], 16) for one in tmp_path.rglob("*.jpg"))
    assert left == list(range(30 - len(left), 30))
    assert len(left) >= 9


async def test_a_look_keeps_a_picture(tmp_path):
    """The oldest picture that somebody looks at outlives younger ones that nobody wants."""
    kept = Thumbnails(tmp_path, free=0, room=CacheRoom([tmp_path], 5_000))
    for number in range(5):
        await kept.get(key(number), Size.SMALL, lambda: JPEG)
        (file,) = tmp_path.rglob(f"{key(number)}-small.jpg")
        os.utime(file, (OLD + number, OLD + number))
    assert await kept.get(key(0), Size.SMALL, lambda: b"never made") == JPEG
    await kept.get(key(5), Size.SMALL, lambda: JPEG)
    assert list(tmp_path.rglob(f"{key(0)}-small.jpg"))
    assert not list(tmp_path.rglob(f"{key(1)}-small.jpg"))


async def test_what_an_earlier_controller_left_counts(tmp_path):
    """Also half-written files, in all folders that share the room; other files are left alone."""
    first, second = tmp_path / "a", tmp_path / "b"
    (first / "ab").mkdir(parents=True)
    for number, name in enumerate(("old.jpg", ".x.jpg.0.part", "mine.txt")):
        file = first / "ab" / name
        file.write_bytes(bytes(4_000))
        os.utime(file, (OLD + number, OLD + number))
    (first / "link.jpg").symlink_to(tmp_path / "elsewhere")
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(bytes(4_000))
    kept = Thumbnails(second, free=0, room=CacheRoom([first, second], 3_000))
    await kept.get(key(1), Size.SMALL, lambda: JPEG)
    assert [one.name for one in sorted((first / "ab").iterdir())] == ["mine.txt"]
    assert outside.exists()
    assert len(list(second.rglob("*.jpg"))) == 1


def test_the_pages_pictures_share_one_room(ready, monkeypatch):
    """Thumbnails and the pictures of the synthesis page, as large as the controller was told."""
    ready.running.rig.cache_bytes = 1
    with ready.running.operator() as client:
        page = client.get("/synthesis").text
        sha256 = next(part[:64] for part in page.split('"/synthesis/')[1:] if len(part) > 64)
        assert client.get(f"/synthesis/{sha256}/before").status_code == 200
        assert client.get(f"/api/images/{sha256}/thumbnail").status_code == 200
    home = ready.running.home
    assert not list((home / thumbnails.FOLDER).rglob("*.jpg"))
    assert not list((home / thumbnails.SYNTHESIS).rglob("*.jpg"))
