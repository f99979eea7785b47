"""Photos are looked at while the session is shot: a run of rejects, or a bump, pauses it."""

from __future__ import annotations

import hashlib
import io
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from rig.commands.intake import IntakeJobs


@pytest.fixture
def jobs(ready):
    """Intake as the controller runs it, with one worker process."""
    made = IntakeJobs(1)
    ready.running.rig.on_photo = made.arrived
    yield made
    made.close()


def send(ready, session, name, data):
    digest = hashlib.sha256(data).hexdigest()
    headers = {"Upload-Offset": "0", "Upload-Length": str(len(data)), "X-Content-SHA256": digest}
    with ready.running.client(ready.phone_token) as client:
        path = f"/api/sessions/{session}/photos/{quote(name)}"
        assert client.patch(path, content=data, headers=headers).is_success


def noise(seed):
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (300, 400), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


async def test_three_rejects_in_a_row_pause_the_session(ready, agent, shoot, jobs):
    """The photos come while the phone shoots; the display is told to pause, with the reason."""
    session = ready.new_session()
    made = {index: noise(index) for index in (1, 2, 3)}
    async with agent(ready) as one:
        seq = await shoot(one, session, made, ready.photo)
        await one.acked(session["id"], seq)
        for index, data in made.items():
            send(ready, session["id"], ready.photo(index, data), data)
        told = await one.command("pause")
    assert "3 photos in a row" in told["why"]
    shown = ready.running.get(f"/api/sessions/{session['id']}")
    assert shown["asked_by"]["code"] == "REJECTED"
    assert shown["rejected"] == 3


async def test_a_bump_pauses_the_session(ready, agent, shoot, jobs, monkeypatch):
    """Corners that moved between two photos are told, and what to do before resuming."""
    from rig.intake.batch import BatchReport
    from rig.store.events import Event

    def bumped(database, _home, session, **_more):
        from rig.capture import projections

        body = {"px": 40.0, "since_start_px": 40.0, "why": "The x-ray's corners moved 40 pixels."}
        event = Event("drifted", 1, 1, "controller", session, None, 2, 1, body)
        database.write_now(lambda c: projections.record(c, event))
        return BatchReport((), ())

    monkeypatch.setattr("rig.commands.batch.take_in", bumped)
    session = ready.new_session()
    made = {index: noise(index) for index in (1, 2)}
    async with agent(ready) as one:
        seq = await shoot(one, session, made, ready.photo)
        await one.acked(session["id"], seq)
        send(ready, session["id"], ready.photo(1, made[1]), made[1])
        told = await one.command("pause")
    assert "moved 40 pixels" in told["why"]
    shown = ready.running.get(f"/api/sessions/{session['id']}")
    assert shown["asked_by"]["code"] == "DRIFT"
