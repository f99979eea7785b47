"""A TCP proxy that cuts connections in the middle."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

Way = Literal["asked", "answered"]
Cut = tuple[Way, int]
"""Cut the first connection on which so many bytes were asked (by the client) or answered."""


class CuttingProxy:
    """Forwards TCP to a port, and cuts connections at exact bytes, one cut after the other.

    Args:
        target: port on loopback.
        cuts, after: so many connections are cut after that many bytes of the client.
        plan: or where each of them is cut.

    Attributes:
        cut: how many were cut.
        on_cut: called before a connection is closed, in a thread of the proxy.
    """

    def __init__(
        self, target: int, *, cuts: int = 0, after: int = 0, plan: Sequence[Cut] = ()
    ) -> None:
        self._target = target
        self._plan: deque[Cut] = deque([*[("asked", after)] * cuts, *plan])  # type: ignore[list-item]
        self._lock = threading.Lock()
        self.cut = 0
        self.on_cut: Callable[[], object] = lambda: None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self._closing = True
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._accepting.join(10)
        self._server.close()
        with self._lock:
            for end in self._open:
                _end(end)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            client, _ = self._server.accept()
            if self._closing:
                client.close()
                return
            thread = threading.Thread(target=self._forward, args=(client,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _forward(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return  # nobody is there now
            with server:
                with self._lock:
                    self._open |= {client, server}
                words = (server, client, "answered")
                back = threading.Thread(target=self._pump, args=words, daemon=True)
                back.start()
                self._pump(client, server, "asked")
                back.join(10)
                with self._lock:
                    self._open -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        """Until one side is closed or a cut comes, which closes both."""
        passed = 0
        while data := _receive(source):
            room = self._room(way, passed, len(data))
            passed += len(data)
            try:
                sink.sendall(data[:room])
            except OSError:
                break
            if room is not None:
                self.on_cut()
                break
        _end(source)
        _end(sink)

    def _room(self, way: Way, passed: int, count: int) -> int | None:
        """How many of *count* more bytes still pass; None when nothing is cut here."""
        with self._lock:
            if not self._plan or self._plan[0][0] != way or passed + count <= self._plan[0][1]:
                return None
            self.cut += 1
            return max(self._plan.popleft()[1] - passed, 0)


def _end(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(16384)
    except OSError:
        return b""
