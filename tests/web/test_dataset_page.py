"""The pages of datasets: list, build, figures, samples, check, download."""

from __future__ import annotations

import io
import tarfile
import time
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update

from rig.store import tables
from rig.synthesis import pool
from rig.web import dataset_view
from rig.web.tar_stream import ChangedError, Tar, range_of

NAME = "first-v2"


@pytest.fixture
def built(ready, monkeypatch):
    """The dataset of a campaign without photos: both kinds of twins, all x-rays are gaps."""
    monkeypatch.setattr(pool, "default_workers", lambda: 1)
    told = {"version": "2", "synthetic": ["digital", "photographic"]}
    wait(ready, ready.running.post("/api/campaigns/first/dataset", **told)["job"])
    return ready


def wait(ready, job: str) -> Any:
    end = time.monotonic() + 120
    while (found := ready.running.get(f"/api/jobs/{job}"))["state"] == "running":
        assert time.monotonic() < end, "the job does not end"
        time.sleep(0.05)
    assert found["state"] == "done", found
    return found


def get(ready, path: str, **more: Any) -> Any:
    with ready.running.operator() as client:
        return client.get(path, **more)


def text_of(ready, path: str) -> str:
    answer = get(ready, path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    assert 'style="' not in answer.text
    return str(answer.text)


def test_before_the_first_dataset_there_is_a_way_to_one(ready):
    """A form for the campaign that sends what the API takes."""
    text = text_of(ready, "/datasets")
    assert "No dataset was built yet" in text
    assert 'data-json="/api/campaigns/first/dataset"' in text
    assert "Build the dataset of first" in text


def test_a_dataset_is_listed_and_shown(built):
    """Samples side by side and over each other; figures as the command has them."""
    assert f'href="/datasets/{NAME}"' in text_of(built, "/datasets")
    text = text_of(built, f"/datasets/{NAME}")
    assert text.count('class="sample"') == 6
    assert text.count("<rig-compare") == 6
    assert "synthetic/digital" in text
    figures = text_of(built, f"/datasets/{NAME}/figures")
    told = built.running.get(f"/api/datasets/{NAME}/stats")
    assert f'<dt>Gaps</dt><dd class="num">{told["gaps"]}</dd>' in figures
    for name in told["observations"]["all"]:
        assert f'<th scope="row">{name}</th>' in figures
    assert "No patient is in more than one split" in figures


def test_pictures_of_a_dataset_are_thumbnails(built):
    """With an ETag; nothing outside of it, and nothing that is no picture."""
    root = built.running.home / "datasets" / NAME
    inside = next(root.rglob("*.jpg")).relative_to(root).as_posix()
    at = f"/datasets/{NAME}/picture"
    answer = get(built, at, params={"path": inside})
    assert Image.open(io.BytesIO(answer.content)).format == "JPEG"
    tag = {"If-None-Match": answer.headers["etag"]}
    assert get(built, at, params={"path": inside}, headers=tag).status_code == 304
    (root / "link.jpg").symlink_to(built.running.home / "rig.db")
    (root / "away").symlink_to(built.running.home)
    for path in (
        "../../rig.db", "train.csv", "/etc/passwd", "a/../../x.jpg", "link.jpg", "away/link.jpg",
        "train/none/x.jpg", "train\\x.jpg", "train/.hidden/x.jpg", "",
    ):  # fmt: skip
        assert get(built, at, params={"path": path}).status_code == 404, path


def test_a_download_is_a_whole_tar(built):
    """Every file with its bytes; its length is told before."""
    root = built.running.home / "datasets" / NAME
    answer = get(built, f"/datasets/{NAME}/download")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert f'filename="{NAME}.tar"' in answer.headers["content-disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        found = {one.name: tar.extractfile(one).read() for one in tar}
    files = [one for one in root.rglob("*") if one.is_file()]
    inside = root.parent
    assert found == {one.relative_to(inside).as_posix(): one.read_bytes() for one in files}
    assert get(built, f"/datasets/{NAME}/download?form=hf").status_code == 404
    assert get(built, f"/datasets/{NAME}/download?form=../x").status_code == 404


def test_a_download_that_broke_goes_on(built):
    """From the byte that is asked for; of another build everything is sent."""
    at = f"/datasets/{NAME}/download"
    whole = get(built, at)
    told = {"Range": "bytes=700-", "If-Range": whole.headers["etag"]}
    rest = get(built, at, headers=told)
    assert rest.status_code == 206
    size = len(whole.content)
    assert rest.headers["content-range"] == f"bytes 700-{size - 1}/{size}"
    assert whole.content[:700] + rest.content == whole.content
    part = get(built, at, headers={"Range": "bytes=510-1030"})
    assert part.content == whole.content[510:1031]
    assert get(built, at, headers={**told, "If-Range": '"older"'}).status_code == 200
    assert get(built, at, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416


def test_a_check_is_a_job_whose_answer_stays_on_the_page(built):
    """All well; then a picture is damaged, and it says so."""
    assert "not checked yet" in text_of(built, f"/datasets/{NAME}")
    assert "all well" in checked(built)
    next((built.running.home / "datasets" / NAME).rglob("*.jpg")).write_bytes(b"x")
    text = checked(built)
    assert "all well" not in text
    assert "problem" in text


def test_a_check_that_was_cut_short_is_taken_up_again(built):
    """By its number; and it can be asked for over the API, as exports can."""
    checked(built)
    (first, *_) = built.running.get("/api/jobs")
    cut = update(tables.job).where(tables.job.c.id == first["id"]).values(state="interrupted")
    built.running.rig.database.write_now(lambda c: c.execute(cut))
    assert built.running.post(f"/api/jobs/{first['id']}/resume")["id"] == first["id"]
    wait(built, first["id"])
    seen = built.running.get(f"/api/jobs/{first['id']}")
    assert (seen["kind"], seen["state"], seen["result"]["count"]) == ("check", "done", 0)
    again = built.running.post("/api/jobs", kind="check", wanted={"dataset": NAME})["id"]
    wait(built, again)
    with built.running.operator() as client:
        for body in (
            {"kind": "check", "wanted": {"dataset": "../x"}},
            {"kind": "check", "wanted": {"dataset": "none"}},
            {"kind": "export", "wanted": {"dataset": NAME, "to": "zip"}},
        ):
            assert client.post("/api/jobs", json=body).status_code in {404, 422}
        told = client.post("/api/jobs", json={"kind": "none"}).json()["detail"]
    assert all(one in told for one in ("build", "synthesis", "import", "export", "check"))


def checked(ready) -> str:
    with ready.running.operator() as client:
        answer = client.post(f"/datasets/{NAME}/check")
    assert answer.status_code == 303
    wait(ready, ready.running.get("/api/jobs")[0]["id"])
    return text_of(ready, f"/datasets/{NAME}")


def test_other_names_are_no_datasets(ready):
    """404 or 422 at every address below; 401 without sign-in."""
    for name in ("none", ".hidden", "..%2f..", "a%00"):
        for tail in ("", "/figures", "/picture?path=a/b.jpg", "/download", "/croissant.json"):
            assert get(ready, f"/datasets/{name}{tail}").status_code in {404, 422}
    with ready.running.client() as nobody:
        assert nobody.get("/datasets/x/download", follow_redirects=False).status_code in {303, 401}


def test_a_tar_can_be_cut_anywhere(tmp_path):
    """Long names and empty files too; what changes under way is no silent damage."""
    root = tmp_path / "d"
    (root / ("x" * 120)).mkdir(parents=True)
    (root / ("x" * 120) / "long.bin").write_bytes(b"l" * 1500)
    (root / "empty.txt").write_bytes(b"")
    (root / ".hidden").write_bytes(b"no")
    tar = Tar(root)
    whole = b"".join(tar.read())
    assert len(whole) == tar.size
    for begin in range(0, tar.size, 311):
        assert b"".join(tar.read(begin, begin + 400)) == whole[begin : begin + 400]
    with tarfile.open(fileobj=io.BytesIO(whole)) as found:
        assert len(found.getnames()) == 2
    (root / ("x" * 120) / "long.bin").write_bytes(b"short")
    with pytest.raises(ChangedError):
        list(tar.read())


def test_ranges_that_are_none_mean_all():
    """RFC 9110: what is not understood is left out of account."""
    for asked in (None, "", "bytes=-5", "bytes=5-2", "bytes=1-2,4-5", "lines=1-2", "bytes=a-"):
        assert range_of(asked, 10) is None
    assert range_of("bytes=3-999", 10) == (3, 10)


def test_bars_add_up():
    """Parts stand behind each other and fill the bar; nothing is no division by nothing."""
    assert dataset_view.shares([1, 1, 2]) == [(0.0, 25.0), (25.0, 25.0), (50.0, 50.0)]
    assert dataset_view.shares([0, 0]) == [(0.0, 0.0), (0.0, 0.0)]
