"""The kiosk page's server: one page, one WebSocket, on an event loop and thread of its own.

The agent's own loop may have to wait for a read-back (`Screen.surface` is a plain function), so the
page is served beside it. Messages: JSON text, `{"id", "do", ...}` to the page and `{"id", ...}`
back; `"binary": true` announces that the next message holds pixels. The page speaks up with
`{"hello", "size"}` when it fills the monitor, `{"disturbed": sentence}` and `{"key": name}`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hmac
import itertools
import json
import threading
import urllib.parse
from collections.abc import Callable
from importlib import resources
from typing import Any

from PIL import Image
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from display_agent.compose import Size
from rig.errors import UserError

Json = dict[str, Any]
LARGEST = 8192 * 8192 * 3
"""Bytes of one picture from the page."""
REPLACED = 4001
_PATIENCE = 20.0
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {ws}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "/": ("screen.html", "text/html; charset=utf-8"),
    "/screen.js": ("screen.js", "text/javascript; charset=utf-8"),
    "/screen.css": ("screen.css", "text/css; charset=utf-8"),
}


class BrowserLink:
    """Serves the page and talks to the browser that shows it.

    Args:
        listen: host and port; port 0 takes a free one.
        token: asked of everyone who opens the page or its WebSocket.
        windowed: whether a page that does not fill its monitor is taken, too.
        told: hears a sentence for each disturbance; on the server's thread.
        lost: hears why the page is gone; same thread.
        pressed: hears the names of keys; same thread.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        token: str,
        *,
        windowed: bool,
        told: Callable[[str], None],
        lost: Callable[[str], None],
        pressed: Callable[[str], None],
    ) -> None:
        self._listen, self._token, self._windowed = listen, token, windowed
        self._told, self._lost, self._pressed = told, lost, pressed
        self._page: ServerConnection | None = None
        self._hello = threading.Event()
        self._size: Size = (0, 0)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._sending = asyncio.Lock()
        self._port: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="kiosk page", daemon=True)

    def start(self) -> None:
        """Listen; raises UserError when the address cannot be had. Blocks."""
        self._thread.start()
        try:
            self._port.result(_PATIENCE)
        except OSError as error:
            host, port = self._listen
            raise UserError(
                f"the kiosk page cannot be served on {host}:{port} ({error.strerror or error}); "
                "choose another --browser-listen"
            ) from error

    @property
    def url(self) -> str:
        """What the browser has to open; it holds the token."""
        host = f"[{self._listen[0]}]" if ":" in self._listen[0] else self._listen[0]
        return f"http://{host}:{self._port.result()}/?token={urllib.parse.quote(self._token)}"

    def wait(self, seconds: float) -> Size | None:
        """Size of the page's canvas in device pixels once it is there; None when it is not."""
        return self._size if self._hello.wait(seconds) else None

    def ask(self, do: str, image: Image.Image | None = None, **words: Any) -> Any:
        """Send a request; the future gives the answer, `data` among it, or UserError."""
        if self._loop is None or self._stop.is_set():
            raise UserError("the kiosk page is not served")
        return asyncio.run_coroutine_threadsafe(self._exchange(do, image, words), self._loop)

    def close(self) -> None:
        """Stop serving. Blocks; may be called twice."""
        if self._loop is not None and self._thread.is_alive():
            # A thread that could not listen is alive a moment longer than its loop.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_PATIENCE)

    # -- on the server's thread --------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        host, port = self._listen
        try:
            server: Server = await serve(
                self._connected, host, port, process_request=self._request, max_size=LARGEST,
                compression=None, ping_interval=5, ping_timeout=10, server_header=None,
            )  # fmt: skip
        except OSError as error:
            self._port.set_exception(error)
            return
        async with server:
            self._port.set_result(next(iter(server.sockets)).getsockname()[1])
            await self._stop.wait()

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        try:
            url = urllib.parse.urlsplit(request.path)
        except ValueError:
            return connection.respond(400, "This is not an address of the page.\n")
        if url.path in {"/screen.js", "/screen.css"}:
            return self._file(url.path, request)
        offered = urllib.parse.parse_qs(url.query).get("token", [""])
        if not hmac.compare_digest(offered[0].encode(), self._token.encode()):
            return connection.respond(403, "Open the address that the display agent names.\n")
        if url.path == "/ws":
            return None
        if url.path == "/":
            return self._file(url.path, request)
        return connection.respond(404, "There is only the screen's page here.\n")

    def _file(self, path: str, request: Request) -> Response:
        name, kind = _FILES[path]
        body = resources.files("display_agent.screens").joinpath("page", name).read_bytes()
        # Older Safari does not count ws: among 'self'.
        host = request.headers.get("Host", "")
        ws = f"ws://{host}" if all(c.isalnum() or c in ".-:[]" for c in host) else ""
        headers = Headers({
            "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY.format(ws=ws), "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff", "Connection": "close",
        })  # fmt: skip
        return Response(200, "OK", headers, body)

    async def _connected(self, page: ServerConnection) -> None:
        await page.send(json.dumps({"welcome": 1, "windowed": self._windowed}))
        try:
            await self._converse(page)
        except (ConnectionClosed, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            await page.close(1002)
        finally:
            if self._page is page:
                self._forget("the browser's page was closed, or its connection was lost")

    async def _converse(self, page: ServerConnection) -> None:
        announced: Json | None = None
        async for message in page:
            if isinstance(message, bytes):
                if announced is not None:
                    self._answered({**announced, "data": message})
                announced = None
                continue
            said = json.loads(message)
            if not isinstance(said, dict):
                raise TypeError("no message of the page")
            if "hello" in said:
                await self._take(page, said)
            elif self._page is not page:
                continue
            elif "disturbed" in said:
                self._told(str(said["disturbed"])[:300])
            elif "key" in said:
                self._pressed(str(said["key"])[:30])
            elif said.get("binary"):
                announced = said
            else:
                self._answered(said)

    async def _take(self, page: ServerConnection, said: Json) -> None:
        width, height = (int(part) for part in said["size"])
        if not (0 < width <= 16384 and 0 < height <= 16384):
            raise ValueError(f"a page of {width}x{height} pixels")
        before = self._page
        if before is not None and before is not page:
            self._forget("another browser window took the x-rays over")
            await before.close(REPLACED)
        self._page, self._size = page, (width, height)
        self._hello.set()

    def _forget(self, why: str) -> None:
        self._page = None
        self._hello.clear()
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for answer in waiting:
            if not answer.done():
                answer.set_exception(UserError(why))
        self._lost(why)

    def _answered(self, said: Json) -> None:
        answer = self._waiting.pop(int(said["id"]), None)
        if answer is None or answer.done():
            return
        if "error" in said:
            answer.set_exception(UserError(f"{str(said['error'])[:300]}, then resume"))
        else:
            answer.set_result(said)

    async def _exchange(self, do: str, image: Image.Image | None, words: Json) -> Json:
        page = self._page
        if page is None:
            raise UserError("no browser shows the page")
        number = next(self._numbers)
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        request = {"id": number, "do": do, **words}
        try:
            if image is None:
                await page.send(json.dumps(request))
            else:
                shape = {"mode": image.mode, "size": list(image.size), "binary": True}
                async with self._sending:  # nothing comes between a request and its pixels
                    await page.send(json.dumps({**request, **shape}))
                    await page.send(image.tobytes())
            return await answer
        except ConnectionClosed:
            raise UserError("the browser's page was closed, or its connection was lost") from None
        finally:
            self._waiting.pop(number, None)
