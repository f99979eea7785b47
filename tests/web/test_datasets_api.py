"""Datasets over the API: built and exported as jobs, cancelled, described."""

from __future__ import annotations

import time

import pytest

from rig.dataset import from_store
from rig.synthesis import pool


def wait(running, job: str) -> dict:
    """The job when it has ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = running.get(f"/api/jobs/{job}")
        if found["state"] != "running":
            return found
        time.sleep(0.05)
    raise AssertionError(f"the job did not end: {found}")


@pytest.fixture
def built(ready, monkeypatch):
    """A campaign's dataset, twins only, made in this process."""
    monkeypatch.setattr(pool, "default_workers", lambda: 1)
    job = ready.running.post(
        f"/api/campaigns/{campaign(ready)}/dataset", version="2", synthetic=["digital"]
    )["job"]
    return ready, wait(ready.running, job)


def campaign(ready) -> str:
    (one,) = ready.running.get("/api/campaigns")
    return one["name"]


def test_a_build_is_a_job_with_a_result(built):
    """Its name, what is in it, and how far it came."""
    ready, job = built
    name = f"{campaign(ready)}-v2"
    assert (job["kind"], job["state"], job["error"]) == ("build", "done", None)
    assert job["result"]["name"] == name
    assert job["result"]["natural"] == 0
    assert job["result"]["gap_count"] == job["result"]["synthetic"]["digital"] > 0
    assert job["done"] == job["total"] == job["result"]["gap_count"]
    assert ready.running.get("/api/datasets") == [name]


def test_a_dataset_is_described(built):
    """As the command does."""
    ready, job = built
    told = ready.running.get(f"/api/datasets/{job['result']['name']}/stats", blanks=True)
    assert told["name"] == job["result"]["name"]
    assert told["gaps"] == job["result"]["gap_count"]
    assert "blank" in told["observations"]["all"]["Edema"]


def test_an_export_is_a_job(built):
    """Beside the dataset; what cannot be is a sentence."""
    ready, job = built
    name = job["result"]["name"]
    done = wait(ready.running, ready.running.post(f"/api/datasets/{name}/export", to="hf")["job"])
    assert (done["kind"], done["state"]) == ("export", "done")
    assert done["result"]["path"] == f"{name}-hf"
    assert (ready.running.home / "datasets" / f"{name}-hf" / "train/metadata.parquet").is_file()
    assert ready.running.get("/api/datasets") == [name]
    failed = ready.running.post(f"/api/datasets/{name}/export", to="coco")["job"]
    assert "has no boxes" in wait(ready.running, failed)["error"]


def test_a_build_can_be_cancelled_and_leaves_nothing(ready, monkeypatch):
    """Between two images."""
    monkeypatch.setattr(pool, "default_workers", lambda: 1)
    real = from_store.build_from

    def slow(out, source, *, progress, **more):
        def step(done: int, total: int) -> None:
            time.sleep(0.2)
            progress(done, total)

        return real(out, source, progress=step, **more)

    monkeypatch.setattr(from_store, "build_from", slow)
    path = f"/api/campaigns/{campaign(ready)}/dataset"
    job = ready.running.post(path, synthetic=["digital", "photographic"])["job"]
    ready.running.post(f"/api/jobs/{job}/cancel")
    assert wait(ready.running, job)["state"] == "cancelled"
    assert ready.running.get("/api/datasets") == []
    assert list((ready.running.home / "datasets").iterdir()) == []
    monkeypatch.setattr(from_store, "build_from", real)
    ready.running.post(f"/api/jobs/{job}/resume")
    assert wait(ready.running, job)["state"] == "done"


def test_an_export_that_was_stopped_leaves_nothing_and_can_be_taken_up(built, monkeypatch):
    """Cancelled between two images; resumed it begins anew under its number."""
    from rig.dataset import export as forms

    ready, job = built
    name = job["result"]["name"]
    real = forms.export

    def slow(root, form, *, progress):
        def step(done: int, total: int) -> None:
            time.sleep(0.2)
            progress(done, total)

        return real(root, form, progress=step)

    monkeypatch.setattr(forms, "export", slow)
    begun = ready.running.post(f"/api/datasets/{name}/export", to="hf")["job"]
    ready.running.post(f"/api/jobs/{begun}/cancel")
    assert wait(ready.running, begun)["state"] == "cancelled"
    assert [one.name for one in (ready.running.home / "datasets").iterdir()] == [name]
    monkeypatch.setattr(forms, "export", real)
    again = ready.running.post(f"/api/jobs/{begun}/resume")
    assert again["id"] == begun
    assert wait(ready.running, begun)["result"]["path"] == f"{name}-hf"
    (ready.running.home / "datasets" / name).rename(ready.running.home / "gone")
    with ready.running.operator() as client:
        lost = client.post(f"/api/datasets/{name}/export", json={"to": "hf"})
    assert lost.status_code == 404
    assert "build one first" in lost.json()["detail"]


@pytest.mark.parametrize("name", ["nothing", "..", ".hidden", "a%2F..%2F.."])
def test_other_names_are_no_datasets(ready, name):
    """404 or 422, never a file outside the folder."""
    with ready.running.operator() as client:
        answer = client.get(f"/api/datasets/{name}/stats")
        assert answer.status_code in {404, 422}
        assert client.post("/api/campaigns/none/dataset", json={}).status_code == 404
