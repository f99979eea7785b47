"""Pure ASGI layers around the app: hosts, sign-in, origin, body size, headers, access log."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Collection
from urllib.parse import urlsplit

import structlog
from anyio import BrokenResourceError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rig.web.auth import Auth, Principal
from rig.web.problems import mistake, response

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PAIR = "/api/phone/pair"
PUBLIC = frozenset(
    {"/sign-in", "/favicon.ico", "/phone", "/phone/agent.pyz", "/phone/agent.sha256", PAIR}
)
PUBLIC_BELOW = "/static/"
PHONE_BELOW = "/api/phone/"
PHONE_LIMIT = 64 * 1024
"""Largest body of a phone's own requests (photos are sent elsewhere), bytes."""

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # Not "no-referrer": browsers then name the origin of a form's POST `null`, and Gate refuses it.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

access_log = structlog.get_logger("rig.access")


class SecurityHeaders:
    """Adds the headers that keep a page from being framed, sniffed, cached or scripted."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers on the way back."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class AccessLog:
    """One line per request: method, route (never the path: it may name a patient), status, time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and measure."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "-")
            took = round((time.perf_counter() - began) * 1000, 1)
            access_log.debug("request", method=scope["method"], route=route, status=status, ms=took)


class TrustedHosts:
    """Refuses names that are not ours, so that none can be made to point here (DNS rebinding).

    IP addresses pass: a page under another name cannot send them as its Host.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 400."""
        if scope["type"] in {"http", "websocket"}:
            host = Headers(scope=scope).get("host", "")
            if not self._trusted(host):
                detail = (
                    f"This controller does not answer to the name {host[:80]!r}. Use its address, "
                    "or start it with --trusted-host."
                )
                await _refuse(scope, receive, send, response(400, detail))
                return
        await self.app(scope, receive, send)

    def _trusted(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or _is_address(name)


class Gate:
    """Lets nobody in without a token or cookie, and no browser's POST from a foreign page."""

    def __init__(self, app: ASGIApp, auth: Auth) -> None:
        self.app = app
        self.auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with `scope["state"]["principal"]`, or answer 401 or 403."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        static = scope["path"].startswith(PUBLIC_BELOW)
        principal = None if static else await asyncio.to_thread(self.auth.who, headers)
        scope.setdefault("state", {})["principal"] = principal
        refusal = self._refusal(scope, headers, principal)
        if refusal is not None:
            await _refuse(scope, receive, send, refusal)
            return
        await self.app(scope, receive, send)

    def _refusal(
        self, scope: Scope, headers: Headers, principal: Principal | None
    ) -> Response | None:
        path: str = scope["path"]
        public = path in PUBLIC or path.startswith(PUBLIC_BELOW)
        if principal is None and not public:
            return _sign_in(scope, headers)
        browser = principal is None or principal.cookie
        if principal is None and path == PAIR and "origin" not in headers:
            browser = False  # a phone agent: browsers name the origin of every POST
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE
        if browser and unsafe and not _same_origin(headers):
            return response(403, "The request comes from a page of another site.")
        return None


class QuietStreams:
    """A browser that leaves in the middle of an event is no error; `fastapi.sse` raises then."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; forget that nobody took the last event."""
        if scope["type"] != "http" or scope["path"] != "/api/events":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except* BrokenResourceError:
            access_log.debug("a browser left its stream")


class BodyLimit:
    """Refuses bodies over a limit, told or not."""

    def __init__(self, app: ASGIApp, limit: int, uploads: int) -> None:
        self.app = app
        self.limit = limit
        self.uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer 413 when the announced length is over the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.uploads if scope["method"] == "PATCH" else self.limit
        if scope["path"].startswith(PHONE_BELOW):
            limit = min(limit, PHONE_LIMIT)
        told = Headers(scope=scope).get("content-length", "0")
        if not told.isdigit() or int(told) > limit:
            refusal = response(413, f"The body is larger than {limit} bytes.")
            await refusal(scope, receive, send)
            return
        left, begun = limit, False

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    # To the app it looks as if the client had gone: nothing more is read.
                    return {"type": "http.disconnect"}
            return message

        async def unless_over(message: Message) -> None:
            nonlocal begun
            if left >= 0 or begun:
                begun = True
                await send(message)

        try:
            await self.app(scope, counted, unless_over)
        finally:
            if left < 0 and not begun:
                refusal = response(413, f"The body is larger than {limit} bytes.")
                await refusal(scope, receive, send)


class Mistakes:
    """Answers for what went wrong inside, with the headers that every answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; after an error answer 500, and let the server log it."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            if scope["type"] == "http" and not begun:
                await mistake()(scope, receive, send)
            raise


def _same_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")


def _sign_in(scope: Scope, headers: Headers) -> Response:
    page = (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and not scope["path"].startswith("/api/")
        and "text/html" in headers.get("accept", "")
    )
    if page:
        query = scope.get("query_string", b"").decode("latin-1")
        token = query if query.startswith("token=") else ""
        return RedirectResponse("/sign-in" + (f"?{token}" if token else ""), 303)
    return response(
        401,
        "Sign in, or send the token as `Authorization: Bearer ...`.",
        {"WWW-Authenticate": 'Bearer realm="capture-rig"'},
    )


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
        await answer(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
