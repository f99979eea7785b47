"""`rig plan export`: the plan of a subset, for a display agent without a controller."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

EXAMPLES = """examples:
  rig plan export nokia10k 1 > plan.json
  display-agent run plan.json --pairing pairing.txt
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig plan`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    export = sub.add_parser("export", help="the immutable plan of one subset as JSON")
    export.add_argument("campaign", metavar="CAMPAIGN")
    export.add_argument("subset", metavar="SUBSET", type=int, help="its number, from 1")
    add_home(export)
    export.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the plan; every export of the same subset is the same."""
    from rig.capture import campaigns, session_plan
    from rig.planning.plan import to_json
    from rig.store.database import Database

    def read(connection: Connection) -> dict[str, Any]:
        campaign = campaigns.find(connection, args.campaign)
        session = session_plan.standalone_session(campaign, args.subset)
        plan = session_plan.plan_of(
            connection, campaign, args.subset, session=session, with_files=True
        )
        return to_json(plan)

    with Database.open(home_of(args) / "rig.db") as database:
        print(json.dumps(database.query(read)))
    return 0
