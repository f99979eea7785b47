"""The whole agent beside a real display core on loopback: faults of disk, power, network, life."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import json
import os

import pytest

from phone_agent.agent import AgentConfig, PhoneAgent
from phone_agent.battery import BatteryWatch
from phone_agent.cameras import CameraFault
from phone_agent.controller import Controller
from phone_agent.status import Status
from phone_agent.surroundings import Surroundings
from phone_agent.tools import Tools
from phone_agent.upload_log import UploadLog
from rig.protocol import actions as act
from rig.protocol.codes import Timers
from rig.protocol.display import DisplayConfig, DisplayCore
from rig.protocol.journal_file import JournalFile
from rig.protocol.keys import Pairing
from rig.protocol.shell import Shell
from rig.simulation.xrays import subset_of

PSK = bytes(range(32))
PATIENCE_S = 60


class Camera:
    """Every photo is new; `before` may raise what it wants, `gate` holds the shot up."""

    name = "loopback"

    def __init__(self, jpeg):
        self._jpeg = jpeg
        self.shots = 0
        self.before = lambda target: None

    def shoot(self, target, deadline_s):
        self.before(target)
        self.shots += 1
        target.write_bytes(self._jpeg() + bytes([self.shots % 256]))

    def probe(self):
        return {"backend": self.name, "w": 64, "h": 48, "ready": True}

    def cancel(self):
        pass


class Display:
    """A display core whose screen shows what it is told, at once."""

    def __init__(self, folder, count):
        folder.mkdir(exist_ok=True)
        self._journal = JournalFile(folder / "journal")
        config = DisplayConfig(subset_of(count), timers=Timers(settle=0.0, max_attempts=2))
        self.core = DisplayCore(config, self._journal.records, PSK, os.urandom)
        self.shell = Shell(self.core, self._journal, self._perform, self._fatal)
        self.heard = []
        self._news = asyncio.Event()

    async def open(self):
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self.shell, local_addr=("127.0.0.1", 0)
        )
        self.shell.run(self.core.start(self.shell.now))
        return self._transport.get_extra_info("sockname")[:2]

    def _perform(self, output):
        sha = hashlib.sha256(getattr(output, "token", b"")).digest()
        if isinstance(output, act.Paint):
            self._later(lambda: self.core.painted(output.token, sha, self.shell.now))
        elif isinstance(output, act.CheckSurface):
            self._later(lambda: self.core.surface_checked(output.token, sha, self.shell.now))
        else:
            self.heard.append(output)
            self._news.set()

    def _later(self, work):
        asyncio.get_running_loop().call_soon(lambda: self.shell.run(work()))

    def _fatal(self, error):
        raise error

    def of(self, kind):
        return [each for each in self.heard if isinstance(each, kind)]

    async def until(self, kind, count=1):
        while len(self.of(kind)) < count:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), PATIENCE_S)
            assert kind is act.Aborted or not self.of(act.Aborted), self.of(act.Aborted)

    def resume(self):
        self.heard = [each for each in self.heard if not isinstance(each, act.Paused)]
        self.shell.run(self.core.operator("resume", self.shell.now))

    def close(self):
        self.shell.close()
        self._transport.close()
        self._journal.close()


class Phone:
    """A phone agent under way; its lines are kept."""

    def __init__(self, folder, address, camera, around):
        self.folder, self.around, self.out = folder, around, io.StringIO()
        config = AgentConfig(Pairing(PSK, (address,)), folder)
        self.agent = PhoneAgent(config, camera, Status(self.out, json_lines=True), None, around)
        self.running = asyncio.create_task(self.agent.run(), name="phone")

    async def stop(self):
        self.agent.stop()
        return await asyncio.wait_for(self.running, PATIENCE_S)

    @property
    def view(self):
        return self.around.view.now

    @property
    def said(self):
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    async def until(self, condition):
        async def poll():
            while not condition():
                await asyncio.sleep(0.01)

        await asyncio.wait_for(poll(), PATIENCE_S)


@pytest.fixture
async def rig(tmp_path, jpeg):
    """A display with four x-rays, its phone's camera, and a way to start the phone."""
    display = Display(tmp_path / "display", 4)
    address = await display.open()
    phones = []

    def start(around=None, at=None):
        around = around or Surroundings(checks=False)
        phones.append(Phone(tmp_path / "phone", at or address, start.camera, around))
        return phones[-1]

    start.camera = Camera(jpeg)
    yield display, start
    for phone in phones:
        await phone.stop()
    display.close()
    await asyncio.sleep(0)


def check_all_kept(display, folder):
    """Every decided photo is there once, with its own bytes, and nothing else is."""
    committed = display.of(act.Committed)
    assert [each.index for each in committed] == [1, 2, 3, 4]
    photos = {path.name: path for path in (folder / "photos").glob("*.jpg")}
    assert sorted(photos) == sorted(each.name for each in committed)
    for each in committed:
        assert hashlib.sha256(photos[each.name].read_bytes()).digest() == each.sha256
    assert list((folder / "staging").iterdir()) == []


async def test_view_follows_the_session(rig):
    """Counter, name, photo, link; finished at the end."""
    display, start = rig
    phone = start()
    await display.until(act.Completed)
    await phone.until(lambda: phone.view.state == "finished")
    last = phone.view
    assert (last.index, last.count, last.total, last.result) == (4, 4, 4, "stored")
    assert last.photo == phone.folder / "photos" / last.name
    assert last.photo.is_file()
    assert last.camera == "loopback"
    assert last.link_ms is not None
    check_all_kept(display, phone.folder)


async def test_storage_that_is_full_loses_nothing(rig):
    """No room for a photo: retaken when there is some; the sentence names the storage."""
    display, start = rig

    def full(target):
        if start.camera.shots == 2:
            start.camera.shots += 1
            raise OSError(errno.ENOSPC, "No space left on device")

    start.camera.before = full
    phone = start()
    await display.until(act.Paused)
    assert "No space left" in phone.view.last_error
    assert phone.view.state == "paused"
    assert [each.index for each in display.of(act.Committed)] == [1, 2]
    display.resume()
    await display.until(act.Completed)
    check_all_kept(display, phone.folder)


async def test_restarted_agent_shows_its_last_photo(rig):
    """Not "no photo yet": the person sees at once what is there; a photo that was let go is not."""
    display, start = rig
    first = start()
    await display.until(act.Completed)
    await first.stop()
    last = display.of(act.Committed)[-1]
    second = start()
    await second.until(lambda: second.view.state == "knocking")
    assert second.view.name == last.name
    assert second.view.photo == second.folder / "photos" / last.name
    assert (second.view.index, second.view.count, second.view.total) == (4, 4, 4)
    await second.stop()
    (first.folder / "photos" / last.name).rename(first.folder / "elsewhere.jpg")
    third = start()
    await third.until(lambda: third.view.state == "aborted")
    assert (third.view.name, third.view.photo) == ("", None)


async def test_killed_app_goes_on_where_it_was(rig):
    """The exposure under way is void; the next life takes it again."""
    display, start = rig
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(target):
        if start.camera.shots == 2 and not gate.is_set():
            loop.call_soon_threadsafe(gate.set)
            raise CameraFault("CAMERA_TIMEOUT", "The app was killed.")

    start.camera.before = hold
    first = start()
    await asyncio.wait_for(gate.wait(), PATIENCE_S)
    await first.stop()
    second = start()
    await display.until(act.Completed)
    check_all_kept(display, second.folder)


async def test_wifi_comes_back_with_another_address(rig):
    """The phone's socket has a new address in mid-session: same connection, no photo twice."""
    display, start = rig
    moved, opened = asyncio.Event(), []
    loop = asyncio.get_running_loop()
    phone = start()

    async def move():
        shell = phone.agent._shell
        old = shell._transport
        new, _ = await loop.create_datagram_endpoint(lambda: shell, local_addr=("127.0.0.1", 0))
        old.close()
        opened.append(new)
        moved.set()

    def at_the_third(target):
        if start.camera.shots == 2 and not moved.is_set():
            asyncio.run_coroutine_threadsafe(move(), loop).result(PATIENCE_S)

    start.camera.before = at_the_third
    await display.until(act.Completed)
    assert moved.is_set()
    check_all_kept(display, phone.folder)
    assert start.camera.shots == 4
    assert not display.of(act.Retake)
    await phone.stop()
    opened[0].close()


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ({"percentage": 9, "status": "DISCHARGING"}, "BATTERY_LOW", "plug it in"),
        ({"percentage": 90, "status": "FULL", "temperature": 46.0}, "THERMAL", "cool down"),
    ],
)
async def test_guard_pauses_with_the_reason(rig, programs, tmp_path, status, code, words):
    """What `termux-battery-status` says reaches the display as a pause; resumed, it goes on."""
    display, start = rig
    (tmp_path / "status").write_text(json.dumps(status))
    programs("termux-battery-status", f"cat {tmp_path}/status")
    around = Surroundings(checks=True)
    clock = [0.0]
    around.battery = BatteryWatch(around.tools, tmp_path / "closed", lambda: clock[0])
    phone = start(around)
    await display.until(act.Paused)
    assert phone.view.state == "paused"
    assert words in phone.view.last_error
    assert f"paused: {code}" in phone.out.getvalue()
    assert start.camera.shots == 0
    well = {"percentage": 60, "status": "CHARGING", "temperature": 30.0}
    (tmp_path / "status").write_text(json.dumps(well))
    clock[0] = 10.0  # somebody waits: it is asked before the minute is over
    await phone.until(lambda: phone.view.battery_pct == 60)
    display.resume()
    await display.until(act.Completed)
    check_all_kept(display, phone.folder)


async def test_nearly_full_storage_pauses_before_the_shot(rig, monkeypatch):
    """The limit of the protocol, not the first failed write: no exposure is begun."""
    display, start = rig
    free = [0]
    monkeypatch.setattr("phone_agent.store.PhotoStore.free_bytes", lambda self: free[0])
    phone = start()
    await display.until(act.Paused)
    assert "paused: DISK_LOW" in phone.out.getvalue()
    assert "free some room" in phone.view.last_error
    assert start.camera.shots == 0
    free[0] = 10**10  # noticed by itself, before anybody can resume
    await phone.until(lambda: phone.view.free_bytes == 10**10)
    display.resume()
    await display.until(act.Completed)
    check_all_kept(display, phone.folder)


async def test_hanging_battery_never_holds_the_camera_up(rig, programs, tmp_path):
    """The app hangs for ever (termux-api #861); the session does not notice."""
    display, start = rig
    programs("termux-battery-status", "sleep 600")
    around = Surroundings(tools=Tools(timeout_s=30.0), checks=False)
    around.battery = BatteryWatch(around.tools, tmp_path / "closed")
    phone = start(around)
    await phone.until(lambda: phone.agent._shell is not None)
    phone.agent._look_soon()
    await asyncio.wait_for(display.until(act.Completed), 20)
    check_all_kept(display, phone.folder)
    assert phone.view.battery_pct is None


async def test_deleted_photos_of_a_finished_subset_are_not_missed(rig):
    """Deleted with a note: the next start is well. Without the note: abort STORE_LOST."""
    display, start = rig
    first = start()
    await display.until(act.Completed)
    await first.stop()
    names = {each.name: each.sha256 for each in display.of(act.Committed)}
    log = UploadLog(first.folder / "uploads.jsonl")
    for name, sha256 in list(names.items())[:3]:
        log.add_released("s", name, sha256)
        (first.folder / "photos" / name).unlink()
    second = start()
    await second.until(lambda: any(line.get("kind") == "ready" for line in second.said))
    assert second.view.abort == ""
    await second.stop()
    (first.folder / "photos" / list(names)[3]).unlink()
    third = start()
    await third.until(lambda: third.view.abort)
    assert third.view.abort.startswith("STORE_LOST")


async def test_released_note_does_not_excuse_an_unfinished_subset(rig):
    """A photo that the display may still ask for is never given up."""
    display, start = rig
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_at_the_third(target):
        if start.camera.shots == 2:
            loop.call_soon_threadsafe(held.set)
            raise CameraFault("CAMERA_ERROR", "Not now.")

    start.camera.before = stop_at_the_third
    first = start()
    await asyncio.wait_for(held.wait(), PATIENCE_S)
    await first.stop()
    done = display.of(act.Committed)[0]
    UploadLog(first.folder / "uploads.jsonl").add_released("s", done.name, done.sha256)
    (first.folder / "photos" / done.name).unlink()
    second = start()
    await second.until(lambda: second.view.abort)
    assert "STORE_LOST" in second.view.abort


async def test_abort_is_shown_with_its_id(rig):
    """The banner stays until the operator re-arms."""
    display, start = rig
    phone = start()
    await display.until(act.Committed)
    display.shell.run(display.core.operator("abort", display.shell.now))
    await phone.until(lambda: phone.view.abort)
    assert phone.view.state == "aborted"
    assert "abort id" in phone.view.abort


async def test_silence_is_explained_once(rig, monkeypatch):
    """Nothing answers: one line that says what it may be."""
    import socket

    _, start = rig
    monkeypatch.setattr("phone_agent.agent._UDP_PATIENCE_S", 0.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        phone = start(at=deaf.getsockname())
        await phone.until(lambda: phone.view.checks)
        assert phone.view.checks[0].name == "udp"
        assert "start the display agent" in phone.view.checks[0].text
        assert await phone.stop() == 0


async def test_silence_without_a_session_is_normal(rig, monkeypatch):
    """It is looked at again: once there is a session, silence means something."""
    import socket

    from phone_agent.controller import Hello

    _, start = rig
    monkeypatch.setattr("phone_agent.agent._UDP_PATIENCE_S", 0.0)
    monkeypatch.setattr("phone_agent.agent._UDP_AGAIN_S", 0.0)
    told = [False, False, True]
    around = Surroundings(checks=False)
    udp = (("127.0.0.1", 9),)
    around.hello = lambda: Hello("s", "0", udp, 0.0, told.pop(0) if told else True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        phone = start(around, deaf.getsockname())
        await phone.until(lambda: phone.view.checks and not phone.view.checks[0].ok)
        assert [line["event"] for line in phone.said if line.get("kind") == "check"] == [
            "note", "warning",
        ]  # fmt: skip
        assert "client isolation" in phone.view.checks[0].text
        assert await phone.stop() == 0


async def test_stop_in_the_middle_of_the_checks(rig, programs):
    """A person changes their mind while the controller does not answer."""
    import socket

    _, start = rig
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        around = Surroundings(controller=Controller(url, "tok", timeout_s=600))
        phone = start(around)
        await phone.until(lambda: phone.view.checks)
        assert await phone.stop() == 0
    assert phone.view.state == "stopped"


async def test_checks_come_before_the_first_photo(rig, programs, tmp_path):
    """Each in one line, and on the page; the wake lock is let go at the end."""
    display, start = rig
    programs("termux-wake-lock", f"echo lock >> {tmp_path}/calls")
    programs("termux-wake-unlock", f"echo unlock >> {tmp_path}/calls")
    phone = start(Surroundings())
    await display.until(act.Completed)
    kinds = [line.get("kind") or line["event"] for line in phone.said]
    assert kinds[0] == "check"
    assert kinds.index("check") < kinds.index("ready") < kinds.index("photo")
    assert {each.name for each in phone.view.checks} >= {"python", "wake_lock", "storage"}
    await phone.stop()
    assert (tmp_path / "calls").read_text() == "lock\nunlock\n"
