"""`rig serve` as a process: one per home, says where it is, stops at once."""

import json
import signal
import socket
import stat
import subprocess
import sys

import httpx
import pytest

from rig.cli import main
from rig.commands.serve import _listen


class Serving:
    def __init__(self, home, *more):
        command = [sys.executable, "-m", "rig.cli", "serve", "--home", str(home), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--json", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.told = json.loads(self.process.stdout.readline() or "null")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.out, self.err = self.process.communicate(timeout=30)


@pytest.fixture
def serving(tmp_path):
    started = []

    def start(*more, home=None):
        started.append(Serving(home or tmp_path / "home", *more))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def test_it_tells_where_it_is_and_how_to_sign_in(tmp_path, serving):
    """One JSON line; the same in serve.json for scripts, private, gone afterwards."""
    one = serving()
    assert set(one.told) == {"url", "sign_in", "token", "pid"}
    assert one.told["pid"] == one.process.pid
    kept = tmp_path / "home" / "serve.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text()) == {k: one.told[k] for k in ("url", "pid", "token")}
    headers = {"Authorization": f"Bearer {one.told['token']}"}
    assert httpx.get(one.told["url"] + "/api/campaigns", headers=headers).json() == []
    assert httpx.get(one.told["sign_in"]).status_code == 303
    one.stop()
    assert (one.process.returncode, one.out) == (0, "")
    assert not kept.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_although_a_browser_listens(serving, number):
    """An open event stream does not hold it."""
    one = serving()
    headers = {"Authorization": f"Bearer {one.told['token']}"}
    with httpx.stream("GET", one.told["url"] + "/api/events", headers=headers) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: tick"
        one.stop(number)
    assert one.process.returncode == 0, one.err
    # uvicorn says so when its grace is over; no clock is asked: a busy machine takes its time.
    assert "graceful shutdown exceeded" not in one.err


def test_a_second_controller_on_the_same_home_is_refused(serving):
    """Exit 2 and a sentence with process and address; the first goes on."""
    one, two = serving(), serving()
    assert two.told is None
    _, err = two.process.communicate(timeout=30)
    assert two.process.returncode == 2
    assert str(one.told["pid"]) in err
    assert one.told["url"] in err
    assert one.process.poll() is None


def test_a_killed_controller_leaves_a_home_that_opens(tmp_path, serving):
    """No stale lock, and a new serve.json."""
    one = serving()
    one.stop(signal.SIGKILL)
    two = serving()
    assert two.told["token"] == one.told["token"]
    assert json.loads((tmp_path / "home" / "serve.json").read_text())["pid"] == two.told["pid"]


def test_logs_are_json_without_secrets(serving):
    """Also when everything is logged: no token, no cookie, no query."""
    one = serving("--verbose")
    headers = {"Authorization": f"Bearer {one.told['token']}"}
    httpx.get(one.told["url"] + "/api/campaigns?secret=query", headers=headers)
    httpx.get(one.told["sign_in"])
    one.stop()
    records = [json.loads(line) for line in one.err.splitlines() if line.startswith("{")]
    assert {r.get("route") for r in records} >= {"/api/campaigns", "/sign-in"}
    for secret in (one.told["token"], one.told["sign_in"].split("=")[1], "secret", "Bearer"):
        assert secret not in one.err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--token", "short"], "16 characters"),
        (["--port", "99999"], "--port"),
        (["--host", "203.0.113.7"], "Cannot listen on 203.0.113.7"),
        (["--public-url", "ftp://x"], "--public-url"),
        (["--cache-gb", "nan"], "--cache-gb"),
        (["--token-file", "none"], "cannot be read"),
        (["--host", "0.0.0.0"], "rig token make"),
        (["--host", "::"], "rig token make"),
    ],
)
def test_bad_options_are_one_sentence(serving, more, words):
    """Exit 2 before anything is opened."""
    one = serving(*more)
    _, err = one.process.communicate(timeout=30)
    assert one.process.returncode == 2
    assert words in err
    assert "Traceback" not in err


def test_a_given_token_is_the_token(serving, tmp_path, monkeypatch):
    """By option or environment."""
    token = "a-token-from-the-operator"
    assert serving("--token", token).told["token"] == token
    monkeypatch.setenv("RIG_TOKEN", token + "2")
    assert serving(home=tmp_path / "other").told["token"] == token + "2"


def test_others_reach_it_only_with_a_token_that_was_made(serving, tmp_path, monkeypatch):
    """From the home, a file or the environment; the same on the loopback address."""
    home = tmp_path / "home"
    assert main(["token", "make", "--home", str(home)]) == 0
    made = (home / "token").read_text().strip()
    for host in ("0.0.0.0", "127.0.0.1"):
        one = serving("--host", host)
        assert one.told["token"] == made
        one.stop()
    file = tmp_path / "token"
    file.write_text("of-a-file-0123456789\n")
    file.chmod(0o600)
    one = serving("--host", "0.0.0.0", "--token-file", str(file))
    assert one.told["token"] == "of-a-file-0123456789"
    one.stop()
    monkeypatch.setenv("RIG_TOKEN", "of-the-environment")
    assert serving("--host", "0.0.0.0").told["token"] == "of-the-environment"


def test_answers_are_sent_at_once():
    """Nagle's algorithm and a browser's delayed acknowledgement cost 40 ms an answer together."""
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
