"""Two pages on which a person decides, in a real browser: photos by hand, photos to shoot again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser_showroom import photo_of, shown_by_hand
from PIL import Image

from rig.capture import campaigns, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import AgentEvent
from rig.catalog.model import COLUMNS, Xray
from rig.planning.model import Environment
from rig.protocol.names import PhotoName, encode_name
from rig.sample import csv_path, data_dir
from rig.store import catalogs
from rig.store.database import Database

pytestmark = pytest.mark.system
SESSION, CAMPAIGN = "s" + "4" * 16, "c4" * 8
PATIENCE = 120.0
S = 1_000_000_000


@dataclass
class Served:
    """A controller on a home in which a batch and photos by hand were taken in."""

    home: Path
    url: str
    http: httpx.Client

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def link(self) -> str:
        answer = self.http.post("/api/sign-in-links")
        assert answer.is_success, answer.text
        return self.url + str(answer.json()["path"])


def committed(index: int, xray: Xray, data: bytes, card: Path) -> AgentEvent:
    """A photo that the phone wrote, on the card."""
    digest = hashlib.sha256(data).hexdigest()
    name = encode_name(PhotoName(CAMPAIGN, 1, index, 1, "e1", xray.key, "0" * 16, digest[:16]))
    (card / name).write_bytes(data)
    return AgentEvent(
        event="committed", session=SESSION, seq=index, time_ns=50, index=index, attempt=1,
        sha256=digest, size=len(data), name=name, t_trigger_ns=1, source_sha256=xray.sha256,
    )  # fmt: skip


def shot(folder: Path, database: Database) -> tuple[Xray, ...]:
    """Twelve x-rays; four were shot, of which 2 shows another one and 4 did not come back."""
    with csv_path().open(newline="") as handle:
        rows = list(csv.reader(handle))[1:13]
    table, card = folder / "some.csv", folder / "card"
    card.mkdir()
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows([COLUMNS, *rows])
    import_catalog(
        database, new_id="c" * 16, name="some", csv=table, data_dir=data_dir(), order="csv", seed=0,
        skip_bad=False, now_ns=1, actor="test",
    )  # fmt: skip

    def plan(connection: Any) -> None:
        campaigns.create(
            connection, new_id=CAMPAIGN, name="camp", catalog="some", device="nokia",
            chosen=[Environment("e1", {"light": "on"})], size_min=12, size_max=12, seed=4, now_ns=2,
        )  # fmt: skip
        stations.add(connection, "room-1", "token", 3)
        sessions.create(connection, new_id=SESSION, campaign="camp", subset=1, station="room-1",
                        now_ns=4)  # fmt: skip

    database.write_now(plan)
    xrays = database.query(lambda c: tuple(catalogs.xrays(c, "c" * 16)))
    shows = {1: 1, 2: 7, 3: 3, 4: 4}
    events = [
        committed(at, xrays[at - 1], photo_of(xrays[of - 1].file, at), card)
        for at, of in shows.items()
    ]
    database.write_now(lambda c: sessions.ingest(c, "room-1", events, 60))
    (card / str(events[3].name)).unlink()
    return xrays


def by_hand(folder: Path, xrays: tuple[Xray, ...]) -> None:
    """Three x-rays were shown by hand; one photo is sharp, one blurred, one of something else."""
    noise = io.BytesIO()
    Image.effect_noise((1200, 900), 60).save(noise, "JPEG")
    sharp, blurred = photo_of(xrays[5].file, 21), photo_of(xrays[6].file, 22, blur=14)
    shown_by_hand(folder, xrays, (sharp, blurred, noise.getvalue()))


def rig(home: Path, *words: str) -> dict[str, Any]:
    """What a command of the rig prints."""
    command = [sys.executable, "-m", "rig.cli", *words, "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Everything above, taken in by the real commands, and the real controller on it."""
    folder = tmp_path_factory.mktemp("decide")
    home = folder / "home"
    home.mkdir()
    with Database.open(home / "rig.db") as database:
        by_hand(folder, shot(folder, database))
    told = rig(home, "batch", "import", SESSION, str(folder / "card"))
    assert (told["verified"], told["missing"]) == (2, [2, 4])
    log = str(folder / "shown.jsonl")
    told = rig(home, "manual", "import", str(folder / "phone"), "--log", log,
               "--campaign", "camp", "--device", "iphone", "--workers", "1")  # fmt: skip
    assert (told["accepted"], told["doubtful"]) == (1, 2), told
    said = folder / "controller.out"
    with said.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "rig.cli", "serve", "--home", str(home), "--port", "0",
             "--json"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE
        while not (
            line := next((x for x in said.read_text().splitlines() if '"sign_in"' in x), None)
        ):
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.05)
        start = json.loads(line)
        headers = {"Authorization": f"Bearer {start['token']}"}
        with httpx.Client(
            base_url=start["url"], headers=headers, timeout=30, trust_env=False
        ) as http:
            yield Served(home, start["url"], http)
    finally:
        child.terminate()
        child.wait(30)


@pytest.fixture
async def tab(browser: Any, served: Served) -> Any:
    """A signed-in tab."""
    one = await browser.tab()
    await one.go(served.link())
    return one


async def loaded(tab: Any) -> None:
    """The event stream speaks and every picture is there."""
    await tab.until("document.getElementById('freshness').dataset.link === 'fresh'")
    await tab.value("document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })")
    await tab.until("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


def text(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.innerText ?? '')"


async def test_a_person_decides_what_the_doubtful_photos_show(tab: Any, served: Served) -> None:
    """Photo and x-rays side by side; the word is kept with the name, and can be taken back."""
    await tab.go(f"{served.url}/campaigns/camp/hand")
    await loaded(tab)
    assert "1 settled, 2 doubtful" in await tab.value(text("#doubtful"))
    articles = "document.querySelectorAll('#doubtful article')"
    assert await tab.value(f"{articles}.length") == 2
    tops = f"[...{articles}[0].querySelectorAll('figure img')].map(i => i.getBoundingClientRect())"
    boxes = await tab.value(f"{tops}.map(r => [r.left, r.top, r.width, r.height])")
    assert len(boxes) >= 2, "the photo and at least one candidate"
    assert boxes[0][0] + boxes[0][2] <= boxes[1][0], "side by side, not below each other"
    assert abs(boxes[0][1] - boxes[1][1]) < 40

    photo = next(one for one in served.get("/api/campaigns/camp/hand?standing=doubtful")
                 if one["name"] == "IMG_0462.jpg")  # fmt: skip
    assert 7 in [one["index"] for one in photo["candidates"]]
    await tab.value("localStorage.setItem('operator', 'Anna')")
    form = f"form[data-json*='{photo['sha256']}']"
    await tab.click(f"{form}:has(input[name=index][value='7']) button")
    await tab.until(f"{text('#doubtful')}.includes('2 settled, 1 doubtful')")
    await tab.until(f"{text('#decided')}.includes('IMG_0462.jpg: x-ray 7, operator:Anna')")

    other = f"{articles}[0].querySelector('form:has(input[value=none]) button')"
    await tab.until(f"({other}.click(), true)", gesture=True)
    await tab.until(f"{text('#doubtful')}.includes('Nothing to decide.')")
    await tab.go(f"{served.url}/campaigns/camp/hand")
    await loaded(tab)
    assert "2 settled, 0 doubtful, 1 show no x-ray" in await tab.value(text("#doubtful"))
    decided = await tab.value(text("#decided"))
    assert "IMG_0462.jpg: x-ray 7, operator:Anna" in decided
    assert "IMG_0463.jpg: none" in decided

    found = {one["name"]: one for one in served.get("/api/campaigns/camp/hand")}
    assert (found["IMG_0462.jpg"]["standing"], found["IMG_0462.jpg"]["index"]) == ("accepted", 7)
    assert found["IMG_0463.jpg"]["standing"] == "refused"
    assert found["IMG_0462.jpg"]["decided_ns"] > 0

    await tab.click(f"#decided {form} button")
    await tab.until(f"{text('#doubtful')}.includes('1 settled, 1 doubtful')")
    assert tab.trouble == []


async def test_an_index_that_there_is_not_is_told_on_the_page(tab: Any, served: Served) -> None:
    """The sentence of the API reaches the person; nothing is decided."""
    await tab.go(f"{served.url}/campaigns/camp/hand")
    await loaded(tab)
    before = served.get("/api/campaigns/camp/hand")
    await tab.write("#doubtful article input[type=number]", "999")
    await tab.click("#doubtful article form:has(input[type=number]) button")
    await tab.until("document.body.innerText.includes('999')")
    assert served.get("/api/campaigns/camp/hand") == before


async def test_one_click_makes_the_session_to_shoot_again(tab: Any, served: Served) -> None:
    """The list says what and why beside the pictures; each index is made once."""
    await tab.go(f"{served.url}/sessions/{SESSION}")
    await tab.until(f"!!document.querySelector(\"a[href='/sessions/{SESSION}/reshoot']\")")
    await tab.go(f"{served.url}/sessions/{SESSION}/reshoot")
    await loaded(tab)
    rows = "[...document.querySelectorAll('#list tbody tr')].map(r => r.innerText)"
    shown = await tab.value(rows)
    assert [one.split()[0] for one in shown] == ["2", "4"]
    assert "rejected" in shown[0]
    assert "does not show this x-ray" in shown[0]
    assert "missing" in shown[1]
    assert await tab.value("document.querySelector('#list tbody tr').querySelectorAll('img').length"
                           ) == 2  # fmt: skip
    await tab.value("localStorage.setItem('operator', 'Anna')")
    await tab.click("#do-again")
    await tab.until("document.querySelectorAll('#list tbody tr td:last-child a').length === 2")
    assert "0 missing or rejected, 0 doubtful, 2 about to be shot" in await tab.value(text("#list"))
    listed = served.get(f"/api/sessions/{SESSION}/reshoot")["reshoot"]
    made = [row["again"] for row in listed]
    assert len(set(made)) == 2, "each run of neighbouring indices is a session"
    assert not await tab.value("!!document.querySelector('#do-again')"), "nothing is left to make"
    for row, again in zip(listed, made, strict=True):
        one = served.get(f"/api/sessions/{again}")
        assert (one["first"], one["last"]) == (row["index"], row["index"])
    events = served.get(f"/api/sessions/{made[0]}/events")
    assert "operator:Anna" in {one["actor"] for one in events}
    await tab.click("#list tbody tr td:last-child a")
    await tab.until(f"location.pathname === '/sessions/{made[0]}'")
    assert tab.trouble == []
