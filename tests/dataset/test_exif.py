"""Nothing that says a place leaves the house; the picture and its orientation stay."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rig.dataset.exif import without_location

GPS = {1: "N", 2: (52.0, 22.0, 59.5), 3: "E", 4: (9.0, 48.0, 17.25), 29: "2026:11:21"}
XMP = b"http://ns.adobe.com/xap/1.0/\0"
MORE = b"http://ns.adobe.com/xmp/extension/\0"
SECRET = b"52.383194"


def photo(*, gps: bool = False, xmp: bytes | None = None, edit=None) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Nokia"
    exif[0x0112] = 6
    exif[0x0131] = "Camera software with a name longer than four bytes"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:21 10:11:12"
    if gps:
        exif.get_ifd(0x8825).update(GPS)
    if edit:
        edit(exif)
    out = io.BytesIO()
    more = {} if xmp is None else {"xmp": xmp}
    Image.new("RGB", (40, 30), (90, 80, 70)).save(out, "JPEG", exif=exif, **more)
    return out.getvalue()


def metadata(data: bytes) -> tuple[dict, dict, dict]:
    with Image.open(io.BytesIO(data)) as picture:
        exif = picture.getexif()
        return dict(exif), dict(exif.get_ifd(0x8769)), dict(exif.get_ifd(0x8825))


def pixels(data: bytes):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    return data[:2] + segment(marker, payload) + data[2:]


def clean_of(data: bytes) -> bytes:
    """The cleaned photo, after what must always hold."""
    clean = without_location(data)
    assert np.array_equal(pixels(clean), pixels(data))
    assert metadata(clean)[0].get(0x0112) == metadata(data)[0].get(0x0112)
    assert without_location(clean) is clean, "cleaning twice changes nothing"
    return clean


def test_a_photo_without_location_is_the_very_same():
    """Not one byte is written anew."""
    data = photo()
    assert without_location(data) is data


def test_location_goes_and_the_rest_stays():
    """Same pixels, same make, orientation and time."""
    data = photo(gps=True)
    clean = clean_of(data)
    assert metadata(data)[2]
    assert metadata(clean)[2] == {}
    main, camera, _ = metadata(clean)
    assert 0x8825 not in main
    assert main[0x010F] == "Nokia"
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
    swapped = data[:start] + segment(0xE1, block) + data[start + 2 + length :]
    assert metadata(swapped)[2]
    assert metadata(without_location(swapped))[2] == {}


@pytest.mark.parametrize(
    "text",
    [
        b'<x:xmpmeta><r exif:GPSLatitude="52,22.9N" exif:Other="kept"/></x:xmpmeta>',
        b"<r><exif:GPSLongitude>9,48.2E</exif:GPSLongitude><exif:Other>kept</exif:Other></r>",
        b'<r photoshop:City="Hannover" photoshop:Country="DE" a:b="kept"/>',
        b"<r><Iptc4xmpCore:Location>Ward 7</Iptc4xmpCore:Location><a:b>kept</a:b></r>",
        (
            b"<r><Iptc4xmpExt:LocationCreated><rdf:li Iptc4xmpExt:City='Hannover'/>"
            b"</Iptc4xmpExt:LocationCreated><a:b>kept</a:b></r>"
        ),
        b"<r geo:lat='52.38' geo:long='9.8' a:b='kept'/>",
    ],
)
def test_location_in_xmp_becomes_spaces(text):
    """Attributes and elements, of every schema that has places; what stands beside them stays."""
    clean = clean_of(photo(xmp=text))
    for word in (b"GPS", b"Hannover", b"Ward", b"52.38", b"9,48"):
        assert word not in clean
    assert b"kept" in clean


@pytest.mark.parametrize(
    "text",
    [
        '<r exif:GPSLatitude="52,22.9N"/>'.encode("utf-16-le"),
        b'<r exif:GPSLatitude="52,22.9N',
        b"<r><exif:GPSLatitude>52,22.9N</wrong></r>",
    ],
)
def test_xmp_that_cannot_be_cleaned_goes_whole(text):
    """Wide characters, or broken."""
    clean = clean_of(photo(xmp=text))
    assert b"GPS" not in clean.replace(b"\0", b"")
    assert b"22.9" not in clean.replace(b"\0", b"")


def test_xmp_spread_over_segments_is_read_joined():
    """A property torn apart by a segment's end is found; harmless ones stay."""
    head = MORE + b"0" * 32 + struct.pack(">II", 40, 0)
    data = with_segment(photo(), 0xE1, head + b"TUDE='52.383194'/>")
    data = with_segment(data, 0xE1, head + b"<r exif:GPSLATI")
    assert SECRET not in clean_of(data)
    harmless = with_segment(photo(), 0xE1, head + b"<r depth='1'/>")
    assert without_location(harmless) is harmless


@pytest.mark.parametrize("marker", [0xE3, 0xE5, 0xE6, 0xEB, 0xEC, 0xEF, 0xFE, 0xE2])
def test_segments_that_nobody_can_read_for_sure_go(marker):
    """GoPro's GPMF, C2PA, comments, multi-picture indexes."""
    clean = clean_of(with_segment(photo(), marker, b"GPMF" + SECRET))
    assert SECRET not in clean


def test_colours_stay():
    """ICC, JFIF and Adobe segments are no places."""
    out = io.BytesIO()
    Image.new("CMYK", (8, 8), (1, 2, 3, 4)).save(out, "JPEG", icc_profile=b"profile" * 9)
    data = out.getvalue()
    assert without_location(data) is data


def test_what_follows_the_picture_goes():
    """A second picture with its own EXIF, the film of a motion photo, a maker's trailer."""
    whole = photo()
    for tail in (photo(gps=True), b"\0\0\0\x18ftypmp42" + b"\xa9xyz+52.383194+009.80/", b"SEFT"):
        assert without_location(whole + tail) == whole


def test_iptc_and_resources_lose_their_places():
    """City, country, sub-location; a copy of EXIF inside; the caption stays."""

    def record(number: int, text: bytes) -> bytes:
        return bytes((0x1C, 2, number)) + struct.pack(">H", len(text)) + text

    def resource(number: int, data: bytes) -> bytes:
        return (b"8BIM" + struct.pack(">H", number) + b"\0\0" + struct.pack(">I", len(data)) + data
                + b"\0" * (len(data) % 2))  # fmt: skip

    iptc = record(120, b"caption") + record(90, b"Hannover") + record(92, b"Ward 7")
    iptc += record(101, b"Germany") + record(105, b"headline")
    block = resource(0x0404, iptc) + resource(0x0422, SECRET) + resource(0x03ED, b"res")
    clean = clean_of(with_segment(photo(), 0xED, b"Photoshop 3.0\0" + block))
    for word in (b"Hannover", b"Ward", b"Germany", SECRET):
        assert word not in clean
    assert b"caption" in clean
    assert b"headline" in clean
    broken = with_segment(photo(), 0xED, b"Photoshop 3.0\0" + block[:-20] + b"Hannover")
    assert b"Hannover" not in clean_of(broken)


def test_the_maker_s_note_and_texts_with_places_go():
    """Private notes may hold anything; a comment with coordinates is a place, others are not."""

    def edit(exif):
        camera = exif.get_ifd(0x8769)
        camera[0x927C] = b"Nikon\0" + SECRET + b"Landmark"
        camera[0x9286] = b"ASCII\0\0\0" + b"at 52.38319, 9.80479 "
        camera[0xA434] = "a lens with a name"
        exif[0x010E] = "Taken at location Hannover"
        exif[0x9C9C] = "GPS: Hannover".encode("utf-16-le")

    clean = clean_of(photo(edit=edit))
    narrow = clean.replace(b"\0", b"")
    for word in (SECRET, b"Hannover", b"9.80479", b"Landmark"):
        assert word not in narrow
    assert metadata(clean)[1][0xA434] == "a lens with a name"
    plain = photo(edit=lambda exif: exif.__setitem__(0x010E, "chest x-ray on a monitor"))
    assert without_location(plain) is plain


def test_a_gps_directory_hidden_in_another_goes():
    """Pointed to from the EXIF directory, as no standard says and readers accept."""
    gps = struct.pack("<H", 1) + struct.pack("<HHII", 2, 5, 3, 200) + b"\0" * 4
    camera = struct.pack("<H", 1) + struct.pack("<HHII", 0x8825, 4, 1, 100) + b"\0" * 4
    main = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 60) + b"\0" * 4
    block = bytearray(260)
    block[:8] = b"II*\0" + struct.pack("<I", 8)
    block[8 : 8 + len(main)] = main
    block[60 : 60 + len(camera)] = camera
    block[100 : 100 + len(gps)] = gps
    block[200:224] = struct.pack("<6I", 52, 1, 22, 1, 59, 1)
    base = photo()
    start = base.index(b"\xff\xe1")
    length = int.from_bytes(base[start + 2 : start + 4], "big")
    data = base[:start] + segment(0xE1, b"Exif\0\0" + bytes(block)) + base[start + 2 + length :]
    clean = without_location(data)
    assert struct.pack("<6I", 52, 1, 22, 1, 59, 1) not in clean
    assert struct.pack("<H", 0x8825) not in clean[: len(clean) - 600]


def test_a_thumbnail_has_no_metadata_of_its_own():
    """The small picture inside EXIF is a JPEG as well."""
    small = with_segment(photo(gps=True), 0xE1, XMP + b"<r exif:GPSLatitude='52.383194'/>")
    head = b"II*\0" + struct.pack("<I", 8)
    first = struct.pack("<H", 1) + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<I", 40)
    second = struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, 80)
    second += struct.pack("<HHII", 0x0202, 4, 1, len(small)) + struct.pack("<I", 0)
    block = (head + first).ljust(40, b"\0") + second.ljust(40, b"\0") + small
    base = photo()
    start = base.index(b"\xff\xe1")
    length = int.from_bytes(base[start + 2 : start + 4], "big")
    data = base[:start] + segment(0xE1, b"Exif\0\0" + block) + base[start + 2 + length :]
    clean = without_location(data)
    assert SECRET not in clean
    assert b"2026:11:21\0" not in clean
    assert metadata(clean)[0][0x0112] == 6
    assert small[-200:] in clean


@pytest.mark.parametrize("spoil", ["count", "offset", "loop", "order", "value"])
def test_exif_that_cannot_be_followed_leaves_only_the_orientation(spoil):
    """A directory that lies about its length hides nothing."""
    data = bytearray(photo(gps=True))
    tiff = data.index(b"Exif\0\0") + 6
    first = tiff + int.from_bytes(
        data[tiff + 4 : tiff + 8], "little" if data[tiff] == 0x49 else "big"
    )
    order = "<" if data[tiff : tiff + 2] == b"II" else ">"
    count = struct.unpack_from(f"{order}H", data, first)[0]
    if spoil == "count":
        struct.pack_into(f"{order}H", data, first, 0x7FFF)
    elif spoil == "offset":
        struct.pack_into(f"{order}I", data, tiff + 4, 0xFFFFFF)
    elif spoil == "loop":
        struct.pack_into(f"{order}I", data, first + 2 + 12 * count, first - tiff)
    elif spoil == "order":
        data[tiff : tiff + 2] = b"XX"
    else:
        struct.pack_into(f"{order}I", data, first + 2 + 8, 0xFFFFFF)
    clean = without_location(bytes(data))
    assert b"2026:11:21\0" not in clean.replace(b"2026:11:21 10:11:12", b"")
    with Image.open(io.BytesIO(clean)) as picture:
        assert dict(picture.getexif().get_ifd(0x8825)) == {}
        if spoil in {"loop", "value", "count"}:
            assert picture.getexif().get(0x0112) == 6


def test_a_second_exif_block_and_one_after_rubbish_go():
    """Decoders pass over rubbish between segments, and so does this."""
    second = photo(gps=True)
    start = second.index(b"\xff\xe1")
    block = second[start : start + 2 + int.from_bytes(second[start + 2 : start + 4], "big")]
    data = photo()
    end = data.index(b"\xff\xdb")
    doubled = data[:end] + b"\x00rubbish" + block + data[end:]
    clean = without_location(doubled)
    assert b"2026:11:21\0" not in clean.replace(b"2026:11:21 10:11:12", b"")
    assert metadata(clean)[0][0x0112] == 6


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_never_raises_and_never_shows_a_gps_directory(draw):
    """Bytes from outside: whatever Pillow can still read of them holds no place."""
    data = bytearray(photo(gps=True))
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(2, 400))] = draw.draw(st.integers(0, 255))
    cut = bytes(data[: draw.draw(st.integers(0, len(data)))])
    clean = without_location(cut)
    assert len(clean) <= len(cut) + 40
    assert without_location(clean) == clean
    try:
        with Image.open(io.BytesIO(clean)) as picture:
            found = picture.getexif().get_ifd(0x8825)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return
    assert dict(found) == {}


def test_what_nothing_points_to_goes():
    """A GPS directory whose entry somebody renamed is still a place."""
    data = bytearray(photo(gps=True))
    order = "<" if b"Exif\0\0II" in data else ">"
    at = data.index(struct.pack(f"{order}H", 0x8825))
    data[at : at + 2] = struct.pack(f"{order}H", 0x8824)
    clean = clean_of(bytes(data))
    assert b"2026:11:21\0" not in clean.replace(b"2026:11:21 10:11:12", b"")


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG....", b"GIF89a"])
def test_other_files_are_left_alone(data):
    """Nothing to find, nothing to do."""
    assert without_location(data) is data


def test_progressive_pictures_with_several_scans_stay_whole():
    """Markers between scans belong to the picture."""
    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "JPEG", progressive=True, restart_marker_blocks=2)
    data = out.getvalue()
    assert without_location(data) is data
    assert without_location(data + b"\0trailer") == data


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
