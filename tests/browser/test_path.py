"""The whole path of a person in a real Chromium, from a fresh `rig serve` to a dataset downloaded.

Display agent and phone agent are the real programs; the camera photographs what the display shows.
Nothing but the two commands that the pages print is typed into a terminal.
"""

from __future__ import annotations

import re
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import browser_path_tools as tools
import pytest
from playwright.sync_api import Browser, expect

from rig.sample import csv_path, data_dir

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
XRAYS = 20
SETTLE_MS = 4500
"""From paint to photo: slow enough for a person to pause."""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Any]:
    one = tools.Rig(tmp_path)
    yield one
    one.close()


@pytest.fixture
def visit(chromium: Browser, rig: Any) -> Callable[[], Any]:
    """Browsers with cookies of their own."""

    def make() -> Any:
        return tools.Visitor(chromium.new_context(viewport={"width": 1280, "height": 1000}), rig)

    return make


def sample(folder: Path, *, bad: bool = False) -> Path:
    """A zip of a CSV with a few real x-rays, as a person's computer would send it."""
    lines = csv_path().read_text(encoding="utf-8").splitlines(keepends=True)[: XRAYS + 1]
    paths = [line.split(",")[0] for line in lines[1:]]
    if bad:
        lines[3] = lines[3].replace(",Frontal,", ",Sideways,").replace(",Lateral,", ",Sideways,")
    target = folder / "catalog.zip"
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("train.csv", "".join(lines))
        for path in paths:
            file = data_dir() / path
            file = file if file.exists() else data_dir() / path.split("/", 1)[1]
            archive.write(file, path)
    return target


def import_upload(person: Any, folder: Path) -> None:
    """A zip with one bad row: it is named with its line, and the others are imported."""
    page = person.page
    person.go("/catalogs")
    person.look("catalogs-empty")
    page.fill("#upload-name", "xrays")
    page.set_input_files("#upload-zip", sample(folder, bad=True))
    page.click("#do-upload")
    page.wait_for_url("**/catalogs/imports/*")
    expect(page.locator("#import")).to_contain_text("1 row cannot be used")
    row = page.locator("#import tbody tr")
    expect(row.locator("th")).to_have_text("4")
    expect(row).to_contain_text("Sideways")
    person.look("catalog-import-refused")
    page.click("#do-skip")
    expect(page.locator("#import")).to_contain_text(
        f"{XRAYS - 1} x-rays are in the catalog",
    )
    page.click("text=Look at the x-rays")
    expect(page.locator(".xrays li")).to_have_count(XRAYS - 1)
    person.look("catalog")


def import_path(person: Any, folder: Path) -> None:
    """Files on the controller's disk; a wrong path comes back in words, what was typed stays."""
    page, csv = person.page, folder / "train.csv"
    lines = csv_path().read_text(encoding="utf-8").splitlines(keepends=True)
    csv.write_text("".join(lines[: XRAYS + 1]), encoding="utf-8")
    person.go("/catalogs")
    page.fill("#path-name", "chest")
    page.fill("#csv", "train.csv")
    page.fill("#data_dir", str(data_dir()))
    person.forgiven = True
    page.click("#do-import")
    expect(page.locator(".banner[role=alert]:visible")).to_contain_text("must be whole")
    person.forgiven = False
    page.fill("#csv", str(csv))
    page.click("#do-import")
    expect(page.locator("#import")).to_contain_text(
        f"{XRAYS} x-rays are in the catalog",
    )
    person.go("/catalogs")
    person.look("catalogs")


def plan(person: Any) -> None:
    """A campaign with two factors: its cost is seen before it is kept."""
    page = person.page
    person.go("/campaigns/new?catalog=chest")
    person.look("campaign-new")
    page.fill("#name", "pilot")
    page.fill("#device", "loopback")
    page.fill("#size_min", str(XRAYS // 2))
    page.fill("#size_max", str(XRAYS // 2))
    page.fill("#settle_ms", str(SETTLE_MS))
    for box in page.locator("input[name=use]").all():
        box.uncheck()
    page.get_by_label("Vary factor 2, room_light").check()
    page.get_by_label("Vary factor 3, blinds").check()
    page.click("#do-preview")
    expect(page.locator("#preview")).to_contain_text("Subsets2")
    person.look("campaign-new-preview")
    page.click("#do-create")
    page.wait_for_url("**/campaigns/pilot")
    expect(page.locator(".matrix a.cell")).to_have_count(2)
    expect(page.locator("#balance-body")).to_contain_text("Labels and environments")
    person.look("campaign-planned")


def connect_display(person: Any, rig: Any) -> Any:
    """The one command of the page, run as it stands there (and told to have no monitor)."""
    page = person.page
    person.go("/stations")
    person.look("stations-empty")
    page.fill("#station-name", "room-1")
    page.click("#do-add")
    line = page.locator("#connect code.line").first.inner_text()
    person.look("station-command")
    program, *words = line.split()
    assert program == "display-agent"
    display = rig.run(
        "display", "display_agent.cli", *words, "--screen", "null", "--listen", "127.0.0.1:0",
        "--frames", "127.0.0.1:0", "--state", str(rig.folder / "display"), "--json",
    )  # fmt: skip
    expect(page.locator("#display .state")).to_have_text("connected")
    return display


def pair_phone(person: Any, rig: Any, display: Any) -> Any:
    """Code and QR on the page; the phone's own line, less the part that installs it."""
    page = person.page
    person.go("/stations/room-1/pair")
    page.get_by_role("button", name="Make a code").click()
    expect(page.locator("svg.qr").first).to_be_visible()
    person.look("pair")
    where, code = page.locator("code.line").first.inner_text().split()[-2:]
    frames = display.said("frames")["frames"]
    phone = rig.run(
        "phone", "phone_agent.cli", where, code, "--dir", str(rig.folder / "phone"),
        "--camera", f"loopback:{frames}", "--upload", "during", "--json",
    )  # fmt: skip
    expect(page.locator("#phone")).to_contain_text("paired")
    expect(page.locator("#code")).to_have_count(0)
    expect(page.locator("#phone")).to_contain_text("ok")
    person.look("paired")
    return phone


def prepare(person: Any) -> str:
    """A session of the plan's next subset; it is red until room and alignment are confirmed."""
    page = person.page
    person.go("/campaigns/pilot")
    page.click("#do-prepare-1")
    page.wait_for_url("**/sessions/s*")
    path = urlsplit(page.url).path
    expect(page.locator("#do-start")).to_be_disabled()
    expect(page.locator("#preflight .is-bad")).not_to_have_count(0)
    person.look("start-red")
    tools.confirm(page)
    return path


def align(person: Any, path: str) -> None:
    """The alignment shot: asked for on its page, taken by the phone, judged in words."""
    page = person.page
    person.go(f"{path}/alignment")
    page.click("#do-align")
    person.words("Ready to start|Could be better|Not yet")
    person.look("alignment")
    if "Could be better" in page.locator("#words").inner_text():
        page.click("#do-accept")
        person.words("Ready to start")
    person.go(path)
    expect(page.locator("#preflight .is-bad")).to_have_count(0)
    expect(page.locator("#do-start")).to_be_enabled()
    person.look("start-ready")


def test_from_an_empty_rig_to_a_dataset_downloaded(visit: Any, rig: Any, tmp_path: Path) -> None:
    """Import, plan, connect, pair, preflight, start; pause and resume twice; a kill; the batch;
    one photo shot again; the dataset built, looked at and downloaded."""
    link = rig.serve()
    person = visit()
    page = person.page
    person.go("/")
    page.wait_for_url("**/sign-in")
    person.look("sign-in")
    person.go(link)
    page.wait_for_url(f"{rig.url}/")
    expect(page.locator(".steps [aria-current]")).to_contain_text("Import the x-rays")
    person.look("home-empty")

    import_upload(person, tmp_path)
    import_path(person, tmp_path)
    plan(person)
    display = connect_display(person, rig)
    pair_phone(person, rig, display)
    person.go("/")
    person.look("home-ready")
    path = prepare(person)
    align(person, path)

    page.click("#do-start")
    shoot(person, rig)
    batch(person, rig, path)
    tools.shoot_one_again(person, path, photos=XRAYS // 2)
    tools.dataset(person, tmp_path, photos=XRAYS // 2, twins=XRAYS)
    assert person.trouble == []


def shoot(person: Any, rig: Any) -> None:
    """Pause and resume twice, reload in between; kill the controller, restart it, resume."""
    page = person.page
    person.words("^Shooting")
    for round_ in (1, 2):
        page.click("#do-pause")
        person.words("^Paused")
        kept = person.kept()
        assert kept < XRAYS // 2, "it was over before it was paused"
        if round_ == 1:
            person.look("session-paused")
            page.reload()
            person.words("^Paused")
            assert person.kept() == kept
        page.keyboard.press("Space")  # as the button says
        person.words("^Shooting")
    expect(page.locator("#pictures img[alt^=Photo]")).to_be_visible()

    person.forgiven = True
    rig.controller.end(signal.SIGKILL)
    expect(page.locator("#freshness")).to_contain_text("No contact with the controller")
    rig.serve()
    # The station went on by itself, or waits to be told: either way nobody types a command.
    expect(page.locator("#freshness")).to_have_attribute("data-link", "fresh")
    page.reload()
    person.forgiven = False
    person.words("^(Shooting|Interrupted|Paused|Completed)")
    if re.match("Interrupted|Paused", page.locator("#words").inner_text()):
        page.click("#do-resume")


def batch(person: Any, rig: Any, path: str) -> None:
    """Every photo arrives and is looked at, without a reload; the plan says so."""
    page = person.page
    size = XRAYS // 2
    person.words("^Completed")
    expect(page.locator("#timeline")).to_contain_text(
        f"{size} photos arrived, {size} shown to be right, 0 rejected",
    )
    expect(page.locator("rect.t-good")).to_have_count(size)
    assert person.kept() == size
    person.look("session-completed")
    person.go("/campaigns/pilot")
    expect(page.locator(".matrix .is-good")).to_have_count(1)
    person.look("campaign-half")
    for name, at in (
        ("home", "/"), ("campaigns", "/campaigns"), ("sessions", "/sessions"),
        ("stations", "/stations"), ("station", "/stations/room-1"), ("audit", "/audit"),
        ("phone-live", "/phone/live?station=room-1"), ("reshoot", f"{path}/reshoot"),
        ("hand", "/campaigns/pilot/hand"), ("balance", "/campaigns/pilot/balance"),
    ):  # fmt: skip
        person.go(at)
        person.look(name)
    names = [one.name for one in (rig.folder / "phone" / "photos").glob("*.jpg")]
    assert len(names) >= size


def test_two_operators_see_who_has_a_session_in_hand(visit: Any, rig: Any, tmp_path: Path) -> None:
    """One takes it; the other's command is refused with the name; asked for, it is handed over."""
    anna, ben = visit(), visit()
    anna.go(rig.serve())
    for one, name in ((anna, "Anna"), (ben, "Ben")):
        if one is ben:
            ben.go(link_for_another(anna))
        one.page.click("#who")
        one.page.fill("#operator-name", name)
        one.page.click("#name-keep")
        expect(one.page.locator("#who-text")).to_have_text(name)
    import_path(anna, tmp_path)
    plan(anna)
    connect_display(anna, rig)
    anna.go("/campaigns/pilot")
    anna.page.click("#do-prepare-1")
    anna.page.wait_for_url("**/sessions/s*")
    anna.page.click("#do-take")
    expect(anna.page.locator("#lock")).to_contain_text("You have this session in hand")

    ben.go(urlsplit(anna.page.url).path)
    expect(ben.page.locator("#lock")).to_contain_text("Anna has this session in hand")
    ben.forgiven = True
    ben.page.click("#ask-stop")
    ben.page.click("#do-stop")
    expect(ben.page.locator("#problem")).to_contain_text("Anna")
    ben.page.click("#problem-read")
    ben.forgiven = False
    ben.page.click("#do-ask")
    ben.look("session-in-hand")
    anna.page.get_by_role("button", name="Hand it to Ben").click()
    expect(ben.page.locator("#lock")).to_contain_text("You have this session in hand")
    expect(anna.page.locator("#lock")).to_contain_text("Ben has this session in hand")

    ben.page.click("#ask-stop")
    ben.page.click("#do-stop")
    expect(ben.page.locator("#words")).to_contain_text("Stopped")
    ben.go("/audit")
    expect(ben.page.locator("tbody")).to_contain_text("Hand the session over")
    refused = ben.page.locator("tr", has_text="refused")
    expect(refused.first).to_contain_text("Ben")
    assert anna.trouble == ben.trouble == []


def link_for_another(person: Any) -> str:
    """A one-time link for another browser, as a signed-in person can make."""
    answer = person.page.evaluate(
        "fetch('/api/sign-in-links', {method: 'POST'}).then((answer) => answer.json())"
    )
    return person.rig.url + str(answer["path"])
