"""The window's process tells once that the monitor went to sleep, and paints nothing onto it."""

from __future__ import annotations

import mmap
from typing import Any

import pytest
from PIL import Image

from display_agent.screens import window_process
from display_agent.screens.window import WindowOptions
from display_agent.screens.window_process import ASLEEP, Painter
from rig.errors import UserError

SIZE = (8, 6)


class Window:
    """A window outside X11 that shows what it is given."""

    on_x11 = False
    size = SIZE
    place = (0, 0)

    def __init__(self) -> None:
        self.up = Image.new("L", SIZE)

    def open(self, options: WindowOptions) -> None: ...

    def pump(self) -> list[str]:
        return []

    def pressed(self) -> list[str]:
        return []

    def findings(self) -> list[Any]:
        return []

    def trouble(self) -> None:
        return None

    def paint(self, image: Image.Image) -> None:
        self.up = image.copy()

    def buffer(self) -> Image.Image:
        return self.up.convert("RGB")


class Server:
    """An X server whose monitor sleeps when told to."""

    sleeps = False

    def covered(self) -> None:
        return None

    def asleep(self) -> bool:
        return self.sleeps


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> tuple[Painter, Server, list[dict[str, Any]]]:
    """A painter, the server it asks, and what it told."""
    monkeypatch.setattr(window_process, "SEEN_WITHIN", 0.0)
    monkeypatch.setattr(window_process, "SETTLED", 0.0)
    monkeypatch.setattr(window_process, "SLEEP_EVERY", 0.0)
    told: list[dict[str, Any]] = []
    painter = Painter(Window(), WindowOptions(0, None), told.append)  # type: ignore[arg-type]
    painter._shared = mmap.mmap(-1, SIZE[0] * SIZE[1] * 3)
    server = Server()
    painter._server = server  # type: ignore[assignment]
    return painter, server, told


def test_sleep_is_told_once_and_again_after_waking(rig: Any) -> None:
    """Each sleep is one disturbance."""
    painter, server, told = rig
    painter.pump()
    assert told == []
    for _ in range(2):
        server.sleeps = True
        painter.pump()
        painter.pump()
        server.sleeps = False
        painter.pump()
    assert told == [{"disturbed": ASLEEP}] * 2


def test_an_xray_on_a_sleeping_monitor_is_not_shown(rig: Any) -> None:
    """The sentence says to wake it; afterwards it is shown."""
    painter, server, _ = rig
    show = {"do": "show", "mode": "L"}
    assert painter.answer(show)["sha"]
    server.sleeps = True
    with pytest.raises(UserError, match="went to sleep; wake it"):
        painter.answer(show)
    server.sleeps = False
    assert painter.answer(show)["sha"]


def test_a_look_paints_nothing_and_sees_what_is_up(rig: Any) -> None:
    """What was put up last is compared with what is to be seen; asleep is trouble."""
    painter, server, _ = rig
    painter.answer({"do": "show", "mode": "L"})
    painted = painter._window.up

    def shown() -> list[Any]:
        found = painter.answer({"do": "look"})["findings"]
        return next(one for one in found if one[0] == "shown")

    assert shown()[1] is True
    assert painter._window.up is painted
    server.sleeps = True
    assert "went to sleep" in shown()[2]
    server.sleeps = False
    painter._window.up = Image.new("L", SIZE, 9)
    assert shown()[1] is False
