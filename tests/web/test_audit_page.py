"""The audit log as a page: who, what, when, and what was answered."""

from __future__ import annotations

import html
from typing import Any

PAGE = {"Accept": "text/html"}


def text_of(running: Any, path: str, status: int = 200) -> str:
    with running.operator() as client:
        answer = client.get(path, headers=PAGE)
    assert answer.status_code == status, answer.text
    return html.unescape(answer.text)


def test_what_people_did_stands_there_with_their_names(ready):
    """Also what was refused, with the sentence; a filter shows one person."""
    session = ready.new_session()["id"]
    with ready.running.operator() as client:
        client.post(f"/api/sessions/{session}/start", json={"name": "anna"})
        client.post(f"/api/sessions/{session}/stop", json={"name": "ben"})
    text = text_of(ready.running, "/audit")
    for part in ("anna", "ben", "Start", "Stop", "refused, 409", "is not connected"):
        assert part in text, part
    assert text.index("ben") < text.rindex("anna")
    rows = text_of(ready.running, "/audit?who=ben").split("<tbody>")[1]
    assert "ben" in rows
    assert "anna" not in rows
    assert f"/sessions/{session}" in text_of(ready.running, f"/audit?session={session}")


def test_the_forms_of_the_pages_are_noted_too(ready):
    """A campaign that was planned on its page, a station that was added on its."""
    with ready.running.operator() as client:
        client.post("/stations", data={"name": "room-9"})
        client.post("/campaigns/new", data={"name": "x", "do": "create"})
    text = text_of(ready.running, "/audit")
    assert "Add a station" in text
    assert "Plan a campaign" in text


def test_older_lines_are_a_page_away(ready):
    """A hundred to a page; a filter that is none is refused."""
    with ready.running.operator() as client:
        for number in range(105):
            client.post("/stations", data={"name": f"r{number}"})
    text = text_of(ready.running, "/audit")
    assert text.count('<th scope="row">') == 100
    assert "Older ones" in text
    before = text.split("?before=")[1].split("&")[0]
    older = text_of(ready.running, f"/audit?before={before}")
    assert 0 < older.count('<th scope="row">') < 100
    text_of(ready.running, "/audit?session=../x", 422)
    with ready.running.client() as nobody:
        assert nobody.get("/audit", headers=PAGE, follow_redirects=False).status_code == 303
