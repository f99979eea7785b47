"""VinDr-CXR's tables: read by name, written back equal, said in CheXpert's words, checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.catalog.model import OBSERVATIONS
from rig.catalog.vindr import chexpert_labels, read_files, read_tables, write_tables
from rig.catalog.vindr_model import Box, Columns, Labels, VindrTables
from rig.catalog.vindr_names import FINDINGS, GLOBAL, LOCAL, finding
from rig.catalog.vindr_rules import broken_rules
from rig.catalog.vindr_table import draw, table
from rig.cli import main
from rig.errors import UserError

DATA = Path(__file__).parents[1] / "dicom" / "data" / "vindr"


def labels_text(rows: dict[tuple[str, str], set[str]], *, other: str = "Other diseases") -> str:
    names = [other if name == "Other diseases" else name for name in FINDINGS]
    lines = [",".join(["image_id", "rad_id", *names])]
    for (image, reader), said in rows.items():
        lines.append(",".join([image, reader, *(str(int(name in said)) for name in FINDINGS)]))
    return "\n".join(lines) + "\n"


def boxes_text(*rows: str) -> str:
    return "\n".join(["image_id,rad_id,class_name,x_min,y_min,x_max,y_max", *rows]) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three readers of two images, in both tables."""
    said = {
        ("a", "R1"): {"Cardiomegaly", "Rib fracture", "Other diseases"},
        ("a", "R2"): {"Cardiomegaly", "Clavicle fracture", "Other diseases"},
        ("a", "R3"): {"No finding"},
        ("b", "R1"): {"No finding"},
        ("b", "R2"): {"Pneumonia"},
        ("b", "R3"): {"Tuberculosis"},
    }
    (tmp_path / "image_labels_train.csv").write_text(labels_text(said))
    (tmp_path / "annotations_train.csv").write_text(
        boxes_text(
            "a,R1,Cardiomegaly,10,20,110,120",
            "a,R1,Rib fracture,1.5,2.5,30,40",
            "a,R2,Cardiomegaly,12,20,112,120",
            "a,R2,Clavicle fracture,1,2,31,40",
            "a,R3,No finding,,,,",
            "b,R1,No finding,,,,",
        )
    )
    return tmp_path


def test_there_are_22_local_and_6_global_findings() -> None:
    assert (len(LOCAL), len(GLOBAL), len(set(FINDINGS))) == (22, 6, 28)


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("Other disease", "Other diseases"),
        ("Other diseases", "Other diseases"),
        ("lung opacity", "Lung Opacity"),
        ("Nodule/Mass ", "Nodule/Mass"),
        ("Interstitial lung disease", "ILD"),
        ("Heart", None),
    ],
)
def test_a_finding_has_several_spellings(spelled: str, meant: str | None) -> None:
    assert finding(spelled) == meant


@pytest.mark.parametrize("name", ["annotations", "annotations_SYNTHETIC_3readers"])
def test_what_is_read_and_written_back_is_equal(name: str, tmp_path: Path) -> None:
    """The labels byte for byte, the boxes number for number."""
    tables = read_tables(DATA / name)
    assert tables.boxes
    assert tables.labels
    counts = write_tables(tables, {image: image for image in tables.splits}, tmp_path)
    assert counts == {"boxes": len(tables.boxes), "labels": len(tables.labels), "unknown": 0}
    assert read_tables(tmp_path) == tables
    written = (tmp_path / "image_labels_train.csv").read_text()
    assert written == (DATA / name / "image_labels_train.csv").read_text()


def test_a_test_set_has_no_reader_and_one_other_disease(tmp_path: Path) -> None:
    """Its header is written back as it was spelled."""
    text = labels_text({("a", "x"): {"Other diseases"}}, other="Other disease")
    text = "\n".join(
        ",".join(cell for place, cell in enumerate(line.split(",")) if place != 1)
        for line in text.splitlines()
    )
    boxes = "image_id,class_name,x_min,y_min,x_max,y_max\na,ILD,1.0,2.0,3.0,4.5\n"
    (tmp_path / "image_labels_test.csv").write_text(text + "\n")
    (tmp_path / "annotations_test.csv").write_text(boxes)
    tables = read_tables(tmp_path)
    assert tables.labels == (Labels("a", "", frozenset({"Other diseases"}), "test"),)
    assert tables.boxes == (Box("a", "", "ILD", (1.0, 2.0, 3.0, 4.5), "test"),)
    write_tables(tables, {"a": "a"}, tmp_path / "out")
    assert (tmp_path / "out" / "image_labels_test.csv").read_text() == text + "\n"
    assert (tmp_path / "out" / "annotations_test.csv").read_text() == boxes


def test_columns_are_found_by_name_in_any_order_with_a_byte_order_mark(tmp_path: Path) -> None:
    text = "y_max,x_max,y_min,x_min,class_name,note,rad_id,image_id\r\n4,3,2,1,Edema,hm,R7,a\r\n"
    (tmp_path / "annotations_train.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_tables(tmp_path).boxes == (Box("a", "R7", "Edema", (1, 2, 3, 4), "train"),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,R1,Heart,1,2,3,4", "Its class is none of VinDr-CXR's 28 findings."),
        ("a,R1,Edema,1,2,3,x", "Its box is none: four numbers are wanted."),
        ("a,R1,Edema,1,2,,4", "Its box is none: four numbers are wanted."),
        ("a,R1,Edema,1,2,nan,4", "Its box is none: the numbers must be finite."),
        ("a,R1,Edema,3,2,3,4", "Its box is none: it has no area."),
        ("a,R1,Edema,-1,2,3,4", "Its box is none: it begins outside the image."),
        ("a,R1,Edema,,,,", "Edema has no box."),
        ("a,R1,No finding,1,2,3,4", "No finding has a box."),
        (",R1,Edema,1,2,3,4", "image_id is empty, longer than 128 characters or not printable."),
        ("a,,Edema,1,2,3,4", "rad_id is empty, longer than 128 characters or not printable."),
        ("a,R1,Edema,1,2,3", "The row has 6 cells, the header 7."),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_the_others_are_read(
    tmp_path: Path, row: str, reason: str
) -> None:
    file = tmp_path / "annotations_train.csv"
    file.write_text(boxes_text("a,R1,ILD,1,2,3,4", row, "b,R1,ILD,1,2,3,4"))
    tables, problems = read_files([file])
    assert [box.image for box in tables.boxes] == ["a", "b"]
    assert [(one.line, one.reason) for one in problems] == [(3, reason)]
    with pytest.raises(UserError, match=r"annotations_train\.csv, line 3: "):
        read_tables(tmp_path)


def test_a_bad_label_a_doubled_row_and_a_strange_column_are_told(tmp_path: Path) -> None:
    file = tmp_path / "image_labels_train.csv"
    file.write_text(
        "image_id,rad_id,Edema,Heart,ILD\na,R1,1,0,0\na,R2,2,0,0\na,R1,0,0,1\nb,R1,0.0,0,1.0\n"
    )
    tables, problems = read_files([file])
    assert [(row.image, sorted(row.positive)) for row in tables.labels] == [
        ("a", ["Edema"]),
        ("b", ["ILD"]),
    ]
    assert [str(one) for one in problems] == [
        "image_labels_train.csv, line 1: Column 4 is none of VinDr-CXR's 28 findings.",
        "image_labels_train.csv, line 3: Edema is neither 0 nor 1.",
        "image_labels_train.csv, line 4: The same image and reader as on line 2.",
    ]


def test_an_image_in_two_splits_is_told(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"annotations_{split}.csv").write_text(boxes_text("a,R1,ILD,1,2,3,4"))
    sentence = (
        r"annotations_train\.csv, line 2: Its image is in test \(annotations_test\.csv, line 2\)"
    )
    with pytest.raises(UserError, match=sentence + " and in train"):
        read_tables(tmp_path)


UID = "1.2.840.113619.2.CANARY"
"""What an image_id may be before de-identification."""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("annotations_train.csv", boxes_text(f"{UID},R1,{UID},1,2,3,4")),
        ("annotations_train.csv", boxes_text(f"R1,Edema,{UID},1,2,3,4")),
        ("annotations_train.csv", boxes_text(f"R1,{UID},Edema,1,2,3,{UID}")),
        ("annotations_train.csv", boxes_text(f"{UID},R1,ILD,9,2,3,4")),
        ("annotations_train.csv", boxes_text(f"{UID},R1,ILD,1,2,3")),
        ("annotations_train.csv", boxes_text(f"{UID},R1,ILD,,,,")),
        ("annotations_train.csv", boxes_text(f"{UID * 9},R1,ILD,1,2,3,4")),
        ("annotations_train.csv", f"{UID},R1,ILD,1,2,3,4\n"),
        ("annotations_train.csv", f"{UID},{UID},image_id,class_name,x_min,y_min,x_max,y_max\n"),
        ("image_labels_train.csv", f"image_id,rad_id,ILD\n{UID},R1,{UID}\n"),
        ("image_labels_train.csv", f"image_id,rad_id,ILD\n{UID},R1,1\n{UID},R1,1\n"),
        ("image_labels_train.csv", f"image_id,{UID},ILD\nx,R1,1\n"),
        ("image_labels_train.csv", f"image_id,{UID},{UID}\nx,R1,1\n"),
        ("image_labels_train.csv", f"image_id,{UID}\nx,R1\n"),
        ("image_labels_train.csv", f'image_id,ILD\n"{UID}\n'),
    ],
)
def test_no_cell_of_a_table_is_quoted(tmp_path: Path, file: str, text: str) -> None:
    """Not even where rows are out of step, or the header is missing."""
    (tmp_path / file).write_text(text)
    with pytest.raises(UserError) as error:
        read_tables(tmp_path)
    assert "CANARY" not in str(error.value)
    assert file in str(error.value)
    if "cannot be read" not in str(error.value) and "column" not in str(error.value).lower():
        assert "line " in str(error.value)


def test_no_image_in_two_splits_is_quoted(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"annotations_{split}.csv").write_text(boxes_text(f"{UID},R1,ILD,1,2,3,4"))
    with pytest.raises(UserError, match="Its image is in test") as error:
        read_tables(tmp_path)
    assert "CANARY" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("annotations_mine.csv", "image_id\n", "does not say its split"),
        ("annotations_train.csv", "image_id,class_name\n", "has no column 'x_min'"),
        ("image_labels_train.csv", "image_id,rad_id\na,R1\n", "has no column of a finding"),
        ("image_labels_train.csv", "image_id,ILD,ILD\na,1,1\n", "has one name for columns 2 and 3"),
        ("annotations_train.csv", "\xff", "cannot be read as CSV"),
        ("other.csv", "", "holds no annotations"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=sentence):
        read_tables(tmp_path)


def test_rows_move_to_new_ids_and_splits_and_the_unknown_are_counted(
    folder: Path, tmp_path: Path
) -> None:
    tables = read_tables(folder)
    out = tmp_path / "out"
    counts = write_tables(tables, {"a": "f" * 32}, out, splits={"f" * 32: "valid"})
    assert counts == {"boxes": 5, "labels": 3, "unknown": 1}
    assert sorted(file.name for file in out.iterdir()) == [
        "annotations_valid.csv",
        "image_labels_valid.csv",
    ]
    moved = read_tables(out)
    assert moved.splits == {"f" * 32: "valid"}
    assert [box.edges for box in moved.boxes] == [
        box.edges for box in tables.boxes if box.image == "a"
    ]


def test_files_that_ask_different_things_are_written_with_what_both_ask(tmp_path: Path) -> None:
    """A finding nobody was asked about does not become a denial."""
    (tmp_path / "image_labels_train.csv").write_text("image_id,ILD,Edema\na,1,0\n")
    (tmp_path / "image_labels_test.csv").write_text("image_id,Edema\nb,1\n")
    tables = read_tables(tmp_path)
    out = tmp_path / "out"
    write_tables(tables, {"a": "a", "b": "b"}, out, splits={"a": "train", "b": "train"})
    text = (out / "image_labels_train.csv").read_text()
    assert sorted(text.splitlines()) == ["a,0", "b,1", "image_id,Edema"]


names = st.sampled_from(LOCAL)
numbers = st.floats(0, 4000, allow_nan=False, width=32)
sizes = st.floats(0.5, 4000, allow_nan=False, width=32)
ids = st.text("abcdef0123456789", min_size=1, max_size=32)


@given(st.lists(st.tuples(ids, ids, names, numbers, numbers, sizes, sizes), max_size=20))
def test_any_boxes_come_back_equal(
    rows: list[tuple[str, str, str, float, float, float, float]],
) -> None:
    import tempfile

    boxes = tuple(Box(i, r, n, (x, y, x + w, y + h), "train") for i, r, n, x, y, w, h in rows)
    tables = VindrTables(boxes, (), {}, {"train": True} if boxes else {})
    with tempfile.TemporaryDirectory() as place:
        write_tables(tables, {image: image for image in tables.splits}, Path(place))
        if boxes:
            assert read_tables(Path(place)) == tables


# -- CheXpert's words ------------------------------------------------------------------------------


def test_the_majority_decides_and_any_fracture_is_a_fracture(folder: Path) -> None:
    """Two of three gave a fracture, each of another bone; what VinDr does not ask stays empty."""
    found = chexpert_labels(read_tables(folder), "a")
    assert list(found) == list(OBSERVATIONS)
    positive = {name for name, value in found.items() if value == "1.0"}
    assert positive == {"Cardiomegaly", "Fracture"}
    empty = {name for name, value in found.items() if not value}
    assert empty == {"Enlarged Cardiomediastinum", "Support Devices"}


def test_one_of_three_is_no_majority_and_a_tie_is_none(folder: Path) -> None:
    tables = read_tables(folder)
    assert chexpert_labels(tables, "b")["Pneumonia"] == "0.0"
    two = VindrTables((), tables.labels[:1] + tables.labels[2:3], tables.columns, {})
    assert chexpert_labels(two, "a")["Cardiomegaly"] == "0.0"


def test_boxes_alone_tell_local_findings_and_of_global_ones_what_is_written(folder: Path) -> None:
    (folder / "image_labels_train.csv").unlink()
    tables = read_tables(folder)
    found = chexpert_labels(tables, "a")
    assert (found["Cardiomegaly"], found["Edema"]) == ("1.0", "0.0")
    assert (found["Pneumonia"], found["No Finding"]) == ("", "0.0")


def test_an_image_that_nobody_read_has_no_labels(folder: Path) -> None:
    assert set(chexpert_labels(read_tables(folder), "c").values()) == {""}


# -- rules -----------------------------------------------------------------------------------------


def test_tables_that_keep_the_rules_break_none(folder: Path) -> None:
    assert list(broken_rules(read_tables(folder))) == []


@pytest.mark.parametrize(
    ("said", "boxes", "rule", "sentence"),
    [
        ({"Edema"}, ["Edema"], "global label", "gave no global label"),
        ({"No finding", "COPD"}, [], "no finding alone", "gave No finding, and COPD"),
        ({"No finding"}, ["Edema"], "no finding alone", "gave No finding, and Edema"),
        ({"COPD", "Edema"}, [], "local label, box", "gave Edema and drew no box of it"),
        ({"COPD"}, ["Edema"], "box, local label", "drew Edema and did not give the label"),
        ({"COPD"}, ["COPD"], "global box", "drew a box of COPD"),
        (None, ["Edema"], "labels missing", "drew Edema and gave no labels"),
    ],
)
def test_a_broken_rule_is_told_with_image_and_reader(
    said: set[str] | None, boxes: list[str], rule: str, sentence: str
) -> None:
    """Each on an image beside one that is in order."""
    columns = {"train": Columns(FINDINGS, FINDINGS, readers=True)}
    labels = [Labels("fine", "R1", frozenset({"No finding"}), "train")]
    if said is not None:
        labels.append(Labels("odd", "R2", frozenset(said), "train"))
    drawn = [Box("fine", "R1", "No finding", None, "train")]
    drawn += [Box("odd", "R2", name, (1, 2, 3, 4), "train") for name in boxes]
    tables = VindrTables(tuple(drawn), tuple(labels), columns, {"train": True})
    broken = list(broken_rules(tables))
    assert {(one.image, one.reader) for one in broken} == {("odd", "R2")}
    assert (rule, sentence) in [(one.rule, one.sentence) for one in broken]


# -- Table 2 and Figure 4 --------------------------------------------------------------------------


def test_table_2_counts_by_majority(folder: Path) -> None:
    column = table(read_tables(folder), {"a": (1000, 2000), "b": (3000, 2200)})["train"]
    assert (column.images, column.readers, column.boxes) == (2, {3: 2}, 4)
    assert column.positive["Cardiomegaly"] == 1
    assert column.percent("Cardiomegaly") == 50.0
    assert (column.positive["No finding"], column.positive["Rib fracture"]) == (0, 0)
    assert column.size == (2000, 2100)
    assert set(column.positive) == set(FINDINGS)


def test_the_made_up_readers_count_as_by_hand() -> None:
    """Counted from the CSV with other means."""
    import csv

    votes: dict[str, dict[str, int]] = {}
    with (DATA / "annotations_SYNTHETIC_3readers" / "image_labels_train.csv").open() as handle:
        for row in csv.DictReader(handle):
            for name, value in row.items():
                if value == "1":
                    votes.setdefault(name, {}).setdefault(row["image_id"], 0)
                    votes[name][row["image_id"]] += 1
    column = table(read_tables(DATA / "annotations_SYNTHETIC_3readers"))["train"]
    by_hand = {n: sum(v >= 2 for v in images.values()) for n, images in votes.items()}
    assert {n: c for n, c in column.positive.items() if c} == {
        n: c for n, c in by_hand.items() if c
    }
    assert sum(column.positive.values()) >= 3


def test_figure_4_names_every_finding_and_is_the_same_for_the_same_tables(
    folder: Path, tmp_path: Path
) -> None:
    columns = table(read_tables(folder))
    draw(columns, tmp_path / "one.svg")
    draw(columns, tmp_path / "two.svg")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert all(f">{name}<" in text for name in FINDINGS)


# -- the command -----------------------------------------------------------------------------------


def test_check_lists_what_is_broken_and_exits_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["readers", "check", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["broken"] == []
    file = folder / "annotations_train.csv"
    file.write_text(file.read_text().replace("b,R1,No finding,,,,", "b,R1,Edema,1,2,3,4"))
    assert main(["readers", "check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "b: reader R1 gave No finding, and Edema" in out
    assert "1 times broken: No finding stands alone" in out


def test_table_prints_all_28_and_draws(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = folder / "figure.svg"
    assert main(["readers", "table", str(folder), "--figure", str(figure)]) == 0
    out = capsys.readouterr().out
    assert sum(any(line.startswith(n) for n in FINDINGS) for line in out.splitlines()) == 28
    assert "1 (50.00 %)" in out
    assert figure.exists()


def test_a_bad_row_is_left_out_told_and_exits_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "annotations_train.csv").open("a") as handle:
        handle.write("b,R2,Edema,1,2,1,2\n")
    assert main(["readers", "table", str(folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["line"] for one in told["problems"]] == [8]
    assert told["splits"]["train"]["boxes"] == 4
