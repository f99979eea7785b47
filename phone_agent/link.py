"""One HTTP connection that is reused, bounded, and can be cut from another thread.

`http.client` alone can be waited for only; a photo has a deadline and a person wants to stop now.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from types import TracebackType
from typing import final
from urllib.parse import urlsplit

_BLOCK = 1 << 16


class LinkError(Exception):
    """No answer came; the sentence says why. `timed_out` when the other side was silent."""

    def __init__(self, sentence: str, *, timed_out: bool = False) -> None:
        super().__init__(sentence)
        self.timed_out = timed_out


class LinkCut(LinkError):
    """`Link.cut` ended the exchange."""


@dataclass(frozen=True, slots=True)
class Url:
    """An http(s) address; `path` has no trailing slash, it may be empty."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """Host and port for messages: never a path or a secret."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(text: str) -> Url:
    """Read an address such as `http://192.168.1.5:8000/rig`.

    Raises:
        ValueError: not http(s), no host, a bad port, or anything of user:password@, ?query, #part;
            the sentence does not repeat the text, which may hold a secret.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("The address is not a URL; it looks like http://HOST:PORT.") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("The address must look like http://HOST:PORT or https://HOST:PORT.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("The address must not have user:password@, ?query or #fragment parts.")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("The address has characters that do not belong in a URL.")
    return Url(
        parts.scheme,
        host,
        port or (443 if parts.scheme == "https" else 80),
        parts.path.rstrip("/"),
    )


def bearer(token: str) -> str:
    """The Authorization value; raises ValueError without repeating the token."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("The token is empty or has characters that do not belong in a token.")
    return f"Bearer {token}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Message
    body: bytes


@final
class Link:
    """A keep-alive connection to one place; `exchange` from one thread, `cut` from any.

    Host names are resolved by the system, which cannot be cut; pairing gives numeric addresses.

    Args:
        url: where to; only scheme, host and port are used here.
        timeout_s: seconds of silence that end an exchange, > 0.
        context: TLS settings; None takes the default ones (certificates are checked).
    """

    def __init__(
        self, url: Url, *, timeout_s: float, context: ssl.SSLContext | None = None
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._context = context
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._cut: str | None = None

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next exchange opens a new one."""
        with self._lock:
            connection, self._connection = self._connection, None
            held, self._socket = self._socket, None
            if connection is not None:
                connection.close()
            if held is not None:
                held.close()

    def cut(self, reason: str) -> None:
        """End the exchange in progress and refuse all later ones with LinkCut(reason)."""
        with self._lock:
            self._cut = self._cut or reason
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # Not SSLSocket.shutdown: that one drops its TLS state under the reader's feet.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None = None,
        *,
        limit: int = _BLOCK,
    ) -> Answer:
        """Send one request and read its whole answer, at most `limit` bytes of body.

        An iterable body needs a Content-Length among the headers; what it raises passes through.
        Redirects are not followed: the caller sees the 3xx.

        Raises:
            LinkCut: `cut` was called.
            LinkError: no connection, silence, a broken or too long answer.
        """
        replayable = body is None or isinstance(body, bytes)
        try:
            reused = self._open()
            try:
                return self._once(method, target, headers, body, limit)
            except (http.client.RemoteDisconnected, ConnectionError):
                # The other side may have closed an idle connection just as we used it again.
                if not (reused and replayable) or self._cut:
                    raise
                self.close()
                self._open()
                return self._once(method, target, headers, body, limit)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._explain(error) from error
        except BaseException:
            self.close()
            raise

    def _once(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        limit: int,
    ) -> Answer:
        connection = self._connection
        if connection is None:
            raise http.client.NotConnected
        try:
            connection.request(method, target, body=body, headers=headers)
        except (BrokenPipeError, ConnectionResetError) as broken:
            # It may have answered (401, 409) and stopped listening before the body was out.
            try:
                response = connection.getresponse()
            except (OSError, http.client.HTTPException):
                raise broken from None
            with response:
                answer = self._read(response, limit)
            self.close()
            return answer
        with connection.getresponse() as response:
            answer = self._read(response, limit)
            kept = not response.will_close
        if not kept:
            self.close()
        return answer

    def _read(self, response: http.client.HTTPResponse, limit: int) -> Answer:
        if response.length is not None and response.length > limit:
            raise LinkError(f"{self._url.place} sends {response.length} bytes, allowed {limit}.")
        pieces, size = [], 0
        while piece := response.read(_BLOCK):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise LinkError(f"{self._url.place} sends more than the allowed {limit} bytes.")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        if self._cut:  # a body without a length simply ends there
            raise LinkCut(self._cut)
        return Answer(response.status, response.headers, b"".join(pieces))

    def _open(self) -> bool:
        """Have a connection; returns whether it was there before."""
        if self._connection is not None and self._cut is None:
            return True
        self.close()
        url, error = self._url, None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            url.host, url.port, type=socket.SOCK_STREAM
        ):
            plain = socket.socket(family, kind, protocol)
            try:
                self._hold(plain)
                plain.settimeout(self._timeout_s)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.connect(address)
                self._connection = self._over(plain)
                return False
            except OSError as each:
                error = each
                self.close()
        raise error or OSError(f"{url.host} has no address")

    def _over(self, plain: socket.socket) -> http.client.HTTPConnection:
        url = self._url
        if url.scheme == "https":
            context = self._context or ssl.create_default_context()
            secure = context.wrap_socket(
                plain, server_hostname=url.host, do_handshake_on_connect=False
            )
            self._hold(secure)
            secure.do_handshake()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                url.host, url.port, context=context
            )
            connection.sock = secure
        else:
            connection = http.client.HTTPConnection(url.host, url.port)
            connection.sock = plain
        connection.auto_open = 0  # reconnecting is decided here, so that it can be cut
        return connection

    def _hold(self, sock: socket.socket) -> None:
        with self._lock:
            self._socket = sock
            if self._cut is not None:
                sock.close()
                raise LinkCut(self._cut)

    def _explain(self, error: Exception) -> LinkError:
        place = self._url.place
        if self._cut is not None:
            return LinkCut(self._cut)
        if isinstance(error, TimeoutError):
            return LinkError(f"{place} was silent for {self._timeout_s:g} s.", timed_out=True)
        if isinstance(error, ssl.SSLCertVerificationError):
            return LinkError(f"{place} shows a certificate this phone does not trust.")
        if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected):
            return LinkError(f"{place} broke the connection before its answer was complete.")
        if isinstance(error, ConnectionRefusedError):
            return LinkError(f"Nothing listens at {place}.")
        return LinkError(f"The connection to {place} failed: {str(error) or type(error).__name__}.")
