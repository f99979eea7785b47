import dataclasses
import json
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path, PurePosixPath

import pytest

from rig.synthesis import batch, manifest
from rig.synthesis.making import Drawn, Job, Plan, make_chunk
from rig.synthesis.pool import make_pool
from rig.synthesis.recipes import DIGITAL, SPATIAL, Recipe, Step
from rig.synthesis.runner import Failure, Item, Summary, _Chunks, synthesize
from rig.synthesis.transform import SynthesisError


def contents(folder):
    """Every file below *folder*, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


@pytest.fixture
def made(items, tmp_path):
    """The spatial twins of all items with seed 5, made here and now."""
    out = tmp_path / "made"
    assert synthesize(items, SPATIAL, seed=5, out_dir=out) == Summary(6, 0, ())
    return out


def test_only_twins_and_manifest_are_left(items, made):
    """No temporary file stays."""
    expected = {item.output.as_posix() for item in items} | {"manifest.jsonl"}
    assert set(contents(made)) == expected


def test_order_does_not_matter(items, made, tmp_path):
    synthesize(items[::-1], SPATIAL, seed=5, out_dir=tmp_path / "other")
    assert contents(tmp_path / "other") == contents(made)


def test_an_image_made_alone_is_the_same(items, made, tmp_path):
    synthesize(items[3:4], SPATIAL, seed=5, out_dir=tmp_path / "alone")
    name = items[3].output.as_posix()
    assert contents(tmp_path / "alone")[name] == contents(made)[name]


def test_workers_do_not_matter(items, made, tmp_path):
    """Two spawned processes, then threads, write what one process writes."""
    for name, pool in (("processes", make_pool(2)), ("threads", ThreadPoolExecutor(3))):
        with pool:
            synthesize(items, SPATIAL, seed=5, out_dir=tmp_path / name, executor=pool)
        assert contents(tmp_path / name) == contents(made)


def test_another_seed_makes_every_image_differ(items, made, tmp_path):
    synthesize(items, SPATIAL, seed=6, out_dir=tmp_path / "other")
    ours, theirs = contents(made), contents(tmp_path / "other")
    assert all(ours[name] != theirs[name] for name in ours)


def test_a_second_run_skips_what_is_done(items, made):
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in made.rglob("*.jpg")}
    manifest = (made / "manifest.jsonl").read_bytes()
    assert synthesize(items, SPATIAL, seed=5, out_dir=made) == Summary(0, 6, ())
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in made.rglob("*.jpg")} == before
    assert (made / "manifest.jsonl").read_bytes() == manifest


def test_what_no_longer_matches_is_made_again(items, made):
    good = contents(made)
    (made / items[0].output).write_bytes(b"overwritten")
    (made / items[1].output).unlink()
    assert synthesize(items, SPATIAL, seed=5, out_dir=made) == Summary(2, 4, ())
    assert contents(made) == good


def test_a_changed_source_is_made_again(items, made):
    """And said: nobody should find out from the pixels."""
    items[2].source.write_bytes(items[1].source.read_bytes())
    again = synthesize(items, SPATIAL, seed=5, out_dir=made)
    assert again == Summary(1, 5, (), changed=(items[2].key,))
    assert synthesize(items, SPATIAL, seed=5, out_dir=made) == Summary(0, 6, ())


def test_another_request_is_made_again(items, made):
    assert synthesize(items, SPATIAL, seed=6, out_dir=made).made == 6
    assert synthesize(items, SPATIAL.at_level(2), seed=6, out_dir=made).made == 6
    assert synthesize(items, SPATIAL.at_level(2), seed=6, out_dir=made, quality=90).made == 6
    renamed = Recipe(SPATIAL.name, (Step("tilt"),))
    assert synthesize(items, renamed, seed=6, out_dir=made).made == 6
    other_key = [dataclasses.replace(item, key=item.key + "x") for item in items]
    assert synthesize(other_key, renamed, seed=6, out_dir=made).made == 6


def test_a_moved_source_is_not_made_again(items, made, tmp_path):
    moved = items[0].source.rename(tmp_path / "moved.jpg")
    items[0] = dataclasses.replace(items[0], source=moved)
    assert synthesize(items, SPATIAL, seed=5, out_dir=made).skipped == 6
    assert rows(made)[0]["source"] == moved.as_posix()


def test_a_run_that_broke_off_goes_on(items, made, tmp_path):
    """Rows are noted as they come, so what was done is not done again."""
    out = tmp_path / "broken"

    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(items, SPATIAL, seed=5, out_dir=out, progress=stop)
    with (out / "manifest.jsonl").open("a") as file:
        file.write('{"key": "pat')
    assert synthesize(items, SPATIAL, seed=5, out_dir=out) == Summary(2, 4, ())
    assert contents(out) == contents(made)


def test_rows_of_other_images_are_kept(items, tmp_path):
    synthesize(items[:3], DIGITAL, seed=5, out_dir=tmp_path / "out")
    synthesize(items[3:], DIGITAL, seed=5, out_dir=tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 6


def test_a_broken_input_is_one_failed_row(items, made, tmp_path):
    """The others are made as if it were not there."""
    data = items[1].source.read_bytes()
    items[1].source.write_bytes(data[:300])
    items[4].source.unlink()
    out = tmp_path / "out"
    summary = synthesize(items, SPATIAL, seed=5, out_dir=out)
    assert (summary.made, summary.skipped) == (4, 0)
    broken, missing = summary.failed
    assert (broken.key, broken.source) == (items[1].key, items[1].source)
    assert "broken" in broken.reason
    assert missing == Failure(items[4].key, items[4].source, "There is no such file.")
    failed = [row for row in rows(out) if "failed" in row]
    assert [row["failed"] for row in failed] == [broken.reason, missing.reason]
    ours, theirs = contents(made), contents(out)
    assert all(ours[name] == theirs[name] for name in theirs if name.endswith(".jpg"))


def test_a_mended_input_is_made_on_the_next_run(items, made, tmp_path):
    out = tmp_path / "out"
    data = items[1].source.read_bytes()
    items[1].source.write_bytes(b"")
    assert len(synthesize(items, SPATIAL, seed=5, out_dir=out).failed) == 1
    items[1].source.write_bytes(data)
    assert synthesize(items, SPATIAL, seed=5, out_dir=out) == Summary(1, 5, ())
    assert contents(out) == contents(made)


def test_an_output_named_twice_fails_the_second_time(items, made, tmp_path):
    twice = dataclasses.replace(items[0], source=items[1].source)
    summary = synthesize([*items, twice], SPATIAL, seed=5, out_dir=tmp_path / "out")
    assert summary.made == 6
    assert "earlier row" in summary.failed[0].reason
    assert contents(tmp_path / "out") == contents(made)


@pytest.mark.parametrize("output", ["../a.jpg", "/tmp/a.jpg", "train/../../a.jpg", "a\\b.jpg"])
def test_outputs_stay_in_the_folder(items, tmp_path, output):
    item = dataclasses.replace(items[0], output=PurePosixPath(output))
    summary = synthesize([item], DIGITAL, seed=0, out_dir=tmp_path / "out")
    assert "leaves the output folder" in summary.failed[0].reason
    assert set(contents(tmp_path / "out")) == {"manifest.jsonl"}


def test_only_jpeg_is_written(items, tmp_path):
    item = dataclasses.replace(items[0], output=PurePosixPath("a.png"))
    summary = synthesize([item], DIGITAL, seed=0, out_dir=tmp_path / "out")
    assert "not named .jpg" in summary.failed[0].reason


def test_a_source_is_never_overwritten(items, tmp_path):
    before = items[0].source.read_bytes()
    summary = synthesize(items[:1], DIGITAL, seed=0, out_dir=tmp_path / "source")
    assert "its own source" in summary.failed[0].reason
    assert items[0].source.read_bytes() == before


def test_progress_counts_to_the_end(items, tmp_path):
    seen = []
    items.append(items[0])
    synthesize(items, DIGITAL, seed=0, out_dir=tmp_path, progress=lambda *c: seen.append(c))
    assert seen == [(n, 7) for n in range(2, 8)]


def test_nothing_to_do_is_done(tmp_path):
    assert synthesize([], DIGITAL, seed=0, out_dir=tmp_path / "out") == Summary(0, 0, ())
    assert (tmp_path / "out" / "manifest.jsonl").read_bytes() == b""


class Immediate(Executor):
    """Works at once and notes the length of each chunk; dies at the chunk told."""

    def __init__(self, dies_at=None):
        self.chunks, self.dies_at = [], dies_at

    def submit(self, fn, /, *args, **kwargs):
        self.chunks.append(len(args[1]))
        future = Future()
        if len(self.chunks) - 1 == self.dies_at:
            future.set_exception(BrokenProcessPool("killed"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_long_runs_are_sent_in_chunks(tmp_path):
    """Small at first, then by the pace of the work, and small again so that all end together."""
    missing = [Item(f"{n}", Path("nowhere"), PurePosixPath(f"{n}.jpg")) for n in range(3000)]
    pool = Immediate()
    summary = synthesize(missing, DIGITAL, seed=0, out_dir=tmp_path, executor=pool)
    assert [failure.key for failure in summary.failed] == [item.key for item in missing]
    assert sum(pool.chunks) == 3000
    assert pool.chunks[0] == 4
    assert max(pool.chunks) > 20
    assert max(pool.chunks) <= 128
    assert pool.chunks[-8:] == [1] * 8


def test_a_slow_image_makes_short_chunks():
    """Their length is a matter of time, not of number."""
    chunks = _Chunks(range(1000), 2)
    assert len(chunks.next()) == 4
    chunks.took(8.0, 4)
    assert len(chunks.next()) == 1
    for _ in range(20):
        chunks.took(0.05, 1)
    assert 10 <= len(chunks.next()) <= 15


def test_dead_workers_are_told_and_what_they_made_is_kept(items, made, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(SynthesisError, match="run it again"):
        synthesize(items, SPATIAL, seed=5, out_dir=out, executor=Immediate(dies_at=5))
    again = synthesize(items, SPATIAL, seed=5, out_dir=out)
    assert again.made + again.skipped == 6
    assert contents(out) == contents(made)


def test_what_cannot_get_its_name_is_a_failed_row(items, tmp_path):
    """A folder has the name of the output; the others of the chunk are not touched by it."""
    out = tmp_path / "out"
    (out / items[2].output / "inside").mkdir(parents=True)
    job = Job(out, tmp_path)
    orders = [(item, Plan(Drawn(DIGITAL, 0), {"key": item.key}, 75), None) for item in items]
    outcomes = make_chunk(job, orders)
    assert [o.state for o in outcomes] == ["made"] * 2 + ["failed"] + ["made"] * 3
    assert outcomes[2].row["failed"].startswith("The output cannot be written: ")
    assert not list(out.rglob("*.part"))
    assert len([path for path in out.rglob("*.jpg") if path.is_file()]) == 5


def test_a_sync_that_fails_fails_the_whole_chunk_and_leaves_nothing(items, tmp_path, monkeypatch):
    def full(paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch, "_sync", full)
    summary = synthesize(items, DIGITAL, seed=0, out_dir=tmp_path / "out")
    assert {f.reason for f in summary.failed} == {
        "The output cannot be written: No space left on device."
    }
    assert len(summary.failed) == 6
    assert set(contents(tmp_path / "out")) == {"manifest.jsonl"}


def test_a_row_says_done_only_when_file_and_folders_are_on_the_disk(items, tmp_path, monkeypatch):
    """Content, then names, then every folder that leads there, and only then the manifest."""
    out, seen = tmp_path / "new" / "out", []
    sync, replace, append = batch._sync, Path.replace, manifest.append

    def note_sync(paths):
        seen.append(("sync", sorted(Path(path).relative_to(tmp_path).as_posix() for path in paths)))
        sync(paths)

    def note_replace(self, target):
        if self.suffix == ".part" and target.suffix == ".jpg":
            seen.append(("name", target.relative_to(out).as_posix()))
        return replace(self, target)

    def note_append(file, rows):
        rows = list(rows)
        seen.extend(("row", row["output"]) for row in rows)
        return append(file, rows)

    monkeypatch.setattr(batch, "_sync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    monkeypatch.setattr(manifest, "append", note_append)
    assert synthesize(items[:1], DIGITAL, seed=0, out_dir=out).made == 1
    name = items[0].output.as_posix()
    (_, content), named, (_, folders), row = seen
    assert [path.rsplit(".", 1)[1] for path in content] == ["part"]
    assert (named, row) == (("name", name), ("row", name))
    study = PurePosixPath("new/out", items[0].output.parent)
    above = [parent.as_posix() for parent in (study, *study.parents)]
    assert folders == sorted(above[: above.index("new") + 1])


def test_folders_that_cannot_be_synced_fail_their_images(items, tmp_path, monkeypatch):
    sync = batch._sync

    def refuse(paths):
        if paths and all(Path(path).is_dir() for path in paths):
            raise OSError(5, "Input/output error")
        sync(paths)

    monkeypatch.setattr(batch, "_sync", refuse)
    summary = synthesize(items, DIGITAL, seed=0, out_dir=tmp_path / "out")
    assert summary.made == 0
    assert {f.reason for f in summary.failed} == {
        "The output cannot be written: Input/output error."
    }


def test_files_get_their_names_with_and_without_syncfs(tmp_path, monkeypatch):
    for round_ in ("with", "without"):
        with batch.Batch(tmp_path) as files:
            for n in range(3):
                files.put(n, tmp_path / round_ / f"{n}", b"x" * n)
            assert not list((tmp_path / round_).glob("?"))
            assert files.settle() == {}
        assert sorted(p.name for p in (tmp_path / round_).iterdir()) == ["0", "1", "2"]
        monkeypatch.setattr(batch, "_syncfs", lambda: None)


def test_what_a_killed_worker_left_is_swept_away_and_nothing_else(items, tmp_path):
    folder = (tmp_path / "out" / items[0].output).parent
    folder.mkdir(parents=True)
    (folder / f".{items[0].output.name}.0123abcd.part").write_bytes(b"half")
    (folder / ".other.jpg.0123abcd.part").write_bytes(b"somebody else's")
    assert synthesize(items, DIGITAL, seed=0, out_dir=tmp_path / "out").made == 6
    assert [p.name for p in (tmp_path / "out").rglob("*.part")] == [".other.jpg.0123abcd.part"]
