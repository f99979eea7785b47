"""Killed at every durable step of either side, and started again: one right photo for each index.

`before_KIND:n` dies with the n-th such record still unwritten, `after_KIND:n` as soon as it is
durable, and the names of `phone_agent/store.py` die between two steps of keeping a photo.
"""

from __future__ import annotations

import itertools
import json
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

import phone_agent.store
import rig.protocol
from rig.planning.model import Environment
from rig.planning.plan import SubsetPlan, to_json
from rig.protocol.codes import code_name

pytestmark = pytest.mark.system

MakePair = Callable[..., Any]
XRAYS = 3


def around(*records: str) -> list[str]:
    """Both sides of each record."""
    return [f"{side}_{record}" for record in records for side in ("before", "after")]


PHONE = [
    *around("boot:1", "run:1", "arm:1", "intent:2", "stored:3", "commit:2", "finish:1"),
    "after_reserve_json:2", "after_rename_json:2", "after_sidecar:2",
    "after_reserve_jpg:2", "after_rename_jpg:2",
]  # fmt: skip
TWICE = [
    ("after_intent:2", "before_void:1"),
    ("after_intent:2", "after_void:1"),
    ("before_stored:2", "after_boot:1"),
    ("before_stored:2", "after_set_aside:1"),
    ("after_reserve_jpg:2", "after_set_aside:2"),
    ("after_stored:2", "before_commit:1"),
    ("after_stored:2", "after_commit:1"),
]
DISPLAY = around("run:1", "arm:1", "done:2", "complete:1")
DOUBTED, FAILED, ABORTED = around("void:1"), around("fail:1"), around("abort:1", "clear:1")


def _records(side: str) -> set[str]:
    """Both sides of every kind of record that the cores of *side* write."""
    sources = (Path(rig.protocol.__path__[0])).glob(f"{side}*.py")
    kinds = {k for p in sources for k in re.findall(r'"k": "([A-Z]+)"', p.read_text("utf-8"))}
    return set(around(*(kind.lower() for kind in kinds)))


def _steps(module: ModuleType) -> set[str]:
    """The steps that *module* names, with every file suffix they may have."""
    named = re.findall(r'hit\(f?"([^"]+)"\)', Path(str(module.__file__)).read_text("utf-8"))
    return {re.sub(r"\{[^}]+\}", s, name) for name in named for s in ("jpg", "json")}


def test_no_failpoint_is_left_out() -> None:
    """A new record or a new step must get its kill; `phone_agent/release.py` has its own tests."""
    phone = {p.partition(":")[0] for p in [*PHONE, *DOUBTED, *FAILED, *ABORTED]}
    phone |= {p.partition(":")[0] for pair in TWICE for p in pair}
    assert phone == _records("phone") | _steps(phone_agent.store)
    stopped = set(around("stop"))  # only a controller asks for it: test_stop_and_reshoot.py
    assert {p.partition(":")[0] for p in [*DISPLAY, *ABORTED]} | stopped == _records("display")
    room = Path(__file__).parents[2]
    naming = {
        path.relative_to(room).as_posix()
        for package in ("rig", "phone_agent", "display_agent")
        for path in (room / package).rglob("*.py")
        if "failpoint import hit" in path.read_text("utf-8")
    }
    assert naming == {
        "rig/protocol/journal_file.py", "phone_agent/store.py", "phone_agent/release.py",
    }  # fmt: skip


@pytest.mark.parametrize("failpoint", PHONE)
def test_the_phone_agent_dies_at(failpoint: str, make_pair: MakePair) -> None:
    """SIGKILL at a durable step of the phone, restart, and the subset completes."""
    pair = make_pair(XRAYS)
    pair.start(phone=failpoint)
    pair.await_death(pair.phone)
    pair.phone.start()
    pair.complete()


@pytest.mark.parametrize(("first", "second"), TWICE)
def test_the_phone_agent_dies_at_and_again_while_it_recovers(
    first: str, second: str, make_pair: MakePair
) -> None:
    """Recovery is killed too: it can be begun any number of times."""
    pair = make_pair(XRAYS)
    pair.start(phone=first)
    pair.await_death(pair.phone)
    pair.phone.start(XCAP_FAILPOINT=second)
    pair.await_death(pair.phone)
    pair.phone.start()
    pair.complete()


@pytest.mark.parametrize("failpoint", DISPLAY)
def test_the_display_agent_dies_at(failpoint: str, make_pair: MakePair) -> None:
    """SIGKILL at a record of the display's journal, restart, and the subset completes."""
    pair = make_pair(XRAYS)
    pair.start(display=failpoint)
    pair.await_death(pair.display)
    pair.display.start()
    pair.complete()


@pytest.mark.parametrize("failpoint", DOUBTED)
def test_both_die_over_a_photo_in_doubt(failpoint: str, make_pair: MakePair) -> None:
    """Nobody knows any more whether the x-ray stayed up: the photo goes, even if the phone dies."""
    pair = make_pair(XRAYS)
    pair.start(display="before_done:2", phone=failpoint)
    pair.await_death(pair.display)
    pair.display.start()
    pair.await_death(pair.phone)
    pair.phone.start()
    pair.complete()
    assert [r["a"] for r in pair.records("DONE")] == [1, 2, 1]
    assert any((pair.phone_dir / "quarantine").iterdir()), "a photo is put aside, not deleted"


@pytest.fixture
def broken_camera() -> Iterator[Callable[[str, int], str]]:
    """A camera before *frames* whose *nth* shot gives nothing."""
    servers: list[ThreadingHTTPServer] = []

    def make(frames: str, nth: int) -> str:
        shots = itertools.count(1)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                broken = next(shots) == nth
                body = b"" if broken else httpx.get(frames, trust_env=False).content
                self.send_response(500 if broken else 200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/frame.jpg"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("failpoint", FAILED)
def test_the_phone_agent_dies_over_a_failed_exposure(
    failpoint: str, make_pair: MakePair, broken_camera: Callable[[str, int], str]
) -> None:
    """The exposure that came to nothing is repeated, with a number of its own."""
    pair = make_pair(XRAYS)
    pair.photograph(broken_camera(pair.frames, 3))  # the first is the probe
    pair.start(phone=failpoint)
    pair.await_death(pair.phone)
    pair.phone.start()
    pair.complete()
    assert [r["a"] for r in pair.records("DONE")] == [1, 2, 1]


class Lost:
    """A run in which a decided photo vanishes from the phone, which therefore aborts."""

    def __init__(self, pair: Any) -> None:
        self.pair = pair
        self._hidden: tuple[Path, Path] | None = None

    def until_the_phone_has_died(self, display: str = "") -> None:
        pair = self.pair
        pair.start(phone="after_stored:2", display=display)
        pair.await_death(pair.phone)
        photo = next((pair.phone_dir / "photos").glob("*_i0000001_*.jpg"))
        self._hidden = (photo, photo.replace(pair.folder / photo.name))

    def abort_id(self) -> str:
        """Of the abort that stops the display, which leaves with 3."""
        pair = self.pair
        assert pair.display.wait() == 3, pair.tail()
        told = pair.events("aborted")[-1]
        assert "gone from the phone" in told["why"]
        assert not pair.records("COMPLETE")
        return str(told["abort_id"])

    def put_back(self) -> None:
        assert self._hidden is not None
        self._hidden[1].replace(self._hidden[0])

    def finish(self) -> None:
        """Re-armed once on both sides, under the id that both had latched."""
        self.pair.complete()
        for records in (self.pair.records, self.pair.phone_records):
            assert [code_name(int(r["code"])) for r in records("ABORT")] == ["STORE_LOST"]
            assert [r["id"] for r in records("CLEAR")] == [records("ABORT")[0]["id"]]


@pytest.mark.parametrize("failpoint", ABORTED)
def test_the_phone_agent_dies_over_an_abort(failpoint: str, make_pair: MakePair) -> None:
    """The latch survives, and so does the operator's re-arm."""
    lost = Lost(make_pair(XRAYS))
    lost.until_the_phone_has_died()
    pair = lost.pair
    pair.phone.start(XCAP_FAILPOINT=failpoint)
    if "abort" in failpoint:
        pair.await_death(pair.phone)
        pair.phone.start()
    abort_id = lost.abort_id()
    lost.put_back()
    pair.rearm(abort_id)
    if "clear" in failpoint:
        pair.await_death(pair.phone)
        pair.phone.start()
    lost.finish()


@pytest.mark.parametrize("failpoint", ABORTED)
def test_the_display_agent_dies_over_an_abort(failpoint: str, make_pair: MakePair) -> None:
    """The latch survives, and so does the operator's re-arm."""
    lost = Lost(make_pair(XRAYS))
    lost.until_the_phone_has_died(display=failpoint if "abort" in failpoint else "")
    pair = lost.pair
    pair.phone.start()
    if "abort" in failpoint:
        pair.await_death(pair.display)
        pair.resume_display()
    abort_id = lost.abort_id()
    lost.put_back()
    if "clear" in failpoint:
        pair.rearm(abort_id, failpoint)
        pair.await_death(pair.display)
    if failpoint.startswith("after_clear"):
        pair.resume_display()
    else:
        pair.rearm(abort_id)
    lost.finish()


def test_a_run_without_a_controller_streams_its_events(make_pair: MakePair) -> None:
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


def test_a_finished_run_started_again_says_so_at_once(make_pair: MakePair) -> None:
    """The same journal: nothing is shot twice, the last line is `completed` once more."""
    pair = make_pair(2)
    pair.start()
    assert pair.display.wait() == 0
    shots = len(list((pair.phone_dir / "photos").iterdir()))
    pair.display.start()
    assert pair.display.wait() == 0
    assert pair.display.lines()[-1]["event"] == "completed"
    assert len(list((pair.phone_dir / "photos").iterdir())) == shots


def test_a_journal_of_another_plan_is_refused(make_pair: MakePair, tools: dict[str, Any]) -> None:
    """Exit 2 and a sentence: the journal is not overwritten by another plan's run."""
    pair = make_pair(3)
    pair.start()
    assert pair.display.wait() == 0
    journal = (pair.journal / "journal").read_bytes()
    other = json.loads(pair.plan.read_text())
    del other["manifest_sha256"]
    other["environment"]["name"] = "e02-bright"
    pair.plan.write_text(json.dumps(to_json(_replan(other, tools))))
    pair.display.start()
    assert pair.display.wait() == 2
    assert "another plan" in pair.display.log.read_text()
    assert (pair.journal / "journal").read_bytes() == journal


def _replan(obj: dict[str, Any], tools: dict[str, Any]) -> SubsetPlan:
    plan = tools["plan_of"](len(obj["items"]))
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
    make_pair: MakePair, tmp_path: Path
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
    pair.pair()
    phone = subprocess.Popen(
        [sys.executable, "-I", "-S", str(archive), *words, "--once"],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    assert pair.display.wait() == 0
    assert phone.wait(30) == 0
    pair.audit()
