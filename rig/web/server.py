"""uvicorn, taught to stop: event streams end first, so that nothing waits for them."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from rig.web.controller import Controller
from rig.web.patience import PatientProtocol

WEBSOCKET_MESSAGE = 256 * 1024
"""Largest message of a display agent, bytes."""
GRACE_SECONDS = 3


class Server(uvicorn.Server):
    """Ends the live streams when it stops, and says when it is ready."""

    def __init__(
        self, config: uvicorn.Config, rig: Controller, on_ready: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config)
        self._rig = rig
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        if sockets:
            self._rig.listening = sockets[0].getsockname()[:2]
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
