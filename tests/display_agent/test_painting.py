"""What both modes do with the screen when their core asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from display_agent.images import LocalImages
from display_agent.painting import Painting
from display_agent.prefetch import Prefetch
from display_agent.screens.null import NullScreen
from rig.protocol import actions as act


class Core:
    """Remembers what comes back; also plays the shell."""

    now = 3.0

    attempt = 1

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    def painted(self, token: bytes, surface_sha: bytes, now: float) -> list[act.Output]:
        self.heard.put_nowait(("painted", token, surface_sha))
        return []

    def surface_checked(self, token: bytes, surface_sha: bytes, now: float) -> list[act.Output]:
        self.heard.put_nowait(("checked", token, surface_sha))
        return []

    def display_disturbed(self, why: str, now: float) -> list[act.Output]:
        self.heard.put_nowait(("disturbed", why))
        return []

    def display_failed(self, why: str, now: float) -> list[act.Output]:
        self.heard.put_nowait(("failed", why))
        return []

    def run(self, outputs: Any) -> None:
        assert outputs == []

    async def next(self) -> tuple[Any, ...]:
        async with asyncio.timeout(10):
            return await self.heard.get()


@pytest.fixture
async def bench(make_item: Any, make_plan: Any) -> AsyncIterator[Any]:
    """A painting of two x-rays on a null screen, its core, the plan and what was told."""
    plan = make_plan(make_item(1), make_item(2))
    screen = NullScreen((160, 120))
    await screen.open()
    prefetch = Prefetch(LocalImages(plan), screen.size)
    told: list[tuple[int, dict[str, Any]]] = []
    painting = Painting(plan, screen, prefetch, lambda index, body: told.append((index, body)))
    core = Core()
    painting.serve(core, core)  # type: ignore[arg-type]
    yield painting, core, screen, told
    await painting.close()
    await prefetch.close()
    await screen.close()


async def test_an_xray_is_shown_told_and_confirmed(bench: Any) -> None:
    """The event goes out before the core goes on; the surface is read back."""
    painting, core, screen, told = bench
    assert painting.perform(act.Paint(1, b"t" * 8))
    kind, token, sha = await core.next()
    assert (kind, token, sha) == ("painted", b"t" * 8, screen.surface())
    assert told[0][0] == 1
    assert {"prefetch_hit", "rect", "flip_ns"} <= told[0][1].keys()
    assert painting.perform(act.CheckSurface(b"t" * 8))
    assert await core.next() == ("checked", b"t" * 8, sha)


async def test_what_was_overtaken_is_not_shown(bench: Any) -> None:
    """Two paints at once: only the later one comes up; a blank overtakes both."""
    painting, core, _, told = bench
    painting.perform(act.Paint(1, b"1" * 8))
    painting.perform(act.Paint(2, b"2" * 8))
    assert (await core.next())[1] == b"2" * 8
    assert [index for index, _ in told] == [2]
    painting.perform(act.Paint(1, b"3" * 8))
    painting.perform(act.Blank("aborted"))
    await asyncio.gather(*painting._tasks)
    assert core.heard.empty()


async def test_an_xray_that_cannot_be_had_is_told_to_the_core(
    bench: Any, make_item: Any, make_plan: Any
) -> None:
    """As a sentence, not as an exception in a task that nobody looks at."""
    painting, core, _, told = bench
    await painting._prefetch.close()
    painting.perform(act.Paint(1, b"t" * 8))
    kind, why = await core.next()
    assert kind == "failed"
    assert "x-ray 1" in why
    assert told == []


async def test_disturbances_reach_the_core_until_it_is_closed(bench: Any) -> None:
    """Afterwards the screen belongs to somebody else."""
    painting, core, screen, _ = bench
    screen.on_disturbed("a window popped up")
    assert await core.next() == ("disturbed", "a window popped up")
    await painting.close()
    assert screen.on_disturbed is None


async def test_other_outputs_are_somebody_elses(bench: Any) -> None:
    """They go on to the session."""
    assert not bench[0].perform(act.Resumed())


async def test_the_next_two_are_ready_and_a_hit_is_reported(make_item: Any, make_plan: Any) -> None:
    """Three surfaces stand ready while one is photographed; only the first of a run is a miss."""
    plan = make_plan(*(make_item(n) for n in range(1, 7)))
    screen = NullScreen((160, 120))
    await screen.open()
    prefetch = Prefetch(LocalImages(plan), screen.size)
    hits: list[bool] = []
    painting = Painting(plan, screen, prefetch, lambda _, body: hits.append(body["prefetch_hit"]))
    core = Core()
    painting.serve(core, core)  # type: ignore[arg-type]
    for index in range(1, 7):
        painting.perform(act.Paint(index, bytes([index]) * 8))
        assert (await core.next())[0] == "painted"
        await asyncio.gather(*prefetch._entries.values())  # the photo is being taken
        ready = [key[0] for key in prefetch._entries]
        wanted = [item.sha256 for item in plan.items[index - 1 : index + 2]]
        assert set(wanted) <= set(ready)
        assert 3 <= len(ready) <= 4
    assert hits == [False, True, True, True, True, True]
    await painting.close()
    await prefetch.close()
    await screen.close()
