"""Captures per second of the protocol alone: real cores, shells and journals, nothing to wait for.

The phone side is a process of its own with a camera that has its photo at once; the screen paints
at once. Beside it, in the same run: a bare asyncio UDP round trip, the journal's fsyncs, and, if a
clone of the original CheXphoto is at hand, its own client loop against a server that answers at
once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.figures import Sample, sample, spread, timed
from bench.floors import udp_round_trip
from bench.programs import BenchError
from rig.protocol import actions as act
from rig.protocol.codes import Timers
from rig.protocol.display import DisplayConfig, DisplayCore
from rig.protocol.journal import Record
from rig.protocol.journal_file import JournalFile
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.protocol.shell import Shell
from rig.simulation.virtual import subset_of

_PSK = bytes(range(32))
_SURFACE = hashlib.sha256(b"surface").digest()
_PATIENCE = 120.0
_JOURNALS = 3
"""INTENT, STORED and DONE lie on the way of a capture."""


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run everything `args.runs` times; JSON values.

    Raises:
        BenchError: a side did not finish, or the original's loop cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as scratch:
        folder = Path(scratch)
        runs = []
        for number in range(1, args.runs + 1):
            tell(f"run {number} of {args.runs}: {args.captures} captures of the protocol alone")
            runs.append(_run(folder / str(number), args.captures, args.original, tell))
    return _result(args, runs)


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    rows = [f"{result['captures']} captures a run, {result['runs']} runs; medians over the runs"]
    for name, figure in result["figures"].items():
        low, mid, high = (figure[k] for k in ("min", "median", "max"))
        rows.append(f"{name:<58} {mid:9.3f} ms   {low:.3f} / {mid:.3f} / {high:.3f}")
    for name, rate in result["captures_per_s"].items():
        rows.append(f"{name:<58} {rate['median']:9.1f} a second")
    ratio = result["interval_per_udp_round_trip"]
    rows.append(f"one capture takes {ratio:.1f} bare UDP round trips")
    rows.append(
        f"phone CPU {result['phone_cpu_ms_per_capture']['median']:.3f} ms a capture, "
        f"{result['datagrams_per_capture']:.2f} datagrams a capture"
    )
    if "original" not in result["captures_per_s"]:
        rows.append("the original's loop: name a clone with --original PATH")
    return "\n".join(rows)


def _run(
    folder: Path, captures: int, original: Path | None, tell: Callable[[str], None]
) -> dict[str, Any]:
    folder.mkdir()
    intervals, phone_cpu, datagrams = _shoot(folder, captures)
    journal = JournalFile(folder / "floor")
    record: Record = {"k": "INTENT", "i": 1, "a": 1, "tok": "00" * 8, "meta": "00" * 32}
    fsync = timed(partial(journal.append, [record]), 100)
    journal.close()
    found: dict[str, Any] = {
        "interval": sample(intervals),
        "udp": udp_round_trip(folder / "echo.log"),
        "journal": fsync,
        "phone_cpu": phone_cpu,
        "datagrams": datagrams,
    }
    if original is not None:
        tell("  the original's client loop")
        found["original"] = _original(original, captures, delay_ms=None)
        found["original_no_delay"] = _original(original, captures, delay_ms=0)
    return found


def _result(args: argparse.Namespace, runs: list[dict[str, Any]]) -> dict[str, Any]:
    interval = [run["interval"].p50 for run in runs]
    fsyncs = [_JOURNALS * run["journal"].p50 for run in runs]
    udp = [run["udp"].p50 for run in runs]
    overhead = [max(0.0, i - f) for i, f in zip(interval, fsyncs, strict=True)]
    figures = {
        "one capture, camera and screen at once": spread(interval),
        "of it: 3 journal records made durable": spread(fsyncs),
        "of it: everything else (the protocol's overhead)": spread(overhead),
        "bare UDP round trip, asyncio callbacks": spread(udp),
    }
    rates = {"capture-rig": spread([1000 / i for i in interval])}
    for name in ("original", "original_no_delay"):
        if name in runs[0]:
            rates[name] = spread([1000 / run[name].p50 for run in runs])
    ratios = sorted(i / u for i, u in zip(interval, udp, strict=True))
    return {
        "captures": args.captures,
        "runs": args.runs,
        "figures": figures,
        "captures_per_s": rates,
        "interval_per_udp_round_trip": ratios[len(ratios) // 2],
        "phone_cpu_ms_per_capture": spread([run["phone_cpu"] for run in runs]),
        "datagrams_per_capture": runs[-1]["datagrams"],
    }


# -- both sides ------------------------------------------------------------------------------------


def _shoot(folder: Path, captures: int) -> tuple[list[float], float, float]:
    """Intervals in ms, CPU of the phone side in ms a capture, datagrams a capture."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    port = _free_udp_port()
    phone = context.Process(target=_phone, args=(folder / "phone", port, captures, theirs))
    phone.start()
    try:
        times, sent = asyncio.run(_display(folder / "display", port, captures))
        if not mine.poll(_PATIENCE):
            raise BenchError("the phone side did not finish")
        cpu, back = mine.recv()
    finally:
        phone.join(5)
        if phone.is_alive():
            phone.kill()
            phone.join()
    intervals = [(b - a) * 1000 for a, b in pairwise(times)]
    return intervals, cpu, (sent + back) / captures


async def _display(folder: Path, port: int, captures: int) -> tuple[list[float], int]:
    timers = Timers(settle=0.0)
    core = DisplayCore(DisplayConfig(subset_of(captures), timers=timers), [], _PSK, os.urandom)
    journal = JournalFile(folder / "journal")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    times: list[float] = []

    def perform(o: act.Output) -> None:
        if isinstance(o, act.Paint):
            loop.call_soon(lambda: shell.run(core.painted(o.token, _SURFACE, shell.now)))
        elif isinstance(o, act.CheckSurface):
            loop.call_soon(lambda: shell.run(core.surface_checked(o.token, _SURFACE, shell.now)))
        elif isinstance(o, act.Committed):
            times.append(time.perf_counter())
        elif isinstance(o, act.Completed):
            done.set_result(None)

    shell = Shell(core, journal, perform, done.set_exception)
    transport, _ = await loop.create_datagram_endpoint(
        lambda: shell, local_addr=("127.0.0.1", port)
    )
    try:
        shell.run(core.start(shell.now))
        async with asyncio.timeout(_PATIENCE):
            await done
    except TimeoutError as error:
        raise BenchError(f"only {len(times)} of {captures} captures in {_PATIENCE:g} s") from error
    finally:
        shell.close()
        transport.close()
        journal.close()
        await asyncio.sleep(0)
    return times, shell.datagrams_out


def _phone(folder: Path, port: int, captures: int, report: Connection) -> None:
    """The phone's process: a photo is there as soon as it is asked for."""
    asyncio.run(_phone_side(folder, port, captures, report))


async def _phone_side(folder: Path, port: int, captures: int, report: Connection) -> None:
    config = PhoneConfig(hosts=(("127.0.0.1", port),))
    core = PhoneCore(config, [], _PSK, os.urandom)
    journal = JournalFile(folder / "journal")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    began = time.process_time()

    def perform(o: act.Output) -> None:
        if isinstance(o, act.TriggerCamera):
            sha = hashlib.sha256(o.staging.encode()).digest()
            photo = act.Photo(sha, 1000, 4, 3, 1, 2)
            loop.call_soon(lambda: shell.run(core.camera_result(o.ticket, photo, shell.now)))
        elif isinstance(o, act.StorePhoto):
            loop.call_soon(lambda: shell.run(core.photo_stored(o.ticket, None, shell.now)))
        elif isinstance(o, act.Completed):
            # A moment longer: the display may ask once more whether it is finished.
            loop.call_later(0.5, done.set_result, None)

    shell = Shell(core, journal, perform, done.set_exception)
    transport, _ = await loop.create_datagram_endpoint(lambda: shell, local_addr=("127.0.0.1", 0))
    shell.run(core.start(shell.now))
    await done
    cpu = (time.process_time() - began) * 1000 / captures
    report.send((cpu, shell.datagrams_out))
    shell.close()
    transport.close()
    journal.close()


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- the original ----------------------------------------------------------------------------------

_LOOP = """
import sys, time, types
sys.path.insert(0, sys.argv[1])
port, captures, delay = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
sys.modules.setdefault("pandas", types.ModuleType("pandas"))  # the loop itself needs none
from chexpeditor import client
from pathlib import Path
client.display_img = lambda *a, **k: None
if delay:
    client.MSG_DELAY_MS = int(delay)
client.cv2 = types.SimpleNamespace(waitKey=lambda ms: time.sleep(ms / 1000) or -1)
name = "CheXphoto-v1.0/train/patient{:05d}/study1/view1_frontal.jpg"
paths = [Path(name.format(i)) for i in range(captures)]
began = time.perf_counter()
client.run_auto(paths, paths, 1920, 1080, 0, ("127.0.0.1", port))
print("seconds", (time.perf_counter() - began) / captures, file=sys.stderr)
"""
"""Runs the loop of a clone as it is, but for the window, which a benchmark has not."""


def _original(clone: Path, captures: int, *, delay_ms: int | None) -> Sample:
    """Time of one turn of the original's loop against a server that answers at once, ms."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        stop = threading.Event()
        thread = threading.Thread(target=_answer, args=(server, stop), daemon=True)
        thread.start()
        delay = "" if delay_ms is None else str(delay_ms)
        words = [str(clone), str(server.getsockname()[1]), str(captures), delay]
        done = subprocess.run(
            [sys.executable, "-c", _LOOP, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE + captures,
        )
        stop.set()
        thread.join()
    if done.returncode != 0 or "seconds" not in done.stderr:
        raise BenchError(f"the original's loop at {clone} does not run: {done.stderr[-300:]}")
    each = float(done.stderr.rsplit("seconds", 1)[1]) * 1000
    return Sample(each, each)


def _answer(server: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            data, address = server.recvfrom(2048)
        except TimeoutError:
            continue
        _, _, name = data.decode(errors="replace").partition("|")
        server.sendto(f"OK|{name}".encode(), address)
