"""Limits for who is not known yet: time for a request, and connections from one address.

uvicorn waits for a request's head and body for as long as somebody likes; on a network that would
let anybody take every connection there is by doing nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 10.0
"""Within this a request's head has to be here, and nothing is answered meanwhile for longer."""
BODY_SECONDS = 15.0
"""Within this the body of a request without sign-in has to be here, all of it."""
MOST_FROM_ONE = 64
"""Connections of one address at once; a browser has six. This machine itself may have more: a
proxy in front of the controller calls from there."""


class PatientProtocol(H11Protocol):
    """uvicorn's connection, which is closed when nothing comes of it."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._seen: RequestResponseCycle | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, unless its address has too many."""
        super().connection_made(transport)
        if self.client is not None and self._crowded(self.client[0]):
            transport.abort()
            return
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _crowded(self, address: str) -> bool:
        if _is_here(address):
            return False
        clients = (getattr(one, "client", None) for one in self.connections)
        count = sum(1 for one in clients if one is not None and one[0] == address)
        return count > MOST_FROM_ONE

    def _look(self) -> None:
        """Close if no request is being answered and none has begun since the look before."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # gone, or a WebSocket by now
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is self._seen and (cycle is None or cycle.response_complete):
            self.transport.close()
            return
        self._seen = cycle
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look)


class Hurry:
    """To who is not signed in a body that does not come looks as if the client had gone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; time runs from here."""
        if scope["type"] != "http" or scope["state"]["principal"] is not None:
            await self.app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + BODY_SECONDS

        async def hurried() -> Message:
            try:
                async with asyncio.timeout_at(until):
                    return await receive()
            except TimeoutError:
                return {"type": "http.disconnect"}

        await self.app(scope, hurried, send)


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return True  # a Unix socket
