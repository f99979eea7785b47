"""`rig restore`: a home out of a backup."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

EXAMPLES = """examples:
  rig restore /mnt/usb/rig --home /srv/rig
  rig restore /mnt/usb/rig --home /srv/rig --into-empty    the folder is there and empty
  rig restore /mnt/usb/rig --home /srv/rig --json

Every hash is verified before anything is written, and the home appears as a whole at the end.
Exit 1: it was restored, but the backup lacks photos that its database speaks of.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig restore`."""
    parser.epilog = EXAMPLES
    parser.add_argument("backup", type=Path, metavar="BACKUP", help="what `rig backup` has made")
    parser.add_argument(
        "--home", type=Path, required=True, metavar="DIR", help="the new home; must not be there"
    )
    parser.add_argument(
        "--into-empty", action="store_true", help="the home may be an empty folder that is there"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Restore; 1 when photos are lacking that the database speaks of."""
    from rig.commands.progress import progress
    from rig.errors import UserError
    from rig.settings import home_of
    from rig.store.restoring import restore

    home = home_of(args)
    backup = args.backup.expanduser().resolve()
    try:
        with progress("restoring") as advance:
            done = restore(backup, home, into_empty=args.into_empty, advance=advance)
    except OSError as error:
        raise UserError(
            f"Restoring to {home} stopped: {error.filename or home}: {error.strerror or error}. "
            "Mend that and run the same command again."
        ) from error
    made = done.manifest
    lacking = len(made.missing) if made.photos else made.received
    if args.json:
        told = {
            "home": str(home),
            "complete": done.well,
            "time_ns": made.time_ns,
            "files": done.files,
            "bytes": done.size,
            "photos": made.photos,
            "missing": [one.model_dump() for one in made.missing],
            "lacking": lacking,
        }
        print(json.dumps(told))
    else:
        print(f"{home}: {done.files} files, {done.size / 1e6:.1f} MB. Start it with `rig serve`.")
        if lacking:
            print(
                f"{lacking} received photos are not in this backup: `rig check --home {home}` "
                "lists them; the phones may have them still.",
                file=sys.stderr,
            )
    return 0 if done.well else 1
