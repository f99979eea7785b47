"""Our display before the original app itself, its weaknesses included, over a bad network."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rig.protocol.legacy_display import LegacyPhase


def _load() -> ModuleType:
    path = Path(__file__).with_name("legacy_peers.py")
    spec = importlib.util.spec_from_file_location("legacy_peers_display_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = _load()


def test_a_whole_run_with_the_app() -> None:
    """Every photo shows what its name says."""
    bench = peers.DisplayBench()
    app = peers.OriginalApp(1, look=lambda: bench.shows)
    peers.shoot(bench.start(), app)
    assert bench.core.phase is LegacyPhase.COMPLETE
    assert {name: int(name.split("__")[0]) for name in app.files} == app.files
    assert len(app.files) == 3


def test_a_full_phone_says_ok_and_has_nothing() -> None:
    """Why the run is only claimed: only the export can tell."""
    bench, app = peers.DisplayBench().start(), peers.OriginalApp(1)
    app.disk_full = True
    assert peers.shoot(bench, app).core.phase is LegacyPhase.COMPLETE
    assert app.files == {}


def test_a_permit_left_behind_labels_every_photo_with_the_one_before() -> None:
    """Why the optical check is mandatory: every OK comes one photo early, nothing else shows."""
    bench = peers.DisplayBench()
    app = peers.OriginalApp(1, look=lambda: bench.shows)
    app.receive(b"1|1__0__x.jpg", "other")
    app.stop_and_start(1)
    app.photo_done()  # the camera comes back to the new server
    app.files.clear()
    bench.start().wait(1)
    for _ in range(4):
        for request in bench.take():
            app.receive(request, "d")
        for answer, _ in app.take_sent():
            bench.hear(answer)
        bench.wait(1)
        if app.exposing:
            app.photo_done()
    assert bench.core.phase is LegacyPhase.COMPLETE
    assert any(int(name.split("__")[0]) != shows for name, shows in app.files.items())


def test_what_we_send_never_kills_or_truncates_the_app() -> None:
    """The longest names that the grammar lets through come back whole."""
    room = 256 - 2 - len("1__") - 12 - 2
    plan = peers.subset(1, parts=(("é" * (room // 2),),))
    bench, app = peers.DisplayBench(plan).start(), peers.OriginalApp(1)
    assert peers.shoot(bench, app).core.phase is LegacyPhase.COMPLETE
    assert not app.dead


@pytest.mark.parametrize("seed", range(60))
def test_a_bad_network_never_advances_without_a_photo(seed: int) -> None:
    """Loss, copies, slow cameras, crashes: a claimed number was taken while it was shown.

    Whatever is ambiguous is resolved as a person would, by the app's own log.
    """
    rng = random.Random(seed)
    plan = peers.subset(6)
    bench = peers.DisplayBench(plan)
    current = [bench]
    app = peers.OriginalApp(1, look=lambda: current[0].shows)
    bench.start()
    air: list[tuple[str, bytes, Any]] = []
    for _ in range(4000):
        bench.wait(rng.choice([0.5, 2, 9]))
        air += [("app", r, bench) for r in bench.take() for _ in range(rng.choice([0, 1, 1, 1, 2]))]
        if air and rng.random() < 0.8:
            to, data, life = air.pop(0)
            if to == "app":
                app.receive(data, life)
            elif life is bench:  # an earlier life's socket is closed
                bench.hear(data)
        if app.exposing and rng.random() < 0.5:
            app.photo_done()
        air += [("d", d, life) for d, life in app.take_sent() if rng.random() < 0.8]
        phase = bench.core.phase
        if phase is LegacyPhase.COMPLETE:
            break
        if phase in (LegacyPhase.PAUSED, LegacyPhase.ABORTED) or rng.random() < 0.01:
            words: dict[str, Any] = {}
            air = [item for item in air if item[0] == "app"]
            if bench.core.ledger.latch is not None:
                words["rearm"] = bench.core.ledger.latch.abort_id
            index = bench.core.ledger.next_index
            if bench.core.ledger.doubt or words:
                while app.exposing:
                    app.photo_done()
                app.take_sent()
                air.clear()
                names = bench.core.ledger.names.get(index, [])
                taken = any(name in app.files for name in names)
                words["resolve"] = "taken" if taken else "missing"
                app.stop_and_start(index + taken)
            bench = current[0] = bench.again(**words)
    assert bench.core.phase is LegacyPhase.COMPLETE
    for done in bench.core.ledger.done:
        asked = [name for name in bench.core.ledger.names[done.index] if name in app.files]
        assert asked, f"seed {seed}: number {done.index} was claimed and never taken"
        if done.by == "phone":
            assert app.files[done.name] == done.index, f"seed {seed}: mislabelled"
