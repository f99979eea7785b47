"""Long work: a row, progress as events, cancelling, and no busy flag after a crash."""

import threading

import pytest

from rig.capture import projections
from rig.errors import UserError
from rig.store import events, tables
from rig.store.database import Database
from rig.web import jobs
from rig.web.jobs import JobRunner, JobState


@pytest.fixture
def database(tmp_path):
    with Database.open(tmp_path / "rig.db") as one:
        yield one


@pytest.fixture
def runner(database):
    ticks = iter(range(10**9, 10**15, 2 * 10**9))
    one = JobRunner(database, lambda: next(ticks))
    yield one
    one.close()


def finish(runner, database, job):
    runner._pool.submit(lambda: None).result(20)  # one worker: everything before is done
    return database.query(lambda c: jobs.find(c, job))


def test_a_job_tells_its_progress_and_result(runner, database):
    """Row and events agree."""

    def work(handle):
        for done in range(1, 4):
            handle.progress(done, 3)
        return {"made": 3}

    job = runner.submit("count", work)
    seen = finish(runner, database, job)
    assert (seen.state, seen.done, seen.total, seen.result) == (JobState.DONE, 3, 3, {"made": 3})
    with database.read() as connection:
        told = [e.body["state"] for e in events.after(connection, 0)]
    assert told[0] == "running"
    assert told[-1] == "done"
    assert len(told) == 5


@pytest.mark.parametrize(
    ("error", "words"),
    [(UserError("Row 7 is bad."), "Row 7 is bad."), (KeyError("secret"), "KeyError")],
)
def test_a_failed_job_says_why_without_secrets(runner, database, error, words):
    """A sentence for people; the rest is in the log."""

    def work(_handle):
        raise error

    seen = finish(runner, database, runner.submit("fail", work))
    assert seen.state is JobState.FAILED
    assert words in seen.error
    assert "secret" not in seen.error


def test_a_job_can_be_cancelled(runner, database):
    """It stops at its next sign of progress."""
    begun, go = threading.Event(), threading.Event()

    def work(handle):
        begun.set()
        go.wait(20)
        handle.progress(1, 2)

    job = runner.submit("wait", work)
    begun.wait(20)
    assert runner.cancel(job)
    go.set()
    assert finish(runner, database, job).state is JobState.CANCELLED
    assert not runner.cancel(job)


def test_jobs_of_a_dead_controller_are_interrupted(database):
    """No job looks as if it ran when nobody runs it."""
    job = jobs.Job("j1", "x", None, JobState.RUNNING, done=1, total=2)
    database.write_now(lambda c: jobs._record(c, job, 1))
    assert [one.id for one in database.write_now(lambda c: jobs.recover(c, 2))] == ["j1"]
    assert database.query(jobs.latest)[0].state is JobState.INTERRUPTED


def test_jobs_are_rebuilt_from_the_log(runner, database):
    """The row is a projection like the others."""
    finish(runner, database, runner.submit("a", lambda _: {"n": 1}))

    def rows():
        return database.query(lambda c: [tuple(r) for r in c.execute(tables.job.select())])

    before = rows()
    database.write_now(projections.rebuild)
    assert rows() == before
    assert before


def test_jobs_are_shown_and_cancelled_over_the_api(running):
    """With 409 when there is nothing to cancel."""
    job = running.rig.jobs.submit("a", lambda _: None)
    running.rig.jobs._pool.submit(lambda: None).result(20)
    assert running.get(f"/api/jobs/{job}")["state"] == "done"
    assert [one["id"] for one in running.get("/api/jobs")] == [job]
    with running.operator() as client:
        assert client.post(f"/api/jobs/{job}/cancel").status_code == 409
