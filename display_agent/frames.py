"""What is on the screen right now, as a camera would see it: `GET /frame.jpg`.

Written on asyncio streams: the server shares the loop with the screen, so a frame is taken between
two paints and never in the middle of one; optics and JPEG run on a worker thread. One route and
one answer per connection need no framework.
"""

from __future__ import annotations

import asyncio
import io
import ipaddress
import secrets
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import structlog
from PIL import Image

from rig.errors import UserError
from rig.simulation.optics import PresetName, photograph

MAX_HEAD = 8192
"""Bytes of request line and headers together; more is answered 431."""
JPEG_QUALITY = 92

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SINGLE = frozenset({"host", "authorization"})
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_log = structlog.get_logger()


class _Refused(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Optics:
    """Through what the frame is photographed; the same seed gives the same row of photos."""

    preset: PresetName = "none"
    seed: int = 0
    megapixels: float = 2.4


@dataclass(slots=True)
class FrameServer:
    """Serves *frame()* on one address; the answer tells nothing but the pixels.

    Attributes:
        frame: gives what is up now; called on the loop, its result is never altered afterwards.
        host: address to listen on; anything but loopback needs a token.
        port: 0 takes a free one.
        token: if given, every request must bring it (`Authorization: Bearer` or `?token=`).
        optics: what lies between the screen and the JPEG.
        patience: seconds a client may take to send its request or to take its answer.
        max_clients: connections served at once; more are answered 503.
    """

    frame: Callable[[], Image.Image]
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    optics: Optics = field(default_factory=Optics)
    patience: float = 10.0
    max_clients: int = 16
    _photos: int = 0
    _server: asyncio.Server | None = None
    _clients: set[asyncio.Task[None]] = field(default_factory=set)
    _workers: ThreadPoolExecutor | None = None

    @property
    def url(self) -> str:
        """Address of the frame, without the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/frame.jpg"

    async def start(self) -> None:
        """Listen; `port` is the real one afterwards.

        Raises:
            UserError: the address is not loopback and there is no token, or it cannot be had.
        """
        if not self.token and not _is_loopback(self.host):
            raise UserError(
                f"frames on {self.host} would be open to the whole network: "
                "give a token, or listen on 127.0.0.1"
            )
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="frames")
        try:
            self._server = await asyncio.start_server(
                self._connected, self.host, self.port, limit=MAX_HEAD
            )
        except OSError as problem:
            self._workers.shutdown()
            raise UserError(
                f"frames cannot be served on {self.host}:{self.port} "
                f"({problem.strerror or problem}); choose another --frames address"
            ) from problem
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every client; no task and no thread is left."""
        if self._server is None or self._workers is None:
            return
        self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.to_thread(self._workers.shutdown, cancel_futures=True)
        self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: those that asyncio makes of coroutines may not be cancelled in 3.11.
        client = asyncio.create_task(self._serve(reader, writer), name="frame client")
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            status, kind, body, head_only = await self._answer(reader)
            async with asyncio.timeout(self.patience):
                writer.write(_head(status, kind, len(body)) + (b"" if head_only else body))
                await writer.drain()
                await _linger(reader, writer)
        except (OSError, EOFError, TimeoutError):
            pass  # the client went away; it will ask again
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, str, bytes, bool]:
        head_only = False
        try:
            request = await self._read(reader)
            head_only = request.method == "HEAD"
            self._admit(request)
            return 200, "image/jpeg", await self._photo(), head_only
        except _Refused as refused:
            return refused.status, "text/plain; charset=utf-8", f"{refused}\n".encode(), head_only

    async def _read(self, reader: asyncio.StreamReader) -> _Request:
        if len(self._clients) > self.max_clients:
            raise _Refused(503, "Too many connections; ask again.")
        try:
            async with asyncio.timeout(self.patience):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise _Refused(431, f"The request's head exceeds {MAX_HEAD} bytes.") from None
        except TimeoutError:
            raise _Refused(408, "The request did not arrive in time.") from None
        return _parse(head)

    def _admit(self, request: _Request) -> None:
        if self.token:
            if not _has_token(request, self.token):
                raise _Refused(401, "This needs the token of the frame server.")
        elif _host_name(request.headers.get("host", "")) not in _LOCAL_NAMES | {self.host}:
            # A web page elsewhere may point its own name here (DNS rebinding) and read the screen.
            raise _Refused(421, "Without a token only requests to this machine are answered.")
        if request.path != "/frame.jpg":
            raise _Refused(404, "There is only /frame.jpg here.")
        if request.method not in {"GET", "HEAD"}:
            raise _Refused(405, "Only GET and HEAD are answered.")

    async def _photo(self) -> bytes:
        frame = self.frame()
        self._photos += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._workers, _encode, frame, self.optics, self._photos
            )
        except Exception as problem:  # noqa: BLE001 - whatever breaks, the client gets an answer
            _log.error(f"A frame could not be made into a photo: {problem!r}")
            raise _Refused(500, "The frame could not be encoded; see the agent's log.") from None


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read on a little: closing over unread bytes would reset the line and lose the answer."""
    writer.write_eof()
    for _ in range(64):
        if not await reader.read(2**14):
            return


def _encode(frame: Image.Image, optics: Optics, number: int) -> bytes:
    """Photo *number*: the tripod's draw is the same each time, the sensor's is not."""
    photo = photograph(
        frame,
        optics.preset,
        np.random.default_rng([optics.seed, number]),
        megapixels=optics.megapixels,
        tripod=np.random.default_rng([optics.seed, 0]),
    )
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _parse(head: bytes) -> _Request:
    try:
        first, *lines = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
        method, target, version = first.split(" ")
        url = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(url.query, max_num_fields=8)
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            key = name.lower()
            if not colon or not name or name != name.strip() or (key in headers and key in _SINGLE):
                raise ValueError("header")
            headers[key] = value.strip()
    except ValueError:  # UnicodeDecodeError is one
        raise _Refused(400, "This is not an HTTP request.") from None
    if version not in {"HTTP/1.0", "HTTP/1.1"} or not target.startswith("/"):
        raise _Refused(400, "This is not an HTTP/1 request for a path.")
    return _Request(method, url.path, query, headers)


def _has_token(request: _Request, token: str) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    offered = [bearer.strip()] if scheme.lower() == "bearer" else request.query.get("token", [])
    return len(offered) == 1 and secrets.compare_digest(offered[0].encode(), token.encode())


def _host_name(value: str) -> str:
    try:
        return urllib.parse.urlsplit(f"//{value}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _head(status: int, kind: str, length: int) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_PHRASES[status]}",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if status == 401:
        lines.append('WWW-Authenticate: Bearer realm="frames"')
    if status == 405:
        lines.append("Allow: GET, HEAD")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
