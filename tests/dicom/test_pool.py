"""A worker that dies costs its own task and no other."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from rig.dicom.pool import Crew
from rig.synthesis.pool import make_pool


def double_or_die(task: int) -> int:
    if task == 13:
        os._exit(9)
    return task * 2


def run(tasks, pool=make_pool, workers=2):
    with Crew(pool, workers) as crew:
        return sorted(crew.run(double_or_die, tasks, lambda task: -task))


def test_every_task_but_the_deadly_one_gets_done():
    assert run(list(range(20))) == sorted([*(2 * n for n in range(20) if n != 13), -13])


def test_nothing_to_do_starts_no_process():
    def never(_workers):
        raise AssertionError

    assert run([], never) == []


def test_any_executor_will_do():
    assert run([1, 2, 3], ThreadPoolExecutor) == [2, 4, 6]
