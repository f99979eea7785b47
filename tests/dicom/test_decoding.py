"""Every common transfer syntax gives the values that went in."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from pydicom import uid

from rig.dicom.decoding import NATIVE, PLUGINS, decode
from rig.dicom.reading import read
from rig.dicom.refusal import Reason, Refused


@pytest.mark.parametrize("syntax", sorted(NATIVE))
def test_uncompressed(kit, syntax):
    stored = kit.ramp()
    data = kit.file(kit.dataset(stored, BitsStored=12), syntax)
    found = decode(read(data))
    assert found.dtype == np.uint16
    assert (found == stored).all()


def test_bytes_in_big_endian_words_come_out_in_order(kit):
    stored = kit.ramp(8)
    found = decode(read(kit.file(kit.dataset(stored), uid.ExplicitVRBigEndian)))
    assert (found == stored).all()


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [
        (uid.RLELossless, "pydicom"),
        (uid.JPEGLSLossless, "pyjpegls"),
        (uid.JPEG2000Lossless, "pylibjpeg"),
    ],
)
def test_lossless_gives_the_very_values(kit, syntax, plugin, bits):
    stored = kit.ramp(bits)
    dataset = kit.dataset(stored, BitsStored=bits)
    dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
    assert (decode(read(kit.file(dataset, syntax))) == stored).all()


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless])
def test_signed_values_survive(kit, syntax, bits):
    stored = (kit.ramp(bits).astype(np.int32) - (1 << (bits - 1))).astype(np.int16)
    dataset = kit.dataset(stored, BitsStored=bits)
    dataset.compress(syntax, generate_instance_uid=False)
    found = decode(read(kit.file(dataset, syntax)))
    assert found.dtype == np.int16
    assert (found == stored).all()


@pytest.mark.parametrize(
    ("name", "syntax"),
    [("lossless_sv1", uid.JPEGLosslessSV1), ("lossless_sv6", uid.JPEGLossless)],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_lossless(kit, name, syntax, bits):
    stored = kit.ramp(bits)
    stream = (kit.data / "jpeg" / f"{name}_{bits}.jpg").read_bytes()
    dataset = kit.with_stream(kit.dataset(stored, BitsStored=bits), stream)
    assert (decode(read(kit.file(dataset, syntax))) == stored).all()


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_jpeg_of_eight_bits(kit, syntax):
    stored = kit.ramp(8)
    dataset = kit.with_stream(kit.dataset(stored), kit.jpeg(stored))
    found = decode(read(kit.file(dataset, syntax)))
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - stored).mean() < 3


def test_jpeg_extended_of_twelve_bits(kit):
    stored = kit.ramp()
    stream = (kit.data / "jpeg" / "extended12_12.jpg").read_bytes()
    dataset = kit.with_stream(kit.dataset(stored, BitsStored=12), stream)
    found = decode(read(kit.file(dataset, uid.JPEGExtended12Bit)))
    assert found.max() > 4000
    assert np.abs(found.astype(int) - stored).mean() < 30


def test_jpeg_ls_near_lossless(kit):
    stored = kit.ramp()
    dataset = kit.dataset(stored, BitsStored=12)
    dataset.compress(uid.JPEGLSNearLossless, jls_error=3, generate_instance_uid=False)
    found = decode(read(kit.file(dataset, uid.JPEGLSNearLossless)))
    assert 0 < np.abs(found.astype(int) - stored).max() <= 3


def test_jpeg_2000_with_losses(kit):
    stored = kit.ramp()
    dataset = kit.dataset(stored, BitsStored=12)
    dataset.compress(uid.JPEG2000, j2k_cr=[4], generate_instance_uid=False)
    found = decode(read(kit.file(dataset, uid.JPEG2000)))
    assert np.abs(found.astype(int) - stored).mean() < 40


@pytest.mark.parametrize(
    ("file", "syntax"),
    [
        ("lossless", uid.HTJ2KLossless),
        ("rpcl", uid.HTJ2KLosslessRPCL),
        ("lossless", uid.HTJ2K),
        ("lossy", uid.HTJ2K),
    ],
)
def test_high_throughput_jpeg_2000(kit, file, syntax):
    stored = kit.ramp()
    stream = (kit.data / "htj2k" / f"{file}.j2c").read_bytes()
    dataset = kit.with_stream(kit.dataset(stored, BitsStored=12), stream)
    found = decode(read(kit.file(dataset, syntax)))
    assert np.abs(found.astype(int) - stored).max() <= (30 if file == "lossy" else 0)


def test_every_listed_syntax_has_a_decoder_that_may_be_shipped():
    """No plugin of a GPL library is needed or named."""
    from pydicom.pixels.decoders.base import get_decoder

    for syntax, plugins in PLUGINS.items():
        available = get_decoder(uid.UID(syntax)).available_plugins
        assert set(plugins) & set(available), syntax


REAL = {
    "NEGATIVE_ct_slice_16bit_jpegls.dcm": ((512, 512), "int16", -2004, 2278),
    "NEGATIVE_hip_cr_MONOCHROME2_10bit_jpeg_extended.dcm": ((2140, 1760), "uint16", 0, 960),
    "NEGATIVE_lowerleg_cr_MONOCHROME1_10bit_jpeg2000.dcm": ((1760, 1760), "uint16", 0, 1023),
    "NEGATIVE_mr_slice_16bit_rle.dcm": ((64, 64), "int16", 127, 2145),
    "chest_cr_pa_MONOCHROME1_15bit_jpeg2000.dcm": ((1955, 1841), "uint16", 803, 26512),
    "made_chest_dx_MONOCHROME1_12bit_jpeglossless_FAKE_PHI.dcm": ((977, 920), "uint16", 124, 3308),
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_files(kit, name):
    found = decode(read(kit.data / name))
    assert (found.shape, str(found.dtype), found.min(), found.max()) == REAL[name]


def test_two_decoders_agree_on_a_real_jpeg_2000(kit):
    """Openjpeg (pylibjpeg) and GDCM give the same 15-bit image."""
    from pydicom.pixels.decoders.base import get_decoder

    dataset = read(kit.data / "NEGATIVE_lowerleg_cr_MONOCHROME1_10bit_jpeg2000.dcm")
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    other, _ = decoder.as_array(dataset, index=0, raw=True, decoding_plugin="gdcm")
    digests = {hashlib.sha256(one.tobytes()).digest() for one in (decode(dataset), other)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.110", "1.2.3.4"]
)
def test_another_syntax_is_refused(kit, syntax):
    dataset = read(kit.file(kit.dataset(kit.ramp())))
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    with pytest.raises(Refused) as refused:
        decode(dataset)
    assert refused.value.reason is Reason.SYNTAX


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEGLSLossless])
def test_half_a_stream_is_refused_not_half_decoded(kit, syntax):
    stored = np.random.default_rng(1).integers(0, 4096, (64, 64)).astype(np.uint16)
    dataset = kit.dataset(stored, BitsStored=12)
    dataset.compress(syntax, generate_instance_uid=False)
    whole = kit.file(dataset, syntax)
    dataset = read(whole)
    from pydicom.encaps import encapsulate, generate_frames

    stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset["PixelData"].value = encapsulate([stream[: len(stream) // 2]])
    with pytest.raises(Refused) as refused:
        decode(dataset)
    assert refused.value.reason is Reason.TRUNCATED


def test_noise_in_a_stream_is_refused(kit):
    dataset = kit.with_stream(
        kit.dataset(kit.ramp(), BitsStored=12), b"\xff\x4f\xff\x51" + b"\x11" * 500 + b"\xff\xd9"
    )
    with pytest.raises(Refused) as refused:
        decode(read(kit.file(dataset, uid.JPEG2000Lossless)))
    assert refused.value.reason is Reason.DAMAGED
