"""The loss benchmark shoots through a bad network and draws what it saw."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from bench import loss
from bench.__main__ import main
from bench.plot import picture, ticks

SVG = "{http://www.w3.org/2000/svg}"


def _spread(value: float) -> dict[str, float]:
    return {"runs": 3, "min": value * 0.9, "median": value, "max": value * 1.1}


def _result() -> dict[str, Any]:
    return {
        "losses": [
            {"loss": share, "captures_per_s": _spread(rate), "datagrams_per_capture": _spread(sent)}
            for share, rate, sent in ((0.0, 40.0, 4.0), (0.2, 10.0, 6.0), (0.4, 2.5, 9.0))
        ]
    }


@pytest.mark.system
def test_every_loss_has_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rate and datagrams at each loss, ratios to the clean network, a picture, no files left."""
    monkeypatch.setattr(loss, "LOSSES", (0.0, 0.2))
    scratch, svg = tmp_path / "scratch", tmp_path / "loss.svg"
    scratch.mkdir()
    words = ["--captures", "4", "--runs", "1", "--dir", str(scratch), "--svg", str(svg), "--json"]
    assert main(["loss", *words]) == 0
    result = json.loads(capsys.readouterr().out)
    clean, rough = result["losses"]
    assert (clean["loss"], rough["loss"]) == (0.0, 0.2)
    assert clean["of_clean"] == clean["datagrams_of_clean"] == 1
    for each in (clean, rough):
        assert each["captures_per_s"]["median"] > 0
        assert each["datagrams_per_capture"]["median"] >= 4
    assert "20%" in loss.table(result)
    assert ET.fromstring(svg.read_text()).tag == f"{SVG}svg"
    assert not list(scratch.iterdir())


def test_the_picture_is_svg_with_a_point_for_each_loss() -> None:
    """Higher values lie higher, losses lie in order, the figure stands beside its point."""
    drawn = ET.fromstring(picture(_result()))
    points = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in drawn.iter(f"{SVG}circle")]
    rates, sent = points[:3], points[3:]
    assert len(sent) == 3
    assert [x for x, _ in rates] == sorted(x for x, _ in rates)
    assert [y for _, y in rates] == sorted(y for _, y in rates)
    assert [y for _, y in sent] == sorted((y for _, y in sent), reverse=True)
    texts = {t.text for t in drawn.iter(f"{SVG}text")}
    assert {"0%", "20%", "40%", "2.5", "captures per second", "datagrams per capture"} <= texts


@pytest.mark.parametrize("top", [0.03, 0.9, 1.0, 4.2, 51.7, 980.0])
def test_ticks_begin_at_zero_and_reach_the_top(top: float) -> None:
    """Evenly spaced, few enough to read."""
    marks = ticks(top)
    assert marks[0] == 0
    assert marks[-1] >= top > marks[-2]
    assert 3 <= len(marks) <= 9
