"""The queue of held images in a real browser: boxes drawn, changed and removed; each decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser_page_checks as checks
import browser_path_tools as tools
import browser_showroom as rooms
import pytest
from playwright.sync_api import Browser, expect

from rig.dicom import reviews

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
AT = "/catalogs/ward/review"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Any]:
    """A controller whose import `ward` holds three images: two with letters, one odd."""
    one = tools.Rig(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    with rooms.Database.open(home / "rig.db") as database:
        rooms.held(home, rooms.imported(database, home))
    try:
        one.link = one.serve()
        yield one
    finally:
        one.close()


@pytest.fixture
def person(chromium: Browser, rig: Any) -> Iterator[Any]:
    """Dr Ng at a desk, on the page of the queue."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    one = tools.Visitor(context, rig)
    one.go(rig.link)
    one.go(AT)
    yield one
    context.close()


def boxes(page: Any) -> list[list[int]]:
    """The boxes as the fields below the picture tell them."""
    script = """(all) => all.map((one) =>
      [...one.querySelectorAll("input")].map((side) => Number(side.value)))"""
    return list(page.eval_on_selector_all("#review-fields fieldset", script))


def clear(page: Any) -> None:
    """No box is left; the one button does it."""
    page.click("#review-clear")
    expect(page.locator(".review-one")).to_have_count(0)
    expect(page.locator("#review-told")).to_have_text("Nothing will be blanked.")


def near(found: list[int], wanted: list[int], by: int = 3) -> bool:
    """A pixel of the screen is more than one of the picture."""
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


class Picture:
    """The picture as it lies on the screen; `at` is where a pixel of the image is."""

    def __init__(self, page: Any) -> None:
        page.locator("#review-boxes").scroll_into_view_if_needed()
        page.evaluate("document.getElementById('review-boxes').scrollIntoView({block: 'start'})")
        self._mouse = page.mouse
        seen = page.locator("#review-boxes").bounding_box()
        wide = int(page.get_attribute("#review-boxes", "data-width"))
        self._left, self._top, self._scale = seen["x"], seen["y"], seen["width"] / wide

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press at *start*, let go at *end*; pixels of the image."""
        for step, (x, y) in enumerate((start, end)):
            self._mouse.move(self._left + x * self._scale, self._top + y * self._scale, steps=4)
            if step == 0:
                self._mouse.down()
        self._mouse.up()


def decided(rig: Any, page_url: str) -> Any:
    return reviews.load(rig.folder / "home", page_url.rstrip("/").rsplit("/", 1)[1])


def test_boxes_are_drawn_changed_and_accepted_by_mouse(person: Any, rig: Any) -> None:
    """The suspected ones are there; one is drawn, moved, made larger; a click takes one away."""
    page = person.page
    assert page.locator("tbody tr").count() == 3
    page.locator("tbody tr th a").nth(0).click()
    expect(page.locator(".review-one")).to_have_count(2)
    suspected = boxes(page)
    clear(page)
    picture = Picture(page)
    picture.drag((300, 200), (500, 260))
    expect(page.locator(".review-one")).to_have_count(1)
    assert near(boxes(page)[0], [300, 200, 500, 260])
    picture.drag((400, 230), (440, 330))
    assert near(boxes(page)[0], [340, 300, 540, 360], 6)
    left, top, right, bottom = boxes(page)[0]
    picture.drag((right, bottom), (right + 60, bottom + 40))
    assert near(boxes(page)[0], [left, top, right + 60, bottom + 40], 6)
    picture.drag((20, 20), (20, 20))
    expect(page.locator(".review-one")).to_have_count(1)
    page.click("#review-suspected")
    assert boxes(page) == suspected
    page.get_by_role("button", name="Delete box 1").click()
    assert boxes(page) == suspected[1:]
    here = page.url
    page.fill("#review-by", "Dr Ng")
    page.fill("#review-note", "the lower line stays")
    expect(page.locator("#review-accept")).to_have_text("Accept, blank 1 box")
    page.click("#review-accept")
    page.wait_for_url(lambda url: url != here)
    kept = decided(rig, here)
    assert (kept.decision, kept.by, kept.note) == ("accept", "Dr Ng", "the lower line stays")
    assert [list(one) for one in kept.boxes] == suspected[1:]
    assert person.trouble == []


def test_everything_can_be_decided_without_a_mouse(person: Any, rig: Any) -> None:
    """Tab to a box; arrows move it, Shift with arrows its size, Delete removes it; then none."""
    page = person.page
    first = page.locator("tbody tr th a").nth(0)
    first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".review-one")).to_have_count(2)
    expect(page.locator("#review-frame")).to_be_visible()
    here = page.url
    page.locator("#review-frame").focus()
    page.keyboard.press("Tab")
    assert "Box 1" in str(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    left, top, right, bottom = boxes(page)[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    assert boxes(page)[0] == [left + 1, top + 10, right + 2, bottom + 10]
    said = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert f"left {left + 1}, top {top + 10}" in str(said)
    page.keyboard.press("Delete")
    expect(page.locator(".review-one")).to_have_count(1)
    page.keyboard.press("Delete")
    expect(page.locator(".review-one")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "review-add", "the focus is not lost"
    page.keyboard.press("Enter")
    expect(page.locator(".review-one")).to_have_count(1)
    page.locator("#box-0-left").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    page.keyboard.press("Tab")
    assert boxes(page)[0][0] == 7
    clear(page)
    page.locator("#review-by").focus()
    page.keyboard.type("Dr Ng")
    page.keyboard.press("Enter")
    assert page.url == here, "Enter in a field decides nothing"
    page.locator("#review-accept").focus()
    expect(page.locator("#review-accept")).to_have_text("Accept, nothing to blank")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url != here)
    kept = decided(rig, here)
    assert (kept.decision, kept.boxes) == ("accept", ())
    assert person.trouble == []


def test_an_image_is_refused_and_the_list_says_so(person: Any, rig: Any) -> None:
    """Nothing is decided without a name; both states of both pages can be used by everybody."""
    page = person.page
    checks.settle(page)
    assert checks.everything(page) == []
    page.locator("tbody tr th a").nth(1).click()
    page.wait_for_selector(".review-one")
    checks.settle(page)
    assert checks.everything(page) == []
    here = page.url
    page.fill("#review-by", "")
    page.click("#review-refuse")
    assert page.url == here, "nobody said who decides"
    page.fill("#review-by", "Dr Ng")
    page.click("#review-refuse")
    page.wait_for_url(lambda url: url != here)
    assert decided(rig, here).decision == "refuse"
    person.go(AT)
    refused = page.locator("tbody tr", has_text="refused")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("by Dr Ng")
    expect(page.locator("#held")).to_contain_text("2 wait, 0 accepted, 1 refused")
    assert checks.by_axe(page) == []
    person.go(here)
    expect(page.locator("#image-title .state")).to_have_text("refused")
    expect(page.locator("main")).to_contain_text("A new decision replaces this one")
    assert checks.by_axe(page) == []
    assert person.trouble == []
