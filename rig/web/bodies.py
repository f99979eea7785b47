"""ASGI bodies that are read before the app sees them, and answers that are held back."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

HELD_MOST = 4 * 1024 * 1024
"""Bytes of an answer that is held back; what is longer goes out as it comes."""


class GoneError(Exception):
    """The client left before its body was here."""


async def whole(receive: Receive) -> bytes:
    """The body of a request.

    Raises:
        GoneError: it does not come.
    """
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise GoneError
        data += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(data)


def again(body: bytes, receive: Receive) -> Receive:
    """*receive*, with *body* once more before whatever follows."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


def is_read(headers: Headers) -> bool:
    """Whether the body is JSON or a form, and so is looked at."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind.endswith("json") or kind in {"application/x-www-form-urlencoded", ""}


def fields(headers: Headers, body: bytes) -> dict[str, Any]:
    """The fields of a JSON object or a form; of anything else none."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        try:
            found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=2000)
        except ValueError:
            return {}
        return {key: values[0] if len(values) == 1 else values for key, values in found.items()}
    try:
        told = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


class Held:
    """Holds an answer back until it is whole.

    Args:
        send: where it goes at last.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: list[Message] = []
        self._size = 0
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.loose = False
        """It was too long: it is on its way already."""

    @property
    def body(self) -> bytes:
        """What is held of the body."""
        return b"".join(one.get("body", b"") for one in self._messages)

    async def send(self, message: Message) -> None:
        """For the app."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        self._messages.append(message)
        self._size += len(message.get("body", b""))
        if self.loose or self._size > HELD_MOST:
            self.loose = True
            await self.let_go()

    async def let_go(self) -> None:
        """Send what is held."""
        held, self._messages = self._messages, []
        for message in held:
            await self._send(message)

    def sentence(self) -> str | None:
        """The `detail` of problem details."""
        if self.status is None or self.status < 400:
            return None
        try:
            told = json.loads(self.body)
        except ValueError:
            return None
        detail = told.get("detail") if isinstance(told, dict) else None
        return str(detail)[:500] if detail else None
