"""`display-agent audit-legacy`: is every photo that the original app claimed really there?"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from display_agent.plans import load_plan
from rig.durable import write_atomic
from rig.errors import UserError
from rig.intake.legacy_export import Asked, Audit, audit_export
from rig.planning.plan import SubsetPlan
from rig.protocol.journal import JournalCorrupt, parse_journal
from rig.protocol.legacy import BadLegacy, legacy_parts
from rig.protocol.legacy_ledger import LegacyLedger, LegacySubset

JOURNAL = "legacy.journal"
PAIRS = "legacy-pairs.csv"


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
    suspects = {done.index: done.suspect for done in ledger.done if done.suspect}
    asked = Asked(plan.first, plan.last, ledger.names, len(ledger.done), suspects)
    return audit_export(asked, export), plan


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
