"""What the person at the phone reads."""

from __future__ import annotations

import io
import json

import pytest

from phone_agent.status import PhotoLine, Status

LINE = PhotoLine(12, 3, 250, "x1_" + "a" * 200 + "_c01234567.jpg", "committed", "12 ms", 81)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_plain_line_has_everything(tmp_path):
    """Without a terminal there is no colour and the name is whole."""
    out = io.StringIO()
    Status(out).photo(LINE)
    assert out.getvalue() == f"3/250  #12  {LINE.name}  committed  link 12 ms  battery 81 %\n"


@pytest.mark.parametrize("width", [80, 100, 300])
def test_terminal_line_fits(width):
    """On a terminal the middle of the name gives way, never its ends."""
    out = Terminal()
    Status(out, width=width, environ={}).photo(LINE)
    line = out.getvalue().rstrip("\n")
    assert len(line) <= width
    assert "  x1_" in line
    assert "567.jpg  committed" in line


def test_unknown_battery_is_a_dash():
    """None is not 0 %."""
    out = io.StringIO()
    Status(out).photo(PhotoLine(1, 1, 1, "n", "stored", "ok", None))
    assert out.getvalue().endswith("battery -\n")


def test_abort_is_red_on_a_terminal_and_names_its_id():
    """Reason and id are there; the colour ends with the line."""
    out = Terminal()
    Status(out, environ={}).aborted("INDEX_MISMATCH", "expected 4, got 5", "00ff" * 4)
    first, second, _ = out.getvalue().split("\n")
    assert first == (
        "\x1b[1;97;41mABORTED  INDEX_MISMATCH: expected 4, got 5  "
        "[abort id 00ff00ff00ff00ff]\x1b[0m"
    )
    assert "operator" in second


@pytest.mark.parametrize(
    ("out", "environ"),
    [(io.StringIO, {}), (Terminal, {"NO_COLOR": "1"}), (Terminal, {"TERM": "dumb"})],
)
def test_no_colour_where_it_is_not_wanted(out, environ):
    """Pipes, NO_COLOR and dumb terminals get the same words without escapes."""
    stream = out()
    status = Status(stream, environ=environ)
    status.aborted("OPERATOR", "stopped", "ab")
    status.warning("link", "lost")
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().startswith("ABORTED  OPERATOR: stopped  [abort id ab]\n")


def test_retakes_and_warnings_are_yellow():
    """They want a look, not a stop."""
    out = Terminal()
    status = Status(out, width=80, environ={})
    status.photo(PhotoLine(1, 1, 2, "n.jpg", "retake: CAMERA_EMPTY", "ok", 50))
    status.warning("link", "lost for 4 s")
    status.note("upload", "3 of 9 sent")
    status.completed(2, "c0" * 32)
    lines = out.getvalue().splitlines()
    assert [line.startswith("\x1b[33m") for line in lines] == [True, True, False, False]


def test_control_bytes_never_reach_the_terminal():
    """A reason from the network cannot clear the screen or forge a line."""
    out = Terminal()
    Status(out, environ={}).note("x", "a\x1b[2Jb\nCOMPLETED\u202e")
    assert out.getvalue() == "a\\x1b[2Jb\\x0aCOMPLETED\\x202e\n"


def test_narrow_encodings_are_escaped_not_fatal():
    """A terminal without UTF-8 still shows the sentence."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, "ascii") as out:
        Status(out).note("x", "31 \u00b0C")
        assert raw.getvalue() == b"31 \\xb0C\n"


def test_json_lines_are_one_object_each():
    """Programs get the same facts, and nothing else on the stream."""
    out = Terminal()
    status = Status(out, json_lines=True)
    status.photo(LINE)
    status.note("upload", "a\nb")
    status.warning("link", "lost")
    status.aborted("OPERATOR", "stopped", "ab")
    status.completed(2, "c0")
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    assert objects == [
        {"event": "photo", "index": 12, "count": 3, "total": 250, "name": LINE.name,
         "result": "committed", "link": "12 ms", "battery": 81},
        {"event": "note", "kind": "upload", "text": "a\nb"},
        {"event": "warning", "kind": "link", "text": "lost"},
        {"event": "aborted", "code": "OPERATOR", "why": "stopped", "abort_id": "ab"},
        {"event": "completed", "count": 2, "chain": "c0"},
    ]  # fmt: skip
