"""Second look at a file: decode, screen, render, de-identify, write. Runs in worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from rig.dicom.decoding import Stored, decode
from rig.dicom.deidentify import deidentify
from rig.dicom.equivalent import Kept, kept_window, remark
from rig.dicom.header import header_of
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.quiet import mute_worker
from rig.dicom.reading import origin, read
from rig.dicom.refusal import Reason, Refused
from rig.dicom.rendering import Grey, grey_of, paint
from rig.dicom.reviews import HELD, Held, Review, blanked_box, hold, let_go
from rig.dicom.screening import PLAIN, Decision, Doubt, Screening, Verdict, screen
from rig.durable import PRIVATE, write_atomic

IMAGES, DEEP, DICOM = "images", "images16", "dicom"
"""Folders of an import: 8-bit PNG, 16-bit PNG, de-identified DICOM."""
# Run lengths beside Huffman codes: smaller than matching strings, in half the time, as x-rays are.
_PNG = [int(cv2.IMWRITE_PNG_STRATEGY), int(cv2.IMWRITE_PNG_STRATEGY_RLE)]


@dataclass(frozen=True, slots=True)
class MakeTask:
    """What to make of a file.

    Attributes:
        number: of the input.
        path: the file.
        names: the site's pseudonyms.
        folder: of the import.
        split: `train`, `valid` or `test`.
        image_id: 32 hex digits, from the scan.
        patient: pseudonym.
        study: pseudonym.
        keep_16_bit: write a 16-bit PNG, too, of images of more than 8 bits.
        accept_unreviewed: use it, doubts or not.
        review: what a person decided, or None.
        how: options of the screening.
    """

    number: int
    path: Path
    names: Pseudonyms
    folder: Path
    split: str
    image_id: str
    patient: str
    study: str
    keep_16_bit: bool = False
    accept_unreviewed: bool = False
    review: Review | None = None
    how: Screening = PLAIN

    @property
    def tail(self) -> str:
        """Where the picture lies below its folder."""
        return f"{self.split}/{self.patient}/{self.study}/{self.image_id}.png"


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a file.

    Attributes:
        number: of the input.
        reason: why it is not used, or None: its pictures are written.
        doubts: what the screening has against it, whether it is used or not, and what is to be
            told of its files.
        width: pixels.
        height: pixels.
        files: which of `places` were written -> SHA-256, hex.
    """

    number: int
    reason: Reason | None = None
    doubts: tuple[Doubt, ...] = ()
    width: int = 0
    height: int = 0
    files: Mapping[str, str] = field(default_factory=dict)


def places(task: MakeTask) -> dict[str, Path]:
    """Name -> where a file that is made of *task* lies, if it is made."""
    folder, image = task.folder, task.image_id
    return {
        IMAGES: folder / IMAGES / task.tail,
        DEEP: folder / DEEP / task.tail,
        DICOM: folder / DICOM / f"{image}.dicom",
        "held.png": folder / HELD / f"{image}.png",
        "held.json": folder / HELD / f"{image}.json",
    }


def make(task: MakeTask) -> Made:
    """Make the files of an image; never raises for what is in it.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    mute_worker()
    if task.review is not None and task.review.decision == "refuse":
        let_go(task.folder, task.image_id)
        return Made(task.number, Reason.REJECTED)
    try:
        dataset = read(task.path)
        stored = decode(dataset)
        grey = grey_of(dataset, stored)
    except Refused as refused:
        return Made(task.number, refused.reason)
    except Exception:  # noqa: BLE001 - whatever a file holds, it costs one row
        return Made(task.number, Reason.DAMAGED)
    return _judge(task, dataset, stored, grey)


def _judge(task: MakeTask, dataset: Dataset, stored: Stored, grey: Grey) -> Made:
    height, width = stored.shape
    if task.review is not None:
        window = kept_window(dataset, stored, grey)
        files = _write(task, dataset, blanked(stored, grey, task.review), grey, window)
        return Made(task.number, None, remark(window), width, height, files)
    header = header_of(dataset)
    shown = paint(grey, stored)
    verdict: Verdict = screen(header, shown.astype(np.uint8, copy=False), task.how)
    if verdict.decision is Decision.REFUSE:
        return Made(task.number, Reason.SCREENED, verdict.doubts, width, height)
    if verdict.decision is Decision.REVIEW and not task.accept_unreviewed:
        waits = Held(task.image_id, task.patient, task.split, width, height, header, verdict)
        png = png_of(shown)
        held = {"held.png": sha256(png), "held.json": sha256(hold(task.folder, waits, png))}
        return Made(task.number, Reason.UNREVIEWED, verdict.doubts, width, height, held)
    window = kept_window(dataset, stored, grey)
    files = _write(task, dataset, stored, grey, window)
    return Made(task.number, None, (*verdict.doubts, *remark(window)), width, height, files)


def _write(
    task: MakeTask, dataset: Dataset, stored: Stored, grey: Grey, window: Kept
) -> dict[str, str]:
    """Write what an import makes of an image; name -> SHA-256."""
    made = {IMAGES: png_of(paint(grey, stored))}
    if task.keep_16_bit and dataset.BitsStored > 8:
        made[DEEP] = png_of(paint(grey, stored, 16))
    made[DICOM] = deidentify(
        dataset,
        stored,
        origin(dataset),
        task.names,
        pixels_reviewed=task.review is not None,
        window=window,
    )
    where = places(task)
    for name, data in made.items():
        write_atomic(where[name], data, mode=PRIVATE)
    let_go(task.folder, task.image_id)
    return {name: sha256(data) for name, data in made.items()}


def sha256(data: bytes) -> str:
    """Hex digits."""
    return hashlib.sha256(data).hexdigest()


def blanked(stored: Stored, grey: Grey, review: Review) -> Stored:
    """*stored* with the boxes of a review in the darkest value that occurs."""
    if not review.boxes:
        return stored
    height, width = stored.shape
    values = np.unique(stored)
    darkest = values[np.argmin(grey.levels[values.astype(np.int64) - grey.lowest])]
    result = stored.copy()
    for box in review.boxes:
        left, top, right, bottom = blanked_box(box, width, height)
        result[top:bottom, left:right] = darkest
    return result


def png_of(picture: NDArray[Any]) -> bytes:
    """A grey PNG of 8 or 16 bits."""
    done, data = cv2.imencode(".png", picture, _PNG)
    if not done:
        raise OSError("The picture could not be encoded as PNG.")
    return data.tobytes()
