"""The phone under the original client, killed over what goes wrong: a failed exposure, an abort."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from phone_agent.legacy import JOURNAL
from rig.protocol.journal import Record, parse_journal

Agent = Callable[..., "subprocess.Popen[bytes]"]


def _name(seq: int) -> str:
    return f"{seq}__7__patient{seq}__study1__view1.jpg"


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def broken() -> threading.Event:
    """While it is set the camera fails."""
    return threading.Event()


@pytest.fixture
def agent(tmp_path: Path, port: int, http_server: Any, broken: threading.Event) -> Iterator[Agent]:
    """Starts the phone agent as a process; ends it after the test."""
    out = io.BytesIO()
    Image.new("L", (64, 48), 90).save(out, "JPEG")

    def frame(http: Any) -> None:
        http.send_response(500 if broken.is_set() else 200)
        http.send_header("Content-Type", "image/jpeg")
        http.send_header("Content-Length", str(len(out.getvalue())))
        http.end_headers()
        http.wfile.write(out.getvalue())

    server = http_server(frame)
    started: list[subprocess.Popen[bytes]] = []

    def start(failpoint: str = "", *words: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable, "-m", "phone_agent.cli", "--legacy-listen", str(port),
            "--legacy-first", "0", "--legacy-from", "127.0.0.1", "--dir", str(tmp_path / "d"),
            "--camera", f"loopback:{server.url}", *words,
        ]  # fmt: skip
        environ = {**os.environ, "XCAP_FAILPOINT": failpoint}
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def ask(port: int, seq: int, until: subprocess.Popen[bytes]) -> str:
    """What number *seq* is answered; empty when the agent dies over it."""
    for _ in range(120):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as once:
            once.settimeout(0.5)
            once.sendto(f"{seq}|{_name(seq)}".encode(), ("127.0.0.1", port))
            try:
                return once.recvfrom(1024)[0].decode()
            except (TimeoutError, ConnectionError):
                if until.poll() is not None:
                    return ""
    raise AssertionError(f"number {seq} was never answered")


def killed(process: subprocess.Popen[bytes]) -> bool:
    return process.wait(30) == -signal.SIGKILL


def records(folder: Path, *kinds: str) -> list[Record]:
    found, _ = parse_journal((folder / "d" / JOURNAL).read_bytes())
    return [r for r in found if r["k"] in kinds]


@pytest.mark.parametrize("failpoint", ["before_fail", "after_fail"])
def test_killed_over_a_failed_exposure_it_takes_the_photo_when_asked_again(
    tmp_path: Path, port: int, agent: Agent, broken: threading.Event, failpoint: str
) -> None:
    """The first try is void or failed for good; the second has an attempt of its own."""
    broken.set()
    first = agent(failpoint)
    assert ask(port, 0, first) == ""
    assert killed(first)
    broken.clear()
    assert ask(port, 0, agent()) == f"OK|{_name(0)}"
    assert [r["a"] for r in records(tmp_path, "STORED", "COMMIT")] == [2, 2]


@pytest.mark.parametrize("failpoint", ["before_void", "after_void"])
def test_killed_while_it_recovers_from_an_open_exposure_it_recovers_again(
    tmp_path: Path, port: int, agent: Agent, failpoint: str
) -> None:
    first = agent("after_intent")
    assert ask(port, 0, first) == ""
    assert killed(first)
    assert killed(agent(failpoint))
    assert ask(port, 0, agent()) == f"OK|{_name(0)}"
    assert [r["a"] for r in records(tmp_path, "VOID")] == [1]


@pytest.mark.parametrize(
    "failpoint", ["before_abort", "after_abort", "before_clear", "after_clear"]
)
def test_killed_over_an_abort_it_refuses_until_a_person_re_arms_it(
    tmp_path: Path, port: int, agent: Agent, failpoint: str
) -> None:
    """A latch that is durable holds; one that is not is found again by the same contradiction."""
    first = agent(failpoint)
    assert ask(port, 0, first) == f"OK|{_name(0)}"
    if "abort" in failpoint:
        assert ask(port, 5, first) == ""
        assert killed(first)
        first = agent()
    assert ask(port, 5, first) == "MISMATCH"
    assert ask(port, 1, first) == "MISMATCH"
    assert ask(port, 0, first) == f"OK|{_name(0)}", "the lost OK is said again all the same"
    first.terminate()
    first.wait(30)
    (latched,) = records(tmp_path, "ABORT")
    rearm = ["--legacy-rearm", str(latched["id"])]
    if "clear" in failpoint:
        assert killed(agent(failpoint, *rearm))
    last = agent("", *([] if failpoint == "after_clear" else rearm))
    assert ask(port, 1, last) == f"OK|{_name(1)}"
    assert len(records(tmp_path, "CLEAR")) == 1
    assert [r["i"] for r in records(tmp_path, "COMMIT")] == [0, 1]
