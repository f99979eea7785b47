"""Both agents with a real window on a real X server; the camera photographs the root window."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from bench.session import plan_of, sample_xrays
from display_agent.compose import Composition, MarkerLabel, compose, decode
from display_agent.look import look_of
from rig.intake.marker import decode_marker
from rig.intake.marker_ids import Marker
from rig.planning.plan import SubsetPlan, to_json

SIZE = (1280, 720)


def _load() -> ModuleType:
    path = Path(__file__).parents[1] / "xserver.py"
    spec = importlib.util.spec_from_file_location("xserver_of_system", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


xserver = _load()


class RootCamera:
    """An HTTP camera: each photo is what the root window holds at that moment, kept exactly.

    `before` is called before each photo is taken; `after` when it is taken and not yet answered.
    """

    def __init__(self, x: Any) -> None:
        self.x = x
        self.taken: dict[str, Image.Image] = {}
        self.count = 0
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self._last = b""
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = camera.photo()
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/frame.jpg"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def photo(self) -> bytes:
        self.count += 1
        self.before()
        try:
            root = self.x.root()
        except OSError:
            return self._last  # no monitor: the camera gives the previous picture again
        out = io.BytesIO()
        # A comment makes each file another one, as the clock in the EXIF of a phone does.
        root.save(out, "JPEG", quality=92, comment=f"photo {self.count}".encode())
        self._last = out.getvalue()
        self.taken[hashlib.sha256(self._last).hexdigest()] = root
        self.after()
        return self._last

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Room:
    """A display agent with a real window, a phone agent, and the camera in front of the window."""

    def __init__(
        self, folder: Path, tools: dict[str, Any], count: int, *screen: str, **levels: str
    ) -> None:
        self.folder, self.tools = folder, tools
        plan = plan_of(sample_xrays(), count)
        environment = replace(plan.environment, levels={**plan.environment.levels, **levels})
        self.plan: SubsetPlan = replace(plan, environment=environment)
        seed = int(plan.campaign_id, 16)
        self.look = look_of(levels, seed=seed, marker="--marker" in screen)
        (folder / "plan.json").write_text(json.dumps(to_json(self.plan)))
        self.x = xserver.XServer(SIZE)
        self.camera = RootCamera(self.x)
        self.pairing = folder / "pair.txt"
        port = tools["free_port"](2)
        self.display = tools["Process"]("display", "display_agent.cli", [
            "run", str(folder / "plan.json"), "--pairing", str(self.pairing),
            "--journal", str(folder / "journal"), "--listen", f"127.0.0.1:{port}",
            *screen, "--json",
        ], folder)  # fmt: skip
        self.phone = tools["Process"]("phone", "phone_agent.cli", [
            "--pair", f"@{self.pairing}", "--dir", str(folder / "phone"),
            "--camera", f"loopback:{self.camera.url}", "--json",
        ], folder)  # fmt: skip

    def start(self) -> None:
        self.start_display()
        self.tools["until"](self.pairing.exists, "no pairing file")
        self.phone.start()

    def start_display(self) -> None:
        self.display.start(DISPLAY=self.x.display)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.display.lines() if line.get("event") == kind]

    def painted(self) -> int | None:
        """Index that was painted last."""
        painted = self.events("painted")
        return int(painted[-1]["index"]) if painted else None

    def finish(self, status: int = 0) -> None:
        ended = self.display.wait(200)
        assert ended == status, self.display.log.read_text()[-3000:]

    def audit(self) -> None:
        """Each committed photo was taken of exactly its composed x-ray, pixel by pixel."""
        committed = self.events("committed")
        assert [event["index"] for event in committed] == [i.index for i in self.plan.items]
        for event, item in zip(committed, self.plan.items, strict=True):
            seen = self.camera.taken[event["sha256"]]
            composed = self.composed(event["index"], event["attempt"]).frame
            apart = ImageChops.difference(seen, composed.convert("RGB")).getbbox()
            assert apart is None, f"the photo of {item.index} was taken of something else"

    def composed(self, index: int, attempt: int) -> Composition:
        """What this plan shows for *index*."""
        item = self.plan.items[index - self.plan.first]
        image = decode(Path(item.file or "").read_bytes())
        return compose(image, SIZE, self.look, label=MarkerLabel(index, attempt))

    def close(self) -> None:
        self.phone.end()
        self.display.end()
        self.camera.close()
        self.camera.x.close()
        self.x.close()


@pytest.fixture
def make_room(tmp_path: Path, tools: dict[str, Any]) -> Iterator[Callable[..., Room]]:
    made: list[Room] = []

    def make(count: int, *screen: str, **levels: str) -> Room:
        made.append(Room(tmp_path, tools, count, *screen, **levels))
        return made[-1]

    yield make
    for room in made:
        room.close()


@pytest.mark.system
def test_each_of_100_photos_is_taken_of_its_composed_xray_on_the_root_window(
    make_room: Callable[..., Room],
) -> None:
    """The default screen (pygame), the real protocol, no settle: all pixels of all photos."""
    room = make_room(100, "--settle-ms", "0")
    room.start()
    room.finish()
    room.audit()
    listening = room.events("listening")[0]["screen"]
    assert (listening["backend"], listening["width"], listening["height"]) == ("pygame", *SIZE)
    assert {"window", "scaling", "pixels"} <= {c["name"] for c in listening["checks"] if c["ok"]}


@pytest.mark.system
@pytest.mark.parametrize("marker", [(), ("--marker",)], ids=["plain", "marker"])
def test_the_look_of_the_environment_is_on_the_root_window(
    make_room: Callable[..., Room], marker: tuple[str, ...]
) -> None:
    """Drawn cursor and colour temperature by the plan, the index marker only when asked for."""
    levels = {"cursor": "moved", "colour_temperature": "4000K"}
    room = make_room(5, "--settle-ms", "0", *marker, **levels)
    room.start()
    room.finish()
    room.audit()
    for event in room.events("committed"):
        seen = decode_marker(np.asarray(room.camera.taken[event["sha256"]]))
        assert seen == (Marker(event["index"], event["attempt"]) if marker else None)
    for event in room.events("painted"):
        composed = room.composed(event["index"], event["attempt"])
        assert tuple(event["cursor"]) == composed.cursor
        assert tuple(event["gains"]) == composed.gains
        assert event["gains"][2] < event["gains"][1] < event["gains"][0] == 1.0
        assert event["marker"] is bool(marker)
        assert isinstance(event["prefetch_hit"], bool)


@pytest.mark.system
@pytest.mark.parametrize("kind", ["pygame", "tk"])
def test_a_window_that_pops_up_during_an_exposure_spoils_no_photo(
    make_room: Callable[..., Room], kind: str
) -> None:
    """It is gone before anybody looks; the photo of it is void all the same."""
    room = make_room(6, "--settle-ms", "0", "--screen", kind)
    cover: list[Any] = []

    def before() -> None:
        if room.painted() == 3 and not cover:
            cover.append(room.x.cover())
            cover[0].__enter__()

    def after() -> None:
        if len(cover) == 1:
            cover[0].__exit__(None, None, None)
            cover.append(None)

    room.camera.before, room.camera.after = before, after
    room.start()
    room.finish()
    room.audit()
    retakes = room.events("retake")
    assert [event["index"] for event in retakes] == [3]
    assert "cover" in retakes[0]["why"]
    assert room.events("committed")[2]["attempt"] == 2


@pytest.mark.system
@pytest.mark.parametrize("kind", ["pygame", "tk"])
def test_a_display_server_that_dies_in_mid_exposure_pauses_the_run_which_goes_on_later(
    make_room: Callable[..., Room], kind: str
) -> None:
    """The camera gives the previous picture then; it is never taken for the next x-ray's."""
    room = make_room(5, "--settle-ms", "0", "--screen", kind)

    def before() -> None:
        if room.painted() == 3:
            room.x.kill()
            # Its number may be another test's by now.
            room.camera.x.display = ":64999"

    room.camera.before = before
    room.start()
    room.finish(status=1)
    assert "resume" in room.events("paused")[-1]["why"]
    assert len(room.events("committed")) == 2
    room.camera.before = lambda: None
    room.x = room.camera.x = xserver.XServer(SIZE)
    room.start_display()
    room.finish()
    room.audit()


@pytest.mark.system
@pytest.mark.parametrize("kind", ["pygame", "tk"])
def test_a_window_minimised_in_mid_exposure_spoils_no_photo(
    make_room: Callable[..., Room], kind: str
) -> None:
    """The x-ray was away while the shutter was open: said, and the x-ray is taken again."""
    room = make_room(5, "--settle-ms", "0", "--screen", kind)
    hidden: list[str] = []

    def after() -> None:
        if room.painted() == 3 and not hidden:
            hidden.append(room.x.window())
            room.x.xdotool("windowminimize", hidden[0])

    room.x.window_manager()
    room.camera.after = after
    room.start()
    room.tools["until"](lambda: room.events("retake") or room.events("paused"), "not noticed")
    ended = room.display.wait(100)
    if ended == 1:  # it asks for a person when the window does not come back by itself
        assert "resume" in room.events("paused")[-1]["why"]
        room.start_display()
        room.finish()
    room.audit()
    retakes = room.events("retake")
    assert retakes[0]["index"] == 3
    assert room.events("committed")[2]["attempt"] >= 2


@pytest.mark.system
def test_a_killed_display_agent_leaves_no_window_and_goes_on(
    make_room: Callable[..., Room], tools: dict[str, Any]
) -> None:
    """`kill -9` in mid-exposure: the window's process ends with it, the next life opens its own."""
    room = make_room(5, "--settle-ms", "0")
    killed: list[bool] = []

    def before() -> None:
        if room.painted() == 3 and not killed:
            killed.append(True)
            room.display.kill()

    room.camera.before = before
    room.start()
    tools["until"](lambda: killed, "it was not killed")
    tree = ("xwininfo", "-root", "-tree")
    tools["until"](lambda: b"capture-rig" not in room.x.ask(*tree), "its window stayed")
    room.start_display()
    room.finish()
    room.audit()
