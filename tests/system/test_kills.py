"""Three real processes, killed without warning in mid-session, finish it as if nothing had been."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.system


def test_a_session_survives_the_death_of_each_process(make_rig: Callable[..., Any]) -> None:
    """SIGKILL of phone, display and controller in one session: no photo missing or doubled."""
    rig = make_rig(24)
    rig.bring_up()
    rig.await_committed(3)
    rig.phone.restart()
    rig.await_committed(8)
    rig.display.restart()
    rig.await_committed(13)
    rig.controller.restart()
    rig.await_committed(18)
    rig.phone.kill()
    rig.display.kill()
    rig.phone.start()
    rig.display.start()
    rig.await_state("completed")
    rig.audit()
    verdicts = rig.await_verdicts()
    assert all(v["verified"] for v in verdicts)
    assert [v["index"] for v in verdicts] == list(range(1, 25))


def told(rig: Any) -> list[str]:
    """The kinds of events that the display agent printed."""
    return [str(line.get("event")) for line in rig.display.lines()]


def test_shooting_goes_on_while_the_controller_is_away(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """The controller is not in the loop of a capture; its events arrive later, each once."""
    rig = make_rig(12)
    rig.bring_up()
    rig.await_committed(2)
    rig.controller.kill()
    assert "completed" not in told(rig)
    tools["until"](lambda: "completed" in told(rig), "the display agent did not go on alone")
    rig.controller.start()
    rig.await_state("completed")
    rig.audit()
    assert all(v["verified"] for v in rig.await_verdicts())


def test_a_controller_that_dies_again_and_again_loses_nothing(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """SIGKILL six times, at moments that lie differently to captures, events and uploads."""
    rig = make_rig(12, settle_ms=200)
    rig.bring_up()
    dice = random.Random(20261122)
    for _ in range(6):
        time.sleep(dice.uniform(0.2, 1.5))
        rig.controller.kill()
        time.sleep(dice.uniform(0.0, 0.5))
        rig.controller.start()
        tools["until"](lambda: rig.show()["state"] != "away", "the controller is not back")
    rig.await_state("completed")
    rig.audit()
    assert all(v["verified"] for v in rig.await_verdicts())
    rig.controller.end()
    checked = rig.rig("check", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_station_that_is_lost_has_its_age_after_a_restart_too(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """The display agent is gone, and the controller that knew it: the log still says since when."""
    rig = make_rig(3)
    rig.bring_up()
    rig.await_state("completed")
    rig.display.kill()
    rig.controller.kill()
    rig.controller.start()
    tools["until"](lambda: rig.show()["state"] != "away", "the controller is not back")
    (station,) = rig.get("/api/stations")
    assert station["connected"] is False
    assert 0 < station["heard_age_ms"] < 600_000
