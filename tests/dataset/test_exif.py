"""Location is taken out of a photo; every other byte stays."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rig.dataset.exif import without_location

GPS = {1: "N", 2: (52.0, 22.0, 59.5), 3: "E", 4: (9.0, 48.0, 17.25), 29: "2026:11:21"}


def photo(*, gps: bool, xmp: bytes | None = None) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Nokia"
    exif[0x0112] = 6
    exif[0x0131] = "Camera software with a name longer than four bytes"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:21 10:11:12"
    if gps:
        exif.get_ifd(0x8825).update(GPS)
    out = io.BytesIO()
    more = {} if xmp is None else {"xmp": xmp}
    Image.new("RGB", (40, 30), (90, 80, 70)).save(out, "JPEG", exif=exif, **more)
    return out.getvalue()


def metadata(data: bytes) -> tuple[dict, dict, dict]:
    with Image.open(io.BytesIO(data)) as picture:
        exif = picture.getexif()
        return dict(exif), dict(exif.get_ifd(0x8769)), dict(exif.get_ifd(0x8825))


def test_a_photo_without_location_is_the_very_same():
    """Not one byte is written anew."""
    data = photo(gps=False)
    assert without_location(data) is data


def test_location_goes_and_the_rest_stays():
    """Same length, same pixels, same make, orientation and time."""
    data = photo(gps=True)
    clean = without_location(data)
    assert metadata(data)[2]
    assert metadata(clean)[2] == {}
    main, camera, _ = metadata(clean)
    assert 0x8825 not in main
    assert main[0x010F] == "Nokia"
    assert main[0x0112] == 6
    assert camera == metadata(data)[1]
    assert len(clean) == len(data)
    start = data.index(b"\xff\xdb")
    assert clean[start:] == data[start:]
    assert b"2026:11:21\0" not in clean.replace(b"2026:11:21 10:11:12", b"")


def test_big_endian_directories_are_understood():
    """Both byte orders of TIFF."""
    data = photo(gps=True)
    exif = Image.Exif()
    exif.endian = ">"
    exif.get_ifd(0x8825).update(GPS)
    block = exif.tobytes()
    start = data.index(b"\xff\xe1")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    swapped = data[:start] + segment + data[start + 2 + length :]
    assert metadata(swapped)[2]
    assert metadata(without_location(swapped))[2] == {}


@pytest.mark.parametrize(
    "text",
    [
        b'<x:xmpmeta><r exif:GPSLatitude="52,22.9N" exif:Other="kept"/></x:xmpmeta>',
        b"<r><exif:GPSLongitude>9,48.2E</exif:GPSLongitude><exif:Other>kept</exif:Other></r>",
    ],
)
def test_location_in_xmp_becomes_spaces(text):
    """Attributes and elements; what stands beside them stays."""
    data = photo(gps=False, xmp=text)
    clean = without_location(data)
    assert b"GPS" not in clean
    assert b"kept" in clean
    assert len(clean) == len(data)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_never_raises_and_never_changes_the_length(draw):
    """Bytes from outside: parsed or left alone."""
    data = bytearray(photo(gps=True))
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(2, 400))] = draw.draw(st.integers(0, 255))
    cut = bytes(data[: draw.draw(st.integers(0, len(data)))])
    assert len(without_location(cut)) == len(cut)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG....", b"\xff\xd8\xff\xe1\x00\x00"])
def test_other_files_are_left_alone(data):
    """Nothing to find, nothing to do."""
    assert without_location(data) is data


def test_a_built_dataset_holds_no_location(kit):
    """The digest of the file as it lies there is kept beside that of the photo."""
    from rig.dataset.captures import read_captures
    from rig.dataset.check import check

    kit.photos[0] = kit.photo(1, photo(gps=True))
    kit.build(synthetic=())
    row = read_captures(kit.root)[0]
    assert metadata((kit.root / row["path"]).read_bytes())[2] == {}
    assert row["photo_sha256"] == kit.photos[0].sha256
    assert row["file_sha256"] != row["photo_sha256"]
    assert check(kit.root).well
