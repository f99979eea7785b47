"""A relay between phone and display that counts datagrams by their type."""

from __future__ import annotations

import select
import socket
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from rig.protocol.codes import MessageType
from rig.protocol.datagram import BadDatagram, peek


class Relay:
    """Forwards both ways between one phone and *display*, unaltered; leaving the block ends it.

    Attributes:
        address: where the phone is to send.
        counts: datagrams by the name of their type, both directions; read it after the block.
    """

    def __init__(self, display: tuple[str, int]) -> None:
        self.counts: Counter[str] = Counter()
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._back.connect(display)
        self.address: tuple[str, int] = self._front.getsockname()
        self._phone: tuple[str, int] | None = None
        self._ended, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.close()
        self._thread.join()
        for each in (self._front, self._back, self._ended):
            each.close()

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._front, self._back, self._ended], [], [])
            if self._ended in ready:
                return
            for source in ready:
                try:
                    self._forward(source)
                except ConnectionRefusedError:
                    continue  # one side has left; the other will notice by itself

    def _forward(self, source: socket.socket) -> None:
        data, addr = source.recvfrom(2048)
        try:
            self.counts[MessageType(peek(data)[0]).name] += 1
        except BadDatagram:
            self.counts["unknown"] += 1
        if source is self._front:
            self._phone = addr
            self._back.send(data)
        elif self._phone is not None:
            self._front.sendto(data, self._phone)
