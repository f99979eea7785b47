"""What screen and phone answered: which of it blocks, and what the sentences say."""

from __future__ import annotations

from typing import Any

import pytest

from rig.capture.devices import Answer, Asked, blockers, judge

ASKED = Asked("room-1", needs_phone=True)


def report(*checks: tuple[str, bool, str], **phone: Any) -> dict[str, Any]:
    told = [{"name": name, "ok": ok, "text": text} for name, ok, text in checks]
    screen = {"backend": "pygame", "width": 1920, "height": 1080, "checks": told}
    link = {"link": "answered", "heard_ms": 12, "rtt_ms": 4.2}
    return {"screen": screen, "phone": {**link, **phone}}


def status(**more: Any) -> dict[str, Any]:
    good = {
        "state": "armed", "battery_pct": 80, "charging": False, "temp_c": 30.0,
        "free_bytes": 10**9, "camera": "termux", "checks": [], "age_ms": 200,
        "health_age_ms": 1000, "fresh": True,
    }  # fmt: skip
    return {**good, **more}


def by_name(answers: list[Answer]) -> dict[str, Answer]:
    return {one.name: one for one in answers}


def test_what_is_well_blocks_nothing_and_is_told() -> None:
    """Link with its round trip, battery, heat, room and camera with their ages."""
    told = judge(ASKED, report(("window", True, "all pixels")), status())
    assert blockers(told) == []
    said = by_name(told)
    assert "4 ms" in said["link"].text
    assert {"window", "monitor", "link", "battery", "heat", "disk", "camera"} <= said.keys()
    assert said["battery"].age_ms == 1200
    assert all(one.ok for one in told)


@pytest.mark.parametrize("name", ["window", "scaling", "pixels", "shown"])
def test_a_screen_that_alters_or_hides_the_xray_blocks(name: str) -> None:
    """The sentence names the screen, the station and what to do."""
    (why,) = blockers(judge(ASKED, report((name, False, "it is minimised")), status()))
    assert why == "The screen of station room-1: It is minimised. Mend it, then try again."


@pytest.mark.parametrize("name", ["blanking", "refresh", "night light", "focus"])
def test_what_is_only_risky_is_told_and_blocks_nothing(name: str) -> None:
    """A screen saver that cannot be held off must not end the night."""
    told = judge(ASKED, report((name, False, "nothing keeps it awake")), status())
    assert blockers(told) == []
    assert by_name(told)[name].ok is False


def test_a_station_that_does_not_answer_blocks() -> None:
    """No report: nothing is assumed."""
    (why,) = blockers(
        judge(ASKED, {"error": "its display agent did not answer within 10 s."}, None)
    )
    assert "screen of station room-1 gave no report" in why
    assert "10 s" in why


def test_another_monitor_than_before_blocks() -> None:
    """All photos of a session are of one monitor."""
    before = Asked("room-1", True, {"backend": "pygame", "width": 1280, "height": 1024})
    (why,) = blockers(judge(before, report(), status()))
    assert "1920x1080 pixels now" in why
    assert "1280x1024" in why


@pytest.mark.parametrize(("link", "heard"), [("silent", 40_000), ("never", None)])
def test_a_silent_phone_blocks_a_resume_but_not_a_first_start(link: str, heard: int | None) -> None:
    """At the first start nobody has called it yet; later it must be there."""
    told = report(link=link, heard_ms=heard)
    (why,) = blockers(judge(ASKED, told, None))
    assert why.startswith("The phone of station room-1 has not answered the display")
    assert ("for 40 s" in why) is (heard is not None)
    assert "in this Wi-Fi" in why
    assert blockers(judge(Asked("room-1", needs_phone=False), told, None)) == []


def test_a_phone_that_reaches_only_the_controller_is_told_apart() -> None:
    """HTTP works and UDP does not: that is where to look."""
    told = judge(ASKED, report(link="silent", heard_ms=9000), status())
    assert "reaches the controller, so look at its way to the display" in blockers(told)[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"battery_pct": 9}, "battery is at 9 %, 15 % are needed: plug it in"),
        ({"temp_c": 48.0}, "48 °C, at most 45 °C are allowed: let it cool down"),
        ({"free_bytes": 10 << 20}, "10 MiB are free on it, 256 MiB are needed: free some room"),
        ({"state": "starting"}, "agent is starting: wait until it is ready"),
        (
            {"state": "knocking", "checks": [{"name": "camera", "ok": False, "text": "busy"}]},
            "camera is not ready: Busy.",
        ),
    ],
)
def test_what_the_phone_says_of_itself_blocks_while_it_is_news(
    changes: dict[str, Any], words: str
) -> None:
    """The same from minutes ago is told as old and blocks nothing."""
    (why,) = blockers(judge(ASKED, report(), status(**changes)))
    assert why.startswith("The phone of station room-1: ")
    assert words in why
    old = judge(ASKED, report(), status(**changes, age_ms=400_000, fresh=False))
    assert blockers(old) == []
    assert any("7 min ago" in one.text and one.ok is None for one in old)


def test_a_phone_that_is_starting_keeps_no_new_session_waiting() -> None:
    """It is waited for anyway; its room and battery count all the same."""
    first = Asked("room-1", needs_phone=False)
    assert blockers(judge(first, report(), status(state="checking"))) == []
    (why,) = blockers(judge(first, report(), status(state="starting", battery_pct=3)))
    assert "plug it in" in why
    assert len(blockers(judge(first, report(), status(state="stopped")))) == 1


def test_a_charging_phone_may_be_empty_and_an_older_one_does_not_say() -> None:
    """15 % only counts for a phone that is known not to charge."""
    assert blockers(judge(ASKED, report(), status(battery_pct=5, charging=True))) == []
    unsure = judge(ASKED, report(), status(battery_pct=5, charging=None))
    assert blockers(unsure) == []
    assert by_name(unsure)["battery"].ok is None


def test_what_nobody_told_is_unknown() -> None:
    """A phone that never reported, and one that reported long ago, vouch for nothing."""
    none = by_name(judge(ASKED, report(), None))
    assert (none["status"].ok, none["status"].age_ms) == (None, None)
    assert "battery, heat, room and camera unknown" in none["status"].text
    late = by_name(judge(ASKED, report(), status(age_ms=40_000, fresh=False)))
    assert "has not reported for 40 s" in late["status"].text
    legacy = by_name(judge(ASKED, report(link="legacy"), None))
    assert legacy["link"].ok is None
    assert "original app" in legacy["link"].text


def test_the_worst_comes_first() -> None:
    """Whoever reads one line reads what to do."""
    told = judge(ASKED, report(("window", True, "fine"), ("shown", False, "hidden")), status())
    assert told[0].name == "shown"
