"""A session's page: a preview that blocks what is red, then the session live, gaps as rows."""

from __future__ import annotations

import asyncio
import hashlib
import html
import re
from typing import Any

import pytest

from rig.capture import photos, sessions
from rig.store import tables
from rig.web import preflight, timeline
from rig.web.preflight import Preflight

PAGE = {"Accept": "text/html"}


def text_of(running: Any, path: str, status: int = 200) -> str:
    with running.operator() as client:
        answer = client.get(path, headers=PAGE)
    assert answer.status_code == status, answer.text
    return html.unescape(answer.text)


def button(text: str, ident: str) -> str:
    found = re.search(rf'<button[^>]*id="{ident}"[^>]*>', text)
    assert found, f"no button {ident}"
    return found[0]


def flight(ready: Any, session: str) -> Preflight:
    rig = ready.running.rig
    return rig.database.query(lambda c: preflight.preflight(c, rig, sessions.find(c, session)))


def confirmed(ready: Any, session: str) -> None:
    ready.running.post(f"/api/sessions/{session}/conditions", confirm_all=True, name="anna")
    ready.running.post(f"/api/sessions/{session}/alignment/waive", name="anna", why="no phone")


def test_the_preview_says_what_will_be_shot(ready):
    """Range, environment, first and last x-ray, how long, how much; the start is off."""
    session = ready.new_session()
    text = text_of(ready.running, f"/sessions/{session['id']}")
    assert f"{session['first']}\N{EN DASH}{session['last']}" in text
    for part in ("First x-ray", "Last x-ray", "Takes about", "Free here", "Phone's battery"):
        assert part in text
    assert "(assumed)" in text
    assert "disabled" in button(text, "do-start")
    assert "display of room-1 is not connected" in text
    assert "has not spoken to this controller" in text
    assert "No alignment shot was taken" in text


async def test_the_start_is_on_when_nothing_is_red(ready, agent):
    """Display connected, room confirmed, alignment waived: what is unknown does not block."""
    session = ready.new_session()["id"]
    async with agent(ready):
        await asyncio.to_thread(confirmed, ready, session)
        text = await asyncio.to_thread(text_of, ready.running, f"/sessions/{session}")
    assert "disabled" not in button(text, "do-start")
    assert "Nothing is in the way" in text
    assert "Waived by anna" in text


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"battery_pct": 3, "charging": False}, "plug it in"),
        ({"temp_c": 70}, "let it cool down"),
        ({"free_bytes": 1000}, "free some room"),
    ],
)
async def test_what_the_phone_says_blocks(ready, agent, told, words):
    """Battery, heat and room, as the phone said last."""
    session = ready.new_session()["id"]
    async with agent(ready):
        await asyncio.to_thread(confirmed, ready, session)
        with ready.running.client(ready.phone_token) as phone:
            said = {"state": "knocking", "health_age_ms": 0, "camera": "x", **told}
            answer = await asyncio.to_thread(phone.post, "/api/phone/status", json=said)
            assert answer.is_success
        text = await asyncio.to_thread(text_of, ready.running, f"/sessions/{session}")
    assert words in text
    assert "disabled" in button(text, "do-start")


async def test_a_full_disk_blocks_page_and_start_alike(ready, agent, monkeypatch):
    """The button is off, and a script that does not look is refused with the same sentence."""
    session = ready.new_session()["id"]
    monkeypatch.setattr(preflight, "FREE_MIN", 1 << 60)
    async with agent(ready):
        await asyncio.to_thread(confirmed, ready, session)
        text = await asyncio.to_thread(text_of, ready.running, f"/sessions/{session}")
        with ready.running.operator() as client:
            answer = await asyncio.to_thread(
                client.post, f"/api/sessions/{session}/start", json={"confirm": True}
            )
    assert "disabled" in button(text, "do-start")
    assert answer.status_code == 409
    assert "on the controller's disk" in answer.json()["detail"]
    assert "on the controller's disk" in text


async def test_what_was_shot_tells_how_long_the_next_takes(ready, agent, jpeg, shoot):
    """Figures of the station's newest session take the place of the assumed ones."""
    session = ready.new_session()
    async with agent(ready) as one:
        data = {index: jpeg(index) for index in range(session["first"], session["last"] + 1)}
        seq = await shoot(one, session, data, ready.photo)
        await one.event(session["id"], seq + 1, "completed", count=3, chain="00")
        await one.acked(session["id"], seq + 1)
    other = await asyncio.to_thread(ready.new_session, 2)
    found = await asyncio.to_thread(flight, ready, other["id"])
    assert found.usual.station == "room-1"
    sizes = [len(one) for one in data.values()]
    assert found.photo_bytes == pytest.approx(sum(sizes), rel=0.01)
    text = await asyncio.to_thread(text_of, ready.running, f"/sessions/{other['id']}")
    assert "(assumed)" not in text


async def test_failures_stand_in_the_line_and_as_rows(ready, agent, jpeg, shoot):
    """Kept, taken again, rejected: each looks its own way, and a rejected one can be shot again."""
    session = ready.new_session()
    sid, first, data = session["id"], session["first"], jpeg(1)
    async with agent(ready) as one:
        seq = await shoot(one, session, {first: data, first + 1: jpeg(2)}, ready.photo)
        await one.event(sid, seq + 1, "retake", index=first + 2, attempt=1, why="<glare>")
        await one.acked(sid, seq + 1)
        await asyncio.to_thread(put, ready, sid, first, data)
        rig = ready.running.rig
        name = ready.photo(first, data)
        await asyncio.to_thread(reject, rig, sid, name)
        line = rig.database.query(lambda c: timeline.timeline(c, session_of(c, sid)))
        text = await asyncio.to_thread(text_of, ready.running, f"/sessions/{sid}")
    assert [cell.look for cell in line.cells] == ["bad", "kept", "now"]
    assert "1 rejected" in line.words
    assert "another x-ray" in text
    assert f'value="{first}"' in text
    assert "Shoot again" in text
    assert "<glare>" in text
    with ready.running.operator() as client:
        raw = client.get(f"/sessions/{sid}", headers=PAGE).text
    assert "<glare>" not in raw


def session_of(connection: Any, session: str) -> Any:
    return sessions.find(connection, session)


def put(ready: Any, session: str, index: int, data: bytes) -> None:
    """A photo as the phone sends it."""
    name = ready.photo(index, data)
    ready.running.rig.database.write_now(
        lambda c: photos.received(
            c, session, name=name, index=index, attempt=1,
            sha256=hashlib.sha256(data).hexdigest(), size=len(data), now_ns=1, actor="phone:room-1",
        )
    )  # fmt: skip


def reject(rig: Any, session: str, name: str) -> None:
    rig.database.write_now(
        lambda c: photos.verified(
            c, session, name=name, verified=False, reason="It shows another x-ray.", now_ns=2
        )
    )


async def test_a_request_looks_like_one_until_it_is_confirmed(ready, agent, jpeg, shoot):
    """The button says what it waits for, dashed, and cannot be pressed again."""
    session = ready.new_session()
    sid, first = session["id"], session["first"]
    async with agent(ready) as one:
        await shoot(one, session, {first: jpeg(1)}, ready.photo)
        await one.acked(sid, 4)
        await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/pause", name="anna")
        text = await asyncio.to_thread(text_of, ready.running, f"/sessions/{sid}")
    pause = button(text, "do-pause")
    assert "asked" in pause
    assert "disabled" in pause
    assert f"Pausing after {first}" in text


def test_the_list_of_sessions_is_paged(ready):
    """Newest first; a page names the next; a foreign id is refused."""
    rig = ready.running.rig
    made = [ready.new_session()["id"]]

    def many(connection: Any) -> None:
        row = dict(connection.execute(tables.session.select()).mappings().first())
        for number in range(60):
            new = row | {"id": f"s{number:016x}", "created_ns": number + 1, "state": "stopped"}
            connection.execute(tables.session.insert().values(**new))

    rig.database.write_now(many)
    text = text_of(ready.running, "/sessions")
    assert text.index(made[0]) < text.index(f"s{59:016x}")
    after = re.search(r"after=(s[0-9a-f]{16})", text)
    assert after
    older = text_of(ready.running, f"/sessions?after={after[1]}")
    assert f"s{0:016x}" in older
    assert made[0] not in older
    shown = set(re.findall(r"/sessions/(s[0-9a-f]{16})", text + older))
    assert len(shown) == 61
    assert "Nothing" not in text_of(ready.running, "/sessions?station=room-1&campaign=first")
    text_of(ready.running, "/sessions?after=../x", 422)
    text_of(ready.running, f"/sessions?after=s{'f' * 16}", 404)
