"""`rig manual`: photos taken by hand of a screen in manual mode."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.bringing import add_folder, add_owner, at_most, bringing, open_store
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.intake.hand_store import Imported
    from rig.store.hand import HandPhoto

_EPILOG = """\
examples:
  rig manual import DCIM/set1 --log manual-out/shown.jsonl --campaign nokia10k --device iphone
  rig manual show nokia10k --device iphone --doubtful
  rig manual decide nokia10k iphone 3f2a --index 317 --by anna
  rig manual decide nokia10k iphone 3f2a --none --by anna

import takes the photos in FOLDER, taken by hand while `display-agent manual` wrote its book
(--log), keeps them byte for byte, and finds out which x-ray each shows: by the marker in the
margin, by the pixels, and by the order and times of the whole set (the camera's clock may be wrong
by any amount). What the pixels prove becomes a photo of DEVICE in the campaign's dataset; the
doubtful ones wait for a person, here or on the controller's page /campaigns/NAME/hand. Run it again
to go on, or with more photos. Exit status: 0 every photo is settled, 1 some are doubtful or were
not taken in (they are listed), 2 bad input.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    parser.epilog = _EPILOG
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    one = sub.add_parser("import", help="take in a folder of photos taken by hand")
    add_folder(one)
    one.add_argument("--log", type=Path, required=True, metavar="SHOWN.jsonl",
                     help="what the display wrote: shown.jsonl")  # fmt: skip
    add_owner(one, "whose x-rays were shown", "e.g. iphone")
    one.set_defaults(run=run_import)
    show = sub.add_parser("show", help="list photos taken by hand, and what they are")
    show.add_argument("campaign", metavar="CAMPAIGN")
    show.add_argument("--device", metavar="DEV", help="only of this one")
    show.add_argument("--doubtful", action="store_true", help="only those that wait for a person")
    show.set_defaults(run=run_show)
    say = sub.add_parser("decide", help="say which x-ray a photo shows")
    say.add_argument("campaign", metavar="CAMPAIGN")
    say.add_argument("device", metavar="DEV")
    say.add_argument("photo", metavar="SHA256", help="of the photo; its first digits are enough")
    what = say.add_mutually_exclusive_group(required=True)
    what.add_argument("--index", type=int, metavar="N", help="it shows x-ray N")
    what.add_argument("--none", action="store_true", help="it shows none of the x-rays")
    what.add_argument("--undo", action="store_true", help="take the decision back")
    say.add_argument("--by", metavar="NAME", help="who decides, for the log")
    say.set_defaults(run=run_decide)
    for verb in (one, show, say):
        verb.add_argument("--json", action="store_true", help="JSON on standard output")
        add_home(verb)


def run_import(args: argparse.Namespace) -> int:
    """Take in a folder; 0 when every photo is settled."""
    from rig.intake.hand_store import import_folder
    from rig.store.hand import Standing

    with bringing(args, "looking") as work:
        found = import_folder(
            work.database,
            work.home,
            args.folder,
            campaign=args.campaign,
            device=args.device,
            log=args.log,
            actor="command",
            clock_ns=time.time_ns,
            executor=work.executor,
            progress=work.progress,
        )
    print(json.dumps(_as_json(found)) if args.json else _text(args, found))
    return 1 if found.refused or found.count(Standing.DOUBTFUL) else 0


def run_show(args: argparse.Namespace) -> int:
    """List the photos; 1 when some wait for a person."""
    from rig.store import hand

    home = home_of(args)
    with open_store(home) as database, database.read() as connection:
        ident = hand.campaign_id(connection, args.campaign)
        every = hand.photos(connection, home, ident, args.device)
    if args.doubtful:
        every = tuple(one for one in every if one.standing is hand.Standing.DOUBTFUL)
    for one in every:
        print(json.dumps(one.to_json()) if args.json else _line(one))
    return 1 if any(one.standing is hand.Standing.DOUBTFUL for one in every) else 0


def run_decide(args: argparse.Namespace) -> int:
    """Record a person's decision."""
    from rig.capture.actors import actor_of
    from rig.intake.hand_decide import decide, reopen
    from rig.store import hand

    home, now, actor = home_of(args), time.time_ns(), actor_of(args.by)
    with open_store(home) as database:
        ident = database.query(lambda c: hand.campaign_id(c, args.campaign))
        photo = database.query(lambda c: hand.find(c, home, ident, args.device, args.photo.lower()))
        if args.undo:
            photo = reopen(database, home, photo, actor=actor, now_ns=now)
        else:
            index = None if args.none else args.index
            photo = decide(database, home, photo, index=index, actor=actor, now_ns=now)
    print(json.dumps(photo.to_json()) if args.json else _line(photo))
    return 0


def _as_json(found: Imported) -> dict[str, Any]:
    from rig.store.hand import Standing

    clock = found.clock
    return {
        "photos": len(found.photos),
        "new": found.new,
        **{one.value: found.count(one) for one in Standing},
        "clock": None
        if clock is None
        else {
            "offset_s": round(clock.offset_ns / 1e9, 3),
            "agreeing": clock.agreeing,
            "of": clock.of,
            "trusted": clock.trusted,
        },
        "unlabelled": found.unlabelled,
        "unseen": list(found.unseen),
        "doubtful_photos": [
            one.to_json() for one in found.photos if one.standing is Standing.DOUBTFUL
        ],
        "not_taken": [
            {"name": one.name, "status": one.status, "reason": one.reason} for one in found.refused
        ],
    }


def _text(args: argparse.Namespace, found: Imported) -> str:
    from rig.store.hand import Standing

    told = {one: found.count(one) for one in Standing}
    lines = [
        (
            f"{len(found.photos)} photos ({found.new} new): {told[Standing.ACCEPTED]} settled, "
            f"{told[Standing.DOUBTFUL]} doubtful, {told[Standing.REFUSED]} show no x-ray."
        )
    ]
    if found.clock is not None and found.clock.trusted:
        seconds = found.clock.offset_ns / 1e9
        lines.append(
            f"The camera's clock is {abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'}"
            f" the display's ({found.clock.agreeing} of {found.clock.of} photos agree)."
        )
    if found.unlabelled:
        lines.append(
            f"{found.unlabelled} x-rays that were shown are not in this campaign's catalog: photos "
            "of them stay doubtful."
        )
    rows = [f"{one.status}: {one.name}: {one.reason}" for one in found.refused]
    rows += [_line(one) for one in found.photos if one.standing is Standing.DOUBTFUL]
    lines += at_most(rows)
    if told[Standing.DOUBTFUL]:
        lines.append(
            f"Decide with `rig manual decide {args.campaign} {args.device} SHA256 --index N`, or "
            f"on the controller's page /campaigns/{args.campaign}/hand."
        )
    if found.unseen:
        listed = ", ".join(map(str, found.unseen[:10])) + (
            ", ..." if len(found.unseen) > 10 else ""
        )
        lines.append(f"Shown without a settled photo: {len(found.unseen)} x-rays ({listed}).")
    return "\n".join(lines)


def _line(one: HandPhoto) -> str:
    who = f" ({one.by})" if one.by else ""
    return f"{one.standing.value}: {one.name} [{one.sha256[:8]}]: {one.reason}{who}"
