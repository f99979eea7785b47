"""The phone under the original client: real sockets, real files, kills, and the command line."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from phone_agent.cameras import CameraFault
from phone_agent.cli import main
from phone_agent.legacy import JOURNAL, LegacyAgent, LegacyConfig
from phone_agent.status import Status
from rig.protocol.journal import parse_journal
from rig.protocol.keys import Pairing

PATHS = [f"CheXphoto-v1.0/valid/patient{i}/study1/view1_frontal.jpg" for i in range(4)]


class Client:
    """The original's loop: a new socket per try, time-outs, on after one mismatch, stop at two."""

    def __init__(self, port: int, first: int = 0, timeout: float = 1.0) -> None:
        self.port, self.first, self.timeout = port, first, timeout
        self.shows = -1
        self.believes: list[str] = []
        self.tries = 0

    def run(self, paths: list[str] = PATHS) -> str:
        error = False
        for seq, path in enumerate(paths, self.first):
            self.shows = seq
            name = "__".join([str(seq), str(seq + 40), *path.split("/")])
            while True:
                answer = self.ask(f"{seq}|{name}".encode())
                if answer.startswith("OK|"):
                    self.believes.append(answer.split("|")[1])
                    error = False
                    break
                if answer == "TIMEOUT":
                    error = False
                    if self.tries > 60:
                        return "gave up"
                    continue
                if error:
                    return "stopped"
                error = True
                break
        return "done"

    def ask(self, data: bytes) -> str:
        self.tries += 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as once:
            once.settimeout(self.timeout)
            once.sendto(data, ("127.0.0.1", self.port))
            try:
                return once.recvfrom(1024)[0].decode()
            except TimeoutError:
                return "TIMEOUT"


class Camera:
    """Photographs what the client shows; fails or waits on demand."""

    name = "fake"

    def __init__(self) -> None:
        self.client: Client | None = None
        self.faults: list[str] = []
        self.shots = 0

    def shoot(self, target: Path, deadline_s: float) -> None:
        self.shots += 1
        if self.faults:
            raise CameraFault(self.faults.pop(0), "The camera would not.")
        shows = 0 if self.client is None else self.client.shows
        target.write_bytes(picture(shows))

    def probe(self) -> dict[str, str | int | bool]:
        return {}

    def cancel(self) -> None:
        pass


def picture(shows: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (16 + shows, 9), 7).save(out, "JPEG")
    return out.getvalue()


class Running:
    """One agent and what it has said."""

    def __init__(self, agent: LegacyAgent, out: io.StringIO) -> None:
        self.agent, self.out = agent, out
        self.task = asyncio.create_task(agent.run(), name="agent")

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    async def port(self) -> int:
        while True:
            for line in self.said:
                if line.get("kind") == "ready":
                    return int(line["text"].split("127.0.0.1:")[1].split(";")[0])
            assert not self.task.done(), self.out.getvalue()
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.agent.stop()
        await self.task


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start agents on loopback and stop what runs at the end."""
    running: list[Running] = []

    def go(camera: Camera, client: str = "127.0.0.1", **words: Any) -> Running:
        out = io.StringIO()
        config = LegacyConfig(tmp_path / "d", 0, words.pop("first", 0), client, **words)
        running.append(Running(LegacyAgent(config, camera, Status(out, json_lines=True)), out))
        return running[-1]

    yield go
    for each in running:
        if not each.task.done():
            await each.stop()


def photos(tmp_path: Path) -> list[Path]:
    found = (tmp_path / "d" / "photos").glob("*.jpg")
    return sorted(found, key=lambda p: int(p.name.split("__")[0]))


def records(tmp_path: Path) -> list[Any]:
    return [r["k"] for r in parse_journal((tmp_path / "d" / JOURNAL).read_bytes())[0]]


async def test_the_original_client_takes_its_photos_with_our_phone(
    tmp_path: Path, start: Start
) -> None:
    """One photo a row, of what was shown, under the name it asked for, with a sidecar."""
    camera = Camera()
    phone = start(camera)
    client = camera.client = Client(await phone.port())
    assert await asyncio.to_thread(client.run) == "done"
    assert [p.name for p in photos(tmp_path)] == client.believes
    for index, photo in enumerate(photos(tmp_path)):
        with Image.open(photo) as image:
            assert image.size == (16 + index, 9)
        sidecar = json.loads(photo.with_suffix(".json").read_text())
        assert sidecar == {"index": index, "legacy": True, "name": photo.name}
    said = [line["text"] for line in phone.said if line.get("kind") == "guarantees"]
    assert any("Mandatory" in text for text in said)


async def test_a_camera_fault_is_retried_by_the_client(tmp_path: Path, start: Start) -> None:
    """Silence, not MISMATCH: the next try of the same name is the retry."""
    camera = Camera()
    camera.faults = ["CAMERA_EMPTY", "CAMERA_TIMEOUT"]
    phone = start(camera)
    client = camera.client = Client(await phone.port(), timeout=0.2)
    assert await asyncio.to_thread(client.run, PATHS[:2]) == "done"
    assert len(photos(tmp_path)) == 2
    assert records(tmp_path).count("FAIL") == 2


async def test_a_lost_ok_takes_no_second_photo(tmp_path: Path, start: Start) -> None:
    """The same request from another socket, also after a restart of the agent."""
    camera = Camera()
    phone = start(camera)
    request = b"0|0__57__p__a.jpg"
    for _ in range(3):
        client = Client(await phone.port())
        assert await asyncio.to_thread(client.ask, request) == "OK|0__57__p__a.jpg"
    await phone.stop()
    phone = start(camera)
    client = Client(await phone.port())
    assert await asyncio.to_thread(client.ask, request) == "OK|0__57__p__a.jpg"
    assert camera.shots == 1
    assert len(photos(tmp_path)) == 1


async def test_a_client_at_the_wrong_row_is_stopped_until_a_person_rearms(
    tmp_path: Path, start: Start
) -> None:
    """Two mismatches, nothing taken; the id is on the phone's screen."""
    camera = Camera()
    phone = start(camera, first=3)
    client = Client(await phone.port(), first=4)
    assert await asyncio.to_thread(client.run) == "stopped"
    assert camera.shots == 0
    aborted = next(line for line in phone.said if line["event"] == "aborted")
    assert "expected 3, got 4" in aborted["why"]
    await phone.stop()
    phone = start(camera, first=3, rearm=bytes.fromhex(aborted["abort_id"]))
    client = camera.client = Client(await phone.port(), first=3)
    assert await asyncio.to_thread(client.run) == "done"
    assert [int(p.name.split("__")[0]) for p in photos(tmp_path)] == [3, 4, 5, 6]


async def test_hostile_datagrams_leave_no_file_and_do_not_stop_the_run(
    tmp_path: Path, start: Start
) -> None:
    """Garbage is silent, hostile names are refused, and the run goes on."""
    camera = Camera()
    phone = start(camera)
    port = await phone.port()
    quick = Client(port, timeout=0.05)
    for garbage in (b"", b"\xff" * 400, b"x|y", b"0", b"|"):
        assert await asyncio.to_thread(quick.ask, garbage) == "TIMEOUT"
    patient = Client(port)
    for name in (b"0__1__../../../evil.jpg", b"/tmp/evil.jpg", b"0__1__a\x00.jpg", b"0__1__..\\e"):
        assert await asyncio.to_thread(patient.ask, b"0|" + name) == "MISMATCH"
    client = camera.client = Client(port)
    assert await asyncio.to_thread(client.run, PATHS[:1]) == "done"
    left = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {"lock", JOURNAL, client.believes[0], client.believes[0][:-4] + ".json"}
    assert not list(tmp_path.parent.glob("evil*"))


async def test_another_computer_is_not_heard(tmp_path: Path, start: Start) -> None:
    """Bound to one source address: here to one that nobody has."""
    camera = Camera()
    phone = start(camera, client="127.0.0.9")
    client = Client(await phone.port(), timeout=0.1)
    assert await asyncio.to_thread(client.ask, b"0|0__57__p__a.jpg") == "TIMEOUT"
    assert await asyncio.to_thread(client.ask, b"9|9__57__p__a.jpg") == "TIMEOUT"
    assert camera.shots == 0
    assert "ABORT" not in records(tmp_path)


async def test_photos_that_vanished_stop_the_run(tmp_path: Path, start: Start) -> None:
    """The journal says they are there."""
    camera = Camera()
    phone = start(camera)
    client = camera.client = Client(await phone.port())
    await asyncio.to_thread(client.run, PATHS[:1])
    await phone.stop()
    photos(tmp_path)[0].unlink()
    phone = start(camera)
    await phone.port()
    await asyncio.sleep(0)
    while not any(line["event"] == "aborted" for line in phone.said):
        await asyncio.sleep(0.01)
    assert any(line.get("code") == "STORE_LOST" for line in phone.said)


@pytest.mark.parametrize(
    "failpoint",
    [
        "before_run", "after_arm", "before_boot", "after_boot", "before_intent:2",
        "after_intent:2", "after_reserve_json:2", "after_rename_json:2", "after_sidecar:2",
        "after_reserve_jpg:2", "after_rename_jpg:2", "before_stored:2", "after_stored:2",
        "before_commit:2", "after_commit:2",
    ],
)  # fmt: skip
def test_killed_at_any_step_the_client_never_notices(
    tmp_path: Path, http_server: Any, failpoint: str
) -> None:
    """SIGKILL, restart, one photo per row, each of what its row showed."""
    client = Client(_free_port(), timeout=0.5)
    server = http_server(lambda http: _frame(http, client))
    words = [
        "--legacy-listen", str(client.port), "--legacy-first", "0", "--legacy-from", "127.0.0.1",
        "--dir", str(tmp_path / "d"), "--camera", f"loopback:{server.url}",
    ]  # fmt: skip
    ended: list[str] = []
    looping = threading.Thread(target=lambda: ended.append(client.run()))
    first = _agent(words, XCAP_FAILPOINT=failpoint)
    looping.start()
    assert first.wait(30) == -9
    second = _agent(words)
    looping.join(60)
    second.terminate()
    assert second.wait(30) == 0
    assert ended == ["done"]
    assert [p.name for p in photos(tmp_path)] == client.believes
    for index, photo in enumerate(photos(tmp_path)):
        assert photo.read_bytes() == picture(index)


def _frame(http: Any, client: Client) -> None:
    data = picture(client.shows)
    http.send_response(200)
    http.send_header("Content-Type", "image/jpeg")
    http.send_header("Content-Length", str(len(data)))
    http.end_headers()
    http.wfile.write(data)


def _agent(words: list[str], **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "phone_agent.cli", *words],
        stdout=subprocess.DEVNULL,
        env=os.environ | environment,
    )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PAIR = Pairing(bytes(range(32)), (("127.0.0.1", 9),)).url()
CAMERA = ["--camera", "loopback:http://127.0.0.1:9"]
LEGACY = ["--legacy-listen", "0", "--legacy-first", "0", "--legacy-from", "127.0.0.1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--pair URL is needed"),
        (["--pair", PAIR, "--legacy-first", "1"], "belong to --legacy-listen"),
        ([*LEGACY, "--pair", PAIR], "knows no --pair"),
        ([*LEGACY, "--once"], "knows no --pair"),
        (["--legacy-listen"], "--legacy-first N is needed"),
        (["--legacy-listen", "--legacy-first", "-1"], "--legacy-first N is needed"),
        (["--legacy-listen", "--legacy-first", "0"], "--legacy-from IP is needed"),
        ([*LEGACY[:4], "--legacy-from", "desk.local"], "--legacy-from IP is needed"),
        (["--legacy-listen", "70000", *LEGACY[2:]], "not a UDP port"),
        ([*LEGACY, "--legacy-rearm", "zz"], "hexadecimal"),
        ([*LEGACY, "--legacy-rearm", "00" * 8], "no abort is latched"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and what to do next."""
    assert main([*words, *CAMERA, "--dir", str(tmp_path / "d")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_folders_of_the_two_modes_are_kept_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each would put the other's photos into quarantine."""
    (tmp_path / "journal").write_bytes(b"")
    assert main([*LEGACY, *CAMERA, "--dir", str(tmp_path)]) == 2
    assert "paired run" in capsys.readouterr().err
    (tmp_path / "journal").rename(tmp_path / JOURNAL)
    assert main(["--pair", PAIR, *CAMERA, "--dir", str(tmp_path)]) == 2
    assert "legacy run" in capsys.readouterr().err


def test_help_states_what_is_weaker(capsys: pytest.CaptureFixture[str]) -> None:
    """`phone-agent --help` is enough to know."""
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert "--legacy-listen" in said
    assert "Weaker: nobody is authenticated" in said
    assert "Mandatory" in said
