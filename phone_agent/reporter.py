"""Tells the controller how the phone is, so that the operator sees it: at most once a second.

It is a courtesy: in a thread of its own, and whatever goes wrong is silent.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from phone_agent.controller import ControllerError
from phone_agent.view import View

LEAST_S = 1.0
"""Seconds between two reports."""
AGAIN_S = 15.0
"""After so long without a change it is said again: the controller keeps it in RAM only."""
REST_S = 10.0
"""After a failure."""


class Takes(Protocol):
    """What is needed of a `Controller`."""

    def report(self, status: Mapping[str, object]) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Reporter:
    """Reports the view's snapshot whenever it changes.

    Args:
        takes: the controller.
        view: what is reported.
        least_s: seconds between two reports.
        rest_s: seconds of silence after a failure.
    """

    def __init__(
        self, takes: Takes, view: View, *, least_s: float = LEAST_S, rest_s: float = REST_S
    ) -> None:
        self._takes = takes
        self._view = view
        self._least_s = least_s
        self._rest_s = rest_s
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="report", daemon=True)
        view.listen(self._changed.set)

    def start(self) -> None:
        """Begin to report; the first report goes at once."""
        self._changed.set()
        self._thread.start()

    def stop(self, timeout_s: float = 6.0) -> None:
        """End the thread, in the middle of a report if need be."""
        self._stopping.set()
        self._changed.set()
        self._takes.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        try:
            while True:
                self._changed.wait(AGAIN_S)
                self._changed.clear()
                if self._stopping.is_set():
                    return
                pause = self._least_s if self._report() else self._rest_s
                if self._stopping.wait(pause):
                    return
        finally:
            self._takes.close()

    def _report(self) -> bool:
        try:
            self._takes.report(self._view.now.for_controller())
        except ControllerError:
            return False
        return True
