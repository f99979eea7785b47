"""What a station reports: the screen as it is, and only a phone that spoke after the question."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from display_agent.report import report
from display_agent.screens import Finding
from display_agent.screens.null import NullScreen
from rig.errors import UserError

SESSION = "s" + "1" * 16


class Shell:
    """The loop's clock."""

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()


def station(screen: Any = None, **session: Any) -> Any:
    core = SimpleNamespace(link_age_since=None, round_trip=None)
    known = {"plan": SimpleNamespace(session=SESSION), "started": True, "over": False}
    one = SimpleNamespace(**known | {"core": core, "shell": Shell()} | session)
    return SimpleNamespace(screen=screen or NullScreen((64, 48)), session=one)


async def test_a_phone_that_speaks_after_the_question_has_answered() -> None:
    """Its word, its age and the round trip."""
    here = station()
    asked = asyncio.create_task(report(here, SESSION, patience_s=20))
    await asyncio.sleep(0.01)
    here.session.core.link_age_since = here.session.shell.now
    here.session.core.round_trip = 0.004
    told = await asked
    assert told["phone"]["link"] == "answered"
    assert told["phone"]["rtt_ms"] == 4.0
    assert told["screen"]["checks"][0]["name"] == "window"


async def test_what_was_heard_before_the_question_is_no_answer() -> None:
    """However short ago it was."""
    here = station()
    here.session.core.link_age_since = here.session.shell.now
    told = await report(here, SESSION, patience_s=0.1)
    assert told["phone"]["link"] == "silent"
    assert 100 <= told["phone"]["heard_ms"] < 20_000


async def test_a_phone_that_was_never_there_and_a_session_that_is_not_under_way() -> None:
    """Two different things: nobody came, and nobody was called."""
    assert (await report(station(), SESSION, patience_s=0.05))["phone"]["link"] == "never"
    for away in ({"started": False}, {"over": True}):
        assert (await report(station(**away), SESSION))["phone"]["link"] == "none"
    assert (await report(station(), "s" + "2" * 16))["phone"]["link"] == "none"


async def test_a_screen_that_cannot_be_looked_at_says_why() -> None:
    """The sentence goes to whoever asked; the phone's answer comes all the same."""

    class Gone(NullScreen):
        async def look(self) -> tuple[Finding, ...]:
            raise UserError("the window is gone")

    told = await report(station(Gone()), SESSION, patience_s=0.05)
    assert told["screen"] == {"error": "the window is gone"}
    assert told["phone"]["link"] == "never"


async def test_looking_changes_nothing_that_is_up(tmp_path: Path) -> None:
    """An x-ray may be up while the question comes."""
    screen = NullScreen((64, 48))
    await screen.open()
    await screen.blank("paused")
    before = screen.surface()
    await report(station(screen), SESSION, patience_s=0.05)
    assert screen.surface() == before


@pytest.mark.parametrize("do", ["report", "abort"])
async def test_an_abort_does_not_wait_for_a_report(do: str) -> None:
    """Both are carried out at once, whatever else is under way."""
    from display_agent.controller import _AT_ONCE

    assert do in _AT_ONCE
