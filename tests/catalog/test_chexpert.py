"""Importing a CheXpert CSV: every row ends as an x-ray or as a problem."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.catalog.chexpert import CatalogError, import_csv
from rig.catalog.model import COLUMNS
from rig.errors import UserError

Make = Callable[..., list[str]]
Write = Callable[..., Path]


def path(patient: int, study: int = 1, view: int = 1, split: str = "train") -> str:
    return f"D/{split}/patient{patient:05d}/study{study}/view{view}_frontal.jpg"


@pytest.fixture
def three(tmp_path: Path, picture: Write) -> list[Path]:
    """Pictures of patients 3, 1 and 2."""
    return [picture(path(p), grey=20 * p, size=(20 + p, 10)) for p in (3, 1, 2)]


def test_index_i_is_row_i(tmp_path: Path, three: list[Path], table: Write, row: Make) -> None:
    """Every field of an x-ray comes from its row and its file."""
    result = import_csv(table(*(row(path(p)) for p in (3, 1, 2))), tmp_path)
    assert result.problems == ()
    assert [(x.index, x.patient) for x in result.xrays] == [
        (1, "patient00003"),
        (2, "patient00001"),
        (3, "patient00002"),
    ]
    first = result.xrays[0]
    assert first.key == "patient00003/study1/view1_frontal"
    assert first.file == three[0]
    assert first.file.is_absolute()
    assert first.sha256 == hashlib.sha256(three[0].read_bytes()).hexdigest()
    assert (first.width, first.height) == (23, 10)
    assert first.split == "train"
    assert first.row == tuple(row(path(3)))


def test_patient_order_and_shuffle_renumber(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """Indices are 1..N in the order asked for, and a shuffle repeats."""
    csv = table(*(row(path(p)) for p in (3, 1, 2)))
    by_patient = import_csv(csv, tmp_path, order="patient").xrays
    assert [(x.index, x.patient[-1]) for x in by_patient] == [(1, "1"), (2, "2"), (3, "3")]
    orders = {
        tuple(x.key for x in import_csv(csv, tmp_path, order="shuffle", seed=s).xrays)
        for s in range(8)
    }
    assert len(orders) > 1
    once, again = (import_csv(csv, tmp_path, order="shuffle", seed=4).xrays for _ in range(2))
    assert once == again
    assert [x.index for x in once] == [1, 2, 3]


def test_byte_order_mark_crlf_blank_lines_and_index_column_are_accepted(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """What spreadsheets and data-frame libraries make of a CSV is read like the plain file."""
    plain = import_csv(table(row(path(1)), row(path(2))), tmp_path)
    for first in ("", "Unnamed: 0"):
        csv = table(
            ["0", *row(path(1))],
            [],
            ["1", *row(path(2))],
            header=[first, *COLUMNS],
            newline="\r\n",
            bom=True,
        )
        assert import_csv(csv, tmp_path) == plain


def test_columns_are_found_by_name(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """A CSV with its columns the other way round gives the same x-rays."""
    plain = import_csv(table(row(path(1), Edema="-1.0")), tmp_path)
    turned = table(row(path(1), Edema="-1.0")[::-1], header=list(COLUMNS[::-1]))
    assert import_csv(turned, tmp_path) == plain
    assert plain.xrays[0].labels["Edema"] == "-1.0"


def test_each_bad_row_is_reported_with_line_path_and_reason(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """Good rows around bad ones are numbered without gaps; problems come in file order."""
    (tmp_path / path(4)).parent.mkdir(parents=True)
    (tmp_path / path(4)).touch()
    broken = tmp_path / path(5)
    broken.parent.mkdir(parents=True)
    broken.write_bytes(three[0].read_bytes()[:-40])
    result = import_csv(
        table(
            row(path(3)),
            row(path(9)),
            row(path(4)),
            row(path(5)),
            row(path(3)),
            row("E/valid/" + path(3).split("/", 2)[2]),
            row("../secret/patient1/study1/view1.jpg"),
            row(path(1), Edema="maybe"),
            row(path(1), Sex="X", Age="-3"),
            row(path(1))[:-1],
            row(path(2)),
        ),
        tmp_path,
    )
    assert [(x.index, x.patient[-1]) for x in result.xrays] == [(1, "3"), (2, "2")]
    assert [p.line for p in result.problems] == list(range(3, 12))
    assert [p.path for p in result.problems][:2] == [path(9), path(4)]
    words = (
        "no such file",
        "zero bytes",
        "cut short",
        "same Path as on line 2",
        "same patient, study and view as on line 2",
        "'..'",
        "Edema is 'maybe'",
        "Sex is 'X'",
        "18 values, the header 19",
    )
    for problem, word in zip(result.problems, words, strict=True):
        assert word in problem.reason
    assert "Age is '-3'" in result.problems[7].reason


def test_blank_sex_and_age_are_allowed(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """Other sources do not know them."""
    result = import_csv(table(row(path(1), Sex="", Age="")), tmp_path)
    assert result.problems == ()
    assert (result.xrays[0].sex, result.xrays[0].age) == ("", "")


def test_equal_bytes_under_two_keys_are_allowed(
    tmp_path: Path, picture: Write, table: Write, row: Make
) -> None:
    """Two x-rays may look the same."""
    picture(path(1))
    picture(path(2))
    result = import_csv(table(row(path(1)), row(path(2))), tmp_path)
    assert result.problems == ()
    assert result.xrays[0].sha256 == result.xrays[1].sha256


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ([c for c in COLUMNS if c != "Edema"], "'Edema' is missing"),
        ([*COLUMNS, "Sex"], "'Sex' is there more than once"),
    ],
)
def test_without_the_right_columns_no_row_is_read(
    tmp_path: Path, three: list[Path], table: Write, row: Make, header: list[str], reason: str
) -> None:
    """The header is line 1."""
    result = import_csv(table(row(path(1)), header=header), tmp_path)
    assert result.xrays == ()
    assert [p.line for p in result.problems] == [1]
    assert reason in result.problems[0].reason


def test_an_unknown_column_is_a_problem_of_the_header_only(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """Whoever leaves out what is bad still gets the rows."""
    csv = table([*row(path(1)), "x"], header=[*COLUMNS, "Doctor"])
    result = import_csv(csv, tmp_path)
    assert [(p.line, "'Doctor'" in p.reason) for p in result.problems] == [(1, True)]
    assert len(result.xrays) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_a_problem_of_line_1(tmp_path: Path, text: str) -> None:
    """Not an empty catalog in silence."""
    (tmp_path / "train.csv").write_text(text, encoding="utf-8")
    result = import_csv(tmp_path / "train.csv", tmp_path)
    assert result.xrays == ()
    assert [(p.line, "empty" in p.reason) for p in result.problems] == [(1, True)]


def test_a_broken_quote_is_reported_where_it_begins(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """Rows before it count, rows after it cannot be told apart."""
    csv = table(row(path(1)), ['"' + path(2), *row(path(2))[1:]], row(path(3)))
    result = import_csv(csv, tmp_path)
    assert [x.patient[-1] for x in result.xrays] == ["1"]
    assert [(p.line, "broken" in p.reason) for p in result.problems] == [(3, True)]


@pytest.mark.parametrize(
    ("name", "split"), [("valid.csv", "valid"), ("test_labels.csv", "test"), ("my.csv", "train")]
)
def test_the_split_falls_back_on_the_name_of_the_csv(
    tmp_path: Path, picture: Write, table: Write, row: Make, name: str, split: str
) -> None:
    """Only where the path does not say it."""
    picture("patient1/study1/view1.jpg")
    picture("train/patient2/study1/view1.jpg")
    csv = table(row("patient1/study1/view1.jpg"), row("train/patient2/study1/view1.jpg"), name=name)
    assert [x.split for x in import_csv(csv, tmp_path).xrays] == [split, "train"]


def test_progress_counts_every_file_once(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """Good and bad files alike, in order, up to the total."""
    seen: list[tuple[int, int]] = []
    csv = table(row(path(1)), row(path(9)), row(path(2)))
    import_csv(csv, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_more_files_than_are_handed_out_at_a_time(
    tmp_path: Path, picture: Write, table: Write, row: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indices and order survive the portions."""
    monkeypatch.setattr("rig.catalog.chexpert._AHEAD", 3)
    for p in range(1, 8):
        picture(path(p), grey=p)
    result = import_csv(table(*(row(path(p)) for p in range(1, 8))), tmp_path)
    assert [(x.index, x.patient) for x in result.xrays] == [
        (p, f"patient{p:05d}") for p in range(1, 8)
    ]


def test_a_name_too_long_for_the_disk_is_a_problem_of_its_row(
    tmp_path: Path, three: list[Path], table: Write, row: Make
) -> None:
    """One odd row does not stop the import."""
    result = import_csv(table(row("x" * 5000 + "/" + path(2)), row(path(1))), tmp_path)
    assert [p.line for p in result.problems] == [2]
    assert len(result.xrays) == 1


def test_unusable_arguments_are_told_in_a_sentence(tmp_path: Path, table: Write, row: Make) -> None:
    """Missing CSV, missing folder, wrong encoding, unknown order."""
    csv = table(row(path(1)))
    latin = tmp_path / "latin.csv"
    latin.write_bytes("Path,Sex\nGrün,".encode("latin-1"))
    with pytest.raises(CatalogError, match=r"nope\.csv cannot be read"):
        import_csv(tmp_path / "nope.csv", tmp_path)
    with pytest.raises(CatalogError, match="data folder"):
        import_csv(csv, tmp_path / "nope")
    with pytest.raises(CatalogError, match="not UTF-8 text at byte 11"):
        import_csv(latin, tmp_path)
    with pytest.raises(UserError, match="csv, patient, shuffle"):
        import_csv(csv, tmp_path, order="random")  # type: ignore[arg-type]
