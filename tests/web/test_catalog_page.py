"""The pages of catalogs: an import by path or upload, what it refused, the x-rays as pictures."""

from __future__ import annotations

import html
import io
import re
import time
import zipfile
from typing import Any

import httpx
import pytest

PAGE = {"Accept": "text/html"}


def ask(running: Any, method: str, path: str, **more: Any) -> httpx.Response:
    with running.operator() as client:
        return client.request(method, path, headers=PAGE, **more)


def text_of(running: Any, path: str) -> str:
    answer = ask(running, "GET", path)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def imported(running: Any, **fields: str) -> str:
    """Send the form, wait for the job's end; the text of its page."""
    answer = ask(running, "POST", "/catalogs", data=fields)
    assert answer.status_code == 303, answer.text
    at = answer.headers["location"]
    assert re.fullmatch(r"/catalogs/imports/j[0-9a-f]{16}", at)
    job = at.rsplit("/", 1)[1]
    end = time.monotonic() + 60
    while running.get(f"/api/jobs/{job}")["state"] == "running":
        assert time.monotonic() < end, "the import does not end"
        time.sleep(0.05)
    return text_of(running, at)


def test_files_of_the_controller_become_a_catalog(running, csv_of):
    """From the form to the job, from the job to the pictures."""
    csv, data = csv_of(3)
    text = imported(running, source="path", name="tiny", csv=str(csv), data_dir=str(data))
    assert "3 x-rays are in the catalog" in text
    shown = text_of(running, "/catalogs/tiny")
    assert shown.count('loading="lazy"') == 3
    assert "3 x-rays of 3 patients" in shown
    assert "tiny" in text_of(running, "/catalogs")


def test_bad_rows_are_told_with_their_lines_and_can_be_left_out(running, csv_of):
    """Nothing is imported before a person says so; then the good rows are."""
    csv, data = csv_of(4)
    lines = csv.read_text().splitlines()
    lines[2] = lines[2].replace("Female", "<b>Cat</b>")
    csv.write_text("\n".join(lines) + "\n")
    where = {"source": "path", "name": "tiny", "csv": str(csv), "data_dir": str(data)}
    at = ask(running, "POST", "/catalogs", data=where).headers["location"]
    text = imported(running, **where)
    assert "1 row cannot be used, 3 can" in text
    assert '<th scope="row" class="right">3</th>' in text
    assert "<b>Cat</b>" in text
    raw = ask(running, "GET", at).text
    assert "<b>Cat" not in raw
    assert running.get("/api/catalogs") == [] or "items" in running.get("/api/catalogs")
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
    text = imported(running, **hidden)
    assert "3 x-rays are in the catalog; 1 row was left out" in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"source": "path", "csv": "/x.csv", "data_dir": "/x"}, "name"),
        ({"source": "path", "name": "a b", "csv": "/x.csv", "data_dir": "/x"}, "cannot name"),
        ({"source": "path", "name": "t", "csv": "train.csv", "data_dir": "/x"}, "must be whole"),
        ({"source": "path", "name": "t", "csv": "", "data_dir": "/x"}, "Say where the CSV"),
        ({"source": "path", "name": "t", "csv": "/x\0.csv", "data_dir": "/x"}, "must be whole"),
        ({"source": "upload", "name": "t"}, "Nothing was uploaded"),
        ({"source": "upload", "name": "t", "upload": "../../etc"}, "upload"),
        ({"source": "upload", "name": "t", "upload": "u" + "0" * 16}, "No upload"),
        ({"source": "path", "name": "t", "csv": "/x", "data_dir": "/x", "order": "odd"}, "order"),
        ({"source": "path", "name": "t", "csv": "/x", "data_dir": "/x", "seed": "-1"}, "seed"),
    ],
)
def test_a_form_that_cannot_be_is_refused_in_words(running, fields, words):
    """Nothing is begun, and what was typed stays."""
    answer = ask(running, "POST", "/catalogs", data=fields)
    assert answer.status_code == 422
    assert words in html.unescape(answer.text)
    if fields.get("csv") == "train.csv":
        assert 'value="train.csv"' in answer.text


def test_a_path_that_is_not_there_ends_the_job_in_words(running):
    """The controller's disk is looked at by the job, and its answer is on the page."""
    text = imported(running, source="path", name="t", csv="/none/x.csv", data_dir="/none")
    assert "does not exist" in text


def test_a_name_that_is_taken_is_a_conflict(ready, csv_of):
    """Before any file is read."""
    fields = {"source": "path", "name": "tiny", "csv": "/x.csv", "data_dir": "/x"}
    answer = ask(ready.running, "POST", "/catalogs", data=fields)
    assert answer.status_code == 409
    assert "exists already" in answer.text


def send(running: Any, name: str, data: bytes, upload: str | None = None) -> str:
    """As the page's script does: a few bytes at a time."""
    upload = upload or running.post("/api/uploads")["id"]
    with running.operator() as client:
        for at in range(0, len(data), 1000):
            params = {"name": name, "offset": at}
            piece = data[at : at + 1000]
            answer = client.patch(f"/api/uploads/{upload}/files", params=params, content=piece)
            assert answer.is_success, answer.text
    return upload


def test_an_upload_of_a_zip_becomes_a_catalog(running, csv_of):
    """The x-rays are read from where they were unpacked; the zip itself is gone."""
    csv, data = csv_of(2)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(csv, "Tiny/train.csv")
        for file in data.rglob("*.png"):
            archive.write(file, file.relative_to(data).as_posix())
    upload = send(running, "all.zip", out.getvalue())
    assert "Sent, not imported" in text_of(running, "/catalogs")
    text = imported(running, source="upload", name="sent", upload=upload)
    assert "2 x-rays are in the catalog" in text
    assert "Sent, not imported" not in text_of(running, "/catalogs")
    assert "Sent from a person's computer" in text_of(running, "/catalogs/sent")
    shown = text_of(running, "/catalogs/sent")
    sha = re.search(r"/api/images/([0-9a-f]{64})\?", shown)
    assert sha
    with running.operator() as client:
        assert client.get(f"/api/images/{sha[1]}").status_code == 200
        assert client.delete(f"/api/uploads/{upload}").status_code == 409
    assert not list((running.home / "uploads").rglob("*.zip"))


def test_an_upload_of_a_folder_becomes_a_catalog(running, csv_of):
    """A file at a time, with the folders as the browser names them."""
    csv, data = csv_of(2)
    upload = send(running, "mine/train.csv", csv.read_bytes())
    for file in data.rglob("*.png"):
        send(running, f"mine/{file.relative_to(data).as_posix()}", file.read_bytes(), upload)
    text = imported(running, source="upload", name="sent", upload=upload)
    assert "2 x-rays are in the catalog" in text


def test_pieces_are_checked_at_the_door(running):
    """Too large, out of order, under a name that points elsewhere, without sign-in."""
    upload = running.post("/api/uploads")["id"]
    at = f"/api/uploads/{upload}/files"
    with running.operator() as client:
        said = client.patch(at, params={"name": "../x.csv", "offset": 0}, content=b"x")
        assert said.status_code == 422
        assert "cannot be the name" in said.json()["detail"]
        said = client.patch(at, params={"name": "x.csv", "offset": 7}, content=b"x")
        assert said.status_code == 409
        large = b"\0" * (8 * 1024 * 1024 + 1)
        said = client.patch(at, params={"name": "x.csv", "offset": 0}, content=large)
        assert said.status_code == 413
        assert client.get(at, params={"name": "x.csv"}).json() == {"size": 0}
        assert client.delete(f"/api/uploads/{upload}").status_code == 204
        assert client.get(f"/api/uploads/{upload}").status_code == 404
    with running.client() as nobody:
        assert nobody.post("/api/uploads").status_code == 401


def test_further_x_rays_are_a_page_away(ready):
    """An index beyond the end shows the last page."""
    text = text_of(ready.running, "/catalogs/tiny?first=5000")
    assert "X-rays 1\N{EN DASH}6" in text
    assert ask(ready.running, "GET", "/catalogs/none").status_code == 404
