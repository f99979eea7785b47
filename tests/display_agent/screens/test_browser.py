"""The kiosk page in a real Chromium on a real X server, and what its server lets in."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from display_agent.compose import Composition, surface_sha
from display_agent.screens.browser import SETTLE_MS, BrowserScreen
from display_agent.screens.browser_link import REPLACED
from display_agent.screens.open import ScreenOptions, open_screen
from display_agent.screens.remote import NO_SURFACE
from display_agent.screens.window import WindowOptions
from rig.errors import UserError

CHROMIUM = "chromium --no-sandbox"
"""Tests may run as root, which Chromium's sandbox refuses."""
COUNT = 100


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(30):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


def heard(told: list[str], words: str) -> Callable[[], bool]:
    return lambda: any(words in sentence for sentence in told)


def bare(**options: Any) -> BrowserScreen:
    """A screen whose page nobody opens but the test."""
    window = WindowOptions(windowed=(40, 30))
    return BrowserScreen(("127.0.0.1", 0), None, window, token="s3cret", **options)


class Page:
    """A browser's page as its server sees it."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.spoilt = False
        self._task = asyncio.create_task(self._run())

    @classmethod
    async def come(cls, screen: BrowserScreen, size: tuple[int, int] = (40, 30)) -> Page:
        url = (await until(lambda: screen._link and _url(screen))).replace("http", "ws")
        socket = await connect(url.replace("/?", "/ws?"))
        assert json.loads(await socket.recv())["windowed"] is True
        await socket.send(json.dumps({"hello": 1, "size": size}))
        return cls(socket)

    async def _run(self) -> None:
        frame = Image.new("L", (40, 30))
        try:
            while True:
                request = json.loads(await self.socket.recv())
                answer: dict[str, Any] = {"id": request["id"]}
                if request.get("binary"):
                    data = await self.socket.recv()
                    frame = Image.frombytes(request["mode"], tuple(request["size"]), data)
                if request["do"] in {"show", "surface"}:
                    seen = Image.new("L", frame.size, 9) if self.spoilt else frame
                    answer["sha"] = surface_sha(seen).hex()
                if request["do"] == "frame":
                    answer |= {"mode": frame.mode, "binary": True}
                await self.socket.send(json.dumps(answer))
                if request["do"] == "frame":
                    await self.socket.send(frame.tobytes())
        except ConnectionClosed:
            return

    async def leave(self) -> None:
        await self.socket.close()
        await self._task


def _url(screen: BrowserScreen) -> str | None:
    try:
        return screen.url
    except Exception:  # noqa: BLE001 - not listening yet
        return None


@pytest.fixture
async def paged() -> Any:
    """A screen and its page, without a browser; closed in the end."""
    screen = bare(patience=30)
    opening = asyncio.create_task(screen.open())
    page = await Page.come(screen)
    await opening
    yield screen, page
    await page.leave()
    await screen.close()


def composition(level: int, size: tuple[int, int] = (40, 30)) -> Composition:
    return Composition(Image.new("L", size, level), (0, 0, *size))


async def test_the_root_window_equals_the_composed_frame_for_each_of_100_images(
    own_x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """Chromium as a kiosk that the agent starts; grey and colour in turn."""
    screen = open_screen("browser", ScreenOptions(browser_command=CHROMIUM))
    told = await opened(screen)
    assert screen.size == own_x.size
    findings = {finding.name: finding for finding in await screen.self_check()}
    assert [f for f in findings.values() if not f.ok] == []
    assert "root window" in findings["pixels"].text
    told.clear()
    for index in range(1, COUNT + 1):
        made = tools["composition_of"](index)
        shown = await screen.show(index.to_bytes(8, "big"), made)
        assert own_x.root().tobytes() == made.frame.convert("RGB").tobytes(), f"image {index}"
        assert shown.surface_sha == surface_sha(made.frame) == screen.surface()
    assert screen.frame().tobytes() == made.frame.tobytes()
    looked = {finding.name: finding for finding in await screen.look()}
    assert {"window", "scaling", "shown", "focus", "blanking"} <= looked.keys()
    assert looked["shown"].ok
    assert screen.surface() == surface_sha(made.frame)
    assert told == []


async def test_a_covered_or_closed_browser_is_told_and_confirms_nothing(
    own_x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """The read-back sees the cover; a browser that ended is asked for again."""
    screen = open_screen("browser", ScreenOptions(browser_command=CHROMIUM))
    told = await opened(screen)
    await screen.show(b"token001", tools["composition_of"](1))
    with own_x.cover():
        assert screen.surface() != surface_sha(tools["frame_of"](1))
        with pytest.raises(UserError, match=r"does not show the x-ray: .*then resume"):
            await screen.show(b"token002", tools["composition_of"](2))
    again = await screen.show(b"token003", tools["composition_of"](2))
    assert again.surface_sha == surface_sha(tools["frame_of"](2))
    await asyncio.to_thread(screen._kiosk.close)
    await until(heard(told, "the browser's page was closed"))
    with pytest.raises(UserError, match=r"no browser shows the page .*then resume"):
        await screen.show(b"token004", tools["composition_of"](1))
    assert screen.surface() == NO_SURFACE


async def test_without_a_secure_context_the_page_hashes_by_itself(
    own_x: Any, opened: Any, tools: dict[str, Any], tmp_path: Any
) -> None:
    """Plain http from another computer has no crypto.subtle and no wake lock: it says so."""
    screen = BrowserScreen(("127.0.0.1", 0), None, WindowOptions(), token="s3cret")
    opening = asyncio.create_task(opened(screen))
    url = (await until(lambda: screen._link and _url(screen))).replace("127.0.0.1", "rig.test")
    own_x.start(
        *CHROMIUM.split(), "--kiosk", f"--user-data-dir={tmp_path}", "--no-first-run",
        "--host-resolver-rules=MAP rig.test 127.0.0.1", "--window-size=800,600", url,
    )  # fmt: skip
    await opening
    findings = {finding.name: finding for finding in await screen.self_check()}
    assert not findings["blanking"].ok
    assert "plain http" in findings["blanking"].text
    for index in (1, 2):
        made = tools["composition_of"](index)
        shown = await screen.show(b"token001", made)
        assert shown.surface_sha == surface_sha(made.frame)


async def test_showing_confirms_what_the_page_read_back(paged: Any) -> None:
    """Not what was sent: a page that shows something else is found out."""
    screen, page = paged
    shown = await screen.show(b"token001", composition(77))
    assert shown.settle_ms == SETTLE_MS
    assert shown.surface_sha == surface_sha(composition(77).frame)
    # The page is on this loop, which must not wait for it.
    seen = await asyncio.to_thread(screen.frame)
    assert seen.tobytes() == composition(77).frame.tobytes()
    assert await asyncio.to_thread(screen.surface) == shown.surface_sha
    page.spoilt = True
    assert await asyncio.to_thread(screen.surface) not in {shown.surface_sha, NO_SURFACE}


async def test_what_disturbs_the_page_and_its_keys_are_told(paged: Any) -> None:
    """On the agent's loop."""
    screen, page = paged
    told: list[str] = []
    keys: list[str] = []
    screen.on_disturbed, screen.on_key = told.append, keys.append
    await page.socket.send(json.dumps({"disturbed": "the page is hidden"}))
    await page.socket.send(json.dumps({"key": "space"}))
    await until(lambda: told and keys)
    assert (told, keys) == (["the page is hidden"], ["space"])


async def test_a_page_that_comes_back_goes_on(paged: Any) -> None:
    """Gone: told once, and each paint says so; back: it paints."""
    screen, page = paged
    told: list[str] = []
    screen.on_disturbed = told.append
    await page.leave()
    await until(heard(told, "the browser's page was closed"))
    with pytest.raises(UserError, match="no browser shows the page"):
        await screen.show(b"token001", composition(5))
    back = await Page.come(screen)
    await until(lambda: screen._link.wait(0))
    shown = await screen.show(b"token002", composition(5))
    assert shown.surface_sha == surface_sha(composition(5).frame)
    assert len(told) == 1
    await back.leave()


async def test_a_page_that_comes_back_with_another_size_is_refused(paged: Any) -> None:
    """Its x-rays were made for the old one."""
    screen, page = paged
    await page.leave()
    await until(lambda: screen._gone)
    back = await Page.come(screen, (20, 20))
    await until(lambda: screen._link.wait(0))
    with pytest.raises(UserError, match="came back with 20x20 pixels and had 40x30"):
        await screen.show(b"token002", composition(5))
    await back.leave()


async def test_a_second_page_takes_over_and_the_first_is_sent_away(paged: Any) -> None:
    """Two would show different things; which one the phone sees nobody knows."""
    screen, page = paged
    told: list[str] = []
    screen.on_disturbed = told.append
    second = await Page.come(screen)
    await until(heard(told, "another browser window took"))
    await page.socket.wait_closed()
    assert page.socket.close_code == REPLACED
    await screen.show(b"token001", composition(5))
    await second.leave()


async def test_nobody_comes_within_the_time(paged: Any) -> None:
    """The sentence names the page and not the token."""
    screen = bare(patience=0.05)
    with pytest.raises(UserError, match="no browser shows the page") as caught:
        await screen.open()
    assert "s3cret" not in str(caught.value)
    await screen.close()


async def test_only_the_token_opens_the_page(paged: Any) -> None:
    """Neither page nor socket without it; the scripts hold no secret."""
    screen, _ = paged
    base = screen.url.partition("/?")[0]
    async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
        for path in ("/", "/?token=", "/?token=wrong", "/ws?token=wrong", "/other"):
            assert (await http.get(path)).status_code == 403, path
        page = await http.get("/?token=s3cret")
        assert page.status_code == 200
        assert "s3cret" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        for path in ("/screen.js", "/screen.css"):
            assert (await http.get(path)).status_code == 200
        assert (await http.get("/other?token=s3cret")).status_code == 404
    with pytest.raises(InvalidStatus):
        await connect(base.replace("http", "ws") + "/ws?token=wrong")


@pytest.mark.parametrize(
    "message", ["nonsense", '{"hello": 1}', '{"hello": 1, "size": [0, 5]}', "[]", '{"id": "x"}']
)
async def test_nonsense_from_a_page_ends_its_connection_only(paged: Any, message: str) -> None:
    """The page that shows the x-rays is not touched by it."""
    screen, _ = paged
    url = screen.url.replace("http", "ws").replace("/?", "/ws?")
    async with connect(url) as other:
        await other.recv()
        await other.send(message)
        if message == '{"id": "x"}':  # of a page that is not the screen: not listened to
            await other.close()
        await other.wait_closed()
    assert (await screen.show(b"token001", composition(3))).surface_sha


async def test_an_address_in_use_is_one_sentence() -> None:
    """It says which option to change."""
    first = bare(patience=0.01)
    with pytest.raises(UserError, match="no browser"):
        await first.open()
    port = first._link._port.result()
    second = BrowserScreen(("127.0.0.1", port), None, WindowOptions())
    with pytest.raises(UserError, match="choose another --browser-listen"):
        await second.open()
    await second.close()
    await first.close()


async def test_a_browser_that_is_not_there_is_one_sentence() -> None:
    """Named as it was given."""
    screen = BrowserScreen(("127.0.0.1", 0), "no-such-browser --flag", WindowOptions())
    with pytest.raises(UserError, match=r"'no-such-browser' cannot be started .*--browser-command"):
        await screen.open()
    await screen.close()


async def test_a_browser_that_ends_at_once_is_one_sentence() -> None:
    """As Chromium does for root: nobody waits for it."""
    screen = BrowserScreen(("127.0.0.1", 0), "false", WindowOptions(windowed=(40, 30)))
    with pytest.raises(UserError, match="the browser ended at once with status 1"):
        await screen.open()
    await screen.close()


async def test_the_address_goes_to_a_private_file_and_never_to_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds the token."""
    screen = bare(patience=0.05, url_file=tmp_path / "url")
    with pytest.raises(UserError, match="no browser shows the page"):
        await screen.open()
    assert (tmp_path / "url").read_text() == f"{screen.url}\n"
    assert (tmp_path / "url").stat().st_mode & 0o077 == 0
    await screen.close()
    said = capsys.readouterr()
    assert "s3cret" not in said.out + said.err


def test_the_hash_is_of_head_and_pixels() -> None:
    """What the page computes in JavaScript, written out."""
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = hashlib.sha256(b"L 4x3\n" + pixels.tobytes()).digest()
    assert surface_sha(Image.fromarray(pixels)) == expected


@pytest.mark.parametrize(
    "said",
    [
        ["[" * 100_000],
        ['{"hello": 1, "size": [Infinity, 1]}'],
        ['{"hello": 1, "size": [5, 5]}', '{"id": Infinity}'],
    ],
)
async def test_nonsense_of_a_page_ends_it_without_a_traceback(
    said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """1002, the other side broke the protocol; 1011 would be a fault of ours, with a traceback."""
    screen = bare()
    opening = asyncio.create_task(screen.open())
    try:
        url = (await until(lambda: screen._link and _url(screen))).replace("http", "ws")
        async with connect(url.replace("/?", "/ws?")) as socket:
            await socket.recv()
            for one in said:
                await socket.send(one)
            async with asyncio.timeout(10):
                await socket.wait_closed()
        assert socket.close_code == 1002
        assert not [record for record in caplog.records if record.exc_info]
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await screen.close()


async def test_an_address_that_is_none_is_refused_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody needs the token to ask this: it must not fill the log."""
    screen = bare()
    opening = asyncio.create_task(screen.open())
    try:
        url = httpx.URL(await until(lambda: screen._link and _url(screen)))
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        await writer.wait_closed()
        assert not [record for record in caplog.records if record.exc_info]
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await screen.close()
