"""Real processes: pause at once, stop early, shoot the rest, shoot one again."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.system


def test_a_subset_in_three_sessions(make_rig: Callable[..., Any], tools: dict[str, Any]) -> None:
    """Every index once from the first two, index 1 again from the third, all verified."""
    rig = make_rig(8)
    first = rig.bring_up()
    rig.await_committed(2)
    rig.post(f"/api/sessions/{first}/pause-now", name="anna")
    rig.await_state("paused")
    rig.post(f"/api/sessions/{first}/stop", name="anna")
    seen = rig.await_state("stopped")
    assert (seen["finish"]["reason"], seen["finish"]["by"]) == ("stopped", "operator:anna")
    done = seen["committed"]
    assert 2 <= done < 8
    _verified(rig, tools, first, range(1, done + 1))
    batch = rig.get(f"/api/sessions/{first}")["batch"]
    assert (batch["count"], batch["complete"]) == (done, True)

    rest = rig.start_session()
    assert rig.show()["first"] == done + 1
    rig.await_state("completed")
    _verified(rig, tools, rest, range(done + 1, 9))

    made = rig.post(f"/api/sessions/{first}/reshoot", indices=[1], name="anna")
    (again,) = made["sessions"]
    rig.session = again["id"]
    rig.post(f"/api/sessions/{again['id']}/start", confirm=True, name="anna")
    rig.await_state("completed")
    _verified(rig, tools, again["id"], [1])

    built = rig.rig("dataset", "build", "c", "--out", str(rig.folder / "dataset"), "--json")
    assert built.returncode == 0, built.stderr
    captures = Path(json.loads(built.stdout)["dataset"]) / "captures.parquet"
    shots = {row["index"]: row["session"] for row in pq.read_table(captures).to_pylist()}
    assert shots == {1: again["id"]} | dict.fromkeys(range(2, done + 1), first) | dict.fromkeys(
        range(done + 1, 9), rest
    )


def _verified(rig: Any, tools: dict[str, Any], session: str, indices: Any) -> None:
    def verdicts() -> list[dict[str, Any]] | None:
        photos = rig.get(f"/api/sessions/{session}/photos")
        found = [p for p in photos if p["verified"]]
        return found if [p["index"] for p in found] == list(indices) else None

    tools["until"](verdicts, f"not all of {session} were verified")


@pytest.mark.parametrize("failpoint", ["before_stop:1", "after_stop:1"])
def test_the_display_agent_dies_while_it_stops(
    make_rig: Callable[..., Any], tools: dict[str, Any], failpoint: str
) -> None:
    """SIGKILL around the record that ends a subset early: the same end, once it is asked again."""
    rig = make_rig(8, settle_ms=400)
    session = rig.bring_up(display=failpoint)
    rig.await_committed(2)
    rig.post(f"/api/sessions/{session}/stop", name="anna")
    assert rig.display.wait() == -signal.SIGKILL
    rig.display.start()
    if failpoint.startswith("before"):
        # The stop was never durable: the run goes on until a person asks once more.
        rig.await_committed(rig.show()["committed"] + 1)
        rig.post(f"/api/sessions/{session}/stop", name="anna")
    seen = rig.await_state("stopped")
    assert 2 <= seen["committed"] < 8
    _verified(rig, tools, session, range(1, seen["committed"] + 1))


def test_what_is_shot_again_starts_by_itself_even_after_a_kill(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """Two runs, one after the other; SIGKILL of the controller in between loses neither."""
    rig = make_rig(6, settle_ms=300)
    first = rig.bring_up()
    rig.await_committed(3)
    told = {"indices": [1, 3], "start": True, "confirm": True, "name": "anna"}
    made = [one["id"] for one in rig.post(f"/api/sessions/{first}/reshoot", **told)["sessions"]]
    assert len(made) == 2
    seen = rig.get(f"/api/sessions/{made[0]}")
    assert seen["queue"]["after"] == first
    assert "starts by itself when session" in seen["queue"]["why"].lower()
    rig.controller.kill()
    rig.controller.start()
    for session in (first, *made):
        rig.session = session
        rig.await_state("completed")
    _verified(rig, tools, made[0], [1])
    _verified(rig, tools, made[1], [3])
    events = rig.get(f"/api/sessions/{made[1]}/events?limit=1000")
    rows = events["events"] if isinstance(events, dict) else events
    asked = [e for e in rows if e["event"] == "requested"]
    assert [e["actor"] for e in asked] == ["operator:anna"], "started exactly once"
