"""Habits of every test: no leaked task, no unannounced skip."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

# The README announces these and no others; any other skip fails CI.
# With root .ci/run has installed what they need, so there a skip is an error like any other.
ANNOUNCED_SKIPS = frozenset() if os.geteuid() == 0 else frozenset({"netns"})


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: programs that tests start would not hear Ctrl-C either.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest_asyncio.fixture
async def _watch_tasks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    yield
    left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task() and not t.done()]
    names = [t.get_name() for t in left]
    for task in left:
        task.cancel()
    assert not names, f"{request.node.nodeid} left tasks running: {names}"


@pytest.fixture(autouse=True)
def _no_leaked_tasks(request: pytest.FixtureRequest) -> None:
    """An asynchronous test that leaves a task behind fails."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_watch_tasks")


@pytest.fixture(autouse=True)
def _fresh_logging() -> Iterator[None]:
    """A command run inside a test configures logging on that test's streams, for nobody else."""
    yield
    if (structlog := sys.modules.get("structlog")) is not None:
        structlog.reset_defaults()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Under CI a skip that the README does not announce is an error."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    for report in reporter.stats.get("skipped", []):
        if not any(word in str(report.longrepr) for word in ANNOUNCED_SKIPS):
            reporter.write_line(f"\nunannounced skip: {report.nodeid}: {report.longrepr}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
