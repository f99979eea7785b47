"""What both modes of the phone agent do with camera and files when their core asks."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from phone_agent.cameras import CameraFault
from phone_agent.exposures import Exposures
from phone_agent.store import PhotoStore
from rig.protocol import actions as act
from rig.protocol.codes import Code


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 48), 9).save(out, "JPEG")
    return out.getvalue()


class Camera:
    """Writes *data*, or fails with *error*."""

    name = "test"

    def __init__(self) -> None:
        self.data = jpeg()
        self.error: Exception | None = None
        self.cancelled = 0

    def shoot(self, target: Path, deadline_s: float) -> None:
        assert deadline_s == 8.0
        if self.error is not None:
            raise self.error
        target.write_bytes(self.data)

    def probe(self) -> dict[str, Any]:
        return {"backend": self.name}

    def cancel(self) -> None:
        self.cancelled += 1


class Core:
    """Remembers what comes back; also plays the shell."""

    now = 5.0

    def __init__(self) -> None:
        self.results: asyncio.Queue[tuple[Any, Any]] = asyncio.Queue()

    def camera_result(self, ticket: Any, result: Any, now: float) -> list[act.Output]:
        self.results.put_nowait((ticket, result))
        return []

    photo_stored = camera_result

    def run(self, outputs: Any) -> None:
        assert outputs == []


class Told:
    """Stands for the status."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def note(self, kind: str, sentence: str) -> None:
        self.said.append((kind, sentence))

    warning = note


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PhotoStore]:
    with PhotoStore(tmp_path / "phone") as one:
        yield one


@pytest.fixture
async def bench(store: PhotoStore) -> Any:
    """Exposures on a working camera, their core, and what was said."""
    camera, core, told = Camera(), Core(), Told()
    one = Exposures(camera, store, told, 8.0)  # type: ignore[arg-type]
    one.serve(core, core)  # type: ignore[arg-type]
    yield one, camera, core, told
    one.close()


TICKET = act.Ticket(1, 1, 1, bytes(8))


async def result(core: Core) -> Any:
    async with asyncio.timeout(10):
        ticket, what = await core.results.get()
    assert ticket == TICKET
    return what


async def test_a_photo_comes_back_measured_and_is_kept(bench: Any, store: PhotoStore) -> None:
    """Its digest, size and pixels; then its file and sidecar under the final name."""
    exposures, camera, core, _ = bench
    assert exposures.perform(act.TriggerCamera(TICKET, "shot1"))
    photo = await result(core)
    assert photo.sha256 == hashlib.sha256(camera.data).digest()
    assert (photo.size, photo.width, photo.height) == (len(camera.data), 64, 48)
    assert exposures.perform(act.StorePhoto(TICKET, "shot1", "a.jpg", b"{}"))
    assert await result(core) is None
    assert (store.photos / "a.jpg").read_bytes() == camera.data
    assert store.sidecar_path("a.jpg").read_bytes() == b"{}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CameraFault("CAMERA_TIMEOUT", "too late"), Code.CAMERA_TIMEOUT),
        (OSError(28, "no space left"), Code.FS_ERROR),
        (RuntimeError("a bug"), Code.CAMERA_ERROR),
    ],
)
async def test_whatever_the_camera_raises_is_a_failure(
    bench: Any, error: Exception, code: Code
) -> None:
    """It must not take the agent with it."""
    exposures, camera, core, _ = bench
    camera.error = error
    exposures.perform(act.TriggerCamera(TICKET, "shot1"))
    failure = await result(core)
    assert isinstance(failure, act.CameraFailure)
    assert failure.code == code


async def test_a_photo_that_cannot_be_kept_says_why(bench: Any) -> None:
    """The staged file is gone, or the name must not become a path."""
    exposures, _, core, _ = bench
    exposures.perform(act.StorePhoto(TICKET, "nothing", "a.jpg", b"{}"))
    assert isinstance(await result(core), act.CameraFailure)
    exposures.perform(act.TriggerCamera(TICKET, "shot1"))
    await result(core)
    exposures.perform(act.StorePhoto(TICKET, "shot1", "../a.jpg", b"{}"))
    failure = await result(core)
    assert failure.code == Code.STORE_LOST


async def test_other_outputs_are_somebody_elses(bench: Any) -> None:
    """And a kill reaches the camera at once."""
    exposures, camera, _, _ = bench
    assert not exposures.perform(act.Resumed())
    assert exposures.perform(act.KillCamera(TICKET))
    assert camera.cancelled == 1
    assert await exposures.probe() == {"backend": "test"}
