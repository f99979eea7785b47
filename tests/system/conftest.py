"""The rig as real processes on loopback, for tests that kill and cheat them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from display_agent.compose import compose, decode
from rig.catalog.chexpert import import_csv
from rig.protocol.names import decode_name
from rig.sample import csv_path, data_dir

PATIENCE = 120.0
"""Seconds; on a machine with eight times more to do than it can, a minute is not enough."""


def _load(name: str) -> ModuleType:
    """A module beside this one; test folders are no packages."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"system_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_pair = _load("pair")
_proxy = _load("proxy")


def free_port(kind: socket.SocketKind) -> int:
    """Below the ports that the kernel deals out: a later bind to port 0 cannot get the same one."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """One program of the rig that can be killed and started again with the same words."""

    def __init__(
        self,
        name: str,
        module: str,
        words: list[str],
        folder: Path,
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.words = words
        self.log = folder / f"{name}.log"
        self._command = [*prefix, sys.executable, "-m", module, *words]
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            )

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, signum: int = signal.SIGTERM) -> None:
        if self._child is not None:
            if self._child.poll() is None:
                self._child.send_signal(signum)
            self._child.wait(PATIENCE)
            self._child = None

    def signal(self, signum: int) -> None:
        assert self._child is not None
        self._child.send_signal(signum)

    def restart(self) -> None:
        self.kill()
        self.start()

    def wait(self, seconds: float = PATIENCE) -> int:
        assert self._child is not None
        return self._child.wait(seconds)

    def lines(self) -> list[dict[str, Any]]:
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return found

    def said(self, key: str) -> dict[str, Any]:
        return until(
            lambda: next((line for line in self.lines() if key in line), None),
            f"{self.name} did not say {key}: {self.log.read_text(errors='replace')[-2000:]}",
        )


def until(condition: Callable[[], Any], sentence: str, seconds: float = PATIENCE) -> Any:
    """Poll a real process; it has its own clock, so this one is the wall's."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, sentence
        time.sleep(0.05)
    return found


class Rig:
    """Controller, display agent and phone agent; sample x-rays; one campaign."""

    def __init__(
        self, folder: Path, xrays: int, *, settle_ms: int = 150, optics: str = "none"
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.phone_dir = folder / "phone"
        self.pairing = folder / "pair.txt"
        self.port = free_port(socket.SOCK_STREAM)
        self.frames_port = free_port(socket.SOCK_STREAM)
        self.udp_port = free_port(socket.SOCK_DGRAM)
        self.url = f"http://127.0.0.1:{self.port}"
        self.frames = f"http://127.0.0.1:{self.frames_port}"
        self.xrays = xrays
        self.settle_ms = settle_ms
        self.optics = optics
        self.processes: list[Process] = []
        self.public_url: str | None = None
        self.http = httpx.Client()

    # -- starting ----------------------------------------------------------------------------------

    def start_controller(self) -> None:
        words = ["serve", "--home", str(self.home), "--port", str(self.port), "--json"]
        if self.public_url:
            words += ["--public-url", self.public_url]
        self.controller = self._add("controller", "rig.cli", words)
        self.controller.start()
        token = self.controller.said("token")["token"]
        self.http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )

    def plan(self) -> None:
        lines = csv_path().read_text().splitlines(keepends=True)[: self.xrays + 1]
        (self.folder / "train.csv").write_text("".join(lines))
        where = {"csv": str(self.folder / "train.csv"), "data_dir": str(data_dir())}
        self.post("/api/catalogs", name="sample", order="csv", **where)
        sizes = {"size_min": self.xrays, "size_max": self.xrays, "settle_ms": self.settle_ms}
        self.post("/api/campaigns", name="c", catalog="sample", device="nokia", **sizes)
        self.token = self.post("/api/stations", name="s")["token"]

    def start_display(self, **environment: str) -> None:
        words = [
            "connect", self.url, "--token", self.token, "--pairing", str(self.pairing),
            "--listen", f"127.0.0.1:{self.udp_port}", "--frames", f"127.0.0.1:{self.frames_port}",
            "--state", str(self.folder / "display"), "--screen", "null", "--json",
            "--optics", self.optics,
        ]  # fmt: skip
        self.display = self._add("display", "display_agent.cli", words)
        self.display.start(**environment)
        until(self.pairing.exists, "no pairing")

    def start_phone(self, *, camera: str | None = None, pair: str | None = None) -> None:
        words = [
            "--pair", pair or f"@{self.pairing}", "--dir", str(self.phone_dir),
            "--camera", f"loopback:{camera or self.frames}", "--upload", "--json",
        ]  # fmt: skip
        self.phone = self._add("phone", "phone_agent.cli", words)
        self.phone.start()

    def start_session(self) -> str:
        made = self.post("/api/sessions", campaign="c", subset=1, station="s")
        self.session = str(made["id"])
        until(lambda: self.get("/api/stations")[0]["connected"], "the station did not connect")
        self.post(f"/api/sessions/{self.session}/start", confirm=True, name="test")
        return self.session

    def bring_up(self, *, display: str = "") -> str:
        """All three, and a session that runs; *display* is a failpoint."""
        self.start_controller()
        self.plan()
        self.start_display(XCAP_FAILPOINT=display)
        self.start_phone()
        return self.start_session()

    def _add(self, name: str, module: str, words: list[str]) -> Process:
        process = Process(name, module, words, self.folder)
        self.processes.append(process)
        return process

    # -- asking ------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        response = self.http.get(path)
        assert response.is_success, response.text
        return response.json()

    def post(self, path: str, **body: Any) -> Any:
        response = self.http.post(path, json=body)
        assert response.is_success, f"{path}: {response.text}"
        return response.json()

    def show(self) -> dict[str, Any]:
        try:
            return dict(self.get(f"/api/sessions/{self.session}"))
        except httpx.TransportError:
            return {"state": "away", "committed": -1, "abort": None}

    def await_committed(self, count: int) -> None:
        until(lambda: self.show()["committed"] >= count, f"not {count} committed: {self.show()}")

    def await_state(self, state: str, seconds: float = PATIENCE) -> dict[str, Any]:
        until(lambda: self.show()["state"] == state, f"not {state}: {self.show()}", seconds)
        return self.show()

    def await_verdicts(self) -> list[dict[str, Any]]:
        def verdicts() -> list[dict[str, Any]] | None:
            photos = self.get(f"/api/sessions/{self.session}/photos")
            seen = [p for p in photos if p["verified"] is not None]
            return seen if len(seen) >= self.xrays else None

        return list(until(verdicts, "not every photo got a verdict"))

    def rig(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rig.cli", *words, "--home", str(self.home)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    # -- auditing ----------------------------------------------------------------------------------

    def audit(self) -> None:
        """One committed photo for each index, in both books, and its pixels are its x-ray's."""
        captures = self.get(f"/api/sessions/{self.session}/captures")
        assert [c["index"] for c in captures] == list(range(1, self.xrays + 1))
        audit_pixels(self.phone_dir / "photos", {c["index"]: c["name"] for c in captures})
        events = self.get(f"/api/sessions/{self.session}/events?limit=1000")
        rows = events["events"] if isinstance(events, dict) else events
        seqs = [e["source_seq"] for e in rows if e.get("source_seq")]
        assert seqs == list(range(1, len(seqs) + 1)), "an agent event is lost, doubled or swapped"

    def close(self) -> None:
        for process in reversed(self.processes):
            process.end()
        self.http.close()


def audit_pixels(photos: Path, names: dict[int, str]) -> None:
    """Each photo is nearer to its own composed x-ray than to any other, and very near."""
    xrays = {x.index: x for x in import_csv(csv_path(), data_dir()).xrays}
    composed = {i: _small(_composed(xrays[i].file)) for i in names}
    for index, name in names.items():
        assert decode_name(name).index == index
        assert decode_name(name).key == xrays[index].key
        photo = _small(Image.open(io.BytesIO((photos / name).read_bytes())))
        apart = {i: _difference(photo, frame) for i, frame in composed.items()}
        nearest = min(apart, key=apart.__getitem__)
        assert nearest == index, f"the photo of {index} shows {nearest}"
        assert apart[index] < 2.0, f"the photo of {index} differs by {apart[index]:.1f} grey levels"


def _composed(file: Path) -> Image.Image:
    return compose(decode(file.read_bytes()), (1920, 1080)).frame


def _small(image: Image.Image) -> Image.Image:
    return image.convert("L").resize((192, 108))


def _difference(a: Image.Image, b: Image.Image) -> float:
    return float(ImageStat.Stat(ImageChops.difference(a, b)).mean[0])


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes a rig; whatever it started is stopped at the end."""
    made: list[Rig] = []

    def make(xrays: int, **options: Any) -> Rig:
        made.append(Rig(tmp_path, xrays, **options))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture(scope="session")
def system() -> ModuleType:
    """This module, for fixtures that live longer than a test."""
    return sys.modules[__name__]


@pytest.fixture
def tools() -> dict[str, Any]:
    """Helpers that tests of this folder share."""
    return {
        "until": until, "audit_pixels": audit_pixels, "Process": Process, "free_port": free_port,
        "plan_of": _pair.plan_of,
    }  # fmt: skip


@pytest.fixture
def make_pair(tmp_path: Path, tools: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """Makes a display agent and a phone agent without a controller; see `Pair`."""
    made: list[Any] = []

    def make(count: int, *, name: str = "run", **options: Any) -> Any:
        made.append(_pair.Pair(tmp_path / name, count, tools, **options))
        return made[-1]

    yield make
    for pair in made:
        pair.close()


@pytest.fixture
def cutting_proxy() -> Iterator[Callable[..., Any]]:
    """Makes proxies that cut connections."""
    made: list[Any] = []

    def make(target: int, **cuts: Any) -> Any:
        made.append(_proxy.CuttingProxy(target, **cuts))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
