"""`display-agent audit-legacy`: is every photo that the original app claimed really there?"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from display_agent.session import load_plan
from rig.durable import write_atomic
from rig.errors import UserError
from rig.planning.plan import SubsetPlan
from rig.protocol.journal import JournalCorrupt, parse_journal
from rig.protocol.legacy import BadLegacy, legacy_parts
from rig.protocol.legacy_ledger import LegacyLedger, LegacySubset

JOURNAL = "legacy.journal"
PAIRS = "legacy-pairs.csv"
_NUMBERED = re.compile(r"(0|[1-9][0-9]{0,9})__", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one index: `missing`, `doubled`, `empty`, `damaged` or `same`."""

    index: int
    kind: str
    why: str


@dataclass(slots=True)
class Audit:
    """What an export holds: *photos* by index, problems, suspects and files of other runs."""

    expected: int
    photos: dict[int, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    suspects: dict[int, str] = field(default_factory=dict)
    others: int = 0

    @property
    def passed(self) -> bool:
        """Whether there is exactly one sound photo for every index."""
        return not self.problems and len(self.photos) == self.expected

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "passed": self.passed,
            "expected": self.expected,
            "found": len(self.photos),
            "problems": [{"index": p.index, "kind": p.kind, "why": p.why} for p in self.problems],
            "suspects": [{"index": i, "why": why} for i, why in sorted(self.suspects.items())],
            "others": self.others,
        }


def pairs_csv(folder: Path, plan: SubsetPlan, photos: Iterable[tuple[int, str]]) -> Path:
    """Write the CSV for `rig verify --pairs` (photo, xray, previous) durably into *folder*."""
    files = {item.index: item.file or "" for item in plan.items}
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("photo", "xray", "previous"))
    rows.writerows((photo, files[i], files.get(i - 1, "")) for i, photo in photos)
    path = folder / PAIRS
    write_atomic(path, text.getvalue().encode())
    return path


def audit(folder: Path, export: Path) -> tuple[Audit, SubsetPlan]:
    """Compare the journal in *folder* with the files of *export*; nothing is changed.

    Raises:
        UserError: one of them cannot be read, or is no legacy run.
    """
    plan = load_plan(folder)
    ledger = _ledger(folder, plan)
    found = Audit(len(plan.items))
    by_index = _numbered(export, found)
    for index in range(plan.first, plan.last + 1):
        _look(found, index, ledger.names.get(index, []), by_index.get(index, []))
    for done in ledger.done:
        if done.suspect:
            found.suspects[done.index] = done.suspect
    if len(ledger.done) < found.expected:
        unclaimed = ledger.next_index
        found.problems.append(
            Problem(
                unclaimed, "missing", "the run is not complete: from here on nothing is claimed"
            )
        )
    _look_for_twins(found)
    found.problems.sort(key=lambda p: (p.index, p.kind))
    return found, plan


def run_audit(args: argparse.Namespace, report: Any) -> int:
    """`display-agent audit-legacy`; 0 when every photo is there once, else 1."""
    found, plan = audit(args.journal, args.export)
    photos = [(index, str(path.resolve())) for index, path in sorted(found.photos.items())]
    pairs = pairs_csv(args.journal, plan, photos)
    if args.json:
        report({"event": "audit", "legacy": True, "pairs": str(pairs), **found.as_json()})
        return 0 if found.passed else 1
    for problem in found.problems:
        report({"event": problem.kind, "index": problem.index, "why": problem.why})
    for index, why in sorted(found.suspects.items()):
        report({"event": "suspect", "index": index, "why": why})
    word = "every photo is there once" if found.passed else "the export is NOT whole"
    report({
        "event": "audit", "count": len(photos),
        "why": f"{word}; now what they show must be checked: rig verify --pairs {pairs}",
    })  # fmt: skip
    return 0 if found.passed else 1


def _ledger(folder: Path, plan: SubsetPlan) -> LegacyLedger:
    path = folder / JOURNAL
    try:
        records, _ = parse_journal(path.read_bytes())
        subset = LegacySubset(
            bytes.fromhex(plan.campaign_id), plan.subset, plan.first, plan.last,
            bytes.fromhex(plan.manifest_sha256), plan.session,
            tuple(legacy_parts(item.key) for item in plan.items),
        )  # fmt: skip
        return LegacyLedger(subset, records)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; --journal is the folder of the run") from error
    except (JournalCorrupt, BadLegacy) as error:
        raise UserError(f"{path} cannot be used: {error}") from error


def _numbered(export: Path, found: Audit) -> dict[int, list[Path]]:
    if not export.is_dir():
        raise UserError(f"{export} is no folder; copy the phone's CheXpeditor folder there")
    by_index: dict[int, list[Path]] = {}
    for path in sorted(export.rglob("*")):
        if path.name.startswith(".") or path.is_symlink() or not path.is_file():
            continue
        number = _NUMBERED.match(path.name)
        if number is None:
            found.others += 1
        else:
            by_index.setdefault(int(number[1]), []).append(path)
    return by_index


def _look(found: Audit, index: int, names: list[str], files: list[Path]) -> None:
    """Judge what lies there under the number *index*, of which *names* were asked for."""
    ours = [path for path in files if path.name in names]
    for path in files:
        if path.name not in names:
            why = f"{path.name!a} bears its number, but was never asked for in this run"
            found.problems.append(Problem(index, "doubled", why))
    if not ours:
        why = f"no file {names[-1]!a}" if names else "it was never asked for"
        found.problems.append(Problem(index, "missing", why))
    elif len(ours) > 1:
        why = "more than one file: " + ", ".join(ascii(path.name) for path in ours)
        found.problems.append(Problem(index, "doubled", why))
    elif (flaw := _flaw(ours[0])) is not None:
        found.problems.append(Problem(index, *flaw))
    else:
        found.photos[index] = ours[0]


def _flaw(path: Path) -> tuple[str, str] | None:
    try:
        if path.stat().st_size == 0:
            return "empty", f"{path.name!a} has no bytes: the phone was full, or the camera failed"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large photos and odd EXIF are no flaw
            with Image.open(path, formats=["JPEG"]) as image:
                image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return "damaged", f"{path.name!a} is not a whole JPEG ({error})"
    return None


def _look_for_twins(found: Audit) -> None:
    """No two exposures have the same bytes: a camera that returned its last frame again."""
    seen: dict[str, int] = {}
    for index, path in sorted(found.photos.items()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if (first := seen.setdefault(digest, index)) != index:
            why = f"the same bytes as the photo of {first}: one of them shows another x-ray"
            found.problems.append(Problem(index, "same", why))
