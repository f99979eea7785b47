"""Which photo taken by hand shows which x-ray: pixels, order, clocks, doubt."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rig.intake.batch import XraySource
from rig.intake.hand_look import Search, Seen, Taken, search, see, taken_ns
from rig.intake.hand_match import match, taken_order
from rig.intake.limits import Limits
from rig.intake.manual import Left, Showing
from rig.intake.marker_ids import Marker, encode_ids
from rig.store.hand import Standing

S = 1_000_000_000
OFF = 7_384 * S
"""The camera is two hours, three minutes and four seconds ahead."""


def exif_jpeg(image: Image.Image, taken: str | None, sub: str | None = None) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = taken
    if sub is not None:
        exif.get_ifd(0x8769)[0x9291] = sub
    image.save(out, "JPEG", quality=90, exif=exif.tobytes())
    return out.getvalue()


@pytest.fixture
def hand(tmp_path, sample, composed):
    """Twelve x-rays shown ten seconds each, and a photo of any frame at any time."""

    class Hand:
        def __init__(self) -> None:
            self.indices = [9, 2, 14, 5, 11, 3, 7, 20, 1, 16, 12, 8]
            self.photos: list[Taken] = []
            self.sources = {
                index: XraySource(
                    sample.files[index - 1],
                    hashlib.sha256(sample.files[index - 1].read_bytes()).hexdigest(),
                )
                for index in self.indices
            }
            self.shown = tuple(
                Showing(
                    showing=at, set=1, position=at, index=index, attempt=1,
                    key=sample.keys[index - 1], sha256=self.sources[index].sha256,
                    marker=encode_ids(index, 1), from_ns=at * 10 * S, to_ns=at * 10 * S + 9 * S,
                    left=Left.NEXT,
                )
                for at, index in enumerate(self.indices, 1)
            )  # fmt: skip

        def frame(self, index: int) -> Image.Image:
            return Image.fromarray(composed(sample.pixels[index - 1])[0])

        def take(self, picture: Image.Image, at_ns: int | None, marker: Marker | None = None,
                 name: str | None = None) -> None:  # fmt: skip
            name = name or f"IMG_{len(self.photos) + 1}.jpg"
            file = tmp_path / f"{len(self.photos)}.jpg"
            file.write_bytes(exif_jpeg(picture, None))
            self.photos.append(Taken(name, file, Seen("0", 1, None, at_ns, marker)))

        def run(self, **more):
            return match(self.photos, self.shown, self.sources, **more)

    return Hand()


def test_pixels_prove_what_no_marker_says(hand):
    """A dozen frames without a marker, in order: each its own x-ray, and the clock with them."""
    for at, index in enumerate(hand.indices, 1):
        hand.take(hand.frame(index), OFF + at * 10 * S + 4 * S)
    noted = []
    found = hand.run(note=lambda place, sightings: noted.append(place))
    assert [one.index for one in found.proposals] == hand.indices
    assert {one.standing for one in found.proposals} == {Standing.ACCEPTED}
    assert all("pixels" in one.evidence and "time" in one.evidence for one in found.proposals)
    assert found.clock.trusted
    assert abs(found.clock.offset_ns - OFF) < 6 * S
    assert sorted(noted) == list(range(12))


def test_a_marker_is_compared_with_its_xray_alone(hand, monkeypatch):
    """One comparison for a photo whose marker was read."""
    looked = []

    def counting(wanted):
        looked.append(len(wanted.candidates))
        return search(wanted)

    monkeypatch.setattr("rig.intake.hand_match.search", counting)
    for index in hand.indices[:3]:
        hand.take(hand.frame(index), None, Marker(index, 1))
    found = hand.run(run=map)
    assert looked == [1, 1, 1]
    assert [one.evidence for one in found.proposals] == [("marker", "pixels")] * 3


def test_a_marker_beside_another_xray_is_for_a_person(hand):
    """The marker says one thing and the pixels another: nobody guesses."""
    hand.take(hand.frame(9), None, Marker(9, 1))
    hand.take(hand.frame(5), None, Marker(14, 1))
    hand.take(hand.frame(5), None, Marker(5, 1))
    found = hand.run().proposals[1]
    assert found.standing is Standing.DOUBTFUL
    assert "14" in found.reason
    assert 14 in [one["index"] for one in found.candidates]


def test_a_photo_that_proves_nothing_is_offered_what_fits(hand):
    """A black photo between two known ones: the order has something to say, a person decides."""
    times = [OFF + at * 10 * S + 4 * S for at in range(1, 13)]
    for at, index in enumerate(hand.indices):
        black = Image.new("L", (1920, 1080), 3)
        hand.take(black if at == 4 else hand.frame(index), times[at])
    found = hand.run().proposals
    assert found[4].standing is Standing.DOUBTFUL
    assert {p.standing for at, p in enumerate(found) if at != 4} == {Standing.ACCEPTED}
    assert found[4].candidates[0]["index"] in hand.indices


def test_a_photo_of_something_else_is_never_accepted(hand):
    """Noise, and an x-ray that was never shown."""
    noise = np.random.default_rng(5).integers(0, 255, (900, 1200), dtype=np.uint8)
    hand.take(Image.fromarray(noise), None)
    hand.take(hand.frame(25), None)
    assert {one.standing for one in hand.run().proposals} == {Standing.DOUBTFUL}


def test_without_times_names_are_the_order(hand):
    """IMG_9 comes before IMG_10; photos listed otherwise are the same."""
    names = ("IMG_10.jpg", "img_9.JPG", "a.jpg")
    photos = [Taken(name, Path(name), Seen("", 1)) for name in names]
    assert taken_order(photos) == [2, 1, 0]
    timed = [
        replace(p, seen=Seen("", 1, None, at)) for at, p in zip((3, 1, 2), photos, strict=True)
    ]
    assert taken_order(timed) == [1, 2, 0]


def test_known_photos_are_not_looked_at_again(hand):
    """What an earlier import proved stands, and helps the others."""
    from rig.intake.hand_look import Sighting
    from rig.intake.verify import Verification

    for index in hand.indices[:2]:
        hand.take(hand.frame(index), None)
    noted = []
    known = {0: Sighting(hand.indices[0], Verification(True, "earlier", score=0.9))}
    found = hand.run(known=known, note=lambda place, _: noted.append(place))
    assert noted == [1]
    assert [one.index for one in found.proposals] == hand.indices[:2]


def test_a_search_ends_with_the_first_proof(hand, monkeypatch):
    """Ranked first by its features, compared once."""
    compared = []
    from rig.intake import hand_look

    real = hand_look.verify

    def counting(*args, **more):
        compared.append(1)
        return real(*args, **more)

    monkeypatch.setattr(hand_look, "verify", counting)
    hand.take(hand.frame(7), None)
    every = tuple(hand.sources.items())
    (best, *_) = search(Search(hand.photos[0].file, every, Limits()))
    assert (best.index, best.found.verified, len(compared)) == (7, True, 1)


def test_a_source_that_is_gone_or_changed_proves_nothing(hand, tmp_path):
    """A lost or altered x-ray is no candidate; nothing crashes."""
    hand.take(hand.frame(7), None)
    gone = (7, XraySource(tmp_path / "gone.jpg", "0" * 64))
    changed = (8, replace(hand.sources[7], sha256="1" * 64))
    assert search(Search(hand.photos[0].file, (gone, changed), Limits())) == ()
    assert search(Search(tmp_path / "none.jpg", tuple(hand.sources.items()), Limits())) == ()


def test_the_camera_s_time_is_read_to_the_fraction():
    """EXIF writes local time without saying where: taken as if it were UTC."""
    picture = Image.new("L", (32, 32))
    assert taken_ns(exif_jpeg(picture, "2026:03:04 05:06:07", "25")) == 1_772_600_767_250_000_000
    assert taken_ns(exif_jpeg(picture, None)) is None
    assert taken_ns(exif_jpeg(picture, "0000:00:00 00:00:00")) is None
    assert taken_ns(b"\xff\xd8\xff\xe1\x00\x10Exif\0\0rubbish") is None


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 16, "HEIC"),
        (b"\0\0\0\x18ftypqt  " + b"\0" * 16, "video"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 16, "screenshot"),
        (b"II*\0" + b"\0" * 16, "raw"),
        (b"hello", "not a JPEG"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, "not a picture"),
    ],
)
def test_what_is_no_camera_jpeg_is_told_with_a_remedy(tmp_path, data, word):
    """An iPhone writes HEIC unless it is told otherwise; that must be said in words."""
    file = tmp_path / "x"
    file.write_bytes(data)
    told = see(file, 10**8).problem
    assert word in told


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    assert "cannot be read" in see(tmp_path / "gone.jpg", 10**8).problem
