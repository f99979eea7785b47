"""The small programs of Termux (`termux-*`), never more than one at a time and never for long.

Calls of the Termux:API app may hang for ever (termux-api #466, #587, #640, #861), so each has five
seconds; and it gives way at once when the camera is wanted (`phone_agent.cameras.child`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Mapping

from phone_agent.cameras.child import Child, ChildBusy, ChildCancelled, ChildLate, NoCommand

TIMEOUT_S = 5.0
"""Seconds that a program may take."""


class ToolError(Exception):
    """A program was not there, hung, failed or had to make way; the sentence says which.

    Attributes:
        gave_way: it was only in the camera's way and may be asked again soon.
    """

    def __init__(self, sentence: str, *, gave_way: bool = False) -> None:
        super().__init__(sentence)
        self.gave_way = gave_way


class Tools:
    """Runs one program at a time; from any thread.

    Args:
        timeout_s: seconds a program may take, > 0.
        environ: the environment variables to decide by.
    """

    def __init__(
        self, timeout_s: float = TIMEOUT_S, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._timeout_s = timeout_s
        self._environ = environ
        self._lock = threading.Lock()
        self._running: Child | None = None
        self._closed = False

    @property
    def on_android(self) -> bool:
        """Whether this is Termux: it sets these variables in every shell it opens."""
        environ = self._environ
        return "TERMUX_VERSION" in environ or "com.termux" in environ.get("PREFIX", "")

    def has(self, name: str) -> bool:
        """Is the program *name* installed?"""
        return shutil.which(name, path=self._environ.get("PATH")) is not None

    def run(self, name: str, *words: str, gives_way: bool = True) -> str:
        """What the program prints on stdout, at most 64 KiB.

        Args:
            name: the program.
            words: its arguments.
            gives_way: False for the last words of a process, when no camera can want the turn.

        Raises:
            ToolError: it is not installed, did not end in time, failed, or the camera is at work.
        """
        path = shutil.which(name, path=self._environ.get("PATH"))
        if path is None:
            raise ToolError(f"{name} is not installed: pkg install termux-api")
        child = Child(background=gives_way)
        with self._lock:
            if self._closed and gives_way:
                raise ToolError(f"{name} was not called: the agent stops", gave_way=True)
            self._running = child
        child.begin(self._timeout_s)
        try:
            ended = child.run([path, *words])
        except (ChildBusy, ChildCancelled) as error:
            raise ToolError(f"{name} gave way to the camera", gave_way=True) from error
        except ChildLate as error:
            raise ToolError(
                f"{name} did not answer within {self._timeout_s:g} s; open the Termux:API app once"
            ) from error
        except NoCommand as error:
            raise ToolError(str(error)) from error
        if ended.code:
            raise ToolError(f"{name} ended with status {ended.code}")
        return ended.out

    def close(self) -> None:
        """End the program that runs, and call no more that give way."""
        with self._lock:
            self._closed = True
            if self._running is not None:
                self._running.cancel()


class WakeLock:
    """Termux's wake lock: the CPU and the Wi-Fi stay awake, the screen does not (termux-app #361).

    Args:
        tools: runs `termux-wake-lock` and `termux-wake-unlock`.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.held = False

    def take(self) -> None:
        """Take it; raises ToolError when that cannot be done."""
        self._tools.run("termux-wake-lock")
        self.held = True

    def release(self) -> None:
        """Let go of it, as the last thing a process does; a failure is of no interest then."""
        if self.held:
            self.held = False
            with contextlib.suppress(ToolError):
                self._tools.run("termux-wake-unlock", gives_way=False)
