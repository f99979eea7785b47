"""The status page of the phone, with the last photo: http://127.0.0.1:8765/ by default.

It only shows. It answers GET of three fixed paths; which photo it serves is the agent's knowledge,
never the request's. Beyond loopback a token is required; on loopback the Host header must be a
loopback name, so that no web page in the same browser reads it by DNS rebinding.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any, final
from urllib.parse import parse_qs, urlsplit

from phone_agent.page_source import PAGE, SCRIPT, STYLE
from phone_agent.view import View

DEFAULT_ADDRESS = ("127.0.0.1", 8765)
SHORTEST_TOKEN = 16
_MOST_CLIENTS = 8
_CLIENT_S = 30.0
"""How long one connection may last: whoever sends a byte now and then holds it no longer."""
_PHOTO_BYTES = 64 << 20


def _source(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


CSP = (
    f"default-src 'none'; script-src {_source(SCRIPT)}; style-src {_source(STYLE)}; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class PageError(Exception):
    """The page cannot be served; one sentence."""


def status_address(text: str) -> tuple[str, int]:
    """HOST:PORT of `--status`.

    Raises:
        PageError: it is none.
    """
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal() and len(port) <= 5 and int(port) < 65536):
        raise PageError(f"--status {text} is not HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether *host* reaches this device only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@final
class StatusPage:
    """Serves the page from threads of its own until `close`.

    Args:
        address: where to listen; port 0 takes a free one.
        view: what is shown.
        token: required beyond loopback, at least 16 characters; asked of every request then.

    Raises:
        PageError: the address cannot be used, or a token is missing.
    """

    def __init__(self, address: tuple[str, int], view: View, token: str = "") -> None:
        if token and len(token) < SHORTEST_TOKEN:
            raise PageError(f"the token of the status page needs {SHORTEST_TOKEN} characters")
        if not token and not is_loopback(address[0]):
            raise PageError(
                f"--status {address[0]} can be reached from the network and shows photos: "
                "give --status-token too, or use 127.0.0.1"
            )
        page = self
        self._view = view
        self._token = token

        class Handler(_Handler):
            served = page

        try:
            self._server = _Server(address, Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise PageError(
                f"the status page cannot listen at {address[0]}:{address[1]} ({why}); "
                "give --status another address, or --status off"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="page", daemon=True
        )

    @property
    def url(self) -> str:
        """Where the page is, without the token."""
        host, port = self._server.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}/"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5.0)
        self._server.server_close()

    def allows(self, host: str, given: str) -> bool:
        """May a request with this Host header and token see anything?"""
        if self._token:
            return hmac.compare_digest(given.encode(), self._token.encode())
        name = urlsplit(f"//{host}").hostname or ""
        return is_loopback(name)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for *path*."""
        if path == "/":
            return 200, "text/html; charset=utf-8", PAGE.encode()
        if path == "/status.json":
            return 200, "application/json", json.dumps(self._view.now.as_json()).encode()
        if path == "/last.jpg":
            return self._last_photo(self._view.now.photo)
        return 404, "text/plain; charset=utf-8", b"There is nothing here.\n"

    def _last_photo(self, photo: Path | None) -> tuple[int, str, bytes]:
        if photo is not None:
            with contextlib.suppress(OSError):
                if photo.stat().st_size <= _PHOTO_BYTES:
                    return 200, "image/jpeg", photo.read_bytes()
        return 404, "text/plain; charset=utf-8", b"There is no photo yet.\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(_MOST_CLIENTS)
        self._open: dict[Any, float] = {}
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # The parent's asks the name server for this device's name, which may take seconds.
        super(ThreadingHTTPServer, self).server_bind()
        self.server_name, self.server_port = "phone", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            self._open[request] = time.monotonic()
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.pop(request, None)
            self._free.release()

    def service_actions(self) -> None:
        """Five times a second: end the connections that last too long."""
        for request, began in list(self._open.items()):
            if time.monotonic() - began > _CLIENT_S:
                with contextlib.suppress(OSError):
                    request.shutdown(SHUT_RDWR)

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A browser that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    served: StatusPage
    server_version = "phone-agent"
    sys_version = ""
    timeout = 10.0

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = parse_qs(parts.query).get("t", [""])[0]
        if not self.served.allows(self.headers.get("Host", ""), given):
            self._send(403, "text/plain; charset=utf-8", b"The token of this page is missing.\n")
        else:
            self._send(*self.served.answer(parts.path))

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", CSP),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Frame-Options", "DENY"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """The terminal belongs to the photos."""
