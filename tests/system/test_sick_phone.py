"""A phone with Termux:API whose camera does what such cameras do; all agents are real processes.

The stand-in photographs what the display serves as its frame, so that every photo can be compared
with the x-ray it must show. It follows termux-camera-photo.in and CameraPhotoAPI.java: the file is
touched first, the command says nothing and ends with 0 whatever became of it, and it may hang.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system
COMMANDS = Path(__file__).parents[1] / "phone_agent" / "cameras" / "commands"
REMEDY = "open Termux, switch the screen on, unlock the phone"
APP = """
import os, subprocess, sys, time, urllib.request
from pathlib import Path

state, target = Path(os.environ["STAND_IN"]), Path(sys.argv[-1])
if sys.argv[1] == "CameraInfo":
    print('[{"id": "0", "jpeg_output_sizes": [{"width": 1920, "height": 1080}]}]')
    sys.exit()
modes = (state / "modes").read_text().split()
(state / "modes").write_text(" ".join(modes[1:]))
mode = modes[0] if modes else "photo"
if mode == "hang":
    time.sleep(600)
elif mode == "late":
    (state / "hanging").write_text(str(os.getpid()))
    app = "import pathlib, sys, time\\nstate, target = map(pathlib.Path, sys.argv[1:])\\n"
    app += "while not (state / 'go').exists():\\n    time.sleep(0.02)\\n"
    app += "target.write_bytes((state / 'last.jpg').read_bytes() + b'late')\\n"
    app += "(state / 'gone').touch()\\n"
    # Another process, which no kill of the agent reaches; its words go nowhere.
    quiet = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
    words = [sys.executable, "-c", app, str(state), str(target)]
    subprocess.Popen(words, start_new_session=True, **quiet)
    time.sleep(600)
elif mode == "same":
    target.write_bytes((state / "last.jpg").read_bytes())
elif mode == "photo":
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    frame = opener.open((state / "url").read_text(), timeout=10).read()
    # No two photos of a sensor have the same bytes, and none is as small as a drawn frame.
    noise = b"\\xff\\xfe" + (60002).to_bytes(2, "big") + os.urandom(30000).hex().encode()
    photo = frame[:2] + noise + frame[2:]
    (state / "last.jpg").write_bytes(photo)
    target.write_bytes(photo)
"""


class Termux:
    """The commands of Termux:API on PATH, and the app behind them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = folder
        commands = folder / "bin"
        commands.mkdir(parents=True)
        for name in ("termux-camera-photo", "termux-camera-info"):
            shutil.copy(COMMANDS / f"{name}.sh", commands / name)
            (commands / name).chmod(0o755)
        (folder / "app.py").write_text(APP)
        broadcast = commands / "termux-api-broadcast"
        broadcast.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{folder}/app.py" "$@"\n')
        broadcast.chmod(0o755)
        self.modes()
        monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("STAND_IN", str(folder))

    def modes(self, *words: str) -> None:
        """What the next shots do; after them every shot is a photo."""
        (self.state / "modes").write_text(" ".join(words))

    def looks_at(self, url: str) -> None:
        (self.state / "url").write_text(url)


@pytest.fixture
def termux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Termux:
    return Termux(tmp_path / "termux", monkeypatch)


def with_termux(tools: dict[str, Any], folder: Path, pairing: Path, phone: Path, *more: str) -> Any:
    words = ["--pair", f"@{pairing}", "--dir", str(phone), "--camera", "termux", "--json", *more]
    return tools["Process"]("phone", "phone_agent.cli", words, folder)


def test_every_fault_of_the_camera_is_a_retake_and_a_locked_phone_a_pause(
    make_pair: Callable[..., Any], tools: dict[str, Any], termux: Termux
) -> None:
    """The previous picture, 0 bytes, a hang, a locked phone, in one run without a controller."""
    pair = make_pair(6)
    termux.looks_at(pair.frames)
    pair.phone = with_termux(tools, pair.folder, pair.folder / "phone.txt", pair.phone_dir)
    # The first one is the test shot of the start.
    termux.modes(
        "photo", "photo", "same", "photo", "empty", "photo", "hang", "photo",
        "empty", "empty", "empty",
    )  # fmt: skip
    pair.start()
    assert pair.display.wait(120) == 1, pair.tail()
    paused = pair.events("paused")[-1]
    assert paused["code"] == "CAMERA_BACKGROUND"
    assert "index 5 failed 3 times in a row" in paused["why"]
    assert REMEDY in paused["why"]
    retakes = pair.events("retake")
    assert [(e["index"], e["attempt"]) for e in retakes] == [
        (2, 1), (3, 1), (4, 1), (5, 1), (5, 2), (5, 3),
    ]  # fmt: skip
    for event, words in zip(
        retakes,
        (
            "returned an earlier picture", "left 0 bytes instead of a photo",
            "gave no photo within 15 s", "left 0 bytes instead of a photo",
            "2 photos in a row failed", "3 photos in a row failed",
        ),
        strict=True,
    ):  # fmt: skip
        assert words in event["why"]
    assert all(REMEDY in event["why"] for event in retakes[1:])
    assert "CAMERA_BACKGROUND" in pair.phone.log.read_text()
    assert len(pair.events("committed")) == len(pair.shot()) == 4
    pair.resume_display()
    pair.complete()


def test_the_session_page_says_what_a_locked_phone_needs(
    make_rig: Callable[..., Any], tools: dict[str, Any], termux: Termux
) -> None:
    """The phone's words reach the operator's page; after *Resume* the session is completed."""
    rig = make_rig(4)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    termux.looks_at(f"{rig.frames}/frame.jpg")
    termux.modes("photo", "photo", "empty", "empty", "empty")
    rig.phone = with_termux(tools, rig.folder, rig.pairing, rig.phone_dir, "--upload")
    rig.processes.append(rig.phone)
    rig.phone.start()
    rig.start_session()
    rig.await_state("paused")
    page = rig.http.get(f"/sessions/{rig.session}")
    assert REMEDY in page.text
    assert "photos in a row failed" in page.text
    assert rig.show()["committed"] == 1
    rig.post(f"/api/sessions/{rig.session}/resume")
    rig.await_state("completed")
    assert all(photo["verified"] for photo in rig.await_verdicts())
    rig.audit()


def test_an_app_that_was_killed_and_a_photo_that_comes_after_its_death(
    make_pair: Callable[..., Any], tools: dict[str, Any], termux: Termux
) -> None:
    """Android kills the agent in mid-exposure; Termux:API writes the old photo into the next life.

    What it writes shows the x-ray before: it must become nobody's photo.
    """
    pair = make_pair(4)
    termux.looks_at(pair.frames)
    termux.modes("photo", "photo", "late")
    pair.phone = with_termux(tools, pair.folder, pair.folder / "phone.txt", pair.phone_dir)
    pair.start()
    hanging = termux.state / "hanging"
    tools["until"](lambda: hanging.exists() and hanging.read_text(), "no exposure of the second")
    pair.phone.kill()
    os.kill(int(hanging.read_text()), signal.SIGKILL)
    pair.phone.start()
    (termux.state / "go").touch()
    tools["until"]((termux.state / "gone").exists, "the app did not write")
    pair.complete()
    assert not any(p.read_bytes().endswith(b"late") for p in (pair.phone_dir / "photos").iterdir())
    assert [r["a"] for r in pair.records("DONE")] == [1, 2, 1, 1]


def story(display: Any) -> list[tuple[Any, ...]]:
    """What a display told: kind, index, attempt and which facts, in order."""
    told = [line for line in display.lines() if "seq" in line]
    assert [line["seq"] for line in told] == list(range(1, len(told) + 1))
    return [(e["event"], e["index"], e["attempt"], frozenset(e)) for e in told]


def test_alone_and_under_a_controller_the_display_behaves_alike(
    make_pair: Callable[..., Any],
    make_rig: Callable[..., Any],
    tools: dict[str, Any],
    termux: Termux,
) -> None:
    """One plan, one camera that fails in the same places: the same events with the same facts."""
    modes = ("photo", "photo", "empty", "photo", "same", "photo")
    pair = make_pair(4, settle_ms=150)
    termux.looks_at(pair.frames)
    termux.modes(*modes)
    pair.phone = with_termux(tools, pair.folder, pair.folder / "phone.txt", pair.phone_dir)
    pair.start()
    pair.complete()
    pair.close()
    rig = make_rig(4)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    termux.looks_at(f"{rig.frames}/frame.jpg")
    termux.modes(*modes)
    rig.phone = with_termux(tools, rig.folder, rig.pairing, rig.phone_dir, "--upload")
    rig.processes.append(rig.phone)
    rig.phone.start()
    rig.start_session()
    rig.await_state("completed")
    rig.audit()
    alone = story(pair.display)
    assert [kind for kind, *_ in alone].count("retake") == 2
    assert alone == story(rig.display)


SHORT = """
import os, sys
from pathlib import Path

free, whole = Path(os.environ["FREE_BYTES"]), os.statvfs


def statvfs(path):
    real = whole(path)
    words = list(real[:10])
    words[3] = words[4] = int(free.read_text()) // real.f_frsize
    return os.statvfs_result(words)


os.statvfs = statvfs
from phone_agent.cli import main

sys.exit(main(sys.argv[1:]))
"""


def test_a_full_phone_pauses_keeps_its_photos_and_goes_on(
    make_pair: Callable[..., Any],
    tools: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file system tells of less room from the third photo on, until somebody frees some."""
    (tmp_path / "short_of_room.py").write_text(SHORT)
    free = tmp_path / "free"
    free.write_text(str(1 << 40))
    monkeypatch.setenv("FREE_BYTES", str(free))
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{root}")
    pair = make_pair(6, settle_ms=400)
    address = f"127.0.0.1:{tools['free_port'](1)}"
    words = [*pair.phone.words, "--status", address]
    pair.phone = tools["Process"]("phone", "short_of_room", words, pair.folder)
    pair.start()
    tools["until"](lambda: len(pair.events("committed")) >= 2, "no two photos")
    free.write_text(str(100 << 20))
    assert pair.display.wait() == 1, pair.tail()
    paused = pair.events("paused")[-1]
    assert paused["code"] == "DISK_LOW"
    assert "100 MiB are free on the phone, 256 MiB are needed; free some room" in paused["why"]
    kept = pair.shot()
    assert 2 <= len(kept) < 6
    assert len(pair.events("committed")) == len(kept)
    free.write_text(str(1 << 40))
    page = f"http://{address}/status.json"
    tools["until"](
        lambda: httpx.get(page, trust_env=False).json()["free_bytes"] > 1 << 39,
        "not seen by itself",
    )
    pair.resume_display()
    pair.complete()
    assert set(kept) < set(pair.shot())
