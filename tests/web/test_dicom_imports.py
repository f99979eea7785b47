"""DICOM files of the controller's disk become a catalog: a job, a person's decisions, one click."""

from __future__ import annotations

import html
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

DATA = Path(__file__).parents[1] / "dicom" / "data"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """A folder with a patient's name: one sound film, one full of text, one hip."""
    folder = tmp_path / "CANARY^WARD"
    folder.mkdir()
    for name in (
        "made_chest_dx_MONOCHROME1_12bit_jpeglossless_FAKE_PHI.dcm",
        "made_chest_dx_MONOCHROME2_8bit_jpeg2000_BURNED_IN_FAKE_TEXT.dcm",
        "NEGATIVE_hip_cr_MONOCHROME2_10bit_jpeg_extended.dcm",
    ):
        (folder / f"CANARY^{name}").write_bytes((DATA / name).read_bytes())
    return folder


def ask(running: Any, method: str, path: str, **more: Any) -> httpx.Response:
    with running.operator() as client:
        return client.request(method, path, **more)


def ended(running: Any, job: str) -> dict[str, Any]:
    end = time.monotonic() + 240
    while (found := running.get(f"/api/jobs/{job}"))["state"] == "running":
        assert time.monotonic() < end, "the import does not end"
        time.sleep(0.1)
    return dict(found)


def kept(home: Path) -> bytes:
    """All that the home holds, and all texts of its database."""
    with sqlite3.connect(home / "rig.db") as database:
        told = "\n".join(database.iterdump())
    files = [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    return b"".join(files) + told.encode()


@pytest.mark.timeout(600)
def test_an_import_waits_for_decisions_and_is_one_click_afterwards(running: Any, ward: Path):
    begun = running.post("/api/dicom-imports", name="ward", paths=[str(ward)])
    first = ended(running, begun["job"])
    assert first["state"] == "failed"
    assert first["error"] == (
        "1 image waits for a person: decide at /catalogs/ward/review, then resume."
    )
    assert (first["result"]["held"], first["result"]["refused"]) == (1, 1)
    page = html.unescape(ask(running, "GET", "/catalogs/ward/review", headers=PAGE).text)
    assert f"/api/jobs/{begun['job']}/resume" in page
    assert "when none waits" in page
    (image,) = running.get("/api/catalogs/ward/review")["images"]
    decision = {"decision": "accept", "boxes": image["boxes"], "by": "Dr Ng"}
    answer = ask(running, "PUT", f"/api/catalogs/ward/review/{image['image_id']}", json=decision)
    assert answer.status_code == 200, answer.text
    page = html.unescape(ask(running, "GET", "/catalogs/ward/review", headers=PAGE).text)
    assert "when none waits" not in page
    answer = ask(running, "POST", f"/api/jobs/{begun['job']}/resume")
    assert answer.status_code == 202, answer.text
    second = ended(running, begun["job"])
    assert (second["state"], second["result"]["xrays"]) == ("done", 2)
    assert running.get("/api/catalogs/ward")["count"] == 2
    page = ask(running, "GET", "/catalogs/ward/review", headers=PAGE).text
    assert "/resume" not in page
    assert "Import DICOM files" in ask(running, "GET", "/jobs", headers=PAGE).text
    # Neither the folder nor a header is anywhere: not in the store, a log or a page.
    everything = kept(running.home)
    for word in (b"CANARY", b"FAKE", b"TESTPATIENT"):
        assert word not in everything, word


@pytest.mark.timeout(300)
def test_the_form_begins_it_and_nothing_usable_is_said(running: Any, ward: Path) -> None:
    for file in ward.iterdir():
        if "NEGATIVE" not in file.name:
            file.unlink()
    form = {"name": "hips", "paths": f"{ward}\n\n", "laterals": "on"}
    answer = ask(running, "POST", "/dicom-imports", data=form, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    (job,) = running.get("/api/jobs")
    done = ended(running, job["id"])
    assert done["state"] == "failed"
    assert "None of 1 files can be used" in done["error"]
    assert b"CANARY" not in kept(running.home)
    assert 'action="/dicom-imports"' in ask(running, "GET", "/catalogs", headers=PAGE).text


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        ({"paths": ["/no/such/CANARY"]}, 422, "Path number 1 is not there"),
        ({"paths": ["CANARY"]}, 422, "must be whole"),
        ({"paths": [str(DATA)], "annotations": "/no/CANARY"}, 422, "Path number 2"),
        ({"paths": ["/"]}, 422, "the whole disk"),
        ({"paths": ["/" + "CANARY" * 100]}, 422, "Path number 1"),
        ({"paths": ["/\0CANARY"]}, 422, "Path number 1"),
        ({"paths": []}, 422, ""),
        ({"paths": ["/"], "name": "../x"}, 422, ""),
        ({"paths": ["/"], "name": "  "}, 422, ""),
    ],
)
def test_what_cannot_begin_is_told_without_the_path(
    running: Any, told: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(running, "POST", "/api/dicom-imports", json={"name": "ward", **told})
    assert answer.status_code == status
    assert words in answer.text
    assert "CANARY" not in answer.text
    assert b"CANARY" not in kept(running.home)
    assert running.get("/api/jobs") == []


def test_annotations_that_cannot_be_used_are_told_without_a_cell_or_the_path(
    running: Any, ward: Path, tmp_path: Path
) -> None:
    tables = tmp_path / "CANARY^TABLES"
    tables.mkdir()
    (tables / "annotations_train.csv").write_text(
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n1.2.CANARY,R1,CANARY,1,2,3,4\n"
    )
    begun = running.post(
        "/api/dicom-imports", name="ward", paths=[str(ward)], annotations=str(tables)
    )
    done = ended(running, begun["job"])
    assert done["state"] == "failed"
    assert "annotations_train.csv, line 2: Its class is none" in done["error"]
    (tables / "annotations_train.csv").unlink()
    ask(running, "POST", f"/api/jobs/{begun['job']}/resume")
    done = ended(running, begun["job"])
    assert done["error"].startswith("the given place holds no annotations_")
    assert b"CANARY" not in kept(running.home)


def test_a_controller_that_was_started_anew_has_forgotten_where_the_files_lie(
    tmp_path: Path, serve: Any, ward: Path
) -> None:
    running = serve(tmp_path / "home")
    for file in ward.iterdir():
        file.unlink()
    (ward / "empty.dcm").write_bytes(b"")
    job = running.post("/api/dicom-imports", name="ward", paths=[str(ward)])["job"]
    assert ended(running, job)["state"] == "failed"
    running.stop()
    again = serve(tmp_path / "home")
    answer = ask(again, "POST", f"/api/jobs/{job}/resume")
    assert answer.status_code in {409, 422}
    assert "import them again with the same name and path" in answer.text
