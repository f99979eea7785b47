"""The bundled x-rays are whole, small, licensed, and importable."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter

from PIL import Image

from rig import sample
from rig.catalog.chexpert import CatalogImport, import_csv

FREE = (
    "No restrictions on use; attribution required (NIH Clinical Center)",
    "CC0",
    "CC BY 3.0",
)


def licences() -> list[dict[str, str]]:
    with (sample.data_dir() / "LICENSES.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def imported() -> CatalogImport:
    return import_csv(sample.csv_path(), sample.data_dir())


def test_the_csv_imports_without_a_problem() -> None:
    """All 48 rows are good, and index i is row i."""
    result = imported()
    assert result.problems == ()
    assert [x.index for x in result.xrays] == list(range(1, 49))
    assert all(x.path.startswith("CheXpert-sample/train/") for x in result.xrays)


def test_several_patients_have_several_studies_and_views() -> None:
    """The sample exercises what a flat list of patients would not."""
    xrays = imported().xrays
    studies = Counter(x.patient for x in {(x.patient, x.study): x for x in xrays}.values())
    views = Counter((x.patient, x.study) for x in xrays)
    assert len(studies) >= 40
    assert sum(n > 1 for n in studies.values()) >= 3
    assert any(n > 1 for n in views.values())


def test_every_file_is_a_grey_jpeg_of_useful_size() -> None:
    """Pictures decode fully, are 8-bit grey, and 512 to 1024 pixels on every side."""
    for xray in imported().xrays:
        with Image.open(xray.file) as picture:
            picture.load()
            assert (picture.format, picture.mode) == ("JPEG", "L")
            assert min(picture.size) >= 512
            assert max(picture.size) <= 1024


def test_no_picture_carries_exif() -> None:
    """No device, place or name hides in the metadata."""
    for xray in imported().xrays:
        with Image.open(xray.file) as picture:
            assert not picture.getexif()


def test_the_whole_sample_stays_small() -> None:
    """It travels in the wheel: under 6 MB."""
    files = [f for f in sample.data_dir().rglob("*") if f.is_file() and f.suffix != ".pyc"]
    assert sum(f.stat().st_size for f in files) < 6_000_000


def test_every_picture_has_one_licence_row_with_its_hash() -> None:
    """LICENSES.csv and the folder name the same files with the same bytes."""
    rows = licences()
    on_disk = {
        f.relative_to(sample.data_dir()).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sample.data_dir().rglob("*.jpg")
    }
    assert len(rows) == len(on_disk) == 48
    assert {row["path"]: row["sha256"] for row in rows} == on_disk


def test_every_licence_is_a_free_one_and_complete() -> None:
    """Nothing share-alike or non-commercial; every row has source, link, credit and changes."""
    for row in licences():
        assert row["licence"].startswith(FREE), row["path"]
        assert all(row.values()), row["path"]
        assert row["licence_url"].startswith("https://")


def test_labels_follow_from_the_source_labels() -> None:
    """No label was invented: each 1.0 stems from a word of the source; no 0.0, no -1.0."""
    same = {
        "No Finding",
        "Cardiomegaly",
        "Edema",
        "Consolidation",
        "Pneumonia",
        "Atelectasis",
        "Pneumothorax",
    }
    renamed = {
        "Effusion": "Pleural Effusion",
        "Infiltration": "Lung Opacity",
        "Mass": "Lung Lesion",
        "Nodule": "Lung Lesion",
        "Pleural_Thickening": "Pleural Other",
    }
    words = {row["path"]: row["source_labels"].split("|") for row in licences()}
    for xray in imported().xrays:
        expected = {renamed.get(w, w) for w in words[xray.path] if w in same or w in renamed}
        assert {k for k, v in xray.labels.items() if v} == expected, xray.key
        assert set(xray.labels.values()) <= {"", "1.0"}


def test_the_notes_name_each_source_and_its_citation() -> None:
    """Whoever reads only LICENSES.md can still attribute correctly."""
    notes = (sample.data_dir() / "LICENSES.md").read_text(encoding="utf-8")
    for needed in (
        "Not for diagnosis",
        "NIH Clinical Center",
        "https://nihcc.app.box.com/v/ChestXray-NIHCC",
        "3462-3471",
        "10.6084/m9.figshare.12275009",
        "creativecommons.org/licenses/by/3.0",
        "Stillwaterising",
    ):
        assert needed in notes
