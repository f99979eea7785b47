"""Pages show what the rig confirmed, in words, and can be used by keyboard and screen reader."""

import asyncio
from html.parser import HTMLParser

import pytest

from rig.capture import session_rows
from rig.store import tables

PAGE = {"Accept": "text/html"}


class Reader(HTMLParser):
    """Collects what a check of a page needs."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def page(ready):
    def get(path, status=200):
        with ready.running.operator() as client:
            answer = client.get(path, headers=PAGE)
        assert answer.status_code == status, answer.text
        return answer.text

    return get


def test_every_page_can_be_read_without_eyes(ready, page):
    """Language, one main, labels for fields, text for pictures, no inline script or style."""
    session = ready.new_session()["id"]
    for path in (
        "/", "/campaigns", "/campaigns/first", "/campaigns/first/balance", "/campaigns/new",
        "/catalogs", "/catalogs/tiny", "/stations", "/stations/room-1", "/stations/room-1/pair",
        "/sessions", f"/sessions/{session}", f"/sessions/{session}/alignment", "/audit",
        "/sign-in?token=old",
    ):  # fmt: skip
        with ready.running.client() as nobody:
            seen = Reader(nobody.get(path).text if "sign" in path else page(path))
        assert seen.all("html")[0]["lang"] == "en"
        assert len(seen.all("main")) == 1
        assert len(seen.all("h1")) == 1
        labels = {attrs.get("for") for attrs in seen.all("label")}
        for field in seen.all("input") + seen.all("select") + seen.all("textarea"):
            named = field.get("aria-label") or field.get("id") in labels
            assert field.get("type") == "hidden" or named, (path, field)
        assert all(attrs.get("alt") or "alt" in attrs for attrs in seen.all("img"))
        assert all("src" in attrs for attrs in seen.all("script"))
        assert not seen.all("style")
        assert not any("style" in attrs or "onclick" in attrs for _, attrs in seen.tags)
        ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), path
        addresses = [a.get("href") or a.get("src") or "" for _, a in seen.tags]
        assert not any(address.startswith(("http", "//")) for address in addresses)


def test_home_says_what_is_needed_now(tmp_path, serve):
    """An empty rig tells its steps and marks the first one, each with the page that does it."""
    running = serve(tmp_path / "home")
    with running.operator() as client:
        text = client.get("/", headers=PAGE).text
    assert 'aria-current="step"><div><a href="/catalogs">Import the x-rays</a>' in text
    for path in ("/campaigns/new", "/stations"):
        assert f'href="{path}"' in text
    assert "rig catalog import" not in text


def test_home_offers_the_next_planned_subset(ready, page):
    """For each station, as a form; and shows the station's link in words."""
    text = page("/")
    assert "Prepare subset 1" in text
    assert "not connected" in text
    ready.new_session()
    assert "Prepare subset" not in page("/")


def test_home_looks_at_no_more_than_it_shows(ready, page):
    """Thousands of sessions that are over are not read: their number is not felt."""
    rig = ready.running.rig
    ready.new_session()

    def many(connection):
        row = dict(connection.execute(tables.session.select()).mappings().first())
        made = [
            row | {"id": f"s{n:016x}", "created_ns": n + 1, "state": "completed"}
            for n in range(3000)
        ]
        connection.execute(tables.session.insert(), made)

    rig.database.write_now(many)
    page("/")  # what the campaigns are at is counted once
    read = []
    session_rows._session, before = (
        (lambda row: read.append(1) or before(row)),
        session_rows._session,
    )
    try:
        text = page("/")
    finally:
        session_rows._session = before
    assert len(read) < 400
    assert 'href="/sessions"' in text


async def test_the_session_page_follows_the_rig(ready, page, agent, jpeg, shoot):
    """Words, numbers, the last photo's name, retakes: all of it confirmed."""
    session = ready.new_session()
    sid, first = session["id"], session["first"]
    assert "To be prepared" in await asyncio.to_thread(page, f"/sessions/{sid}")
    async with agent(ready) as one:
        await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/start", confirm=True)
        text = await asyncio.to_thread(page, f"/sessions/{sid}")
        assert "not confirmed yet" in text
        await one.command("load")
        await one.command("start")
        data = jpeg(1)
        seq = await shoot(one, session, {first: data}, ready.photo)
        await one.event(sid, seq + 1, "retake", index=first + 1, attempt=1, why="<blur> & glare")
        await one.acked(sid, seq + 1)
        text = await asyncio.to_thread(page, f"/sessions/{sid}")
    assert "Shooting" in text
    assert ready.photo(first, data) in text
    assert "&lt;blur&gt; &amp; glare" in text
    assert "<blur>" not in text


async def test_an_abort_stays_in_red_until_rearmed(ready, page, agent):
    """Number, reason, expected and got; the other controls are off."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "armed", first=1, last=3)
        why = {"code": "INDEX_MISMATCH", "why": "asked for 11", "expected": 9, "got": 11}
        await one.event(sid, 2, "aborted", abort_id="8f3a91c2", by="phone", **why)
        await one.acked(sid, 2)
        text = await asyncio.to_thread(page, f"/sessions/{sid}")
        needs = await asyncio.to_thread(page, "/")
    seen = Reader(text)
    words = "".join(seen.text)
    for part in ("ABORTED", "8f3a91c2", "asked for 11", "INDEX_MISMATCH", "phone"):
        assert part in words
    buttons = {b.get("id"): "disabled" in b for b in seen.all("button")}
    assert buttons["do-rearm"] is False
    assert buttons["do-pause"] is buttons["do-resume"] is buttons["ask-abort"] is True
    assert "Aborted" in needs


def test_unknown_pages_are_pages(ready, page):
    """A person gets words, not JSON."""
    text = page(f"/sessions/s{'0' * 16}", 404)
    assert "No session has the id" in text
    assert "<main" in text
    assert "Known: first" in page("/campaigns/none", 404)


def test_static_files_are_served_to_everybody_and_nothing_beside_them(ready):
    """Style and script hold no data; `..` leads nowhere."""
    with ready.running.client() as client:
        for name in ("rig.css", "live.js", "icon.svg"):
            assert client.get(f"/static/{name}").status_code == 200
        for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"):
            assert client.get(path).status_code in {401, 404}
