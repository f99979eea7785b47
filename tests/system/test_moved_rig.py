"""Real processes: somebody bumps the tripod, or stands before the monitor, while it shoots."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageChops

from rig.capture.watch import RESUMES
from rig.simulation.optics import photograph

pytestmark = pytest.mark.system
GOOD = 4
"""Shots before it happens."""
STEP = (24, 10)
"""Photo pixels that everything moves when the tripod is bumped: 26 in all."""
XRAYS = 24
Mishap = Callable[[Image.Image], Image.Image]


class Tripod:
    """A camera on a tripod before the monitor that `frames` serves; *mishap* after `GOOD` shots."""

    def __init__(self, frames: str, mishap: Mishap) -> None:
        self.shots = 0
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fresh = httpx.get(f"{frames}/frame.jpg", trust_env=False, timeout=30).content
                body = camera.shoot(fresh, mishap)
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/frame.jpg"

    def shoot(self, frame: bytes, mishap: Mishap) -> bytes:
        """A photo as a phone makes it: pose, glare, blur and noise of the real simulator."""
        self.shots += 1
        seen = photograph(
            Image.open(io.BytesIO(frame)).convert("RGB"), "typical",
            np.random.default_rng(self.shots), tripod=np.random.default_rng(11),
        )  # fmt: skip
        out = io.BytesIO()
        # The agent of the phone looks through its camera once before it shoots.
        (mishap(seen) if self.shots > GOOD + 1 else seen).save(out, "JPEG", quality=90)
        return out.getvalue()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def shooting(make_rig: Callable[..., Any]) -> Iterator[Callable[[Mishap], Any]]:
    """`shooting(mishap)`: a rig that shoots through such a camera, uploading meanwhile."""
    cameras: list[Tripod] = []

    def begin(mishap: Mishap) -> Any:
        rig = make_rig(XRAYS, settle_ms=2000)
        rig.start_controller()
        rig.plan()
        rig.start_display()
        cameras.append(Tripod(rig.frames, mishap))
        rig.start_phone(camera=cameras[-1].url)
        rig.start_session()
        return rig

    yield begin
    for camera in cameras:
        camera.close()


def test_a_bumped_tripod_pauses_the_session_once(shooting: Callable[[Mishap], Any]) -> None:
    """All photos are good ones, still it pauses, says by how much, and goes on when asked."""
    rig = shooting(lambda seen: ImageChops.offset(seen, *STEP))
    seen = rig.await_state("paused")
    assert 1 < seen["committed"] < XRAYS
    assert seen["paused"]["code"] == "DRIFT"
    assert "moved 26 pixels since the last photo, allowed 10" in seen["paused"]["why"]
    assert "somebody bumped the phone or the monitor" in seen["next_step"]
    assert RESUMES["DRIFT"] in seen["next_step"]
    page = rig.http.get(f"/sessions/{rig.session}", headers={"Accept": "text/html"}).text
    assert "moved 26 pixels" in page
    photos = rig.get(f"/api/sessions/{rig.session}/photos")
    assert all(one["verified"] for one in photos if one["verified"] is not None)
    rig.post(f"/api/sessions/{rig.session}/resume", confirm=True, name="anna")
    rig.await_committed(seen["committed"] + 3)
    assert rig.show()["state"] == "running"
    events = rig.get(f"/api/sessions/{rig.session}/events?limit=1000")
    told = [one for one in events if one["event"] == "drifted"]
    assert len(told) == 1
    assert 1 < told[0]["index"] <= GOOD + 1
    assert told[0]["body"]["px"] == pytest.approx(26, abs=3)


def test_somebody_before_the_monitor_pauses_the_session(
    shooting: Callable[[Mishap], Any],
) -> None:
    """Three rejects in a row are enough; each says why, and they are listed to be shot again."""
    rig = shooting(covered)
    seen = rig.await_state("paused")
    assert seen["committed"] < XRAYS
    assert seen["paused"]["code"] == "REJECTED"
    assert "3 photos in a row do not show what they should" in seen["paused"]["why"]
    assert RESUMES["REJECTED"] in seen["next_step"]
    listed = rig.get(f"/api/sessions/{rig.session}/reshoot")["reshoot"]
    rejected = [row["index"] for row in listed if row["kind"] == "rejected"]
    assert rejected[0] <= GOOD + 1
    assert rejected[:3] == list(range(rejected[0], rejected[0] + 3))


def covered(seen: Image.Image) -> Image.Image:
    """A person stands before half of the monitor."""
    coat = Image.new("RGB", (seen.width // 3, seen.height), (70, 60, 50))
    shown = seen.copy()
    shown.paste(coat, (seen.width // 3, 0))
    return shown
