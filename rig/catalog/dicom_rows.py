"""One row per file of an import: what became of it, and why, without a name in it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rig.catalog.model import OBSERVATIONS
from rig.dicom.ages import age_years
from rig.dicom.header import Header
from rig.dicom.making import Made
from rig.dicom.refusal import Reason
from rig.dicom.scan import Scanned
from rig.dicom.screening import FRONTAL, Decision

COLUMNS = ("file", "input", "decision", "reason", "rules", "image_id", "patient", "split", "scores")
"""Of `report.csv`."""
_SEX = {"M": "Male", "F": "Female", "O": "Unknown"}
_HELD = {Reason.UNREVIEWED}
_SAME = {Reason.DUPLICATE}


class Outcome(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    HELD = "held"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one file.

    Attributes:
        number: of the input, from 1.
        mark: 16 hex digits that stay the same as long as the file stays where it is.
        outcome: in one word.
        reasons: sentences; of an imported image the doubts that were passed over.
        rules: names of the rules that objected.
        image_id: 32 hex digits, or empty.
        patient: pseudonym, or empty.
        split: `train`, `valid`, `test` or empty.
        other: number of the file it is the same as, or 0.
        scores: of the rules that have one, whether they objected or not: rule and score.
    """

    number: int
    mark: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    image_id: str = ""
    patient: str = ""
    split: str = ""
    other: int = 0
    scores: tuple[tuple[str, float], ...] = ()

    @property
    def reason(self) -> str:
        """All reasons in one line."""
        also = f" It is file {self.other}." if self.other else ""
        return " ".join(self.reasons) + also

    def as_json(self) -> dict[str, Any]:
        """For `--json` and for the file of the import."""
        return {
            "file": self.number,
            "input": self.mark,
            "decision": str(self.outcome),
            "reason": self.reason,
            "rules": list(self.rules),
            "scores": [{"rule": rule, "score": score} for rule, score in self.scores],
            "image_id": self.image_id or None,
            "patient": self.patient or None,
            "split": self.split or None,
        }


def refused_row(number: int, mark: str, reason: Reason, scanned: Scanned | None = None) -> Row:
    """A file that is not used."""
    return row_of(mark, scanned or Scanned(number), "", Made(number, reason))


def row_of(mark: str, scanned: Scanned, split: str, made: Made, *, other: int = 0) -> Row:
    """What became of a file that was looked at."""
    if made.reason is None:
        outcome = Outcome.IMPORTED
    elif made.reason in _HELD:
        outcome = Outcome.HELD
    else:
        outcome = Outcome.DUPLICATE if made.reason in _SAME else Outcome.REFUSED
    doubts = made.doubts
    told = () if made.reason is None or doubts else (str(made.reason),)
    return Row(
        number=made.number,
        mark=mark,
        outcome=outcome,
        reasons=(*told, *(one.sentence for one in doubts)),
        rules=tuple(one.rule for one in doubts if one.decision is not Decision.ACCEPT),
        image_id=scanned.image_id,
        patient=scanned.patient,
        split=split,
        other=other,
        scores=tuple((one.rule, one.score) for one in doubts if one.score is not None),
    )


def report(rows: Iterable[Row]) -> bytes:
    """`report.csv`."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in rows:
        rules = "; ".join(one.rules)
        cells = (one.number, one.mark, one.outcome, one.reason, rules)
        scores = "; ".join(f"{rule} {score:.4g}" for rule, score in one.scores)
        writer.writerow((*cells, one.image_id, one.patient, one.split, scores))
    return out.getvalue().encode()


def count(rows: Sequence[Row]) -> dict[str, int]:
    """Outcome -> files, every outcome named."""
    counts = Counter(one.outcome for one in rows)
    return {str(one): counts[one] for one in Outcome}


def reasons(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Held and refused -> rule, or the sentence where no rule was asked -> files, most first."""
    counts: dict[str, Counter[str]] = {"held": Counter(), "refused": Counter()}
    for row in rows:
        if str(row.outcome) in counts:
            counts[str(row.outcome)].update(set(row.rules or row.reasons))
    return {
        outcome: dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))
        for outcome, found in counts.items()
    }


def chexpert_row(path: str, header: Header, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The 19 values of a CheXpert CSV for an image."""
    years = age_years(header.age)
    side = "Frontal" if header.view and header.view in FRONTAL else ""
    if header.view in {"LL", "RL", "LAT", "LATERAL"}:
        side = "Lateral"
    return (
        path,
        _SEX.get(header.sex, ""),
        "" if years is None else str(years),
        side,
        header.view if header.view in {"AP", "PA", "LL", "RL"} else "",
        *(labels.get(name, "") for name in OBSERVATIONS),
    )
