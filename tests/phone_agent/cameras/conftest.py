"""Stand-ins for the commands and the app that take photos; each keeps its state in a folder."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from PIL import Image

COMMANDS = Path(__file__).with_name("commands")
INFO = [
    {"id": "0", "facing": "back", "jpeg_output_sizes": [
        {"width": 4032, "height": 3024}, {"width": 4640, "height": 3480},
        {"width": 1920, "height": 1080}]},
    {"id": "1", "facing": "front", "jpeg_output_sizes": [{"width": 2592, "height": 1944}]},
]  # fmt: skip


def big_jpeg(width: int = 640, height: int = 480) -> bytes:
    """A picture with so much noise that its JPEG is larger than the least photo."""
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 90).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def install(folder: Path, *names: str) -> None:
    """Put stand-ins of `commands/` into a folder of PATH; they find their state by `STAND_IN`."""
    for name in names:
        path = folder / name
        path.write_bytes((COMMANDS / f"{name}.sh").read_bytes())
        path.chmod(0o755)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait for what another process does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Device:
    """A folder with the state of a stand-in and, in `bin`, its commands."""

    def __init__(self, folder: Path) -> None:
        self.state = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)

    def mode(self, word: str) -> None:
        (self.state / "mode").write_text(word, "ascii")

    def modes(self, *words: str) -> None:
        """One for each photo to come; after them `mode` holds again."""
        (self.state / "modes").write_text("".join(f"{word}\n" for word in words), "ascii")

    def lines(self, name: str) -> list[str]:
        path = self.state / name
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def pids(self) -> list[int]:
        return [int(line) for line in self.lines("pids")]


def children() -> set[int]:
    """The children of this process, running or dead and not yet collected."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text("ascii", "replace").rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


@pytest.fixture
def no_child_left() -> Iterator[None]:
    """The test leaves no child, neither running nor dead and uncollected."""
    before = children()
    yield
    assert children() <= before


@pytest.fixture
def device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_child_left: None
) -> Iterator[Device]:
    """An empty stand-in whose commands come first on PATH; the other commands stay."""
    made = Device(tmp_path / "device")
    monkeypatch.setenv("PATH", f"{made.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN", str(made.state))
    made.mode("photo")
    (made.state / "photo.jpg").write_bytes(big_jpeg())
    yield made
    for pid in [*made.pids(), *(int(line) for line in made.lines("app"))]:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def termux(device: Device) -> Device:
    """A phone with Termux:API."""
    install(device.bin, "termux-camera-photo", "termux-camera-info", "termux-api-broadcast")
    (device.state / "info").write_text(json.dumps(INFO), "ascii")
    return device


class IpWebcam:
    """What IP Webcam answers. Its settings are texts; `sticky` ones do not change."""

    def __init__(self, start: Callable[[Callable[[Any], None]], Any]) -> None:
        self.settings = {
            "photo_size": "640x480", "focusmode": "auto", "focus": "off", "ffc": "off",
            "quality": "49", "zoom": "100", "exposure_lock": "off",
        }  # fmt: skip
        self.available = {
            "photo_size": ["640x480", "1920x1080", "4000x3000"], "ffc": ["on", "off"],
            "focusmode": ["auto", "macro", "continuous-picture"], "quality": ["49", "100"],
        }  # fmt: skip
        self.sticky: set[str] = set()
        self.lag = 0
        self.asked: list[str] = []
        self.login: tuple[str, str] | None = None
        self.photo = big_jpeg()
        self.fault = ""
        self.gate = threading.Event()
        self._pending: list[tuple[int, str, str]] = []
        self.server = start(self.answer)
        self.url = self.server.url

    def answer(self, http: Any) -> None:
        self.asked.append(http.path)
        parts = urlsplit(http.path)
        if self.login is not None:
            secret = base64.b64encode(":".join(self.login).encode()).decode()
            if http.headers["Authorization"] != f"Basic {secret}":
                return self.reply(http, b"", "text/html", 401)
        if parts.path == "/status.json":
            return self.reply(http, self._status(), "application/json")
        if parts.path.startswith("/settings/"):
            value = dict(parse_qsl(parts.query)).get("set", "")
            self._pending.append((self.lag, parts.path.rpartition("/")[2], value))
            return self.reply(http, b"<html><body>Ok</body></html>", "text/html")
        if parts.path == "/focus":
            self.settings["focus"] = "on"
            return self.reply(http, b"<html><body>Ok</body></html>", "text/html")
        if parts.path in {"/photo.jpg", "/photoaf.jpg"}:
            return self._photo(http)
        return self.reply(http, b"not found", "text/plain", 404)

    def _status(self) -> bytes:
        due = [entry for entry in self._pending if entry[0] <= 0]
        self._pending = [(n - 1, k, v) for n, k, v in self._pending if n > 0]
        self.settings.update({k: v for _, k, v in due if k not in self.sticky})
        return json.dumps(
            {"video_connections": 0, "curvals": self.settings, "avail": self.available}
        ).encode()

    def _photo(self, http: Any) -> None:
        if self.fault == "silent":
            http.server.ending.wait(60)
            return None
        if self.fault == "drop":
            http.close_connection = True
            http.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + self.photo[:99])
            return None
        if self.fault == "drip":
            http.close_connection = True
            http.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
            while not http.server.ending.wait(0.02):
                http.wfile.write(b"x")
            return None
        if self.fault == "busy":
            return self.reply(http, b"camera busy", "text/plain", 503)
        bodies = {"empty": b"", "html": b"<html>", "cut": self.photo[:50_000]}
        return self.reply(http, bodies.get(self.fault, self.photo), "image/jpeg")

    def reply(self, http: Any, body: bytes, kind: str, status: int = 200) -> None:
        http.send_response(status)
        http.send_header("Content-Type", kind)
        http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)


@pytest.fixture
def ipwebcam(http_server: Callable[[Callable[[Any], None]], Any]) -> IpWebcam:
    return IpWebcam(http_server)


@pytest.fixture
def adb_phone(device: Device) -> Device:
    """A computer with adb and one phone, PHONE7, on it."""
    install(device.bin, "adb")
    phone = device.state / "phone"
    phone.mkdir()
    install(phone, "input", "am", "dumpsys")
    return device


@pytest.fixture
def gphoto2(device: Device) -> Device:
    """A computer with gphoto2 and one camera."""
    install(device.bin, "gphoto2")
    return device


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    return alive


@pytest.fixture
def wait_until() -> Callable[..., bool]:
    return until
