"""A headless Chromium, spoken to by its DevTools protocol, and a rig for it to look at."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from rig.sample import csv_path, data_dir

PATIENCE = 20.0
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--no-proxy-server", "--window-size=1280,1000",
)  # fmt: skip


def until(condition: Any, sentence: str) -> Any:
    """Poll a real process; it has its own clock, so this one is the wall's."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, sentence
        time.sleep(0.05)
    return found


class Browser:
    """One Chromium; `tab` opens a tab with cookies of its own."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}
        self._pump = asyncio.create_task(self._read(), name="DevTools")

    async def tab(self) -> Tab:
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        session = (
            await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        )["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        # As in a window that a person has in front.
        await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
        await self.call(
            "Browser.grantPermissions",
            permissions=["clipboardSanitizedWrite"],
            browserContextId=context,
        )
        return tab

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
    """One page. `trouble` gathers errors of its console, scripts and policy, and bad answers."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.trouble: list[str] = []

    def hear(self, method: str, said: dict[str, Any]) -> None:
        if method == "Log.entryAdded":
            entry = said["entry"]
            if entry["level"] == "error" or entry["source"] == "security":
                self.trouble.append(f"{entry['source']}: {entry['text']}")
        elif method == "Runtime.exceptionThrown":
            self.trouble.append(f"script: {said['exceptionDetails']['text']}")
        elif method == "Network.responseReceived" and said["response"]["status"] >= 400:
            self.trouble.append(f"{said['response']['status']} {said['response']['url']}")

    async def call(self, method: str, **words: Any) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **words)

    async def value(self, script: str, *, gesture: bool = False) -> Any:
        """What *script* comes to; None while a page is being exchanged for the next."""
        try:
            answer = await self.call(
                "Runtime.evaluate", expression=script, returnByValue=True, userGesture=gesture
            )
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

    async def write(self, selector: str, text: str) -> None:
        await self.until(f"(document.querySelector({json.dumps(selector)}).focus(), true)")
        await self.call("Input.insertText", text=text)


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
        self.http = httpx.Client()
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        home = self.folder / "home"
        self._spawn("rig.cli", "serve", "--home", str(home), "--port", "0", "--json")
        told = json.loads(until(lambda: self._said("rig.cli"), "the controller does not start"))
        self.url, self.token = told["url"], told["token"]
        headers = {"Authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)
        where = {"csv": str(csv_path()), "data_dir": str(data_dir())}
        self.post("/api/catalogs", name="sample", order="csv", **where)
        sizes = {"size_min": 12, "size_max": 12, "settle_ms": 0}
        self.post("/api/campaigns", name="c", catalog="sample", device="nokia", **sizes)
        token = self.folder / "token"
        token.write_text(self.post("/api/stations", name="s")["token"])
        self._spawn(
            "display_agent.cli", "connect", self.url, "--token", f"@{token}", "--screen", "null",
            "--listen", "127.0.0.1:0", "--state", str(self.folder / "display"),
        )  # fmt: skip
        made = self.post("/api/sessions", campaign="c", subset=1, station="s")
        self.session = str(made["id"])
        until(lambda: self.get("/api/stations")[0].get("paired"), "the display agent does not come")

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
        for child in reversed(self._children):
            child.terminate()
            child.wait(20)

    def _spawn(self, module: str, *words: str) -> None:
        with (self.folder / f"{module}.out").open("wb") as out:
            self._children.append(
                subprocess.Popen(
                    [sys.executable, "-m", module, *words], stdin=subprocess.DEVNULL, stdout=out,
                    stderr=subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
            )  # fmt: skip

    def _said(self, module: str) -> str | None:
        lines = (self.folder / f"{module}.out").read_text().splitlines()
        return next((line for line in lines if '"sign_in"' in line), None)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    one = Room(tmp_path_factory.mktemp("room"))
    try:
        one.start()
        yield one
    finally:
        one.close()
