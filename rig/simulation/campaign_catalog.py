"""A catalog of x-rays that exist only in simulations, with patients and labels like CheXpert's."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from rig.catalog.model import OBSERVATIONS, Xray

_VIEWS = ("view1_frontal", "view2_lateral", "view3_frontal")
_LABELS = ("1.0", "0.0", "-1.0", "")
_SHARES = (0.2, 0.15, 0.05, 0.6)
"""Roughly how often CheXpert's labels are positive, negative, uncertain, unmentioned."""


def synthetic_xrays(count: int, seed: int) -> Iterator[Xray]:
    """*count* x-rays by index, those of a patient (1 to 3) together; same seed, same catalog."""
    rng = random.Random(f"{seed}/catalog")  # noqa: S311 - a simulation must be reproducible
    index, patient = 0, 0
    while index < count:
        patient += 1
        sex, age = rng.choice(("Male", "Female")), str(rng.randrange(18, 91))
        for view in _VIEWS[: rng.randint(1, len(_VIEWS))]:
            if index < count:
                index += 1
                labels = rng.choices(_LABELS, _SHARES, k=len(OBSERVATIONS))
                yield _xray(index, f"patient{patient:05d}/study1/{view}", sex, age, labels)


def _xray(index: int, key: str, sex: str, age: str, labels: list[str]) -> Xray:
    path = f"CheXpert-v1.0-small/train/{key}.jpg"
    frontal = "frontal" in key
    row = (path, sex, age, "Frontal" if frontal else "Lateral", "AP" if frontal else "", *labels)
    sha = hashlib.sha256(key.encode()).hexdigest()
    file = Path("/simulated") / f"{key}.jpg"
    return Xray(index, key, path, file, sha, 390, 320, "train", row)
