"""The live stream in real tabs: one for all of them, every event once, whatever breaks."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import statistics
from typing import Any

import pytest

from rig.store import events
from rig.store.database import Database
from rig.store.events import Event

pytestmark = pytest.mark.system

HEAR = """
window.seen = [];
document.addEventListener("rig:event", ({ detail }) => {
  const now = (performance.timeOrigin + performance.now()) * 1e6;
  window.seen.push([detail.seq, now - detail.received_ns]);
});
window.ticks = 0;
document.addEventListener("rig:tick", ({ detail }) => {
  window.streams = detail.streams;
  window.ticks += 1;
});
"""
NUMBERED = """
new MutationObserver((_, watch) => {
  if (!document.body) return;
  document.body.dataset.seq = "BEGIN";
  watch.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
NO_WORKER = "delete window.SharedWorker;"
NO_LOCKS = "Object.defineProperty(navigator, 'locks', { value: undefined });"
FRESH = "document.getElementById('freshness').dataset.link === 'fresh'"
MODES = {"worker": "", "leader": NO_WORKER, "alone": NO_WORKER + NO_LOCKS}


async def open_tabs(browser: Any, room: Any, count: int, mode: str = "worker") -> list[Any]:
    """Tabs of one browser, all signed in and live; each from a known event on."""
    tabs: list[Any] = []
    for _ in range(count):
        tab = await browser.tab(tabs[0] if tabs else None, before=MODES[mode] + HEAR)
        await tab.go(room.link() if not tabs else f"{room.url}/jobs")
        if not tabs:
            await tab.go(f"{room.url}/jobs")
        await tab.until(FRESH)
        tabs.append(tab)
    return tabs


def add_stations(room: Any, prefix: str, count: int) -> None:
    """Each adds an event."""
    for number in range(count):
        room.post("/api/stations", name=f"{prefix}-{number}")


def logged(room: Any, after: int) -> list[int]:
    """The numbers of all events in the log, whoever wrote them."""
    with contextlib.closing(sqlite3.connect(f"file:{room.home}/rig.db?mode=ro", uri=True)) as file:
        return [
            row[0]
            for row in file.execute("select seq from event where seq > ? order by seq", (after,))
        ]


def newest(room: Any) -> int:
    return logged(room, 0)[-1]


async def heard(tab: Any, after: int, upto: int) -> list[int]:
    """What a tab heard, once it has heard event number *upto*; none twice, all in order."""
    await tab.until(f"seen.some(([seq]) => seq >= {upto})")
    found = [seq for seq, _ in await tab.value("seen")]
    assert found == sorted(set(found))
    return [seq for seq in found if seq > after]


async def test_seven_tabs_hear_everything_through_one_stream(browser: Any, room: Any) -> None:
    """HTTP/1.1 allows six connections to a host: a stream for each tab would block the seventh."""
    tabs = await open_tabs(browser, room, 7)
    begin = newest(room)
    await asyncio.to_thread(add_stations, room, "seven", 5)
    end = newest(room)
    for tab in tabs:
        assert await heard(tab, begin, end) == logged(room, begin)
        await tab.until("window.streams === 1")
        assert tab.trouble == []
        assert [one for one in tab.asked if not one.startswith(room.url)] == []
    # The last one still loads a page, and a tab less changes nothing for the others.
    await tabs[0].close()
    await tabs[6].go(f"{room.url}/settings")
    await asyncio.to_thread(add_stations, room, "six", 2)
    assert await heard(tabs[3], begin, newest(room)) == logged(room, begin)


@pytest.mark.parametrize(("mode", "before"), [("worker", 0), ("leader", 3), ("alone", 3)])
async def test_a_killed_controller_is_resumed_without_gap_or_double(
    browser: Any, own_room: Any, mode: str, before: int
) -> None:
    """Also what was written while nobody listened, also when the stream had told nothing yet.

    The pages stay, turn grey and come back.
    """
    room = own_room
    tabs = await open_tabs(browser, room, 2, mode)
    begin = newest(room)
    await asyncio.to_thread(add_stations, room, "before", before)
    for tab in tabs:
        if before:
            await heard(tab, begin, newest(room))
        await tab.value("window.same = true")
    room.kill()
    with Database.open(room.home / "rig.db") as other:
        for number in range(3):
            other.write_now(lambda c, n=number: events.append(c, Event("foreign", n, n, "command")))  # type: ignore[misc]
    await tabs[0].until("document.body.hasAttribute('data-stale')")
    assert "No contact" in await tabs[0].value("document.getElementById('freshness').textContent")
    room.serve()
    await asyncio.to_thread(add_stations, room, "after", 3)
    for tab in tabs:
        assert await heard(tab, begin, newest(room)) == logged(room, begin)
        await tab.until(f"{FRESH} && !document.body.hasAttribute('data-stale')")
        assert await tab.value("window.same")
        # What the browser says of the refused connections, and nothing else.
        assert [one for one in tab.trouble if "ERR_" not in one] == []


async def test_another_tab_takes_over_when_the_leader_goes(browser: Any, room: Any) -> None:
    """Without a shared worker a lock says who listens."""
    tabs = await open_tabs(browser, room, 4, "leader")
    begin = newest(room)
    for leader in range(3):
        await asyncio.to_thread(add_stations, room, f"lead-{leader}", 3)
        for tab in tabs[leader:]:
            await heard(tab, begin, newest(room))
        # In the middle of it: some of these are heard from the old leader, some from the new one.
        writing = asyncio.create_task(asyncio.to_thread(add_stations, room, f"gone-{leader}", 12))
        await tabs[leader].close()
        await writing
        for tab in tabs[leader + 1 :]:
            assert await heard(tab, begin, newest(room)) == logged(room, begin)
            await tab.until("window.streams === 1")


async def test_an_event_reaches_a_page_within_a_tenth_of_a_second(browser: Any, room: Any) -> None:
    """From the controller's clock before it is stored, to the page's when a script has it."""
    (tab,) = await open_tabs(browser, room, 1)
    begin = newest(room)
    for number in range(20):
        await asyncio.to_thread(room.post, "/api/stations", name=f"quick-{number}")
        await asyncio.sleep(0.05)
    await heard(tab, begin, newest(room))
    took = [ns / 1e6 for seq, ns in await tab.value("seen") if seq > begin]
    print(
        f"latency of {len(took)} events: median {statistics.median(took):.1f} ms, "
        f"90 % within {statistics.quantiles(took, n=10)[-1]:.1f} ms, longest {max(took):.1f} ms"
    )
    assert 0 < statistics.median(took) < 100


@pytest.mark.parametrize(
    "path", ["/", "/campaigns", "/catalogs", "/stations", "/jobs", "/datasets"]
)
async def test_a_page_asks_for_nothing_while_nothing_happens(
    browser: Any, room: Any, path: str
) -> None:
    """What is new comes through the stream: no page asks the controller again and again."""
    (tab,) = await open_tabs(browser, room, 1)
    await tab.go(f"{room.url}{path}")
    await tab.until(FRESH)
    begin, asked = newest(room), -1
    # A page that is older than the stream is asked for once more, and it may take its time.
    for _ in range(5):
        asked, before = len(tab.asked), asked
        if asked == before:
            break
        ticks = await tab.value("window.ticks")
        await tab.until(f"window.ticks >= {ticks + 2}")
    ticks = await tab.value("window.ticks")
    await tab.until(f"window.ticks >= {ticks + 3}")
    assert logged(room, begin) == []
    assert tab.asked[asked:] == []


async def test_a_late_tab_misses_nothing_since_its_page_was_made(browser: Any, room: Any) -> None:
    """A page that knows its event number gets all that follow, although the stream runs already."""
    tabs = await open_tabs(browser, room, 1)
    begin = newest(room)
    await asyncio.to_thread(add_stations, room, "late", 4)
    await heard(tabs[0], begin, newest(room))
    numbered = HEAR + NUMBERED.replace("BEGIN", str(begin))
    late = await browser.tab(tabs[0], before=numbered)
    await late.go(f"{room.url}/jobs")
    assert await heard(late, begin, newest(room)) == logged(room, begin)


async def test_signing_out_in_one_tab_ends_the_stream_of_all(browser: Any, room: Any) -> None:
    """Nothing is told to a browser that signed out, however long its tabs stay open."""
    tabs = await open_tabs(browser, room, 2)
    await tabs[0].click("header form[action='/sign-out'] button")
    for tab in tabs:
        await tab.until("location.pathname === '/sign-in'")
