"""The process pool that synthesis uses by default."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import ParamSpec, TypeVar

import cv2

P = ParamSpec("P")
T = TypeVar("T")

# Options of mallopt(3).
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1


class Pool(ProcessPoolExecutor):
    """A pool that says how many *workers* it has: spawned, for OpenCV has threads."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        super().__init__(workers, mp_context=context, initializer=_start_worker)
        self.workers = workers

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As any pool; a worker that it starts is not disturbed by Ctrl-C even while it imports."""
        # A blocked signal stays blocked in what is started, through exec.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def make_pool(workers: int) -> Pool:
    """A pool of *workers* processes."""
    return Pool(workers)


def default_workers() -> int:
    """The processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def one_thread() -> None:
    """Keep OpenCV to one thread, since processes are the parallelism, and memory at hand."""
    cv2.setNumThreads(1)
    _keep_memory()


def _keep_memory() -> None:
    """Let glibc keep freed images for the next one: new pages cost a tenth of the time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, 2**30)
    mallopt(_TRIM_THRESHOLD, 2**28)


def _start_worker() -> None:
    # Ctrl-C reaches the whole terminal group; only the parent answers it, chunk by chunk.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_thread()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent closes no queue, so an idle worker would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
