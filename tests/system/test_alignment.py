"""Real processes: the test card is asked for, photographed, measured, shown; then the start."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rig.intake.alignment import measure

pytestmark = pytest.mark.system


def _ready(rig: Any, tools: dict[str, Any]) -> str:
    """Everything runs, the room is confirmed, nothing is started."""
    rig.start_controller()
    rig.plan()
    rig.start_display()
    rig.start_phone()
    rig.session = session = rig.post("/api/sessions", campaign="c", subset=1, station="s")["id"]
    tools["until"](lambda: rig.get("/api/stations")[0]["connected"], "no station")
    rig.post(f"/api/sessions/{session}/conditions", confirm_all=True, name="anna")
    return str(session)


def _shot(
    rig: Any, tools: dict[str, Any], session: str, *, kill: bool = False, **told: Any
) -> dict[str, Any]:
    """Take one and wait for what it says; *kill* the controller meanwhile."""

    def begun() -> httpx.Response | None:
        # Refused with a sentence while the phone's agent still starts.
        answer = rig.http.post(f"/api/sessions/{session}/align", json={"name": "anna", **told})
        return answer if answer.status_code == 202 else None

    asked = tools["until"](begun, "no shot is begun").json()["shot"]["id"]

    if kill:
        tools["until"](
            lambda: rig.get(f"/api/sessions/{asked}")["state"] != "loading", "not under way"
        )
        rig.controller.restart()

    def measured() -> dict[str, Any] | None:
        try:
            view = rig.get(f"/api/sessions/{session}/alignment")
        except httpx.TransportError:
            return None
        result = view["result"]
        return view if result is not None and result["shot"] == asked else None

    return dict(tools["until"](measured, "not measured"))


def _refused(rig: Any, session: str, **body: Any) -> str:
    answer = rig.http.post(f"/api/sessions/{session}/start", json=body)
    assert answer.status_code == 409, answer.text
    return str(answer.json()["detail"])


def test_a_good_shot_lets_the_session_start(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """Asked over the API, taken by the loopback camera, shown, and counted nowhere."""
    rig = make_rig(3, optics="easy")
    session = _ready(rig, tools)
    assert "No alignment shot" in _refused(rig, session)

    view = _shot(rig, tools, session, width_mm=527)
    assert view["good"], view["why"]
    assert view["result"]["verdict"] == "ok"
    assert view["result"]["measures"]["screen"] == [1920, 1080]
    assert view["result"]["measures"]["pose"]["unit"] == "cm"
    assert 1 <= len(view["result"]["words"]) <= 3
    assert rig.show()["state"] == "alignment"
    picture = rig.http.get(view["picture_url"])
    assert Image.open(io.BytesIO(picture.content)).width == 1280
    tag = picture.headers["etag"]
    assert rig.http.get(view["picture_url"], headers={"If-None-Match": tag}).status_code == 304
    assert httpx.get(rig.url + view["picture_url"], trust_env=False).status_code == 401
    page = rig.http.get(f"/sessions/{session}/alignment", headers={"Accept": "text/html"})
    assert view["result"]["words"][0] in page.text
    assert view["picture_url"] in page.text

    # As often as one likes; the books of both agents never mix the shots up. This time the
    # controller is killed as soon as the station has the shot: it is measured all the same.
    again = _shot(rig, tools, session, kill=True)
    assert again["good"]
    assert again["result"]["measures"]["pose"]["unit"] == "cm", "the width is remembered"

    def blank() -> bool:
        frame = httpx.get(f"{rig.frames}/frame.jpg", trust_env=False, timeout=20).content
        return measure(np.asarray(Image.open(io.BytesIO(frame))), (1920, 1080)).homography is None

    tools["until"](blank, "the card is still up")
    rig.post(f"/api/sessions/{session}/start", name="anna")
    rig.await_state("completed")
    rig.await_verdicts()
    rig.session = session
    captures = rig.get(f"/api/sessions/{session}/captures")
    assert [one["index"] for one in captures] == [1, 2, 3]
    assert [one["id"] for one in rig.get("/api/sessions")] == [session]
    built = rig.rig("dataset", "build", "c", "--out", str(rig.folder / "dataset"), "--json")
    assert built.returncode == 0, built.stderr
    rows = pq.read_table(Path(json.loads(built.stdout)["dataset"]) / "captures.parquet")
    assert [row["index"] for row in rows.to_pylist()] == [1, 2, 3]
    kinds = [one["event"] for one in rig.get(f"/api/sessions/{session}/events?limit=500")]
    assert kinds.count("aligned") == 2
    assert "alignment_waived" not in kinds


def test_a_bad_picture_is_rejected_and_the_start_refused(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """Blurred and full of glare: not even a script's confirmation starts; a reason does."""
    rig = make_rig(2, optics="hard")
    session = _ready(rig, tools)
    view = _shot(rig, tools, session)
    assert view["result"]["verdict"] == "reject"
    assert not view["good"]
    said = _refused(rig, session, confirm=True, name="script")
    assert view["result"]["words"][0] in said
    answer = rig.http.post(f"/api/sessions/{session}/alignment/waive", json={"name": "anna"})
    assert answer.status_code == 422
    view = rig.post(f"/api/sessions/{session}/alignment/waive", name="anna", why="a test of blur")
    assert view["good"]
    rig.post(f"/api/sessions/{session}/start", name="anna")
    rig.await_committed(2)


def test_a_shot_that_finds_no_phone_is_taken_back(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """The station is free again, and a start that somebody answers for goes through."""
    rig = make_rig(2)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    rig.session = session = rig.post("/api/sessions", campaign="c", subset=1, station="s")["id"]
    tools["until"](lambda: rig.get("/api/stations")[0]["connected"], "no station")
    rig.post(f"/api/sessions/{session}/align", name="anna")
    view = rig.get(f"/api/sessions/{session}/alignment")
    assert view["may"] == {
        "align": False, "take_back": True, "accept": False, "waive": True, "needs_reason": False,
    }  # fmt: skip
    assert "still has session" in _refused(rig, session, confirm=True, name="anna")
    shot = view["shot"]["id"]

    def gone() -> bool:
        rig.http.post(f"/api/sessions/{session}/align/take-back", json={"name": "anna"})
        return rig.get(f"/api/sessions/{shot}")["state"] in {"stopped", "aborted"}

    tools["until"](gone, f"not taken back: {rig.get(f'/api/sessions/{shot}')}")
    rig.start_phone()
    rig.post(f"/api/sessions/{session}/start", confirm=True, name="anna")
    rig.await_state("completed")
    kinds = [one["event"] for one in rig.get(f"/api/sessions/{session}/events?limit=500")]
    assert "alignment_waived" in kinds
