"""The asyncio shell of a core: socket, journal and timer; everything else goes to the agent.

One unconnected UDP socket, callbacks and no awaited future a datagram (measured six times faster),
one thread for the journal. ICMP errors are noted and decide nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from rig.protocol.actions import Addr, AppendJournal, Output, SendDatagram
from rig.protocol.journal_file import JournalFile


class Core(Protocol):
    """What both cores offer a shell."""

    def datagram_received(self, data: bytes, addr: Addr, now: float) -> list[Output]: ...
    def next_deadline(self) -> float | None: ...
    def timer_fired(self, now: float) -> list[Output]: ...
    def journal_written(self, ticket: int, now: float) -> list[Output]: ...


class Shell(asyncio.DatagramProtocol):
    """Runs one core. *perform* gets every output but datagrams and journal writes, in order.

    *fatal* is told when the journal cannot be written: the agent must stop, and say so.
    """

    def __init__(
        self,
        core: Core,
        journal: JournalFile,
        perform: Callable[[Output], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._core = core
        self._journal = journal
        self._perform = perform
        self._fatal = fatal
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.datagrams_in = self.datagrams_out = 0

    @property
    def now(self) -> float:
        """The core's clock: monotonic seconds."""
        return self._loop.time()

    def attach(self, transport: asyncio.DatagramTransport) -> None:
        """Send through *transport* from now on."""
        self._transport = transport

    def connection_made(self, transport: Any) -> None:
        """Asyncio tells us the socket."""
        self.attach(transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Asyncio brings a datagram."""
        self.datagrams_in += 1
        self.run(self._core.datagram_received(data, (addr[0], addr[1]), self.now))

    def error_received(self, exc: Exception) -> None:
        """ICMP says something; it is not a decision."""

    def run(self, outputs: Sequence[Output]) -> None:
        """Carry out what the core answered, then set its timer."""
        if self._closed:
            return
        for output in outputs:
            if isinstance(output, SendDatagram):
                self._send(output)
            elif isinstance(output, AppendJournal):
                done = self._writer.submit(self._journal.append, output.records)
                done.add_done_callback(partial(self._from_writer, output.ticket))
            else:
                self._perform(output)
        self._set_timer()

    def close(self) -> None:
        """Stop: nothing more is sent or asked. The journal stays open; it is the agent's."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._writer.shutdown(wait=True)

    def _send(self, output: SendDatagram) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self.datagrams_out += 1
        try:
            self._transport.sendto(output.data, output.addr)
        except OSError:
            # No route at the moment (Wi-Fi away): the timer sends it again.
            return

    def _from_writer(self, ticket: int, done: Future[None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._written, done, ticket)

    def _written(self, done: Future[None], ticket: int) -> None:
        if self._closed:
            return
        error = done.exception()
        if error is not None:
            self._fatal(error)
            return
        self.run(self._core.journal_written(ticket, self.now))

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._core.next_deadline()
        if deadline is not None and not self._closed:
            self._timer = self._loop.call_at(deadline, self._on_timer, deadline)

    def _on_timer(self, deadline: float) -> None:
        self._timer = None
        # The loop may call a clock tick early; the core is told the time it asked for.
        self.run(self._core.timer_fired(max(self.now, deadline)))
