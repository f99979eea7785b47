"""The asyncio shell: real sockets on loopback, real journals, a fake camera."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Timers
from rig.protocol.display import DisplayConfig, DisplayCore
from rig.protocol.journal import parse_journal
from rig.protocol.journal_file import JournalFile
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.protocol.shell import Shell
from rig.simulation.virtual import subset_of

FAST = Timers(settle=0.001, knock_every=0.05, rto_init=0.05)
COUNT = 5


@dataclass
class Agents:
    """Both agents, as small as can be: the screen is a variable, the camera writes it down."""

    folder: Path
    psk: bytes
    shown: int = 0
    events: list[Any] = field(default_factory=list)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = loop.create_future()
        self.journals = [JournalFile(self.folder / n) for n in ("display.j", "phone.j")]
        cfg = DisplayConfig(subset_of(COUNT), timers=FAST)
        self.display = DisplayCore(cfg, self.journals[0].records, self.psk, os.urandom)
        self.d_shell = Shell(self.display, self.journals[0], self._on_display, self._fatal)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self.d_shell, local_addr=("127.0.0.1", 0)
        )
        self.transports = [transport]
        dead, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        self.hosts = (dead.get_extra_info("sockname"), transport.get_extra_info("sockname"))
        dead.abort()
        self.d_shell.run(self.display.start(self.d_shell.now))
        await self.start_phone()

    async def start_phone(self) -> None:
        """A life of the phone agent on a socket of its own."""
        phone = PhoneConfig(self.hosts, timers=FAST)
        self.phone = PhoneCore(phone, self.journals[1].records, self.psk, os.urandom)
        self.p_shell = Shell(self.phone, self.journals[1], self._on_phone, self._fatal)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self.p_shell, local_addr=("127.0.0.1", 0)
        )
        self.transports.append(transport)
        self.p_shell.run(self.phone.start(self.p_shell.now))

    def part(self, who: str) -> None:
        """An agent stops as both do: BYE, then nothing more."""
        core, shell = (
            (self.display, self.d_shell) if who == "display" else (self.phone, self.p_shell)
        )
        shell.run(core.bye(shell.now))
        shell.close()

    async def stop(self) -> None:
        self.d_shell.close()
        self.p_shell.close()
        for transport in self.transports:
            transport.close()
        for journal in self.journals:
            journal.close()
        await asyncio.sleep(0)

    def said(self, kind: type) -> list[Any]:
        """What either agent said of this kind."""
        return [e for e in self.events if isinstance(e, kind)]

    def _fatal(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def _surface(self) -> bytes:
        return hashlib.sha256(str(self.shown).encode()).digest()

    def _later(self, shell: Shell, method: Any, *args: object) -> None:
        call = lambda: shell.run(method(*args, shell.now))  # noqa: E731 - one line, one use
        asyncio.get_running_loop().call_soon(call)

    def _on_display(self, o: act.Output) -> None:
        if isinstance(o, act.Paint):
            self.shown = o.index
            self._later(self.d_shell, self.display.painted, o.token, self._surface())
        elif isinstance(o, act.CheckSurface):
            self._later(self.d_shell, self.display.surface_checked, o.token, self._surface())
        elif isinstance(o, act.Completed):
            self.done.set_result(None)
        self.events.append(o)

    def _on_phone(self, o: act.Output) -> None:
        if isinstance(o, act.TriggerCamera):
            file = self.folder / o.staging
            file.write_text(f"shows {self.shown}")
            sha = hashlib.sha256(file.read_bytes() + o.staging.encode()).digest()
            photo = act.Photo(sha, file.stat().st_size, 4, 3, 1, 2)
            self._later(self.p_shell, self.phone.camera_result, o.ticket, photo)
        elif isinstance(o, act.StorePhoto):
            (self.folder / o.staging).rename(self.folder / o.final)
            self._later(self.p_shell, self.phone.photo_stored, o.ticket, None)
        self.events.append(o)


@pytest.fixture
async def agents(tmp_path: Path, psk: bytes) -> Any:
    agents = Agents(tmp_path, psk)
    await agents.start()
    yield agents
    await agents.stop()


async def test_a_subset_completes_over_real_sockets(agents: Agents):
    """Both cores, two UDP sockets, two journals, files: one photo an index, showing that index."""
    await asyncio.wait_for(agents.done, 30)
    photos = sorted(agents.folder.glob("*.jpg"))
    assert [f.read_text() for f in photos] == [f"shows {i}" for i in range(1, COUNT + 1)]
    records = [parse_journal((agents.folder / n).read_bytes())[0] for n in ("display.j", "phone.j")]
    assert [r["i"] for r in records[0] if r["k"] == "DONE"] == list(range(1, COUNT + 1))
    assert [r["i"] for r in records[1] if r["k"] == "COMMIT"] == list(range(1, COUNT + 1))
    assert records[0][-1]["k"] == "COMPLETE"
    assert agents.phone.ledger.current.chain == agents.display.ledger.chain
    assert agents.d_shell.datagrams_in >= 2 * COUNT
    assert agents.p_shell.datagrams_out >= 2 * COUNT


async def test_an_icmp_error_decides_nothing(agents: Agents):
    """Unreachable is not a decision; the phone even knocks at a port where nobody listens."""
    error = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    agents.d_shell.error_received(error)
    agents.p_shell.error_received(error)
    await asyncio.wait_for(agents.done, 30)
    assert not [e for e in agents.events if isinstance(e, (act.Aborted, act.Paused, act.PeerLost))]


async def test_garbage_on_the_socket_decides_nothing(agents: Agents):
    loop = asyncio.get_running_loop()
    address = agents.transports[0].get_extra_info("sockname")
    stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
    for n in range(50):
        stranger.sendto(os.urandom(n * 20))
        stranger.sendto(b"XC\x01\x01" + os.urandom(80))
    await asyncio.wait_for(agents.done, 30)
    stranger.close()
    assert len(list(agents.folder.glob("*.jpg"))) == COUNT


@pytest.mark.parametrize("who", ["phone", "display"])
async def test_stopping_one_side_tells_the_other_at_once(agents: Agents, who: str):
    """BYE over real sockets: the link is known to be closed, not guessed from a silence."""
    await _until(lambda: agents.said(act.Committed))
    agents.events.clear()
    agents.part(who)
    await _until(lambda: agents.said(act.PeerLost))
    assert agents.said(act.PeerLost) == [act.PeerLost(0.0)]  # a silence has a length
    assert not agents.done.done()
    if who == "display":
        sent = agents.p_shell.datagrams_out
        await _until(lambda: agents.p_shell.datagrams_out >= sent + 2)  # it knocks
        assert agents.phone.link_age_since is None
    assert not agents.said(act.Aborted)


async def test_the_next_life_of_a_phone_that_said_bye_finishes_the_run(agents: Agents):
    await _until(lambda: agents.said(act.Committed))
    agents.part("phone")
    await _until(lambda: agents.said(act.PeerLost))
    agents.journals[1].close()
    agents.journals[1] = JournalFile(agents.folder / "phone.j")
    await agents.start_phone()
    await asyncio.wait_for(agents.done, 30)
    run = agents.phone.ledger.current
    assert run.committed == COUNT
    assert run.chain == agents.display.ledger.chain


async def test_a_journal_that_cannot_be_written_is_fatal(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
):
    """Failing journal write => stop, no reply: the agent hears of it, the core says nothing."""

    def full(records: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(agents.journals[1], "append", full)
    with pytest.raises(OSError, match="no space"):
        await asyncio.wait_for(agents.done, 30)
    assert agents.phone.next_deadline() is None
    before = agents.p_shell.datagrams_out
    agents.p_shell.datagram_received(b"anything", ("127.0.0.1", 9))
    assert agents.p_shell.datagrams_out == before


# -- alone, with a core that is a script -----------------------------------------------------------


class Script:
    """A core that answers what it is told to."""

    def __init__(self) -> None:
        self.answers: list[list[Any]] = []
        self.calls: list[tuple[Any, ...]] = []
        self.deadline: float | None = None

    def _answer(self, *call: Any) -> list[Any]:
        self.calls.append(call)
        return self.answers.pop(0) if self.answers else []

    def datagram_received(self, data: bytes, addr: act.Addr, now: float) -> list[Any]:
        return self._answer("datagram", data, addr)

    def next_deadline(self) -> float | None:
        return self.deadline

    def timer_fired(self, now: float) -> list[Any]:
        due, self.deadline = self.deadline, None
        return self._answer("timer", now >= (due or now))

    def journal_written(self, ticket: int, now: float) -> list[Any]:
        return self._answer("written", ticket)


class Wire:
    """A transport that notes what is sent, or fails."""

    def __init__(self, error: OSError | None = None) -> None:
        self.sent: list[tuple[bytes, act.Addr]] = []
        self.error, self.closing = error, False

    def is_closing(self) -> bool:
        return self.closing

    def sendto(self, data: bytes, addr: act.Addr) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((data, addr))


class Memory:
    """A journal in memory that can be held back."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.gate = threading.Event()
        self.gate.set()

    def append(self, records: Any) -> None:
        assert self.gate.wait(10)
        self.records.extend(records)


SEND = act.SendDatagram(b"x", ("peer", 1))


@pytest.fixture
async def script() -> Any:
    core, performed = Script(), []
    shell = Shell(core, Memory(), performed.append, performed.append)
    yield core, shell, performed
    shell.close()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_outputs_are_carried_out_in_order(script: Any):
    _, shell, performed = script
    wire = Wire()
    shell.connection_made(wire)
    blank, event = act.Blank("why"), act.PeerBack()
    shell.run([blank, SEND, event])
    assert performed == [blank, event]
    assert wire.sent == [(b"x", ("peer", 1))]


async def test_the_core_hears_of_a_record_when_it_is_durable(script: Any):
    core, shell, _ = script
    shell._journal.gate.clear()
    shell.run([act.AppendJournal(7, ({"k": "ONE"},))])
    await asyncio.sleep(0)
    assert core.calls == []
    shell._journal.gate.set()
    await _until(lambda: core.calls)
    assert core.calls == [("written", 7)]
    assert shell._journal.records == [{"k": "ONE"}]


async def test_a_long_socket_address_is_shortened(script: Any):
    """IPv6 addresses come with flow and scope; the core knows host and port."""
    core, shell, _ = script
    shell.datagram_received(b"d", ("::1", 5, 0, 0))
    assert core.calls == [("datagram", b"d", ("::1", 5))]
    assert shell.datagrams_in == 1


async def test_the_timer_fires_not_before_its_time(script: Any):
    """The loop may call a tick early; the core is told the time it asked for."""
    core, shell, _ = script
    core.deadline = shell.now + 0.01
    shell.run([])
    await _until(lambda: core.calls)
    assert core.calls == [("timer", True)]


async def test_a_new_deadline_replaces_the_old_one(script: Any):
    core, shell, _ = script
    core.deadline = shell.now
    shell.run([])
    core.deadline = None
    shell.run([])
    for _ in range(5):
        await asyncio.sleep(0)
    assert core.calls == []


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EPERM, errno.ENOBUFS])
async def test_a_send_that_fails_is_left_to_the_timer(script: Any, number: int):
    """Wi-Fi away for a moment: no route is not a decision."""
    _, shell, performed = script
    shell.attach(Wire(OSError(number, "no route")))
    event = act.PeerBack()
    shell.run([SEND, event])
    assert performed == [event]


async def test_nothing_is_sent_without_a_socket_or_on_a_closing_one(script: Any):
    _, shell, _ = script
    shell.run([SEND])
    wire = Wire()
    wire.closing = True
    shell.attach(wire)
    shell.run([SEND])
    assert wire.sent == []
    assert shell.datagrams_out == 0


async def test_after_close_nothing_is_done_any_more(script: Any):
    """Not even when a record that was under way becomes durable."""
    core, shell, performed = script
    wire = Wire()
    shell.attach(wire)
    shell._journal.gate.clear()
    shell.run([act.AppendJournal(1, ({"k": "ONE"},))])
    asyncio.get_running_loop().call_soon(shell._journal.gate.set)
    await asyncio.sleep(0)
    core.deadline = shell.now
    shell.close()
    shell.run([SEND, act.PeerBack()])
    for _ in range(5):
        await asyncio.sleep(0)
    assert (core.calls, performed, wire.sent) == ([], [], [])
    assert shell._journal.records == [{"k": "ONE"}]


def test_a_record_that_outlives_the_loop_tells_nobody():
    """The loop is closed when the writer is done: no error, no call."""
    core, memory = Script(), Memory()

    async def begin() -> Shell:
        shell = Shell(core, memory, list[Any]().append, list[Any]().append)
        memory.gate.clear()
        shell.run([act.AppendJournal(1, ({"k": "ONE"},))])
        return shell

    loop = asyncio.new_event_loop()
    shell = loop.run_until_complete(begin())
    loop.close()
    memory.gate.set()
    shell._writer.shutdown(wait=True)
    assert memory.records == [{"k": "ONE"}]
    assert core.calls == []
