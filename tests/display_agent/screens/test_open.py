"""Choosing a screen on the command line, its check, and what is refused."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from display_agent import cli
from display_agent.screens import Finding
from display_agent.screens.browser import BrowserScreen
from display_agent.screens.checks import as_json, refuse, take
from display_agent.screens.null import NullScreen
from display_agent.screens.open import ScreenOptions, open_screen
from display_agent.screens.options import KINDS, make_screen
from display_agent.screens.process import list_monitors
from display_agent.screens.pygame_screen import PygameScreen, PygameWindow
from display_agent.screens.tk import TkScreen, TkWindow
from display_agent.screens.window import WindowOptions, refresh_finding, window_finding
from rig.errors import UserError


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def parsed(*words: str) -> argparse.Namespace:
    return cli.build_parser().parse_args(["check", *words])


def test_pygame_is_the_default_and_every_kind_is_made():
    """None of them takes the monitor before it is opened."""
    assert isinstance(make_screen(parsed()), PygameScreen)
    kinds = {"pygame": PygameScreen, "browser": BrowserScreen, "tk": TkScreen, "null": NullScreen}
    assert set(kinds) == set(KINDS)
    for kind, made in kinds.items():
        assert isinstance(make_screen(parsed("--screen", kind)), made)
    with pytest.raises(UserError, match="there is no screen 'vga'"):
        open_screen("vga", ScreenOptions())


@pytest.mark.parametrize("words", [["--windowed", "0x5"], ["--monitor", "-1"], ["--screen", "x"],
                                   ["--browser-listen", "here"]])  # fmt: skip
def test_senseless_words_are_refused_by_the_parser(words: list[str]):
    """Exit 2."""
    with pytest.raises(SystemExit) as ended:
        parsed(*words)
    assert ended.value.code == 2


def test_the_check_prints_findings_and_says_well_or_not(x: Any, capsys: pytest.CaptureFixture[str]):
    """0 here: a good screen; as JSON one object."""
    assert cli.main(["check", "--screen", "pygame", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["backend"], told["width"], told["height"]) == ("pygame", *x.size)
    assert all(check["ok"] for check in told["checks"])
    assert cli.main(["check", "--screen", "tk"]) == 0
    assert "ok   window: the window has all 800x600 pixels" in capsys.readouterr().out


def test_the_check_without_a_monitor_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Exit 2 and what to do."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    assert cli.main(["check"]) == 2
    assert "--screen null for a run that nobody sees" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pygame", "tk"])
def test_the_monitors_are_listed_by_number(x: Any, kind: str, capsys: pytest.CaptureFixture[str]):
    """As --monitor wants them."""
    assert list_monitors(kind)[0].startswith("0: 800x600")
    assert cli.main(["check", "--screen", kind, "--list-monitors"]) == 0
    assert capsys.readouterr().out.startswith("0: 800x600")


@pytest.mark.parametrize(
    ("kind", "module", "words"),
    [(PygameWindow, "pygame", r"pip install 'capture-rig\[display\]'"),
     (TkWindow, "tkinter", "apt install python3-tk")],
)  # fmt: skip
def test_a_missing_toolkit_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, kind: Any, module: str, words: str
):
    """No traceback of an import."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=words):
        kind()


@pytest.mark.parametrize("name", ["window", "scaling", "pixels"])
def test_what_would_alter_pixels_is_refused(name: str):
    """With the reason and where to read on."""
    with pytest.raises(UserError, match=r"would alter the x-rays: half a pixel\..*display\.md"):
        refuse((Finding("refresh", True, "60 Hz"), Finding(name, False, "half a pixel")))


def test_what_is_only_risky_is_not_refused():
    """It is logged, and reported in `listening`."""
    refuse((Finding("blanking", False, "the screen saver may come"),))


async def test_a_refused_screen_gives_the_monitor_back():
    """The desktop is not left black."""
    closed = []

    class Blurred(NullScreen):
        async def self_check(self) -> tuple[Finding, ...]:
            return (Finding("pixels", False, "grey"),)

        async def close(self) -> None:
            closed.append(True)

    with pytest.raises(UserError, match="grey"):
        await take(Blurred((10, 10)))
    assert closed == [True]


def test_listening_reports_backend_size_and_checks():
    """What scripts and the controller read."""
    screen = NullScreen((10, 20))
    findings = asyncio.run(take(screen))
    told = as_json(screen, findings)
    assert (told["backend"], told["width"], told["height"]) == ("null", 10, 20)
    assert [check["name"] for check in told["checks"]] == ["window"]
    json.dumps(told)


def test_a_window_smaller_than_its_monitor_is_not_well():
    """A panel, or scaling."""
    whole = WindowOptions()
    assert window_finding((1920, 1080), (1920, 1080), whole).ok
    assert not window_finding((1920, 1053), (1920, 1080), whole).ok
    trying = window_finding((640, 480), (1920, 1080), WindowOptions(windowed=(640, 480)))
    assert trying.ok
    assert "trying out" in trying.text


def test_a_refresh_rate_is_told_with_the_settle_that_it_needs():
    """Two frames; an unknown one is said to be unknown; 15 Hz is too slow."""
    assert "settle at least 33 ms" in refresh_finding(60.0).text
    assert refresh_finding(None).ok
    assert not refresh_finding(15.0).ok
