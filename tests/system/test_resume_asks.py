"""Real processes: a resume asks screen and phone anew, and the image in flight is shot again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system


def _resume(rig: Any) -> httpx.Response:
    answer: httpx.Response = rig.http.post(f"/api/sessions/{rig.session}/resume", json={})
    return answer


def test_a_phone_that_is_gone_refuses_the_resume(make_rig: Callable[..., Any]) -> None:
    """Pause, stop the phone's process, resume: 409 names it; let it go on: resume works."""
    rig = make_rig(8, settle_ms=300)
    rig.bring_up()
    rig.await_committed(2)
    rig.post(f"/api/sessions/{rig.session}/pause", name="anna")
    rig.await_state("paused")
    rig.phone.signal(signal.SIGSTOP)
    try:
        refused = _resume(rig)
    finally:
        rig.phone.signal(signal.SIGCONT)
    assert refused.status_code == 409, refused.text
    assert "The phone of station s has not answered the display for" in refused.json()["detail"]
    assert rig.show()["state"] == "paused"
    assert _resume(rig).status_code == 202
    told = {one["name"]: one for one in rig.show()["devices"]["answers"]}
    assert "The phone answers the display" in told["link"]["text"]
    assert told["link"]["age_ms"] < 60_000
    assert told["window"]["ok"] is True
    rig.await_state("completed")
    rig.audit()


def test_pause_now_voids_the_image_in_flight_and_resume_shoots_it_again(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """The phone takes the void exposure all the same, as its CAPTURE was on its way."""
    rig = make_rig(6, settle_ms=100)
    rig.bring_up()
    for done in (1, 3):
        rig.await_committed(done)
        rig.phone.signal(signal.SIGSTOP)
        shown = _painted(rig)
        # Longer than the display settles: CAPTURE waits in the phone's socket.
        time.sleep(1.0)
        rig.post(f"/api/sessions/{rig.session}/pause-now", name="anna")
        rig.await_state("paused")
        rig.phone.signal(signal.SIGCONT)
        assert _resume(rig).status_code == 202
        rig.await_committed(min(shown + 1, 6))
    rig.await_state("completed")
    rig.audit()
    log = _events(rig)
    void = [(e["index"], e["attempt"]) for e in log if e["event"] == "retake"]
    assert void, "neither pause met an exposure in flight"
    kept = {e["index"]: e["attempt"] for e in log if e["event"] == "committed"}
    for index, attempt in void:
        assert kept[index] > attempt


def _events(rig: Any) -> list[dict[str, Any]]:
    told = rig.get(f"/api/sessions/{rig.session}/events?limit=1000")
    return list(told["events"] if isinstance(told, dict) else told)


def _painted(rig: Any) -> int:
    return max((e["index"] for e in _events(rig) if e["event"] == "painted"), default=0)
