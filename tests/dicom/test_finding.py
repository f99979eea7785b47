"""Files, folders and DICOMDIRs become one numbered list."""

from __future__ import annotations

import pytest

from rig.dicom.finding import find
from rig.errors import UserError


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2.dcm", "b/1.dcm", "a.dcm", "b/.hidden", "train/x", "b/deep/z.dicom"):
        file = tmp_path / "scans" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path / "scans"


def told(found, base):
    return [(one.number, str(one.path.relative_to(base)), one.folders) for one in found]


def test_folders_are_walked_in_order(tree):
    assert told(find([tree]), tree) == [
        (1, "a.dcm", ("scans",)),
        (2, "b/1.dcm", ("scans", "b")),
        (3, "b/2.dcm", ("scans", "b")),
        (4, "b/deep/z.dicom", ("scans", "b", "deep")),
        (5, "train/x", ("scans", "train")),
    ]


def test_a_file_named_twice_counts_once_and_numbers_follow_the_command_line(tree):
    found = find([tree / "b" / "2.dcm", tree / "b", tree / "b" / "1.dcm"])
    assert [one.path.name for one in found] == ["2.dcm", "1.dcm", "z.dicom"]


def test_what_is_left_out_is_no_input(tree):
    found = find([tree], leave_out=[tree / "b", tree / "a.dcm"])
    assert [one.path.name for one in found] == ["x"]


def test_links_to_folders_are_not_followed(tree):
    (tree / "loop").symlink_to(tree)
    (tree / "c.dcm").symlink_to(tree / "a.dcm")
    assert [one.path.name for one in find([tree])].count("a.dcm") == 1
    assert len(find([tree])) == 5


def test_a_dicomdir_gives_the_files_it_names(tmp_path, kit):
    disc = tmp_path / "disc"
    (disc / "images").mkdir(parents=True)
    (disc / "images" / "one").write_bytes(b"1")
    (disc / "TWO").write_bytes(b"2")
    (tmp_path / "secret").write_bytes(b"3")
    (disc / "DICOMDIR").write_bytes(
        kit.dicomdir(("IMAGES", "ONE"), ("TWO",), ("THREE",), ("..", "secret"))
    )
    found = find([disc / "DICOMDIR"])
    assert [(one.path.name, one.absent) for one in found] == [
        ("one", False), ("TWO", False), ("THREE", True),
    ]  # fmt: skip
    # As part of a folder it adds nothing.
    assert [one.path.name for one in find([disc])] == ["TWO", "one"]


def test_a_dicomdir_that_is_none_is_told(tmp_path, kit):
    file = tmp_path / "DICOMDIR"
    for data in (b"nonsense", kit.file(kit.dataset(kit.ramp()))):
        file.write_bytes(data)
        with pytest.raises(UserError, match="PATH number 1"):
            find([file])


def test_a_path_that_does_not_exist_is_told_by_its_place_not_its_name(tree):
    with pytest.raises(UserError, match="PATH number 2") as error:
        find([tree, tree / "SMITH^JOHN"])
    assert "SMITH" not in str(error.value)
