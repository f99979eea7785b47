"""X-rays, items and plans made up for the display agent's tests."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan

MakeItem = Callable[..., PlanItem]


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[Any]]:
    """Plug in so many monitors that speak DDC/CI; see `ddc_wire.Panel`."""
    path = Path(__file__).with_name("ddc_wire.py")
    spec = importlib.util.spec_from_file_location("ddc_wire", path)
    assert spec is not None
    assert spec.loader is not None
    wire = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wire)

    def plug(count: int) -> list[Any]:
        panels = [wire.Panel() for _ in range(count)]
        monitors = [wire.monitor_of(panel) for panel in panels]
        monkeypatch.setattr("monitorcontrol.get_monitors", lambda: monitors)
        return panels

    return plug


def _png(index: int) -> bytes:
    pixels = np.random.default_rng(index).integers(0, 256, (30 + index, 40), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def xray_bytes() -> Callable[[int], bytes]:
    """The PNG of x-ray *index*: 40 pixels wide, 30 + index high, different for each index."""
    return _png


@pytest.fixture
def make_item(tmp_path: Path) -> MakeItem:
    """A planned x-ray; `on_disk=True` writes its file, `data` replaces its bytes."""

    def make(index: int, *, on_disk: bool = True, data: bytes | None = None) -> PlanItem:
        content = _png(index) if data is None else data
        file = tmp_path / "xrays" / f"{index}.png"
        if on_disk:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        return PlanItem(
            index=index,
            key=f"patient{index:05}/study1/view1_frontal",
            sha256=hashlib.sha256(content).hexdigest(),
            width=40,
            height=30 + index,
            file=str(file) if on_disk else None,
        )

    return make


@pytest.fixture
def make_plan() -> Callable[..., SubsetPlan]:
    """A plan of the given items."""

    def make(*items: PlanItem) -> SubsetPlan:
        return SubsetPlan(
            session="s0123456789abcdef",
            campaign="Nokia10k",
            campaign_id="0123456789abcdef",
            subset=1,
            first=items[0].index,
            last=items[-1].index,
            device="nokia",
            environment=Environment("e01-dark", {"light": "off"}),
            items=items,
        )

    return make
