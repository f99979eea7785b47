"""Uploads to a real controller whose connections are cut anywhere: the bytes arrive, once, whole.

The phone's own uploader sends through a proxy that cuts at an exact byte, of what the phone sends
or of what the controller answers.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phone_agent.upload import Uploader
from rig.protocol.names import PhotoName, encode_name

pytestmark = pytest.mark.system

CHUNK = 1 << 16  # of the uploader
SIZE = 3 * CHUNK + 1234
NUMBERS = itertools.count(1)


def hurried(seconds: float) -> None:
    """The uploader's own pauses, fifty times shorter."""
    time.sleep(seconds / 50)


class Sending:
    """One session at a real controller, and phones that send to it through a cutting proxy."""

    def __init__(self, rig: Any, make_proxy: Callable[..., Any], folder: Path) -> None:
        rig.start_controller()
        rig.plan()
        self.session = rig.post("/api/sessions", campaign="c", subset=1, station="s")["id"]
        self._rig, self._make_proxy, self._folder = rig, make_proxy, folder
        self._token = rig.controller.said("token")["token"]
        self.incoming = rig.home / "sessions" / self.session / "incoming"

    def send(self, plan: list[tuple[str, int]]) -> int:
        """Send one new photo while the connections are cut by *plan*; how many were."""
        number = next(NUMBERS)
        data = random.Random(number).randbytes(SIZE)
        sha = hashlib.sha256(data)
        digest = sha.hexdigest()[:16]
        name = encode_name(PhotoName("a" * 16, 1, number, 1, "e", "k", digest, digest))
        path = self._folder / "sent.jpg"
        path.write_bytes(data)
        proxy = self._make_proxy(self._rig.port, plan=plan)
        url = f"http://127.0.0.1:{proxy.port}"
        with Uploader(url, self._token, sleep=hurried, attempts=30) as uploader:
            uploader.upload(self.session, path, name, sha.digest())
        assert (self.incoming / name).read_bytes() == data, f"damaged by {plan}"
        assert not list(self.incoming.glob("*.part")), f"a rest is left by {plan}"
        cut: int = proxy.cut
        proxy.close()
        return cut


@pytest.fixture(scope="module")
def sending(tmp_path_factory: pytest.TempPathFactory, system: Any) -> Iterator[Sending]:
    folder = tmp_path_factory.mktemp("cut")
    rig = system.Rig(folder, 3)
    yield Sending(rig, system._proxy.CuttingProxy, folder)
    rig.close()


def test_every_boundary_of_a_chunk(sending: Sending) -> None:
    """At the edges of what the phone writes at once, and one byte before and after them."""
    edges = [at + step for at in range(0, SIZE + CHUNK, CHUNK) for step in (-1, 0, 1)]
    # Before a chunk come the question for the offset and the head of the request.
    places = [edge + head for edge in edges for head in (0, 300, 600, 900) if edge + head >= 0]
    cuts = [sending.send([("asked", place)]) for place in places]
    assert sum(cuts) > len(cuts) // 2
    assert sum(sending.send([("answered", place)]) for place in range(0, 500, 23)) > 10


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    plan=st.lists(
        st.tuples(st.sampled_from(["asked", "answered"]), st.integers(0, SIZE + 2000)), max_size=5
    )
)
def test_anywhere_and_again(sending: Sending, plan: list[tuple[str, int]]) -> None:
    """Up to five cuts of one photo, wherever they are."""
    sending.send(plan)


def test_a_controller_that_is_killed_in_mid_upload(
    make_rig: Callable[..., Any], cutting_proxy: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """`kill -9` after part of a photo, in mid-session: shooting goes on, then so does the upload.

    A second death comes while the rest of the batch is sent.
    """
    rig = make_rig(8)
    proxy = cutting_proxy(rig.port, plan=[("asked", 90_000), ("asked", 60_000)])
    dead: list[int] = []

    def die() -> None:
        rig.controller.kill()
        dead.append(proxy.cut)

    proxy.on_cut = die
    rig.public_url = f"http://127.0.0.1:{proxy.port}"
    rig.bring_up()
    for death in (1, 2):
        tools["until"](lambda death=death: len(dead) == death, f"not killed {death} times")
        rig.controller.start()
    rig.await_state("completed")
    assert all(photo["verified"] for photo in rig.await_verdicts())
    rig.audit()
    incoming = rig.home / "sessions" / rig.session / "incoming"
    names = {path.name for path in (rig.phone_dir / "photos").iterdir()}
    tools["until"](
        lambda: {path.name for path in incoming.iterdir()} == names, "more or less than was sent"
    )
    for name in names:
        assert (incoming / name).read_bytes() == (rig.phone_dir / "photos" / name).read_bytes()
    tools["until"](
        lambda: "is complete at the controller" in rig.phone.log.read_text(), "batch not closed"
    )
