"""Compositions ready before they are needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from display_agent.cursor import CursorSpec
from display_agent.images import ImageProblem
from display_agent.look import Look
from display_agent.prefetch import Prefetch

SIZE = (64, 48)


class Source:
    """Serves x-rays from memory; can be held back and can fail."""

    def __init__(self, xray_bytes):
        self._bytes = xray_bytes
        self.fetched: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.broken: set[int] = set()
        self.garbage: set[int] = set()
        self.on_failure: Callable[[], object] = lambda: None

    async def fetch(self, item):
        self.fetched.append(item.index)
        await self.open.wait()
        if item.index in self.broken:
            asyncio.get_running_loop().call_soon(self.on_failure)
            raise ImageProblem(f"x-ray {item.index}: gone")
        return b"junk" if item.index in self.garbage else self._bytes(item.index)

    async def close(self):
        pass


@pytest.fixture
async def source(xray_bytes):
    return Source(xray_bytes)


@pytest.fixture
async def prefetch(source):
    made = Prefetch(source, SIZE, capacity=3)
    yield made
    await made.close()


async def _settled(prefetch: Prefetch) -> None:
    """Until everything begun is finished."""
    while prefetch._tasks:
        await asyncio.wait(prefetch._tasks)
        await asyncio.sleep(0)


async def test_a_prepared_xray_is_a_hit_and_is_made_once(prefetch, source, make_item):
    """Preparing again changes nothing."""
    item = make_item(1)
    prefetch.prepare(item)
    prefetch.prepare(item)
    await _settled(prefetch)
    made, hit = await prefetch.get(item)
    assert hit
    assert made.frame.size == SIZE
    assert source.fetched == [1]


async def test_an_unprepared_xray_works_too_only_slower(prefetch, make_item):
    """A miss the first time, a hit the second."""
    item = make_item(1)
    first, hit = await prefetch.get(item)
    assert not hit
    second, hit = await prefetch.get(item)
    assert hit
    assert second is first


async def test_one_that_is_still_being_made_is_waited_for_and_no_hit(prefetch, source, make_item):
    """The paint had to wait, so it is told."""
    source.open.clear()
    prefetch.prepare(make_item(1))
    waiting = asyncio.create_task(prefetch.get(make_item(1)))
    await asyncio.sleep(0)
    source.open.set()
    _, hit = await waiting
    assert not hit
    assert source.fetched == [1]


async def test_the_least_recently_used_goes_first(prefetch, source, make_item):
    """Capacity three: 1 was used again, so 2 makes room for 4."""
    for index in (1, 2, 3, 1, 4):
        await prefetch.get(make_item(index))
    assert [(await prefetch.get(make_item(i)))[1] for i in (1, 3, 4)] == [True] * 3
    assert not (await prefetch.get(make_item(2)))[1]


async def test_what_somebody_waits_for_is_not_pushed_out(prefetch, source, make_item):
    """Preparing many does not starve the one that is wanted."""
    source.open.clear()
    waiting = asyncio.create_task(prefetch.get(make_item(1)))
    await asyncio.sleep(0)
    for index in range(2, 9):
        prefetch.prepare(make_item(index))
    source.open.set()
    made, _ = await waiting
    assert made.frame.size == SIZE


async def test_another_screen_size_is_another_composition(prefetch, make_item):
    """After a change of the screen nothing of the old size is shown."""
    await prefetch.get(make_item(1))
    prefetch.size = (32, 32)
    made, hit = await prefetch.get(make_item(1))
    assert not hit
    assert made.frame.size == (32, 32)


async def test_an_error_is_told_at_get_and_tried_again_each_time(prefetch, source, make_item):
    """A prepare that failed stays silent; once the fault is mended get succeeds."""
    source.broken.add(1)
    prefetch.prepare(make_item(1))
    await _settled(prefetch)
    with pytest.raises(ImageProblem, match="x-ray 1: gone"):
        await prefetch.get(make_item(1))
    source.broken.clear()
    _, hit = await prefetch.get(make_item(1))
    assert not hit


async def test_a_failure_of_this_very_moment_does_not_stop_a_new_try(prefetch, source, make_item):
    """Between the end of a failed preparation and its removal, prepare begins anew."""

    def prepare_again() -> None:
        source.broken.clear()
        prefetch.prepare(make_item(1))

    source.on_failure = prepare_again
    source.broken.add(1)
    prefetch.prepare(make_item(1))
    await _settled(prefetch)
    assert source.fetched == [1, 1]
    assert (await prefetch.get(make_item(1)))[1]


async def test_an_undecodable_file_names_its_index(prefetch, source, make_item):
    """The worker's error comes back as a sentence."""
    source.garbage.add(7)
    with pytest.raises(ImageProblem, match=r"x-ray 7: the picture cannot be decoded"):
        await prefetch.get(make_item(7))


async def test_who_gives_up_waiting_takes_nothing_from_others(prefetch, source, make_item):
    """Cancelling one get leaves the composition in the making."""
    source.open.clear()
    impatient = asyncio.create_task(prefetch.get(make_item(1)))
    patient = asyncio.create_task(prefetch.get(make_item(1)))
    await asyncio.sleep(0)
    impatient.cancel()
    source.open.set()
    assert (await patient)[0].frame.size == SIZE
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_closing_ends_tasks_threads_and_whoever_waits(source, make_item):
    """Nothing is left running; a waiting get is told, and so is a later one."""
    before = {t.name for t in threading.enumerate()}
    prefetch = Prefetch(source, SIZE)
    await prefetch.get(make_item(1))
    source.open.clear()
    waiting = asyncio.create_task(prefetch.get(make_item(2)))
    prefetch.prepare(make_item(3))
    await asyncio.sleep(0)
    await prefetch.close()
    with pytest.raises(ImageProblem, match="shutting down"):
        await waiting
    with pytest.raises(ImageProblem, match="shutting down"):
        await prefetch.get(make_item(1))
    left = {t.name for t in threading.enumerate()} - before
    assert not [name for name in left if name.startswith("compose")]


async def test_another_look_is_another_composition(prefetch, make_item):
    """After a change of the environment nothing of the old one is shown."""
    plain, _ = await prefetch.get(make_item(1))
    prefetch.look = Look(gains=(1.0, 0.9, 0.8))
    tinted, hit = await prefetch.get(make_item(1))
    assert not hit
    assert (plain.frame.mode, tinted.frame.mode) == ("L", "RGB")
    prefetch.look = Look()
    assert (await prefetch.get(make_item(1)))[1]


async def test_a_moved_cursor_is_that_of_the_items_index(source, make_item):
    """The same picture at two indices is two compositions then, and one without a cursor."""
    data = source._bytes(1)
    one, two = make_item(1, data=data), make_item(2, data=data)
    prefetch = Prefetch(source, SIZE)
    await prefetch.get(one)
    assert (await prefetch.get(two))[1]
    prefetch.look = Look(cursor=CursorSpec("moved", 3))
    first, _ = await prefetch.get(one)
    second, hit = await prefetch.get(two)
    assert not hit
    assert first.cursor != second.cursor
    await prefetch.close()


async def test_a_marker_is_that_of_the_attempt(source, make_item):
    """Shown again, it says so; without a marker the attempt changes nothing."""
    prefetch = Prefetch(source, (640, 480), Look(marker=True))
    prefetch.prepare(make_item(1), attempt=2)
    first, hit = await prefetch.get(make_item(1))
    assert not hit
    await _settled(prefetch)
    again, hit = await prefetch.get(make_item(1), attempt=2)
    assert hit
    assert first.frame.tobytes() != again.frame.tobytes()
    prefetch.look = Look()
    await prefetch.get(make_item(1), attempt=1)
    assert (await prefetch.get(make_item(1), attempt=2))[1]
    await prefetch.close()


async def test_a_screen_too_small_for_the_marker_names_the_xray(prefetch, make_item):
    """As any x-ray that cannot be shown."""
    prefetch.look = Look(marker=True)
    with pytest.raises(ImageProblem, match="x-ray 1: a screen of 64x48"):
        await prefetch.get(make_item(1))
