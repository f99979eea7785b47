"""The room of a session: set and read back, asked again, safe at the end; devices on ptys."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from rig.capture.states import Request
from rig.store.errors import ConflictError
from rig.web.room import prepare


def test_a_relay_that_answers_confirms_itself(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """What it read back is kept; the person still looks at the rest."""
    far = device(fakes.kmtronic())
    one = lit(lamp=table.kmtronic(far.port))
    session = one.session(subset_with(one, "bright"))
    light_ = one.apply(session)["room_light"]
    assert (light_["state"], light_["by"], light_["readback"]) == ("confirmed", "lamp", "1:on")
    told = one.running.get(f"/api/sessions/{session}/conditions")
    assert told["blockers"] == ["Close the blinds, then confirm it."]
    assert not told["ready"]


@pytest.mark.parametrize(
    ("twist", "state", "says"),
    [
        (lambda answer: b"\xff\x01\x00", "differs", "lamp was set to bright and says 1:off"),
        (lambda answer: b"\x00\x99\x07", "failed", "answered"),
        (lambda answer: b"", "failed", "did not answer"),
        (lambda answer: answer[:2], "failed", "answered b'\\xff\\x01'"),
    ],
)
def test_wrong_garbled_missing_and_cut_answers_block_the_start(
    lit: Any,
    device: Any,
    fakes: Any,
    subset_with: Any,
    table: Any,
    twist: Any,
    state: str,
    says: str,
) -> None:
    """Each with its sentence; a person overrules it only with a note."""
    far = device(fakes.kmtronic(twist))
    one = lit(lamp=table.kmtronic(far.port))
    session = one.session(subset_with(one, "bright"))
    light_ = one.apply(session)["room_light"]
    assert light_["state"] == state
    assert says in light_["why"]
    path = f"/api/sessions/{session}/conditions/room_light"
    with one.running.operator() as client:
        bare = client.post(path, json={"confirm": True, "name": "Ann"})
        noted = client.post(path, json={"confirm": True, "name": "Ann", "note": "by hand"})
    assert (bare.status_code, noted.status_code) == (422, 200)
    assert one.factor(session)["name"] == "Ann"


def test_a_late_answer_is_no_answer_to_the_next_question(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """What comes after the deadline is forgotten before the relay is asked again."""
    board, hold = fakes.kmtronic(), threading.Event()
    late: list[bytes] = []

    def twist(answer: bytes) -> bytes:
        if hold.is_set():
            return answer
        late.append(answer)
        return b""

    board.twist = twist
    far = device(board)
    one = lit(lamp=table.kmtronic(far.port))
    session = one.session(subset_with(one, "bright"))
    assert one.apply(session)["room_light"]["state"] == "failed"
    far.say(b"\xff\x01\x00" * len(late))  # says `off`, long after
    hold.set()
    assert one.apply(session)["room_light"]["readback"] == "1:on"


def test_a_cable_that_comes_out_is_said_and_not_forgotten(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """Confirmed before, failed at the next look: a resume is kept from going on."""
    far = device(fakes.kmtronic())
    one = lit(lamp=table.kmtronic(far.port))
    session = one.session(subset_with(one, "bright"))
    assert one.apply(session)["room_light"]["state"] == "confirmed"
    far.unplug()
    light_ = one.apply(session)["room_light"]
    assert light_["state"] == "failed"
    assert "Plug the device in" in light_["why"] or "plugged in" in light_["why"]


def test_an_alarm_of_the_stage_is_told(lit: Any, device: Any, fakes: Any, subset_with: Any) -> None:
    """In the sentence that says what to do at the stage."""
    stage = fakes.grbl()
    stage.alarm = b"ALARM:1\r\n"
    far = device(stage)
    one = lit(lamp={"driver": "grbl", "port": far.port, "levels": {"bright": "X10", "dark": "X0"}})
    session = one.session(subset_with(one, "bright"))
    light_ = one.apply(session)["room_light"]
    assert light_["state"] == "failed"
    assert "ALARM:1" in light_["why"]
    assert "home it" in one.running.get(f"/api/sessions/{session}/conditions")["blockers"][0]


def test_a_relay_that_cannot_tell_needs_a_look_unless_a_sensor_sees_it(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any, meter: Any
) -> None:
    """With a band the light decides: there, not there, or nobody knows."""
    lamp, sensor = device(fakes.deaf), device(meter)
    bands = {"sensor": "meter", "bands": {"bright": "200-450"}}
    one = lit(
        lamp={"driver": "lcus", "port": lamp.port, "levels": table.switch, "verify": bands},
        meter=table.lux(sensor.port),
    )
    bright, dark = (one.session(subset_with(one, level)) for level in ("bright", "dark"))
    seen = one.apply(bright)["room_light"]
    assert (seen["state"], seen["readback"]) == ("confirmed", "300 lux")
    assert lamp.heard == bytes.fromhex("A00101A2")
    meter.lux = 12
    seen = one.apply(bright)["room_light"]
    assert seen["state"] == "differs"
    assert seen["why"] == "light is 12 lux, the plan wants 200-450: make the room brighter"
    meter.lux = None
    seen = one.apply(bright)["room_light"]
    assert (seen["state"], seen["needs_person"]) == ("unconfirmed", True)
    assert "could not be checked" in seen["why"]
    assert one.apply(dark)["room_light"]["state"] == "unconfirmed"  # no band for it


def test_without_an_actuator_a_person_sets_it(lit: Any, subset_with: Any) -> None:
    """No room file, or the actuator of another station: asked for like everything else."""
    one = lit()
    session = one.session(subset_with(one, "bright"))
    seen = one.apply(session)["room_light"]
    assert (seen["state"], seen["needs_person"]) == ("unconfirmed", True)
    told = one.running.post(f"/api/sessions/{session}/conditions", confirm_all=True, name="Ann")
    assert told["ready"]


def test_an_actuator_belongs_to_its_station(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """The lamp of room-2 is not switched for room-1."""
    far = device(fakes.kmtronic())
    one = lit(lamp=table.kmtronic(far.port, station="room-2"))
    session = one.session(subset_with(one, "bright"))
    assert (
        "No actuator lamp is configured for station room-1"
        in one.apply(session)["room_light"]["why"]
    )
    assert far.heard == b""


async def test_a_shared_lamp_is_not_switched_under_a_running_session(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """Another station waits; a running session itself is not disturbed either."""
    far = device(fakes.kmtronic())
    one = lit(lamp=table.kmtronic(far.port))
    first = one.session(subset_with(one, "bright"))
    second = one.session(subset_with(one, "dark"), "room-2")
    await asyncio.to_thread(one.apply, first)
    one.run(first)
    with one.running.operator() as client:
        for session, says in ((second, "which shoots now"), (first, "pause it first")):
            answer = await asyncio.to_thread(
                client.post, f"/api/sessions/{session}/conditions/apply"
            )
            assert answer.status_code == 409
            assert says in answer.json()["detail"]
    assert one.factor(first)["readback"] == "1:on"


def test_an_abort_makes_the_room_safe_and_asks_again(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any, agent: Any
) -> None:
    """The lamp goes to its safe state, the session may not count on it any more."""
    board = fakes.kmtronic()
    far = device(board)
    one = lit(lamp=table.kmtronic(far.port, safe="dark"))
    one.token = one.tokens["room-1"]
    session = one.session(subset_with(one, "bright"))
    one.apply(session)
    assert board.state[1] == 1

    async def abort() -> None:
        async with agent(one) as link:
            await link.event(session, 1, "armed", first=1, last=3)
            await link.event(session, 2, "aborted", abort_id="7", why="mismatch", index=1)
            await link.acked(session, 2)
            async with asyncio.timeout(20):
                while not await asyncio.to_thread(one.events, session, "condition_withdrawn"):
                    await asyncio.sleep(0.02)

    asyncio.run(abort())
    assert board.state[1] == 0
    assert one.events(session, "safe_state")[0]["set"]["lamp"]["readback"] == "1:off"
    seen = one.factor(session)
    assert seen["state"] == "waiting"
    assert "safe state was set after the abort" in seen["why"]


def test_the_end_of_the_controller_is_safe_but_not_for_what_is_being_shot(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """A station goes on without the controller: its light stays as its labels say."""
    board = fakes.kmtronic()
    far = device(board)
    one = lit(
        lamp=table.kmtronic(far.port, safe="dark"),
        fan={"driver": "kmtronic", "port": far.port, "channel": 2, "safe": "on"},
    )
    session = one.session(subset_with(one, "bright"))
    one.apply(session)
    one.run(session)
    one.running.stop()
    assert (board.state[1], board.state[2]) == (1, 1)


def test_the_end_of_the_controller_makes_an_idle_room_safe(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """And gives the ports back."""
    board = fakes.kmtronic()
    far = device(board)
    one = lit(lamp=table.kmtronic(far.port, safe="dark"))
    one.apply(one.session(subset_with(one, "bright")))
    one.running.stop()
    assert board.state[1] == 0
    assert not [t for t in threading.enumerate() if t.name.startswith("port ")]


async def test_a_resume_sets_and_reads_back_everything_again(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """Somebody pulled the plug while it was paused: the resume finds it, and mends it."""
    board = fakes.kmtronic()
    far = device(board)
    one = await asyncio.to_thread(lit, lamp=table.kmtronic(far.port))
    session = await asyncio.to_thread(one.session, subset_with(one, "bright"))
    await asyncio.to_thread(one.apply, session)
    one.run(session)
    one.see(session, 3, "paused", why="asked")
    board.state[1] = 0
    await prepare(one.rig, one.find(session), Request.RESUME)
    assert board.state[1] == 1
    board.twist = lambda _: b""
    await prepare(one.rig, one.find(session), Request.RESUME)
    assert "did not answer" in one.factor(session)["why"]
    heard = far.heard
    await prepare(one.rig, one.find(session), Request.ABORT)
    assert far.heard == heard


async def test_a_conflict_keeps_a_session_from_starting(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """The preparation says so before anything is switched."""
    far = device(fakes.kmtronic())
    one = await asyncio.to_thread(lit, lamp=table.kmtronic(far.port))
    first = await asyncio.to_thread(one.session, subset_with(one, "bright"))
    second = await asyncio.to_thread(one.session, subset_with(one, "dark"), "room-2")
    one.run(first)
    with pytest.raises(ConflictError, match="lamp is at bright"):
        await prepare(one.rig, one.find(second), Request.START)
    assert far.heard == b""


async def test_a_request_that_is_refused_switches_nothing(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any
) -> None:
    """Resume of a session that runs, re-arm of one that was not aborted."""
    far = device(fakes.kmtronic())
    one = await asyncio.to_thread(lit, lamp=table.kmtronic(far.port))
    session = await asyncio.to_thread(one.session, subset_with(one, "bright"))
    one.run(session)
    for wanted in (Request.RESUME, Request.REARM):
        await prepare(one.rig, one.find(session), wanted)
    assert far.heard == b""


def test_a_start_waits_for_the_room_and_light_suspends_it(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any, meter: Any, agent: Any
) -> None:
    """From the refusal to the pause that the station is told; only the agent is made up."""
    lamp, sensor = device(fakes.kmtronic()), device(meter)
    bands = {"sensor": "meter", "bands": {"bright": "200-450"}}
    one = lit(
        watch=0.05, lamp=table.kmtronic(lamp.port, verify=bands), meter=table.lux(sensor.port)
    )
    one.token = one.tokens["room-1"]
    session = one.session(subset_with(one, "bright"))
    at = f"/api/sessions/{session}"

    def start() -> Any:
        with one.running.operator() as client:
            return client.post(f"{at}/start", json={})

    async def shoot() -> None:
        async with agent(one) as link:
            meter.lux = 12
            answer = await asyncio.to_thread(start)
            assert answer.status_code == 409
            assert "light is 12 lux" in answer.json()["detail"]
            assert "Close the blinds, then confirm it." in answer.json()["detail"]
            meter.lux = 300
            confirm = {"confirm": True, "name": "Ann"}
            await asyncio.to_thread(one.running.post, f"{at}/conditions/blinds", **confirm)
            answer = await asyncio.to_thread(start)
            assert answer.status_code == 409
            assert "No alignment shot" in answer.json()["detail"]
            await asyncio.to_thread(one.running.post, f"{at}/alignment/waive", name="Ann")
            answer = await asyncio.to_thread(start)
            assert answer.status_code == 202, answer.text
            await link.command("load")
            await link.command("start")
            await link.event(session, 1, "armed", first=1, last=3)
            await link.event(session, 2, "painted", index=1, attempt=1)
            await link.acked(session, 2)
            meter.lux = 12
            await link.command("pause")
            await link.event(session, 3, "paused", code="OPERATOR_PAUSE", why="asked")
            await link.acked(session, 3)
            view = await asyncio.to_thread(one.running.get, at)
            assert view["state"] == "paused"
            assert "light is 12 lux, the plan wants 200-450" in view["paused"]["why"]
            with one.running.operator() as client:
                answer = await asyncio.to_thread(client.post, f"{at}/resume")
            assert answer.status_code == 409
            meter.lux = 300
            await asyncio.to_thread(one.running.post, f"{at}/resume")
            await link.command("load")
            await link.command("resume")

    asyncio.run(shoot())
    assert one.factor(session, "blinds")["name"] == "Ann"
