"""The original app on the air: a stand-in behind a socket, and a run of a plan through it."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

from display_agent import cli
from display_agent.legacy import run_legacy
from rig.planning.plan import to_json


def _load() -> ModuleType:
    path = Path(__file__).parents[1] / "protocol" / "legacy_peers.py"
    spec = importlib.util.spec_from_file_location("legacy_peers_shell", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = _load()


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """The command sets up logging for its process; other tests keep theirs."""
    yield
    structlog.reset_defaults()


class AppOnTheAir(asyncio.DatagramProtocol):
    """The stand-in of the original app behind a socket; its camera sees the null screen."""

    def __init__(self, export: Path, first: int) -> None:
        self.export = export
        self.app = peers.OriginalApp(first, look=self._look)
        self.station: Any = None
        self.transport: Any = None
        self.lose_answers = 0
        self.full = False
        self.requests: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.requests.append(data)
        self.app.receive(data, addr)
        while self.app.exposing:
            self.app.photo_done()
        for answer, to in self.app.take_sent():
            if self.lose_answers:
                self.lose_answers -= 1
            else:
                self.transport.sendto(answer, to)

    def save(self) -> None:
        """Copy the phone's folder to the computer."""
        self.export.mkdir(exist_ok=True)
        for name, data in self.app.files.items():
            (self.export / name).write_bytes(data)

    def _look(self) -> bytes:
        if self.full:
            return b""
        out = io.BytesIO()
        self.station.screen.frame().save(out, "JPEG")
        return out.getvalue()


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[AppOnTheAir]:
    """Listens on loopback, next number 1."""
    on_air = AppOnTheAir(tmp_path / "export", 1)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: on_air, local_addr=("127.0.0.1", 0))
    yield on_air
    on_air.transport.close()
    await asyncio.sleep(0)


@pytest.fixture
def plan(make_item: Any, make_plan: Any) -> Any:
    """Three x-rays."""
    return make_plan(*(make_item(index) for index in (1, 2, 3)))


Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, plan: Any, app: AppOnTheAir) -> Run:
    """Run the plan through the app; returns exit status and events."""
    (tmp_path / "plan.json").write_text(json.dumps(to_json(plan)))

    async def start(
        *words: str, until: str | None = None, reply_s: float = 30.0
    ) -> tuple[int, list[dict[str, Any]]]:
        stop = asyncio.Event()
        events: list[dict[str, Any]] = []
        port = app.transport.get_extra_info("sockname")[1]
        args = cli.build_parser().parse_args([
            "run", str(tmp_path / "plan.json"), "--legacy-phone", f"127.0.0.1:{port}",
            "--journal", str(tmp_path / "j"), "--settle-ms", "0",
            "--screen", "null", "--size", "160x120", *words,
        ])  # fmt: skip

        def report(event: dict[str, Any]) -> None:
            events.append(event)
            if event["event"] == until:
                stop.set()

        def station(*words: Any) -> Any:
            app.station = cli._station(*words)
            return app.station

        async with asyncio.timeout(30):
            return await run_legacy(args, station, report, stop, reply_s=reply_s), events

    return start


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    words = ["--journal", str(tmp_path / "j"), "--export", str(tmp_path / "export"), "--json"]
    status = cli.main(["audit-legacy", *words])
    return status, json.loads(capsys.readouterr().out)
