"""One command at a time, in its own session, with a deadline, and nothing of it left behind.

Android 12 and later kill apps whose children are many (the phantom process killer, termux-app
issue 2366), and a camera command may hang for ever: so one child at most in the whole process, its
group is killed when its time is over, and its end is always collected.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, final

OUTPUT_MAX = 64 << 10
"""Bytes kept of each of stdout and stderr; what comes after them is read and dropped."""
_TICK_S = 0.05
_TERM_S = 0.3
_KILL_S = 2.0


class ChildError(Exception):
    """The command did not end by itself; `output` is what it had said by then."""

    def __init__(self, sentence: str, output: str = "") -> None:
        super().__init__(sentence)
        self.output = output


class ChildLate(ChildError):
    """The deadline came first; the command and its group were killed."""


class ChildCancelled(ChildError):
    """`Child.cancel` came first; the command and its group were killed."""


class NoCommand(ChildError):
    """The command could not be started: not installed, not executable, no process to be had."""


class ChildBusy(ChildError):
    """Another command of this process runs, or an earlier one cannot be killed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended by itself.

    Attributes:
        code: exit status; negative: the signal that ended it.
        out: what it wrote to stdout, at most `OUTPUT_MAX` bytes of it.
        err: the same of stderr.
    """

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both outputs, stdout first: Termux:API reports on stdout, others on stderr."""
        return "\n".join(part for part in (self.out, self.err) if part)


_turn = threading.Lock()
_holder: list[Child] = []
_undying: list[subprocess.Popen[bytes]] = []


@final
class Child:
    """Runs commands one after the other within one deadline; `cancel` from any thread.

    Args:
        background: it gives way: it does not wait for a running command (`ChildBusy`), and a
            command that is not in the background cancels it.
    """

    def __init__(self, *, background: bool = False) -> None:
        self.background = background
        self._cancelled = threading.Event()
        self._end = 0.0

    def begin(self, deadline_s: float) -> None:
        """Start a new deadline, in seconds from now, and forget an earlier `cancel`."""
        self._cancelled.clear()
        self._end = time.monotonic() + deadline_s

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            ChildLate, ChildCancelled: there are none.
        """
        if self._cancelled.is_set():
            raise ChildCancelled("It was cancelled.")
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise ChildLate("Its time is over.")
        return seconds

    def pause(self, seconds: float) -> None:
        """Wait; raises as `left` does, then at once."""
        self._cancelled.wait(min(seconds, self.left()))
        self.left()

    def cancel(self) -> None:
        """End what is under way since `begin`, and refuse what follows until the next `begin`."""
        self._cancelled.set()

    def run(self, argv: Sequence[str]) -> Ended:
        """Run one command to its end, messages in English, stdin empty.

        Raises:
            ChildLate, ChildCancelled: its whole group was killed first.
            NoCommand: it could not be started.
            ChildBusy: another command has the turn.
        """
        with self._turn():
            self.left()
            process = _start(argv)
            try:
                with contextlib.closing(_Outputs(process)) as outputs:
                    self._watch(process, outputs)
                return Ended(process.returncode, *outputs.texts())
            finally:
                _finish(process)

    def _watch(self, process: subprocess.Popen[bytes], outputs: _Outputs) -> None:
        try:
            while process.poll() is None:
                outputs.read(min(self.left(), _TICK_S))
        except ChildError as error:
            outputs.read(0)
            error.output = outputs.text
            raise

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not _turn.acquire(blocking=False):
            if self.background:
                raise ChildBusy("Another command runs.")
            self._wait_for_turn()
        try:
            _holder.append(self)
            _undying[:] = [each for each in _undying if each.poll() is None]
            if _undying:
                raise ChildBusy("An earlier command cannot be killed; restart the phone.")
            yield
        finally:
            _holder.clear()
            _turn.release()

    def _wait_for_turn(self) -> None:
        while True:
            for holder in _holder[:]:
                if holder.background:
                    holder.cancel()
            try:
                if _turn.acquire(timeout=min(self.left(), _TICK_S)):
                    return
            except ChildLate:
                raise ChildBusy("Another command runs and does not end.") from None


class _Outputs:
    """Reads both pipes without ever waiting for more than it is told to."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._pipes: list[IO[bytes]] = [p for p in (process.stdout, process.stderr) if p]
        self._kept = [bytearray() for _ in self._pipes]
        self._selector = selectors.DefaultSelector()
        for number, pipe in enumerate(self._pipes):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, number)

    def read(self, seconds: float) -> None:
        """Take what is there, or wait up to *seconds* for something."""
        if not self._selector.get_map():
            time.sleep(min(seconds, 0.005))  # both pipes are closed: the end is near
            return
        for key, _ in self._selector.select(seconds):
            for _ in range(16):  # then look at the deadline again, whatever it still has to say
                try:
                    piece = os.read(key.fd, OUTPUT_MAX)
                except BlockingIOError:
                    break
                if not piece:
                    self._selector.unregister(key.fileobj)
                    break
                kept = self._kept[key.data]
                kept += piece[: OUTPUT_MAX - len(kept)]

    def close(self) -> None:
        """Read what the pipes still hold and close them."""
        self.read(0)
        self._selector.close()
        for pipe in self._pipes:
            pipe.close()

    def texts(self) -> list[str]:
        return [kept.decode("utf-8", "replace") for kept in self._kept]

    @property
    def text(self) -> str:
        return "\n".join(self.texts())


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C"},
        )
    except OSError as error:
        raise NoCommand(f"{argv[0]} cannot be started: {error.strerror or error}.") from error


def _finish(process: subprocess.Popen[bytes]) -> None:
    """Leave no process of the group and no zombie."""
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_S)
    # Also after a good end: what the command started must not outlive it. The number is still the
    # group's as long as anybody is in it; when nobody is, there is nobody to hit.
    _signal(process.pid, signal.SIGKILL)
    try:
        process.wait(_KILL_S)
    except subprocess.TimeoutExpired:  # in the kernel, for instance in a dead driver
        _undying.append(process)


def _signal(group: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signum)
