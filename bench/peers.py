"""The other ends of the bare measurements: `python -m bench.peers echo|echo-blocking|frames`.

Each prints one JSON line with its port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

SCREEN = (1920, 1080)
"""Pixels of the null screen, as `display-agent` has them by default."""


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._transport.sendto(data, addr)


async def _echo() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Echo, local_addr=("127.0.0.1", 0))
    _say(transport.get_extra_info("sockname")[1])
    await asyncio.Event().wait()


def _echo_blocking() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        _say(here.getsockname()[1])
        while True:
            data, addr = here.recvfrom(2048)
            here.sendto(data, addr)


async def _frames(data: bytes) -> None:
    from display_agent.compose import compose, decode
    from display_agent.frames import FrameServer
    from display_agent.screens.null import NullScreen

    screen = NullScreen(SCREEN)
    await screen.open()
    await screen.show(b"bench", compose(decode(data), SCREEN))
    server = FrameServer(screen.frame)
    await server.start()
    _say(server.port)
    await asyncio.Event().wait()


def _say(port: int) -> None:
    print(json.dumps({"port": port}), flush=True)


def main() -> None:
    """Serve what the first word says."""
    what = sys.argv[1]
    if what == "echo":
        asyncio.run(_echo())
    elif what == "echo-blocking":
        _echo_blocking()
    else:
        asyncio.run(_frames(Path(sys.argv[2]).read_bytes()))


if __name__ == "__main__":
    main()
