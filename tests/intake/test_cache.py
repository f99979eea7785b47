"""Features on disk: the same as computed, found again, bounded, and damage is noticed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import rig.intake.cache as module
from rig.intake.cache import FeatureCache
from rig.intake.features import Reference

SHA = "ab" * 32


@pytest.fixture
def load(sample):
    """Decodes the x-ray and counts how often."""

    def decode():
        decode.calls += 1
        return sample.pixels[0]

    decode.calls = 0
    return decode


def same(a: Reference, b: Reference) -> None:
    assert a.size == b.size
    assert_array_equal(a.grey, b.grey)
    assert_array_equal(a.texture.pixels, b.texture.pixels)
    for kind in ("orb", "sift"):
        ours, theirs = getattr(a, kind), getattr(b, kind)
        assert_array_equal(ours.points, theirs.points)
        assert_array_equal(ours.descriptors, theirs.descriptors)


def test_kept_features_equal_computed_ones(tmp_path, load, sample):
    """Bit for bit, and without decoding the x-ray again."""
    first = FeatureCache(tmp_path)
    same(first.reference(SHA, load), Reference(sample.pixels[0]))
    assert (first.hits, first.misses, load.calls) == (0, 2, 2)
    again = FeatureCache(tmp_path)
    same(again.reference(SHA, load), Reference(sample.pixels[0]))
    assert (again.hits, again.misses, load.calls) == (2, 0, 2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:],
        lambda data: b"x" + data[1:],
    ],
)
def test_a_damaged_entry_is_told_removed_and_computed_anew(tmp_path, load, sample, spoil):
    """One flipped bit is enough."""
    FeatureCache(tmp_path).reference(SHA, load)
    (file,) = tmp_path.rglob("*.features")
    file.write_bytes(spoil(file.read_bytes()))
    told: list[str] = []
    cache = FeatureCache(tmp_path, tell=told.append)
    same(cache.reference(SHA, load), Reference(sample.pixels[0]))
    assert cache.damaged == 1
    assert len(told) == 1
    assert str(file) in told[0]
    clean = FeatureCache(tmp_path)
    clean.reference(SHA, load)
    assert (clean.hits, clean.damaged) == (1, 0)


def test_another_xray_recipe_or_opencv_is_another_entry(tmp_path, load, monkeypatch):
    """Nothing computed otherwise is ever taken for it."""
    FeatureCache(tmp_path).reference(SHA, load)
    other = FeatureCache(tmp_path)
    other.reference("cd" * 32, load)
    assert other.hits == 0
    monkeypatch.setattr(module, "RECIPE", (*module.RECIPE[:-1], "5.0.0"))
    newer = FeatureCache(tmp_path)
    newer.reference(SHA, load)
    assert (newer.hits, newer.misses) == (0, 1)
    assert len(list(tmp_path.rglob("*.features"))) == 3


def test_the_folder_stays_within_its_size_and_keeps_what_was_used_last(tmp_path):
    """Oldest use first, not oldest entry."""
    cache = FeatureCache(tmp_path, 50_000)
    rows = {"a": np.zeros(9000, np.uint8)}
    for at in range(5):
        cache.put(f"{at}", "orb", rows)
        for age, file in enumerate(sorted(tmp_path.rglob("*.features"), key=os.path.getmtime)):
            os.utime(file, (1000 + age, 1000 + age))
    assert cache.get("0", "orb") is not None
    for at in range(5, 8):
        cache.put(f"{at}", "orb", rows)
    assert sum(f.stat().st_size for f in tmp_path.rglob("*.features")) <= 50_000
    assert cache.get("0", "orb") is not None
    assert cache.get("1", "orb") is None
    assert cache.get("7", "orb") is not None
    FeatureCache(tmp_path, 100).put("big", "orb", rows)
    assert cache.get("big", "orb") is None


def test_a_disk_that_cannot_be_written_is_told_not_raised(tmp_path, load, sample):
    """The check goes on, only slower."""
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    told: list[str] = []
    cache = FeatureCache(blocked, tell=told.append)
    same(cache.reference(SHA, load), Reference(sample.pixels[0]))
    assert told
    assert all(text.endswith(".") for text in told)


def test_nothing_half_written_is_left(tmp_path, load):
    """Entries appear whole; no temporary file stays."""
    FeatureCache(tmp_path).reference(SHA, load)
    assert [f.suffix for f in tmp_path.rglob("*") if f.is_file()] == [".features"]
