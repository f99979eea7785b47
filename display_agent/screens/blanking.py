"""What darkens or tints a monitor by itself: screen saver, power saving, night light."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from display_agent.screens import Finding

_TINTERS = frozenset({"redshift", "redshift-gtk", "gammastep", "wlsunset", "f.lux", "xflux"})
_TIMEOUT = re.compile(r"^\s*timeout:\s*(\d+)", re.MULTILINE)


class Inhibitor:
    """Keeps the screen saver and power saving off while it is held, for screens that do not.

    On X11 by `xset` (the user's settings come back at the end), on systemd by an idle inhibitor
    that ends with this process's child.
    """

    def __init__(self) -> None:
        self._restore: list[list[str]] = []
        self._holder: subprocess.Popen[bytes] | None = None
        self.finding = Finding(
            "blanking", False, "nothing here keeps the monitor awake: switch the screen saver off"
        )

    def take(self) -> Finding:
        """Switch blanking off as far as this machine can; what was reached."""
        reached = [how for how in (self._by_xset(), self._by_systemd()) if how]
        if reached:
            text = f"screen saver and power saving are held off by {' and '.join(reached)}"
            self.finding = Finding("blanking", True, text)
        return self.finding

    def release(self) -> None:
        """Give everything back; may be called twice."""
        for words in self._restore:
            _run(*words)
        self._restore.clear()
        if self._holder is not None:
            self._holder.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._holder.wait(2)
            self._holder = None

    def _by_xset(self) -> str | None:
        if not os.environ.get("DISPLAY") or shutil.which("xset") is None:
            return None
        before = _run("xset", "q")
        if before is None or _run("xset", "s", "off") is None:
            return None
        match = _TIMEOUT.search(before)
        self._restore.append(["xset", "s", match[1] if match else "on"])
        if "DPMS is Enabled" in before and _run("xset", "-dpms") is not None:
            self._restore.append(["xset", "+dpms"])
        after = _run("xset", "q") or ""
        held = (match := _TIMEOUT.search(after)) is not None and match[1] == "0"
        return "xset" if held and "DPMS is Enabled" not in after else None

    def _by_systemd(self) -> str | None:
        if not Path("/run/systemd/system").is_dir() or shutil.which("systemd-inhibit") is None:
            return None
        self._holder = subprocess.Popen(
            ["systemd-inhibit", "--what=idle:sleep", "--who=capture-rig", "--why=x-rays are shown",
             "cat"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._holder.wait(0.2)
            self._holder = None
        return "systemd-inhibit" if self._holder is not None else None


def hints() -> list[Finding]:
    """Programs that tint the monitor, as far as they can be seen from here."""
    running = _TINTERS & _programs()
    if running:
        text = f"{', '.join(sorted(running))} tints the monitor by the hour: end it"
        return [Finding("night light", False, text)]
    night = _run(
        "gsettings", "get", "org.gnome.settings-daemon.plugins.color", "night-light-enabled"
    )
    if night is not None and night.strip() == "true":
        text = "GNOME's night light is on: switch it off, it tints the monitor by the hour"
        return [Finding("night light", False, text)]
    text = "no night light is known to run; True Tone, HDR and auto-brightness only you can see"
    return [Finding("night light", True, text)]


def _programs() -> set[str]:
    names = set()
    for file in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            names.add(file.read_text().strip())
    return names


def _run(*words: str) -> str | None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
