"""The terminal of the phone: lines that scroll, and one status line that stays at the bottom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from typing import TextIO

from phone_agent.status import Status, plain, shorten
from phone_agent.view import Snapshot, View

_CLEAR = "\r\x1b[2K"
_RED, _BOLD, _OFF = "\x1b[1;97;41m", "\x1b[7m", "\x1b[0m"


class Terminal(Status):
    """As `Status`, with a status line that is redrawn in place.

    Args:
        out: a terminal.
        view: what the status line shows.
        size: columns of the terminal, asked at each drawing; None asks the system.
        environ: the environment variables to decide by.
    """

    def __init__(
        self,
        out: TextIO,
        view: View,
        *,
        size: Callable[[], int] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._columns = size or (lambda: shutil.get_terminal_size().columns)
        super().__init__(out, environ=environ, width=self._columns())
        self._view = view
        self._open = True
        self._drawn = ""
        view.listen(self.redraw)

    @staticmethod
    def suits(out: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
        """Can *out* redraw a line?"""
        return out.isatty() and environ.get("TERM", "dumb") != "dumb"

    def redraw(self) -> None:
        """Draw the status line again if it reads differently now."""
        with self._lock:
            line = self._bottom()
            if self._open and line != self._drawn:
                self._out.write(_CLEAR + line)
                self._out.flush()
                self._drawn = line

    def close(self) -> None:
        """Take the status line away: the shell's prompt comes where it was."""
        with self._lock:
            if self._open:
                self._open = False
                self._out.write(_CLEAR)
                self._out.flush()

    def _write(self, line: str) -> None:
        with self._lock:
            if not self._open:
                self._out.write(line + "\n")
            else:
                self._drawn = self._bottom()
                self._out.write(f"{_CLEAR}{line}\n{self._drawn}")
            self._out.flush()

    def _bottom(self) -> str:
        snapshot = self._view.now
        # One column stays free: a full line makes some terminals wrap.
        text = plain(status_line(snapshot, max(self._columns() - 1, 10)), self._out)
        if not self._colour:
            return text
        return f"{_RED if snapshot.abort else _BOLD}{text}{_OFF}"


def status_line(s: Snapshot, width: int) -> str:
    """State, n of total, index, file name, result, battery and link in at most *width* columns."""
    if s.abort:
        return shorten(f"ABORTED  {s.abort}", width)
    head = f"{s.state} {s.count}/{s.total}" if s.total else s.state
    if not s.has_link and s.count:  # legacy mode: how many there will be, only the client knows
        head += f" {s.count}"
    if s.index is not None:
        head += f" #{s.index}"
    tail = "".join(
        [
            f" {s.result}" if s.result else "",
            f" bat {s.battery_pct}%{'+' if s.charging else ''}"
            if s.battery_pct is not None
            else "",
            f" {link_words(s.link_ms)}" if s.has_link else "",
        ]
    )
    name = f" {shorten(s.name, max(width - len(head) - len(tail) - 1, 8))}" if s.name else ""
    return (head + name + tail)[:width]


def link_words(link_ms: int | None) -> str:
    """The link in one or two words: the display answers every second."""
    if link_ms is None:
        return "no link"
    return "link ok" if link_ms < 3000 else f"silent {link_ms // 1000} s"
