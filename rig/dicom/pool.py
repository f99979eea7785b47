"""Work for processes that may die: a decoder that crashes costs one row, not the import."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
MakePool = Callable[[int], Executor]
"""Makes an executor of that many workers."""

_AHEAD = 3  # tasks per worker that wait in its queue


class Crew:
    """Worker processes that are replaced when they die; for use in a `with` block.

    Args:
        make_pool: of processes.
        workers: how many.
    """

    def __init__(self, make_pool: MakePool, workers: int) -> None:
        self._make_pool = make_pool
        self._workers = workers
        self._pool: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        crashed: Callable[[Task], Result],
    ) -> Iterator[Result]:
        """The results of all *tasks*, as they come.

        Args:
            function: of one task; importable by the workers.
            tasks: any number.
            crashed: the result of a task that kills its worker.
        """
        left = iter(tasks)
        while True:
            doubtful: list[Task] = []
            yield from self._until_broken(function, left, doubtful)
            if not doubtful:
                return
            self._close()
            # Whichever of these it was does it again, alone.
            for task in doubtful:
                yield self._alone(function, task, crashed)

    def _until_broken(
        self, function: Callable[[Task], Result], left: Iterator[Task], doubtful: list[Task]
    ) -> Iterator[Result]:
        waiting: dict[Future[Result], Task] = {}
        while not doubtful:
            for task in islice(left, self._workers * _AHEAD - len(waiting)):
                try:
                    waiting[self._submit(function, task)] = task
                except BrokenProcessPool:
                    doubtful.append(task)
                    break
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                task = waiting.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    doubtful.append(task)
                else:
                    yield result
        doubtful += waiting.values()

    def _submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        if self._pool is None:
            self._pool = self._make_pool(self._workers)
        return self._pool.submit(function, task)

    def _alone(
        self,
        function: Callable[[Task], Result],
        task: Task,
        crashed: Callable[[Task], Result],
    ) -> Result:
        pool = self._make_pool(1)
        try:
            return pool.submit(function, task).result()
        except BrokenProcessPool:
            return crashed(task)
        finally:
            pool.shutdown(cancel_futures=True)

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
