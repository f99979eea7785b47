"""A batch: every file a row with a reason, every gap listed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rig.intake.batch import XraySource, take_in
from rig.intake.limits import Limits
from rig.intake.match import Status
from rig.intake.prior import prior_of
from rig.simulation.optics import shoot


def take(batch, files=None, **options):
    found = sorted(batch.folder.iterdir()) if files is None else files
    return take_in(found, expected=batch.expected, source_of=batch.source, **options)


def only(report):
    (row,) = report.results
    return row


def test_a_whole_batch_is_verified(batch):
    """Every committed photo back, every pixel right, sidecars passed over."""
    for index in range(1, 7):
        photo = batch.commit(index)
        photo.with_suffix(".json").write_text("{}")
    calls = []
    report = take(batch, progress=lambda done, total: calls.append((done, total)))
    assert [r.status for r in report.results] == [Status.VERIFIED] * 6
    assert [r.index for r in report.results] == [1, 2, 3, 4, 5, 6]
    assert report.missing == ()
    assert report.well
    assert calls[-1] == (6, 6)


def test_a_missing_photo_is_a_gap_and_nothing_else(batch):
    """A gap never disappears and never blocks the rest."""
    batch.commit(1)
    batch.commit(2, write=False)
    report = take(batch)
    assert report.missing == (2,)
    assert not report.well
    assert only(report).status is Status.VERIFIED


def test_a_photo_of_another_xray_is_rejected_by_its_pixels(batch, sample):
    """Name and bytes are as committed, but the monitor showed something else."""
    other = batch.commit(2).read_bytes()
    (batch.folder / batch.name(2, other)).unlink()
    del batch.committed[2, 1]
    batch.commit(1, other)
    row = only(take(batch))
    assert row.status is Status.REJECTED
    assert row.verification is not None
    assert not row.verification.verified


def test_a_half_switched_frame_is_rejected(batch, sample, composed):
    """The x-ray of the index before is compared too."""
    import io

    from PIL import Image

    frame = composed(sample.pixels[1])[0].astype(np.float32) * 0.7
    frame += composed(sample.pixels[0])[0] * 0.3
    out = io.BytesIO()
    Image.fromarray(frame.astype(np.uint8)).save(out, "JPEG", quality=90)
    batch.commit(2, out.getvalue())
    row = only(take(batch))
    assert row.status is Status.REJECTED
    assert row.verification.previous_correlation > 0.38


def test_a_truncated_photo_is_altered(batch):
    """Cut short on its way: told by its bytes before anything is decoded."""
    photo = batch.commit(1)
    photo.write_bytes(photo.read_bytes()[:-1000])
    report = take(batch)
    assert only(report).status is Status.ALTERED
    assert report.missing == (1,)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + b"\0" * 64])
def test_bytes_that_are_no_picture_are_unreadable(batch, data):
    """Committed as such (a camera's fault): a row, not a crash."""
    batch.commit(1, data)
    report = take(batch)
    assert only(report).status is Status.UNREADABLE
    assert report.missing == (1,)


def test_a_photo_cut_short_by_the_camera_is_unreadable(batch):
    """The hash fits, the picture is not whole."""
    whole = batch.commit(1).read_bytes()
    batch.folder.joinpath(batch.name(1, whole)).unlink()
    batch.commit(1, whole[: len(whole) // 2])
    assert only(take(batch)).status is Status.UNREADABLE


def test_a_huge_picture_is_not_decoded(batch):
    """The pixel limit holds before decoding."""
    batch.commit(1)
    row = only(take(batch, limits=Limits(max_pixels=1_000_000)))
    assert row.status is Status.UNREADABLE
    assert "1,000,000" in row.reason


def test_copies_under_other_names_are_doubled_or_named(batch):
    """A copy beside its original is doubled; alone, it is told how to be called."""
    photo = batch.commit(1)
    copy = batch.folder / "IMG_1.jpg"
    copy.write_bytes(photo.read_bytes())
    rows = {r.name: r for r in take(batch).results}
    assert rows[photo.name].status is Status.VERIFIED
    assert rows["IMG_1.jpg"].status is Status.DOUBLED
    photo.unlink()
    row = only(take(batch))
    assert row.status is Status.MISNAMED
    assert photo.name in row.reason


def test_the_same_photo_twice_counts_once(batch, tmp_path):
    """Two folders, one photo."""
    photo = batch.commit(1)
    other = tmp_path / photo.name
    other.write_bytes(photo.read_bytes())
    report = take(batch, [photo, other])
    assert [r.status for r in report.results] == [Status.VERIFIED, Status.DOUBLED]


def test_foreign_superseded_and_lost_files_are_rows(batch):
    """They harm nobody, but they are listed."""
    batch.commit(1)
    data = b"other"
    (batch.folder / batch.name(1, data, campaign="f" * 16)).write_bytes(data)
    (batch.folder / batch.name(1, data, attempt=2)).write_bytes(data)
    files = [*sorted(batch.folder.iterdir()), batch.folder / "gone.jpg"]
    report = take(batch, files)
    counts = {status: report.count(status) for status in Status}
    assert counts[Status.VERIFIED] == 1
    assert counts[Status.FOREIGN] == 1
    assert counts[Status.SUPERSEDED] == 1
    assert counts[Status.UNREADABLE] == 1
    assert report.well


def test_an_xray_that_changed_proves_nothing(batch):
    """The source on disk must be the one that was imported."""
    batch.commit(1)
    changed = replace(batch.source(1), sha256="0" * 64)
    report = take_in(
        list(batch.folder.iterdir()), expected=batch.expected, source_of=lambda _: changed
    )
    assert only(report).status is Status.REJECTED
    assert "changed" in only(report).reason


def test_an_xray_that_is_gone_or_unknown_proves_nothing(batch, tmp_path):
    """Neither stops the batch."""
    batch.commit(1)

    def unknown(index: int) -> XraySource:
        raise LookupError(index)

    gone = XraySource(tmp_path / "gone.jpg", "0" * 64)
    for source in (unknown, lambda _: gone):
        report = take_in(list(batch.folder.iterdir()), expected=batch.expected, source_of=source)
        assert only(report).status is Status.REJECTED
        assert report.missing == (1,)


def test_an_executor_gives_the_same_report(batch, monkeypatch):
    """Chunks, in any worker, in any order: but for the time taken the rows are equal."""

    def timeless(report):
        return [
            replace(r, verification=r.verification and replace(r.verification, ms=0))
            for r in report.results
        ]

    monkeypatch.setattr("rig.intake.batch.CHUNK", 2)
    for index in range(1, 6):
        batch.commit(index)
    with ThreadPoolExecutor(2) as executor:
        parallel = take(batch, executor=executor)
    assert timeless(parallel) == timeless(take(batch))


@pytest.fixture
def night(batch, sample, composed, photo_of):
    """`night(indices, seed)`: photos of one tripod, and their true places on record."""
    import io

    def taken(indices, *, seed=5, bumped=()):
        for index in indices:
            frame, _ = composed(sample.pixels[index - 1])
            shot = shoot(
                Image.fromarray(frame),
                "typical",
                np.random.default_rng([seed, index]),
                tripod=np.random.default_rng(seed + (index in bumped)),
            )
            out = io.BytesIO()
            shot.photo.save(out, "JPEG", quality=90)
            batch.commit(index, out.getvalue())

    return taken


def ways(report):
    """Index -> how its x-ray was found; None when it was not verified."""
    return {
        r.index: r.verification.located_by if r.status is Status.VERIFIED else None
        for r in report.results
    }


def test_a_whole_batch_starts_from_the_last_verified_place(batch, night, monkeypatch):
    """One photo is sought everywhere; each further one, in any chunk, where the screen was."""
    monkeypatch.setattr("rig.intake.batch.CHUNK", 2)
    night(range(1, 8))
    assert ways(take(batch)) == {1: "orb"} | dict.fromkeys(range(2, 8), "prior")
    assert set(ways(take(batch, fixed=False)).values()) == {"orb"}


def test_a_batch_that_goes_on_starts_where_it_was(batch, night):
    """With the place of a photo that was verified before there is no scout."""
    night((1, 2))
    first, second = sorted(batch.folder.iterdir(), key=lambda file: "i000002" in file.name)
    seen = only(take(batch, [first])).verification
    known = prior_of(seen.homography, seen.xray_size, seen.photo_size, Limits().screen_aspect)
    assert ways(take(batch, [second], prior=known)) == {2: "prior"}
    assert ways(take(batch, [second])) == {2: "orb"}


def test_bad_first_photos_do_not_mislead_the_batch(batch, night, sample, composed):
    """Scouts that are not verified say nothing; a bump in the middle costs time and no photo."""
    batch.commit(1, composed_jpeg(composed(sample.pixels[7])[0]))
    night(range(2, 7), bumped=(4, 5, 6))
    found = ways(take(batch))
    assert found == {1: None, 2: "orb", 3: "prior", 4: "orb", 5: "prior", 6: "prior"}


def composed_jpeg(frame):
    import io

    out = io.BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=90)
    return out.getvalue()


def test_the_number_of_workers_changes_nothing(batch, night, monkeypatch):
    """Places are handed on between the same photos: bit for bit the same rows."""
    monkeypatch.setattr("rig.intake.batch.CHUNK", 2)
    night(range(1, 7), bumped=(5, 6))
    alone = take(batch)
    with ThreadPoolExecutor(3) as executor:
        together = take(batch, executor=executor)
    plain = [
        [replace(r, verification=replace(r.verification, ms=0)) for r in report.results]
        for report in (alone, together)
    ]
    assert plain[0] == plain[1]
    assert {"prior", "orb"} == set(ways(alone).values())
