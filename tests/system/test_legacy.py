"""Legacy mode with real processes: controller and display agent, and a stand-in of the old app.

The app counts before it has a photo and answers `OK|name` or `MISMATCH`; its camera is what the
frame server shows. One of its answers comes one photo early.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from rig.dataset.captures import read_captures
from rig.protocol.names import decode_name

pytestmark = pytest.mark.system

XRAYS = 5
EARLY = 3


def _load() -> ModuleType:
    path = Path(__file__).parents[1] / "protocol" / "legacy_peers.py"
    spec = importlib.util.spec_from_file_location("legacy_peers_system", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = _load()


class App(threading.Thread):
    """The original app at a UDP port, with the frame server for a camera.

    At number *early* a permit is left over from a capture that was stopped: OK goes out before the
    camera is done, which then sees the next x-ray.
    """

    def __init__(self, frames: Callable[[], str], early: int | None = None) -> None:
        super().__init__(name="original app", daemon=True)
        self.app = peers.OriginalApp(1, look=self._look)
        self._frames = frames
        self._early = early
        self._count = itertools.count()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.deaf = threading.Event()

    def run(self) -> None:
        while True:
            data, addr = self._socket.recvfrom(256)
            if not data:
                return
            if self.deaf.is_set():
                continue
            self._late_photo()
            if self._early is not None and data.startswith(b"%d|" % self._early):
                self._early = None
                self.app._permits += 1
                self.app.receive(data, addr)
            else:
                self.app.receive(data, addr)
                while self.app.exposing:
                    self.app.photo_done()
            for answer, to in self.app.take_sent():
                self._socket.sendto(answer, to)

    def save(self, folder: Path) -> Path:
        """Copy the phone's folder to the computer."""
        self._late_photo()
        folder.mkdir()
        for name, data in self.app.files.items():
            (folder / name).write_bytes(data)
        return folder

    def close(self) -> None:
        host, port = self._socket.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (host, port))
        self.join(10)
        self._socket.close()

    def _late_photo(self) -> None:
        """The photo whose OK is out long ago; then the app's server is as good as new."""
        while self.app.exposing:
            self.app.photo_done()
            self.app._permits = 0

    def _look(self) -> bytes:
        """A JPEG with a comment, as no two photos of a camera are byte for byte the same."""
        photo = httpx.get(f"{self._frames()}/frame.jpg", trust_env=False).content
        said = b"photo %d" % next(self._count)
        return photo[:2] + b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said + photo[2:]


@pytest.fixture
def make_app() -> Iterator[Callable[..., App]]:
    """Starts apps; stops them at the end."""
    made: list[App] = []

    def make(frames: Callable[[], str], early: int | None = None) -> App:
        made.append(App(frames, early))
        made[-1].start()
        return made[-1]

    yield make
    for app in made:
        app.close()


def bring_up(rig: Any, app: App) -> None:
    """Controller, one plan, a display agent that drives *app*, and a session under way."""
    rig.start_controller()
    rig.plan()
    words = [
        "connect", rig.url, "--token", rig.token, "--legacy-phone", app.address, "--screen", "null",
        "--frames", f"127.0.0.1:{rig.frames_port}", "--state", str(rig.folder / "display"),
        "--json",
    ]  # fmt: skip
    rig.display = rig._add("display", "display_agent.cli", words)
    rig.display.start()
    rig.start_session()


def home_page(rig: Any) -> str:
    response = rig.http.get("/")
    assert response.is_success
    return str(response.text)


def test_a_photo_one_too_early_never_reaches_the_dataset(
    make_rig: Callable[..., Any], make_app: Callable[..., App]
) -> None:
    """Names, counts, bytes and order are all right: only the pixels of one photo are not."""
    rig = make_rig(XRAYS)
    app = make_app(lambda: rig.frames, EARLY)
    bring_up(rig, app)
    done = rig.await_state("completed")
    assert (done["legacy"], done["claimed"], done["committed"]) == (True, XRAYS, 0)
    assert "Legacy mode: weaker guarantees" in home_page(rig)
    assert f"rig batch import {rig.session}" in done["next_step"]

    export = app.save(rig.folder / "CheXpeditor")
    assert len(list(export.iterdir())) == XRAYS
    imported = rig.rig("batch", "import", rig.session, str(export), "--json")
    assert imported.returncode == 1, imported.stderr
    told = json.loads(imported.stdout)
    assert (told["copied"], told["verified"], told["missing"]) == (XRAYS, XRAYS - 1, [EARLY])
    (row,) = told["not_verified"]
    assert (row["index"], row["status"]) == (EARLY, "rejected")

    seen = rig.show()
    assert (seen["verified"], seen["rejected"], seen["committed"]) == (XRAYS - 1, 1, XRAYS - 1)
    assert [one["index"] for one in seen["rejects"]] == [EARLY]
    assert f"1 of {XRAYS} photos are missing or rejected" in seen["next_step"]

    out = rig.folder / "dataset"
    built = rig.rig("dataset", "build", "c", "--out", str(out), "--json")
    assert built.returncode == 1, built.stderr
    rows = {row["index"]: row for row in read_captures(Path(json.loads(built.stdout)["dataset"]))}
    good = [index for index in range(1, XRAYS + 1) if index != EARLY]
    assert [index for index, row in sorted(rows.items()) if row["path"]] == good
    assert rows[EARLY]["gap"]
    captures = rig.get(f"/api/sessions/{rig.session}/captures")
    assert [decode_name(one["name"]).index for one in captures] == good


def test_a_killed_display_ends_in_a_doubt_that_a_person_resolves(
    make_rig: Callable[..., Any], make_app: Callable[..., App], tools: dict[str, Any]
) -> None:
    """SIGKILL between request and answer: nobody can know, so the dashboard asks.

    The photo was not taken here: the app was deaf, and another number stands in it.
    """
    rig = make_rig(XRAYS)
    app = make_app(lambda: rig.frames)
    app.deaf.set()
    bring_up(rig, app)
    journal = rig.folder / "display" / "sessions" / rig.session / "legacy.journal"
    tools["until"](lambda: journal.exists() and b"SENT" in journal.read_bytes(), "nothing asked")
    rig.display.kill()
    app.app.expected = 77
    app.deaf.clear()
    rig.display.start()
    paused = rig.await_state("paused")
    assert paused["legacy_view"]["doubt"] == 1
    assert "resolve" in paused["may"]
    assert "do-resolve-missing" in rig.http.get(f"/sessions/{rig.session}").text
    app.app.stop_and_start(1)
    rig.post(f"/api/sessions/{rig.session}/resolve", answer="missing")
    rig.await_state("completed")
    export = app.save(rig.folder / "CheXpeditor")
    imported = rig.rig("batch", "import", rig.session, str(export), "--json")
    assert imported.returncode == 0, imported.stdout + imported.stderr
    assert json.loads(imported.stdout)["verified"] == XRAYS
    assert rig.show()["words"] == "Completed"
