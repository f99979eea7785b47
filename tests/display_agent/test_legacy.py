"""A plan through the original app over real UDP: the run and its restart."""

from __future__ import annotations

import argparse
import asyncio
import csv
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from display_agent import cli
from display_agent.legacy_options import phone_address
from display_agent.legacy_session import LegacySession, LegacySettings, subset_of
from rig.errors import UserError


def _load(name: str) -> ModuleType:
    path = Path(__file__).with_name("legacy_air.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


air = _load("legacy_air_run")
_own_log, app, plan, run = air._own_log, air.app, air.plan, air.run
kinds = air.kinds
AppOnTheAir, Run = Any, Callable[..., Any]


async def test_a_whole_run_is_claimed_and_says_how_to_check_it(
    tmp_path: Path, run: Run, app: AppOnTheAir, plan: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guarantees first, a claim per photo, pairs CSV, then claimed and completed."""
    status, events = await run()
    assert status == 0
    assert kinds(events) == [
        "listening", "guarantees", "armed", *["painted", "answered"] * 3, "claimed", "completed",
    ]  # fmt: skip
    assert all(event["legacy"] is True for event in events)
    assert any("rig verify --pairs" in sentence for sentence in events[1]["weaker"])
    assert "Mandatory" in capsys.readouterr().err
    assert "audit-legacy" in events[-2]["why"]
    assert (events[-1]["claimed"], events[-1]["count"]) == (True, 3)
    with (tmp_path / "j" / "legacy-pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["photo"] for row in rows] == list(app.app.files)
    assert [row["xray"] for row in rows] == [item.file for item in plan.items]
    assert [row["previous"] for row in rows] == ["", plan.items[0].file, plan.items[1].file]


async def test_the_events_stay_in_the_journal_folder_in_order(tmp_path: Path, run: Run) -> None:
    """What a dashboard would be told after a restart: numbered from 1, none told twice."""
    await run()
    status, again = await run()
    assert status == 0
    assert kinds(again) == ["listening", "guarantees", "claimed", "completed"]
    lines = (tmp_path / "j" / "events.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert kinds(told).count("completed") == 1
    assert kinds(told).count("guarantees") == 2


async def test_a_run_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, run: Run, app: AppOnTheAir
) -> None:
    """Nothing is asked for twice that the app has answered."""
    status, _ = await run(until="answered")
    assert status == 130
    status, events = await run()
    assert status in {0, 1}
    asked = {request.split(b"|")[0] for request in app.requests}
    if status == 1:  # stopped between request and answer: that one is in doubt
        assert "--legacy-resolve" in events[-1]["why"]
        status, _ = await run("--legacy-resolve", "taken")
    assert status == 0
    assert {request.split(b"|")[0] for request in app.requests} | asked == {b"1", b"2", b"3"}
    assert len(app.app.files) == 3


async def test_a_lost_ok_ends_in_doubt_and_a_person_goes_on(run: Run, app: AppOnTheAir) -> None:
    """Request again after the time-out, MISMATCH, pause; `taken` makes it suspect."""
    app.lose_answers = 1
    status, events = await run(reply_s=0.05)
    assert status == 1
    assert kinds(events)[-2:] == ["link_back", "paused"]
    status, events = await run("--legacy-resolve", "taken")
    assert status == 0
    assert [e["suspect"] is not None for e in events if e["event"] == "answered"] == [
        True, False, False,
    ]  # fmt: skip
    assert next(e for e in events if e["event"] == "claimed")["suspects"] == [1]


async def test_a_wrong_start_number_aborts_until_it_is_rearmed(run: Run, app: AppOnTheAir) -> None:
    """Exit 3; the same again; re-armed by its id it goes on."""
    app.app.stop_and_start(7)
    status, events = await run()
    assert status == 3
    aborted = events[-1]
    assert "start number" in aborted["why"]
    status, events = await run()
    assert (status, events[-1]["abort_id"]) == (3, aborted["abort_id"])
    assert len(app.requests) == 1
    with pytest.raises(UserError, match="the abort that is latched"):
        await run("--rearm", "00" * 8)
    with pytest.raises(UserError, match="is not an abort id"):
        await run("--rearm", "zz")
    app.app.stop_and_start(1)
    status, events = await run("--rearm", aborted["abort_id"])
    assert status == 0
    assert "rearmed" in kinds(events)


async def test_an_xray_that_changed_on_the_disk_pauses(
    run: Run, app: AppOnTheAir, plan: Any
) -> None:
    """Its hash is verified before it is shown; nothing is asked."""
    Path(plan.items[0].file).write_bytes(b"something else")
    status, events = await run()
    assert status == 1
    assert events[-1]["code"] == "DISPLAY_TROUBLE"
    assert app.requests == []


async def test_folders_of_the_two_modes_are_kept_apart(
    tmp_path: Path, run: Run, plan: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither goes on in the other's folder."""
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "journal").write_bytes(b"")
    with pytest.raises(UserError, match="holds an XCAP/1 run"):
        await run()
    (tmp_path / "j" / "journal").unlink()
    await run()
    words = ["run", str(tmp_path / "plan.json"), "--journal", str(tmp_path / "j")]
    pairing = ["--pairing", str(tmp_path / "pair")]
    for more, sentence in (
        (pairing, "holds a legacy run"),
        ([], "--pairing FILE is needed"),
        ([*pairing, "--legacy-resolve", "taken"], "belongs to --legacy-phone"),
    ):
        assert await asyncio.to_thread(cli.main, [*words, *more]) == 2
        assert sentence in capsys.readouterr().err


def test_a_key_that_the_app_cannot_store_is_refused(make_item: Any, make_plan: Any) -> None:
    """Before anything is shown, with the index."""
    from dataclasses import replace

    item = replace(make_item(1), key="patient__1/study1/view1")
    with pytest.raises(UserError, match="x-ray 1"):
        subset_of(make_plan(item))


async def test_a_journal_of_another_plan_is_refused(
    tmp_path: Path, run: Run, make_item: Any, make_plan: Any
) -> None:
    """It would label photos of one plan with the names of another."""
    await run()
    other = make_plan(make_item(1))
    with pytest.raises(UserError, match="another plan"):
        LegacySession(
            other, tmp_path / "j", LegacySettings(("127.0.0.1", 9)),
            screen=None, prefetch=None, told=print,  # type: ignore[arg-type]
        )  # fmt: skip


def test_the_phones_address() -> None:
    """As the app shows it; port 4445 unless another is typed."""
    assert phone_address("10.0.2.127") == ("10.0.2.127", 4445)
    assert phone_address("10.0.2.127:5000") == ("10.0.2.127", 5000)
    for text in ("phone", "10.0.2", "10.0.2.127:0", "10.0.2.127:x", "", "1.2.3.4:70000"):
        with pytest.raises(argparse.ArgumentTypeError):
            phone_address(text)


def test_help_states_what_is_weaker(capsys: pytest.CaptureFixture[str]) -> None:
    """`display-agent run --help` is enough to know."""
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    said = capsys.readouterr().out
    assert "--legacy-phone" in said
    assert "Weaker: nobody is authenticated" in said
    assert "Mandatory" in said
