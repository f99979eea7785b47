"""VinDr's layout by the reading rules of torchxrayvision's `VinBrain_Dataset` (1.5.2, June 2026).

The library needs PyTorch, whose CPU build comes from an index of its own, so its rules are stated
here anew and applied to what we export:

1. The CSV has image_id, class_name and the four edges; every distinct image_id is one sample, in
   the order of the ids. The classes of an image are put together with `|`, so none may be blank.
2. `has_masks` is false where `No finding` is all that is said.
3. A pathology is present when its name is *part* of the classes, upper case or not, as a regular
   expression; Effusion also as `Pleural effusion`, Pleural_Thickening as `Pleural thickening`.
4. The picture is `<imgpath>/<image_id>.dicom`; its modality LUT and window are applied, it must be
   MONOCHROME1 or MONOCHROME2, and its pixels are scaled by 2 to the power of Bits Stored (8, where
   none is above 255) to -1024..1024; more than that is an error.
5. Masks: of all rows whose image_id *contains* this one (again as a regular expression), the edges
   of those of the pathology become whole numbers and a rectangle of ones.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_windowing

from rig.catalog.vindr import read_tables
from rig.dataset.box_table import iter_boxes
from rig.dataset.errors import DatasetError
from rig.dataset.export import export
from rig.dataset.statistics import statistics
from rig.dataset.vindr import read_annotations

PATHOLOGIES = sorted(
    ("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD",
     "Infiltration", "Lung Opacity", "Nodule/Mass", "Lesion", "Effusion", "Pleural_Thickening",
     "Pneumothorax", "Pulmonary Fibrosis")
)  # fmt: skip
SYNONYMS = {"Pleural_Thickening": ["Pleural thickening"], "Effusion": ["Pleural effusion"]}
EDGES = ("x_min", "y_min", "x_max", "y_max")


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as handle:
        return list(csv.DictReader(handle))


def load(images: Path, file: Path) -> list[dict]:
    """What the rules make of a CSV: a dict per sample."""
    rows = rows_of(file)
    classes: dict[str, set[str]] = {}
    for row in rows:
        assert row["class_name"], "rule 1"
        classes.setdefault(row["image_id"], set()).add(row["class_name"])
    samples = []
    for ident in sorted(classes):
        joined = "|".join(sorted(classes[ident]))
        labels = {
            name: any(re.search(one.lower(), joined.lower())
                      for one in (name, *SYNONYMS.get(name, ())))
            for name in PATHOLOGIES
        }  # fmt: skip
        picture = pixels(images / f"{ident}.dicom")
        samples.append(
            {"id": ident, "has_masks": joined != "No finding", "labels": labels, "img": picture,
             "masks": masks(rows, ident, picture.shape)}
        )  # fmt: skip
    return samples


def pixels(file: Path) -> np.ndarray:
    found = pydicom.dcmread(file)
    image = apply_windowing(apply_modality_lut(found.pixel_array, found), found).astype(float)
    depth = 8 if image.max() < 256 else int(found[0x28, 0x101].value)
    mode = found[0x28, 0x04].value
    assert mode in {"MONOCHROME1", "MONOCHROME2"}, "rule 4"
    if mode == "MONOCHROME1":
        image = 2.0**depth - image
    assert image.max() <= 2**depth, "rule 4"
    return (2 * image / 2**depth - 1) * 1024


def masks(rows: list[dict[str, str]], ident: str, size: tuple[int, ...]) -> dict[str, np.ndarray]:
    mine = [row for row in rows if re.search(ident, row["image_id"])]
    found = {}
    for name in PATHOLOGIES:
        for row in mine:
            if row["class_name"].lower() in {name.lower(), *map(str.lower, SYNONYMS.get(name, ()))}:
                left, top, right, bottom = (int(float(row[edge])) for edge in EDGES)
                mask = found.setdefault(name, np.zeros(size))
                mask[top:bottom, left:right] = 1
    return found


@pytest.fixture
def exported(boxed, tmp_path):
    report = export(boxed.root, "vindr", tmp_path / "vindr")
    return boxed.root, report


def samples(out: Path, split: str) -> list[dict]:
    return load(out / split, out / "annotations" / f"annotations_{split}.csv")


def test_every_annotated_image_is_a_sample_with_its_pixels(exported):
    """Photos and twins; those that nobody annotated are not said to be healthy."""
    root, report = exported
    index = {row["image_id"]: row for row in rows_of(report.path / "images.csv")}
    every = list(iter_boxes(root))
    annotated = {
        row["path"] for row in every
        if row["x_min"] is not None or row["class_name"] == "No finding"
    }  # fmt: skip
    assert {row["path"] for row in every} - annotated, "one whose only box fell out of the photo"
    for split in ("train", "valid"):
        found = samples(report.path, split)
        assert {one["id"] for one in found} == {
            ident for ident, row in index.items() if row["split"] == split
        }
        for one in found:
            path = index[one["id"]]["Path"]
            with Image.open(root.parent / path) as picture:
                grey = np.asarray(picture.convert("L"), dtype=float)
            np.testing.assert_allclose(one["img"], (2 * grey / 256 - 1) * 1024)
    assert {row["Path"].partition("/")[2] for row in index.values()} == annotated
    assert report.images == len(index)


def test_findings_and_no_finding_come_through(exported):
    """By image: the readers' classes, their boxes as masks, a healthy one without any."""
    root, report = exported
    index = {row["image_id"]: row["Path"] for row in rows_of(report.path / "images.csv")}
    by_path = {
        index[one["id"]].partition("/")[2]: one
        for split in ("train", "valid")
        for one in samples(report.path, split)
    }
    sick = by_path["train/natural/nokia/patient00001/study1/view1_frontal.jpg"]
    photo = index[sick["id"]].partition("/")[2]
    kept = {r["class_name"] for r in iter_boxes(root) if r["path"] == photo and r["x_min"]}
    assert {name for name, there in sick["labels"].items() if there} == kept != set()
    healthy = by_path["train/natural/nokia/patient00002/study1/view1_frontal.jpg"]
    assert not healthy["has_masks"]
    assert not any(healthy["labels"].values())
    assert healthy["masks"] == {}
    for path, one in by_path.items():
        boxes = [r for r in iter_boxes(root) if r["path"] == path and r["x_min"] is not None]
        assert {name for name, there in one["labels"].items() if there} == {
            row["class_name"] for row in boxes
        }
        for name, mask in one["masks"].items():
            wanted = np.zeros(mask.shape)
            for row in boxes:
                if row["class_name"] == name:
                    left, top, right, bottom = (int(row[edge]) for edge in EDGES)
                    wanted[top:bottom, left:right] = 1
            np.testing.assert_array_equal(mask, wanted)
        assert bool(one["masks"]) == bool(boxes)


def test_readers_boxes_stay_apart_and_exact(exported):
    """Not rounded: the edges are the dataset's own, each with its reader."""
    root, report = exported
    kept = sorted(
        (row["rad_id"], row["class_name"], *(row[edge] for edge in EDGES))
        for row in iter_boxes(root) if row["x_min"] is not None
    )  # fmt: skip
    told = sorted(
        (row["rad_id"], row["class_name"], *(float(row[edge]) for edge in EDGES))
        for split in ("train", "valid")
        for row in rows_of(report.path / f"annotations/annotations_{split}.csv") if row["x_min"]
    )  # fmt: skip
    assert told == kept
    assert report.boxes == len(kept)


def test_ids_are_no_parts_of_each_other_and_the_same_every_time(exported, tmp_path):
    """Rule 5; and the whole export has the same bytes again."""
    root, report = exported
    idents = [row["image_id"] for row in rows_of(report.path / "images.csv")]
    assert len(set(idents)) == len(idents)
    assert all(re.fullmatch(r"[0-9a-f]{32}", ident) for ident in idents)
    again = export(root, "vindr", tmp_path / "again")
    for file in sorted(report.path.rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (again.path / file.relative_to(report.path)).read_bytes()


def test_it_reads_back_as_annotations(exported):
    """Our own reader of VinDr's form takes what we write."""
    _, report = exported
    found = read_annotations(report.path / "annotations" / "annotations_train.csv")
    assert sum(box.edges is not None for boxes in found.boxes.values() for box in boxes) > 0


def test_a_dataset_without_boxes_is_refused(built):
    """With what to do."""
    with pytest.raises(DatasetError, match="build it with --boxes"):
        export(built.root, "vindr")


def test_no_person_is_named_and_the_file_is_whole_dicom(exported):
    """The dataset's own number, no name, no date; a reader that checks everything opens it."""
    _, report = exported
    for file in sorted(report.path.rglob("*.dicom")):
        found = pydicom.dcmread(file)
        assert found.PatientName == ""
        assert re.fullmatch(r"patient\d{5}", found.PatientID)
        assert found.StudyDate == ""
        assert found.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        for uid in (found.SOPInstanceUID, found.StudyInstanceUID, found.SeriesInstanceUID):
            assert uid.is_valid


@pytest.fixture
def labelled(kit, annotations, tmp_path):
    """Beside the boxes what the readers said of whole x-rays, of two of which nobody drew a box."""
    wide = tmp_path / "image_labels_train.csv"
    wide.write_text(
        "image_id,rad_id,Cardiomegaly,Nodule/Mass,COPD,Other disease,No finding\n"
        "patient00001,R1,1,0,0,1,0\npatient00001,R2,1,1,0,0,0\n"
        "patient00002,R1,0,0,0,0,1\npatient00002,R2,0,0,0,0,1\n"
        "patient00003,R1,0,0,0,1,0\npatient00003,R2,1,0,0,0,0\n"
    )
    kit.photos.append(kit.photo(4))
    kit.gaps.clear()
    kit.build(annotations=read_annotations(annotations, wide))
    return kit, export(kit.root, "vindr", tmp_path / "vindr")


def test_xrays_whose_readers_drew_nothing_are_there_with_their_labels(labelled):
    """`No finding` and impressions of the whole image: a row without a box, and image labels."""
    kit, report = labelled
    index = {row["Path"].split("/", 1)[1]: row["image_id"]
             for row in rows_of(report.path / "images.csv")}  # fmt: skip
    drawn = rows_of(report.path / "annotations/annotations_train.csv")
    wide = rows_of(report.path / "annotations/image_labels_train.csv")
    assert {row["image_id"] for row in wide} == {row["image_id"] for row in drawn}
    for patient in ("patient00002", "patient00003"):
        for kind in ("natural/nokia", "synthetic/digital"):
            ident = index[f"train/{kind}/{patient}/study1/view1_frontal.jpg"]
            told = [tuple(r.values())[1:] for r in drawn if r["image_id"] == ident]
            said = {
                r["rad_id"]: {name for name, bit in r.items() if bit == "1"}
                for r in wide if r["image_id"] == ident
            }  # fmt: skip
            if patient == "patient00002":
                assert told == [(who, "No finding", "", "", "", "") for who in ("R1", "R2")]
                assert said == {"R1": {"No finding"}, "R2": {"No finding"}}
            else:
                assert told == [("R1", "Other diseases", "", "", "", "")]
                assert said == {"R1": {"Other diseases"}, "R2": {"Cardiomegaly"}}
    assert len(index) == len(kit.photos) + 2 * len(kit.xrays) - _fallen_out(kit)


def _fallen_out(kit) -> int:
    every = list(iter_boxes(kit.root))
    return len({row["path"] for row in every} - {r["path"] for r in every if not r["dropped"]})


@pytest.mark.parametrize(
    ("made", "more"),
    [("labelled", ["Other diseases", "No finding"]), ("exported", ["No finding"])],
)
def test_what_nobody_was_asked_is_not_denied(request, made, more):
    """A column of 0 says that the readers looked: the local findings, and what somebody gave."""
    _, report = request.getfixturevalue(made)
    (wide, *_) = rows_of(report.path / "annotations/image_labels_train.csv")
    assert list(wide)[2 + 22 :] == more
    assert len(wide) == 2 + 22 + len(more)


def test_the_catalog_reads_what_is_exported(labelled):
    """The reader of released VinDr-CXR files, strict: 28 findings, a box where one is due."""
    _, report = labelled
    tables = read_tables(report.path)
    index = {row["Path"]: row["image_id"] for row in rows_of(report.path / "images.csv")}
    healthy = index["Test-v1.0/train/natural/nokia/patient00002/study1/view1_frontal.jpg"]
    assert tables.opinions(healthy) == {who: {"No finding"} for who in ("R1", "R2")}
    assert set(tables.splits) == set(index.values())


def test_labels_without_any_box_count_in_the_statistics(labelled):
    """By majority of the readers, as in VinDr's Table 2."""
    kit, _ = labelled
    found = statistics(kit.root).findings
    # Of patient00003 one of two readers said each: no majority.
    assert found.xrays == {"Cardiomegaly": 1, "Nodule/Mass": 1}
    assert found.readers == {1: 1, 2: 3}
