"""Manual mode from key to screen to record."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from display_agent.images import LocalImages
from display_agent.look import Look
from display_agent.manual_book import SHOWN, Book
from display_agent.manual_run import ManualRun, Pace
from display_agent.screens.null import NullScreen
from rig.errors import UserError
from rig.intake.manual import Left, PhotoSeen, match_by_marker, read_shown
from rig.intake.marker import decode_marker
from rig.intake.marker_ids import Marker

SIZE = (960, 540)


class Stage:
    """A run on a null screen, its events, and somebody at the keyboard."""

    def __init__(self, tmp_path, plan, *, set_size=2, pace=None, look=None, size=SIZE):
        ticks = itertools.count(1000, 10)
        self.screen = NullScreen(size, clock_ns=lambda: next(ticks))
        self.events: asyncio.Queue[dict] = asyncio.Queue()
        self.path = tmp_path / "out" / SHOWN
        self._book = Book(tmp_path / "out", plan.items, {})
        self.run = ManualRun(
            plan.items,
            LocalImages(plan),
            self.screen,
            self._book,
            set_size=set_size,
            look=look or Look(marker=True),
            pace=pace or Pace(),
            report=self.events.put_nowait,
            clock_ns=lambda: next(ticks),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[bool]]:
        await self.screen.open()
        task = asyncio.create_task(self.run.run())
        try:
            yield task
        finally:
            self.run.stop()
            await asyncio.gather(task, return_exceptions=True)
            self._book.close()

    async def event(self, kind: str) -> dict:
        async with asyncio.timeout(20):
            told = await self.events.get()
        assert told["event"] == kind, told
        return told

    @property
    def shown(self):
        return read_shown(self.path.read_bytes())[0]


@pytest.fixture
def plan(make_plan, make_item):
    return make_plan(*(make_item(index) for index in (1, 2, 3)))


async def test_keys_show_the_xrays_and_everything_is_recorded(tmp_path, plan):
    """Two sets; the screen shows what the record says, from its flip on."""
    stage = Stage(tmp_path, plan)
    async with stage.running() as task:
        for index in (1, 2):
            told = await stage.event("shown")
            assert told["index"] == index
            assert decode_marker(np.asarray(stage.screen.frame())) == Marker(index, 1)
            assert stage.shown[-1].to_ns is None  # on the disk while it is up
            stage.screen.press("space")
        assert (await stage.event("set_done"))["set"] == 1
        assert decode_marker(np.asarray(stage.screen.frame())) is None
        stage.screen.press("space")
        assert (await stage.event("shown"))["place"] == 1
        stage.screen.press("right")
        assert (await stage.event("set_done"))["last"]
        stage.screen.press("space")
        assert await task
    shown = stage.shown
    assert [(s.showing, s.set, s.position, s.index, s.left) for s in shown] == [
        (1, 1, 1, 1, Left.NEXT), (2, 1, 2, 2, Left.NEXT), (3, 2, 3, 3, Left.NEXT),
    ]  # fmt: skip
    assert [s.sha256 for s in shown] == [item.sha256 for item in plan.items]
    moments = [m for s in shown for m in (s.from_ns, s.to_ns)]
    assert moments == sorted(moments)


async def test_photos_of_the_screen_find_their_xray_again(tmp_path, plan):
    """From the frame through the marker to the record: the whole way of manual mode."""
    stage, photos = Stage(tmp_path, plan, set_size=3), []
    async with stage.running() as task:
        for _ in plan.items:
            told = await stage.event("shown")
            photo = np.asarray(stage.screen.frame())
            photos.append(PhotoSeen(f"IMG_{told['index']}", decode_marker(photo)))
            stage.screen.press("space")
        await stage.event("set_done")
        stage.screen.press("space")
        assert await task
    found = match_by_marker(photos, stage.shown)
    assert [c.index for c in found] == [1, 2, 3]
    assert all("order" in c.evidence for c in found)


async def test_a_key_pressed_twice_skips_no_xray(tmp_path, plan):
    """What was pressed before the next one came up is forgotten, unless it is to stop."""
    stage = Stage(tmp_path, plan, set_size=3)
    async with stage.running() as task:
        await stage.event("shown")
        for _ in range(3):
            stage.screen.press("space")
        assert (await stage.event("shown"))["index"] == 2
        stage.screen.press("space")
        stage.screen.press("q")
        assert (await stage.event("shown"))["index"] == 3
        await stage.event("stopped")
        assert not await task


async def test_a_disk_that_is_full_ends_the_run_with_a_sentence(tmp_path, plan, monkeypatch):
    """Threads and keys are let go all the same."""
    stage = Stage(tmp_path, plan)
    async with stage.running() as task:
        await stage.event("shown")

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            stage.screen.press("space")
            with pytest.raises(UserError, match="free some disk"):
                await task
    assert stage.screen.on_key is None
    assert len(stage.shown) == 1


async def test_going_back_shows_the_same_xray_with_the_next_attempt(tmp_path, plan):
    """Two photos of one x-ray are told apart."""
    stage = Stage(tmp_path, plan, set_size=3)
    async with stage.running():
        await stage.event("shown")
        stage.screen.press("space")
        await stage.event("shown")
        stage.screen.press("left")
        told = await stage.event("shown")
        assert (told["index"], told["attempt"]) == (1, 2)
        assert decode_marker(np.asarray(stage.screen.frame())) == Marker(1, 2)
    assert [s.left for s in stage.shown] == [Left.NEXT, Left.PREVIOUS, Left.STOP]


async def test_a_restart_shows_the_interrupted_xray_again(tmp_path, plan):
    """And goes on with the set."""
    stage = Stage(tmp_path, plan)
    async with stage.running() as task:
        await stage.event("shown")
        stage.screen.press("space")
        await stage.event("shown")
        stage.screen.press("q")
        assert (await stage.event("stopped"))["shown"] == 2
        assert not await task
    again = Stage(tmp_path, plan)
    async with again.running():
        told = await again.event("shown")
        assert (told["index"], told["attempt"], told["showing"]) == (2, 2, 3)
        again.screen.press("space")
        await again.event("set_done")


async def test_at_a_rate_it_goes_by_itself(tmp_path, plan):
    """Through the pauses as well, when they have a time."""
    stage = Stage(tmp_path, plan, pace=Pace(0.001, 0.001))
    async with stage.running() as task:
        assert await task
    assert [s.index for s in stage.shown] == [1, 2, 3]


async def test_without_a_time_the_pause_waits_for_a_key(tmp_path, plan):
    """The photos are being copied."""
    stage = Stage(tmp_path, plan, pace=Pace(rate=0.001))
    async with stage.running() as task:
        for kind in ("shown", "shown", "set_done"):
            await stage.event(kind)
        done, _ = await asyncio.wait({task}, timeout=0.05)
        assert not done
        assert stage.events.empty()
        stage.screen.press("space")
        await stage.event("shown")


async def test_the_progress_changes_no_pixel_of_the_xray(tmp_path, plan):
    """It stands in the margin, different for each x-ray of a set."""
    frames = []
    stage = Stage(tmp_path, plan, set_size=3, look=Look())
    async with stage.running():
        for _ in range(2):
            told = await stage.event("shown")
            frames.append((np.asarray(stage.screen.frame()).copy(), told["rect"]))
            stage.screen.press("space")
    for pixels, (x, y, wide, high) in frames:
        outside = pixels.copy()
        outside[y : y + high, x : x + wide] = 0
        assert (outside > 60).sum() > 30
    assert [s.marker for s in stage.shown[:1]] == [()]


async def test_an_xray_that_fills_the_screen_makes_room_and_says_so(tmp_path, plan):
    """The strip for the text; told with the event."""
    stage = Stage(tmp_path, plan, look=Look(), size=(400, 310))  # the first is 40 by 31
    async with stage.running():
        told = await stage.event("shown")
        assert told["shrunk"] < 1
        x, y, wide, high = told["rect"]
        assert y + high < 310
        assert x + wide <= 400


async def test_a_disturbance_is_recorded_with_the_xray_that_was_up(tmp_path, plan):
    """Its photos are to be looked at."""
    stage = Stage(tmp_path, plan)
    async with stage.running():
        await stage.event("shown")
        stage.screen.disturb("the window lost the focus")
        assert (await stage.event("disturbed"))["why"] == "the window lost the focus"
        stage.screen.press("space")
        await stage.event("shown")
    assert [s.disturbed for s in stage.shown] == ["the window lost the focus", None]


async def test_an_xray_that_is_gone_stops_with_its_index_and_the_record_stays(tmp_path, plan):
    """Put the file back and run again."""
    (tmp_path / "xrays" / "2.png").unlink()
    stage = Stage(tmp_path, plan)
    async with stage.running() as task:
        await stage.event("shown")
        stage.screen.press("space")
        with pytest.raises(UserError, match="x-ray 2"):
            await task
    assert [(s.index, s.left) for s in stage.shown] == [(1, Left.STOP)]
    assert stage.screen.on_key is None
