"""A real Dask cluster of processes: a scheduler, two workers, and the command line."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rig.errors import UserError
from rig.synthesis import cluster, manifest
from rig.synthesis.cluster import cluster_executor
from rig.synthesis.image import encode_jpeg
from rig.synthesis.transform import SynthesisError

ROOT = Path(__file__).parents[2]
PATIENCE = 120


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)
    return value


@pytest.fixture
def programs(tmp_path):
    """Start Dask's own programs; whatever still runs is killed in the end."""
    running = []

    def start(*words):
        log = (tmp_path / f"dask{len(running)}.log").open("wb")
        words = [sys.executable, "-m", *map(str, words)]
        running.append(subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log))
        log.close()
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(programs, tmp_path):
    """The address of a scheduler without workers."""
    file = tmp_path / "scheduler.json"
    programs(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard",
        "--scheduler-file", file,
    )  # fmt: skip
    until(lambda: file.exists() and file.read_text().strip().endswith("}"))
    return json.loads(file.read_text())["address"]


@pytest.fixture
def worker(programs, scheduler):
    def start():
        return programs(
            "distributed.cli.dask_worker", scheduler, "--nthreads", 1, "--no-nanny",
            "--no-dashboard", "--host", "127.0.0.1",
        )  # fmt: skip

    return start


@pytest.fixture
def dataset(tmp_path, small_chexpert):
    """Many x-rays: more chunks than workers can hold at once."""
    lines = ["Path"]
    for n in range(150):
        path = tmp_path / "data" / "train" / f"p{n:03}" / "v.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_jpeg(small_chexpert[n % 50 :]))
        lines.append(f"train/p{n:03}/v.jpg")
    (tmp_path / "in.csv").write_text("\n".join(lines))
    words = ["--csv", "in.csv", "--data-dir", "data", "--recipe", "spatial", "--level", "3"]
    return [sys.executable, "-m", "rig.cli", "synthesize", *words, "--json"]


def started(words, tmp_path):
    """The command in its own folder with relative paths, which workers do not share."""
    return subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(),
    )  # fmt: skip


def environment():
    return os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_a_cluster_writes_what_one_process_writes_even_when_a_worker_is_killed(
    dataset, scheduler, worker, tmp_path
):
    workers = [worker(), worker()]
    child = started([*dataset, "--out", "far", "--scheduler", scheduler], tmp_path)
    until(lambda: len(list((tmp_path / "far").glob("train/*/*.jpg"))) > 20)
    assert child.poll() is None
    workers[0].kill()
    out, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, said
    made_before_the_end = len(list((tmp_path / "far").glob("train/*/*.jpg")))
    assert made_before_the_end == 150
    assert json.loads(out)["made"] == 150
    assert workers[1].poll() is None
    here = started([*dataset, "--out", "near", "--workers", "1"], tmp_path)
    assert here.wait(PATIENCE) == 0
    here.communicate()
    assert contents(tmp_path / "far") == contents(tmp_path / "near")


def test_a_scheduler_that_dies_ends_the_run_honestly_and_another_run_goes_on(
    dataset, programs, tmp_path
):
    """What was made is kept and whole; the sentence says what to do."""
    file = tmp_path / "scheduler.json"
    words = ["--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file]
    mortal = programs("distributed.cli.dask_scheduler", *words)
    until(lambda: file.exists() and file.read_text().strip().endswith("}"))
    address = json.loads(file.read_text())["address"]
    words = ["--nthreads", 1, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
    programs("distributed.cli.dask_worker", address, *words)
    child = started([*dataset, "--out", "far", "--scheduler", address], tmp_path)
    until(lambda: len(list((tmp_path / "far").glob("train/*/*.jpg"))) > 10)
    mortal.kill()
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 2
    assert "scheduler is gone; what is made is kept: run it again to go on" in said
    assert "Traceback" not in said
    rows = manifest.read(tmp_path / "far" / "manifest.jsonl")
    kept = {name for name, row in rows.items() if "output_sha256" in row}
    assert kept
    for name in kept:
        data = (tmp_path / "far" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == rows[name]["output_sha256"]
    again = started([*dataset, "--out", "far", "--workers", "2"], tmp_path)
    out, said = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, said
    report = json.loads(out)
    assert report["made"] + report["skipped"] == 150
    assert report["skipped"] >= len(kept)
    assert not list((tmp_path / "far").rglob("*.part"))


def test_a_scheduler_without_workers_says_so(scheduler):
    with (
        pytest.raises(SynthesisError, match=r"has no worker; start one: dask worker tcp://"),
        cluster_executor(scheduler, patience_s=0.5),
    ):
        pass


def test_an_address_where_nobody_is_says_so():
    with (
        pytest.raises(UserError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        cluster_executor("tcp://127.0.0.1:1", patience_s=0.5),
    ):
        pass


def test_workers_of_other_versions_are_refused():
    ours = manifest.versions()
    cluster.check_versions({"tcp://a:1": ours})
    with pytest.raises(SynthesisError, match=r"worker tcp://b:1 has numpy 1.0 where this machine"):
        cluster.check_versions({"tcp://a:1": ours, "tcp://b:1": ours | {"numpy": "1.0"}})


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(SynthesisError, match=r"capture-rig\[cluster\]"),
        cluster_executor("tcp://127.0.0.1:1"),
    ):
        pass
