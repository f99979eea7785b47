"""What the machine asks for each piece of a capture when nothing else is under way."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Sample, sample, timed
from bench.peers import SCREEN
from bench.programs import Program
from display_agent.compose import compose, decode
from display_agent.frames import JPEG_QUALITY
from display_agent.outbox import Outbox
from display_agent.screens.null import NullScreen
from phone_agent.cameras.loopback import LoopbackCamera
from phone_agent.files import write_synced
from phone_agent.jpeg import inspect, sha256_file
from phone_agent.store import PhotoStore
from rig.protocol import datagram
from rig.protocol.codes import MessageType
from rig.protocol.journal import Record
from rig.protocol.journal_file import JournalFile

UDP = "udp_asyncio"
"""The bare round trip that everything is compared with."""

FLOORS: dict[str, tuple[str, int]] = {
    UDP: ("bare UDP round trip, asyncio callbacks", 1),
    "udp_blocking": ("bare UDP round trip, blocking sockets", 0),
    "codec": ("encode + decode one datagram, HMAC included", 4),
    "journal": ("journal record: append + fdatasync", 3),
    "outbox": ("event 'committed': append + fsync", 1),
    "photo_write": ("photo into staging/: write + fsync", 0),
    "photo_store": ("sidecar and photo to final names: 6 fsyncs", 1),
    "sha256": ("SHA-256 of a photo, in memory", 0),
    "photo_check": ("photo walked as JPEG, SHA-256 of the file", 1),
    "screen_show": ("null screen: copy the frame, hash the surface", 1),
    "screen_check": ("null screen: hash the surface again", 1),
    "compose": ("decode and scale one x-ray (ahead, other threads)", 0),
    "frame_encode": ("frame to JPEG (part of a frame fetch)", 0),
    "frame_fetch": ("loopback camera alone: HTTP, JPEG, write + fsync", 0),
}
"""By name: what it is, and how often the critical path of one capture has it."""

_UDP_TIMES, _DISK_TIMES, _WORK_TIMES = 2000, 60, 20
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Material:
    """What a capture of this run handles: a photo it made, its x-ray, and its metadata."""

    photo: bytes
    xray: Path
    metadata: bytes


def measure(folder: Path, material: Material) -> dict[str, Sample]:
    """Every floor once, in a new *folder*; keys are those of `FLOORS`."""
    folder.mkdir()
    floors = dict(_network(folder, material))
    floors |= _disk(folder, material)
    floors |= _work(folder, material)
    return {name: floors[name] for name in FLOORS}


# -- network ---------------------------------------------------------------------------------------


def udp_round_trip(log: Path, payload: bytes = bytes(200)) -> Sample:
    """A bare asyncio UDP round trip on loopback, the other end in a process of its own."""
    with Program("echo", "bench.peers", ["echo"], log) as echo:
        return asyncio.run(_ask(int(echo.said("port", _PATIENCE)["port"]), payload))


def _network(folder: Path, material: Material) -> Iterator[tuple[str, Sample]]:
    request = datagram.encode(_capture(material), bytes(32))
    yield UDP, udp_round_trip(folder / "echo.log", request)
    with Program("echo", "bench.peers", ["echo-blocking"], folder / "blocking.log") as echo:
        port = int(echo.said("port", _PATIENCE)["port"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            here.settimeout(_PATIENCE)
            here.connect(("127.0.0.1", port))

            def ask() -> None:
                here.send(request)
                here.recv(2048)

            yield "udp_blocking", timed(ask, _UDP_TIMES)
    words = ["frames", str(material.xray)]
    with Program("frame server", "bench.peers", words, folder / "frames.log") as frames:
        port = int(frames.said("port", _PATIENCE)["port"])
        camera, target = LoopbackCamera(f"http://127.0.0.1:{port}"), folder / "frame.part"
        yield "frame_fetch", timed(lambda: camera.shoot(target, _PATIENCE), _WORK_TIMES)


class _Asker(asyncio.DatagramProtocol):
    """Sends again as soon as the answer is here: no awaited future per datagram."""

    def __init__(self, request: bytes, times: int, done: asyncio.Future[list[float]]) -> None:
        self._request, self._times, self._done = request, times, done
        self._took: list[float] = []

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport
        self._send()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._took.append((time.perf_counter_ns() - self._began) / 1e6)
        if len(self._took) < self._times:
            self._send()
        elif not self._done.done():
            self._done.set_result(self._took)

    def _send(self) -> None:
        self._began = time.perf_counter_ns()
        self._transport.sendto(self._request)


async def _ask(port: int, request: bytes) -> Sample:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[float]] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Asker(request, _UDP_TIMES, done), remote_addr=("127.0.0.1", port)
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            return sample(await done)
    finally:
        transport.close()


def _capture(material: Material) -> datagram.Datagram:
    return datagram.Datagram(MessageType.CAPTURE, index=1, payload=material.metadata)


# -- disk ------------------------------------------------------------------------------------------


def _disk(folder: Path, material: Material) -> dict[str, Sample]:
    floors = {}
    with closing(JournalFile(folder / "journal")) as journal:
        stored: Record = {
            "k": "STORED", "i": 1, "a": 1, "sha": "0" * 64, "size": len(material.photo),
            "name": "n" * 120, "w": SCREEN[0], "h": SCREEN[1], "t0": 2**60, "t1": 2**60,
        }  # fmt: skip
        floors["journal"] = timed(lambda: journal.append([stored]), _DISK_TIMES)
    with closing(Outbox(folder / "outbox", "s" + "0" * 16)) as outbox:
        told = {"sha256": "0" * 64, "source_sha256": "0" * 64, "name": "n" * 120}
        floors["outbox"] = timed(lambda: outbox.append("committed", 1, 1, **told), _DISK_TIMES)
    with PhotoStore(folder / "phone") as store:
        numbers, staged = itertools.count(), itertools.count()

        def write() -> None:
            write_synced(store.staging_path(f"{next(numbers)}.part"), material.photo)

        def keep() -> None:
            number = next(staged)
            place = store.staging_path(f"{number}.part")
            store.store(place, f"{number}.jpg", material.metadata)

        floors["photo_write"] = timed(write, _DISK_TIMES)
        floors["photo_store"] = timed(keep, _DISK_TIMES)
    return floors


# -- work ------------------------------------------------------------------------------------------


def _work(folder: Path, material: Material) -> dict[str, Sample]:
    key, question = os.urandom(32), _capture(material)
    photo, xray = folder / "photo.jpg", material.xray.read_bytes()
    photo.write_bytes(material.photo)
    composition, screen = compose(decode(xray), SCREEN), NullScreen(SCREEN)

    with asyncio.Runner() as loop:
        shown = timed(lambda: loop.run(screen.show(b"bench", composition)), _WORK_TIMES)
    return {
        "screen_show": shown,
        "codec": timed(lambda: datagram.decode(datagram.encode(question, key), key), _UDP_TIMES),
        "sha256": timed(lambda: hashlib.sha256(material.photo).digest(), _WORK_TIMES),
        "photo_check": timed(lambda: (inspect(photo), sha256_file(photo)), _WORK_TIMES),
        "screen_check": timed(screen.surface, _WORK_TIMES),
        "compose": timed(lambda: compose(decode(xray), SCREEN), _WORK_TIMES),
        "frame_encode": timed(
            lambda: composition.frame.save(io.BytesIO(), "JPEG", quality=JPEG_QUALITY), _WORK_TIMES
        ),
    }
