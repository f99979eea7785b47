"""Second look at a file: decode, screen, render, de-identify, write. Runs in worker processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from rig.dicom.decoding import Stored, decode
from rig.dicom.deidentify import deidentify
from rig.dicom.header import header_of
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.quiet import mute_worker
from rig.dicom.reading import origin, read
from rig.dicom.refusal import Reason, Refused
from rig.dicom.rendering import Grey, grey_of, paint
from rig.dicom.reviews import Held, Review, blanked_box, hold, let_go
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
        doubts: what the screening has against it, whether it is used or not.
        width: pixels.
        height: pixels.
    """

    number: int
    reason: Reason | None = None
    doubts: tuple[Doubt, ...] = ()
    width: int = 0
    height: int = 0


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
        stored = blanked(stored, grey, task.review)
        _write(task, dataset, stored, grey)
        return Made(task.number, None, (), width, height)
    header = header_of(dataset)
    shown = paint(grey, stored)
    verdict: Verdict = screen(header, shown.astype(np.uint8, copy=False), task.how)
    if verdict.decision is Decision.REFUSE:
        return Made(task.number, Reason.SCREENED, verdict.doubts, width, height)
    if verdict.decision is Decision.REVIEW and not task.accept_unreviewed:
        waits = Held(task.image_id, task.patient, task.split, width, height, header, verdict)
        hold(task.folder, waits, png_of(shown))
        return Made(task.number, Reason.UNREVIEWED, verdict.doubts, width, height)
    _write(task, dataset, stored, grey)
    return Made(task.number, None, verdict.doubts, width, height)


def _write(task: MakeTask, dataset: Dataset, stored: Stored, grey: Grey) -> None:
    shown = png_of(paint(grey, stored))
    write_atomic(task.folder / IMAGES / task.tail, shown, mode=PRIVATE)
    if task.keep_16_bit and dataset.BitsStored > 8:
        deep = png_of(paint(grey, stored, 16))
        write_atomic(task.folder / DEEP / task.tail, deep, mode=PRIVATE)
    clean = deidentify(
        dataset,
        stored,
        origin(dataset),
        task.names,
        pixels_reviewed=task.review is not None,
    )
    write_atomic(task.folder / DICOM / f"{task.image_id}.dicom", clean, mode=PRIVATE)
    let_go(task.folder, task.image_id)


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
