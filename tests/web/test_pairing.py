"""From a code to a paired phone: once, in time, with its station's display agent there."""

import asyncio
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from rig.protocol.keys import Pairing, parse_pairing
from rig.store import events
from rig.web.pairing import NOTED
from rig.web.pairing_codes import CODE_NS, TRIES

DISPLAY = Pairing(b"k" * 32, (("127.0.0.1", 4000),), "", "http://elsewhere:1", "of-the-display")


def make_code(ready):
    with ready.running.operator() as client:
        answer = client.post("/api/stations/room-1/codes")
    assert answer.status_code == 201, answer.text
    return answer.json()


def pair(ready, code, device="Nokia 6.1", **headers):
    with ready.running.client() as client:
        body = {"code": code, "device": device}
        return client.post("/api/phone/pair", json=body, headers=headers)


def log(ready, *kinds):
    found = ready.running.rig.database.query(lambda c: list(events.every(c)))
    return [one for one in found if one.kind in kinds]


async def tell_pairing(one, pairing=DISPLAY):
    """The display agent tells its pairing; returns once the controller has read it."""
    await one.send(type="pairing", url=pairing.url())
    await one.send(type="event", event="x", session="bad", seq=1)
    await one.until("refused")


async def test_a_code_is_exchanged_for_the_stations_pairing_once(ready, agent):
    """Keys from the display agent, address as the phone called, token of this station's phone."""
    async with agent(ready) as one:
        await tell_pairing(one)
        made = await asyncio.to_thread(make_code, ready)
        answer = await asyncio.to_thread(pair, ready, made["code"].lower())
        assert answer.status_code == 200, answer.text
        given = parse_pairing(answer.json()["pairing"])
        assert (given.psk, given.hosts) == (DISPLAY.psk, DISPLAY.hosts)
        assert given.upload_url == ready.running.url
        assert given.upload_token == ready.phone_token
        again = await asyncio.to_thread(pair, ready, made["code"])
    assert (again.status_code, "used before" in again.json()["detail"]) == (403, True)
    assert set(again.json()) == {"type", "title", "status", "detail"}


async def test_of_two_phones_with_one_code_one_is_paired(ready, agent):
    """At the same moment, too."""
    async with agent(ready) as one:
        await tell_pairing(one)
        made = await asyncio.to_thread(make_code, ready)
        tries = [asyncio.to_thread(pair, ready, made["code"]) for _ in range(4)]
        answers = [answer.status_code for answer in await asyncio.gather(*tries)]
    assert sorted(answers) == [200, 403, 403, 403]
    assert len(log(ready, "phone_paired")) == 1


async def test_an_away_display_agent_does_not_cost_the_code(ready, agent):
    """409 and what to do; the same code works as soon as it is there and has told its pairing."""
    made = await asyncio.to_thread(make_code, ready)
    away = await asyncio.to_thread(pair, ready, made["code"])
    assert (away.status_code, "display-agent connect" in away.json()["detail"]) == (409, True)
    async with agent(ready) as one:
        quiet = await asyncio.to_thread(pair, ready, made["code"])
        assert (quiet.status_code, "not told its pairing" in quiet.json()["detail"]) == (409, True)
        await tell_pairing(one)
        assert (await asyncio.to_thread(pair, ready, made["code"])).status_code == 200


async def test_a_code_is_too_old_after_ten_minutes(ready, agent):
    """By the controller's clock."""
    now = [time.time_ns()]
    ready.running.rig.clock_ns = lambda: now[0]
    async with agent(ready) as one:
        await tell_pairing(one)
        made = await asyncio.to_thread(make_code, ready)
        assert made["expires_ns"] == now[0] + CODE_NS
        now[0] += CODE_NS
        old = await asyncio.to_thread(pair, ready, made["code"])
    assert old.status_code == 403
    assert log(ready, "phone_paired") == []


def test_wrong_codes_are_refused_and_then_not_even_looked_at(ready):
    """Five in a minute; then 429 with a time, for the right one too."""
    made = make_code(ready)
    for _ in range(TRIES):
        answer = pair(ready, "WRONG222")
        assert (answer.status_code, "not known" in answer.json()["detail"]) == (403, True)
    for code in ("WRONG222", made["code"]):
        answer = pair(ready, code)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    with ready.running.client() as client:
        page = client.get("/phone", params={"c": made["code"]})
    assert (page.status_code, "wait" in page.text) == (429, True)


def test_the_page_is_no_way_around_the_limit(ready):
    """A wrong code in the address counts like any other."""
    with ready.running.client() as client:
        for _ in range(TRIES):
            assert client.get("/phone", params={"c": "WRONG222"}).status_code == 403
        assert client.get("/phone", params={"c": "WRONG222"}).status_code == 429
    assert pair(ready, "WRONG222").status_code == 429


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"code": 5}', b'{"code": "%s"}' % (b"A" * 65), b"\xff", b"null"]
)
def test_what_is_no_request_is_no_try(ready, body):
    """422, nothing in it of what was sent, nothing noted."""
    with ready.running.client() as client:
        answer = client.post("/api/phone/pair", content=body)
    assert answer.status_code == 422
    assert "AAAA" not in answer.text
    assert log(ready, "pairing_refused") == []


async def test_the_log_tells_who_was_paired_and_who_tried_without_any_code(ready, agent):
    """Codes, keys and tokens are in no event."""
    async with agent(ready) as one:
        await tell_pairing(one)
        made = await asyncio.to_thread(make_code, ready)
        await asyncio.to_thread(pair, ready, "WRONG222")
        answer = await asyncio.to_thread(pair, ready, made["code"], "Nokia\x00 6.1")
        await asyncio.to_thread(pair, ready, made["code"])
    told = log(ready, "pairing_code", "pairing_refused", "phone_paired")
    assert [(one.kind, one.body.get("why")) for one in told] == [
        ("pairing_code", None),
        ("pairing_refused", "unknown code"),
        ("phone_paired", None),
        ("pairing_refused", "code was used before"),
    ]
    assert told[2].body == {"name": "room-1", "device": "Nokia  6.1", "address": "127.0.0.1"}
    secret = parse_qs(urlsplit(answer.json()["pairing"]).query)
    everything = repr(log(ready, *{one.kind for one in told}))
    for word in (made["code"], "WRONG222", secret["k"][0], secret["t"][0]):
        assert word not in everything


def test_a_flood_of_wrong_codes_does_not_fill_the_log(ready):
    """From ever new addresses: so many a minute are noted, not more."""
    rig = ready.running.rig
    rig.codes.look = lambda text, address, now_ns: None
    with ready.running.client() as client:
        for _ in range(NOTED + 10):
            assert client.post("/api/phone/pair", json={"code": "x"}).status_code == 403
    assert len(log(ready, "pairing_refused")) == NOTED


async def test_unpairing_voids_the_old_token_and_the_next_phone_gets_another(ready, agent):
    """The display agent is told at once; codes are void; a restart does not bring it back."""
    old = ready.phone_token
    async with agent(ready) as one:
        assert one.welcome["phone"]["token"] == old
        await tell_pairing(one)
        made = await asyncio.to_thread(make_code, ready)
        said = await asyncio.to_thread(ready.running.post, "/api/stations/room-1/unpair")
        assert said == {"name": "room-1", "generation": 1, "connected": True}
        fresh = (await one.until("welcome"))["phone"]["token"]
        assert fresh == ready.phone_token != old
        assert (await asyncio.to_thread(pair, ready, made["code"])).status_code == 403
        made = await asyncio.to_thread(make_code, ready)
        waits = await asyncio.to_thread(pair, ready, made["code"])
        assert waits.status_code == 409  # the agent has not told a pairing with the new token
        await tell_pairing(one)
        answer = await asyncio.to_thread(pair, ready, made["code"])
        assert parse_pairing(answer.json()["pairing"]).upload_token == fresh
    assert hello(ready, old).status_code == 401
    assert hello(ready, fresh).status_code == 200
    assert [one.body["generation"] for one in log(ready, "phone_unpaired")] == [1]


async def test_a_pairing_that_crossed_the_unpairing_is_not_given_away(ready, agent):
    """The agent names the number that its pairing belongs to; an old one opens nothing any more."""
    async with agent(ready) as one:
        assert one.welcome["phone"]["generation"] == 0
        await asyncio.to_thread(ready.running.post, "/api/stations/room-1/unpair")
        assert (await one.until("welcome"))["phone"]["generation"] == 1
        made = await asyncio.to_thread(make_code, ready)
        for generation, status in ((0, 409), (1, 200)):
            await one.send(type="pairing", url=DISPLAY.url(), generation=generation)
            await one.send(type="event", event="x", session="bad", seq=1)
            await one.until("refused")
            answer = await asyncio.to_thread(pair, ready, made["code"])
            assert answer.status_code == status


def test_an_unpaired_phone_stays_unpaired_after_a_restart(tmp_path, serve):
    """The generation is in the store."""
    home = tmp_path / "home"
    first = serve(home)
    first.post("/api/stations", name="room-1")
    first.post("/api/stations/room-1/unpair")
    token = first.rig.auth.phone_token("room-1")
    first.stop()
    second = serve(home)
    assert second.rig.auth.phone_token("room-1") == token
    with second.client(token) as client:
        assert client.get("/api/phone/hello").json()["station"] == "room-1"


def hello(ready, token):
    with ready.running.client(token) as client:
        return client.get("/api/phone/hello")


async def test_hello_tells_clock_version_and_where_udp_goes(ready, agent):
    """Without a display agent there is no address to try."""
    answer = (await asyncio.to_thread(hello, ready, ready.phone_token)).json()
    assert (answer["station"], answer["udp"]) == ("room-1", [])
    assert abs(answer["time_ns"] - time.time_ns()) < 60 * 10**9
    async with agent(ready) as one:
        await tell_pairing(one)
        answer = (await asyncio.to_thread(hello, ready, ready.phone_token)).json()
    assert answer["udp"] == [["127.0.0.1", 4000]]
    assert set(answer) == {"station", "controller_version", "udp", "time_ns", "session"}


def test_a_foreign_page_cannot_pair_and_a_phone_needs_no_origin(ready):
    """A browser names the page that sends; a phone agent names none."""
    made = make_code(ready)
    for origin in ("http://evil.example", "null"):
        answer = pair(ready, made["code"], Origin=origin)
        assert (answer.status_code, "another site" in answer.json()["detail"]) == (403, True)
    assert pair(ready, made["code"]).status_code == 409  # looked at: the display is away


def test_a_stranger_sends_no_large_body(ready):
    """Announced or not."""
    with ready.running.client() as client:
        big = b'{"code": "' + b"A" * 70_000 + b'"}'
        assert client.post("/api/phone/pair", content=big).status_code == 413
        chunks = (b"A" * 10_000 for _ in range(8))
        assert 400 <= client.post("/api/phone/pair", content=chunks).status_code < 500


def test_codes_are_made_by_operators_for_stations_that_exist(ready):
    """404 otherwise; the answer holds what a person needs."""
    with ready.running.operator() as client:
        assert client.post("/api/stations/none/codes").status_code == 404
        assert client.post("/api/stations/none/unpair").status_code == 404
    made = make_code(ready)
    assert made["line"].endswith(f"/phone/agent.pyz && python agent.pyz "
                                 f"{ready.running.url[7:]} {made['code']}")  # fmt: skip
    assert made["url"] == f"{ready.running.url}/phone?c={made['code']}"
    assert made["ways"][0]["line"] == made["line"]
    assert len(made["sha256"]) == 64
