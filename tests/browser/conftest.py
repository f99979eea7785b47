"""A headless Chromium, spoken to by its DevTools protocol, and a rig for it to look at."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import playwright.sync_api as playwright
import pytest
from websockets.asyncio.client import ClientConnection, connect

from rig.sample import csv_path, data_dir

PATIENCE = 60.0
"""Seconds; nothing is waited for longer than it takes, and machines can be busy."""
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--no-proxy-server", "--window-size=1280,1000",
)  # fmt: skip


def _load(name: str) -> None:
    """Make a module of this folder, which is no package, known as `browser_<name>`."""
    spec = importlib.util.spec_from_file_location(
        f"browser_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


for _name in ("path_tools", "page_checks", "showroom"):
    _load(_name)


def until(condition: Any, sentence: str) -> Any:
    """Poll a real process; it has its own clock, so this one is the wall's."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, sentence
        time.sleep(0.05)
    return found


class Browser:
    """One Chromium; `tab` opens a tab, with cookies of its own or beside another."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}
        self._contexts: list[str] = []
        self._pump = asyncio.create_task(self._read(), name="DevTools")

    async def tab(self, beside: Tab | None = None, *, before: str = "") -> Tab:
        """A new tab; *before* is a script that runs ahead of every page's own."""
        context = beside.context if beside else await self._new_context()
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        session = (
            await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        )["sessionId"]
        tab = self._tabs[session] = Tab(self, session, context, target["targetId"])
        await tab.call("Page.enable")
        if before:
            await tab.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        # As in a window that a person has in front.
        await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
        return tab

    async def _new_context(self) -> str:
        context = str((await self.call("Target.createBrowserContext"))["browserContextId"])
        await self.call(
            "Browser.grantPermissions",
            permissions=["clipboardSanitizedWrite"],
            browserContextId=context,
        )
        self._contexts.append(context)
        return context

    async def call(self, method: str, session: str | None = None, **words: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": words}
        await self._socket.send(
            json.dumps(message if session is None else {**message, "sessionId": session})
        )
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def close(self) -> None:
        """Close all tabs, and what works behind them."""
        for context in self._contexts:
            await self.call("Target.disposeBrowserContext", browserContextId=context)
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        await self._socket.close()

    async def _read(self) -> None:
        async for text in self._socket:
            said = json.loads(text)
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if "error" in said:
                    answer.set_exception(RuntimeError(said["error"]["message"]))
                else:
                    answer.set_result(said["result"])
            elif (tab := self._tabs.get(said.get("sessionId", ""))) is not None:
                tab.hear(said["method"], said["params"])


class Tab:
    """One page. `trouble` gathers errors of its console, scripts and policy, and bad answers.

    `asked` are the addresses that it asked for.
    """

    def __init__(self, browser: Browser, session: str, context: str, target: str) -> None:
        self._browser, self._session = browser, session
        self.context, self.target = context, target
        self.trouble: list[str] = []
        self.asked: list[str] = []

    def hear(self, method: str, said: dict[str, Any]) -> None:
        if method == "Log.entryAdded":
            entry = said["entry"]
            if entry["level"] == "error" or entry["source"] == "security":
                self.trouble.append(f"{entry['source']}: {entry['text']}")
        elif method == "Runtime.exceptionThrown":
            self.trouble.append(f"script: {said['exceptionDetails']['text']}")
        elif method == "Network.requestWillBeSent":
            self.asked.append(said["request"]["url"])
        elif method == "Network.responseReceived" and said["response"]["status"] >= 400:
            self.trouble.append(f"{said['response']['status']} {said['response']['url']}")

    async def call(self, method: str, **words: Any) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **words)

    async def close(self) -> None:
        await self._browser.call("Target.closeTarget", targetId=self.target)

    async def key(self, key: str, *, code: str = "", shift: bool = False) -> None:
        """Press and let go one key, as a keyboard does."""
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        number = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9}.get(
            key, ord(key[0].upper())
        )
        words = {"key": key, "code": code or key, "windowsVirtualKeyCode": number}
        words |= {"modifiers": 8} if shift else {}
        told = {"text": text} if text else {}
        kind = "keyDown" if text else "rawKeyDown"
        await self.call("Input.dispatchKeyEvent", type=kind, **told, **words)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **words)

    async def value(self, script: str, *, gesture: bool = False) -> Any:
        """What *script* (or its promise) comes to; None while a page gives way to the next."""
        try:
            answer = await self.call(
                "Runtime.evaluate", expression=script, returnByValue=True, userGesture=gesture,
                awaitPromise=True,
            )  # fmt: skip
        except RuntimeError:
            return None
        return answer["result"].get("value")

    async def until(self, script: str, *, gesture: bool = False) -> Any:
        """Wait until *script* comes to something true."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (found := await self.value(script, gesture=gesture)):
                    await asyncio.sleep(0.05)
                return found
        except TimeoutError:
            seen = await self.value("location.href + '\\n' + document.body.innerText")
            raise AssertionError(f"never came true: {script}\n{self.trouble}\n{seen}") from None

    async def go(self, url: str) -> None:
        """Open *url* and wait until it is there with everything in it."""
        await self.value("window.before = true")
        await self.call("Page.navigate", url=url)
        await self.until("!window.before && document.readyState === 'complete'")

    async def click(self, selector: str) -> None:
        """Click the element once it is there, can be used and can be seen.

        Not by its place: the live parts of a page may move it between looking and clicking.
        """
        script = f"""(() => {{
          const one = document.querySelector({json.dumps(selector)});
          if (document.readyState !== "complete" || !one || one.disabled) return false;
          if (!one.checkVisibility()) return false;
          setTimeout(() => one.click());
          return true;
        }})()"""
        await self.until(script, gesture=True)
        # Keys overtake timers: what follows must find the click done.
        await self.value("new Promise((done) => setTimeout(done))")

    async def write(self, selector: str, text: str) -> None:
        await self.until(f"(document.querySelector({json.dumps(selector)}).focus(), true)")
        await self.call("Input.insertText", text=text)


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    """A Chromium for tests that wait in line for it, as a person does."""
    where = shutil.which("chromium")
    assert where, "Chromium is not installed"
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the DevTools of a Chromium with a profile of its own."""
    profile = tmp_path_factory.mktemp("chromium") / "profile"
    told = profile / "DevToolsActivePort"
    child = subprocess.Popen(
        ["chromium", *OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={profile}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        lines = until(
            lambda: told.exists() and told.read_text().split("\n")[1:] and told.read_text(),
            "Chromium does not start",
        ).split("\n")
        yield f"ws://127.0.0.1:{lines[0]}{lines[1]}"
    finally:
        child.kill()
        child.wait(20)


@pytest.fixture
async def browser(devtools: str) -> AsyncIterator[Browser]:
    found = Browser(await connect(devtools, max_size=None, proxy=None))
    yield found
    await found.close()


class Room:
    """A controller and a display agent without a monitor, with one session to be started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.http = httpx.Client()
        self.port = 0
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self.serve()
        where = {"csv": str(csv_path()), "data_dir": str(data_dir())}
        self.post("/api/catalogs", name="sample", order="csv", **where)
        sizes = {"size_min": 12, "size_max": 12, "settle_ms": 0}
        self.post("/api/campaigns", name="c", catalog="sample", device="nokia", **sizes)
        token = self.folder / "token"
        token.write_text(self.post("/api/stations", name="s")["token"])
        self._spawn(
            "display_agent.cli", "connect", self.url, "--token", f"@{token}", "--screen", "null",
            "--listen", "127.0.0.1:0", "--frames", "127.0.0.1:0", "--state",
            str(self.folder / "display"), "--pairing", str(self.folder / "pairing"), "--json",
        )  # fmt: skip
        made = self.post("/api/sessions", campaign="c", subset=1, station="s")
        self.session = str(made["id"])
        until(lambda: self.get("/api/stations")[0].get("paired"), "the display agent does not come")

    def serve(self) -> None:
        """Start the controller; a second time at the same address."""
        self._spawn(
            "rig.cli", "serve", "--home", str(self.home), "--port", str(self.port), "--json"
        )
        told = json.loads(
            until(lambda: self._said("rig.cli", "sign_in"), "the controller does not start")
        )
        self.url, self.token = told["url"], told["token"]
        self.port = int(self.url.rsplit(":", 1)[1])
        headers = {"Authorization": f"Bearer {self.token}"}
        self.http.close()
        # The controller closes connections that rest; none is kept for the next request.
        self.http = httpx.Client(
            base_url=self.url, headers=headers, timeout=30, trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )  # fmt: skip

    def kill(self) -> None:
        """End the controller as a power cut does."""
        self._children["rig.cli"].kill()
        self._children["rig.cli"].wait(20)

    def end(self, module: str) -> None:
        """Stop an agent."""
        self._children[module].terminate()
        self._children[module].wait(20)

    def phone(self) -> None:
        """A phone whose camera sees what the display agent shows."""
        frames = json.loads(
            until(lambda: self._said("display_agent.cli", '"frames"'), "no word of the frames")
        )["frames"]
        self._spawn(
            "phone_agent.cli", "--pair", f"@{self.folder / 'pairing'}", "--dir",
            str(self.folder / "phone"), "--camera", f"loopback:{frames}", "--upload", "--json",
        )  # fmt: skip

    def prepare(self) -> None:
        """The session may be started: its room is confirmed, its alignment waived."""
        at = f"/api/sessions/{self.session}"
        self.post(f"{at}/conditions", confirm_all=True, name="Anna")
        self.post(f"{at}/alignment/waive", why="the camera sees the screen itself", name="Anna")

    def link(self) -> str:
        """A fresh one-time sign-in link, as the terminal shows."""
        return self.url + str(self.post("/api/sign-in-links")["path"])

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def await_event(self, words: str) -> None:
        """Until an event of the session says *words*."""
        path = f"/api/sessions/{self.session}/events"
        until(lambda: words in json.dumps(self.get(path)), f"no event says {words}")

    def close(self) -> None:
        self.http.close()
        for child in reversed(self._children.values()):
            child.terminate()
            child.wait(20)

    def _spawn(self, module: str, *words: str) -> None:
        with (self.folder / f"{module}.out").open("wb") as out:
            self._children[module] = subprocess.Popen(
                [sys.executable, "-m", module, *words], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def _said(self, module: str, words: str) -> str | None:
        lines = (self.folder / f"{module}.out").read_text().splitlines()
        return next((line for line in lines if words in line), None)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    one = Room(tmp_path_factory.mktemp("room"))
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture
def own_room(tmp_path: Path) -> Iterator[Room]:
    """A room for one test, which may kill its controller."""
    one = Room(tmp_path)
    try:
        one.start()
        yield one
    finally:
        one.close()
