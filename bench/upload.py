"""Photos from the phone to a real controller on loopback, beside curl."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from bench.capture import machine
from bench.figures import ratio, spread
from bench.programs import BenchError, Program
from phone_agent.upload import Uploader
from phone_agent.upload_log import UploadLog
from phone_agent.upload_queue import UploadJob, UploadQueue
from rig.protocol.names import PhotoName, encode_name
from rig.sample import csv_path, data_dir

SIZE = 4_000_000
"""Bytes of a photo; random ones, as JPEG cannot be packed any further either."""
PATIENCE = 600.0
BASE = "phone agent, 2 connections"
"""What the agent does; everything is compared with it, within each run."""


@dataclass(frozen=True, slots=True)
class File:
    """One photo that is not at the controller yet."""

    path: Path
    name: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A session at a controller under way."""

    url: str
    token: str
    session: str
    incoming: Path

    def photo(self, file: File) -> str:
        """Where *file* goes."""
        return f"{self.url}/api/sessions/{self.session}/photos/{file.name}"


Way = Callable[[Target, Sequence[File]], None]


def _agent(connections: int) -> Way:
    """The phone agent's own queue and uploaders."""

    def send(target: Target, files: Sequence[File]) -> None:
        senders = [Uploader(target.url, target.token) for _ in range(connections)]
        queue = UploadQueue(senders, UploadLog(files[0].path.with_name("uploads.jsonl")))
        queue.start()
        try:
            for file in files:
                queue.put(UploadJob(target.session, file.path, file.name, file.sha256))
            if not queue.wait(PATIENCE):
                raise BenchError(f"the phone agent's queue is not empty after {PATIENCE:g} s.")
        finally:
            queue.stop()

    return send


def _curl_each(target: Target, files: Sequence[File]) -> None:
    """One process and one connection for each file, as a shell script would."""
    for file in files:
        _curl(_words(target, file), target)


def _curl_kept(target: Target, files: Sequence[File]) -> None:
    """One process and one kept connection for all."""
    words: list[str] = []
    for file in files:
        words += [*(["--next"] if words else []), *_words(target, file)]
    _curl(words, target)


def _copy(target: Target, files: Sequence[File]) -> None:
    """No network: hash, write, fsync, rename, as the controller does at least."""
    for file in files:
        data = file.path.read_bytes()
        if hashlib.sha256(data).digest() != file.sha256:
            raise BenchError(f"{file.path} has changed while it was read.")
        part = target.incoming / "copied.part"
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target.incoming / file.name)


WAYS: dict[str, Way] = {
    BASE: _agent(2),
    "phone agent, 1 connection": _agent(1),
    "curl, kept connection": _curl_kept,
    "curl, a process each": _curl_each,
    "no network: copy and fsync": _copy,
}


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Send `args.captures` photos in every way, `args.runs` times; JSON values.

    Raises:
        BenchError: the controller or a sender did not do its work.
    """
    ways = {k: v for k, v in WAYS.items() if "curl" not in k or shutil.which("curl")}
    if len(ways) < len(WAYS):
        tell("curl is not installed: only the phone agent is measured")
    rates: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as made:
        folder = Path(made)
        with _controller(folder) as target:
            numbers = count(1)
            for run in range(1, args.runs + 1):
                for way, send in ways.items():
                    tell(f"run {run} of {args.runs}: {args.captures} photos, {way}")
                    rates[way].append(_rate(send, target, args.captures, numbers, folder))
        told = machine(folder)
    base = rates[BASE]
    return {
        "bench": "upload", "machine": told, "photos": args.captures, "photo_bytes": SIZE,
        "runs": args.runs,
        "ways": [
            {"way": way, "mb_per_s": spread(found), "of_agent": ratio(found, base)}
            for way, found in rates.items()
        ],
    }  # fmt: skip


def _rate(send: Way, target: Target, photos: int, numbers: Iterator[int], folder: Path) -> float:
    """Megabytes a second, from the first byte asked for until the last photo is durable there."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        scratch = Path(made)
        files = [_file(next(numbers), scratch) for _ in range(photos)]
        began = time.perf_counter()
        send(target, files)
        took = time.perf_counter() - began
        for file in files:
            arrived = target.incoming / file.name
            if hashlib.sha256(arrived.read_bytes()).digest() != file.sha256:
                raise BenchError(f"{file.name} arrived damaged.")
            arrived.unlink()
    return photos * SIZE / 1e6 / took


def _file(number: int, folder: Path) -> File:
    data = os.urandom(SIZE)
    sha256 = hashlib.sha256(data)
    short = sha256.hexdigest()[:16]
    name = encode_name(PhotoName("a" * 16, 1, number, 1, "e", "k", short, short))
    path = folder / f"{number}.jpg"
    path.write_bytes(data)
    return File(path, name, sha256.digest())


def _words(target: Target, file: File) -> list[str]:
    headers = {
        "Authorization": f"Bearer {target.token}",
        "Content-Type": "application/partial-upload",
        "Expect": "",
        "Upload-Offset": "0",
        "Upload-Length": str(SIZE),
        "X-Content-SHA256": file.sha256.hex(),
    }
    named = [word for key, value in headers.items() for word in ("-H", f"{key}: {value}".strip())]
    return [
        "--fail", "-sS", "-o", os.devnull, "-X", "PATCH", "--data-binary", f"@{file.path}", *named,
        target.photo(file),
    ]  # fmt: skip


def _curl(words: Sequence[str], target: Target) -> None:
    done = subprocess.run(
        ["curl", *words], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    if done.returncode:
        raise BenchError(f"curl failed: {done.stderr.strip().replace(target.token, '***')}")


@contextmanager
def _controller(folder: Path) -> Iterator[Target]:
    """A controller of its own with one session that nobody shoots."""
    home = folder / "home"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["serve", "--home", str(home), "--port", str(port), "--json"]
    with Program("controller", "rig.cli", words, folder / "controller.log") as program:
        token = str(program.said("token", 60)["token"])
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
        ) as http:
            session = _session(http, folder)
        incoming = home / "sessions" / session / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        yield Target(url, token, session, incoming)


def _session(http: httpx.Client, folder: Path) -> str:
    def post(path: str, **body: Any) -> dict[str, Any]:
        answer = http.post(path, json=body)
        if not answer.is_success:
            raise BenchError(f"the controller refused {path}: {answer.text[:300]}")
        return dict(answer.json())

    table = folder / "train.csv"
    table.write_text("".join(csv_path().read_text().splitlines(keepends=True)[:4]))
    post("/api/catalogs", name="s", order="csv", csv=str(table), data_dir=str(data_dir()))
    post("/api/campaigns", name="c", catalog="s", device="nokia", size_min=3, size_max=3)
    post("/api/stations", name="s")
    return str(post("/api/sessions", campaign="c", subset=1, station="s")["id"])


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told = result["machine"]
    size = result["photo_bytes"] / 1e6
    lines = [
        (
            f"{told['cpus']} CPUs, load {told['load_1_min']}, Python {told['python']}, "
            f"{told['filesystem']}; {result['photos']} photos of {size:g} MB, {result['runs']} runs"
        ),
        "",
        f"{'':>28}{'MB/s':>8}{'runs: min / max':>20}{'of the agent':>14}",
    ]
    for row in result["ways"]:
        rate = row["mb_per_s"]
        extent = f"{rate['min']:.0f} / {rate['max']:.0f}"
        lines.append(f"{row['way']:>28}{rate['median']:>8.0f}{extent:>20}{row['of_agent']:>14.2f}")
    return "\n".join(lines)
