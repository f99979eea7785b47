"""A campaign from its form: cost before it is kept, then the plan as a matrix with its balance."""

from __future__ import annotations

import html
from typing import Any

import httpx
import pytest

PAGE = {"Accept": "text/html"}
FACTORS = {
    "use": ["0", "1"],
    "factor_name": ["room_light", "blinds", ""],
    "factor_levels": ["bright, dark", "open, closed", ""],
    "factor_set_by": ["operator", "operator", "operator"],
    "factor_minutes": ["0.5", "1", "1"],
}
RULE = {
    "rule_when": ["room_light"], "rule_when_levels": ["dark"], "rule_then": ["blinds"],
    "rule_then_levels": ["closed"], "rule_stations": [""], "rule_why": ["else it is not dark"],
}  # fmt: skip


def form(**more: Any) -> dict[str, Any]:
    sizes = {"size_min": "2", "size_max": "2", "seed": "7", "settle_ms": "0"}
    what = {"name": "mine", "catalog": "tiny", "device": "nokia", "do": "preview"}
    return {**what, **sizes, **FACTORS, **RULE, **more}


def send(ready: Any, fields: dict[str, Any]) -> httpx.Response:
    path = "/campaigns/new" if fields.pop("do") == "create" else "/campaigns/new/preview"
    with ready.running.operator() as client:
        return client.post(path, data=fields, headers=PAGE)


def get(ready: Any, path: str) -> str:
    with ready.running.operator() as client:
        answer = client.get(path, headers=PAGE)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def test_the_form_begins_with_the_paper_s_factors(ready):
    """A person changes what is there rather than begin with nothing."""
    text = get(ready, "/campaigns/new?catalog=tiny")
    for part in ('value="room_light"', 'value="bright, dim, dark"', 'value="blinds"', "tiny, 6"):
        assert part in text


def test_the_cost_is_shown_and_nothing_is_kept(ready):
    """Subsets, environments, minutes; the rule holds; what was typed stays."""
    answer = send(ready, form())
    text = html.unescape(answer.text)
    assert answer.status_code == 200
    assert "The plan and its cost" in text
    assert "3 <small>of 2 to 2</small>" in text
    assert "At an assumed" in text
    assert 'value="bright, dark"' in text
    assert 'value="7"' in text
    assert "mine" not in get(ready, "/campaigns")


def test_the_wait_before_each_photo_is_part_of_the_cost(ready):
    """Ten seconds from paint to photo are ten seconds more for each."""
    quick = html.unescape(send(ready, form(settle_ms="150")).text)
    slow = html.unescape(send(ready, form(settle_ms="10150")).text)
    assert "At an assumed 2.5 s" in quick
    assert "<dd>15 s</dd>" in quick
    assert "At an assumed 12 s" in slow
    assert "<dd>75 s</dd>" in slow


def test_a_campaign_is_what_its_preview_showed(ready):
    """The same seed plans the same; the matrix has a cell for each subset, the plan keeps rules."""
    answer = send(ready, form(do="create"))
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/campaigns/mine"
    text = get(ready, "/campaigns/mine")
    assert text.count('class="cell is-planned"') == 3
    assert "0 <small>of 6</small>" in text
    kept = ready.running.get("/api/campaigns/mine")
    assert kept["seed"] == 7
    for one in kept["subsets"]:
        levels = one["environment"]["levels"]
        assert levels["room_light"] != "dark" or levels["blinds"] == "closed"
    again = send(ready, form(do="create"))
    assert again.status_code == 409
    assert "exists already" in again.text


def test_a_rule_about_a_factor_that_is_not_varied_is_left_out_and_told(ready):
    """Not refused: the person unticked it."""
    text = html.unescape(send(ready, form(use=["0"])).text)
    assert "The rule about room_light and blinds is left out" in text


def test_a_file_takes_the_place_of_the_rows(ready):
    """What the command line takes can be pasted."""
    toml = (
        '[[environment]]\nname = "a"\nlevels = {room = "x"}\n'
        '[[environment]]\nname = "b"\nlevels = {room = "y"}\n'
    )
    answer = send(ready, form(toml=toml, do="create"))
    assert answer.status_code == 303, answer.text
    names = {
        one["environment"]["name"] for one in ready.running.get("/api/campaigns/mine")["subsets"]
    }
    assert names == {"a", "b"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size_min": "9", "size_max": "3"}, "larger than the largest"),
        ({"size_min": "many"}, "whole number"),
        ({"use": []}, "Tick at least one factor"),
        ({"factor_levels": ["bright, bright", "open", ""]}, "twice"),
        ({"factor_name": ["Room Light", "blinds", ""]}, "factor[1].name"),
        ({"factor_minutes": ["soon", "1", "1"]}, "no number of minutes"),
        ({"rule_then_levels": ["ajar"]}, "not a level"),
        ({"toml": "this is = no toml ="}, "not valid TOML"),
        ({"toml": "x = 1"}, "no such key"),
        ({"catalog": "none"}, "No catalog is named"),
        ({"name": "a b", "do": "create"}, "cannot name a campaign"),
        ({"device": "a b", "do": "create"}, "cannot name a device"),
        ({"station": "a/b", "do": "create"}, "station"),
    ],
)
def test_what_cannot_be_planned_is_told_in_words(ready, fields, words):
    """And the form comes back as it was filled in."""
    answer = send(ready, form(**fields))
    assert answer.status_code in {404, 409, 422}
    text = html.unescape(answer.text)
    assert words in text
    assert 'value="7"' in text


def test_the_balance_names_levels_and_labels(ready):
    """Computed once for a revision."""
    send(ready, form(do="create"))
    text = get(ready, "/campaigns/mine/balance")
    assert "Cardiomegaly" in text
    assert "Room light" in text
    assert text == get(ready, "/campaigns/mine/balance")


def test_best_next_offers_a_session_for_each_station(ready):
    """And the matrix says what became of it."""
    text = get(ready, "/campaigns/first")
    assert "Prepare it" in text
    session = ready.new_session()
    text = get(ready, "/campaigns/first")
    assert f"/sessions/{session['id']}" in text
    assert "preparing" in text or "planned" in text
