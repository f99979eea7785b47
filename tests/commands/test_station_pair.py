"""`rig station pair` and `unpair` ask the controller that runs on the home."""

import json
import re
import signal
import subprocess
import sys

import httpx
import pytest

from rig.cli import main


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    """A controller for the local network, as a process; its home and what it told."""
    home = tmp_path_factory.mktemp("pair") / "home"
    assert main(["token", "make", "--home", str(home)]) == 0
    run = [sys.executable, "-m", "rig.cli", "serve", "--home", str(home), "--host", "0.0.0.0"]
    process = subprocess.Popen(
        [*run, "--port", "0", "--json", "--public-url", "http://rig.example:8000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told = json.loads(process.stdout.readline() or "null")
    assert main(["station", "add", "room-1", "--home", str(home), "--json"]) == 0
    yield home, told
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


@pytest.fixture
def rig(capsys):
    def run(home, *words):
        try:
            status = main([*words, "--home", str(home)])
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_pair_prints_the_code_and_the_line(controller, rig):
    """One JSON object for scripts, words for people; each call makes another code."""
    home, _ = controller
    status, out, _ = rig(home, "station", "pair", "room-1", "--json")
    told = json.loads(out)
    assert status == 0
    assert re.fullmatch("[A-Z2-7]{8}", told["code"])
    assert told["url"] == f"http://rig.example:8000/phone?c={told['code']}"
    assert told["line"].endswith(f"python agent.pyz rig.example:8000 {told['code']}")
    status, out, _ = rig(home, "station", "pair", "room-1")
    assert (status, told["code"] in out, told["sha256"] in out) == (0, False, True)
    assert "good once, for 10 minutes" in out
    assert "curl -fsSO http://rig.example:8000/phone/agent.pyz" in out


def test_another_address_can_be_chosen(controller, rig):
    """Of those that the controller has."""
    home, _ = controller
    ways = json.loads(rig(home, "station", "pair", "room-1", "--json")[1])["ways"]
    assert not any("127.0.0.1" in way["base"] for way in ways)
    for way in ways:
        host = httpx.URL(way["base"]).host
        _, out, _ = rig(home, "station", "pair", "room-1", "--address", host, "--json")
        assert json.loads(out)["line"].startswith(way["line"].rpartition(" ")[0])
    status, out, err = rig(home, "station", "pair", "room-1", "--address", "203.0.113.9")
    assert (status, out, "203.0.113.9" in err, "rig.example" in err) == (2, "", True, True)


def test_unpair_says_what_comes_next(controller, rig):
    """And counts the tokens."""
    home, _ = controller
    status, out, _ = rig(home, "station", "unpair", "room-1")
    assert (status, "rig station pair room-1" in out) == (0, True)
    told = json.loads(rig(home, "station", "unpair", "room-1", "--json")[1])
    assert told == {"name": "room-1", "generation": 2, "connected": False}


def test_on_a_network_only_the_way_in_is_open(controller):
    """Page, file and exchange without sign-in; every other address asks for it."""
    _, told = controller
    port = httpx.URL(told["url"]).port
    with httpx.Client(base_url=f"http://127.0.0.2:{port}") as stranger:
        for path in ("/phone", "/phone/agent.pyz", "/phone/agent.sha256"):
            assert stranger.get(path).status_code == 200
        wrong = stranger.post("/api/phone/pair", json={"code": "WRONG222"})
        assert (wrong.status_code, wrong.headers["content-type"]) == (
            403,
            "application/problem+json",
        )
        for path in ("/", "/phone/live", "/api/stations", "/api/events", "/api/phone/hello"):
            assert stranger.get(path).status_code == 401
        named = stranger.get("/phone", headers={"Host": "rig.example:8000"})
        assert named.status_code == 200  # the name of --public-url is the controller's own
        assert stranger.get("/phone", headers={"Host": "other.example"}).status_code == 400
        assert stranger.get("/phone", headers={"Host": ""}).status_code == 400


@pytest.mark.parametrize("verb", ["pair", "unpair"])
def test_refusals_are_sentences(controller, rig, tmp_path, verb):
    """No such station, no controller, one that is gone: exit 2."""
    home, _ = controller
    status, out, err = rig(home, "station", verb, "none")
    assert (status, out, "No station is named" in err) == (2, "", True)
    status, out, err = rig(tmp_path, "station", verb, "room-1")
    assert (status, out, "rig serve --host 0.0.0.0" in err) == (2, "", True)
    (tmp_path / "serve.json").write_text('{"url": "http://127.0.0.1:9", "token": "x"}')
    status, out, err = rig(tmp_path, "station", verb, "room-1")
    assert (status, out, "does not answer" in err) == (2, "", True)
