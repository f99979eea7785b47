"""The pages that pair and watch a phone, and the one file it is given."""

import asyncio
import hashlib
import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from rig.protocol.keys import Pairing
from rig.web import addresses, phone_app

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "build_phone_agent.py"
PAGE = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\"'&"
PUBLIC = ("/phone", "/phone/agent.pyz", "/phone/agent.sha256")


class Page(HTMLParser):
    """Tags with their attributes, and the text that a person sees."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def get(ready):
    def fetch(path, status=200, signed_in=True):
        client = ready.running.operator() if signed_in else ready.running.client()
        with client:
            answer = client.get(path, headers=PAGE)
        assert answer.status_code == status, answer.text
        return answer.text

    return fetch


@pytest.fixture
def code(ready):
    return ready.running.post("/api/stations/room-1/codes")["code"]


def say(ready, **status):
    with ready.running.client(ready.phone_token) as phone:
        assert phone.post("/api/phone/status", json=status).status_code == 204


async def pair(ready, agent, code, device="Nokia"):
    async with agent(ready) as one:
        pairing = Pairing(b"k" * 32, (("127.0.0.1", 4000),))
        await one.send(type="pairing", url=pairing.url())
        await one.send(type="event", event="x", session="bad", seq=1)
        await one.until("refused")

        def post():
            with ready.running.client() as client:
                body = {"code": code, "device": device}
                assert client.post("/api/phone/pair", json=body).status_code == 200

        await asyncio.to_thread(post)


# --- agent.pyz ------------------------------------------------------------------------------------


def test_the_served_file_is_what_the_script_builds_and_it_runs(ready, tmp_path):
    """Same bytes, the hash beside it, and it starts with nothing else around."""
    built = tmp_path / "built.pyz"
    run = [sys.executable, "-I", "-S", str(SCRIPT), "--out", str(built)]
    told = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout
    with ready.running.client() as client:
        answer = client.get("/phone/agent.pyz")
        digest = client.get("/phone/agent.sha256").text.removesuffix("\n")
    if answer.content != built.read_bytes():  # the sources may have been edited in between
        assert answer.content == phone_app.build(ROOT)
    else:
        assert told.startswith(digest + " ")
    assert hashlib.sha256(answer.content).hexdigest() == digest
    served = tmp_path / "agent.pyz"
    served.write_bytes(answer.content)
    run = [sys.executable, "-I", "-S", str(served), "--help"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "phone-agent" in done.stdout) == (0, True)


def test_a_phone_that_has_the_file_does_not_load_it_again(ready):
    """ETag, 304 without a body; another hash loads it."""
    with ready.running.client() as client:
        first = client.get("/phone/agent.pyz")
        etag = first.headers["etag"]
        assert etag == f'"{hashlib.sha256(first.content).hexdigest()}"'
        assert first.headers["cache-control"] == "no-cache"
        for told in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            again = client.get("/phone/agent.pyz", headers={"If-None-Match": told})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        other = client.get("/phone/agent.pyz", headers={"If-None-Match": '"x"'})
        assert other.content == first.content


def test_building_imports_neither_the_agent_nor_anything_foreign():
    """The controller packs the agent; it never runs it."""
    code = (
        "import sys\nsys.path.insert(0, sys.argv[1])\nfrom rig.web import phone_app\n"
        "phone_app.installed_app()\n"
        "ours = {n for n in sys.modules if n.partition('.')[0] in ('rig', 'phone_agent')}\n"
        "assert ours == {'rig', 'rig.web', 'rig.web.phone_app'}, ours\n"
    )
    run = [sys.executable, "-I", "-S", "-c", code, str(ROOT)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_controller_without_the_agent_says_so(ready, get, code, monkeypatch):
    """Everything else goes on."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        phone_app, "find_spec", lambda name: None if name == "phone_agent" else real(name)
    )
    with pytest.raises(phone_app.BuildError, match="not installed"):
        phone_app.installed_app()
    ready.running.rig.phone_app = None
    with ready.running.client() as client:
        answer = client.get("/phone/agent.pyz")
        assert (answer.status_code, "not installed" in answer.json()["detail"]) == (503, True)
    get(f"/phone?c={code}", signed_in=False)
    assert "will not work" in post_pair(ready)


# --- what is open to everybody ----------------------------------------------------------------


def test_a_stranger_sees_the_way_in_and_nothing_else(ready, code):
    """No x-ray, photo, event or live page without sign-in; not beside the open ones either."""
    session = ready.new_session()["id"]
    closed = (
        "/phone/live",
        "/phone/live?station=room-1",
        "/phone/agent.pyz/x",
        "/phone/",
        "/phone//live",
        "/phone/%6cive",
        "/stations/room-1/pair",
        "/api/phone/hello",
        "/api/phone/pair/x",
        f"/api/sessions/{session}/release",
        f"/api/sessions/{session}/photos",
        f"/api/sessions/{session}/events",
        "/api/images/" + "0" * 64,
        "/api/events",
        "/api/stations/room-1/pairing",
    )
    with ready.running.client() as client:
        for path in PUBLIC:
            assert client.get(path).status_code == 200, path
            for verb in ("POST", "PUT", "DELETE"):
                assert client.request(verb, path).status_code in {403, 405}, (verb, path)
        for path in (*closed, *(f"{path}?c={code}" for path in closed if "?" not in path)):
            assert client.get(path).status_code == 401, path


def test_the_phone_reaches_it_by_any_address_of_the_machine(ready, code):
    """The line holds the address that it called; names of others are refused."""
    with ready.running.client() as client:
        text = client.get(f"/phone?c={code}", headers={"Host": "192.168.1.5:8000"}).text
        assert "curl -fsSO http://192.168.1.5:8000/phone/agent.pyz" in text
        assert f"python agent.pyz 192.168.1.5:8000 {code}" in text
        assert client.get("/phone", headers={"Host": "evil.example"}).status_code == 400
        odd = client.get(f"/phone?c={code}", headers={"Host": "127.0.0.1:1;reboot"})
        assert (odd.status_code, "reboot" in odd.text) == (400, False)


# --- the pages ------------------------------------------------------------------------------------


def post_pair(ready, name="room-1"):
    with ready.running.operator() as client:
        answer = client.post(f"/stations/{name}/pair")
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_every_page_can_be_read_without_eyes(ready, get, agent, code):
    """One main, one heading, labelled fields, nothing inline; only F-Droid is foreign."""
    pages = {
        "live": await asyncio.to_thread(get, "/phone/live"),
        "pair": await asyncio.to_thread(get, "/stations/room-1/pair"),
        "form": await asyncio.to_thread(get, "/phone", 200, False),
        "fresh": await asyncio.to_thread(get, f"/phone?c={code}", 200, False),
        "wrong": await asyncio.to_thread(get, "/phone?c=WRONG222", 403, False),
    }
    await pair(ready, agent, code)
    pages["used"] = await asyncio.to_thread(get, f"/phone?c={code}", 200, False)
    pages["code"] = await asyncio.to_thread(post_pair, ready)
    for name, text in pages.items():
        seen = Page(text)
        assert len(seen.all("main")) == len(seen.all("h1")) == 1, name
        labels = {attrs.get("for") for attrs in seen.all("label")}
        assert all(field["id"] in labels for field in seen.all("input")), name
        assert all("src" in attrs for attrs in seen.all("script")), name
        assert not seen.all("style"), name
        assert not any("style" in attrs or "onclick" in attrs for _, attrs in seen.tags), name
        ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), name
        foreign = [a["href"] for a in seen.all("a") if a["href"].startswith("http")]
        apps = ("com.termux/", "com.termux.api/", "com.termux.boot/")
        expected = [f"https://f-droid.org/packages/{app}" for app in apps]
        assert foreign == (expected if name == "fresh" else []), name


def ways(seen):
    """The choices between the controller's addresses."""
    return [one for one in seen.all("input") if one.get("name") == "way"]


def test_the_code_is_shown_once_with_its_qr_code_and_the_line(ready, get):
    """Reading the page does not make one, and does not show it again."""
    assert 'class="qr"' not in get("/stations/room-1/pair")
    text = post_pair(ready)
    seen = Page(text)
    (code,) = re.findall(r'class="code">([A-Z2-7]{8})<', text)
    drawn = [one for one in seen.all("svg") if one.get("class") == "qr"]
    assert len(drawn) == len(ways(seen)) >= 1
    assert f"python agent.pyz {ready.running.url[7:]} {code}" in seen.text
    assert ready.running.rig.phone_app.sha256 in seen.text
    assert "client isolation" in seen.text
    assert "rig serve --host 0.0.0.0" in seen.text  # it listens on the loopback address
    assert code not in get("/stations/room-1/pair")
    get("/stations/none/pair", 404)


def read_qr(svg):
    """What a scanner sees in segno's drawing: rows of horizontal strokes."""
    size = int(re.search(r'd="M0 0h(\d+)v', svg)[1])
    picture = np.full((size, size), 255, np.uint8)
    x = y = 0.0
    strokes = re.search(r'stroke="#000" d="([^"]+)"', svg)[1]
    for kind, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", strokes):
        if kind == "h":
            picture[int(y), int(x) : int(x) + int(first)] = 0
            x += float(first)
        else:
            x, y = (0.0, 0.0) if kind == "M" else (x, y)
            x, y = x + float(first), y + float(second)
    large = cv2.resize(picture, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    # The other detector of OpenCV fails on one code in 200.
    return cv2.QRCodeDetectorAruco().detectAndDecode(large)[0]


def test_every_address_has_its_own_qr_code_and_line(ready, monkeypatch):
    """The likeliest is chosen already; a scanner reads what is written beside it."""
    found = [("lo", "127.0.0.1"), ("wlan0", "192.168.1.5"), ("usb0", "192.168.42.2")]
    monkeypatch.setattr(addresses, "interfaces", lambda: found)
    monkeypatch.setattr(addresses, "route_address", lambda: "192.168.42.2")
    rig = ready.running.rig
    rig.listening, rig.public_url = ("0.0.0.0", 8000), "https://rig.example/"
    text = post_pair(ready)
    code = re.search(r'class="code">([A-Z2-7]{8})<', text)[1]
    seen = Page(text)
    assert ["checked" in field for field in ways(seen)] == [True, False, False]
    bases = ["https://rig.example", "http://192.168.42.2:8000", "http://192.168.1.5:8000"]
    drawn = re.findall(r'<svg[^>]*class="qr".*?</svg>', text, re.DOTALL)
    assert [read_qr(svg) for svg in drawn] == [f"{base}/phone?c={code}" for base in bases]
    for base in bases:
        assert f"curl -fsSO {base}/phone/agent.pyz" in seen.text
    assert "this machine only" not in seen.text


async def test_both_pages_tell_that_the_phone_was_paired(ready, get, agent, code):
    """And go on with what it says; the person at the phone needs no sign-in for that."""
    assert "not connected" in await asyncio.to_thread(get, "/stations/room-1/pair")
    await pair(ready, agent, code, HOSTILE)
    text = await asyncio.to_thread(get, "/stations/room-1/pair")
    assert ("paired" in Page(text).text, HOSTILE in Page(text).text) == (True, True)
    await asyncio.to_thread(say, ready, state="ready", battery_pct=64.2)
    for path, signed_in in (("/stations/room-1/pair", True), (f"/phone?c={code}", False)):
        text = Page(await asyncio.to_thread(get, path, 200, signed_in)).text
        assert "64 %" in text
        assert HOSTILE in text


async def test_hostile_names_stay_text(ready, get, agent, code):
    """Device, state, checks and errors come from outside."""
    await pair(ready, agent, code, HOSTILE)
    checks = [{"name": HOSTILE, "ok": False, "text": HOSTILE}]
    fields = {"state": HOSTILE, "last_error": HOSTILE, "camera": HOSTILE, "name": HOSTILE}
    await asyncio.to_thread(say, ready, **fields, checks=checks)
    for path in ("/stations/room-1/pair", "/phone/live", f"/phone?c={code}"):
        text = await asyncio.to_thread(get, path)
        assert "<script>alert" not in text, path
        assert HOSTILE in Page(text).text, path


def test_without_sign_in_no_file_name_is_shown(ready, get, agent, code):
    """Names and errors hold a patient's key."""
    asyncio.run(pair(ready, agent, code))
    say(ready, name="x1_patient00001.jpg", last_error="x1_patient00001.jpg is cut")
    assert "x1_patient00001.jpg is cut" in get("/phone/live")
    text = get(f"/phone?c={code}", signed_in=False)
    assert "patient00001" not in text
    assert "read it in Termux" in text


async def test_the_live_page_shows_what_the_phone_does(ready, get, agent, jpeg, shoot):
    """Counter, file name, last result, battery, link and the phone's last error."""
    session = await asyncio.to_thread(ready.new_session)
    sid, first = session["id"], session["first"]
    async with agent(ready) as one:
        data = jpeg(1)
        seq = await shoot(one, session, {first: data}, ready.photo)
        await one.send(type="status", session=sid, link_age_ms=1200, rtt_ms=3.0)
        await one.event(sid, seq + 1, "retake", index=first + 1, attempt=1, why="too dark")
        await one.acked(sid, seq + 1)
        await asyncio.to_thread(say, ready, state="exposing", battery_pct=12, last_error="hot")
        text = Page(await asyncio.to_thread(get, "/phone/live")).text
    for part in ("1 of 3 kept", ready.photo(first, data), f"Taken again: {first + 1}. too dark",
                 "12 %", "heard 1.2 s ago", "hot", "exposing", "on the phone"):  # fmt: skip
        assert part in re.sub(r"\s+", " ", text), part


async def test_an_abort_is_told_in_red_with_its_reason(ready, get, agent):
    """An alert with the number, above everything else."""
    sid = (await asyncio.to_thread(ready.new_session))["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "armed", first=1, last=3)
        why = {"code": "INDEX_MISMATCH", "why": "asked for 11"}
        await one.event(sid, 2, "aborted", abort_id="8f3a91c2", by="phone", **why)
        await one.acked(sid, 2)
        seen = Page(await asyncio.to_thread(get, "/phone/live"))
    alerts = [a["class"] for _, a in seen.tags if a.get("role") == "alert"]
    assert "banner abort" in alerts
    assert "ABORTED" in seen.text
    assert "asked for 11" in seen.text
    assert "8f3a91c2" in seen.text
    assert any(a["href"] == f"/sessions/{sid}" for a in seen.all("a"))


def test_a_status_reaches_the_page_by_the_event_stream(ready):
    """Each tick has the number of the last one: the page asks again when it grows."""
    say(ready, state="ready")
    with ready.running.operator() as client, client.stream("GET", "/api/events") as answer:
        lines = answer.iter_lines()
        tick = next(line for line in lines if line.startswith("data:"))
    assert re.search(r'"phone":\s*\{"number":\s*1,\s*"age_ms":\s*\d+\}', tick), tick


def test_with_several_stations_one_is_chosen(ready, get):
    """And an unknown one is a page."""
    ready.running.post("/api/stations", name="room-2")
    links = [a["href"] for a in Page(get("/phone/live")).all("a")]
    for name in ("room-1", "room-2"):
        assert f"/phone/live?station={name}" in links
        assert f"/stations/{name}/pair" in links
    assert "No station is named" in get("/phone/live?station=none", 404)


def test_a_phone_cannot_tell_nonsense(ready):
    """422, and the last good word stays."""
    say(ready, state="ready")
    with ready.running.client(ready.phone_token) as phone:
        bad = phone.post("/api/phone/status", json={"battery_pct": 1000})
        assert bad.status_code == 422
        huge = phone.post("/api/phone/status", json={"state": "x" * 70_000})
        assert huge.status_code == 413
    assert ready.running.rig.phones.view("room-1")["state"] == "ready"
