"""uvicorn, taught to stop: event streams end first, so that nothing waits for them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from rig.errors import UserError
from rig.web.controller import Controller
from rig.web.patience import PatientProtocol

WEBSOCKET_MESSAGE = 256 * 1024
"""Largest message of a display agent, bytes."""
GRACE_SECONDS = 3
TOKEN_MIN = 16
"""Characters of an access token that is chosen by a person."""


def need_token(address: str, token: str) -> None:
    """Refuse to listen for other machines without a token, however the controller is started.

    A token counts that somebody made or gave; the one that follows from the home's secret does not.

    Raises:
        UserError: *address* is not this machine's own and *token* is missing or short.
    """
    try:
        local = ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        local = address.startswith("/")  # a Unix socket
    if not local and len(token) < TOKEN_MIN:
        raise UserError(
            f"A controller that listens on {address} can be reached by others: it needs an access "
            f"token of at least {TOKEN_MIN} characters that was made for it. Make one with "
            "`rig token make` (it is kept in the home), or give one with --token-file FILE or "
            "RIG_TOKEN, then start again. Without --host only this machine reaches it."
        )


class Server(uvicorn.Server):
    """Ends the live streams when it stops, and says when it is ready."""

    def __init__(
        self, config: uvicorn.Config, rig: Controller, on_ready: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config)
        self._rig = rig
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell.

        Raises:
            UserError: others could reach it and there is no token that keeps them out.
        """
        if sockets:
            self._rig.listening = sockets[0].getsockname()[:2]
        auth = self._rig.auth
        need_token(self._rig.listening[0], auth.token if auth.chosen else "")
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop within a second even while browsers listen."""
        self._rig.feed.close()
        await super().shutdown(sockets)


def make_server(
    app: FastAPI, rig: Controller, on_ready: Callable[[], None] | None = None
) -> Server:
    """A server for *app*; run it with `serve(sockets=[...])`."""
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_MESSAGE,
        lifespan="on",
        log_config=None,
        access_log=False,  # paths may name patients; `rig.web.middleware.AccessLog` logs routes
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, rig, on_ready)
