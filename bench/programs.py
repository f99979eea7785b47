"""Child processes of a benchmark: started, waited for with what they used, never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

ROOT = Path(__file__).resolve().parents[1]
_LOOK_EVERY = 0.02
T = TypeVar("T")


class BenchError(Exception):
    """A program of the rig did not do what is to be measured; a sentence."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds of one process from its start to its end, user and system together."""

    seconds: float


class Program:
    """One process; standard output and errors go to *log*. Leaving the block ends it."""

    def __init__(self, name: str, module: str, words: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._usage: Usage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def lines(self) -> list[dict[str, Any]]:
        """The JSON objects it has printed so far."""
        return [
            json.loads(line)
            for line in self.log.read_bytes().splitlines(keepends=True)
            if line.startswith(b"{") and line.endswith(b"\n")
        ]

    def said(self, key: str, within: float) -> dict[str, Any]:
        """Its first line with *key*; raises BenchError when there is none in *within* seconds."""
        return self.await_(
            lambda: next((line for line in self.lines() if key in line), None), f"say {key}", within
        )

    def await_(self, condition: Callable[[], T | None], what: str, within: float) -> T:
        """What *condition* gives once it is not None; raises BenchError as `said`."""
        end = time.monotonic() + within
        while (found := condition()) is None:
            if time.monotonic() > end or self._reaped():
                raise BenchError(f"{self.name} did not {what}. {self._tail()}")
            time.sleep(_LOOK_EVERY)
        return found

    def finish(self, within: float) -> Usage:
        """Wait for its end with status 0; raises BenchError for any other."""
        end = time.monotonic() + within
        while not self._reaped():
            if time.monotonic() > end:
                raise BenchError(f"{self.name} did not end in {within:g} s. {self._tail()}")
            time.sleep(_LOOK_EVERY)
        if self._process.returncode != 0 or self._usage is None:
            raise BenchError(f"{self.name} ended with {self._process.returncode}. {self._tail()}")
        return self._usage

    def ask_to_leave(self) -> None:
        """Send SIGTERM; `finish` waits for the end."""
        if not self._reaped():
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Make it end, however far it is."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + 10
            if not self._reaped():
                self._process.send_signal(signum)
            while not self._reaped() and time.monotonic() < end:
                time.sleep(_LOOK_EVERY)

    def _reaped(self) -> bool:
        if self._usage is None:
            pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._usage = Usage(used.ru_utime + used.ru_stime)
                # Popen must not wait for a process that is gone.
                self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._usage is not None

    def _tail(self) -> str:
        return f"Its last words: {self.log.read_text(errors='replace')[-600:]!r}"
