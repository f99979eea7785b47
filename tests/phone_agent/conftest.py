"""Real JPEGs, a real frame server and a real controller for uploads, all on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Jpeg = Callable[..., bytes]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a shell script of this name first on PATH: a stand-in for a program of Termux."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, script: str) -> Path:
        scratch = folder / f".{name}"
        scratch.write_text(f"#!/bin/sh\n{script}\n")
        scratch.chmod(0o755)
        return scratch.replace(folder / name)

    return put


@pytest.fixture
def jpeg() -> Jpeg:
    """Encode a picture with some texture; keywords go to Pillow."""

    def make(width: int = 64, height: int = 48, mode: str = "L", **options: Any) -> bytes:
        picture = Image.effect_noise((width, height), 60).convert(mode)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", **options)
        return buffer.getvalue()

    return make


class Quiet(ThreadingHTTPServer):
    """A server that can be ended while clients are connected, and logs nothing."""

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.ending = threading.Event()
        self.connections: set[socket.socket] = set()
        self.opened = 0
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        self.opened += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what many of these tests are about."""

    def end(self) -> None:
        self.ending.set()
        self.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        pass


@pytest.fixture
def http_server() -> Iterator[Callable[[Callable[[Any], None]], Quiet]]:
    """Start a server whose every GET is answered by the given function of the handler."""
    servers: list[Quiet] = []

    def start(answer: Callable[[Any], None]) -> Quiet:
        class Handler(_Handler):
            def do_GET(self) -> None:
                answer(self)

            def do_POST(self) -> None:
                answer(self)

        servers.append(Quiet(Handler))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@dataclass
class Stored:
    """One file at the controller."""

    data: bytearray = field(default_factory=bytearray)
    complete: bool = False


class Controller:
    """The upload contract in small, with faults on demand.

    `plan` is a list of faults, one taken per PATCH: "cut:N" hangs up after N body bytes, "409:N"
    answers another offset once (and has N bytes), "500" fails, "422" claims damage, "early:CODE"
    answers before the body is read and hangs up, "ok" does as it should.
    """

    TOKEN = "phone-token-abc"

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], Stored] = {}
        self.sessions = {"s1"}
        self.plan: list[str] = []
        self.head_plan: list[int] = []
        self.manifest_plan: list[Any] = []
        self.manifests: list[dict[str, Any]] = []
        self.patches: list[tuple[str, int, int]] = []  # name, offset, bytes received
        self.requests: list[str] = []
        self.gate: threading.Event | None = None  # PATCH bodies wait for it
        self.started = threading.Event()  # a PATCH has come in
        controller = self

        class Handler(_Handler):
            def do_HEAD(self) -> None:
                controller.head(self)

            def do_PATCH(self) -> None:
                controller.patch(self)

            def do_POST(self) -> None:
                controller.post(self)

        self.server = Quiet(Handler)
        self.url = self.server.url

    def data(self, name: str, session: str = "s1") -> bytes:
        return bytes(self.files[session, name].data)

    def head(self, http: Any) -> None:
        stored = self._open(http)
        if self.head_plan:
            self._reply(http, self.head_plan.pop(0))
        elif stored is not None:
            self._state(http, 204, stored)

    def patch(self, http: Any) -> None:
        stored = self._open(http)
        if stored is None:
            return
        self.started.set()
        if self.gate is not None:
            while not self.gate.wait(0.01) and not self.server.ending.is_set():
                pass
        fault, _, number = (self.plan.pop(0) if self.plan else "ok").partition(":")
        if fault == "early":
            http.close_connection = True
            self._reply(http, int(number))
            return
        if fault == "409":
            stored.data = bytearray(self.content[: int(number)])
        length, offset = int(http.headers["Content-Length"]), int(http.headers["Upload-Offset"])
        name = http.path.rsplit("/", 1)[1]
        wanted = min(int(number), length) if fault == "cut" else length
        body = http.rfile.read(wanted)
        self.patches.append((name, offset, len(body)))
        if offset != len(stored.data):
            self._state(http, 409, stored)
            return
        if fault == "500":
            self._reply(http, 500, {"detail": "disk on fire \x1b[31m" + self.TOKEN})
            return
        stored.data += body
        if fault == "cut":
            http.close_connection = True
            http.connection.shutdown(socket.SHUT_RDWR)
            return
        if len(stored.data) == int(http.headers["Upload-Length"]):
            found = hashlib.sha256(stored.data).hexdigest()
            if fault == "422" or found != http.headers["X-Content-SHA256"]:
                stored.data.clear()
                self._reply(http, 422, {"title": "wrong hash"})
                return
            stored.complete = True
        self._state(http, 204, stored)

    def post(self, http: Any) -> None:
        body = http.rfile.read(int(http.headers["Content-Length"]))
        if not self._authorized(http):
            return
        manifest = json.loads(body)
        self.manifests.append(manifest)
        if self.manifest_plan:
            planned = self.manifest_plan.pop(0)
            if planned == "hang-up":
                http.close_connection = True
                return
            if isinstance(planned, int):
                self._reply(http, planned)
            else:
                self._reply(http, 200, planned)
            return
        names = [photo["name"] for photo in manifest["photos"]]
        done = {name for (_, name), each in self.files.items() if each.complete}
        missing = [name for name in names if name not in done]
        self._reply(http, 200, {"complete": not missing, "missing": missing, "durable": True})

    content: bytes = b""

    def _authorized(self, http: Any) -> bool:
        self.requests.append(f"{http.command} {http.path}")
        if http.headers["Authorization"] != f"Bearer {self.TOKEN}":
            self._reply(http, 401, {"detail": "no"})
            return False
        return True

    def _open(self, http: Any) -> Stored | None:
        if not self._authorized(http):
            return None
        found = re.fullmatch(r"/api/sessions/([^/]+)/photos/([^/]+)", http.path)
        if not found or found[1] not in self.sessions:
            http.close_connection = True
            self._reply(http, 404)
            return None
        return self.files.setdefault((found[1], found[2]), Stored())

    def _state(self, http: Any, status: int, stored: Stored) -> None:
        http.send_response(status)
        http.send_header("Upload-Offset", str(len(stored.data)))
        http.send_header("Upload-Complete", f"?{int(stored.complete)}")
        if status != 204:
            http.send_header("Content-Length", "0")
        http.end_headers()

    def _reply(self, http: Any, status: int, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        http.send_response(status)
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)


@pytest.fixture
def controller() -> Iterator[Controller]:
    running = Controller()
    yield running
    if running.gate is not None:
        running.gate.set()
    running.server.end()
