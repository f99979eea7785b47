"""Real X servers and pictures for tests of real windows.

Xvfb, openbox, xdotool and chromium are needed and asked of the PATH; without them these tests fail.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from display_agent.compose import Composition
from display_agent.screens import Screen


def _load() -> ModuleType:
    path = Path(__file__).parents[2] / "xserver.py"
    spec = importlib.util.spec_from_file_location("xserver_of_screens", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_xserver = _load()
SIZE = _xserver.SIZE


def frame_of(index: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture like no other, grey for even and RGB for odd *index*."""
    shape = (size[1], size[0]) if index % 2 == 0 else (size[1], size[0], 3)
    return Image.fromarray(np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8))


def composition_of(index: int, size: tuple[int, int] = SIZE) -> Composition:
    return Composition(frame_of(index, size), (0, 0, *size))


@pytest.fixture(scope="session")
def tools() -> dict[str, Any]:
    """Helpers of this folder, which is no package."""
    return {
        "frame_of": frame_of,
        "composition_of": composition_of,
        "until": _xserver.until,
        "SIZE": SIZE,
    }


@pytest.fixture(scope="module")
def x_of_module() -> Iterator[Any]:
    """One X server for the tests of a module that leave it as it was."""
    server = _xserver.XServer(SIZE)
    yield server
    server.close()


@pytest.fixture
def x(x_of_module: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module's X server as this test's DISPLAY."""
    _use(x_of_module, monkeypatch)
    return x_of_module


@pytest.fixture
def own_x(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An X server with a window manager for one test, which may do with it what it likes."""
    server = _xserver.XServer(SIZE)
    _use(server, monkeypatch)
    try:
        server.window_manager()
        yield server
    finally:
        server.close()


@pytest.fixture
def make_x() -> Iterator[Callable[[tuple[int, int]], Any]]:
    """Further X servers."""
    made: list[Any] = []

    def make(size: tuple[int, int] = SIZE) -> Any:
        made.append(_xserver.XServer(size))
        return made[-1]

    yield make
    for server in made:
        server.close()


def _use(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", server.display)
    for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[Screen], Any]]:
    """Opens a screen, collects what disturbs it, and closes it in the end."""
    screens: list[Screen] = []

    async def open_(screen: Screen) -> list[str]:
        told: list[str] = []
        screens.append(screen)
        screen.on_disturbed = told.append
        await screen.open()
        return told

    yield open_
    for screen in screens:
        await screen.close()
