"""How far readers agree: Cohen's kappa, Fleiss' kappa, Krippendorff's alpha, and boxes.

Computed by statsmodels and krippendorff. Each finding is a yes or no per reader and image.
"""

from __future__ import annotations

import importlib
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rig.catalog.vindr_model import Edges, VindrTables
from rig.catalog.vindr_names import FINDINGS, LOCAL
from rig.errors import UserError

UNKNOWN = -1
"""In a matrix of ratings: that reader did not read that image."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one finding; a figure is None when it is not defined: nobody, or everybody, found it.

    Attributes:
        images: with at least two readers.
        positive: opinions that affirm it, of all opinions on these images.
        opinions: all.
        cohen: (reader, reader) -> kappa on the images that both read, and how many those are.
        mean_cohen: mean of the defined ones, weighted by their images.
        fleiss: on the images with the commonest number of readers, at least two.
        fleiss_images: how many those are.
        alpha: Krippendorff's, nominal; missing opinions are allowed for.
    """

    images: int
    positive: int
    opinions: int
    cohen: Mapping[tuple[str, str], tuple[float | None, int]]
    mean_cohen: float | None
    fleiss: float | None
    fleiss_images: int
    alpha: float | None

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "images": self.images,
            "positive": self.positive,
            "opinions": self.opinions,
            "cohen": [
                {"readers": list(pair), "kappa": kappa, "images": images}
                for pair, (kappa, images) in self.cohen.items()
            ],
            "mean_cohen": self.mean_cohen,
            "fleiss": self.fleiss,
            "fleiss_images": self.fleiss_images,
            "alpha": self.alpha,
        }


def agreement(tables: VindrTables) -> dict[str, Agreement]:
    """Finding -> how far the readers agree on it.

    Raises:
        UserError: the extra `readers` is not installed, or no image has two readers.
    """
    opinions = {image: tables.opinions(image) for image in tables.splits}
    read = {image: said for image, said in opinions.items() if len(said) > 1}
    if not read:
        raise UserError("No image has two readers: there is no agreement to tell.")
    readers = sorted({reader for said in read.values() for reader in said})
    asked = {name for image in read for name in tables.asked(image)}
    return {
        name: _of_finding(ratings(read, readers, name), readers)
        for name in FINDINGS
        if name in asked
    }


def ratings(
    opinions: Mapping[str, Mapping[str, frozenset[str]]], readers: Sequence[str], finding: str
) -> NDArray[np.int8]:
    """Images x readers: 1 affirmed, 0 denied, `UNKNOWN` not read."""
    place = {reader: column for column, reader in enumerate(readers)}
    matrix = np.full((len(opinions), len(readers)), UNKNOWN, np.int8)
    for row, said in enumerate(opinions.values()):
        for reader, positive in said.items():
            matrix[row, place[reader]] = finding in positive
    return matrix


def _of_finding(matrix: NDArray[np.int8], readers: Sequence[str]) -> Agreement:
    cohen: dict[tuple[str, str], tuple[float | None, int]] = {}
    for a, b in combinations(range(len(readers)), 2):
        both = matrix[(matrix[:, a] != UNKNOWN) & (matrix[:, b] != UNKNOWN)]
        if len(both):
            cohen[readers[a], readers[b]] = cohen_kappa(both[:, a], both[:, b]), len(both)
    defined = [(kappa, images) for kappa, images in cohen.values() if kappa is not None]
    weight = sum(images for _, images in defined)
    counts = Counter(int(n) for n in (matrix != UNKNOWN).sum(axis=1) if n > 1)
    common = max(counts, key=lambda n: (counts[n], n))
    full = matrix[(matrix != UNKNOWN).sum(axis=1) == common]
    return Agreement(
        images=len(matrix),
        positive=int((matrix == 1).sum()),
        opinions=int((matrix != UNKNOWN).sum()),
        cohen=cohen,
        mean_cohen=sum(k * n for k, n in defined) / weight if weight else None,
        fleiss=fleiss_kappa(full),
        fleiss_images=len(full),
        alpha=krippendorff_alpha(matrix),
    )


def cohen_kappa(a: NDArray[np.int8], b: NDArray[np.int8]) -> float | None:
    """Cohen's kappa (1960) of two readers' opinions; None when chance alone would always agree."""
    square = np.zeros((2, 2), int)
    np.add.at(square, (a, b), 1)
    if len(a) in (square[0, 0], square[1, 1]):
        return None
    rater = _package("statsmodels.stats.inter_rater")
    return _number(rater.cohens_kappa(square, return_results=False))


def fleiss_kappa(matrix: NDArray[np.int8]) -> float | None:
    """Fleiss' kappa (1971) of images with the same number of readers, whoever they are."""
    yes = (matrix == 1).sum(axis=1)
    every = (matrix != UNKNOWN).sum(axis=1)
    if not 0 < yes.sum() < every.sum():
        return None
    rater = _package("statsmodels.stats.inter_rater")
    return _number(rater.fleiss_kappa(np.stack([every - yes, yes], axis=1)))


def krippendorff_alpha(matrix: NDArray[np.int8]) -> float | None:
    """Krippendorff's alpha for nominal data."""
    known = matrix[matrix != UNKNOWN]
    if known.size == 0 or known.min() == known.max():
        return None
    values = np.where(matrix == UNKNOWN, np.nan, matrix.astype(float)).T
    found = _package("krippendorff").alpha(values, level_of_measurement="nominal")
    return _number(found)


@dataclass(frozen=True, slots=True)
class BoxAgreement:
    """Of one local finding, over all pairs of readers of the same image.

    Attributes:
        pairs: pairs of readers of whom at least one drew the finding.
        matched: boxes of one that a box of the other covers well enough, one to one.
        boxes: boxes of both, counted for each pair.
        f1: 2 x matched / boxes.
        iou: mean intersection over union of the matched; None without any.
    """

    pairs: int
    matched: int
    boxes: int
    f1: float
    iou: float | None


def box_agreement(tables: VindrTables, *, iou: float = 0.5) -> dict[str, BoxAgreement]:
    """Finding -> how far the readers draw the same boxes, matched from *iou* on."""
    found: dict[str, list[tuple[int, int, list[float]]]] = {}
    for image, boxes in tables.boxes_of.items():
        readers = sorted(tables.opinions(image))
        by: dict[tuple[str, str], list[Edges]] = {}
        for box in boxes:
            if box.edges is not None:
                by.setdefault((box.finding, box.reader), []).append(box.edges)
        for name in {finding for finding, _ in by}:
            for a, b in combinations(readers, 2):
                ours, theirs = by.get((name, a), []), by.get((name, b), [])
                if ours or theirs:
                    pairs = found.setdefault(name, [])
                    pairs.append((len(ours), len(theirs), _matched(ours, theirs, iou)))
    told = {}
    for name in (one for one in LOCAL if one in found):
        matches = [value for *_, hits in found[name] for value in hits]
        boxes_in_all = sum(a + b for a, b, _ in found[name])
        told[name] = BoxAgreement(
            pairs=len(found[name]),
            matched=len(matches),
            boxes=boxes_in_all,
            f1=2 * len(matches) / boxes_in_all,
            iou=sum(matches) / len(matches) if matches else None,
        )
    return told


def _matched(ours: Sequence[Edges], theirs: Iterable[Edges], least: float) -> list[float]:
    """Values of the best one-to-one matches, greedily from the best."""
    rest = list(theirs)
    values = sorted(
        ((_iou(a, b), i, j) for i, a in enumerate(ours) for j, b in enumerate(rest)), reverse=True
    )
    taken: tuple[set[int], set[int]] = (set(), set())
    hits = []
    for value, i, j in values:
        if value >= least and i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            hits.append(value)
    return hits


def _iou(a: Edges, b: Edges) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _package(name: str) -> Any:
    """The module *name*, which takes long to load."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies, about their future
            return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"Agreement needs the Python package {name.partition('.')[0]}, which is not installed: "
            "pip install 'capture-rig[readers]'."
        ) from error
