"""The pages with pictures in a real browser: contact sheet, photo, dataset, synthesis."""

from __future__ import annotations

import asyncio
import json
import time
from importlib.resources import files
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
LOADED = (
    "[...document.images].filter((i) => i.getBoundingClientRect().top < innerHeight)"
    ".every((i) => i.complete && i.naturalWidth > 0)"
)
FRESH = "document.getElementById('freshness').dataset.link === 'fresh'"
FOCUSED = "document.activeElement.getAttribute('href')"


@pytest.fixture(scope="module")
def shot(room: Any) -> Any:
    """A session that was shot by a phone whose camera sees the screen, and a dataset of it."""
    room.prepare()
    room.phone()
    session = f"/api/sessions/{room.session}"
    until(lambda: started(room, session), "the session cannot be started")
    until(lambda: room.get(session)["state"] == "completed", "the session does not end")
    until(lambda: room.get(session)["verified"] >= 12, "the photos are not verified")
    job = room.post("/api/campaigns/c/dataset", synthetic=["digital", "photographic"])["job"]
    until(lambda: room.get(f"/api/jobs/{job}")["state"] == "done", "the dataset is not built")
    return room


def until(condition: Any, sentence: str) -> Any:
    end = time.monotonic() + 240
    while not (found := condition()):
        assert time.monotonic() < end, sentence
        time.sleep(0.2)
    return found


def started(room: Any, session: str) -> bool:
    """The phone may not have said hello yet: then starting is refused."""
    answer: httpx.Response = room.http.post(f"{session}/start", json={"confirm": True})
    return answer.is_success


async def violations(tab: Any) -> list[str]:
    await tab.value(f"window.axe || (() => {{ {AXE} }})()")
    found = await tab.value(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => JSON.stringify("
        "r.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} "
        "${n.any.map((a) => a.message).join(' ').slice(0, 160)}`))))"
    )
    return list(json.loads(found))


async def look(tab: Any, name: str) -> None:
    """Everybody can use it, in the dark and in the light; nothing is cut off."""
    for theme in ("dark", "light"):
        await tab.value(f"localStorage.setItem('theme', '{theme}')")
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        await tab.call("Emulation.setEmulatedMedia", features=still)
        await tab.value("showTheme()")
        for width, height in ((1280, 900), (768, 1024)):
            await tab.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=height,
                deviceScaleFactor=1, mobile=False,
            )  # fmt: skip
            await tab.until(LOADED)
            wide = await tab.value("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (name, theme, width)
        assert await violations(tab) == [], (name, theme)
    await tab.call("Emulation.clearDeviceMetricsOverride")


async def visit(browser: Any, room: Any, path: str) -> Any:
    tab = await browser.tab()
    await tab.go(await asyncio.to_thread(room.link))
    await tab.go(room.url + path)
    await tab.until(FRESH)
    return tab


def clean(tab: Any, room: Any) -> None:
    """Nothing was wrong, and nobody else was asked."""
    assert tab.trouble == []
    assert [one for one in tab.asked if not one.startswith(room.url)] == []


async def test_the_contact_sheet_is_walked_by_keys_and_opens_a_photo(
    browser: Any, shot: Any
) -> None:
    """Arrows from thumb to thumb, Enter to the photo, its outline lies over it, N to the next."""
    at = f"/sessions/{shot.session}/photos"
    tab = await visit(browser, shot, f"{at}?sort=index")
    assert await tab.until("document.querySelectorAll('.sheet .thumb').length") == 12
    await look(tab, "photos")
    await tab.value("document.querySelector('.thumb').focus()")
    await tab.key("ArrowRight")
    assert await tab.value(FOCUSED) == f"{at}/2"
    await tab.key("ArrowLeft")
    await tab.key("Enter")
    await tab.until(f"location.pathname === '{at}/1' && document.readyState === 'complete'")
    await tab.until(FRESH)
    await look(tab, "photo")
    picture, outline = [
        await tab.value(f"JSON.stringify(document.querySelector('{one}').getBoundingClientRect())")
        for one in (".overlaid img", ".overlaid svg")
    ]
    assert json.loads(picture) == json.loads(outline)
    await tab.click("#frame-shown")
    await tab.until("getComputedStyle(document.querySelector('.overlaid svg')).display === 'none'")
    await tab.value("document.getElementById('main').focus()")
    await tab.key("n")
    await tab.until(f"location.pathname === '{at}/2' && document.readyState === 'complete'")
    clean(tab, shot)


async def test_thousands_of_thumbs_come_as_somebody_nears_them(browser: Any, shot: Any) -> None:
    """A thumb that was seen is asked for again as 304, not as a picture."""
    tab = await visit(browser, shot, f"/sessions/{shot.session}/photos")
    await tab.until(LOADED)
    await tab.go(f"{shot.url}/sessions/{shot.session}/photos?sort=index")
    await tab.until(LOADED)
    sent = await tab.value(
        "performance.getEntriesByType('resource').filter((r) => r.name.includes('/thumbnail'))"
        ".map((r) => [r.encodedBodySize, r.transferSize, r.deliveryType])"
    )
    assert sent
    assert [one for one in sent if one[1] >= 1000] == []
    clean(tab, shot)


async def test_a_dataset_is_looked_at_exported_and_checked(browser: Any, shot: Any) -> None:
    """The figures come by themselves; a form makes an export; the check's answer appears."""
    tab = await visit(browser, shot, "/datasets")
    await look(tab, "datasets")
    await tab.go(f"{shot.url}/datasets/c-v1.0")
    await tab.until(FRESH)
    await tab.until("document.querySelector('.row-bar rect') !== null")
    await look(tab, "dataset")
    await tab.click("[aria-labelledby='export-hf'] form button")
    await tab.until("document.querySelector('[aria-labelledby=export-hf] .is-good') !== null")
    await tab.click("#do-check")
    await tab.until("document.querySelector('#check .verdict') !== null")
    clean(tab, shot)


async def test_synthesis_shows_before_and_after(browser: Any, shot: Any) -> None:
    """The line is moved by keys; another recipe is chosen by the form."""
    tab = await visit(browser, shot, "/synthesis")
    await look(tab, "synthesis")
    await tab.value("document.querySelector('rig-compare input').focus()")
    await tab.key("ArrowRight")
    at = "document.querySelector('rig-compare').style.getPropertyValue('--at')"
    assert await tab.value(at) == "51%"
    await tab.value("document.getElementById('recipe').value = 'digital'")
    await tab.click("#do-show")
    ready = "document.readyState === 'complete'"
    await tab.until(f"location.search.includes('recipe=digital') && {ready}")
    await tab.until(LOADED)
    clean(tab, shot)
