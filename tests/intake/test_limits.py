"""Thresholds from a file: all of them, checked, and told by name when wrong."""

from __future__ import annotations

from dataclasses import fields

import pytest

from rig.errors import UserError
from rig.intake.limits import Limits, as_toml, load


def test_what_is_printed_is_read_back(tmp_path):
    """Every threshold can be set."""
    file = tmp_path / "limits.toml"
    file.write_text(as_toml(Limits(score=0.8, inliers=20)))
    assert load(file) == Limits(score=0.8, inliers=20)
    assert file.read_text().count("=") == len(fields(Limits))


def test_what_is_not_named_stays(tmp_path):
    """A file of one line changes one limit; whole numbers are numbers."""
    file = tmp_path / "limits.toml"
    file.write_text("drift = 20\n")
    assert load(file) == Limits(drift=20.0)


def test_every_threshold_has_its_evidence():
    """A limit without a word why is a guess."""
    text = Limits.__doc__ or ""
    for field in fields(Limits):
        assert field.name in text, field.name


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("scores = 0.5", "scores"),
        ("score = 1.5", "0 to 1"),
        ("score = -0.1", "score"),
        ("score = nan", "number"),
        ("score = true", "number"),
        ("score = '0.5'", "number"),
        ("inliers = 12.5", "whole"),
        ("inliers = 2", "inliers"),
        ("[score]\na = 1", "number"),
        ("area_min = 0.9\narea_max = 0.5", "above"),
        ("focus_reject = 0.5\nfocus_warn = 0.4", "above"),
        ("worst_cluster = 0.03", "above unproven"),
        ("worst_cluster_by_glare = 0.01", "worst_cluster_by_glare"),
        ("score 0.5", "TOML"),
    ],
)
def test_nonsense_is_one_sentence_with_the_files_name(tmp_path, text, word):
    """Which file, which threshold, what it may be."""
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert word in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"gone\.toml"):
        load(tmp_path / "gone.toml")
