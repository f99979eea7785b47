"""Workers that outlive what their terminal sends."""

import multiprocessing
import os
import signal

from rig.synthesis.pool import Pool


def square(number: int) -> int:
    return number * number


def test_ctrl_c_does_not_disturb_a_worker_that_is_still_starting() -> None:
    """It reaches the whole terminal group, whatever each process does just then."""
    before = set(multiprocessing.active_children())
    with Pool(1) as pool:
        future = pool.submit(square, 7)
        (child,) = set(multiprocessing.active_children()) - before
        assert child.pid is not None
        while not future.done():
            os.kill(child.pid, signal.SIGINT)
        assert future.result() == 49
        assert pool.submit(square, 8).result() == 64


def test_a_pool_leaves_ctrl_c_to_who_asks_it() -> None:
    with Pool(1) as pool:
        assert pool.submit(square, 3).result() == 9
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
