"""`rig catalog import-dicom` as a person runs it: processes, output, and silence about people."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from pydicom import uid

from rig.cli import main

CANARY = "CANARY"
LET_IN = ("--accept-unreviewed",)  # a ramp is no chest, and somebody should look at it


def run(*words, home):
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    return subprocess.run(
        [sys.executable, "-m", "rig.cli", "catalog", *map(str, words), "--home", str(home)],
        capture_output=True, text=True, check=False, timeout=240, env=environment,
    )  # fmt: skip


def other(good, modality, last):
    """*good* with another modality and SOP Instance UID."""
    told = b"\x08\x00\x60\x00CS\x02\x00"
    assert told + b"DX" in good
    return good.replace(told + b"DX", told + modality).replace(b"1.2.3.4.5", b"1.2.3.4." + last)


@pytest.fixture(scope="module")
def scans(tmp_path_factory, request):
    """A good file, and bad ones of many kinds, all full of canaries, with canaries for names."""
    from importlib import util

    spec = util.spec_from_file_location("dicom_kit", request.path.with_name("conftest.py"))
    made = util.module_from_spec(spec)
    spec.loader.exec_module(made)
    folder = tmp_path_factory.mktemp("scans")
    stored = np.tile(made.ramp(), (4, 3))
    good = made.planted(stored, BitsStored=12, PatientID=CANARY, WindowCenter=2048,
                        WindowWidth=4096)  # fmt: skip
    for name, data in {
        "good": good,
        "cut": good[: len(good) // 2].replace(b"1.2.3.4.5", b"1.2.3.4.6"),
        "ct": other(good, b"CT", b"7"),
        "modality": other(good, b"CA", b"8"),
        "noise": bytes(b ^ (0xFF if 400 < i < 420 else 0) for i, b in enumerate(good)),
        "text": CANARY.encode() * 100,
        "prefix": b"\0" * 128 + b"DICM" + CANARY.encode() * 50,
    }.items():
        (folder / f"{CANARY}^{name}.dcm").write_bytes(data)
    stream = made.dataset_of(made.ramp(), BitsStored=12, PatientID=CANARY, PatientName=CANARY)
    broken = made.with_stream(stream, b"\xff\x4f\xff\x51" + CANARY.encode() * 30 + b"\xff\xd9")
    (folder / f"{CANARY}^j2k").write_bytes(made.file_of(broken, uid.JPEG2000Lossless))
    broken = made.with_stream(stream, b"\xff\xd8\xff\xc3" + CANARY.encode() * 30 + b"\xff\xd9")
    broken.SOPInstanceUID = "1.2.3.4.99"
    (folder / f"{CANARY}^jpeg").write_bytes(made.file_of(broken, uid.JPEGLosslessSV1))
    return folder


def bytes_below(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def first(scans, tmp_path_factory):
    """A home, and what the first import into it said."""
    home = tmp_path_factory.mktemp("home")
    return home, run("import-dicom", "ward", scans, "--json", *LET_IN, home=home)


def nothing_is_kept(home):
    for file, data in bytes_below(home).items():
        assert CANARY.encode() not in data, file
        assert CANARY not in str(file)


def test_nothing_of_a_header_or_a_file_name_is_told_or_kept(first):
    home, done = first
    assert done.returncode == 1, done.stderr
    assert CANARY not in done.stdout + done.stderr
    nothing_is_kept(home)
    *lines, last = map(json.loads, done.stdout.splitlines())
    assert [line["file"] for line in lines] == list(range(1, 10))
    assert last["files"] == 9
    assert last["imported"] == last["count"] == 1
    assert last["refused"] == 8
    assert all(line["reason"] for line in lines if line["decision"] == "refused")
    (good,) = [line for line in lines if line["decision"] == "imported"]
    assert good["index"] == 1


def test_the_same_is_said_in_words(first, scans):
    home, _ = first
    done = run("import-dicom", "ward", scans, *LET_IN, home=home)
    assert done.returncode == 1
    assert CANARY not in done.stdout + done.stderr
    assert "file 1: refused" in done.stdout
    assert "9 files: 1 imported, 0 held, 8 refused, 0 duplicate" in done.stdout


def test_names_are_printed_when_asked_for_and_kept_nowhere(first, scans):
    home, _ = first
    done = run("import-dicom", "ward", scans, "--names", "--json", *LET_IN, home=home)
    lines = list(map(json.loads, done.stdout.splitlines()))
    assert lines[0]["path"].endswith(f"{CANARY}^ct.dcm")
    assert CANARY not in done.stderr
    nothing_is_kept(home)


def test_an_unknown_path_is_bad_usage_and_its_name_is_not_said(tmp_path):
    done = run("import-dicom", "ward", tmp_path / "SMITH^JOHN", home=tmp_path / "home")
    assert done.returncode == 2
    assert "PATH number 1" in done.stderr
    assert "SMITH" not in done.stderr


def test_the_catalog_can_be_shown_planned_and_imported_again(kit, tmp_path, capsys):
    home = ["--home", str(tmp_path / "home")]
    words = ["catalog", "import-dicom", "vindr", str(kit.data / "vindr" / "train"), "--annotations",
             str(kit.data / "vindr" / "annotations"), "--workers", "1", *LET_IN, *home]  # fmt: skip
    assert main(words) == 0
    assert "vindr: 5 x-rays, index 1 to 5" in capsys.readouterr().out
    assert main([*words, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["earlier"]
    assert main(["catalog", "show", "vindr", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out)["patients"] == 5
    plan = ["campaign", "create", "camp", "--catalog", "vindr", "--device", "nokia",
            "--subset-size", "2-3", *home]  # fmt: skip
    assert main(plan) == 0


def test_workers_must_be_a_number_of_processes(tmp_path, capsys):
    words = ["catalog", "import-dicom", "a", str(tmp_path), "--workers", "0"]
    assert main([*words, "--home", str(tmp_path)]) == 2
    assert "--workers" in capsys.readouterr().err
