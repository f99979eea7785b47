"""`Idempotency-Key`: a command that is sent again is carried out once and answered the same.

A key belongs to who asks and to the command (method and path): elsewhere it is another key.

What was answered is kept sealed: some answers show a token, and tokens are kept nowhere else.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rig.store import answers
from rig.store.answers import Kept
from rig.web import bodies
from rig.web.auth import Auth, Principal, Role
from rig.web.bodies import GoneError, Held
from rig.web.controller import Controller
from rig.web.problems import response

HEADER: Final = "idempotency-key"
KEEP_NS = 7 * 24 * 3600 * 10**9
"""So long an answer is kept."""
COMMANDS = frozenset({"POST", "PUT", "DELETE"})
_KEY = re.compile(r'[!-~]{1,200}|"[!-~]{1,198}"', re.ASCII)
_NOT_DONE = frozenset({401, 403, 405, 408, 413, 429})
"""Answers after which nothing was done: the key stays free."""
_DROPPED = frozenset({b"date", b"server", b"content-length", b"set-cookie"})


class Once:
    """Carries a command with a key out once.

    Args:
        app: what is inside.
        rig: the controller.
    """

    def __init__(self, app: ASGIApp, rig: Controller) -> None:
        self.app = app
        self._rig = rig
        self._running: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer what was answered before."""
        key = _key_of(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        if _KEY.fullmatch(key) is None:
            detail = "Idempotency-Key must be 1 to 200 printable ASCII characters without spaces."
            await response(422, detail)(scope, receive, send)
            return
        body = scope["state"].get("body")
        if body is None:
            try:
                body = await bodies.whole(receive)
            except GoneError:
                return
            receive = bodies.again(body, receive)
        kept_as, fingerprint = _digests(self._rig.auth, scope, key, body)
        if kept_as in self._running:
            detail = "The command with this Idempotency-Key is still being carried out: ask again."
            await response(409, detail, {"Retry-After": "1"})(scope, receive, send)
            return
        self._running.add(kept_as)
        try:
            await self._once(scope, receive, send, kept_as, fingerprint)
        finally:
            self._running.discard(kept_as)

    async def _once(
        self, scope: Scope, receive: Receive, send: Send, kept_as: str, fingerprint: str
    ) -> None:
        rig = self._rig
        now = rig.clock_ns()
        kept = await rig.database.awrite(
            lambda c: answers.begin(c, kept_as, fingerprint, now, KEEP_NS)
        )
        if kept is not None:
            scope["state"]["replayed"] = True
            await _repeat(rig.auth, kept, kept_as, fingerprint)(scope, receive, send)
            return
        held = Held(send)
        done = False
        try:
            await self.app(scope, receive, held.send)
            status = held.status
            done = not (status is None or status >= 500 or status in _NOT_DONE or held.loose)
        finally:
            await self._keep(kept_as, held, done=done)
        await held.let_go()

    async def _keep(self, kept_as: str, held: Held, *, done: bool) -> None:
        database = self._rig.database
        if not done or held.status is None:
            await database.awrite(lambda c: answers.forget(c, kept_as))
            return
        status = held.status
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in held.headers
            if name.lower() not in _DROPPED
        }
        sealed = seal(self._rig.auth, kept_as, held.body)
        await database.awrite(lambda c: answers.finish(c, kept_as, status, headers, sealed))


def _repeat(auth: Auth, kept: Kept, kept_as: str, fingerprint: str) -> ASGIApp:
    """The answer to a command whose key is known."""
    if not hmac.compare_digest(kept.fingerprint, fingerprint):
        return response(
            422,
            "This Idempotency-Key was used for this command with another body: take a new key for "
            "each command, and the same one only to send the very same command again.",
        )
    if kept.status is None or kept.sealed is None:
        return response(
            409,
            "The controller was stopped while it carried this command out: look what became of "
            "it, then ask under a new Idempotency-Key.",
        )
    body, status = unseal(auth, kept_as, kept.sealed), kept.status
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in kept.headers.items()]
    headers += [(b"idempotency-replayed", b"true")]
    if status not in {204, 304}:
        headers += [(b"content-length", str(len(body)).encode())]

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def seal(auth: Auth, name: str, data: bytes) -> bytes:
    """*data* under a key of its own that follows from the home's secret and *name*.

    A stream of HMAC-SHA-256 over a counter, and an HMAC over the whole (encrypt-then-MAC). Every
    *name* seals one thing once.
    """
    stream, tag = _keys(auth, name)
    hidden = _mix(stream, data)
    return hmac.digest(tag, hidden, "sha256") + hidden


def unseal(auth: Auth, name: str, sealed: bytes) -> bytes:
    """What was sealed under *name*.

    Raises:
        ValueError: it was not, or was changed since.
    """
    stream, tag = _keys(auth, name)
    if not hmac.compare_digest(hmac.digest(tag, sealed[32:], "sha256"), sealed[:32]):
        raise ValueError("a kept answer was changed")
    return _mix(stream, sealed[32:])


def _keys(auth: Auth, name: str) -> tuple[bytes, bytes]:
    stream = auth.code_of("seal stream", name.encode())
    return bytes.fromhex(stream), bytes.fromhex(auth.code_of("seal tag", name.encode()))


def _mix(key: bytes, data: bytes) -> bytes:
    out = bytearray()
    for at in range(0, len(data), 32):
        block = hmac.digest(key, (at // 32).to_bytes(8, "big"), "sha256")
        out += bytes(a ^ b for a, b in zip(data[at : at + 32], block, strict=False))
    return bytes(out)


def _key_of(scope: Scope) -> str | None:
    """The key of a command of an operator to the API."""
    if scope["type"] != "http" or scope["method"] not in COMMANDS:
        return None
    principal: Principal | None = scope["state"].get("principal")
    if principal is None or principal.role is not Role.OPERATOR:
        return None
    if not scope["path"].startswith("/api/"):
        return None
    return Headers(scope=scope).get(HEADER)


def _digests(auth: Auth, scope: Scope, key: str, body: bytes) -> tuple[str, str]:
    principal: Principal = scope["state"]["principal"]
    who = (principal.device or "token").encode()
    plain = key[1:-1] if key.startswith('"') and key.endswith('"') and len(key) > 2 else key
    command = json.dumps([scope["method"], scope["path"]]).encode()
    name = Headers(scope=scope).get("x-operator", "").encode()
    return (
        auth.code_of("idempotency key", who, command, plain.encode()),
        auth.code_of("idempotency body", scope.get("query_string", b""), name, body),
    )
