"""What the person at the phone sees in legacy mode: the same page and status line."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from PIL import Image

from phone_agent.cameras import CameraFault
from phone_agent.legacy import LegacyAgent, LegacyConfig
from phone_agent.page import StatusPage
from phone_agent.status import Status
from phone_agent.surroundings import Surroundings
from phone_agent.terminal import Terminal, status_line
from phone_agent.view import Snapshot, View

NAME = "{0}__40__patient1__study1__view1_frontal.jpg"


class Camera:
    """Takes grey photos; fails with what *faults* holds first."""

    name = "fake"

    def __init__(self) -> None:
        self.faults: list[CameraFault] = []

    def shoot(self, target: Path, deadline_s: float) -> None:
        if self.faults:
            raise self.faults.pop(0)
        Image.new("L", (16, 9), 7).save(target, "JPEG")

    def probe(self) -> dict[str, str | int | bool]:
        return {}

    def cancel(self) -> None:
        pass


class Rig:
    """One agent with its page, and the client that asks it."""

    def __init__(self, folder: Path, camera: Camera) -> None:
        self.view = View()
        self.page = StatusPage(("127.0.0.1", 0), self.view)
        around = Surroundings(view=self.view, page=self.page, checks=False)
        config = LegacyConfig(folder, 0, 3, "127.0.0.1")
        self.out = io.StringIO()
        self.agent = LegacyAgent(config, camera, Status(self.out, json_lines=True), around)
        self.task = asyncio.create_task(self.agent.run())

    async def port(self) -> int:
        while True:
            for line in map(json.loads, self.out.getvalue().splitlines()):
                if line.get("kind") == "ready":
                    assert self.page.url in line["text"]
                    return int(line["text"].split("127.0.0.1:")[1].split(";")[0])
            assert not self.task.done()
            await asyncio.sleep(0.01)

    async def ask(self, number: int, *, patience: float = 20.0) -> str:
        port = await self.port()

        def once() -> str:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(patience)
                sock.sendto(f"{number}|{NAME.format(number)}".encode(), ("127.0.0.1", port))
                try:
                    return sock.recv(1024).decode()
                except TimeoutError:
                    return ""

        return await asyncio.to_thread(once)

    async def get(self, path: str) -> bytes:
        opener = build_opener(ProxyHandler({}))
        return bytes(await asyncio.to_thread(lambda: opener.open(self.page.url + path).read()))

    async def status(self) -> dict[str, Any]:
        return dict(json.loads(await self.get("status.json")))

    async def stop(self) -> None:
        self.agent.stop()
        await self.task


@pytest.fixture
async def make_rig(tmp_path: Path) -> AsyncIterator[Callable[[Camera], Rig]]:
    """Starts agents in one folder and stops them."""
    made: list[Rig] = []

    def make(camera: Camera) -> Rig:
        made.append(Rig(tmp_path / "d", camera))
        return made[-1]

    yield make
    for one in made:
        if not one.task.done():
            await one.stop()


async def test_the_page_shows_the_last_photo_and_its_name(
    make_rig: Callable[[Camera], Rig], tmp_path: Path
) -> None:
    """Number, name, how many so far; no link, for the client is silent between two photos."""
    rig = make_rig(Camera())
    assert await rig.ask(3) == f"OK|{NAME.format(3)}"
    said = await rig.status()
    assert (said["state"], said["index"], said["name"]) == ("armed", 3, NAME.format(3))
    assert (said["count"], said["result"], said["has_link"]) == (1, "stored", False)
    assert said["camera"] == "fake"
    assert said["free_bytes"] > 0
    assert await rig.get("last.jpg") == (tmp_path / "d" / "photos" / NAME.format(3)).read_bytes()


async def test_a_fault_of_the_camera_is_on_the_page_until_a_photo_is_there(
    make_rig: Callable[[Camera], Rig],
) -> None:
    """In the camera's words."""
    camera = Camera()
    camera.faults = [CameraFault("CAMERA_BACKGROUND", "Open Termux.")]
    rig = make_rig(camera)
    await rig.ask(3, patience=0.3)
    while not (said := await rig.status())["last_error"]:
        await asyncio.sleep(0.02)
    assert (said["last_error"], said["result"]) == ("Open Termux.", "failed: CAMERA_BACKGROUND")
    assert await rig.ask(3) == f"OK|{NAME.format(3)}"
    assert (await rig.status())["last_error"] == ""


async def test_an_abort_is_the_red_banner_with_its_reason_and_id(
    make_rig: Callable[[Camera], Rig],
) -> None:
    """A client at the wrong row."""
    rig = make_rig(Camera())
    assert (await rig.ask(7)).startswith("MISMATCH")
    said = await rig.status()
    assert said["state"] == "aborted"
    assert said["abort"].startswith("INDEX_MISMATCH: ")
    assert "[abort id " in said["abort"]
    assert "--legacy-rearm" in said["abort"]


async def test_after_a_restart_the_newest_photo_is_there_again(
    make_rig: Callable[[Camera], Rig],
) -> None:
    """Until there is a newer one."""
    rig = make_rig(Camera())
    for number in (3, 4):
        assert (await rig.ask(number)).startswith("OK|")
    await rig.stop()
    again = make_rig(Camera())
    await again.port()
    said = await again.status()
    assert (said["name"], said["count"], said["has_photo"]) == (NAME.format(4), 2, True)


def test_the_status_line_counts_without_a_total_and_invents_no_link() -> None:
    """How many there will be, only the client knows."""
    line = status_line(
        Snapshot(state="armed", count=2, index=4, name="n.jpg", result="stored", has_link=False), 80
    )
    assert line == "armed 2 #4 n.jpg stored"


def test_a_terminal_shows_it_as_in_a_paired_run() -> None:
    """One line that is redrawn."""
    view, out = View(), io.StringIO()
    Terminal(out, view, size=lambda: 60, environ={})
    view.update(state="armed", has_link=False, count=1, index=3, name="a.jpg")
    assert "armed 1 #3 a.jpg" in out.getvalue()
