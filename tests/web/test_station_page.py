"""The pages of stations: one is added, its display told how to connect, its token made anew."""

from __future__ import annotations

import asyncio
import html
import re
from typing import Any

import pytest

PAGE = {"Accept": "text/html"}


def ask(running: Any, method: str, path: str, status: int, **more: Any) -> str:
    with running.operator() as client:
        answer = client.request(method, path, headers=PAGE, **more)
    assert answer.status_code == status, answer.text
    return html.unescape(answer.text)


def line_of(text: str) -> str:
    found = re.search(r'<code class="line" id="line-1">([^<]+)</code>', text)
    assert found, text
    return found[1]


def test_the_command_is_shown_once_with_a_token_that_works(running):
    """A name becomes a station; the page's own address does not show the token again."""
    text = ask(running, "POST", "/stations", 200, data={"name": "room-1"})
    line = line_of(text)
    assert line.startswith(f"display-agent connect {running.url} --token rs-")
    token = line.split()[4]
    assert running.rig.auth.who({"authorization": f"Bearer {token}"}).station == "room-1"
    for path in ("/stations", "/stations/room-1"):
        again = ask(running, "GET", path, 200)
        assert "room-1" in again
        assert token not in again


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("", 422, "cannot name"), ("a/b", 422, "cannot name"), ("room-1", 409, "exists already")],
)
def test_a_name_that_cannot_be_is_told_where_it_was_typed(ready, name, status, words):
    """The form comes back with the sentence."""
    text = ask(ready.running, "POST", "/stations", status, data={"name": name})
    assert words in text
    assert f'value="{name}"' in text


async def test_a_new_token_ends_the_old_one(ready, agent):
    """The display agent that is connected with it is sent away."""
    old = {"authorization": f"Bearer {ready.token}"}
    async with agent(ready) as one:
        refused = await asyncio.to_thread(
            ask, ready.running, "POST", "/stations/room-1/token", 422, data={}
        )
        assert "Tick" in refused
        text = await asyncio.to_thread(
            ask, ready.running, "POST", "/stations/room-1/token", 200, data={"sure": "on"}
        )
        with pytest.raises(Exception, match=r"1000|connected anew"):
            await one.until("never")
    token = line_of(text).split()[4]
    assert ready.running.rig.auth.who(old) is None
    assert ready.running.rig.auth.who({"authorization": f"Bearer {token}"}).station == "room-1"


def test_a_station_that_is_not_there_is_a_page(running):
    """404 with the names that are known."""
    assert "No station is named" in ask(running, "GET", "/stations/none", 404)
