"""Boxes carried by a homography: exact where it is known, and against an independent hand."""

from __future__ import annotations

import csv
import hashlib
import json
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rig.dataset.box_table import iter_boxes
from rig.dataset.boxes import area, carry, clipped, iou
from rig.dataset.check import check
from rig.dataset.export import export
from rig.dataset.model import FilmCrop
from rig.dataset.vindr import read_annotations
from rig.synthesis.tilt import quad_to_quad

EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
BIG = (1000, 1000)


def test_the_identity_leaves_a_box_as_it_is():
    """Whole, and its own quadrilateral."""
    found = carry((10, 20, 30, 50), EYE, BIG)
    assert (found.edges, found.visible, found.dropped) == ((10, 20, 30, 50), 1.0, None)
    assert found.quad == ((10, 20), (30, 20), (30, 50), (10, 50))


@pytest.mark.parametrize(
    ("matrix", "edges"),
    [
        (((2, 0, 5), (0, 3, 7), (0, 0, 1)), (25, 67, 65, 157)),
        (((0, -1, 100), (1, 0, 0), (0, 0, 1)), (50, 10, 80, 30)),  # a quarter turn
        (((-1, 0, 100), (0, 1, 0), (0, 0, 1)), (70, 20, 90, 50)),  # mirrored
        (((4, 0, 10), (0, 6, 14), (0, 0, 2)), (25, 67, 65, 157)),  # any scale of the matrix
        (((-1, 0, 0), (0, -1, 0), (0, 0, -1)), (10, 20, 30, 50)),
    ],
)
def test_known_maps_give_known_boxes(matrix, edges):
    """Scale, shift, turn, mirror."""
    assert carry((10, 20, 30, 50), matrix, BIG).edges == pytest.approx(edges)


def test_a_turn_by_45_degrees_has_a_hull_of_twice_the_area():
    """A square on its corner: the quadrilateral keeps what the hull blows up."""
    c = math.sqrt(0.5)
    found = carry((0, 0, 10, 10), ((c, -c, 100), (c, c, 100), (0, 0, 1)), BIG)
    assert abs(area(found.quad)) == pytest.approx(100)
    left, top, right, bottom = found.edges
    assert (right - left) * (bottom - top) == pytest.approx(200)


def test_the_share_that_is_seen_is_measured_before_the_clip():
    """A box of which a quarter is in the picture, kept or dropped by the threshold."""
    move = ((1, 0, -15), (0, 1, -15), (0, 0, 1))
    found = carry((10, 10, 20, 20), move, BIG)
    assert (found.visible, found.edges) == (0.25, (0, 0, 5, 5))
    assert found.quad[0] == (-5, -5)
    dropped = carry((10, 10, 20, 20), move, BIG, visible=0.26)
    assert (dropped.edges, dropped.visible) == (None, 0.25)
    assert dropped.dropped == "Only 25.0% of the box is in the picture."


def test_a_box_outside_is_dropped_even_without_a_threshold():
    """Nothing of it is there."""
    found = carry((10, 10, 20, 20), ((1, 0, 5000), (0, 1, 0), (0, 0, 1)), BIG, visible=0.0)
    assert (found.edges, found.visible) == (None, 0.0)


def test_what_falls_behind_the_camera_is_dropped():
    """The horizon goes through the box."""
    found = carry((0, 0, 100, 100), ((1, 0, 0), (0, 1, 0), (-0.02, 0, 1)), BIG)
    assert (found.edges, found.quad) == (None, None)
    assert "behind the camera" in found.dropped


def test_a_box_without_area_is_dropped():
    """There is nothing to show."""
    assert carry((5, 5, 5, 9), EYE, BIG).dropped == "The box has no area."


def test_perspective_agrees_with_a_drawn_box():
    """Drawn into an x-ray, warped by OpenCV, found again by its pixels: it fits to 1 px."""
    size, box = (400, 500), (120, 80, 260, 330)
    target = ((130.0, 90.0), (840.0, 60.0), (900.0, 930.0), (70.0, 870.0))
    matrix = quad_to_quad(((0, 0), (400, 0), (400, 500), (0, 500)), target)
    xray = np.zeros((size[1], size[0]), np.uint8)
    xray[80:330, 120:260] = 255
    shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    photo = cv2.warpPerspective(xray, shift @ matrix @ np.linalg.inv(shift), BIG)
    ys, xs = np.nonzero(photo > 127)
    seen = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    found = carry(box, matrix.tolist(), BIG)
    assert found.edges == pytest.approx(seen, abs=1.0)
    assert iou(found.edges, seen) > 0.99
    assert abs(area(found.quad)) == pytest.approx(float((photo > 127).sum()), rel=0.01)


@settings(deadline=None)
@given(
    st.tuples(*[st.integers(-40, 140) for _ in range(8)]),
    st.integers(20, 120),
    st.integers(20, 120),
)
def test_the_clip_agrees_with_counted_points(corners, width, height):
    """A convex polygon's part in the picture, against a count of the points on its inner side."""
    hull = cv2.convexHull(np.array(corners, np.int32).reshape(4, 2))[:, 0].astype(float)
    x, y = np.meshgrid(np.arange(width * 2) / 2 + 0.25, np.arange(height * 2) / 2 + 0.25)
    sides = []
    for (x0, y0), (x1, y1) in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        sides.append((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0))
    inside = np.all(np.array(sides) > 0, axis=0) | np.all(np.array(sides) < 0, axis=0)
    part = abs(area(clipped([tuple(p) for p in hull], (width, height))))
    # A cell of half a pixel is counted wholly or not at all: wrong by less than the outline.
    assert part == pytest.approx(inside.sum() / 4, abs=(width + height) + 2)
    if inside.sum() > 4000:
        assert part == pytest.approx(inside.sum() / 4, rel=0.05)


def test_iou():
    """1 for the same, 0 for apart, a third for two that share half."""
    assert iou((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert iou((0, 0, 2, 2), (2, 0, 4, 2)) == 0
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)


def test_a_build_carries_every_finding_into_every_picture(boxed):
    """Photos by the measured homography, twins by that of the manifest."""
    rows = list(iter_boxes(boxed.root))
    photos = [row for row in rows if row["path"].startswith("train/natural/")]
    # Two x-rays of patient00001 and one of patient00002 have a photo.
    assert len(photos) == 3 + 3 + 1
    first = photos[0]
    # The photo's homography is twice the size and shifted by (10, 20); its picture is 64 x 48.
    assert first["source_box"] == [10, 20, 30, 40.5]
    assert first["quad"] == [30, 60, 70, 60, 70, 101, 30, 101]
    assert first["x_min"] is None
    assert first["dropped"] == "Only 0.0% of the box is in the picture."
    nodule = next(row for row in photos if row["class_name"] == "Nodule/Mass")
    assert [nodule[n] for n in ("x_min", "y_min", "x_max", "y_max")] == [14, 26, 23, 38]
    assert (nodule["visible"], nodule["width"], nodule["height"]) == (1.0, 64, 48)
    assert (nodule["rad_id"], nodule["dropped"]) == ("R2", None)
    digital = [row for row in rows if "/digital/" in row["path"]]
    assert [row["source_box"] for row in digital] == [row["quad_box"] for row in map(flat, digital)]


def flat(row):
    """The hull of a box beside its source: the same where nothing moves."""
    edges = [row[name] for name in ("x_min", "y_min", "x_max", "y_max")]
    return row | {"quad_box": None if edges[0] is None else edges}


def test_tilted_twins_have_tilted_boxes(boxed):
    """By the homography of the manifest: the box's corners are those of a map of its own."""
    import json

    lines = (boxed.root / "manifest.jsonl").read_text().splitlines()
    known = {row["output"]: np.array(row["homography"]) for row in map(json.loads, lines)}
    rows = [row for row in iter_boxes(boxed.root) if "/photographic/" in row["path"]]
    assert len(rows) == 9
    moved = 0
    for row in rows:
        if row["source_box"] is None:
            assert row["class_name"] == "No finding"
            continue
        left, top, right, bottom = row["source_box"]
        corners = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]])
        expected = cv2.perspectiveTransform(corners, known[row["path"]])[0]
        assert np.array(row["quad"]).reshape(4, 2) == pytest.approx(expected)
        moved += bool(np.abs(expected - corners[0]).max() > 0.5)
    assert moved > 5


def test_the_csv_says_the_same_as_the_parquet(boxed):
    """Numbers written so that they come back exactly."""
    with (boxed.root / "boxes.csv").open(newline="") as handle:
        text = list(csv.DictReader(handle))
    rows = list(iter_boxes(boxed.root))
    assert len(text) == len(rows)
    for told, row in zip(text, rows, strict=True):
        assert told["path"] == row["path"]
        assert told["dropped"] == (row["dropped"] or "")
        assert (float(told["x_min"]) if told["x_min"] else None) == row["x_min"]
        assert [float(v) for v in told["quad"].split()] == (row["quad"] or [])


def test_the_report_and_the_card_count_boxes(kit, annotations):
    """Kept ones and those that fall out."""
    from rig.dataset.vindr import read_annotations

    report = kit.build(annotations=read_annotations(annotations))
    rows = list(iter_boxes(kit.root))
    assert report.boxes == sum(row["x_min"] is not None for row in rows) > 10
    assert report.boxes_dropped == sum(row["dropped"] is not None for row in rows) > 3
    assert report.well is False  # for the gap, not for the boxes
    assert (
        f"{report.boxes} boxes; {report.boxes_dropped} fall out"
        in (kit.root / "README.md").read_text()
    )


def test_a_photo_without_a_homography_has_its_findings_listed_as_dropped(kit, annotations):
    """It is not known where they are."""
    from dataclasses import replace

    from rig.dataset.vindr import read_annotations

    kit.photos = [replace(kit.photos[0], homography=None)]
    kit.build(annotations=read_annotations(annotations), synthetic=())
    reasons = {row["dropped"] for row in iter_boxes(kit.root)}
    assert reasons == {"It is not known where the x-ray is in the picture."}


def test_films_carry_the_boxes_of_their_xray(kit, annotations):
    """Cut by its content the x-ray fills the crop; cut by its edges nobody knows where it is."""
    crop = kit.folder / "crop.jpg"
    Image.effect_noise((100, 125), 60).save(crop)
    other = kit.folder / "other.jpg"
    Image.effect_noise((90, 80), 60).save(other)
    third = kit.folder / "third.jpg"
    Image.effect_noise((90, 80), 70).save(third)
    films = [
        FilmCrop(
            0, kit.xrays[at].key, "x", file, hashlib.sha256(file.read_bytes()).hexdigest(), *size,
            kit.xrays[at].split, kit.xrays[at].row, source,
        )
        for at, file, size, source in (
            (0, crop, (100, 125), kit.xrays[0]), (2, other, (90, 80), None),
            (4, third, (90, 80), None),
        )
    ]  # fmt: skip
    kit.build(films=films, annotations=read_annotations(annotations))
    rows = {}
    for row in iter_boxes(kit.root):
        if "/film/" in row["path"]:
            rows.setdefault(row["path"].split("/")[2], []).append(row)
    first = rows["patient00001"]
    boxes = [tuple(row[edge] for edge in ("x_min", "y_min", "x_max", "y_max")) for row in first]
    # x-rays of 40 x 50 pixels, 2.5 times as large here
    assert boxes == [(25, 50, 75, 101.25), (27.5, 52.5, 72.5, 102.5), (5, 7.5, 16.25, 22.5)]
    assert {row["visible"] for row in first} == {1.0}
    assert [row["class_name"] for row in rows["patient00002"]] == ["No finding"]
    (unknown,) = rows["patient00004"]
    assert unknown["x_min"] is None
    assert "not known where" in unknown["dropped"]
    assert check(kit.root).problems == ()
    report = export(kit.root, "coco", kit.folder / "coco")
    listed = json.loads((report.path / "instances_train.json").read_text())
    film = next(one for one in listed["images"] if "/film/" in one["file_name"])
    kept = [one["bbox"] for one in listed["annotations"] if one["image_id"] == film["id"]]
    assert [25, 50, 50, 51.25] in kept
