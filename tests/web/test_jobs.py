"""Long work: a row, progress as events, cancelling, and no busy flag after a crash."""

import threading
import time

import pytest

from rig.capture import projections
from rig.errors import UserError
from rig.store import events, tables
from rig.store.database import Database
from rig.web import jobs
from rig.web.jobs import Handle as JobHandle
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


def test_a_job_is_resumed_under_its_number_with_what_was_wanted(runner, database):
    """After cancelling, and after a restart; a job that is done or runs is not resumed."""
    begun, go = threading.Event(), threading.Event()
    made = []

    def work(handle):
        begun.set()
        go.wait(20)
        for one in range(3):
            handle.progress(one, 3)
            if one not in made:
                made.append(one)
        return {"made": len(made)}

    job = runner.submit("wait", work, wanted={"n": 7})
    begun.wait(20)
    assert runner.cancel(job)
    go.set()
    seen = finish(runner, database, job)
    assert seen.state is JobState.CANCELLED
    assert database.query(lambda c: jobs.wanted_of(c, seen)) == {"n": 7}
    assert runner.resume(seen, work).id == job
    done = finish(runner, database, job)
    assert (done.state, done.result) == (JobState.DONE, {"made": 3})
    with pytest.raises(UserError, match="nothing to resume"):
        runner.resume(done, work)
    assert database.query(lambda c: jobs.wanted_of(c, done)) == {"n": 7}


def test_a_job_that_waits_for_its_turn_can_be_cancelled(runner, database):
    """It never begins."""
    go, ran = threading.Event(), []
    runner.submit("first", lambda _: go.wait(20) and None)
    job = runner.submit("second", lambda _: ran.append(1))
    assert runner.cancel(job)
    go.set()
    assert finish(runner, database, job).state is JobState.CANCELLED
    assert ran == []


def test_the_end_of_the_controller_interrupts_and_cancels_nothing(database):
    """What runs and what waits can both be resumed afterwards."""
    begun = threading.Event()
    runner = JobRunner(database, lambda: 1)

    def work(handle):
        begun.set()
        while True:
            handle.progress(0, 1)

    running, waiting = runner.submit("a", work), runner.submit("b", work)
    begun.wait(20)
    runner.close()
    for job in (running, waiting):
        assert database.query(lambda c, j=job: jobs.find(c, j)).state is JobState.INTERRUPTED


def test_the_intake_does_not_wait_for_long_work(runner, database):
    """A synthesis of hours holds up no batch."""
    go = threading.Event()
    runner.submit("synthesis", lambda _: go.wait(20) and None, long=True)
    job = runner.submit("intake", lambda _: {"n": 1})
    assert finish(runner, database, job).state is JobState.DONE
    go.set()


def until(running, job, states):
    for _ in range(400):
        seen = running.get(f"/api/jobs/{job}")
        if seen["state"] in states:
            return seen
        time.sleep(0.05)
    raise AssertionError(seen)


def test_a_synthesis_is_cancelled_resumed_and_skips_what_it_has(ready, serve, monkeypatch):
    """Over HTTP, with real workers; also after a restart of the controller."""
    from rig.synthesis import runner as synthesis

    monkeypatch.setattr(synthesis, "_LONGEST_CHUNK", 1)
    running, real = ready.running, JobHandle.progress

    def stop_at_two(handle, done, total):
        if done == 2:
            handle.unwanted = True
            handle.cancel()
        real(handle, done, total)

    monkeypatch.setattr(JobHandle, "progress", stop_at_two)
    wanted = {"catalog": "tiny", "recipe": "digital", "seed": 3}
    job = running.post("/api/jobs", kind="synthesis", wanted=wanted)["id"]
    seen = until(running, job, {"cancelled", "done", "failed"})
    assert (seen["state"], seen["total"]) == ("cancelled", 6), seen
    monkeypatch.setattr(JobHandle, "progress", real)
    running.stop()
    again = serve(running.home)
    assert again.post(f"/api/jobs/{job}/resume")["id"] == job
    seen = until(again, job, {"done", "failed"})
    assert seen["state"] == "done", seen
    assert seen["result"]["made"] + seen["result"]["skipped"] == 6
    assert seen["result"]["skipped"] >= 1
    folder = running.home / seen["result"]["folder"]
    assert len(list(folder.rglob("*.jpg"))) == 6
    with again.operator() as client:
        assert client.post(f"/api/jobs/{job}/resume").status_code == 409


def test_a_build_is_asked_for_over_the_api(ready):
    """The dataset of a campaign without photos: all gaps, all told; nonsense is refused."""
    running = ready.running
    job = running.post("/api/jobs", kind="build", wanted={"campaign": "first"})["id"]
    seen = until(running, job, {"done", "failed"})
    assert (seen["state"], seen["result"]["gap_count"]) == ("done", 6), seen
    assert (running.home / seen["result"]["folder"] / "captures.parquet").is_file()
    with running.operator() as client:
        for body in (
            {"kind": "shell", "wanted": {}},
            {"kind": "build", "wanted": {"campaign": "first", "version": "../x"}},
            {"kind": "build", "wanted": {"campaign": "nobody"}},
            {"kind": "build", "wanted": {"campaign": "first", "out": "/etc"}},
            {"kind": "synthesis", "wanted": {"catalog": "tiny", "recipe": "nonsense"}},
        ):
            answer = client.post("/api/jobs", json=body)
            assert answer.status_code in {404, 409, 422}, (body, answer.text)


def test_an_intake_is_resumed_as_a_new_job_of_its_session(ready):
    """What has a verdict is left alone: the hook that begins intakes decides what is left."""
    rig = ready.running.rig
    sid = ready.new_session()["id"]
    job = jobs.Job("j1", "intake", sid, JobState.INTERRUPTED, done=1, total=2)
    rig.database.write_now(lambda c: jobs._record(c, job, 1))
    with ready.running.operator() as client:
        assert client.post("/api/jobs/j1/resume").status_code == 409
        rig.on_batch = lambda rig, session: rig.jobs.submit(
            "intake", lambda _: {"verified": 1}, session=session
        )
        answer = client.post("/api/jobs/j1/resume")
    assert answer.status_code == 202
    assert answer.json()["session"] == sid
    assert answer.json()["id"] != "j1"
