"""`rig doctor` on the machine: its clock, optional programs, serial ports."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rig.commands.findings import Finding

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
_GROUP = "sudo usermod -aG dialout $USER, then sign in again"


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel says of its clock: disciplined by NTP, and its largest error in seconds."""

    synchronized: bool
    error_s: float


@dataclass(frozen=True, slots=True)
class Extra:
    """Something optional: what it is for, Python modules or programs (any one will do), remedy."""

    name: str
    use: str
    modules: tuple[str, ...]
    programs: tuple[str, ...]
    remedy: str


EXTRAS = (
    Extra("pygame-ce", "the display agent's own window", ("pygame",), (), "pip install pygame-ce"),
    Extra(
        "monitorcontrol",
        "setting the monitor's colour temperature over DDC/CI",
        ("monitorcontrol",),
        (),
        "pip install monitorcontrol",
    ),
    Extra(
        "chromium",
        "a screen in a browser",
        (),
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        "apt install chromium",
    ),
    Extra("adb", "a phone's camera over USB", (), ("adb",), "apt install adb"),
    Extra("gphoto2", "a camera over USB", (), ("gphoto2",), "apt install gphoto2"),
)


class _Timex(ctypes.Structure):
    # The beginning of struct timex (adjtimex(2)); the rest is never looked at.
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    )


def kernel_clock() -> KernelClock | None:
    """Ask the kernel without changing anything; None where it cannot be asked."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    told = _Timex()
    state = ask(ctypes.byref(told))
    if state < 0:
        return None
    return KernelClock(state != _TIME_ERROR, told.maxerror / 1e6)


def clock_sync(told: KernelClock | None) -> Finding:
    """Whether somebody keeps the clock right. Jumps in the past cannot be seen."""
    if told is None:
        return Finding("clock sync", "ok", "cannot be known here")
    if not told.synchronized:
        return Finding(
            "clock sync",
            "warn",
            "the kernel knows of no time service (in a container its host may have one)",
            "Switch one on: timedatectl set-ntp true",
        )
    return Finding("clock sync", "ok", f"by NTP, at most {told.error_s:.3f} s off")


def extras(
    find: Callable[[str], object] = importlib.util.find_spec,
    which: Callable[[str], str | None] = shutil.which,
) -> Iterator[Finding]:
    """The optional parts; one that is not installed is told, never held against the machine."""
    for one in EXTRAS:
        if any(find(name) for name in one.modules) or any(which(name) for name in one.programs):
            yield Finding(one.name, "ok", "installed")
        else:
            yield Finding(one.name, "ok", f"not installed; only for {one.use}", one.remedy)


def serial_ports(ports: Iterator[str] | None = None) -> Finding:
    """Serial lines of actuators, and whether this user may open them."""
    names = sorted(_ports() if ports is None else ports)
    closed = [name for name in names if not os.access(name, os.R_OK | os.W_OK)]
    if closed:
        return Finding("serial ports", "warn", f"no right to open {', '.join(closed)}", _GROUP)
    return Finding("serial ports", "ok", ", ".join(names) or "none plugged in")


def _ports() -> Iterator[str]:
    from serial.tools.list_ports import comports

    return (str(one.device) for one in comports() if one.vid is not None)
