"""The rig's programs as child processes: started, listened to, and stopped in order."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rig.errors import UserError

_STOP_WITHIN = 10.0
_SECRET = frozenset({"token", "sign_in"})
"""Lines with these keys are read and never logged."""


class Program:
    """One child process that prints JSON lines; its log goes to a file.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # A group of its own: Ctrl-C at the terminal reaches the command, which stops us in
            # order, instead of everybody at once.
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reader = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._reader.start()

    def expect(self, key: str, within: float) -> dict[str, Any]:
        """The next line that has *key*.

        Raises:
            UserError: the program ended, or said nothing of the kind in *within* seconds.
        """
        end = time.monotonic() + within
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise UserError(
                    f"{self.name} did not say {key!r} within {within:g} s; see {self.log}"
                ) from None
            if line is None:
                raise UserError(f"{self.name} ended by itself; see {self.log}")
            if key in line:
                return line

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask_to_end(self) -> None:
        """Send SIGTERM and return at once."""
        if self.alive:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to end, then make it."""
        self.ask_to_end()
        try:
            self._process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_STOP_WITHIN)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def _read(self) -> None:
        output = self._process.stdout
        if output is None:
            return
        for raw in output:
            try:
                line = json.loads(raw)
            except ValueError:
                line = None
            if isinstance(line, dict):
                self._lines.put(line)
            if not isinstance(line, dict) or not _SECRET & line.keys():
                self._log.write(raw)
                self._log.flush()
        self._lines.put(None)


class Programs:
    """The programs of one command; leaving the block stops them, last started first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Program] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop whatever runs; a second Ctrl-C meanwhile must not leave anything behind."""
        before = [(s, signal.signal(s, signal.SIG_IGN)) for s in (signal.SIGINT, signal.SIGTERM)]
        try:
            for program in self._running:
                program.ask_to_end()
            for program in reversed(self._running):
                program.stop()
        finally:
            for signum, handler in before:
                signal.signal(signum, handler)

    def start(self, name: str, module: str, *arguments: str) -> Program:
        """Start *module* with *arguments*."""
        program = Program(name, module, arguments, self._logs / f"{name}.log")
        self._running.append(program)
        return program

    def require_alive(self) -> None:
        """Raise UserError when one of them has ended by itself."""
        for program in self._running:
            if not program.alive:
                raise UserError(f"{program.name} ended by itself; see {program.log}")
