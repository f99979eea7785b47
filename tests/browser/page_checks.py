"""What every page must hold, whoever looks at it: asked of a page that is open in Playwright.

The numbers are of WCAG 2.2: 1.4.4 and 1.4.10 (zoom), 2.3.3 (motion), 2.4.7 and 2.4.11 (focus),
1.4.1 (colour), beside what axe knows. Each check gives sentences; none when all is well.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from PIL import Image

DESK, TABLET = (1280, 900), (768, 1024)
ZOOMED = ((640, 450), (320, 256))
"""A desk of 1280 by 900 at 200 %, and 320 px: 1280 at 400 %."""
THEMES = ("dark", "light", "room")
TABS = 150
"""Presses of the Tab key after which a page has no end."""
HIGHEST = 1500
"""Pixels of a kept picture; pages that are longer are lists that go on like this."""

SCRIPT = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")


def ask(page: Any, name: str, told: Any = None) -> Any:
    """What the function *name* of page_checks.js says of *page*."""
    return page.evaluate(f"(told) => ({SCRIPT}).{name}(told)", told)


def settle(page: Any) -> None:
    """Pictures and letters are there, and the event stream speaks where there is one."""
    page.wait_for_load_state("load")
    if page.locator("#freshness").count():
        page.wait_for_selector("#freshness[data-link=fresh], #freshness[data-link=stale]")
    ask(page, "ready")


def show(page: Any, theme: str, size: tuple[int, int]) -> None:
    """*page* as somebody sees it who prefers *theme*, in a window of *size* CSS pixels."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)


def everything(page: Any) -> list[str]:
    """All checks in turn; the page is left as it was, at a desk and dark."""
    page.emulate_media(reduced_motion="reduce")
    told = still(page) + by_axe(page) + zoomed(page) + focused(page) + colour(page)
    show(page, "dark", DESK)
    return told


def by_axe(page: Any) -> list[str]:
    """axe in every light; WCAG 2.2 A and AA and its best practices."""
    told = []
    for theme in THEMES:
        show(page, theme, DESK)
        for found in Axe().run(page).response["violations"]:
            nodes = [f"{n['html'][:100]} {n['failureSummary'][:160]}" for n in found["nodes"][:4]]
            told += [f"axe, {theme}: {found['id']}: {node}" for node in nodes]
    return told


def zoomed(page: Any) -> list[str]:
    """Nothing is cut off or beside the window at 200 % and at 320 px, nor on a desk or a tablet."""
    told = []
    for size in (DESK, TABLET, *ZOOMED):
        show(page, "dark", size)
        told += [f"{size[0]} px: {one}" for one in ask(page, "clipped")]
    return told


def still(page: Any) -> list[str]:
    """Nothing moves or would move for somebody who asks for less motion."""
    return [f"motion: {one}" for one in ask(page, "moving")]


def focused(page: Any) -> list[str]:
    """Tab reaches everything that can be used; each shows that it has the focus and is in sight."""
    show(page, "dark", DESK)
    ask(page, "mark")
    told, ends = [], 0
    for _ in range(TABS):
        page.keyboard.press("Tab")
        said = ask(page, "focus")
        ends += said is None  # a page that put the focus itself is begun in its middle
        if ends > 1 or said == "again":
            break
        told += [f"focus: {said}"] if said else []
    return told + [f"focus: not reached: {one}" for one in ask(page, "left")]


def colour(page: Any) -> list[str]:
    """Every state has a word and a shape beside its colour."""
    return [f"colour: {one}" for one in ask(page, "byColour")]


def weight(page: Any) -> tuple[int, int, int]:
    """Files, bytes that were sent and bytes that they came to; pictures and API left out."""
    count, sent, whole = ask(page, "weight")
    return int(count), int(sent), int(whole)


def photograph(page: Any, folder: Path, name: str, *, hide: str = "") -> None:
    """Keep *page* in dark and light, on a desk and a tablet; *hide*, a folder, becomes `~/rig`."""
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("dark", "light"):
        for size in (DESK, TABLET):
            show(page, theme, size)
            page.evaluate("() => scrollTo(0, 0)")
            ask(page, "ready")
            if hide:
                ask(page, "hide", [hide, "~/rig"])
            tall = int(page.evaluate("document.documentElement.scrollHeight"))
            clip = {"x": 0, "y": 0, "width": size[0], "height": min(max(tall, 1), HIGHEST)}
            data = page.screenshot(full_page=True, clip=clip)
            keep(data, folder / f"{name}-{theme}-{size[0]}.webp")
    show(page, "dark", DESK)


def keep(png: bytes, target: Path) -> None:
    """A screenshot as a small file."""
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").save(target, "WEBP", quality=60, method=6)
