"""`display-agent monitor` from the command line."""

from __future__ import annotations

import json

import pytest

from display_agent import ddc
from display_agent.cli import build_parser
from display_agent.ddc_options import run_monitor
from rig.errors import UserError


class Panel:
    """A monitor that answers at once, or one that always says the same."""

    def __init__(self, *, stuck=False):
        self.values = dict.fromkeys((0x10, 0x12, 0x14, 0x16, 0x18, 0x1A), 5)
        self.stuck = stuck
        self.vcp = self

    def __enter__(self):
        return self

    def __exit__(self, *about):
        return None

    def get_vcp_feature(self, code):
        return self.values[code], 100

    def set_vcp_feature(self, code, value):
        if not self.stuck:
            self.values[code] = value


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(ddc, "WAIT", 0)


async def _run(panels, *argv):
    args = build_parser().parse_args(["monitor", *argv])
    return await run_monitor(args, lambda: panels)


async def test_without_a_setting_every_monitor_is_read(capsys):
    """Values and maxima."""
    assert await _run([Panel(), Panel()], "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["monitor"] for line in lines] == [1, 2]
    assert lines[0]["features"]["luminance"] == {"value": 5, "maximum": 100}


async def test_settings_go_to_the_monitor_that_was_named(capsys):
    """And are told with what was read back."""
    panels = [Panel(), Panel()]
    argv = ["--number", "2", "--luminance", "40", "--colour-temperature", "9300K", "--json"]
    assert await _run(panels, *argv) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(x["feature"], x["requested"], x["confirmed"]) for x in lines] == [
        ("luminance", 40, True), ("colour_preset", 8, True),
    ]  # fmt: skip
    assert panels[1].values[0x10] == 40
    assert panels[0].values[0x10] == 5


async def test_what_is_not_confirmed_ends_with_1(capsys):
    """In words without --json."""
    assert await _run([Panel(stuck=True)], "--contrast", "40") == 1
    told = capsys.readouterr().out
    assert "contrast" in told
    assert "confirmed=False" in told


async def test_a_monitor_that_is_not_there_is_a_sentence():
    """By number."""
    with pytest.raises(UserError, match="none has number 3"):
        await _run([Panel()], "--number", "3")


@pytest.mark.parametrize(
    "argv", [["--luminance", "-1"], ["--colour-temperature", "900"], ["--number", "0"]]
)
def test_bad_usage_is_refused(argv):
    """By the parser."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["monitor", *argv])
