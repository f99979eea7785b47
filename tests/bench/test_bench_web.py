"""The controller's load is real: a station's events reach browsers, and each is timed."""

from __future__ import annotations

import argparse

import pytest

from bench import web
from bench.programs import BenchError
from bench.web_load import Browser, Found, Load


def test_a_small_load_and_small_pages(tmp_path, monkeypatch):
    """A controller of its own; every event arrives at every browser, and pages are timed."""
    loads = (Load(20, 1, 2), Load(200, 0.5, 3))
    monkeypatch.setattr(web, "LOADS", loads)
    monkeypatch.setattr(web, "_TIMES", 2)
    said: list[str] = []
    args = argparse.Namespace(dir=tmp_path, sizes=[700])
    result = web.measure(args, said.append)
    assert [row["browsers"] for row in result["loads"]] == [2, 3]
    for row in result["loads"]:
        assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["max_ms"]
        assert row["told_per_s"] > 1
        assert row["cpu_s"] >= 0
        assert row["bytes_per_browser_s"] > 100
    (pages,) = result["pages"]
    assert (pages["captures"], pages["sessions"]) == (700, 2)
    first, last = (pages["pages"][f"API: {one} captures"] for one in ("first 500", "the last"))
    assert first["bytes"] > 100_000
    assert 0 < last["bytes"] < first["bytes"], "200 of the 700"
    text = web.table(result)
    assert "700" in text
    assert "API: 200 sessions" in text
    assert list(tmp_path.iterdir()) == []


def test_latency_is_from_sending_to_the_piece_that_holds_the_event():
    """Each event, at each browser; one that never came is an error and no figure."""
    one, two = Browser([1.0, 1.2], [2, 4]), Browser([1.1], [4])
    assert (one.when(1), one.when(2), one.when(3), one.when(5)) == (1.0, 1.0, 1.2, None)
    sent = {n: 0.9 + n / 100 for n in (1, 2, 3, 4)}
    found = Found.of(sent, [one, two], Load(100, 1, 2))
    assert found.max_ms == pytest.approx(270)
    assert found.told_per_s == pytest.approx(100)
    with pytest.raises(BenchError, match="event 5 did not reach"):
        Found.of({5: 1.0, 4: 0.9}, [one], Load(1, 1, 1))
