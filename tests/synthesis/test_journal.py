"""The manifest of a run while it grows."""

import json
import tracemalloc
from pathlib import PurePosixPath

import numpy as np
import pytest

from rig.synthesis import manifest
from rig.synthesis.image import encode_jpeg
from rig.synthesis.journal import Journal
from rig.synthesis.making import Item
from rig.synthesis.recipes import SPATIAL
from rig.synthesis.runner import synthesize


def test_appending_after_a_torn_line_loses_no_row(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"output": "a.jpg"}\n{"outp')
    with Journal(path) as journal:
        journal.append([{"output": "b.jpg"}])
    with Journal(path) as journal:
        journal.append([{"output": "c.jpg"}])
    assert list(manifest.read(path)) == ["a.jpg", "b.jpg", "c.jpg"]


def test_the_last_row_of_an_output_counts(tmp_path):
    path = tmp_path / "new" / "manifest.jsonl"
    with Journal(path) as journal:
        assert journal.get("a.jpg") is None
        journal.append([{"output": "a.jpg", "n": 1}, {"output": "b.jpg", "n": 2}])
        journal.append([{"output": "a.jpg", "n": 3}])
        assert journal["a.jpg"] == {"output": "a.jpg", "n": 3}
        assert dict(journal) == {
            "a.jpg": {"output": "a.jpg", "n": 3},
            "b.jpg": {"output": "b.jpg", "n": 2},
        }
    with Journal(path) as journal:
        assert (journal["a.jpg"]["n"], len(journal), "c.jpg" in journal) == (3, 2, False)


def test_settled_it_is_in_order_and_without_what_no_longer_counts(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"output": "c.jpg", "key": "1"}\n[]\n\xff\n{"output": "a.jpg", "key": "2"}\n')
    with Journal(path) as journal:
        journal.append([{"output": "b.jpg", "key": "2"}, {"output": "a.jpg", "key": "2", "n": 9}])
        journal.settle()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"output": "c.jpg", "key": "1"},
        {"output": "a.jpg", "key": "2", "n": 9},
        {"output": "b.jpg", "key": "2"},
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.jsonl"]


def test_a_folder_in_its_place_is_an_error_that_leaves_nothing_open(tmp_path):
    (tmp_path / "manifest.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        Journal(tmp_path / "manifest.jsonl")


@pytest.mark.parametrize("again", [False, True])
def test_a_run_keeps_no_rows_in_memory(tmp_path, again):
    """An item more costs its place, not its row: 10 kB with all of the row's numbers."""
    source = tmp_path / "source.jpg"
    source.write_bytes(encode_jpeg(np.full((8, 8), 90, dtype=np.uint8)))

    def grown(count: int) -> int:
        out = tmp_path / f"out{count}"
        items = [
            Item(f"p{n:06}/study1/view1", source, PurePosixPath(f"p{n:06}/v.jpg"))
            for n in range(count)
        ]
        if again:
            synthesize(items, SPATIAL, seed=1, out_dir=out)
        tracemalloc.start()
        try:
            assert not synthesize(items, SPATIAL, seed=1, out_dir=out).failed
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    grown(10)
    few, many = grown(300), grown(1300)
    assert (many - few) / 1000 < 2000
