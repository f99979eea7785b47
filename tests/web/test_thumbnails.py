"""Thumbnails: made once, kept by content, 304 when known, a sentence when there is none."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
import time
from urllib.parse import quote

import pytest
from PIL import Image

from rig.capture import photos
from rig.store import captures
from rig.web import images, thumbnails
from rig.web.thumbnails import NoPictureError, Size, Thumbnails

KEY = "ab" * 32


def kept_photo(ready, session: str, index: int, data: bytes) -> str:
    """A photo as it is after its upload: a file and a row; its name."""
    name = ready.photo(index, data)
    folder = captures.incoming(ready.running.home, session)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    ready.running.rig.database.write_now(
        lambda c: photos.received(
            c, session, name=name, index=index, attempt=1, size=len(data), now_ns=time.time_ns(),
            sha256=hashlib.sha256(data).hexdigest(), actor="test",
        )
    )  # fmt: skip
    return name


def jpeg_of(size: tuple[int, int], orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.effect_noise(size, 30).convert("RGB").save(out, "JPEG", exif=exif)
    return out.getvalue()


def path_of(session: str, name: str) -> str:
    return f"/api/sessions/{session}/photos/{quote(name, safe='')}/thumbnail"


@pytest.fixture
def photo(ready):
    """A session with one photo, lying on its side; its address."""
    session = ready.new_session()["id"]
    name = kept_photo(ready, session, 1, jpeg_of((800, 600), orientation=6))
    return ready, session, name


def test_a_photo_is_small_upright_and_made_once(photo):
    """The longer side is 240 px, as a viewer turns it; the second answer comes from the disk."""
    ready, session, name = photo
    with ready.running.operator() as client:
        first = client.get(path_of(session, name))
        assert first.status_code == 200, first.text
        assert first.headers["content-type"] == "image/jpeg"
        assert first.headers["cache-control"].startswith("private")
        assert Image.open(io.BytesIO(first.content)).size == (180, 240)
        (kept,) = (ready.running.home / thumbnails.FOLDER).rglob("*.jpg")
        assert kept.read_bytes() == first.content
        kept.write_bytes(b"\xff\xd8 what is kept is what is sent \xff\xd9")
        assert b"what is kept" in client.get(path_of(session, name)).content
        kept.write_bytes(b"\xff\xd8 cut sho")
        assert client.get(path_of(session, name)).content == first.content
        large = client.get(path_of(session, name), params={"size": "large"})
        assert Image.open(io.BytesIO(large.content)).size == (600, 800)


def test_a_browser_that_has_it_is_answered_304(photo):
    """By its ETag, also in a list; another one is answered in full."""
    ready, session, name = photo
    with ready.running.operator() as client:
        tag = client.get(path_of(session, name)).headers["etag"]
        for asked in (tag, f'"other", W/{tag}'):
            answer = client.get(path_of(session, name), headers={"If-None-Match": asked})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == tag
        answer = client.get(path_of(session, name), headers={"If-None-Match": '"other"'})
        assert answer.status_code == 200
        large = client.get(path_of(session, name), params={"size": "large"})
        assert large.headers["etag"] != tag


def test_nobody_sees_it_without_sign_in(photo):
    """Not even a phone or a station: 401, 403."""
    ready, session, name = photo
    with ready.running.client() as nobody:
        assert nobody.get(path_of(session, name)).status_code == 401
        assert nobody.get("/api/images/" + "0" * 64 + "/thumbnail").status_code == 401
    with ready.running.client(ready.phone_token) as phone:
        assert phone.get(path_of(session, name)).status_code == 403


def test_what_is_missing_broken_or_changed_is_a_sentence(photo, monkeypatch):
    """404 as problem details; nothing is kept of it."""
    ready, session, name = photo
    file = captures.incoming(ready.running.home, session) / name
    whole = file.read_bytes()
    broken = kept_photo(ready, session, 2, b"\xff\xd8 no picture")

    def told(which: str) -> str:
        with ready.running.operator() as client:
            answer = client.get(path_of(session, which))
        assert answer.status_code == 404, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return str(answer.json()["detail"])

    assert "broken" in told(broken)
    file.write_bytes(whole[:-1] + b"x")
    assert "changed" in told(name)
    file.unlink()
    assert "gone" in told(name)
    file.write_bytes(whole)
    monkeypatch.setattr(images, "MOST_PIXELS", 1000)
    assert "too many pixels" in told(name)
    assert "arrived" in told(ready.photo(3, b"never sent"))
    assert not list((ready.running.home / thumbnails.FOLDER).rglob("*.jpg"))


@pytest.mark.parametrize("name", ["..", "photo.jpg", "..%2f..%2frig.db", "a%00b.jpg"])
def test_other_names_never_become_a_path(photo, name):
    """4xx, whatever it is; also sizes that there are none of."""
    ready, session, good = photo
    with ready.running.operator() as client:
        at = f"/api/sessions/{session}/photos/{name}/thumbnail"
        assert client.get(at).status_code in {400, 404}
        assert client.get(path_of(session, good), params={"size": "9999"}).status_code == 422


def test_an_x_ray_is_small_too(ready):
    """Of 8 and of 16 bits: a deep one is not white."""
    catalog = ready.running.rig.database.query
    from rig.store import catalogs

    (one,) = catalog(catalogs.every)
    xray = catalog(lambda c: catalogs.xrays(c, one.id, 1, 1))[0]
    with ready.running.operator() as client:
        answer = client.get(f"/api/images/{xray.sha256}/thumbnail")
        assert Image.open(io.BytesIO(answer.content)).size == (xray.width, xray.height)
        assert client.get("/api/images/" + "0" * 64 + "/thumbnail").status_code == 404


def test_sixteen_bits_keep_their_greys(tmp_path):
    """Half of the range is half of the range."""
    file = tmp_path / "deep.png"
    Image.new("I;16", (40, 30), 32768).save(file)
    made = Image.open(io.BytesIO(thumbnails.of_file(file, None, Size.SMALL, "x-ray")))
    assert abs(made.convert("L").getpixel((5, 5)) - 128) <= 1


async def test_those_who_ask_at_once_wait_for_one(tmp_path):
    """And one of them who goes away takes it from nobody."""
    kept, go = Thumbnails(tmp_path), threading.Event()
    calls = []

    def make() -> bytes:
        calls.append(1)
        assert go.wait(30)
        return b"\xff\xd8 x \xff\xd9"

    asked = [asyncio.create_task(kept.get(KEY, Size.SMALL, make)) for _ in range(5)]
    await asyncio.sleep(0)
    asked[0].cancel()
    go.set()
    assert await asyncio.gather(*asked[1:]) == [b"\xff\xd8 x \xff\xd9"] * 4
    assert (len(calls), kept.made) == (1, 1)


async def test_only_so_many_are_made_at_once(tmp_path, monkeypatch):
    """The next one is told to come again; a failed one is tried anew."""
    monkeypatch.setattr(thumbnails, "MOST_WAITING", 1)
    kept, go = Thumbnails(tmp_path), threading.Event()

    def fail() -> bytes:
        assert go.wait(30)
        raise NoPictureError("none")

    first = asyncio.create_task(kept.get(KEY, Size.SMALL, fail))
    await asyncio.sleep(0)
    with pytest.raises(thumbnails.Problem) as caught:
        await kept.get("cd" * 32, Size.SMALL, fail)
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "2"})
    go.set()
    with pytest.raises(NoPictureError):
        await first
    await asyncio.sleep(0)
    assert await kept.get(KEY, Size.SMALL, lambda: b"\xff\xd8\xff\xd9") == b"\xff\xd8\xff\xd9"


async def test_a_full_disk_keeps_nobody_from_looking(tmp_path):
    """It is made, and not kept; and a key is never a path."""
    kept = Thumbnails(tmp_path / "cache", free=2**62)
    assert await kept.get(KEY, Size.SMALL, lambda: b"\xff\xd8\xff\xd9") == b"\xff\xd8\xff\xd9"
    assert not list(tmp_path.rglob("*.jpg"))
    with pytest.raises(ValueError, match="hex"):
        await kept.get("../../x", Size.SMALL, lambda: b"")
