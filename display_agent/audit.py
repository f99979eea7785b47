"""`display-agent audit`: a session's journal, and with --photos the files it decided."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rig.errors import UserError
from rig.protocol.audit import audit_display, read_journal
from rig.protocol.journal import JournalCorrupt


def add_audit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `audit`."""
    parser = commands.add_parser("audit", help="check a session's journal and its photos")
    parser.add_argument("--journal", type=Path, required=True, metavar="DIR",
                        help="the session's folder (that of `run --journal`)")  # fmt: skip
    parser.add_argument("--photos", type=Path, metavar="DIR",
                        help="re-hash these photos, or a phone agent's")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--verbose", action="store_true", help="more on stderr")


async def run_audit(args: argparse.Namespace) -> int:
    """Audit; 0 all is sound, 1 something is wrong.

    Raises:
        UserError: there is nothing that could be audited.
    """
    try:
        report = audit_display(read_journal(args.journal / "journal"), args.photos)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror or error}") from error
    except JournalCorrupt as error:
        raise UserError(f"{args.journal}: {error}") from error
    told = json.dumps(report.as_json()) if args.json else report.text()
    sys.stdout.write(told + "\n")
    return 0 if report.sound else 1
