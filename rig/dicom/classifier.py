"""A user's own classifier of outliers: any ONNX model from a grey picture to one number.

No weights come with the rig. The model file is hashed into every import, so that a row can be told
to have been judged by another model. Deterministic: one thread, no augmentation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.dicom.doubts import Decision, Doubt
from rig.errors import UserError


@dataclass(frozen=True, slots=True)
class Classifier:
    """Which model, and what its number means.

    Attributes:
        file: ONNX model. Input: float32 (1, 1, height, width) or (1, 3, height, width), grey levels
            0..1, the picture stretched to that size; free sizes are taken as 224. First output:
            one number, the probability 0..1 of being no frontal chest film; of two or more the
            last is taken.
        sha256: of the file, hex.
        review: from here on a person looks.
        refuse: from here on it is refused.
    """

    file: Path = field(repr=False)  # where it lies makes no import another one
    sha256: str
    review: float = 0.2
    refuse: float = 0.9


class NoProbability(UserError):
    """A model's number is none of 0..1."""


def classifier(file: Path, review: float = 0.2, refuse: float = 0.9) -> Classifier:
    """A classifier whose model has been loaded and tried once.

    Raises:
        UserError: no file, no model, another kind of input or output, or limits out of order.
    """
    if not 0 < review <= refuse <= 1:
        raise UserError(
            f"The classifier's limits must be 0 < review <= refuse <= 1, not {review} and {refuse}."
        )
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    found = Classifier(file, hashlib.sha256(data).hexdigest(), review, refuse)
    score(np.zeros((8, 8), np.uint8), found)
    return found


def score(shown: NDArray[np.uint8], by: Classifier) -> float:
    """Probability 0..1 that a picture is no frontal chest film.

    Raises:
        UserError: the model cannot be used, or its number is none of 0..1.
    """
    session, name, channels, height, width = _loaded(by.file, by.sha256)
    small = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)
    tensor = np.broadcast_to(
        small.astype(np.float32)[None, None] / 255, (1, channels, height, width)
    )
    try:
        (answer, *_) = session.run(None, {name: np.ascontiguousarray(tensor)})
        found = float(np.asarray(answer, np.float64).ravel()[-1])
    except Exception as error:
        raise UserError(f"{by.file} does not take a picture: {error}") from error
    if not 0 <= found <= 1:
        raise NoProbability(f"{by.file} answers {found:g}; a probability from 0 to 1 is needed.")
    return found


def classifier_doubt(shown: NDArray[np.uint8], by: Classifier) -> Doubt:
    """What the classifier says of a picture; told, with its score, of one that it accepts, too.

    Raises:
        UserError: the model's file is gone or has changed.
    """
    try:
        found = score(shown, by)
    except NoProbability:
        sentence = "The classifier gives no probability for this picture."
        return Doubt("classifier", sentence, Decision.REVIEW)
    sentence = f"The classifier gives {found:.2f} to its being no frontal chest film."
    decision = Decision.REVIEW if found >= by.review else Decision.ACCEPT
    return Doubt("classifier", sentence, Decision.REFUSE if found >= by.refuse else decision, found)


@lru_cache(maxsize=2)
def _loaded(file: Path, sha256: str) -> tuple[Any, str, int, int, int]:
    """A session, the name of its input, and channels, height and width; kept for the process."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            "Classifiers need onnxruntime: pip install 'capture-rig[outliers]'."
        ) from error
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(f"{file} has changed since this import began; run it again from the start.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UserError(f"{file} is no ONNX model that can be run: {error}") from error
    wanted, *others = session.get_inputs() or [None]
    if wanted is None:
        raise UserError(f"{file} takes no input; a picture is needed.")
    shape = [one if isinstance(one, int) else None for one in wanted.shape]
    if others or wanted.type != "tensor(float)" or len(shape) != 4 or shape[1] not in {1, 3}:
        raise UserError(
            f"{file} takes {wanted.type} of shape {wanted.shape}; float of (1, 1 or 3, height, "
            "width) is needed."
        )
    return session, wanted.name, shape[1] or 1, shape[2] or 224, shape[3] or 224
