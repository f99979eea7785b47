"""The checks at start: each gives one line that says how things are and what to do about it.

The order matters: what costs nothing first, the test shot before the network, UDP last because it
is judged by what HTTP said. Sources: devices.md sections 1.1, 1.2 and 2 of the design, which cite
termux-api #15, #124 (a camera in the background gives 0 bytes), termux-app #2366 (processes).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phone_agent.battery import COMMAND, BatteryWatch
from phone_agent.cameras import Camera, CameraFault, deadline_of
from phone_agent.controller import Controller, ControllerError, Hello
from phone_agent.findings import Finding
from phone_agent.jpeg import inspect
from phone_agent.store import PhotoStore
from phone_agent.tools import ToolError, Tools, WakeLock
from phone_agent.udp_check import answers_udp
from rig.protocol.codes import BATTERY_MIN, FREE_MIN, TEMPERATURE_MAX
from rig.protocol.keys import Pairing

OLDEST_PYTHON = (3, 10)
SKEW_S = 2.0
"""Seconds of difference between the clocks from which on it is worth a word."""
EXPECTED_PHOTOS = 500
"""What one visit to the room may bring (devices.md section 6)."""
GUESSED_PHOTO = 6_000_000
"""Bytes of a photo before the first one is seen."""
_BACKGROUND = frozenset({"CAMERA_EMPTY", "CAMERA_BACKGROUND", "CAMERA_TIMEOUT"})


@dataclass(frozen=True)
class Subject:
    """What is looked at; `controller` None when the pairing names none."""

    camera: Camera
    store: PhotoStore
    pairing: Pairing | None
    controller: Controller | None
    tools: Tools
    battery: BatteryWatch
    wake: WakeLock


def run_checks(subject: Subject, *, shot: bool = True, knock: bool = True) -> Iterator[Finding]:
    """Look at everything, one finding after the other; a look may take some seconds.

    Args:
        subject: what is looked at.
        shot: take one photo and delete it.
        knock: ask the display over UDP; an agent that runs does that by itself.
    """
    yield check_python()
    yield check_wake_lock(subject.wake, subject.tools)
    yield check_battery(subject.battery, subject.tools)
    size = GUESSED_PHOTO
    if shot:
        took = take_test_shot(subject.camera, subject.store)
        yield took.finding
        if subject.tools.on_android:
            yield took.foreground
        size = took.size or size
    yield check_storage(subject.store.free_bytes(), size)
    if subject.tools.on_android:
        yield check_processes(subject.tools)
    hello: Hello | None = None
    if subject.controller is not None:
        http, hello = check_http(subject.controller)
        yield http
        if hello is not None:
            yield check_clock(hello.skew_s)
    if knock and subject.pairing is not None:
        answered = answers_udp(subject.pairing)
        yield check_udp(subject.pairing, answered, hello)


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """Is this Python new enough?"""
    text = "Python " + ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        return Finding("python", False, f"{text} is too old: pkg upgrade python (3.10 or newer)")
    return Finding("python", True, text)


def check_wake_lock(wake: WakeLock, tools: Tools) -> Finding:
    """Take the wake lock, so that the phone does not fall asleep between two photos."""
    if not tools.on_android and not tools.has("termux-wake-lock"):
        return Finding("wake_lock", True, "not on Android: no wake lock is needed")
    try:
        wake.take()
    except ToolError as error:
        why = f"the phone may fall asleep: {error}; or pull down the Termux notification, "
        return Finding("wake_lock", False, why + "ACQUIRE WAKELOCK")
    return Finding("wake_lock", True, "wake lock taken; leave the screen on, it does not do that")


def check_battery(watch: BatteryWatch, tools: Tools) -> Finding:
    """Level, charging, temperature; and the setting that no app can read."""
    battery = watch.look()
    if battery is None:
        if not tools.on_android and not tools.has(COMMAND):
            return Finding("battery", True, "no battery is seen here")
        why = watch.trouble or f"{COMMAND} is not installed: pkg install termux-api"
        return Finding("battery", False, f"the battery cannot be read: {why}")
    state = "charging" if battery.charging else "not charging"
    warm = "" if battery.temp_c is None else f", {battery.temp_c:.0f} degrees"
    text = f"battery {battery.percent} %, {state}{warm}"
    if battery.temp_c is not None and battery.temp_c > TEMPERATURE_MAX:
        return Finding("battery", False, f"{text}: too hot, let the phone cool down")
    if battery.percent < BATTERY_MIN and not battery.charging:
        return Finding("battery", False, f"{text}: plug it in, below {BATTERY_MIN} % it pauses")
    if tools.on_android:
        text += "; set Battery to Unrestricted for Termux and Termux:API in Android's app settings"
    return Finding("battery", True, text)


@dataclass(frozen=True, slots=True)
class TestShot:
    """One photo that was taken and deleted; `size` in bytes, 0 when there was none."""

    finding: Finding
    foreground: Finding
    size: int = 0

    __test__ = False  # not a test, whatever its name says


def take_test_shot(camera: Camera, store: PhotoStore) -> TestShot:
    """One photo with the chosen camera into a scratch name, which is deleted."""
    scratch = store.staging_path(f"check.{time.time_ns()}.part")
    try:
        return _shoot(camera, scratch)
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def _shoot(camera: Camera, scratch: Path) -> TestShot:
    front = Finding("foreground", True, "Termux is in the foreground")
    began = time.monotonic()
    try:
        camera.shoot(scratch, deadline_of(camera))
        info = inspect(scratch)
        size = scratch.stat().st_size
    except CameraFault as fault:
        if fault.code_name in _BACKGROUND:
            why = (
                "the camera gave nothing: open Termux so that it fills the screen, screen on and "
                "unlocked, and allow the camera to the Termux:API app"
            )
            front = Finding("foreground", False, why)
        return TestShot(Finding("camera", False, f"{camera.name}: {fault.sentence}"), front)
    except OSError as error:
        why = f"{camera.name}: the photo could not be written ({error.strerror or error})"
        return TestShot(Finding("camera", False, f"{why}; free some room"), front)
    seconds = time.monotonic() - began
    text = f"{camera.name}: {info.width} x {info.height}, {size / 1e6:.1f} MB in {seconds:.1f} s"
    return TestShot(Finding("camera", True, text), front, size)


def check_storage(free: int, photo: int, expected: int = EXPECTED_PHOTOS) -> Finding:
    """Is there room for a whole visit? *free* and *photo* in bytes."""
    photo = max(photo, 1)
    room = max(free - max(FREE_MIN, 8 * photo), 0) // photo
    text = f"{free / 1e9:.1f} GB free, room for {room} photos of {photo / 1e6:.1f} MB"
    if room < expected:
        return Finding("storage", False, f"{text}: make room, a session may have {expected}")
    return Finding("storage", True, text)


def check_processes(tools: Tools) -> Finding:
    """Android 12 and later kill the children of apps; say where this is switched off."""
    try:
        level = int(tools.run("getprop", "ro.build.version.sdk").strip())
    except (ToolError, ValueError):
        level = 0
    if 0 < level < 31:
        return Finding("processes", True, "this Android does not kill child processes")
    if level >= 34:
        remedy = 'switch on "Disable child process restrictions" in the developer options'
    elif level in {32, 33}:
        remedy = "adb shell settings put global settings_enable_monitor_phantom_procs false"
    else:
        remedy = "see the process killer in docs/phone.md"
    return Finding("processes", True, f"Android may kill Termux; if it ends by itself: {remedy}")


def check_http(controller: Controller) -> tuple[Finding, Hello | None]:
    """Does the controller answer, and does it know this phone?"""
    try:
        hello = controller.hello()
    except ControllerError as error:
        return Finding("controller", False, str(error)), None
    finally:
        controller.close()
    text = f"controller {hello.version} at {controller.place}, station {hello.station}"
    return Finding("controller", True, text), hello


def check_clock(skew_s: float) -> Finding:
    """Photos carry the phone's time; *skew_s* > 0: it is ahead."""
    if abs(skew_s) <= SKEW_S:
        return Finding("clock", True, f"the clocks differ by {abs(skew_s):.1f} s")
    way = "ahead of" if skew_s > 0 else "behind"
    text = f"the phone's clock is {abs(skew_s):.0f} s {way} the controller's"
    return Finding("clock", False, f"{text}: set date and time to automatic on both")


def check_udp(pairing: Pairing, answered: bool, hello: Hello | None) -> Finding:
    """Judge the silence: guest Wi-Fi, firewall, or simply no display agent.

    Args:
        pairing: who was asked.
        answered: somebody with the pairing's key answered a KNOCK.
        hello: what the controller said over HTTP; None: it did not answer, or there is none.
    """
    places = ", ".join(f"{host}:{port}" for host, port in pairing.hosts)
    ports = ", ".join(sorted({str(port) for _, port in pairing.hosts}))
    if answered:
        return Finding("udp", True, f"the display answers at {places}")
    if hello is None:
        why = f"no display answers at {places}: start the display agent, join its network"
        return Finding("udp", False, why)
    if not hello.udp:
        why = f"no display answers at {places}: connect the display agent of {hello.station}"
        return Finding("udp", False, why)
    if hello.session is False:
        return Finding("udp", True, f"no session is open yet: the display at {places} is silent")
    why = (
        f"HTTP works, UDP does not: no display answers at {places}. Either this Wi-Fi keeps its "
        "clients apart (client isolation, guest Wi-Fi): use another one or USB tethering; or a "
        f"firewall: allow UDP port {ports} on the display's computer"
    )
    if hello.session is None:
        why += ". Before a session is started at the computer this silence is normal"
    return Finding("udp", False, why)
