"""Three real processes, killed without warning in mid-session, finish it as if nothing had been."""

from __future__ import annotations

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
