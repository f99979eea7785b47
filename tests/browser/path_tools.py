"""Real programs of the rig and a person at a browser, for the tests that walk the whole path."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

PATIENCE = 120_000
"""Milliseconds; machines that run many tests at once are slow."""
expect.set_options(timeout=PATIENCE)


def until(condition: Callable[[], Any], sentence: str) -> Any:
    """Poll real processes: they have their own clocks, so this one is the wall's."""
    end = time.monotonic() + PATIENCE / 1000
    while not (found := condition()):
        assert time.monotonic() < end, sentence
        time.sleep(0.1)
    return found


class Program:
    """One program of the rig as a child."""

    def __init__(self, folder: Path, name: str, module: str, *words: str) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self._command = [sys.executable, "-m", module, *words]
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def said(self, key: str) -> dict[str, Any]:
        """The newest JSON line that holds *key*."""

        def look() -> dict[str, Any] | None:
            lines = self.log.read_text(errors="replace").splitlines()
            found = [json.loads(one) for one in lines if one.startswith("{") and f'"{key}"' in one]
            return found[-1] if found else None

        return dict(until(look, f"{self.name} says no {key}: {self.log.read_text()[-1500:]}"))

    def end(self, signum: int = signal.SIGTERM) -> None:
        if self._child is not None:
            if self._child.poll() is None:
                self._child.send_signal(signum)
            self._child.wait(60)
            self._child = None


class Rig:
    """Programs in one folder; the controller keeps its port over a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs: list[Program] = []
        self.port = "0"
        self.url = ""

    def serve(self) -> str:
        """Start the controller; the one-time link that it prints."""
        words = ("serve", "--home", str(self.folder / "home"), "--port", self.port, "--json")
        name = f"controller-{len(self._programs)}"
        self.controller = self.run(name, "rig.cli", *words)
        told = self.controller.said("sign_in")
        self.url = told["url"]
        self.port = str(urlsplit(self.url).port)
        return str(told["sign_in"])

    def run(self, name: str, module: str, *words: str) -> Program:
        program = Program(self.folder, name, module, *words)
        self._programs.append(program)
        program.start()
        return program

    def close(self) -> None:
        for program in reversed(self._programs):
            program.end()


class Visitor:
    """A person at a browser: what goes wrong in it is gathered, and fails the test."""

    def __init__(self, context: BrowserContext, rig: Rig) -> None:
        self.rig, self.trouble = rig, list[str]()
        context.set_default_timeout(PATIENCE)
        context.on("request", self._foreign)
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        self.page.on("response", self._bad)
        self.forgiven = False

    def go(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else self.rig.url + path)

    def look(self, name: str) -> None:
        """The page *name* can be used by everybody, as far as a program can tell."""
        expect(self.page.locator("main")).to_be_visible()
        found = Axe().run(self.page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"

    def words(self, pattern: str) -> None:
        expect(self.page.locator("#words")).to_have_text(re.compile(pattern))

    def kept(self) -> int:
        return int(self.page.locator(".huge").inner_text().strip())

    def _foreign(self, request: Any) -> None:
        if not request.url.startswith((self.rig.url, "about:", "blob:")):
            self.trouble.append(f"a request to {request.url}")

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not self.forgiven:
            self.trouble.append(f"console: {message.text}")

    def _bad(self, response: Any) -> None:
        if response.status >= 400 and not self.forgiven:
            self.trouble.append(f"{response.status} {response.url}")


def confirm(page: Page) -> None:
    """The room is as the plan wants it: every level is ticked, with a name."""
    for box in page.locator("#conditions input[name=factor]").all():
        box.check()
    page.fill("#condition-name", "Anna")
    page.click("#do-confirm")
    expect(page.locator("#conditions .state-completed").first).to_be_visible()


def shoot_one_again(person: Visitor, path: str, *, photos: int) -> None:
    """From the contact sheet to a photo that somebody does not like, and a new one of it."""
    page = person.page
    person.go(f"{path}/photos?sort=index")
    expect(page.locator(".sheet .thumb")).to_have_count(photos)
    person.look("contact-sheet")
    page.locator(".sheet .thumb").nth(2).click()
    page.wait_for_url("**/photos/3")
    expect(page.locator(".overlaid img")).to_be_visible()
    person.look("photo")
    person.go(path)
    page.click("#ask-reshoot")
    page.fill("#reshoot-indices", "3")
    page.click("#do-reshoot")
    page.wait_for_url(lambda url: urlsplit(url).path not in {path, "/sessions/"})
    # Somebody may have moved something: the room is confirmed anew, the alignment still holds.
    confirm(page)
    expect(page.locator("#preflight .is-bad")).to_have_count(0)
    page.click("#do-start")
    person.words("^Completed")
    expect(page.locator("#timeline")).to_contain_text("1 photo arrived, 1 shown to be right")


def dataset(person: Visitor, folder: Path, *, photos: int, twins: int) -> None:
    """Built as a job, its figures and pictures on a page, and all of it in one file."""
    page = person.page
    person.go("/datasets")
    page.select_option("#synthetic", "digital")
    page.click("#do-build")
    page.wait_for_url("**/jobs*")
    expect(page.locator("main")).to_contain_text(f"{photos} photos")
    person.look("jobs")
    person.go("/datasets")
    page.click("text=pilot-v1.0 >> nth=0")
    expect(page.locator(".row-bar rect").first).to_be_visible()
    expect(page.locator("main img").first).to_be_visible()
    person.look("dataset")
    with page.expect_download() as sent:
        page.click("text=Download as tar")
    sent.value.save_as(folder / "dataset.tar")
    with tarfile.open(folder / "dataset.tar") as archive:
        names = archive.getnames()
        (table,) = (name for name in names if name.endswith("/train.csv"))
        rows = archive.extractfile(table).read().decode().splitlines()  # type: ignore[union-attr]
    assert len([row for row in rows if "/loopback/" in row or "/natural/" in row]) == photos, rows
    assert len([name for name in names if name.endswith(".jpg")]) == photos + twins
