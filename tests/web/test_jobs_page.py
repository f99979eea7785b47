"""The pages of jobs and settings, as anybody without a script sees them."""

import pytest
from sqlalchemy import insert

from rig.store import tables
from rig.web.doctor_page import doctor_view

HOUR = 3600 * 10**9


@pytest.fixture
def job(ready):
    def add(number, state, wanted=None, **more):
        row = {"id": f"j{number:016x}", "kind": "synthesis", "state": state, "done": 0, "total": 0}
        row |= {"created_ns": number * HOUR, "updated_ns": number * HOUR + 1, **more}
        row["wanted"] = wanted
        ready.running.rig.database.write_now(lambda c: c.execute(insert(tables.job).values(**row)))
        return row["id"]

    return add


def page(ready, path, status=200):
    with ready.running.operator() as client:
        answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return answer.text


def test_each_state_says_what_it_means_and_what_can_be_done(ready, job):
    """Running ones first, with a bar; ended ones with their error, or what they made."""
    wanted = {"catalog": "chest", "recipe": "digital", "level": 2}
    running = job(1, "running", wanted, done=3, total=12)
    failed = job(
        2, "failed", {"campaign": "pilot"}, kind="build", error="The disk is full.", done=5, total=9
    )
    job(3, "done", {"catalog": "other"}, done=4, total=4, result={"made": 4, "failed_count": 0})
    job(4, "interrupted")
    text = page(ready, "/jobs")
    assert "chest, digital, level 2" in text
    assert "<strong>3</strong> of 12 twins, 25 %" in text
    assert f'data-json="/api/jobs/{running}/cancel"' in text
    assert f'data-json="/api/jobs/{running}/resume"' not in text
    assert f'data-json="/api/jobs/{failed}/resume"' in text
    assert "The disk is full." in text
    assert "4 made, 0 failed" in text
    assert "The controller stopped in the middle of it." in text
    assert text.index(running) < text.index(failed)


def test_exports_and_checks_are_named_and_lead_to_their_dataset(ready, job):
    """With what was found; one that was cut short can be resumed."""
    wanted = {"dataset": "first-v1.0", "to": "hf"}
    job(1, "done", wanted, kind="export", result={"images": 12, "path": "first-hf"})
    job(2, "done", {"dataset": "first-v1.0"}, kind="check", result={"images": 12, "count": 0})
    cut = job(3, "interrupted", {"dataset": "first-v1.0"}, kind="check")
    text = page(ready, "/jobs")
    assert "Export a dataset" in text
    assert "first-v1.0, hf" in text
    assert "Check a dataset" in text
    assert "12 images, 0 problems" in text
    assert 'href="/datasets/first-v1.0"' in text
    assert f'data-json="/api/jobs/{cut}/resume"' in text


def test_older_jobs_are_a_page_further(ready, job):
    """Thirty at once, newest first, none twice."""
    ids = [job(number, "done") for number in range(1, 36)]
    first = page(ready, "/jobs")
    assert [one for one in ids if one in first] == ids[5:]
    older = page(ready, f"/jobs?before={6 * HOUR}")
    assert [one for one in ids if one in older] == ids[:5]
    assert "Older jobs" in first
    assert "Older jobs" not in older
    assert "Nothing runs now" in older


def test_a_name_in_an_error_is_text(ready, job):
    """Whatever an error quotes, it is no markup."""
    job(1, "failed", {"campaign": "<b>"}, error="No file <script>alert(1)</script>.")
    text = page(ready, "/jobs")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_the_check_up_puts_what_is_bad_first(ready):
    """And says so in words; a controller that cannot look says that."""
    assert "was not started by" in page(ready, "/settings/doctor")
    found = [
        {"what": "Python", "status": "ok", "detail": "3.11.7", "remedy": ""},
        {"what": "clock", "status": "warn", "detail": "nobody sets it", "remedy": "Switch NTP on."},
        {"what": "disk", "status": "bad", "detail": "<1 GB free", "remedy": "Make room."},
    ]
    ready.running.rig.examine = lambda: found
    text = page(ready, "/settings/doctor")
    assert text.index("Disk.") < text.index("Clock.") < text.index("Python.")
    assert "1 to mend, 1 to look at" in text
    assert "&lt;1 GB free." in text
    assert "Make room." in text
    view = doctor_view(found, 5)
    assert (view["worst"], view["counts"]) == ("bad", {"bad": 1, "warn": 1, "ok": 1})
    assert doctor_view([found[0]], 5)["worst"] == "ok"


def test_the_pages_are_for_operators(ready):
    """Nobody else sees the home's path."""
    for path in ("/jobs", "/settings", "/settings/doctor"):
        with ready.running.client() as client:
            assert client.get(path).status_code == 401
        with ready.running.client(ready.token) as station:
            assert station.get(path).status_code == 403
    assert str(ready.running.home) in page(ready, "/settings")
