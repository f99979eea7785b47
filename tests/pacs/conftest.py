"""A real Orthanc in a network namespace of its own, and small DICOM files to fill it with.

Orthanc listens on all addresses whatever it is told, so it runs where there is only loopback; so do
the commands that talk to it. Needs root and iproute2; skipped with the word `netns` without them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

PATIENCE = 120.0
DATA = Path(__file__).parents[1] / "dicom" / "data"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
TITLE, DICOM, HTTP = "ORTHANC", 4242, 8042
CANARY = "CANARY"
"""Every identifier of made files has it in it."""


def until(condition: Callable[[], Any], sentence: str, seconds: float = PATIENCE) -> Any:
    """Poll another process; it has its own clock, so this one is the wall's."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, sentence
        time.sleep(0.05)
    return found


def missing() -> str | None:
    """Why there can be no namespace here."""
    if sys.platform != "linux":
        return "this is not Linux"
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    return None if os.geteuid() == 0 else "not root"


class Namespace:
    """A network with nothing but loopback."""

    def __init__(self, number: int) -> None:
        for gone in _leftovers():
            subprocess.run(["ip", "netns", "del", gone], check=False, capture_output=True)
        self.name = f"xcap-{os.getpid()}-o{number}"
        self.inside = ["ip", "netns", "exec", self.name]

    def lay(self) -> None:
        for words in (("netns", "add", self.name), ("-n", self.name, "link", "set", "lo", "up")):
            subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)


def _leftovers() -> list[str]:
    """Namespaces of test runs that were killed."""
    names = [p.name for p in Path("/run/netns").glob("xcap-*-o*")]
    return [n for n in names if not Path(f"/proc/{n.split('-')[1]}").exists()]


class Orthanc:
    """A PACS that can be killed and started again with what it holds."""

    peer = f"{TITLE}@127.0.0.1:{DICOM}"
    web = f"http://127.0.0.1:{HTTP}/dicom-web"

    def __init__(self, folder: Path, space: Namespace) -> None:
        self.folder = folder
        self.space = space
        self.log = folder / "orthanc.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._commands: list[subprocess.Popen[str]] = []
        folder.mkdir()
        self.configure()

    def configure(self, **options: Any) -> None:
        """Write the configuration; takes effect at the next start."""
        ours = {"Host": "127.0.0.1", "Port": 11112, "AET": "RIG"}
        told = {
            "StorageDirectory": str(self.folder / "db"),
            "IndexDirectory": str(self.folder / "db"),
            "HttpPort": HTTP,
            "DicomPort": DICOM,
            "DicomAet": TITLE,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowEcho": False,
            "AuthenticationEnabled": False,
            "SaveJobs": False,
            "DicomModalities": {
                "rig": {
                    **ours,
                    **dict.fromkeys(
                        ("AllowEcho", "AllowFind", "AllowGet", "AllowMove", "AllowStore"), True
                    ),
                }
            },
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **options,
        }
        (self.folder / "orthanc.json").write_text(json.dumps(told))

    def start(self) -> None:
        # It dies with this process, whatever this process dies of.
        words = ["setpriv", "--pdeathsig", "KILL", shutil.which("Orthanc") or "/usr/sbin/Orthanc"]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*self.space.inside, *words, str(self.folder / "orthanc.json")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until(self._up, f"Orthanc did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(PATIENCE)
            self._child = None

    def _up(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, self.log.read_text(errors="replace")[-2000:]
        return self.rest("GET", "system") is not None

    def rest(self, method: str, path: str, body: Path | None = None) -> Any:
        """Its own API; None when it does not answer well."""
        words = ["curl", "-s", "-f", "-X", method, f"http://127.0.0.1:{HTTP}/{path}"]
        if body is not None:
            words += ["--data-binary", f"@{body}"]
        done = subprocess.run(
            [*self.space.inside, *words], check=False, capture_output=True, text=True
        )
        return json.loads(done.stdout or "{}") if done.returncode == 0 else None

    def take(self, files: Sequence[Path]) -> None:
        """Store *files* in it."""
        for file in files:
            assert self.rest("POST", "instances", file) is not None, file.name

    def rig(
        self, *words: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `rig pacs` beside it."""
        return subprocess.run(
            self._words(words), capture_output=True, text=True, check=False,
            env={**os.environ, **(env or {})},
        )  # fmt: skip

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `rig pacs` beside it; ended with the test."""
        child = subprocess.Popen(
            self._words(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._commands.append(child)
        return child

    def _words(self, words: Sequence[str]) -> list[str]:
        return [*self.space.inside, sys.executable, "-m", "rig.cli", "pacs", *words]

    def close(self) -> None:
        for child in self._commands:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            child.communicate()
        self.kill()


def made(
    number: int, *, study: int = 0, size: int = 16, modality: str = "CR", part: str = "CHEST"
) -> Dataset:
    """A small x-ray whose every identifier is a canary; *study* and *number* give its UIDs."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    one.StudyInstanceUID = generate_uid(entropy_srcs=["study", str(study)])
    one.SeriesInstanceUID = generate_uid(entropy_srcs=["series", str(study), modality, part])
    one.SOPInstanceUID = generate_uid(entropy_srcs=["image", str(study), str(number)])
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    one.PatientName, one.PatientID = f"{CANARY}^NAME{study}", f"{CANARY}-ID-{study}"
    one.AccessionNumber, one.ReferringPhysicianName = f"{CANARY}A", f"{CANARY}^DOCTOR"
    one.StudyDate, one.StudyDescription = f"2021{1 + study % 12:02}15", f"THORAX {study}"
    one.Modality, one.BodyPartExamined, one.InstanceNumber = modality, part, number
    one.Rows = one.Columns = size
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 0
    pixels = np.random.default_rng(number).integers(0, 4096, (size, size), dtype=np.uint16)
    one.PixelData = pixels.tobytes()
    return one


def part10(dataset: Dataset) -> bytes:
    """The bytes of its file."""
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture
def write_made(tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes *count* made x-rays, *per_study* in each study; options as `made`."""

    def write(count: int, *, per_study: int = 3, **options: Any) -> list[Path]:
        files = []
        for number in range(count):
            file = tmp_path / "made" / f"{number}.dcm"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(part10(made(number, study=number // per_study, **options)))
            files.append(file)
        return files

    return write


@pytest.fixture
def dicoms() -> dict[str, Any]:
    """Helpers that tests of this folder share."""
    return {
        "made": made, "part10": part10, "until": until, "canary": CANARY, "data": DATA,
        "journal": journal, "stored": stored,
    }  # fmt: skip


def journal(quarantine: Path) -> list[dict[str, Any]]:
    """The whole lines of its journal."""
    file = quarantine / "journal.jsonl"
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def stored(quarantine: Path) -> dict[str, Path]:
    """SOP Instance UID -> its file, each readable and there once."""
    found: dict[str, Path] = {}
    for file in sorted((quarantine / "files").rglob("*.dcm")):
        uid = str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)
        assert uid not in found, "an instance is there twice"
        found[uid] = file
    return found


_numbers = iter(range(10_000))


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """A running, empty PACS; it and its network are gone after the test in all cases."""
    why = missing()
    if why:
        pytest.skip(f"netns: {why}")
    assert PLUGIN.exists(), "Orthanc is not installed: apt-get install orthanc orthanc-dicomweb"
    space = Namespace(next(_numbers))
    pacs = Orthanc(tmp_path / "orthanc", space)
    try:
        try:
            space.lay()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"netns: not allowed here: {error.stderr.strip()}")
        pacs.start()
        yield pacs
    finally:
        pacs.close()
        space.remove()
