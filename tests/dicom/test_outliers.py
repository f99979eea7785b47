"""Rules over the picture: each finds its own fault, and real x-rays have none."""

from __future__ import annotations

import csv
from functools import cache

import cv2
import numpy as np
import pytest

from rig.dicom.doubts import Decision
from rig.dicom.outliers import figures, picture_doubts
from rig.sample import csv_path, data_dir


@cache
def sample(row):
    with csv_path().open(newline="") as handle:
        path = [one["Path"] for one in csv.DictReader(handle)][row]
    picture = cv2.imread(str(data_dir() / path), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture


def rules(picture):
    return {one.rule: one for one in picture_doubts(picture)}


@pytest.mark.parametrize("row", [0, 9, 20, 31, 47])
def test_x_rays_of_the_sample_are_usable(row):
    assert rules(sample(row)) == {}


def test_a_blurred_x_ray_is_looked_at():
    whole = sample(0)
    sigma = 4 * max(1.0, max(whole.shape) / 1024)
    blurred = cv2.GaussianBlur(whole, (0, 0), sigma)
    doubt = rules(blurred)["blur"]
    assert doubt.decision is Decision.REVIEW
    assert doubt.score < figures(whole).sharpness
    assert "not sharp" in doubt.sentence


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_is_refused(grey):
    (doubt,) = picture_doubts(np.full((400, 400), grey, np.uint8))
    assert (doubt.rule, doubt.decision) == ("empty", Decision.REFUSE)


def test_a_clipped_x_ray_is_looked_at_at_both_ends():
    whole = sample(0).astype(int)
    dark, bright = (np.clip(whole + more, 0, 255).astype(np.uint8) for more in (-130, 130))
    for picture, word in ((dark, "black"), (bright, "white")):
        doubt = rules(picture)["clipping"]
        assert doubt.decision is Decision.REVIEW
        assert word in doubt.sentence
        assert 0 < doubt.score <= 1


def test_a_wide_border_is_looked_at():
    bordered = np.pad(sample(0), 120)
    doubt = rules(bordered)["border"]
    assert doubt.decision is Decision.REVIEW
    assert doubt.score > 0.3


def test_few_grey_levels_are_looked_at():
    assert "grey levels" in rules((sample(0) // 64 * 64).astype(np.uint8))


@pytest.mark.parametrize(("size", "decision"), [(200, Decision.REVIEW), (100, Decision.REFUSE)])
def test_a_small_picture_is_looked_at_and_a_tiny_one_refused(size, decision):
    small = cv2.resize(sample(0), (size, size), interpolation=cv2.INTER_AREA)
    assert rules(small)["size"].decision is decision


def test_a_strip_has_the_wrong_shape():
    assert "shape" in rules(np.ascontiguousarray(sample(0)[: min(sample(0).shape) // 2]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_pictures_of_any_size_can_be_looked_at(shape):
    picture = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    found = figures(picture)
    assert 0 <= found.border <= 1
    assert np.isfinite(found.sharpness)
    assert "size" in rules(picture)
