"""The whole phone agent with a camera that fails: no wrong photo, nothing lost, a sentence.

A real display core plays the other side over UDP on loopback; its screen is always right.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os

import pytest

from phone_agent.agent import AgentConfig, PhoneAgent
from phone_agent.cameras.guard import GuardedCamera
from phone_agent.cameras.termux import TermuxCamera
from phone_agent.status import Status
from rig.protocol import actions as act
from rig.protocol.codes import Timers
from rig.protocol.display import DisplayConfig, DisplayCore
from rig.protocol.journal_file import JournalFile
from rig.protocol.keys import Pairing
from rig.protocol.shell import Shell
from rig.simulation.xrays import subset_of

PSK = bytes(range(32))
PATIENCE_S = 120


class Display:
    """A display core with a screen that shows what it is told, at once."""

    def __init__(self, folder, count):
        self.subset = subset_of(count)
        folder.mkdir(exist_ok=True)
        self._journal = JournalFile(folder / "journal")
        config = DisplayConfig(self.subset, timers=Timers(settle=0.0, max_attempts=2))
        self.core = DisplayCore(config, self._journal.records, PSK, os.urandom)
        self.shell = Shell(self.core, self._journal, self.perform, self.fatal)
        self.heard = []
        self.news = asyncio.Event()

    async def open(self):
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self.shell, local_addr=("127.0.0.1", 0)
        )
        self.shell.run(self.core.start(self.shell.now))
        return self._transport.get_extra_info("sockname")[:2]

    def perform(self, output):
        if isinstance(output, act.Paint):
            sha = hashlib.sha256(output.token).digest()
            self.later(lambda: self.core.painted(output.token, sha, self.shell.now))
        elif isinstance(output, act.CheckSurface):
            sha = hashlib.sha256(output.token).digest()
            self.later(lambda: self.core.surface_checked(output.token, sha, self.shell.now))
        else:
            self.heard.append(output)
            self.news.set()

    def later(self, work):
        asyncio.get_running_loop().call_soon(lambda: self.shell.run(work()))

    def fatal(self, error):
        raise error

    def of(self, kind):
        return [each for each in self.heard if isinstance(each, kind)]

    async def until(self, kind):
        """Wait for what the display says; an abort ends the test."""
        while not self.of(kind):
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), PATIENCE_S)
            assert not self.of(act.Aborted), self.of(act.Aborted)

    async def resume(self):
        self.heard = [each for each in self.heard if not isinstance(each, act.Paused)]
        self.shell.run(self.core.operator("resume", self.shell.now))

    def close(self):
        self.shell.close()
        self._transport.close()
        self._journal.close()


class Phone:
    """A phone agent under way; its lines are kept."""

    def __init__(self, folder, address):
        self.folder = folder
        self.out = io.StringIO()
        camera = TermuxCamera()
        camera.deadline_s = 3.0  # instead of 15
        pairing = Pairing(PSK, (address,))
        status = Status(self.out, json_lines=True)
        self.agent = PhoneAgent(AgentConfig(pairing, folder), GuardedCamera(camera), status, None)
        self._running = asyncio.create_task(self.agent.run(), name="phone")

    async def stop(self):
        self.agent.stop()
        assert await asyncio.wait_for(self._running, PATIENCE_S) == 0

    @property
    def said(self):
        return self.out.getvalue()

    def photos(self):
        return {path.name: path for path in (self.folder / "photos").glob("*.jpg")}


def check_all_kept(display, phone):
    """Every decided photo is there once, with its own bytes, and nothing else is."""
    committed = display.of(act.Committed)
    assert [each.index for each in committed] == list(range(1, len(committed) + 1))
    photos = phone.photos()
    assert sorted(photos) == sorted(each.name for each in committed)
    for each in committed:
        assert hashlib.sha256(photos[each.name].read_bytes()).digest() == each.sha256
    assert len({each.sha256 for each in committed}) == len(committed)
    assert list((phone.folder / "staging").iterdir()) == []


@pytest.fixture
async def rig(termux, tmp_path):
    """Display and phone of a subset; the phone can be started again."""
    display = Display(tmp_path / "display", 4)
    address = await display.open()
    phones = []

    def start():
        phones.append(Phone(tmp_path / "phone", address))
        return phones[-1]

    yield display, start
    for phone in phones:
        await phone.stop()
    display.close()
    await asyncio.sleep(0)


async def test_every_camera_fault_is_a_retake_with_its_sentence(rig, termux, is_alive):
    """The previous picture, 0 bytes and a hang: each is taken again, each is told."""
    display, start = rig
    termux.modes("same", "same", "photo", "empty", "photo", "hang", "photo")
    phone = start()
    await display.until(act.Completed)
    check_all_kept(display, phone)
    retakes = [(each.index, each.attempt, each.why) for each in display.of(act.Retake)]
    assert [each[:2] for each in retakes] == [(2, 1), (3, 1), (4, 1)]
    said = [json.loads(line) for line in phone.said.splitlines()]
    results = [line["result"] for line in said if str(line.get("result", "")).startswith("retake")]
    assert results == ["retake: CAMERA_ERROR", "retake: CAMERA_EMPTY", "retake: CAMERA_TIMEOUT"]
    for words in (
        "returned an earlier picture", "left 0 bytes instead of a photo",
        "gave no photo within 3 s and was stopped",
    ):  # fmt: skip
        assert words in phone.said
    assert not any(map(is_alive, termux.pids()))


async def test_sleeping_phone_pauses_with_the_remedy_and_goes_on(rig, termux):
    """Two in a row: the person reads what to do; after that the same x-ray is taken."""
    display, start = rig
    termux.modes("photo", "empty", "empty")
    phone = start()
    await display.until(act.Paused)
    assert [each.index for each in display.of(act.Committed)] == [1]
    assert "open Termux, switch the screen on, unlock the phone" in phone.said
    assert "CAMERA_BACKGROUND" in phone.said
    await display.resume()
    await display.until(act.Completed)
    check_all_kept(display, phone)


async def test_previous_picture_after_a_restart_is_known(rig, termux):
    """The agent was killed by Android: the new life knows the old one's photos."""
    display, start = rig
    termux.modes("same", "empty", "empty", "same", "photo", "photo", "photo")
    first = start()
    await display.until(act.Paused)
    await first.stop()
    second = start()
    await display.resume()
    await display.until(act.Completed)
    check_all_kept(display, second)
    assert "returned an earlier picture" in second.said


async def test_agent_that_stops_in_mid_exposure_leaves_no_process(
    rig, termux, wait_until, is_alive
):
    """And the exposure is taken again by the next life."""
    display, start = rig
    termux.modes("photo", "hang")
    first = start()
    await asyncio.to_thread(wait_until, lambda: len(termux.pids()) == 2, PATIENCE_S)
    await first.stop()
    assert not any(map(is_alive, termux.pids()))
    second = start()
    await display.until(act.Completed)
    check_all_kept(display, second)


async def test_late_photo_of_a_given_up_exposure_is_never_a_photo(rig, termux, wait_until):
    """The app writes after its call was ended: into nobody's file."""
    display, start = rig
    termux.modes("late")
    phone = start()
    await display.until(act.Completed)
    (termux.state / "go").touch()
    assert await asyncio.to_thread(wait_until, (termux.state / "gone").exists)
    committed = {each.name: each.sha256 for each in display.of(act.Committed)}
    old = hashlib.sha256((termux.state / "photo.jpg").read_bytes()).digest()
    assert old not in committed.values()
    photos = phone.photos()
    assert {n: hashlib.sha256(p.read_bytes()).digest() for n, p in photos.items()} == committed
