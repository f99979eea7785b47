"""The link to the controller, against a real WebSocket server that misbehaves."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

import pytest
import structlog
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from display_agent.controller import REFUSED_PAUSE, CommandError, ControllerLink
from display_agent.outbox import Outbox
from rig.errors import UserError

TOKEN = "station-token"
SESSION = "s0123456789abcdef"
OTHER = "sfedcba9876543210"
PAIRING = "xcap://pair?v=1&k=very-secret"


class Crash(Exception):
    """The controller dies while it handles an event."""


class FakeController:
    """Stores events as the real one does: in order, once each; can drop the line and forget."""

    def __init__(self) -> None:
        self.token = TOKEN
        self.events: dict[str, list[dict]] = {}
        self.received = 0
        self.connections = 0
        self.refused = 0
        self.answers: list[int] = []
        self.hellos: list[dict] = []
        self.pairings: list[str] = []
        self.replies: list[dict] = []
        self.statuses: list[dict] = []
        self.crash_before: set[int] = set()
        self.crash_after: set[int] = set()
        self.acks_per_event = 1
        self.ack_also: list[int] = []
        self.acks_late = False
        self.unanswered: list[str] = []
        self.deaf = False
        self.silent = False
        self.current: ServerConnection | None = None
        self.port = 0
        self._changed = asyncio.Condition()

    def process_request(self, connection, request):
        if self.answers:
            return connection.respond(self.answers.pop(0), "not now\n")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            self.refused += 1
            return connection.respond(403, "no\n")
        return None

    async def talk(self, socket: ServerConnection) -> None:
        self.connections += 1
        self.current = socket
        await self._tell()
        try:
            async for text in socket:
                await self._take(socket, json.loads(text))
                await self._tell()
        except (ConnectionClosed, Crash):
            socket.transport.abort()

    async def _take(self, socket: ServerConnection, message: dict) -> None:
        match message["type"]:
            case "hello":
                self.hellos.append(message)
                if self.silent:
                    return
                phone = {"url": "http://rig.test", "token": "phone"}
                await self.send({"type": "welcome", "station": "room 4", "phone": phone})
                self.unanswered = list(message["sessions"])
                if not self.acks_late:
                    await self._answer_hello()
            case "pairing":
                self.pairings.append(message["url"])
            case "reply":
                self.replies.append(message)
            case "status":
                self.statuses.append(message)
                await self._answer_hello()
            case "event":
                await self._store(message)

    async def _answer_hello(self) -> None:
        while self.unanswered:
            await self._ack(self.unanswered.pop())

    async def _store(self, event: dict) -> None:
        self.received += 1
        if self.deaf:
            return
        if self.received in self.crash_before:
            raise Crash  # the event is lost and must come again
        held = self.events.setdefault(event["session"], [])
        if event["seq"] == len(held) + 1:
            held.append(event)
        if self.received in self.crash_after:
            raise Crash  # stored, but the acknowledgement never arrives
        for _ in range(self.acks_per_event):
            await self._ack(event["session"])
        for seq in self.ack_also:
            await self.send({"type": "ack", "session": event["session"], "seq": seq})

    async def _ack(self, session: str) -> None:
        seq = len(self.events.get(session, []))
        await self.send({"type": "ack", "session": session, "seq": seq})

    async def send(self, message: dict) -> None:
        assert self.current is not None
        await self.current.send(json.dumps(message))

    async def command(self, number: int, do: str) -> None:
        await self.send({"type": "command", "id": number, "do": do, "session": SESSION})

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for something this controller sees; a hang fails the test."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(true)

    def seqs(self, session: str = SESSION) -> list[int]:
        return [event["seq"] for event in self.events.get(session, [])]


class Agent:
    """Everything the link asks of the display agent."""

    def __init__(self) -> None:
        self.boxes: dict[str, Outbox] = {}
        self.commands: list[str] = []
        self.pauses: list[float] = []
        self.now = 0.0
        self._slept = asyncio.Event()
        self.on_command: Callable[[dict], Awaitable[None]] | None = None
        self.pairing: Callable[[dict], str] = lambda welcome: PAIRING

    async def handle(self, command: dict) -> None:
        self.commands.append(command["do"])
        if self.on_command is not None:
            await self.on_command(command)

    async def pair(self, welcome: dict) -> str:
        return self.pairing(welcome)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._slept.set()
        await asyncio.sleep(0.001)

    async def slept(self, times: int) -> None:
        """Wait until the link has begun that many pauses."""
        while len(self.pauses) < times:
            self._slept.clear()
            await self._slept.wait()

    def link(self, url: str, token: str = TOKEN, **options) -> ControllerLink:
        settings = {
            "hello": lambda: {"screen": {"backend": "null"}, "frames": None},
            "handler": self.handle,
            "outboxes": lambda: self.boxes,
            "status": lambda: {"session": SESSION, "phase": "running"},
            "pairing": self.pair,
            "sleep": self.sleep,
            "clock": lambda: self.now,
            "rng": random.Random(1),
        }
        return ControllerLink(url, token, **{**settings, **options})


@pytest.fixture
async def controller():
    made = FakeController()
    async with serve(
        made.talk, "127.0.0.1", 0, process_request=made.process_request, close_timeout=1
    ) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@pytest.fixture
def agent(tmp_path):
    made = Agent()
    for session in (SESSION, OTHER):
        made.boxes[session] = Outbox(tmp_path / session, session)
    yield made
    for box in made.boxes.values():
        box.close()


@pytest.fixture
async def run(controller, agent):
    """Start links to the controller; cancelled afterwards."""
    tasks: list[asyncio.Task[None]] = []

    def start(**options) -> ControllerLink:
        link = agent.link(f"http://127.0.0.1:{controller.port}", **options)
        tasks.append(asyncio.create_task(link.run()))
        return link

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _paint(agent: Agent, count: int, session: str = SESSION) -> None:
    for _ in range(count):
        box = agent.boxes[session]
        box.append("painted", box.last_seq + 1, 1)


async def test_hello_names_screen_and_sessions_and_the_pairing_follows_the_welcome(
    controller, agent, run
):
    """The controller learns how far each session is; the phone's secrets come from the welcome."""
    _paint(agent, 3)
    welcomes = []
    agent.pairing = lambda welcome: welcomes.append(welcome["phone"]) or PAIRING
    run()
    await controller.until(lambda: controller.pairings)
    assert controller.hellos == [
        {
            "type": "hello",
            "version": 1,
            "screen": {"backend": "null"},
            "frames": None,
            "sessions": {SESSION: 3, OTHER: 0},
        }
    ]
    assert controller.pairings == [PAIRING]
    assert welcomes == [{"url": "http://rig.test", "token": "phone"}]


async def test_the_events_of_all_sessions_arrive_in_order(controller, agent, run):
    """Those from before the connection and those notified during it, as they were written."""
    _paint(agent, 5)
    _paint(agent, 2, OTHER)
    link = run()
    await controller.until(lambda: len(controller.seqs()) == 5 and len(controller.seqs(OTHER)) == 2)
    _paint(agent, 4)
    link.notify()
    await controller.until(lambda: len(controller.seqs()) == 9)
    assert controller.seqs() == list(range(1, 10))
    sent = [{k: v for k, v in e.items() if k != "type"} for e in controller.events[SESSION]]
    assert sent == list(agent.boxes[SESSION].after(0))


async def test_only_what_the_controller_lacks_is_sent(controller, agent, run):
    """Sending waits for its first acknowledgement and begins after it."""
    controller.acks_late = True
    _paint(agent, 6)
    controller.events[SESSION] = list(agent.boxes[SESSION].after(0))[:4]
    run()
    await controller.until(lambda: len(controller.seqs()) == 6)
    assert controller.received == 2


async def test_a_line_that_drops_again_and_again_loses_and_doubles_nothing(controller, agent, run):
    """Events are written while the line is down; each is stored exactly once, in order."""
    controller.crash_after = {3, 5, 30}
    controller.crash_before = {4, 12, 41}
    _paint(agent, 10)
    link = run()
    for _ in range(5):
        await controller.until(lambda: len(controller.seqs()) == agent.boxes[SESSION].last_seq)
        _paint(agent, 8)
        link.notify()
    await controller.until(lambda: len(controller.seqs()) == 50)
    assert controller.seqs() == list(range(1, 51))
    assert controller.connections == 7
    assert controller.received == 53


async def test_repeated_and_late_acknowledgements_change_nothing(controller, agent, run):
    """A lower ack is true too and must not start the sending over."""
    controller.acks_per_event = 3
    controller.ack_also = [1, 0]
    _paint(agent, 20)
    link = run()
    await controller.until(lambda: len(controller.seqs()) == 20)
    _paint(agent, 1)
    link.notify()
    await controller.until(lambda: len(controller.seqs()) == 21)
    assert controller.received == 21
    assert link.acked(SESSION) in {20, 21}


async def test_a_long_backlog_goes_through_the_window(controller, agent, run):
    """More events than may be on their way at once."""
    _paint(agent, 700)
    run()
    await controller.until(lambda: len(controller.seqs()) == 700)
    assert controller.received == 700


async def test_events_that_stay_unconfirmed_are_sent_again(controller, agent, run):
    """A controller that lost them in a hiccup of its own gets them on the same connection."""
    controller.deaf = True
    _paint(agent, 3)
    run()
    await controller.until(lambda: controller.received == 3)
    controller.deaf = False
    agent.now = 60.0
    await controller.until(lambda: len(controller.seqs()) == 3)
    assert controller.connections == 1


async def test_a_controller_restored_from_a_backup_gets_the_rest_again(controller, agent, run):
    """Its first word after hello counts, not what an earlier connection said."""
    _paint(agent, 8)
    run()
    await controller.until(lambda: len(controller.seqs()) == 8)
    del controller.events[SESSION][5:]
    with structlog.testing.capture_logs() as logs:
        controller.current.transport.abort()
        await controller.until(lambda: len(controller.seqs()) == 8)
    assert controller.seqs() == list(range(1, 9))
    assert any("only up to event 5" in entry["event"] for entry in logs)


async def test_a_lost_state_folder_is_told_and_numbering_goes_on(controller, agent, run):
    """New events must not hide behind numbers that the controller has already."""
    controller.events[SESSION] = [{"seq": n} for n in range(1, 8)]
    _paint(agent, 2)
    with structlog.testing.capture_logs() as logs:
        link = run()
        await controller.until(lambda: link.acked(SESSION) == 7)
        agent.boxes[SESSION].append("connected", None, None)
        link.notify()
        await controller.until(lambda: len(controller.seqs()) == 8)
    assert any("state folder was lost" in entry["event"] for entry in logs)


async def test_a_session_begun_on_this_connection_is_sent_too(controller, agent, run, tmp_path):
    """It was in no hello, so nobody waits for its acknowledgement."""
    link = run()
    await controller.until(lambda: controller.pairings)
    new = "saaaaaaaaaaaaaaaa"
    agent.boxes[new] = Outbox(tmp_path / new, new)
    agent.boxes[new].append("connected", None, None)
    link.notify()
    await controller.until(lambda: controller.seqs(new) == [1])


async def test_commands_reach_the_handler_in_order_and_are_answered(controller, agent, run):
    """Done, refused with its sentence, or failed without the traceback."""

    async def handle(command: dict) -> None:
        await asyncio.sleep(0)
        if command["do"] == "start":
            raise CommandError("No phone is connected; pair it first.")
        if command["do"] == "resume":
            raise KeyError("inner detail")

    agent.on_command = handle
    run()
    await controller.until(lambda: controller.pairings)
    for number, do in enumerate(("load", "start", "resume", "pause"), 1):
        await controller.command(number, do)
    await controller.until(lambda: len(controller.replies) == 4)
    assert agent.commands == ["load", "start", "resume", "pause"]
    assert controller.replies[0] == {"type": "reply", "id": 1, "ok": True, "error": None}
    assert [r["ok"] for r in controller.replies] == [True, False, False, True]
    assert controller.replies[1]["error"] == "No phone is connected; pair it first."
    assert controller.replies[2]["error"] == "The display agent failed at 'resume'; see its log."


async def test_an_abort_waits_for_no_other_command(controller, agent, run):
    """It overtakes a load that hangs; what was ordered after the load stays after it."""
    release = asyncio.Event()

    async def handle(command: dict) -> None:
        if command["do"] == "load":
            await release.wait()

    agent.on_command = handle
    run()
    await controller.until(lambda: controller.pairings)
    for number, do in enumerate(("load", "start", "abort"), 1):
        await controller.command(number, do)
    await controller.until(lambda: controller.replies)
    assert [r["id"] for r in controller.replies] == [3]
    assert agent.commands == ["load", "abort"]
    release.set()
    await controller.until(lambda: len(controller.replies) == 3)
    assert agent.commands == ["load", "abort", "start"]


async def test_a_command_outlives_the_connection_but_its_reply_does_not(controller, agent, run):
    """Half a load would be worse; a reply on another connection would answer another question."""
    release, finished = asyncio.Event(), asyncio.Event()

    async def handle(command: dict) -> None:
        await release.wait()
        finished.set()

    agent.on_command = handle
    run()
    await controller.until(lambda: controller.pairings)
    await controller.command(1, "load")
    await controller.until(lambda: agent.commands)
    controller.current.transport.abort()
    await controller.until(lambda: len(controller.pairings) == 2)
    release.set()
    async with asyncio.timeout(5):
        await finished.wait()
    await controller.command(2, "start")
    await controller.until(lambda: controller.replies)
    assert [r["id"] for r in controller.replies] == [2]


async def test_the_status_is_sent_again_and_again(controller, agent, run):
    """One second apart."""
    run()
    await controller.until(lambda: len(controller.statuses) >= 3)
    assert controller.statuses[0] == {"type": "status", "session": SESSION, "phase": "running"}
    assert set(agent.pauses) == {1.0}


async def test_a_refused_token_is_said_and_tried_seldom(controller, agent, run):
    """The sentence names the remedy and no secret; pairing anew at the controller heals it."""
    controller.token = "another"
    with structlog.testing.capture_logs() as logs:
        run()
        await agent.slept(1)
        controller.token = TOKEN
        await controller.until(lambda: controller.pairings)
    assert controller.refused >= 1
    assert agent.pauses[0] >= REFUSED_PAUSE / 2
    assert any("refuses this station's token; pair" in entry["event"] for entry in logs)
    assert TOKEN not in str(logs)


async def test_a_station_that_is_thrown_out_is_refused_too(controller, agent, run):
    """The policy close code (1008) means the same as 403: the token was withdrawn meanwhile."""
    run()
    await controller.until(lambda: controller.pairings)
    with structlog.testing.capture_logs() as logs:
        await controller.current.close(1008)
        await controller.until(lambda: len(controller.pairings) == 2)
    assert any("refuses this station's token; pair" in entry["event"] for entry in logs)
    assert max(agent.pauses) >= REFUSED_PAUSE / 2


async def test_other_answers_of_the_server_are_told_and_tried_again(controller, agent, run):
    """A wrong address and a fault of the server have different remedies."""
    controller.answers = [404, 500]
    with structlog.testing.capture_logs() as logs:
        run()
        await controller.until(lambda: controller.pairings)
    told = " ".join(entry["event"] for entry in logs)
    assert "answered 404; is that the controller's address?" in told
    assert "answered 500; look in its log" in told


async def test_stopping_the_link_stops_a_hanging_command(controller, agent, run):
    """Nothing is left running."""
    stopped = asyncio.Event()

    async def handle(command: dict) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    agent.on_command = handle
    link = agent.link(f"http://127.0.0.1:{controller.port}")
    task = asyncio.create_task(link.run())
    await controller.until(lambda: controller.pairings)
    await controller.command(1, "load")
    await controller.until(lambda: agent.commands)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stopped.is_set()
    assert not link.connected


async def test_no_secret_is_logged(controller, agent, run, caplog):
    """Neither token nor pairing, whatever level the program's logging has."""
    caplog.set_level("DEBUG")
    with structlog.testing.capture_logs() as logs:
        run()
        await controller.until(lambda: controller.pairings)
        controller.current.transport.abort()
        await controller.until(lambda: len(controller.pairings) == 2)
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("websockets.server")]
    for secret in (TOKEN, PAIRING):
        assert secret not in str(logs) + str(ours)


async def test_pauses_grow_with_jitter_while_nobody_answers(agent):
    """From half a second up to fifteen, each times 0.5 to 1.5."""
    link = agent.link("http://127.0.0.1:9")
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(link.run())
        await agent.slept(8)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    planned = [0.5, 1, 2, 4, 8, 15, 15, 15]
    factors = [pause / plan for pause, plan in zip(agent.pauses, planned, strict=False)]
    assert all(0.5 <= factor <= 1.5 for factor in factors)
    assert len({round(factor, 3) for factor in factors}) > 4
    assert "cannot be reached" in logs[0]["event"]
    assert "Shooting goes on" in logs[0]["event"]


async def test_a_controller_that_does_not_welcome_is_left(controller, agent, run, monkeypatch):
    """Within the deadline, and then tried again."""
    monkeypatch.setattr("display_agent.controller.WELCOME_WITHIN", 0.02)
    controller.silent = True
    link = run()
    await controller.until(lambda: controller.connections >= 2)
    assert not link.connected
    controller.silent = False
    await controller.until(lambda: controller.pairings)


async def test_messages_that_make_no_sense_are_ignored(controller, agent, run):
    """Rubbish, unknown types and half commands; the link stays up."""
    run()
    await controller.until(lambda: controller.pairings)
    for text in ("{", "[]", "7", '{"type": "new thing"}', '{"type": "ack", "session": 3}'):
        await controller.current.send(text)
    await controller.send({"type": "command", "id": "one", "do": "start"})
    await controller.current.send(b"\xff\x00")
    await controller.command(1, "load")
    await controller.until(lambda: controller.replies)
    assert agent.commands == ["load"]
    assert controller.connections == 1


async def test_a_fault_in_the_agents_own_answers_does_not_end_the_link(controller, agent, run):
    """A run needs no link and must not die of it."""
    faults = iter([RuntimeError("bug")])

    def status() -> dict:
        for fault in faults:
            raise fault
        return {"phase": "running"}

    with structlog.testing.capture_logs() as logs:
        run(status=status)
        await controller.until(lambda: controller.statuses)
    assert controller.connections == 2
    assert any("RuntimeError" in entry["event"] for entry in logs)


async def test_without_pairing_the_link_works_all_the_same(controller, agent, run):
    """The reason stands in the log."""

    def no_pairing(welcome: dict) -> str:
        raise UserError("The pairing file is damaged; delete it.")

    agent.pairing = no_pairing
    _paint(agent, 1)
    with structlog.testing.capture_logs() as logs:
        run()
        await controller.until(lambda: controller.seqs() == [1])
    assert any("pairing file is damaged" in entry["event"] for entry in logs)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://rig:8000", "ws://rig:8000/api/agent"),
        ("https://rig.example/base/", "wss://rig.example/base/api/agent"),
        ("ws://[::1]:8000/", "ws://[::1]:8000/api/agent"),
    ],
)
def test_the_address_of_the_agents_door_follows_from_the_base(agent, url, expected):
    """http becomes ws, https wss; a path before is kept."""
    assert agent.link(url).url == expected


@pytest.mark.parametrize(
    "url", ["rig:8000", "ftp://rig", "http://", "http://me:pw@rig", "http://r/?t=1"]
)
def test_what_is_no_controllers_address_is_refused(agent, url):
    """Nor may a secret hide in it."""
    with pytest.raises(UserError, match="must look like http://host:8000"):
        agent.link(url)
