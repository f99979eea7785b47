"""The display agent is killed at every record of a legacy run, and started again.

No number is claimed twice, and none that the app has not taken; only where nobody can know
whether it was taken is a person asked.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import rig.protocol
from rig.planning.plan import to_json
from rig.protocol.journal import parse_journal


def _load() -> ModuleType:
    path = Path(__file__).with_name("legacy_air.py")
    spec = importlib.util.spec_from_file_location("legacy_air_kills", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


air = _load()
app, plan = air.app, air.plan

GOES_ON = [
    "before_run", "after_run", "before_sent:2", "after_sent:2", "after_done:2", "before_complete",
    "after_complete",
]  # fmt: skip
ASKS = ["before_done:2"]
DOUBTS = ["before_doubt", "after_doubt", "before_lost", "after_lost"]
LATCHES = ["before_abort", "after_abort", "before_clear", "after_clear"]

Start = Callable[..., Awaitable[int]]


@pytest.fixture
def start(tmp_path: Path, plan: Any, app: Any) -> Start:
    """Run the display agent as a process until it ends; returns its status."""
    (tmp_path / "plan.json").write_text(json.dumps(to_json(plan)))
    app.full = True  # what a photo shows is of no interest here
    port = app.transport.get_extra_info("sockname")[1]
    run = [
        sys.executable, "-m", "display_agent.cli", "run", str(tmp_path / "plan.json"),
        "--legacy-phone", f"127.0.0.1:{port}", "--journal", str(tmp_path / "j"),
        "--settle-ms", "0", "--screen", "null", "--size", "160x120", "--json",
    ]  # fmt: skip

    async def one(*words: str, failpoint: str = "") -> int:
        with (tmp_path / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *run, *words, env={**os.environ, "XCAP_FAILPOINT": failpoint}, stdout=log,
                stderr=log,
            )  # fmt: skip
            async with asyncio.timeout(60):
                return await process.wait()

    return one


def records(folder: Path, kind: str) -> list[Any]:
    found, _ = parse_journal((folder / "j" / "legacy.journal").read_bytes())
    return [r for r in found if r["k"] == kind]


def claimed_once_and_taken(folder: Path, app: Any) -> bool:
    done = records(folder, "DONE")
    taken = {int(name.partition("__")[0]) for name in app.app.files}
    return [r["i"] for r in done] == [1, 2, 3] and taken >= {1, 2, 3} and len(app.app.files) == 3


@pytest.mark.parametrize("failpoint", GOES_ON)
async def test_killed_where_the_journal_knows_enough_it_goes_on_by_itself(
    tmp_path: Path, app: Any, start: Start, failpoint: str
) -> None:
    assert await start(failpoint=failpoint) == -signal.SIGKILL
    assert await start() == 0
    assert claimed_once_and_taken(tmp_path, app)
    assert {r["by"] for r in records(tmp_path, "DONE")} == {"phone"}


@pytest.mark.parametrize("failpoint", ASKS)
async def test_killed_between_ok_and_claim_a_person_is_asked(
    tmp_path: Path, app: Any, start: Start, failpoint: str
) -> None:
    """The app counts on and says MISMATCH to the same number: taken, as its log says."""
    assert await start(failpoint=failpoint) == -signal.SIGKILL
    assert await start() == 1
    assert await start() == 1, "it does not answer for the person"
    assert await start("--legacy-resolve", "taken") == 0
    assert claimed_once_and_taken(tmp_path, app)
    assert [r["by"] for r in records(tmp_path, "DONE")] == ["phone", "operator", "phone"]


@pytest.mark.parametrize("failpoint", DOUBTS)
async def test_killed_over_a_doubt_it_is_still_a_doubt(
    tmp_path: Path, app: Any, start: Start, failpoint: str
) -> None:
    """Nor is the person's answer lost, or taken twice."""
    assert await start(failpoint="after_sent:2") == -signal.SIGKILL
    app.app.stop_and_start(9)  # asked for number 2 again, the app says MISMATCH
    if "doubt" in failpoint:
        assert await start(failpoint=failpoint) == -signal.SIGKILL
    assert await start() == 1
    app.app.stop_and_start(2)
    if "lost" in failpoint:
        killed = await start("--legacy-resolve", "missing", failpoint=failpoint)
        assert killed == -signal.SIGKILL
    if failpoint != "after_lost":
        assert await start("--legacy-resolve", "missing") == 0
    else:
        assert await start() == 0
    assert claimed_once_and_taken(tmp_path, app)
    assert [r["i"] for r in records(tmp_path, "LOST")] == [2]


@pytest.mark.parametrize("failpoint", LATCHES)
async def test_killed_over_an_abort_the_latch_holds(
    tmp_path: Path, app: Any, start: Start, failpoint: str
) -> None:
    app.app.stop_and_start(7)
    if "abort" in failpoint:
        assert await start(failpoint=failpoint) == -signal.SIGKILL
    asked = len(app.requests)
    again = failpoint == "before_abort"  # the first one was never latched: it asks, in doubt
    assert await start() == (1 if again else 3)
    if failpoint == "after_abort":
        assert len(app.requests) == asked, "latched: nothing is asked"
    app.app.stop_and_start(1)
    if again:
        assert await start("--legacy-resolve", "missing") == 0
    else:
        rearm = ["--rearm", records(tmp_path, "ABORT")[0]["id"]]
        if "clear" in failpoint:
            assert await start(*rearm, failpoint=failpoint) == -signal.SIGKILL
        assert await start(*([] if failpoint == "after_clear" else rearm)) == 0
        assert len(records(tmp_path, "CLEAR")) == 1
    assert claimed_once_and_taken(tmp_path, app)


def test_no_record_of_the_journal_is_left_out() -> None:
    folder = Path(rig.protocol.__path__[0])
    names = ("legacy_display", "legacy_base", "legacy_operator", "legacy_ledger")
    sources = "".join((folder / f"{name}.py").read_text("utf-8") for name in names)
    kinds = {kind.lower() for kind in re.findall(r'"k": "([A-Z]+)"', sources)}
    killed = {p.partition(":")[0] for p in [*GOES_ON, *ASKS, *DOUBTS, *LATCHES]}
    assert killed == {f"{side}_{kind}" for kind in kinds for side in ("before", "after")}
