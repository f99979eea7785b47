"""What the phone shows in its terminal: one line per photo, and the abort in red."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TextIO

_RED, _YELLOW, _OFF = "\x1b[1;97;41m", "\x1b[33m", "\x1b[0m"
WHAT_TO_DO = "Nothing is photographed until the operator confirms this id at the computer."
"""After an abort."""


@dataclass(frozen=True, slots=True)
class PhotoLine:
    """One photo as the person at the phone wants to see it.

    Attributes:
        index: x-ray index.
        count: how many of the subset are taken, 1..total.
        total: how many the subset has.
        name: the photo's file name.
        result: what became of it, such as "stored", "retake: CAMERA_EMPTY" or "paused: DISK_LOW".
        link: state of the link, such as "12 ms" or "lost 4 s".
        battery: percent, or None when the phone does not tell.
    """

    index: int
    count: int
    total: int
    name: str
    result: str
    link: str
    battery: int | None


class Status:
    """Writes lines for a person, or JSON lines for a program; from any thread.

    Args:
        out: where to; flushed after every line.
        json_lines: one JSON object per line instead of text.
        colour: None decides by terminal, `NO_COLOR` and `TERM`.
        width: columns to which the file name is shortened; None asks the terminal, and
            leaves lines whole where there is none.
        environ: the environment variables to decide by.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        json_lines: bool = False,
        colour: bool | None = None,
        width: int | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        tty = out.isatty()
        self._out = out
        self._json = json_lines
        self._colour = wants_colour(tty, environ) if colour is None else colour
        self._width = width or (shutil.get_terminal_size().columns if tty else None)
        self._lock = threading.Lock()

    def photo(self, line: PhotoLine) -> None:
        """One photo."""
        if self._json:
            self._object("photo", **asdict(line))
            return
        battery = "-" if line.battery is None else f"{line.battery} %"
        head = f"{line.count}/{line.total}  #{line.index}  "
        tail = f"  {line.result}  link {line.link}  battery {battery}"
        name = line.name
        if self._width is not None:
            name = shorten(name, max(self._width - len(head) - len(tail), 16))
        self._line(
            f"{head}{name}{tail}", _YELLOW if line.result.startswith(("retake", "paused")) else ""
        )

    def note(self, kind: str, text: str) -> None:
        """Something else worth knowing; `kind` is one word for programs, such as "upload"."""
        if self._json:
            self._object("note", kind=kind, text=text)
        else:
            self._line(text)

    def warning(self, kind: str, text: str) -> None:
        """As `note`, in yellow: a person may have to do something."""
        if self._json:
            self._object("warning", kind=kind, text=text)
        else:
            self._line(text, _YELLOW)

    def aborted(self, code: str, why: str, abort_id: str) -> None:
        """The run is over until a person re-arms it."""
        if self._json:
            self._object("aborted", code=code, why=why, abort_id=abort_id)
            return
        self._line(f"ABORTED  {code}: {why}  [abort id {abort_id}]", _RED)
        self._line(WHAT_TO_DO)

    def completed(self, count: int, chain: str) -> None:
        """All photos of the subset are committed."""
        if self._json:
            self._object("completed", count=count, chain=chain)
        else:
            self._line(f"COMPLETED  {count} photos, chain {chain[:16]}")

    def close(self) -> None:
        """Nothing more is shown; a terminal takes its status line away."""

    def _object(self, event: str, **fields: object) -> None:
        self._write(json.dumps({"event": event, **fields}))

    def _line(self, text: str, colour: str = "") -> None:
        text = plain(text, self._out)
        self._write(f"{colour}{text}{_OFF}" if colour and self._colour else text)

    def _write(self, line: str) -> None:
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()


def plain(text: str, out: TextIO) -> str:
    """*text* as *out* can show it: names and reasons come over the network, so no control byte."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    encoding = getattr(out, "encoding", None) or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def wants_colour(tty: bool, environ: Mapping[str, str]) -> bool:
    """Colours only for a terminal whose owner has not refused them."""
    return tty and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def shorten(name: str, width: int) -> str:
    """Cut the middle out: campaign and hash, the two ends, tell photos apart at a glance."""
    if len(name) <= width:
        return name
    left = (width - 2) // 2
    return f"{name[:left]}..{name[left + 2 - width :]}"
