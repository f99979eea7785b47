"""DICOM images a second: decode, render, de-identify, beside pydicom alone on the same bytes."""

from __future__ import annotations

import argparse
import csv
import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from pydicom import dcmread, dcmwrite, uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from bench.capture import machine
from bench.figures import spread
from bench.programs import BenchError
from rig.dicom.decoding import decode
from rig.dicom.deidentify import deidentify
from rig.dicom.making import MakeTask, make, png_of
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.reading import origin, read
from rig.dicom.rendering import render
from rig.dicom.scan import ScanTask, scan
from rig.sample import csv_path, data_dir
from rig.synthesis.pool import make_pool

SIZE = (2022, 2022)
"""Columns and rows: 4 megapixels, of the order of a digital chest film."""
BITS = 12
DIFFERENT = 4
SYNTAXES: dict[str, str] = {
    "uncompressed": uid.ExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG 2000": uid.JPEG2000Lossless,
}
_NAMES = Pseudonyms(b"bench" * 6 + b"!!")


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Time every step on `args.captures` images per syntax, `args.runs` times; JSON values.

    Raises:
        BenchError: a file was not decoded to what went in.
    """
    tell(f"making {DIFFERENT} images of {SIZE[0]} x {SIZE[1]}, {BITS} bits")
    pictures = _pictures()
    steps: dict[str, dict[str, dict[str, float]]] = {}
    for name, syntax in SYNTAXES.items():
        files = [_file(one, syntax, number) for number, one in enumerate(pictures)]
        for file, picture in zip(files, pictures, strict=True):
            if not (decode(read(file)) == picture).all():
                raise BenchError(f"{name}: other values came out than went in")
        tell(f"{name}: {len(files[0]) / 1e6:.1f} MB a file")
        steps[name] = _steps(files, args.captures, args.runs)
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as made:
        folder = Path(made)
        tell("the whole import, in processes")
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
        whole = [
            _import(folder / str(run), pictures, args.captures, workers) for run in range(args.runs)
        ]
        told = machine(folder)
    return {
        "bench": "dicom", "machine": told, "images": args.captures, "runs": args.runs,
        "size": list(SIZE), "bits": BITS, "images_per_s": steps, "workers": workers,
        "import_images_per_s": spread(whole),
    }  # fmt: skip


def _steps(files: Sequence[bytes], count: int, runs: int) -> dict[str, dict[str, float]]:
    """Step -> images per second of processor time; ours and pydicom's steps take turns."""
    todo: dict[str, Callable[[bytes], object]] = {
        "decode, pydicom alone": lambda data: dcmread(io.BytesIO(data)).pixel_array,
        "decode": lambda data: decode(read(data)),
        "decode and render, pydicom alone": _shown_by_pydicom,
        "decode and render": _shown,
        "decode and de-identify": _cleaned,
        "decode, render, de-identify, PNG": _all,
    }
    rates: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(runs):
        for name, step in todo.items():
            began = time.process_time()
            for at in range(count):
                step(files[at % len(files)])
            rates[name].append(count / (time.process_time() - began))
    return {name: spread(found) for name, found in rates.items()}


def _shown_by_pydicom(data: bytes) -> object:
    """What pydicom's own documentation does: both LUTs, then 8 bits by the display's range."""
    dataset = dcmread(io.BytesIO(data))
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    return (values / ((1 << BITS) - 1) * 255).astype(np.uint8)


def _shown(data: bytes) -> object:
    dataset = read(data)
    return render(dataset, decode(dataset))


def _cleaned(data: bytes) -> object:
    dataset = read(data)
    return deidentify(dataset, decode(dataset), origin(dataset), _NAMES)


def _all(data: bytes) -> object:
    dataset = read(data)
    stored = decode(dataset)
    clean = deidentify(dataset, stored, origin(dataset), _NAMES)
    return png_of(render(dataset, stored)), clean


def _import(folder: Path, pictures: Sequence[Any], count: int, workers: int) -> float:
    """Images a second through the worker processes of an import, files written durably."""
    folder.mkdir()
    tasks = []
    for at in range(count):
        file = folder / f"{at}.dcm"
        file.write_bytes(_file(pictures[at % len(pictures)], uid.JPEG2000Lossless, at))
        tasks.append(ScanTask(at, file, _NAMES))
    pool: Executor = make_pool(workers)
    with pool:
        list(pool.map(scan, tasks[:workers]))  # the processes are up and have imported
        began = time.perf_counter()
        seen = list(pool.map(scan, tasks))
        wanted = [
            MakeTask(one.number, task.path, _NAMES, folder, "train", one.image_id, one.patient,
                     one.study, accept_unreviewed=True)
            for one, task in zip(seen, tasks, strict=True)
        ]  # fmt: skip
        made = list(pool.map(make, wanted))
        took = time.perf_counter() - began
    if any(one.reason is not None for one in made):
        raise BenchError("an image was not imported")
    for task in tasks:
        with suppress(FileNotFoundError):
            task.path.unlink()
    return count / took


def _pictures() -> list[Any]:
    """X-rays of the sample, enlarged, with the noise that twelve bits have."""
    with csv_path().open(newline="") as handle:
        paths = [data_dir() / row["Path"] for row in csv.DictReader(handle)][:DIFFERENT]
    made = []
    for number, path in enumerate(paths):
        with Image.open(path) as xray:
            large = cv2.resize(np.asarray(xray.convert("L")), SIZE, interpolation=cv2.INTER_CUBIC)
        noise = np.random.default_rng(number).normal(0, 6, large.shape)
        values = large.astype(np.float64) * ((1 << BITS) - 1) / 255 + noise
        made.append(np.clip(values, 0, (1 << BITS) - 1).astype(np.uint16))
    return made


def _file(picture: Any, syntax: str, number: int) -> bytes:
    made = Dataset()
    made.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    made.SOPInstanceUID = f"1.2.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = f"1.3.{number}", f"1.4.{number}"
    made.PatientID, made.PatientName = f"B{number}", "BENCH"
    made.Modality, made.BodyPartExamined, made.ViewPosition = "DX", "CHEST", "PA"
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = picture.shape
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, BITS, BITS - 1
    made.PixelRepresentation = 0
    made.WindowCenter, made.WindowWidth = 2048, 4096
    made.PixelData = picture.astype("<u2").tobytes()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    if syntax != uid.ExplicitVRLittleEndian:
        made.compress(syntax, generate_instance_uid=False)
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    out = io.BytesIO()
    file = FileDataset(out, made, preamble=b"\0" * 128, file_meta=made.file_meta)
    dcmwrite(out, file, enforce_file_format=True)
    return out.getvalue()


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told, size = result["machine"], result["size"]
    lines = [
        (
            f"{told['cpus']} CPUs, load {told['load_1_min']}, Python {told['python']}, "
            f"{told['filesystem']}; {result['runs']} runs of {result['images']} images, "
            f"{size[0]} x {size[1]}, {result['bits']} bits"
        ),
        "images per second of processor time, median (least to most):",
    ]
    for syntax, steps in result["images_per_s"].items():
        lines.append(f"  {syntax}")
        for name, rate in steps.items():
            alone = steps.get(f"{name}, pydicom alone")
            ratio = f", {rate['median'] / alone['median']:.2f} x pydicom alone" if alone else ""
            spread_ = f"({rate['min']:.1f} to {rate['max']:.1f})"
            lines.append(f"    {name:<34} {rate['median']:6.1f} {spread_}{ratio}")
    whole = result["import_images_per_s"]
    lines.append(
        f"whole import of JPEG 2000 in {result['workers']} processes, PNG and DICOM on disk: "
        f"{whole['median']:.1f} images/s ({whole['min']:.1f} to {whole['max']:.1f})"
    )
    return "\n".join(lines)
