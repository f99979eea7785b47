"""`rig pacs` against a real Orthanc: echo, find, get, move, DICOMweb, and what goes wrong."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

WAYS: dict[str, tuple[str, ...]] = {"get": ("get",), "move": ("move",), "web": ("web", "get")}


def words_of(way: str, orthanc: Any) -> tuple[str, ...]:
    return (*WAYS[way], orthanc.web if way == "web" else orthanc.peer)


@pytest.fixture
def filled(orthanc: Any, dicoms: dict[str, Any]) -> Any:
    """Orthanc with published files: JPEG 2000, JPEG-LS, RLE, JPEG; CR, CT, MR, DX."""
    orthanc.take(sorted(dicoms["data"].glob("NEGATIVE*.dcm")))
    orthanc.take(sorted((dicoms["data"] / "vindr" / "train").glob("*.dicom"))[:2])
    return orthanc


def found(orthanc: Any, *words: str, web: bool) -> list[dict[str, Any]]:
    head = ("web", "find", orthanc.web) if web else ("find", orthanc.peer)
    done = orthanc.rig(*head, *words, "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["series"])


def test_an_echo_says_whether_we_are_known(filled: Any) -> None:
    done = filled.rig("echo", filled.peer)
    assert (done.returncode, done.stdout) == (0, f"ORTHANC at 127.0.0.1:{4242} answers.\n")


@pytest.mark.parametrize(
    ("peer", "ours", "sentence"),
    [
        ("WRONG@127.0.0.1:4242", "RIG", "is not called WRONG"),
        ("ORTHANC@127.0.0.1:4242", "NOBODY", "does not allow this request from the AE title NOB"),
        ("ORTHANC@127.0.0.1:4299", "RIG", "Nobody answers at 127.0.0.1:4299"),
        ("ORTHANC@127.0.0.1:8042", "RIG", "may not speak DICOM there"),
    ],
)
def test_whoever_is_not_let_in_is_told_why(
    orthanc: Any, peer: str, ours: str, sentence: str
) -> None:
    """A wrong AE title on either side, nobody there, a port that is something else."""
    done = orthanc.rig("echo", peer, "--as", ours, "--timeout", "5")
    assert done.returncode == 2
    assert sentence in done.stderr


@pytest.mark.parametrize("web", [False, True], ids=["C-FIND", "QIDO"])
def test_filters_are_kept(filled: Any, web: bool) -> None:
    """Modality (in the study, and of the series), body part, dates, description, UID."""
    every = found(filled, web=web)
    assert sorted(one["modality"] for one in every) == ["CR", "CR", "CT", "DX", "DX", "MR"]
    crs = found(filled, "--modality", "CR", web=web)
    assert sorted(one["body_part"] for one in crs) == ["EXTREMITY", "HIP"]
    several = found(filled, "--modality", "CR,DX", "--body-part", "HIP,CHEST", web=web)
    assert sorted(one["body_part"] for one in several) == ["CHEST", "CHEST", "HIP"]
    hip = found(filled, "--body-part", "HIP", web=web)
    assert [one["body_part"] for one in hip] == ["HIP"]
    unknown = found(filled, "--body-part", "HIP", "--unknown-body-part", web=web)
    assert sorted(one["body_part"] for one in unknown) == ["", "", "HIP"]
    assert found(filled, "--from", "2005-01-01", "--modality", "CR", web=web) == []
    dated = found(filled, "--from", "2004-08-26", "--until", "2004-08-26", web=web)
    assert {one["date"] for one in dated} == {"20040826"}
    for pattern in ("*HIP*", "HIP JOINT"):
        joint = found(filled, "--description", pattern, web=web)
        assert [one["description"] for one in joint] == ["HIP JOINT"]
    assert found(filled, "--study", hip[0]["study"], web=web) == hip


@pytest.mark.parametrize("way", WAYS)
def test_a_pull_brings_every_image_as_it_is_stored_and_once(
    filled: Any, dicoms: dict[str, Any], tmp_path: Path, way: str
) -> None:
    """Compressed images are not re-coded; a second pull asks for nothing; nobody else may read."""
    quarantine = tmp_path / "quarantine"
    words = (*words_of(way, filled), "--to", str(quarantine), "--json")
    first = filled.rig(*words)
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert (told["asked"], told["got"], told["before"]) == (6, 6, 0)
    again = json.loads(filled.rig(*words).stdout)
    assert (again["asked"], again["got"], again["before"]) == (6, 0, 6)
    files = dicoms["stored"](quarantine)
    originals = [
        *dicoms["data"].glob("NEGATIVE*.dcm"),
        *sorted((dicoms["data"] / "vindr" / "train").glob("*.dicom"))[:2],
    ]
    for original in originals:
        source = pydicom.dcmread(original)
        pulled = pydicom.dcmread(files[str(source.SOPInstanceUID)])
        assert pulled.file_meta.TransferSyntaxUID == source.file_meta.TransferSyntaxUID
        assert pulled.PixelData == source.PixelData
    assert stat.S_IMODE(quarantine.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}


@pytest.mark.parametrize("way", WAYS)
def test_a_pull_that_is_killed_goes_on(
    orthanc: Any,
    dicoms: dict[str, Any],
    write_made: Callable[..., list[Path]],
    tmp_path: Path,
    way: str,
) -> None:
    """SIGKILL in the middle: the next run brings the rest, nothing twice, nothing missing."""
    orthanc.take(write_made(30))
    quarantine = tmp_path / "quarantine"
    words = (*words_of(way, orthanc), "--to", str(quarantine), "--json")
    child = orthanc.begin(*words, "--per-second", "5")
    dicoms["until"](lambda: len(got(dicoms, quarantine)) >= 5, "no 5 images")
    child.kill()
    child.communicate()
    before = len(got(dicoms, quarantine))
    assert before < 30, "it was killed too late"
    done = orthanc.rig(*words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # A file whose line the kill prevented counts as here, too.
    assert told["asked"] == 30
    assert told["before"] in {before, before + 1}
    assert told["got"] == 30 - told["before"]
    came = got(dicoms, quarantine)
    assert len(came) == len(set(came)) == len(dicoms["stored"](quarantine)) == 30
    assert not list(quarantine.rglob("*.part"))


@pytest.mark.parametrize("way", WAYS)
def test_a_pull_that_is_ended_leaves_at_once_and_goes_on(
    orthanc: Any,
    dicoms: dict[str, Any],
    write_made: Callable[..., list[Path]],
    tmp_path: Path,
    way: str,
) -> None:
    """SIGTERM, as Ctrl-C: exit 130 and one sentence; no thread keeps the process."""
    orthanc.take(write_made(12))
    quarantine = tmp_path / "quarantine"
    words = (*words_of(way, orthanc), "--to", str(quarantine), "--json")
    child = orthanc.begin(*words, "--per-second", "2")
    dicoms["until"](lambda: got(dicoms, quarantine), "no image")
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=300)
    assert (child.returncode, out) == (130, "")
    assert err == "rig pacs: stopped; running it again is safe.\n"
    done = json.loads(orthanc.rig(*words).stdout)
    assert done["before"] + done["got"] == len(dicoms["stored"](quarantine)) == 12


@pytest.mark.parametrize("way", WAYS)
def test_a_pacs_that_dies_and_comes_back_is_asked_again(
    orthanc: Any,
    dicoms: dict[str, Any],
    write_made: Callable[..., list[Path]],
    tmp_path: Path,
    way: str,
) -> None:
    """The association breaks in the middle; the same run waits and goes on where it was."""
    orthanc.take(write_made(30))
    quarantine = tmp_path / "quarantine"
    words = (*words_of(way, orthanc), "--to", str(quarantine), "--json")
    child = orthanc.begin(*words, "--per-second", "5", "--tries", "20", "--timeout", "30")
    dicoms["until"](lambda: len(got(dicoms, quarantine)) >= 5, "no 5 images")
    orthanc.kill()
    assert child.stderr is not None
    assert "Trying again in" in child.stderr.readline()
    orthanc.start()
    out, err = child.communicate(timeout=300)
    told = json.loads(out)
    assert (child.returncode, told["got"], told["stopped"]) == (0, 30, None), err
    assert told["retries"] >= 1
    came = got(dicoms, quarantine)
    assert len(came) == len(set(came)) == len(dicoms["stored"](quarantine)) == 30
    assert dicoms["canary"] not in out + err


def test_a_pacs_that_stays_away_ends_the_pull_with_what_there_is(
    orthanc: Any, dicoms: dict[str, Any], write_made: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """Exit 1, and the sentence says who does not answer."""
    orthanc.take(write_made(30))
    quarantine = tmp_path / "quarantine"
    words = ("get", orthanc.peer, "--to", str(quarantine), "--json", "--tries", "2")
    child = orthanc.begin(*words, "--per-second", "5")
    dicoms["until"](lambda: len(got(dicoms, quarantine)) >= 5, "no 5 images")
    orthanc.kill()
    out, _ = child.communicate(timeout=300)
    told = json.loads(out)
    assert child.returncode == 1
    assert 5 <= told["got"] < 30
    assert "Nobody answers at 127.0.0.1:4242" in told["stopped"]


@pytest.mark.parametrize("way", WAYS)
def test_a_full_disk_stops_the_pull_and_room_lets_it_go_on(
    orthanc: Any,
    dicoms: dict[str, Any],
    write_made: Callable[..., list[Path]],
    tmp_path: Path,
    way: str,
) -> None:
    """A real file system of 600 kB, later 20 MB: what was whole stays, the rest comes."""
    orthanc.take(write_made(20, size=160))  # about 51 kB each
    quarantine = tmp_path / "quarantine"
    quarantine.mkdir()
    words = [*words_of(way, orthanc), "--to", str(quarantine), "--json", "--spare-gb", "0"]
    script = """
mount -t tmpfs -o size=600k tmpfs "$1" || exit 99
place=$1; shift
"$@" > "$place.first" 2> "$place.err"; echo $? > "$place.code"
mount -o remount,size=20m "$place" || exit 99
"$@" > "$place.second" 2>> "$place.err"; code=$?
ls -A "$place"/files/* | grep -c part > "$place.parts"
exit $code
"""
    command = [sys.executable, "-m", "rig.cli", "pacs", *words]
    done = subprocess.run(
        [*orthanc.space.inside, "sh", "-c", script, "sh", str(quarantine), *command],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    err = Path(f"{quarantine}.err").read_text()
    assert done.returncode == 0, done.stderr + err
    first, second = (json.loads(Path(f"{quarantine}.{n}").read_text()) for n in ("first", "second"))
    assert Path(f"{quarantine}.code").read_text() == "1\n"
    assert "is full: make room" in first["stopped"]
    assert 5 <= first["got"] < 20
    assert (second["before"], second["before"] + second["got"]) == (first["got"], 20)
    assert Path(f"{quarantine}.parts").read_text() == "0\n"
    assert "Traceback" not in err


def test_an_image_that_is_gone_does_not_keep_back_the_others(
    orthanc: Any, dicoms: dict[str, Any], write_made: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """Deleted at the PACS between question and request: one failed, with its reason; exit 1."""
    orthanc.take(write_made(12, per_study=12))
    quarantine = tmp_path / "quarantine"
    words = ("web", "get", orthanc.web, "--to", str(quarantine), "--json", "--tries", "1")
    child = orthanc.begin(*words, "--per-second", "4")
    dicoms["until"](lambda: got(dicoms, quarantine), "no image")
    asked = [row["asked"] for row in dicoms["journal"](quarantine) if "asked" in row]
    by_uid = {
        orthanc.rest("GET", f"instances/{one}")["MainDicomTags"]["SOPInstanceUID"]: one
        for one in orthanc.rest("GET", "instances")
    }
    orthanc.rest("DELETE", f"instances/{by_uid[asked[-1]]}")
    out, err = child.communicate(timeout=300)
    told = json.loads(out)
    assert child.returncode == 1, err
    assert told["got"] == 11
    assert sum(told["failed"].values()) == 1
    assert "HTTP 404" in next(iter(told["failed"]))


def test_a_destination_that_the_pacs_does_not_know_is_explained(
    orthanc: Any, write_made: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """C-MOVE to a title that is not entered there; and one that is, where nobody listens."""
    orthanc.take(write_made(2))
    orthanc.kill()
    orthanc.configure(
        DicomAlwaysAllowEcho=True,
        DicomAlwaysAllowFind=True,
        DicomAlwaysAllowMove=True,
        DicomModalities={"elsewhere": ["RIG", "127.0.0.1", 11999]},
    )
    orthanc.start()
    to = ("--to", str(tmp_path / "quarantine"), "--tries", "1", "--json")
    unknown = orthanc.rig("move", orthanc.peer, *to, "--as", "STRANGER")
    assert unknown.returncode == 1
    told = json.loads(unknown.stdout)
    assert "STRANGER" in (told["stopped"] or str(told["failed"]))
    deaf = json.loads(orthanc.rig("move", orthanc.peer, *to).stdout)
    assert "reach our receiver at 127.0.0.1:11112" in str(deaf["failed"])


def test_nothing_of_a_header_is_printed_logged_or_written_beside_the_files(
    orthanc: Any, dicoms: dict[str, Any], tmp_path: Path
) -> None:
    """Not even where values break their own rules, which the libraries like to quote."""
    broken = dicoms["made"](1)
    with pytest.warns(UserWarning, match="CANARY"):
        broken.PatientAge = f"{dicoms['canary']}-AGE-OF-THE-PATIENT"
    with pytest.warns(UserWarning, match="CANARY"):
        broken.PatientBirthDate = dicoms["canary"]
    file = tmp_path / "broken.dcm"
    file.write_bytes(dicoms["part10"](broken))
    orthanc.take([file])
    every = ""
    for way in WAYS:
        quarantine = tmp_path / way
        for extra in ((), ("--json",)):
            done = orthanc.rig(*words_of(way, orthanc), "--to", str(quarantine), *extra)
            assert done.returncode == 0, done.stderr
            every += done.stdout + done.stderr
        assert len(dicoms["stored"](quarantine)) == 1
        every += (quarantine / "journal.jsonl").read_text()
        every += "".join(map(str, quarantine.rglob("*")))
    every += (
        orthanc.rig("find", orthanc.peer).stdout + orthanc.rig("web", "find", orthanc.web).stdout
    )
    assert dicoms["canary"] not in every
    assert "THORAX 0" in every  # what is asked for is shown


def got(dicoms: dict[str, Any], quarantine: Path) -> list[str]:
    return [row["got"] for row in dicoms["journal"](quarantine) if "got" in row]
