"""`phone-agent audit`: re-hash every photo of a folder against its journal. It only reads."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from phone_agent.config import DEFAULT_DIR
from phone_agent.upload_log import released_photos
from phone_agent.uploads import LOG
from rig.protocol.audit import audit_phone
from rig.protocol.journal import JournalCorrupt


def main(argv: Sequence[str]) -> int:
    """Audit; 0 all is sound, 1 something is wrong, 2 there is nothing that could be audited."""
    parser = argparse.ArgumentParser(
        prog="phone-agent audit",
        description="Re-hash every photo and check it against the journal. Changes nothing.",
        epilog="examples:\n  phone-agent audit\n  phone-agent audit --dir photos --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_DIR,
        help="the folder of the phone agent (default ~/rig)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    args = parser.parse_args(argv)
    args.dir = args.dir.expanduser()
    try:
        report = audit_phone(args.dir, released_photos(args.dir / LOG))
    except (OSError, JournalCorrupt) as error:
        why = error.strerror or error if isinstance(error, OSError) else error
        print(f"phone-agent audit: {args.dir}: {why}", file=sys.stderr)
        return 2
    print(json.dumps(report.as_json()) if args.json else report.text())
    return 0 if report.sound else 1
