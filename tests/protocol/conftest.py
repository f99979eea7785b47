"""Fixtures for the protocol: hand-made peers, and the virtual rig with a tap on its wire."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str) -> ModuleType:
    """A module beside this one; test folders are no packages."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"protocol_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_wire = _load("wire")
_peers = _load("peers")


@pytest.fixture
def psk() -> bytes:
    return _peers.PSK


@pytest.fixture
def phone() -> Any:
    """A phone that has just started: it knocks."""
    return _peers.PhoneBench().start()


@pytest.fixture
def armed_phone(phone: Any) -> Any:
    """A phone that is armed for a subset of 4."""
    return phone.connect()


@pytest.fixture
def display() -> Any:
    """A display that has just started with a subset of 4."""
    return _peers.DisplayBench().start()


@pytest.fixture
def armed_display(display: Any) -> Any:
    """A display whose phone is armed and whose first Paint is out."""
    return display.connect()


@pytest.fixture
def phone_bench() -> Any:
    return _peers.PhoneBench


@pytest.fixture
def display_bench() -> Any:
    return _peers.DisplayBench


@pytest.fixture
def large_subset() -> Any:
    """Makes a subset whose metadata exceeds a datagram."""
    return _peers.large_subset


@pytest.fixture
def observed() -> Any:
    return _wire.Observed


@pytest.fixture
def rig(observed: Any) -> Any:
    """Both real cores, four x-rays, nothing wrong; both agents have been started."""
    rig = observed(4)
    rig.boot()
    return rig
