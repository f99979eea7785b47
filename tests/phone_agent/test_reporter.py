"""The controller hears how the phone is: at most once a second, and never at the phone's cost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from phone_agent.controller import ControllerError
from phone_agent.findings import Finding
from phone_agent.reporter import Reporter
from phone_agent.view import Snapshot, View


class Takes:
    """A controller that notes what comes, when, and fails on demand."""

    def __init__(self):
        self.told = []
        self.fail = 0
        self.came = threading.Semaphore(0)
        self.closed = threading.Event()

    def report(self, status):
        self.told.append((time.monotonic(), status))
        self.came.release()
        if self.fail:
            self.fail -= 1
            raise ControllerError("away", "nobody there")

    def stop(self):
        pass

    def close(self):
        self.closed.set()


@pytest.fixture
def takes():
    return Takes()


@pytest.fixture
def report(takes):
    """A started reporter and its view."""
    reporters = []

    def start(**options):
        view = View()
        reporters.append(Reporter(takes, view, **{"least_s": 0.05, "rest_s": 0.01, **options}))
        reporters[-1].start()
        return view

    yield start
    for reporter in reporters:
        reporter.stop()
        assert takes.closed.is_set()


def test_changes_are_told_and_the_last_one_always(report, takes):
    """Many changes in a moment become few reports; none is the last word but the last."""
    view = report()
    for count in range(1, 200):
        view.update(state="armed", count=count)
    while not takes.told or takes.told[-1][1]["count"] != 199:
        assert takes.came.acquire(timeout=10)
    assert len(takes.told) < 20


def test_there_is_a_pause_between_reports(report, takes):
    """A phone that changes all the time does not flood the controller."""
    view = report(least_s=0.2)
    assert takes.came.acquire(timeout=10)
    view.update(state="armed")
    assert takes.came.acquire(timeout=10)
    assert takes.told[1][0] - takes.told[0][0] >= 0.19


def test_failures_are_silent_and_it_goes_on(report, takes):
    """Without a controller the phone shoots on; when it is back it is told."""
    takes.fail = 2
    view = report()
    for state in ("knocking", "armed", "finished"):
        view.update(state=state)
        assert takes.came.acquire(timeout=10)
    while takes.told[-1][1]["state"] != "finished":
        assert takes.came.acquire(timeout=10)


def test_report_is_what_the_controller_takes():
    """Names of the contract; an abort is the error that counts; no path of the phone."""
    snapshot = Snapshot(
        state="aborted", index=3, name="x1.jpg", count=2, total=9, battery_pct=50, temp_c=31.0,
        free_bytes=10, link_ms=4, last_error="old", abort="OPERATOR: stopped", camera="termux",
        checks=(Finding("clock", True, "well"),), photo=Path("/secret/x1.jpg"),
    )  # fmt: skip
    assert snapshot.for_controller() == {
        "state": "aborted", "index": 3, "name": "x1.jpg", "count": 2, "total": 9,
        "battery_pct": 50, "temp_c": 31.0, "free_bytes": 10, "link_ms": 4,
        "last_error": "OPERATOR: stopped", "camera": "termux",
        "checks": [{"name": "clock", "ok": True, "text": "well"}],
        "charging": False, "health_age_ms": None,
    }  # fmt: skip


def test_the_age_of_battery_and_room_is_told():
    """Of the look at them, not of the report: every look counts, also one that found the same."""
    now = 100.0
    view = View(lambda: now)
    heard = []
    view.listen(lambda: heard.append(1))
    view.update(free_bytes=7, battery_pct=50, charging=True)
    assert view.now.for_controller(now + 2.5)["health_age_ms"] == 2500
    assert view.now.for_controller(now + 2.5)["charging"] is True
    now = 110.0
    view.update(free_bytes=7, battery_pct=50, charging=True)
    assert view.now.for_controller(now + 1)["health_age_ms"] == 1000
    assert len(heard) == 2
    view.update(state="armed")
    assert view.now.for_controller(now + 3)["health_age_ms"] == 3000


def test_same_again_is_no_change():
    """Listeners hear of changes only."""
    view, heard = View(), []
    view.listen(lambda: heard.append(view.now.state))
    view.update(state="armed")
    view.update(state="armed")
    view.update(state="knocking", count=1)
    assert heard == ["armed", "knocking"]
