"""The pictures in docs/screenshots and the page that shows them belong together."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "screenshots"
WAYS = {f"{theme}-{width}" for theme in ("dark", "light") for width in (1280, 768)}
MOST = 8_000_000
"""Bytes of all of them: everybody who clones the project gets them."""


def test_every_picture_is_shown_and_every_link_leads_to_one() -> None:
    told = (DOCS / "screenshots.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"screenshots/([a-z0-9-]+\.webp)", told))
    assert linked == {file.name for file in FOLDER.iterdir()}


def test_each_page_is_there_dark_and_light_on_a_desk_and_a_tablet() -> None:
    pages: dict[str, set[str]] = {}
    for file in FOLDER.glob("*.webp"):
        name, theme, width = file.stem.rsplit("-", 2)
        pages.setdefault(name, set()).add(f"{theme}-{width}")
        with Image.open(file) as picture:
            assert picture.width == int(width), file.name
    assert len(pages) > 30
    assert {name for name, ways in pages.items() if ways != WAYS} == set()


def test_they_are_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < MOST
