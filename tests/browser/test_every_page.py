"""Every page of the dashboard, in every light, at every size, by keyboard: what each must hold.

`RIG_SCREENSHOTS=docs/screenshots` keeps pictures of all of them; docs/screenshots.md shows them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser_page_checks as checks
import browser_path_tools as tools
import browser_showroom as rooms
import pytest
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.system, pytest.mark.timeout(1500)]
SHOTS = os.environ.get("RIG_SCREENSHOTS")
FIRST = """window.firstNumber = new Promise((told) => {
  const now = () => told(performance.now());
  for (const kind of ["rig:tick", "rig:numbers"]) document.addEventListener(kind, now);
})"""
HEAVIEST = 320_000
"""Bytes that a page may send to a browser that was never here, pictures apart."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Everything is there, and what the pages show was made by the programs themselves."""
    rig = tools.Rig(tmp_path_factory.mktemp("rig"))
    try:
        one = rooms.Showroom(rig)
        one.furnish()
        one.open()
        yield one
    finally:
        rig.close()


@pytest.fixture
def person(chromium: Browser, room: Any) -> Iterator[Any]:
    """Anna, signed in at a desk."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, reduced_motion="reduce", permissions=[],
    )  # fmt: skip
    one = tools.Visitor(context, room.rig)
    one.go(room.rig.url + str(room.post("/api/sign-in-links")["path"]))
    one.page.evaluate("localStorage.setItem('operator', 'Anna')")
    yield one
    context.close()


class Walk:
    """Pages one after the other; what is wrong with them is told at the end, all together."""

    def __init__(self, person: Any, folder: Path) -> None:
        self.person, self.folder, self.told = person, folder, list[str]()

    def look(self, name: str, *, weigh: bool = True) -> None:
        """All checks of the page that is open, and its pictures."""
        page = self.person.page
        checks.settle(page)
        if weigh:
            self.weigh(name)
        if SHOTS:
            checks.photograph(page, Path(SHOTS), name, hide=str(self.folder))
        self.told += [f"{name}: {one}" for one in checks.everything(page)]

    def weigh(self, name: str) -> None:
        """Bytes of the page, as a browser that was never here gets them; told with `-s`."""
        fresh = self.person.page.context.browser.new_context(
            storage_state=self.person.page.context.storage_state(),
            viewport={"width": 1280, "height": 900},
        )
        with fresh:
            page = fresh.new_page()
            page.add_init_script(FIRST)
            page.goto(self.person.page.url, wait_until="load")
            first = ""
            if page.locator("body[data-live]").count():
                took = page.evaluate("window.firstNumber")
                first = f", first live number after {took:.0f} ms"
            count, sent, whole = checks.weight(page)
        told = f"{count} files, {sent / 1000:.0f} kB sent, {whole / 1000:.0f} kB unpacked"
        print(f"{name}: {told}{first}")
        if sent > HEAVIEST:
            self.told.append(f"{name}: {told}")

    def go(self, name: str, path: str, ready: str = "main") -> None:
        """Open *path*, wait for *ready*, look."""
        self.person.go(path)
        expect(self.person.page.locator(ready).first).to_be_visible()
        self.look(name)

    def end(self) -> None:
        """Nothing was wrong anywhere, in the console neither, and nobody else was asked."""
        assert not self.told, "\n".join(self.told)
        assert self.person.trouble == []


@pytest.fixture
def walk(person: Any, room: Any) -> Walk:
    return Walk(person, room.rig.folder)


def test_what_goes_in_and_how_it_is_planned(walk: Walk) -> None:
    """Catalogs, the queue of held images, campaigns with their matrix, stations, pairing."""
    walk.go("catalogs", "/catalogs", ".catalog")
    walk.go("catalog", "/catalogs/chest", ".sheet li")
    walk.go("review", "/catalogs/ward/review", "tbody tr")
    walk.person.page.click("tbody tr th a")
    walk.person.page.wait_for_selector(".review-one")
    walk.look("review-image")
    walk.go("campaigns", "/campaigns", "main a")
    walk.go("campaign-new", "/campaigns/new?catalog=chest", "#campaign-form")
    plan_one(walk.person.page)
    walk.look("campaign-new-preview", weigh=False)
    walk.go("campaign", "/campaigns/pilot", ".matrix")
    walk.go("hand-photos", "/campaigns/by-hand/hand", "#doubtful article")
    walk.go("stations", "/stations", ".station")
    walk.go("station", "/stations/room-1", "#display")
    walk.person.go("/stations")
    walk.person.page.fill("#station-name", "room-3")
    walk.person.page.click("#do-add")
    walk.person.page.wait_for_selector("#connect code.line")
    walk.look("station-new", weigh=False)
    walk.person.go("/stations/room-2/pair")
    walk.person.page.get_by_role("button", name="Make a code").click()
    walk.person.page.wait_for_selector("svg.qr")
    walk.look("pair")
    walk.go("phone-live", "/phone/live?station=room-1")
    walk.go("sessions", "/sessions", "tbody tr")
    walk.end()


def plan_one(page: Any) -> None:
    """Fill the form of a campaign and ask for its preview."""
    page.fill("#name", "autumn")
    page.fill("#device", "pixel")
    page.fill("#size_min", "12")
    page.fill("#size_max", "16")
    page.click("#do-preview")
    expect(page.locator("#preview")).to_contain_text("Subsets")


def test_a_session_in_all_its_states(walk: Walk, room: Any) -> None:
    """Before the start, the alignment shot, shooting, paused, aborted, finished."""
    page, session = walk.person.page, room.watched()
    at, api = f"/sessions/{session}", f"/api/sessions/{session}"
    walk.go("session-not-ready", at, "#preflight .is-bad")
    room.post(f"{api}/conditions", confirm_all=True, name="Anna")
    room.post(f"{api}/align")
    walk.person.go(f"{at}/alignment")
    walk.person.words("Ready to start|Could be better|Not yet")
    walk.look("alignment")
    if "Could be better" in page.locator("#words").inner_text():
        room.post(f"{api}/alignment/accept")
    walk.go("session-ready", at, "#do-start:enabled")
    page.click("#do-start")
    walk.person.words("^Shooting")
    expect(page.locator("#pictures img[alt^=Photo]")).to_be_visible()
    expect(page.locator("rect.t-good").first).to_be_visible()
    walk.look("session-live")
    page.click("#do-pause")
    walk.person.words("^Paused")
    walk.look("session-paused")
    room.post(f"{api}/abort")
    walk.person.words("Aborted")
    walk.look("session-aborted")
    page.check("#read")
    page.click("#do-rearm")
    expect(page.locator("#alarm .abort")).to_have_count(0)
    room.finish(session)
    walk.person.words("^Completed")
    expect(page.locator("#timeline")).to_contain_text(f"{rooms.SUBSET} photos arrived")
    walk.look("session-finished")
    walk.end()


def test_what_comes_out_of_it(walk: Walk, room: Any) -> None:
    """Home, batch, contact sheet, photo, re-shoot, dataset, synthesis, jobs, audit, settings."""
    room.built()
    failed = room.failed()
    batch = f"/sessions/{rooms.BATCH}"
    walk.go("home", "/", "main section")
    walk.go("batch", batch, "#timeline")
    walk.go("contact-sheet", f"{batch}/photos", ".thumb img")
    walk.go("photo", f"{batch}/photos/2", ".overlaid img")
    walk.go("re-shoot", f"{batch}/reshoot", "#list tbody tr")
    walk.go("datasets", "/datasets", ".dataset-list a, main a")
    walk.go("dataset", "/datasets/pilot-v1.0", ".row-bar rect")
    walk.go("synthesis", "/synthesis", "rig-compare img")
    walk.go("catalog-import", f"/catalogs/imports/{failed}", "#import")
    walk.go("jobs", "/jobs", "#ended article, #ended li")
    walk.go("audit", "/audit", "tbody tr")
    walk.go("settings", "/settings", ".findings li")
    walk.end()


def test_what_strangers_and_phones_see(walk: Walk, room: Any, chromium: Browser) -> None:
    """Sign-in, a used link, a page that is not there, the phone's own pages."""
    code = room.post("/api/stations/room-2/codes")["code"]
    walk.person.forgiven = True
    walk.go("not-found", "/nothing-is-here", "main h1")
    walk.person.page.context.clear_cookies()
    walk.go("sign-in", "/sign-in", "#token")
    walk.go("phone", f"/phone?c={code}", "code.line")
    walk.go("phone-wrong-code", "/phone?c=ABCD2345", "main h1")
    walk.end()


def test_a_page_that_lost_its_controller(walk: Walk, room: Any) -> None:
    """Grey, with its age in words, and still to be read; it comes back by itself."""
    walk.person.go("/phone/live?station=room-1")
    checks.settle(walk.person.page)
    walk.person.forgiven = True
    room.rig.controller.end(signal.SIGKILL)
    expect(walk.person.page.locator("#freshness")).to_contain_text("No contact with the controller")
    walk.look("controller-lost", weigh=False)
    room.rig.serve()
    expect(walk.person.page.locator("#freshness")).to_have_attribute("data-link", "fresh")
    walk.end()


def test_a_rig_with_nothing_in_it(chromium: Browser, tmp_path: Path) -> None:
    """Every empty page says what to do first."""
    rig = tools.Rig(tmp_path)
    try:
        link = rig.serve()
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        with context:
            person = tools.Visitor(context, rig)
            person.go(link)
            walk = Walk(person, rig.folder)
            walk.go("home-empty", "/", ".steps")
            walk.go("catalogs-empty", "/catalogs", "#do-import")
            walk.go("stations-empty", "/stations", "#do-add")
            walk.go("datasets-empty", "/datasets")
            walk.end()
    finally:
        rig.close()
