"""VinDr-CXR's files, read by the names of their columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.dataset.errors import DatasetError
from rig.dataset.vindr import read_annotations, read_image_labels


def test_columns_are_found_by_name_and_order_is_kept(annotations, kit):
    """The image of an x-ray is the one whose id is part of its key."""
    found = read_annotations(annotations)
    boxes = found.of(kit.xrays[0])
    assert [(b.reader, b.name, b.edges) for b in boxes] == [
        ("R1", "Cardiomegaly", (10, 20, 30, 40.5)),
        ("R2", "Cardiomegaly", (11, 21, 29, 41)),
        ("R2", "Nodule/Mass", (2, 3, 6.5, 9)),
    ]
    assert found.of(kit.xrays[2])[0].edges is None
    assert found.of(kit.xrays[3]) == ()


def test_the_test_sets_file_has_no_readers(tmp_path):
    """Released `annotations_test.csv`: consensus, without rad_id."""
    file = tmp_path / "annotations_test.csv"
    file.write_text("image_id,class_name,x_min,y_min,x_max,y_max\na,Mass,1,2,3,4\n")
    assert read_annotations(file).boxes["a"][0].reader == ""


def test_a_list_says_which_xray_is_which_image_and_scales(annotations, kit, tmp_path):
    """The annotated picture was twice as wide and half as high."""
    images = tmp_path / "images.csv"
    path = "Anything/train/patient00003/study1/view1_frontal.jpg"
    images.write_text(f"Path,height,width,image_id\n{path},25,80,patient00004\n")
    found = read_annotations(annotations, images=images)
    assert [b.edges for b in found.of(kit.xrays[3])] == [(10, 60, 19.5, 98)]
    assert found.of(kit.xrays[0]) == ()
    same = replace(kit.xrays[3], width=80, height=25)
    assert found.of(same)[0].edges == (20, 30, 39, 49)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image_id,class_name,x_min,y_min,x_max\n", "'y_max'"),
        ("image_id,class_name,x_min,y_min,x_max,y_max\na,b,1,2,3\n", "line 2: The row has 5 cells"),
        (
            "image_id,class_name,x_min,y_min,x_max,y_max\na,b,1,2,3,x\n",
            "line 2: Its box is none: four numbers are wanted",
        ),
        ("image_id,class_name,x_min,y_min,x_max,y_max\na,b,1,2,,4\n", "four numbers"),
        ("image_id,class_name,x_min,y_min,x_max,y_max\na,b,3,2,1,4\n", "it has no area"),
        ("image_id,class_name,x_min,y_min,x_max,y_max\na,b,1,2,nan,4\n", "must be finite"),
        ("", "has no column"),
    ],
)
def test_what_is_no_annotation_is_a_sentence(tmp_path, text, words):
    """File, line and what is wrong."""
    file = tmp_path / "annotations.csv"
    file.write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_annotations(file)


def test_image_labels_are_put_to_the_vote(tmp_path):
    """More than half of the readers of each image; a tie is none."""
    file = tmp_path / "image_labels_train.csv"
    file.write_text(
        "image_id,rad_id,Edema,Other disease\n"
        "a,R1,1,0\na,R2,1,1\na,R3,0,0\n"
        "b,R1,1,1\nb,R2,0,1\n"
        "c,R9,0,1\n"
    )
    found = read_image_labels(file)
    assert found.images == 3
    assert found.positive == {"Edema": 1, "Other diseases": 2}
    assert found.readers == {1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image_id,rad_id\na,R1\n", "has no column of a finding"),
        ("image_id,Edema\na,2\n", "line 2: Edema is neither 0 nor 1"),
    ],
)
def test_what_is_no_label_is_a_sentence(tmp_path, text, words):
    """File, line and what is wrong."""
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_image_labels(file)
