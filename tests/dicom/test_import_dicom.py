"""From hospital files to a catalog: what gets in, what does not, and why."""

from __future__ import annotations

import csv
import json
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from rig.capture.dicom_catalog import import_dicom
from rig.catalog.dicom_import import Options
from rig.dicom import reviews, screening
from rig.dicom.decoding import decode
from rig.dicom.outliers import PictureLimits
from rig.dicom.pseudonyms import load_key
from rig.dicom.reading import read
from rig.dicom.reviews import Review
from rig.dicom.screening import Screening
from rig.dicom.text import LIMITS
from rig.errors import UserError
from rig.store import catalogs
from rig.store.database import Database

HEADERS_ONLY = Screening(
    text=False,
    picture=PictureLimits(
        least_side=1, longest_aspect=99, nothing=0, least_entropy=0, most_black=1, most_white=1,
        most_border=1, least_sharpness=0,
    ),
)  # fmt: skip
"""The images here are small and computed: what rules over pictures think of them is not asked."""


class Here(Executor):
    """Works in this process, at once; stops as Ctrl-C does after *most* tasks."""

    def __init__(self, done: list, most: int) -> None:
        self._done, self._most = done, most

    def submit(self, fn, /, *args, **kwargs):
        if fn.__name__ == "make" and len(self._done) >= self._most:
            raise KeyboardInterrupt
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        if fn.__name__ == "make":
            self._done.append(args[0].number)
        return future


@dataclass
class Ward:
    """A home, a folder of scans, and the import."""

    home: Path
    scans: Path
    database: Database
    kit: type
    made: list[int] = field(default_factory=list)

    def put(self, name: str, pixels=None, **elements) -> Path:
        file = self.scans / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if pixels is None:
            pixels = self.picture(len(list(self.scans.rglob("*"))))
        elements.setdefault("SOPInstanceUID", f"1.2.{len(list(self.scans.rglob('*')))}")
        elements.setdefault("PatientID", f"patient of {name}")
        elements.setdefault("StudyInstanceUID", f"{elements['SOPInstanceUID']}.1")
        elements.setdefault("BitsStored", 12)
        file.write_bytes(self.kit.file(self.kit.dataset(pixels, **elements)))
        return file

    def picture(self, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(0, 60, (48, 64))
        return (self.kit.ramp() * 0.9 + 150 + noise).clip(0, 4095).astype(np.uint16)

    def run(self, name="ward", *, most=10**6, paths=None, wait=False, link=None, **options):
        self.made.clear()
        options.setdefault("how", HEADERS_ONLY)
        return import_dicom(
            self.database, self.home, new_id=f"{len(name):016x}", name=name,
            paths=paths or [self.scans], options=Options(**options), order="csv", seed=0,
            wait_for_review=wait, link_file=link, now_ns=1, actor="test",
            make_pool=lambda _workers: Here(self.made, most),
        )  # fmt: skip

    def xrays(self, name="ward"):
        def look(connection):
            return catalogs.xrays(connection, catalogs.find(connection, name).id)

        return self.database.query(look)

    def rows(self, done):
        """File name -> row."""
        return {one.path.name: row for one, row in zip(done.inputs, done.rows, strict=True)}

    def review(self, image_id, decision, boxes=()):
        review = Review(image_id=image_id, decision=decision, boxes=boxes, by="Dr Test", time_ns=1)
        reviews.save(self.home, review)


@pytest.fixture
def ward(tmp_path, kit):
    scans = tmp_path / "scans"
    scans.mkdir()
    with Database.open(tmp_path / "home" / "rig.db") as database:
        yield Ward(tmp_path / "home", scans, database, kit)


def test_good_images_become_a_catalog_like_any_other(ward):
    ward.put("a.dcm", PatientSex="F", PatientAge="057Y", ViewPosition="AP")
    ward.put("b.dcm", PatientSex="M", PatientAge="101Y", PhotometricInterpretation="MONOCHROME1")
    done = ward.run()
    assert done.well
    assert done.counts == {"imported": 2, "held": 0, "refused": 0, "duplicate": 0}
    first, second = ward.xrays()
    assert (first.sex, first.age, first.frontal_lateral, first.ap_pa) == (
        "Female", "57", "Frontal", "AP",
    )  # fmt: skip
    assert (second.sex, second.age, second.ap_pa) == ("Male", "90", "PA")
    names = load_key(ward.home)
    sop = str(read(ward.scans / "a.dcm").SOPInstanceUID)
    assert first.view == names.image_id(sop) == done.rows[0].image_id
    assert first.patient == names.patient("patient of a.dcm")
    assert done.indices == {first.view: 1, second.view: 2}
    for one in (first, second):
        shown = cv2.imread(str(one.file), cv2.IMREAD_UNCHANGED)
        assert shown.dtype == np.uint8
        assert shown.shape == (one.height, one.width) == (48, 64)
        clean = read(ward.home / "catalogs" / "ward" / "dicom" / f"{one.view}.dicom")
        assert clean.PatientIdentityRemoved == "YES"
        assert one.file.stat().st_mode & 0o077 == 0
    assert (decode(clean) == decode(read(ward.scans / "b.dcm"))).all()
    assert clean.PatientAge == "090Y"


def test_each_bad_file_costs_one_row_with_its_reason(ward, kit):
    ward.put("good.dcm")
    cut = ward.put("cut.dcm")
    cut.write_bytes(cut.read_bytes()[:-3000])
    ward.put("frames.dcm", NumberOfFrames=3)
    ward.put("colour.dcm", PhotometricInterpretation="RGB", SamplesPerPixel=3)
    ward.put("empty.dcm", Rows=0)
    ward.put("nouid.dcm", SeriesInstanceUID=None)
    ward.put("ct.dcm", Modality="CT")
    ward.put("hip.dcm", BodyPartExamined="HIP")
    ward.put("absurd.dcm", WindowCenter=1e6, WindowWidth=3)
    (ward.scans / "notes.txt").write_text("image_id\n")
    (ward.scans / "zero.dcm").write_bytes(b"")
    rows = ward.rows(ward.run())
    said = {name: (str(row.outcome), row.reason) for name, row in rows.items()}
    assert {name for name, (outcome, _) in said.items() if outcome == "imported"} == {
        "good.dcm", "absurd.dcm",
    }  # fmt: skip
    for name, word in {
        "frames.dcm": "frames", "colour.dcm": "colour", "empty.dcm": "zero", "nouid.dcm": "UID",
        "ct.dcm": "CT", "hip.dcm": "HIP", "notes.txt": "not a DICOM", "zero.dcm": "cut short",
        "cut.dcm": "cut short",
    }.items():  # fmt: skip
        assert said[name][0] == "refused"
        assert word in said[name][1], name
    with (ward.home / "catalogs" / "ward" / "report.csv").open(newline="") as handle:
        report = list(csv.DictReader(handle))
    assert [int(row["file"]) for row in report] == list(range(1, 12))
    kept = ward.database.query(lambda c: catalogs.find(c, "ward"))
    assert len(kept.problems) == 9


def test_nothing_usable_makes_no_catalog_but_a_report(ward):
    ward.put("hip.dcm", BodyPartExamined="HIP")
    done = ward.run()
    assert done.kept is None
    assert not done.well
    assert (done.folder / "report.csv").is_file()


def test_no_file_at_all_is_an_error(ward):
    with pytest.raises(UserError, match="no file"):
        ward.run()


def test_the_same_image_twice_is_there_once(ward):
    pixels = ward.picture(1)
    ward.put("a.dcm", pixels, SOPInstanceUID="1.2.9", PatientID="P")
    ward.put("b.dcm", pixels, SOPInstanceUID="1.2.9", PatientID="P", StudyDescription="copy")
    done = ward.run()
    assert [str(row.outcome) for row in done.rows] == ["imported", "duplicate"]
    assert "It is file 1." in done.rows[1].reason
    assert done.well


@pytest.mark.parametrize("other", ["pixels", "patient"])
def test_one_uid_for_two_images_refuses_both(ward, other):
    pixels = ward.picture(1)
    ward.put("a.dcm", pixels, SOPInstanceUID="1.2.9", PatientID="P")
    ward.put(
        "b.dcm", ward.picture(2) if other == "pixels" else pixels, SOPInstanceUID="1.2.9",
        PatientID="Q" if other == "patient" else "P",
    )  # fmt: skip
    ward.put("c.dcm")
    done = ward.run()
    assert [str(row.outcome) for row in done.rows] == ["refused", "refused", "imported"]
    assert "other pixels" in done.rows[0].reason


def test_a_patient_in_two_splits_stops_everything_before_anything_is_written(ward):
    ward.put("train/a.dcm", PatientID="SMITH")
    ward.put("train/b.dcm", PatientID="SMITH")
    ward.put("test/c.dcm", PatientID="SMITH ")
    ward.put("test/d.dcm", PatientID="JONES")
    with pytest.raises(UserError) as error:
        ward.run()
    sentence = str(error.value)
    assert load_key(ward.home).patient("SMITH") in sentence
    assert "test: file 1" in sentence
    assert "train: file 3, 4" in sentence
    assert "SMITH" not in sentence
    assert not (ward.home / "catalogs" / "ward" / "images").exists()


def test_an_image_that_is_refused_by_its_header_overlaps_nothing(ward):
    ward.put("train/a.dcm", PatientID="SMITH")
    ward.put("valid/b.dcm", PatientID="SMITH", BodyPartExamined="HIP")
    ward.run()
    assert [one.split for one in ward.xrays()] == ["train"]


def test_splits_come_from_the_nearest_folder(ward):
    ward.put("train/a.dcm")
    ward.put("test/b.dcm")
    ward.put("val/c.dcm")
    ward.put("d.dcm")
    rows = ward.rows(ward.run())
    assert {name: row.split for name, row in rows.items()} == {
        "a.dcm": "train", "b.dcm": "test", "c.dcm": "valid", "d.dcm": "train",
    }  # fmt: skip


def test_patients_without_a_name_are_told_apart_by_study(ward):
    ward.put("a.dcm", PatientID="", StudyInstanceUID="1.7")
    ward.put("b.dcm", PatientID="ANONYMOUS", StudyInstanceUID="1.7")
    ward.put("c.dcm", PatientID="", StudyInstanceUID="1.8")
    ward.put("d.dcm", PatientID="", PatientName="X^Y", PatientBirthDate="19600101")
    ward.put("e.dcm", PatientID="", PatientName="X^Y", PatientBirthDate="19600101")
    rows = ward.rows(ward.run())
    a, b, c, d, e = (rows[f"{name}.dcm"].patient for name in "abcde")
    assert a == b
    assert d == e
    assert len({a, c, d}) == 3


def test_running_it_again_changes_nothing_and_tells_the_same(ward):
    ward.put("a.dcm")
    ward.put("b.dcm", BodyPartExamined="HIP")
    first = ward.run()
    before = snapshot(ward.home / "catalogs")
    again = ward.run()
    assert again.earlier
    assert not first.earlier
    assert again.rows == first.rows
    assert again.indices == first.indices
    assert ward.made == []
    assert snapshot(ward.home / "catalogs") == before


@pytest.mark.parametrize("change", ["file", "option"])
def test_the_name_of_another_import_is_taken(ward, change):
    ward.put("a.dcm")
    ward.run()
    if change == "file":
        ward.put("b.dcm")
    with pytest.raises(UserError, match="Choose another name"):
        ward.run(keep_16_bit=change == "option")


def snapshot(folder):
    return {
        file: (file.stat().st_mtime_ns, file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_an_interrupted_import_goes_on_where_it_stopped(ward):
    for name in "abcdef":
        ward.put(f"{name}.dcm")
    with pytest.raises(KeyboardInterrupt):
        ward.run(most=3)
    assert len(ward.made) == 3
    journal = ward.home / "catalogs" / "ward" / "journal.jsonl"
    done = journal.read_bytes()
    journal.write_bytes(done[:-9])  # torn, as by a power cut
    finished = ward.run()
    assert finished.well
    noted = len(done.splitlines())
    # What was noted and whole is not made again; the torn row is.
    assert len(ward.made) == 6 - (noted - 1)
    assert [one.index for one in ward.xrays()] == [1, 2, 3, 4, 5, 6]


def test_files_that_vanished_are_made_again(ward):
    ward.put("a.dcm")
    ward.put("b.dcm")
    with pytest.raises(KeyboardInterrupt):
        ward.run(most=1)
    next((ward.home / "catalogs" / "ward" / "images").rglob("*.png")).unlink()
    ward.run()
    assert sorted(ward.made) == [1, 2]


def go_on(ward, spoil, **options):
    """Numbers made anew after *spoil* (of the folder) between two runs, while one image waits."""
    for name in "ab":
        ward.put(f"{name}.dcm", WindowCenter=2048, WindowWidth=4096)
    ward.put("odd.dcm", BodyPartExamined="BEARD")
    folder = ward.run(wait=True, **options).folder
    kept = {file: file.read_bytes() for file in folder.rglob("*.*") if file.suffix != ".jsonl"}
    spoil(folder)
    ward.run(wait=True, **options)
    for file, data in kept.items():
        assert file.read_bytes() == data, file
    return ward.made


def first(folder, pattern):
    return min(folder.glob(pattern))


def cut(file):
    file.write_bytes(file.read_bytes()[:-20])


def bent(file):
    """One bit is another, the size is the same."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("spoil", [Path.unlink, cut, bent], ids=["missing", "cut", "one bit"])
@pytest.mark.parametrize("place", ["images16/**/*.png", "images/**/*.png", "dicom/*.dicom"])
def test_any_file_that_is_missing_or_damaged_is_made_again_and_no_other(ward, place, spoil):
    made = go_on(ward, lambda folder: spoil(first(folder, place)), keep_16_bit=True)
    assert made in ([1], [2])


def test_what_is_whole_is_not_made_again(ward):
    assert go_on(ward, lambda _folder: None, keep_16_bit=True) == []


def test_a_held_picture_that_is_missing_is_made_again(ward):
    ward.put("text.dcm", BurnedInAnnotation="YES")
    done = ward.run(wait=True)
    ward.run(wait=True)
    assert ward.made == []
    (picture,) = (done.folder / "held").glob("*.png")
    picture.unlink()
    ward.run(wait=True)
    assert ward.made == [1]
    assert picture.is_file()


def test_another_detector_or_other_limits_of_it_screen_again(ward, monkeypatch):
    ward.put("a.dcm", BodyPartExamined="BEARD")  # waits, so that no catalog ends it
    ward.put("b.dcm")
    how = replace(HEADERS_ONLY, text=True)
    ward.run(wait=True, how=how)
    ward.run(wait=True, how=how)
    assert ward.made == []
    ward.run(wait=True, how=replace(how, letters=replace(LIMITS, contrast=30.0)))
    assert sorted(ward.made) == [1, 2]
    monkeypatch.setattr(screening, "VERSION", screening.VERSION + 1)
    ward.run(wait=True, how=how)
    assert sorted(ward.made) == [1, 2]
    # Nobody asks for text: the search has no say in it.
    ward.run(wait=True)
    monkeypatch.undo()
    ward.run(wait=True)
    assert ward.made == []


def test_what_was_let_in_by_an_older_search_is_held_and_taken_out_of_the_way(ward):
    """The image lay among what is released; a stricter search wants a person to look."""
    pixels = ward.picture(1)
    pixels[:] = np.clip(pixels, 0, 3000)
    pixels = np.tile(pixels, (6, 6))
    cv2.putText(pixels, "SMITH 1964", (14, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 4095, 2)
    ward.put("text.dcm", pixels, WindowCenter=2048, WindowWidth=4096)
    ward.put("odd.dcm", BodyPartExamined="BEARD")
    how = replace(HEADERS_ONLY, text=True)
    before = ward.run(wait=True, how=replace(how, letters=replace(LIMITS, contrast=256.0,
                      saturated_contrast=256.0)))  # fmt: skip
    image = ward.rows(before)["text.dcm"].image_id
    assert [file.stem for file in before.folder.glob("images/**/*.png")] == [image]
    after = ward.run(wait=True, how=how)
    assert str(ward.rows(after)["text.dcm"].outcome) == "held"
    assert not [*after.folder.glob("images/**/*.png"), *after.folder.glob("dicom/*")]


def test_the_journal_of_an_older_version_costs_time_and_no_error(ward):
    ward.put("a.dcm")
    ward.put("odd.dcm", BodyPartExamined="BEARD")
    first = ward.run(wait=True)
    journal = first.folder / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        del line["files"]  # as version 1 wrote them
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = ward.run(wait=True)
    assert sorted(ward.made) == [1, 2]
    assert again.rows == first.rows
    ward.run(wait=True)
    assert ward.made == []


def test_a_finished_catalog_says_that_it_was_searched_by_other_rules(ward, monkeypatch):
    ward.put("a.dcm")
    how = replace(HEADERS_ONLY, text=True)
    assert not ward.run(how=how).outdated
    assert not ward.run(how=how).outdated
    monkeypatch.setattr(screening, "VERSION", screening.VERSION + 1)
    again = ward.run(how=how)
    assert (again.earlier, again.outdated) == (True, True)
    assert ward.made == []


def test_a_window_that_cannot_be_kept_is_told_in_the_row_of_the_image(ward):
    ward.put("s.dcm", WindowCenter=2000, WindowWidth=900, VOILUTFunction="SIGMOID")
    ward.put("e.dcm", WindowCenter=2000, WindowWidth=900, VOILUTFunction="LINEAR_EXACT")
    done = ward.run()
    assert done.well
    rows = ward.rows(done)
    assert "SIGMOID" in rows["s.dcm"].reason
    assert rows["s.dcm"].rules == ()
    assert rows["e.dcm"].reason == ""
    with (done.folder / "report.csv").open(newline="") as handle:
        told = {row["image_id"]: row["reason"] for row in csv.DictReader(handle)}
    assert "nearest linear window" in told[rows["s.dcm"].image_id]


def test_an_image_with_a_doubt_waits_and_is_not_in_the_catalog(ward):
    ward.put("a.dcm")
    ward.put("text.dcm", BurnedInAnnotation="YES")
    done = ward.run()
    row = ward.rows(done)["text.dcm"]
    assert str(row.outcome) == "held"
    assert row.rules[0] == "burned-in text"
    assert row.image_id not in {one.view for one in ward.xrays()}
    (held,) = reviews.held(done.folder)
    assert held.image_id == row.image_id
    assert (held.width, held.height) == (64, 48)
    assert held.verdict.doubts[0].rule == "burned-in text"
    picture = cv2.imread(str(done.folder / "held" / f"{row.image_id}.png"), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (48, 64)
    # Neither as a picture nor as DICOM does it lie among what may be released.
    released = [*done.folder.glob("images/**/*.png"), *done.folder.glob("dicom/*")]
    assert not [one for one in released if row.image_id in one.name]
    assert len(released) == 2


def test_the_operator_may_let_doubtful_images_in(ward):
    ward.put("text.dcm", BurnedInAnnotation="YES")
    done = ward.run(accept_unreviewed=True)
    assert done.well
    assert "burned into" in done.rows[0].reason
    clean = read(done.folder / "dicom" / f"{done.rows[0].image_id}.dicom")
    assert "BurnedInAnnotation" not in clean


def test_an_import_can_wait_for_the_person_and_then_go_on(ward):
    ward.put("a.dcm")
    ward.put("text.dcm", BurnedInAnnotation="YES")
    ward.put("odd.dcm", BodyPartExamined="BEARD")
    waiting = ward.run(wait=True)
    assert waiting.kept is None
    rows = ward.rows(waiting)
    ward.review(rows["text.dcm"].image_id, "accept", [(0, 0, 20, 10)])
    ward.review(rows["odd.dcm"].image_id, "refuse")
    done = ward.run(wait=True)
    assert sorted(ward.made) == [2, 3]
    rows = ward.rows(done)
    assert [str(rows[name].outcome) for name in ("a.dcm", "odd.dcm", "text.dcm")] == [
        "imported", "refused", "imported",
    ]  # fmt: skip
    assert "A person" in rows["odd.dcm"].reason
    assert reviews.held(done.folder) == ()
    assert not list((done.folder / "held").iterdir())
    image = rows["text.dcm"].image_id
    (xray,) = [one for one in ward.xrays() if one.view == image]
    shown = cv2.imread(str(xray.file), cv2.IMREAD_UNCHANGED)
    assert (shown[:10, :20] == shown.min()).all()
    clean = read(done.folder / "dicom" / f"{image}.dicom")
    source = decode(read(ward.scans / "text.dcm"))
    stored = decode(clean)
    assert (stored[:10, :20] == source.min()).all()
    assert (stored[10:] == source[10:]).all()
    assert clean.BurnedInAnnotation == "NO"


def test_blanked_boxes_are_dark_where_small_values_are_bright(ward):
    ward.put("text.dcm", BurnedInAnnotation="YES", PhotometricInterpretation="MONOCHROME1")
    ward.run(wait=True)
    (held,) = reviews.held(ward.home / "catalogs" / "ward")
    ward.review(held.image_id, "accept", [(60, 40, 9999, 9999)])
    ward.run(wait=True)
    (xray,) = ward.xrays()
    shown = cv2.imread(str(xray.file), cv2.IMREAD_UNCHANGED)
    assert (shown[40:, 60:] == 0).all()
    assert shown[:40].max() > 200


def test_sixteen_bits_are_kept_on_request(ward):
    ward.put("deep.dcm", WindowCenter=2048, WindowWidth=4096)
    ward.put("flat.dcm", ward.kit.ramp(8), BitsStored=8)
    done = ward.run(keep_16_bit=True)
    (deep,) = done.folder.glob("images16/**/*.png")
    assert deep.stem == ward.rows(done)["deep.dcm"].image_id
    found = cv2.imread(str(deep), cv2.IMREAD_UNCHANGED)
    shown = cv2.imread(str(ward.xrays()[0].file), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    assert len(np.unique(found)) > len(np.unique(shown))
    assert np.abs(found / 257 - shown).max() <= 0.51


def test_a_link_file_is_written_only_on_request_apart_and_for_the_owner(ward, tmp_path):
    ward.put("a.dcm", PatientID="SMITH", PatientName="Smith^John")
    (ward.scans / "bad.dcm").write_bytes(b"x" * 300)
    ward.run()
    everything = b"".join(data for _, data in snapshot(ward.home).values())
    assert b"SMITH" not in everything
    assert b"Smith" not in everything
    link = tmp_path / "apart" / "link.csv"
    ward.run(link=link)
    assert link.stat().st_mode & 0o777 == 0o600
    with link.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["PatientID"] for row in rows] == ["SMITH", ""]
    assert rows[0]["image_id"] == ward.xrays()[0].view
    assert rows[1]["path"].endswith("bad.dcm")
    ward.run(link=link)  # its own kind may be replaced
    other = tmp_path / "thesis.csv"
    other.write_text("chapter one")
    for place in (ward.home / "catalogs" / "link.csv", other, tmp_path):
        with pytest.raises(UserError):
            ward.run(link=place)
    assert other.read_text() == "chapter one"


def test_vindrs_annotations_give_labels_splits_and_boxes_under_the_new_ids(ward, kit):
    vindr = kit.data / "vindr"
    done = ward.run(paths=[vindr / "train"], annotations=vindr / "annotations")
    assert done.counts["imported"] == 5
    rows = ward.rows(done)
    with (done.folder / "annotations" / "annotations_train.csv").open(newline="") as handle:
        boxes = list(csv.DictReader(handle))
    with (vindr / "annotations" / "annotations_train.csv").open(newline="") as handle:
        source = list(csv.DictReader(handle))
    ids = {Path(name).stem: row.image_id for name, row in rows.items()}
    assert [(one["image_id"], one["class_name"], one["x_min"]) for one in boxes] == [
        (ids[one["image_id"]], one["class_name"], one["x_min"]) for one in source
    ]
    labels = {one.view: one.labels for one in ward.xrays()}
    assert labels[ids["2a032c39e9d342cfd72d7ee505ede32f"]]["Cardiomegaly"] == "1.0"
    assert labels[ids["8461d6b8a3d6cbb043b747c97ef900d7"]]["No Finding"] == "1.0"
    assert labels[ids["8461d6b8a3d6cbb043b747c97ef900d7"]]["Cardiomegaly"] == "0.0"
    assert done.annotated == {"boxes": 5, "labels": 5, "unknown": 0, "left_out": 0}
    for old in ids:
        for file, (_, data) in snapshot(ward.home).items():
            assert old.encode() not in data, file
    assert done.rows[0].split == "train"


def test_annotations_by_sop_instance_uid_are_found_too_and_say_the_split(ward, tmp_path):
    ward.put("whatever.dcm", SOPInstanceUID="1.2.840.1")
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "annotations_test.csv").write_text(
        "image_id,class_name,x_min,y_min,x_max,y_max\n1.2.840.1,Cardiomegaly,1,2,30,40\n"
        "absent,Cardiomegaly,1,2,30,40\n"
    )
    done = ward.run(annotations=tables)
    assert ward.xrays()[0].split == "test"
    assert (done.folder / "annotations" / "annotations_test.csv").is_file()
    assert done.annotated["unknown"] == 1


def test_two_files_with_the_name_of_one_annotated_image_are_told(ward, tmp_path):
    ward.put("a/one.dcm")
    ward.put("b/one.dcm")
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "annotations_train.csv").write_text(
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\none,R1,Cardiomegaly,1,2,30,40\n"
    )
    with pytest.raises(UserError, match="Files 1 and 2"):
        ward.run(annotations=tables)


def test_a_dicomdir_is_imported_and_what_it_misses_is_told(ward, kit):
    ward.put("IMG1")
    (ward.scans / "DICOMDIR").write_bytes(kit.dicomdir(("IMG1",), ("IMG2",)))
    done = ward.run(paths=[ward.scans / "DICOMDIR"])
    assert [str(row.outcome) for row in done.rows] == ["imported", "refused"]
    assert "not there" in done.rows[1].reason


def test_the_report_of_an_import_names_nobody(ward):
    ward.put("SMITH^JOHN.dcm", PatientID="SMITH", StudyDate="19990101")
    ward.put("SMITH^JANE.dcm", PatientID="SMITH", BodyPartExamined="HIP")
    done = ward.run()
    everything = b"".join(data for _, data in snapshot(ward.home).values())
    for word in (b"SMITH", b"19990101", b"JOHN", b"scans"):
        assert word not in everything
    for row in done.rows:
        assert "SMITH" not in json.dumps(row.as_json())


def test_what_is_not_in_the_catalog_does_not_lie_beside_it(ward):
    """An image let in once and refused by a person later, and one whose file is gone."""
    ward.put("a.dcm")
    gone = ward.put("gone.dcm")
    ward.put("text.dcm", BurnedInAnnotation="YES")
    ward.put("odd.dcm", BodyPartExamined="BEARD")
    first = ward.run(wait=True, keep_16_bit=True)
    rows = ward.rows(first)
    ward.review(rows["odd.dcm"].image_id, "accept")
    ward.run(wait=True, keep_16_bit=True)
    ward.review(rows["odd.dcm"].image_id, "refuse")
    ward.review(rows["text.dcm"].image_id, "refuse")
    gone.unlink()
    done = ward.run(wait=True)
    assert done.kept.count == 1
    left = [file for file in done.folder.rglob("*") if file.suffix in {".png", ".dicom", ".json"}]
    kept = rows["a.dcm"].image_id
    assert sorted(file.name for file in left) == [f"{kept}.dicom", f"{kept}.png", "import.json"]


def test_a_file_stripped_as_vindrs_are_becomes_a_patient_of_its_own(ward):
    gone = dict.fromkeys(
        ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID",
         "Modality", "BodyPartExamined", "ViewPosition")
    )  # fmt: skip
    ward.put("train/7ecd6f67.dicom", ward.picture(3), **gone)
    (xray,) = [ward.run(), ward.xrays()][1]
    names = load_key(ward.home)
    assert xray.patient == names.lone_patient("1.2.9")
    clean = read(ward.home / "catalogs" / "ward" / "dicom" / f"{xray.view}.dicom")
    assert clean.StudyInstanceUID.is_valid
    assert clean.SOPClassUID == clean.file_meta.MediaStorageSOPClassUID
