"""The agent's end of a window process: started, asked, listened to and ended."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from display_agent.compose import Size
from display_agent.screens.window import WindowOptions
from rig.errors import UserError

Json = dict[str, Any]
OPEN_WITHIN, CLOSE_WITHIN = 30.0, 3.0
"""Seconds for the first word and for the end, before the process is killed."""
_CHANNELS = 3
_MODULE = "display_agent.screens.window_process"


class WindowProcess:
    """One process with one window.

    Args:
        kind: pygame or tk.
        options: what the window is to be.
        told: hears a sentence for each disturbance, on a thread of this class.
        ended: hears once why the process ended although nobody asked it to; same thread.
        pressed: hears the names of keys; same thread.
    """

    def __init__(
        self,
        kind: str,
        options: WindowOptions,
        *,
        told: Callable[[str], None],
        ended: Callable[[str], None],
        pressed: Callable[[str], None],
    ) -> None:
        self._told, self._ended, self._pressed = told, ended, pressed
        self._size: Size = (0, 0)
        self._memory: mmap.mmap | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, concurrent.futures.Future[Json]] = {}
        self._lock = threading.Lock()
        self._first: concurrent.futures.Future[Json] = concurrent.futures.Future()
        self._why: str | None = None
        self._closing = False
        self._last_words: deque[str] = deque(maxlen=5)
        words = ["--monitor", str(options.monitor)]
        if options.windowed is not None:
            words += ["--windowed", *map(str, options.windowed)]
        self._child = subprocess.Popen(
            [sys.executable, "-m", _MODULE, kind, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C at the terminal is for the agent, which closes the window in order.
            start_new_session=True,
        )
        self._threads = [
            threading.Thread(target=work, name=f"{kind} window", daemon=True)
            for work in (self._listen, self._overhear)
        ]
        for thread in self._threads:
            thread.start()

    def open(self) -> Size:
        """Wait for the window; its size in device pixels. Blocks.

        Raises:
            UserError: it cannot be opened; says what to do.
        """
        try:
            first = self._first.result(OPEN_WITHIN)
        except TimeoutError:
            raise UserError(
                f"no window came up within {OPEN_WITHIN:g} s; look at the monitor, or choose "
                "another --screen"
            ) from None
        if "failed" in first:
            raise UserError(str(first["failed"]))
        width, height = first["ready"]
        self._size = (width, height)
        self._share(width * height * _CHANNELS)
        return self._size

    def ask(self, do: str, image: Image.Image | None = None, **words: Any) -> Any:
        """Send a request; the future gives the answer, or UserError.

        Raises:
            UserError: the process has ended.
        """
        answer: concurrent.futures.Future[Json] = concurrent.futures.Future()
        with self._lock:
            if self._why is not None:
                raise UserError(self._why)
            number = next(self._numbers)
            self._waiting[number] = answer
            request = {"id": number, "do": do, **words}
            if image is not None and self._memory is not None:
                # One picture at a time: a screen waits for its answer before the next.
                data = image.tobytes()
                self._memory[: len(data)] = data
                request["mode"] = image.mode
            # Broken pipe: the listening thread tells why.
            with contextlib.suppress(OSError):
                self._send(request)
        return answer

    def picture(self, mode: str) -> Image.Image:
        """What the answer to `frame` left in the shared memory."""
        if self._memory is None:
            raise UserError("the window has no memory to share")
        width, height = self._size
        length = width * height * (1 if mode == "L" else _CHANNELS)
        return Image.frombytes(mode, self._size, self._memory[:length])

    @property
    def over(self) -> bool:
        """Whether it has ended or is about to."""
        return self._why is not None

    def kill(self) -> None:
        """End a process that does not answer; `ended` follows."""
        self._child.kill()

    def close(self) -> None:
        """End the process, by force if it does not; blocks. May be called twice."""
        self._closing = True
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._send({"id": 0, "do": "close"})
            self._stdin.close()
        try:
            self._child.wait(CLOSE_WITHIN)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for thread in self._threads:
            thread.join(CLOSE_WITHIN)
        for pipe in (self._child.stdout, self._child.stderr, self._child.stdin):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    @property
    def _stdin(self) -> Any:
        return self._child.stdin

    def _send(self, request: Json) -> None:
        self._stdin.write(json.dumps(request).encode() + b"\n")
        self._stdin.flush()

    def _share(self, length: int) -> None:
        memory = Path("/dev/shm")  # noqa: S108 - mkstemp makes the name, mode 0600
        handle, name = tempfile.mkstemp(
            prefix="capture-rig-", dir=memory if memory.is_dir() else None
        )
        try:
            os.ftruncate(handle, length)
            self._memory = mmap.mmap(handle, length)
            self.ask("attach", path=name).result(OPEN_WITHIN)
        except TimeoutError:
            raise UserError("the window does not answer; start the display agent again") from None
        finally:
            os.close(handle)
            # Both have it mapped: the name is not needed, and nothing is left behind.
            Path(name).unlink(missing_ok=True)

    # -- threads -----------------------------------------------------------------------------------

    def _listen(self) -> None:
        why = None
        for line in self._child.stdout or ():
            said = json.loads(line)
            if "id" in said:
                self._answered(said)
            elif "disturbed" in said:
                self._told(str(said["disturbed"]))
            elif "key" in said:
                self._pressed(str(said["key"]))
            elif "closed" in said:
                why = str(said["closed"])
            elif not self._first.done():
                self._first.set_result(said)
        status = self._child.wait()
        self._threads[1].join(CLOSE_WITHIN)
        self._finished(why or self._reason(status))

    def _overhear(self) -> None:
        for line in self._child.stderr or ():
            self._last_words.append(line.decode(errors="replace").strip())

    def _answered(self, said: Json) -> None:
        with self._lock:
            answer = self._waiting.pop(int(said["id"]), None)
        if answer is not None and not answer.cancelled():
            if "error" in said:
                answer.set_exception(UserError(str(said["error"])))
            else:
                answer.set_result(said)

    def _finished(self, why: str) -> None:
        with self._lock:
            self._why = why
            waiting = list(self._waiting.values())
            self._waiting.clear()
        if not self._first.done():
            self._first.set_result({"failed": why})
        for answer in waiting:
            if not answer.cancelled():
                answer.set_exception(UserError(why))
        if not self._closing:
            self._ended(why)

    def _reason(self, status: int) -> str:
        words = " ".join(word for word in self._last_words if word)[-300:]
        tail = f": {words}" if words else ""
        return (
            f"the window is gone, its process ended with status {status} (is the monitor or its "
            f"display server still there?){tail}"
        )


def list_monitors(kind: str) -> list[str]:
    """The monitors that *kind* (pygame, tk) can choose from, by number. Blocks.

    Raises:
        UserError: there is none, or its toolkit is missing.
    """
    done = subprocess.run(
        [sys.executable, "-m", _MODULE, kind, "--list-monitors"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=OPEN_WITHIN,
    )  # fmt: skip
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise UserError(f"the monitors cannot be listed: {done.stderr.strip()[-300:]}") from None
    if "failed" in said:
        raise UserError(str(said["failed"]))
    return [str(line) for line in said["monitors"]]
