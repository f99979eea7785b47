"""The status line at the bottom of the terminal."""

from __future__ import annotations

import io

import pytest

from phone_agent.status import PhotoLine
from phone_agent.terminal import Terminal, link_words, status_line
from phone_agent.view import Snapshot, View

NAME = "x1_" + "a" * 120 + "_c01234567.jpg"
BUSY = Snapshot(
    state="armed", index=12, name=NAME, result="stored", count=3, total=250, battery_pct=81,
    charging=True, link_ms=40,
)  # fmt: skip


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def screen(text):
    """What a terminal shows of *text*: the lines, the last one being where the cursor stands."""
    lines = [""]
    for piece in text.replace("\r\x1b[2K", "\x00").replace("\x1b[7m", "").replace("\x1b[0m", ""):
        if piece == "\x00":
            lines[-1] = ""
        elif piece == "\n":
            lines.append("")
        else:
            lines[-1] += piece
    return lines


@pytest.mark.parametrize("width", [40, 80, 200])
def test_everything_is_there_and_fits(width):
    """State, n of total, index, both ends of the name, result, battery, link."""
    line = status_line(BUSY, width)
    assert len(line) <= width
    for words in ("armed 3/250 #12", "bat 81%+", "link ok"):
        assert words in line or width == 40
    assert line.startswith("armed 3/250 #12")


def test_nothing_is_invented():
    """Before the first photo only the state and the link are known."""
    assert status_line(Snapshot(state="knocking"), 80) == "knocking no link"


@pytest.mark.parametrize(
    ("link_ms", "words"), [(None, "no link"), (10, "link ok"), (8200, "silent 8 s")]
)
def test_link_is_said_in_words(link_ms, words):
    """The display is heard every second; three seconds are a silence."""
    assert link_words(link_ms) == words


def test_lines_scroll_above_the_status_line():
    """The status line is always the last one, and never stays behind."""
    out, view = Tty(), View()
    terminal = Terminal(out, view, size=lambda: 80, environ={})
    view.update(state="knocking")
    terminal.note("x", "first")
    view.update(state="armed", total=4, link_ms=5)
    terminal.photo(PhotoLine(1, 1, 4, "n.jpg", "stored", "5 ms", 80))
    assert screen(out.getvalue()) == [
        "first", "1/4  #1  n.jpg  stored  link 5 ms  battery 80 %", "armed 0/4 link ok",
    ]  # fmt: skip
    terminal.close()
    terminal.note("x", "last words")
    assert screen(out.getvalue())[-2:] == ["last words", ""]


def test_same_line_is_not_drawn_twice():
    """A log of the terminal stays short."""
    out, view = Tty(), View()
    Terminal(out, view, size=lambda: 80, environ={})
    view.update(state="knocking")
    drawn = len(out.getvalue())
    view.update(free_bytes=5)
    assert len(out.getvalue()) == drawn


def test_abort_is_red_and_stays():
    """Reason and id at the bottom until it is cleared; what to do stands above."""
    out, view = Tty(), View()
    terminal = Terminal(out, view, size=lambda: 200, environ={})
    view.update(abort="INDEX_MISMATCH: expected 4, got 5  [abort id 00ff]")
    terminal.aborted("INDEX_MISMATCH", "expected 4, got 5", "00ff")
    text = out.getvalue()
    assert "\x1b[1;97;41mABORTED  INDEX_MISMATCH: expected 4, got 5  [abort id 00ff]\x1b[0m" in text
    assert text.endswith("\x1b[0m")
    assert "Nothing is photographed until the operator confirms" in text


def test_names_from_the_network_cannot_move_the_cursor():
    """Control bytes are shown, not obeyed."""
    out, view = Tty(), View()
    Terminal(out, view, size=lambda: 200, environ={"NO_COLOR": "1"})
    view.update(abort="X: \x1b[2J\n\x07")
    assert "\\x1b[2J\\x0a\\x07" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


@pytest.mark.parametrize(
    ("out", "environ", "suits"),
    [(Tty, {"TERM": "xterm"}, True), (Tty, {"TERM": "dumb"}, False), (Tty, {}, False),
     (io.StringIO, {"TERM": "xterm"}, False)],
)  # fmt: skip
def test_only_real_terminals_get_a_status_line(out, environ, suits):
    """Pipes and logs get lines."""
    assert Terminal.suits(out(), environ) is suits
