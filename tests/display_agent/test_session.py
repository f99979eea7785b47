"""One session at the monitor: what it refuses, what it keeps, and what it tells after a crash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from display_agent.images import LocalImages
from display_agent.plans import load_plan, save_plan
from display_agent.prefetch import Prefetch
from display_agent.screens.null import NullScreen
from display_agent.session import Session, subset_of
from rig.errors import UserError
from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan
from rig.protocol.datagram import parse_payload
from rig.protocol.display_ledger import done_record
from rig.protocol.journal_file import JournalFile

PSK = bytes(32)


def plan_of(folder: Path, count: int, *, key: str = "p{0:05d}/study1/view1_frontal") -> SubsetPlan:
    items = []
    for index in range(1, count + 1):
        file = folder / f"{index}.png"
        Image.new("L", (20, 30), index * 20).save(file)
        sha = hashlib.sha256(file.read_bytes()).hexdigest()
        items.append(PlanItem(index, key.format(index), sha, 20, 30, str(file)))
    return SubsetPlan(
        "s" + "0" * 16, "c", "ab" * 8, 1, 1, count, "nokia", Environment("e01", {"room": "x"}),
        tuple(items), 0,
    )  # fmt: skip


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Any]:
    """Opens sessions on a null screen and closes what it opened."""
    closers: list[Any] = []

    async def make(plan: SubsetPlan, folder: Path) -> Session:
        screen = NullScreen((160, 90))
        await screen.open()
        prefetch = Prefetch(LocalImages(plan), screen.size)
        closers.append(prefetch.close)
        session = Session(
            plan, folder, PSK, screen=screen, prefetch=prefetch, told=lambda event: None
        )
        closers.append(session.close)
        return session

    yield make
    for close in reversed(closers):
        await close()


def test_metadata_holds_only_pseudonymous_fields(tmp_path: Path) -> None:
    """The allow-list of what crosses the air unencrypted: keys and hashes, no patient data."""
    subset = subset_of(plan_of(tmp_path, 2))
    assert set(parse_payload(subset.meta(1))) == {
        "key", "env", "index", "sha256", "campaign", "subset", "device", "session",
    }  # fmt: skip
    assert parse_payload(subset.meta(2))["index"] == 2


def test_a_key_that_cannot_be_sent_is_refused_before_anything_is_shot(tmp_path: Path) -> None:
    """Metadata beyond 64 KiB names its index instead of failing in mid-run."""
    with pytest.raises(UserError, match=r"x-ray 1: its key is too long .*META_TOO_BIG"):
        subset_of(plan_of(tmp_path, 1, key="k" * 65536))


def test_a_key_that_fits_no_datagram_is_sent_in_parts(tmp_path: Path) -> None:
    """Beyond one datagram, up to 64 KiB, the protocol brings the metadata over before CAPTURE."""
    subset = subset_of(plan_of(tmp_path, 1, key="k" * 65000))
    assert parse_payload(subset.meta(1))["key"] == "k" * 65000


def test_a_plan_survives_a_restart(tmp_path: Path) -> None:
    """What was saved is loaded again; a damaged file is a sentence, not a traceback."""
    plan = plan_of(tmp_path, 2)
    save_plan(tmp_path / "s", plan)
    assert load_plan(tmp_path / "s") == plan
    (tmp_path / "s" / "plan.json").write_text("{")
    with pytest.raises(UserError, match="load the plan again"):
        load_plan(tmp_path / "s")


async def test_a_decision_that_never_became_an_event_is_told_after_a_crash(
    tmp_path: Path, opened: Any
) -> None:
    """DONE in the journal, nothing in the outbox: the event follows at the next start, once."""
    plan = plan_of(tmp_path, 3)
    folder = tmp_path / "session"
    subset = subset_of(plan)
    result = {"sha256": "cd" * 32, "size": 9, "w": 4, "h": 3, "t_trigger": "5", "t_done": "6"}
    journal = JournalFile(folder / "journal")
    run = {
        "k": "RUN", "camp": plan.campaign_id, "sub": 1, "first": 1, "last": 3,
        "man": plan.manifest_sha256, "ses": plan.session,
    }  # fmt: skip
    journal.append([run, done_record(subset, 1, 1, result)])
    journal.close()
    session = await opened(plan, folder)
    session.start()
    events = list(session.outbox.after(0))
    assert [(e["event"], e["index"], e["sha256"]) for e in events] == [("committed", 1, "cd" * 32)]
    await session.close()
    again = await opened(plan, folder)
    again.start()
    assert len(list(again.outbox.after(0))) == 1


async def test_a_folder_of_another_plan_is_refused(tmp_path: Path, opened: Any) -> None:
    """Neither journal nor outbox of another plan is continued."""
    folder = tmp_path / "session"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    session = await opened(plan_of(tmp_path / "a", 2), folder)
    session.start()
    await session.close()  # waits for the journal write that the start began
    with pytest.raises(UserError, match=r"does not fit this plan|another plan"):
        await opened(plan_of(tmp_path / "b", 3), folder)


async def test_a_command_that_makes_no_sense_is_one_sentence(tmp_path: Path, opened: Any) -> None:
    """Re-arm without an abort, and a number that is none."""
    session = await opened(plan_of(tmp_path, 1), tmp_path / "session")
    with pytest.raises(UserError, match="no abort is latched"):
        session.operator("rearm", "00" * 8)
    with pytest.raises(UserError, match="not an abort id"):
        session.operator("rearm", "zz")


def test_the_kept_plan_is_plain_json(tmp_path: Path) -> None:
    """The plan that is kept is JSON that other tools can read."""
    save_plan(tmp_path, plan_of(tmp_path, 1))
    kept = json.loads((tmp_path / "plan.json").read_text())
    assert kept["format"] == "xcap-plan/1"
    assert kept["items"][0]["index"] == 1
