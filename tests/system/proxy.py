"""A TCP proxy that cuts connections in the middle."""

from __future__ import annotations

import socket
import threading


class CuttingProxy:
    """Forwards TCP to a port, and cuts the first *cuts* connections that sent *after* bytes."""

    def __init__(self, target: int, *, cuts: int, after: int) -> None:
        self._target = target
        self._after = after
        self.cuts_left = cuts
        self.cut = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self._closing = True
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._accepting.join(10)
        self._server.close()
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
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            sent = 0
            while data := _receive(client):
                sent += len(data)
                if self.cuts_left > 0 and sent > self._after:
                    self.cuts_left -= 1
                    self.cut += 1
                    break
                try:
                    server.sendall(data)
                except OSError:
                    break
            for end in (server, client):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
            back.join(10)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(16384)
    except OSError:
        return b""


def _pump(source: socket.socket, sink: socket.socket) -> None:
    while data := _receive(source):
        try:
            sink.sendall(data)
        except OSError:
            return
