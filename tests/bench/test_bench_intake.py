"""The intake benchmark on a batch as small as can be."""

from __future__ import annotations

import argparse

import pytest

from bench import intake


@pytest.mark.system
def test_a_small_batch_is_taken_in_and_told(tmp_path):
    """Real programs, real photos; the second run does nothing."""
    lines = []
    args = argparse.Namespace(captures=4, runs=1, megapixels=2.0, dir=tmp_path)
    found = intake.measure(args, lines.append)
    assert found["photos"] == 4
    assert found["located_by"].pop("prior") == 3
    assert found["located_by"] in ({"orb": 1}, {"sift": 1}), "the first by the whole search"
    assert found["photos_per_s"] > 0
    assert found["again_seconds"]["median"] < found["seconds"]["median"]
    assert 50 < found["peak_rss_mb"] < 4000
    assert "photos/s" in intake.table(found)
    assert lines
