"""The workers of a Dask cluster as an executor; needs the extra `cluster`."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from rig.synthesis import manifest
from rig.synthesis.transform import SynthesisError

# Workers that are given work for, however few there are at the beginning.
_LEAST = 16


@contextmanager
def cluster_executor(address: str, patience_s: float = 30.0) -> Iterator[Executor]:
    """Yield an executor of the cluster whose scheduler listens at *address*.

    The cluster's machines have to see the files under the same paths, and to run the same
    versions: another version might make other bytes, so a worker with one is refused.

    Raises:
        SynthesisError: Dask is not installed, nobody answers at *address*, no worker is there
            within *patience_s* seconds, or a worker has other versions.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise SynthesisError(
            "Dask is not installed; install capture-rig with its extra: capture-rig[cluster]."
        ) from None
    try:
        client = distributed.Client(address, timeout=patience_s, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SynthesisError(f"No Dask scheduler answers at {address}: {error}.") from error
    with _silenced("distributed", "tornado.application", "asyncio"), client:
        try:
            client.wait_for_workers(1, timeout=patience_s)
        except TimeoutError:
            raise SynthesisError(
                f"The scheduler at {address} has no worker; start one: dask worker {address}."
            ) from None
        check_versions(client.run(manifest.versions))
        yield _ClusterExecutor(client)


@contextmanager
def _silenced(*names: str) -> Iterator[None]:
    """A scheduler that dies is told in a sentence; Dask logs tracebacks of lost connections."""

    def hushed(record: logging.LogRecord) -> bool:
        return not record.name.startswith(names)

    handlers: list[logging.Handler] = []
    for name in (None, *names):
        handlers += logging.getLogger(name).handlers
    if logging.lastResort is not None:
        handlers.append(logging.lastResort)
    for handler in handlers:
        handler.addFilter(hushed)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(hushed)


class _ClusterExecutor(Executor):
    """Chunks as futures of a Dask client; one whose worker died is made by another."""

    def __init__(self, client: Any) -> None:
        # A chunk is not pure: made again, it has to find the disk as it is then.
        self._inner = client.get_executor(pure=False)
        # More may join while the work goes on.
        self.workers = max(2 * sum(client.nthreads().values()), _LEAST)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._inner.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._inner.shutdown(wait=wait)


def check_versions(found: dict[str, dict[str, str]]) -> None:
    """Refuse, with SynthesisError, workers (address -> versions) that might make other bytes."""
    ours = manifest.versions()
    for worker, theirs in sorted(found.items()):
        for name, version in ours.items():
            if theirs.get(name) != version:
                raise SynthesisError(
                    f"The worker {worker} has {name} {theirs.get(name)} where this machine has "
                    f"{version}; the same bytes need the same versions. Install them there."
                )
