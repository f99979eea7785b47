"""What RandR's own program tells, read."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from display_agent.screens import blanking, x11

ACTIVE = """Monitors: 2
 0: +*DP-1 2560/597x1440/336+0+0  DP-1
 1: +HDMI-1 1920/531x1080/299+2560+100  HDMI-1
"""
MODES = """Screen 0: minimum 320 x 200, current 4480 x 1440, maximum 16384 x 16384
DP-1 connected primary 2560x1440+0+0 (normal left inverted right x axis y axis) 597mm x 336mm
   2560x1440     59.95*+
   1920x1080     60.00    50.00    59.94
HDMI-1 connected 1920x1080+2560+100 (normal left inverted right x axis y axis) 531mm x 299mm
   3840x2160     30.00 +
   1920x1080     60.00    50.00*   59.94
DP-2 disconnected (normal left inverted right x axis y axis)
"""


def test_monitors_have_place_mode_and_refresh_rate():
    """In the order of RandR's numbers, as --monitor counts."""
    assert x11.parse_monitors(ACTIVE, MODES) == (
        x11.Monitor("DP-1", 2560, 1440, 0, 0, (2560, 1440), 59.95),
        x11.Monitor("HDMI-1", 1920, 1080, 2560, 100, (1920, 1080), 50.0),
    )


def test_a_scaled_output_is_seen_by_its_mode():
    """Desktop of 2560x1440 on a mode of 1920x1080: xrandr --scale."""
    active = "Monitors: 1\n 0: +*DP-1 2560/597x1440/336+0+0  DP-1\n"
    modes = "DP-1 connected primary 2560x1440+0+0 597mm x 336mm\n   1920x1080     60.00*\n"
    (monitor,) = x11.parse_monitors(active, modes)
    assert (monitor.width, monitor.mode) == (2560, (1920, 1080))


def test_without_xrandr_there_are_no_monitors_to_tell():
    """Nothing is invented."""
    assert x11.parse_monitors("", "") == ()


def test_a_virtual_screen_has_no_refresh_rate(x: Any):
    """Xvfb answers 0.00."""
    (monitor,) = x11.monitors()
    assert (monitor.width, monitor.height, monitor.hertz) == (*x.size, None)


def test_blanking_is_held_off_and_given_back(x: Any):
    """The user's screen saver comes again after the run."""

    def timeout() -> str:
        said = subprocess.run(["xset", "q"], capture_output=True, text=True, check=True).stdout
        return said.split("timeout:")[1].split()[0]

    before = timeout()
    assert before != "0"
    held = blanking.Inhibitor()
    assert held.take().ok
    assert timeout() == "0"
    held.release()
    held.release()
    assert timeout() == before


def test_where_nothing_can_be_held_off_the_finding_says_so(monkeypatch: pytest.MonkeyPatch):
    """Not silently well."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(blanking.Inhibitor, "_by_systemd", lambda self: None)
    finding = blanking.Inhibitor().take()
    assert not finding.ok
    assert "switch the screen saver off" in finding.text


@pytest.mark.parametrize("program", ["redshift", "gammastep"])
def test_a_program_that_tints_the_monitor_is_named(monkeypatch: pytest.MonkeyPatch, program: str):
    """Colours that change by the hour."""
    monkeypatch.setattr(blanking, "_programs", lambda: {"bash", program})
    (finding,) = blanking.hints()
    assert not finding.ok
    assert program in finding.text


class Dpms:
    """libXext on a server that has the extension."""

    level = 0

    def DPMSInfo(self, display: Any, level: Any, enabled: Any) -> int:
        level._obj.value, enabled._obj.value = self.level, 1
        return 1


@pytest.mark.parametrize(("level", "asleep"), [(0, False), (1, True), (2, True), (3, True)])
def test_a_monitor_in_standby_or_off_sleeps(x: Any, level: int, asleep: bool):
    """DPMSModeOn is 0; a virtual server has no DPMS and never sleeps."""
    server = x11.XServer()
    assert not server.asleep()
    server._dpms = Dpms()
    server._dpms.level = level
    assert server.asleep() is asleep
