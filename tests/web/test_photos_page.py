"""The contact sheet of a session and the page of one photo."""

from __future__ import annotations

import hashlib
import html
import io
import re
import time
from typing import Any

import pytest
from PIL import Image

from rig.capture import photos
from rig.store import captures
from rig.web import photo_facts, photo_rows
from rig.web.photo_rows import Show, Sort, Verdict

DETAIL = {
    "status": "verified", "block_agreement": 0.98, "worst_cluster": 0.0104, "inliers": 812,
    "located_by": "orb", "ms": 412.3, "photo_size": [400, 300], "xray_size": [48, 40],
    "corners": [[40, 30], [360, 30], [360, 270], [40, 270]],
    "quality": {"focus": 0.81, "glare": 0.001, "rotation": 0.4, "warnings": [], "rejects": []},
}  # fmt: skip
WARNED = {**DETAIL, "quality": {**DETAIL["quality"], "warnings": ["soft: hold <it> still."]}}


@pytest.fixture
async def batch(ready, agent, shoot):
    """Three photos of a session: 1 right, 2 rejected, 3 missing; and its id."""
    session = ready.new_session()
    made = {}
    for index in (1, 2, 3):
        out = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.effect_noise((400, 300), 20 + index).save(out, "JPEG", exif=exif)
        made[index] = out.getvalue()
    async with agent(ready) as one:
        seq = await shoot(one, session, made, ready.photo)
        await one.acked(session["id"], seq)
    verdicts = {1: (True, "It shows the x-ray.", 0.91), 2: (False, "It shows a <hand>.", 0.12)}
    for index, (good, reason, score) in verdicts.items():
        arrive(ready, session["id"], index, made[index])
        judge(ready, session["id"], index, made[index], good, reason, score)
    return ready, session["id"], made


def arrive(ready, session: str, index: int, data: bytes) -> None:
    folder = captures.incoming(ready.running.home, session)
    folder.mkdir(parents=True, exist_ok=True)
    name = ready.photo(index, data)
    (folder / name).write_bytes(data)
    ready.running.rig.database.write_now(
        lambda c: photos.received(
            c, session, name=name, index=index, attempt=1, size=len(data), now_ns=time.time_ns(),
            sha256=hashlib.sha256(data).hexdigest(), actor="test",
        )
    )  # fmt: skip


def judge(
    ready, session: str, index: int, data: bytes, good: bool, reason: str, score: float,
    detail: dict[str, Any] = DETAIL,
) -> None:  # fmt: skip
    ready.running.rig.database.write_now(
        lambda c: photos.verified(
            c, session, name=ready.photo(index, data), verified=good, reason=reason,
            now_ns=time.time_ns(), score=score, detail=detail,
        )
    )  # fmt: skip


def text_of(ready, path: str) -> str:
    with ready.running.operator() as client:
        answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


def order(text: str) -> list[int]:
    return [int(one) for one in re.findall(r'class="thumb[^"]*" href="[^"]*/photos/(\d+)"', text)]


def rows(ready, session: str, **more: Any) -> list[tuple[int, str]]:
    found = ready.running.rig.database.query(lambda c: photo_rows.page(c, session, **more))
    return [(one["index"], str(one["verdict"])) for one in found.rows]


async def test_the_worst_is_first_and_every_photo_says_a_word(batch):
    """Rejected, missing, then what is right; a glyph and a word beside the colour."""
    ready, session, _ = batch
    text = text_of(ready, f"/sessions/{session}/photos")
    assert order(text) == [2, 3, 1]
    assert order(text_of(ready, f"/sessions/{session}/photos?sort=index")) == [1, 2, 3]
    for word in ("right", "rejected", "not here yet"):
        assert f"</span> {word}</span>" in text
    assert text.count('loading="lazy"') == 2
    assert 'style="' not in text
    assert "<script>" not in text


async def test_filters_show_what_they_say_and_count_it(batch):
    """And nothing is a sentence with a way out."""
    ready, session, made = batch
    at = f"/sessions/{session}/photos"
    assert order(text_of(ready, f"{at}?filter=rejected")) == [2]
    assert order(text_of(ready, f"{at}?filter=missing")) == [3]
    assert "No photo is here with a warning" in text_of(ready, f"{at}?filter=warned")
    judge(ready, session, 1, made[1], True, "It shows the x-ray.", 0.9, WARNED)
    assert order(text_of(ready, f"{at}?filter=warned")) == [1]
    found = ready.running.rig.database.query(lambda c: photo_rows.counts(c, session))
    assert found == {
        Verdict.REJECTED: 1, Verdict.MISSING: 1, Verdict.WARNED: 1, Verdict.UNCHECKED: 0,
        Verdict.RIGHT: 0,
    }  # fmt: skip
    with ready.running.operator() as client:
        for wrong in ("filter=nothing", "sort=x", "after=abc"):
            assert client.get(f"{at}?{wrong}").status_code == 422


@pytest.mark.parametrize("sort", list(Sort))
async def test_pages_hold_every_photo_once(batch, sort):
    """In the same order as a single page; ties in doubt are by index."""
    ready, session, made = batch
    arrive(ready, session, 3, made[3])
    judge(ready, session, 3, made[3], True, "It shows the x-ray.", 0.91)
    database = ready.running.rig.database
    after, seen = None, []
    while True:
        one = database.query(
            lambda c, after=after: photo_rows.page(c, session, sort=sort, after=after, limit=1)
        )
        seen += [row["index"] for row in one.rows]
        if one.after is None:
            break
        after = tuple(one.after)
    assert seen == [index for index, _ in rows(ready, session, sort=sort, show=Show.ALL)]
    assert seen == ([2, 1, 3] if sort is Sort.DOUBT else [1, 2, 3])


async def test_the_next_page_is_led_to(batch, monkeypatch):
    """By the link that the grid follows, with order and filter."""
    ready, session, _ = batch
    usual = photo_rows.page.__kwdefaults__
    monkeypatch.setattr(photo_rows.page, "__kwdefaults__", {**usual, "limit": 2})
    text = text_of(ready, f"/sessions/{session}/photos?sort=index")
    assert order(text) == [1, 2]
    link = re.search(r'rel="next" href="([^"]+)"', text)
    assert link
    assert "sort=index" in link[1]
    further = text_of(ready, f"/sessions/{session}/photos{html.unescape(link[1])}")
    assert order(further) == [3]
    assert 'rel="next"' not in further


async def test_one_click_shoots_the_list_again(batch):
    """The button sends what the API takes; afterwards the page says that it is under way."""
    ready, session, _ = batch
    text = text_of(ready, f"/sessions/{session}/photos")
    assert f'data-json="/api/sessions/{session}/reshoot/listed"' in text
    assert "Shoot all 2 again" in text
    ready.running.post(f"/api/sessions/{session}/reshoot/listed")
    assert "about to be shot again" in text_of(ready, f"/sessions/{session}/photos")


async def test_a_photo_has_all_that_is_known_of_it(batch):
    """Outline, reason, numbers, what happened, the way to shoot it again, its neighbours."""
    ready, session, _ = batch
    text = text_of(ready, f"/sessions/{session}/photos/2")
    assert "It shows a &lt;hand&gt;." in text
    assert "<hand>" not in text
    # Stored 400 x 300, shown turned by 90 degrees: (x, y) is (300 - y, x).
    assert 'viewBox="0 0 300 400"' in text
    assert 'points="270.0,40.0 270.0,360.0 30.0,360.0 30.0,40.0"' in text
    for word in ("0.120", "0.980", "812", "feature points (ORB)", "Sharpness", "0.810"):
        assert word in text
    assert 'id="do-again"' in text
    assert f'href="/sessions/{session}/photos/1"' in text
    assert f'href="/sessions/{session}/photos/3"' in text
    assert "Kept 2" in text
    assert 'style="' not in text
    good = text_of(ready, f"/sessions/{session}/photos/1")
    assert 'id="do-again"' not in good
    gone = text_of(ready, f"/sessions/{session}/photos/3")
    assert "No photo of it" in gone
    assert "<polygon" not in gone


async def test_what_was_not_shot_has_no_page(batch):
    """And nobody looks without sign-in."""
    ready, session, _ = batch
    with ready.running.operator() as client:
        for path in ("/photos/99", "/photos/0", "/photos/x", "/photos/-1"):
            assert client.get(f"/sessions/{session}{path}").status_code in {404, 422}
        assert client.get(f"/sessions/s{'0' * 16}/photos").status_code == 404
    with ready.running.client() as nobody:
        answer = nobody.get(f"/sessions/{session}/photos", follow_redirects=False)
        assert answer.status_code in {303, 401}


def test_an_empty_session_says_so(ready):
    """No photo, no grid, no button."""
    text = text_of(ready, f"/sessions/{ready.new_session()['id']}/photos")
    assert "Nothing was shot" in text
    assert "do-again" not in text


@pytest.mark.parametrize("orientation", range(9))
def test_points_turn_with_the_photo(orientation):
    """As Pillow turns the picture itself; an unknown number turns nothing."""
    from PIL import ImageOps

    picture = Image.new("L", (7, 5))
    picture.putpixel((1, 3), 255)
    exif = picture.getexif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    picture.save(out, "PNG", exif=exif)
    turned = ImageOps.exif_transpose(Image.open(out))
    points, size = photo_facts.upright([[1.5, 3.5]], (7, 5), orientation)
    assert size == turned.size
    ((x, y),) = points
    assert turned.getpixel((int(x), int(y))) == 255
