"""Killed at any record of either journal, and started again: one right photo for each index."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.catalog.chexpert import import_csv
from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan, to_json
from rig.sample import csv_path, data_dir

pytestmark = pytest.mark.system


def plan_of(count: int) -> SubsetPlan:
    xrays = import_csv(csv_path(), data_dir()).xrays[:count]
    items = tuple(PlanItem(x.index, x.key, x.sha256, x.width, x.height, str(x.file)) for x in xrays)
    return SubsetPlan(
        session="s" + "0" * 15 + "1", campaign="c", campaign_id="a" * 16, subset=1, first=1,
        last=count, device="nokia", environment=Environment("e01-dark", {"room": "dark"}),
        items=items, settle_ms=0,
    )  # fmt: skip


class Pair:
    """A display agent with a plan of its own, and a phone agent; no controller."""

    def __init__(self, folder: Path, count: int, tools: dict[str, Any]) -> None:
        self.folder, self.tools = folder, tools
        self.plan = folder / "plan.json"
        self.plan.write_text(json.dumps(to_json(plan_of(count))))
        self.pairing = folder / "pair.txt"
        frames = f"127.0.0.1:{tools['free_port'](1)}"
        self.display_words = [
            "run", str(self.plan), "--pairing", str(self.pairing), "--frames", frames,
            "--listen", f"127.0.0.1:{tools['free_port'](2)}",
            "--journal", str(folder / "journal"), "--json",
        ]  # fmt: skip
        self.display = tools["Process"]("display", "display_agent.cli", self.display_words, folder)
        phone = [
            "--pair", f"@{self.pairing}", "--dir", str(folder / "phone"),
            "--camera", f"loopback:http://{frames}", "--json",
        ]  # fmt: skip
        self.phone = tools["Process"]("phone", "phone_agent.cli", phone, folder)

    def start(self, *, display: str = "", phone: str = "") -> None:
        self.display.start(XCAP_FAILPOINT=display)
        self.tools["until"](self.pairing.exists, "no pairing file")
        self.phone.start(XCAP_FAILPOINT=phone)

    def audit(self) -> None:
        committed = [e for e in self.display.lines() if e.get("event") == "committed"]
        assert [e["index"] for e in committed] == list(range(1, len(committed) + 1))
        names = {e["index"]: e["name"] for e in committed}
        self.tools["audit_pixels"](self.folder / "phone" / "photos", names)
        kept = {p.name for p in (self.folder / "phone" / "photos").glob("*.jpg")}
        assert kept == set(names.values()), "a photo that nobody decided lies among the photos"

    def close(self) -> None:
        self.phone.end()
        self.display.end()


@pytest.fixture
def make_pair(tmp_path: Path, tools: dict[str, Any]) -> Iterator[Callable[[int], Pair]]:
    made: list[Pair] = []

    def make(count: int) -> Pair:
        made.append(Pair(tmp_path, count, tools))
        return made[-1]

    yield make
    for pair in made:
        pair.close()


PHONE = ["after_arm:1", "before_intent:2", "after_intent:2", "before_stored:3", "after_stored:3",
         "after_commit:2", "before_finish:1", "after_finish:1"]  # fmt: skip
DISPLAY = ["after_run:1", "after_arm:1", "before_done:2", "after_done:2", "before_complete:1",
           "after_complete:1"]  # fmt: skip


@pytest.mark.parametrize("failpoint", PHONE)
def test_the_phone_agent_dies_at(failpoint: str, make_pair: Callable[[int], Pair]) -> None:
    """SIGKILL at a record of the phone's journal, restart, and the subset completes."""
    pair = make_pair(4)
    pair.start(phone=failpoint)
    assert pair.phone.wait() == -signal.SIGKILL
    pair.phone.start()
    assert pair.display.wait() == 0
    pair.audit()


@pytest.mark.parametrize("failpoint", DISPLAY)
def test_the_display_agent_dies_at(failpoint: str, make_pair: Callable[[int], Pair]) -> None:
    """SIGKILL at a record of the display's journal, restart, and the subset completes."""
    pair = make_pair(4)
    pair.start(display=failpoint)
    assert pair.display.wait() == -signal.SIGKILL
    pair.display.start()
    assert pair.display.wait() == 0
    pair.audit()


def test_a_run_without_a_controller_streams_its_events(make_pair: Callable[[int], Pair]) -> None:
    """JSON lines with rising numbers; the last one says that it is completed; exit 0."""
    pair = make_pair(3)
    pair.start()
    assert pair.display.wait() == 0
    events = [e for e in pair.display.lines() if "seq" in e]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert pair.display.lines()[-1]["event"] == "completed"
    assert pair.display.lines()[-1]["count"] == 3
    assert stat.S_IMODE(pair.pairing.stat().st_mode) == 0o600
    pair.audit()


def test_a_finished_run_started_again_says_so_at_once(make_pair: Callable[[int], Pair]) -> None:
    """The same journal: nothing is shot twice, the last line is `completed` once more."""
    pair = make_pair(2)
    pair.start()
    assert pair.display.wait() == 0
    shots = len(list((pair.folder / "phone" / "photos").iterdir()))
    pair.display.start()
    assert pair.display.wait() == 0
    assert pair.display.lines()[-1]["event"] == "completed"
    assert len(list((pair.folder / "phone" / "photos").iterdir())) == shots


def test_a_journal_of_another_plan_is_refused(make_pair: Callable[[int], Pair]) -> None:
    """Exit 2 and a sentence: the journal is not overwritten by another plan's run."""
    pair = make_pair(3)
    pair.start()
    assert pair.display.wait() == 0
    journal = (pair.folder / "journal" / "journal").read_bytes()
    other = json.loads(pair.plan.read_text())
    del other["manifest_sha256"]
    other["environment"]["name"] = "e02-bright"
    pair.plan.write_text(json.dumps(to_json(_replan(other))))
    pair.display.start()
    assert pair.display.wait() == 2
    assert "another plan" in pair.display.log.read_text()
    assert (pair.folder / "journal" / "journal").read_bytes() == journal


def _replan(obj: dict[str, Any]) -> SubsetPlan:
    plan = plan_of(len(obj["items"]))
    return SubsetPlan(
        plan.session, plan.campaign, plan.campaign_id, plan.subset, plan.first, plan.last,
        plan.device, Environment(obj["environment"]["name"], {"room": "bright"}), plan.items, 0,
    )  # fmt: skip


def test_a_plan_that_is_no_plan_is_one_clear_sentence(
    tmp_path: Path, tools: dict[str, Any]
) -> None:
    """Bad input: exit 2, the file and the reason, no traceback."""
    plan = tmp_path / "plan.json"
    plan.write_text('{"format": "something else"}')
    words = ["run", str(plan), "--pairing", str(tmp_path / "p"), "--listen", "127.0.0.1:0"]
    process = tools["Process"]("display", "display_agent.cli", words, tmp_path)
    process.start()
    assert process.wait() == 2
    said = process.log.read_text()
    assert "Traceback" not in said
    assert said.startswith("display-agent run: ")


def test_the_phone_agent_needs_nothing_but_the_standard_library(
    make_pair: Callable[[int], Pair], tmp_path: Path
) -> None:
    """As one file, isolated and without site-packages, it takes a whole subset."""
    archive = tmp_path / "agent.pyz"
    root = Path(__file__).parents[2]
    build = [sys.executable, str(root / "deploy" / "build_phone_agent.py"), "--out", str(archive)]
    subprocess.run(build, check=True, capture_output=True)
    pair = make_pair(3)
    words = pair.phone.words
    pair.display.start()
    pair.tools["until"](pair.pairing.exists, "no pairing file")
    phone = subprocess.Popen(
        [sys.executable, "-I", "-S", str(archive), *words, "--once"],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    assert pair.display.wait() == 0
    assert phone.wait(30) == 0
    pair.audit()
