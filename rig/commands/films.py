"""`rig films`: photos of x-ray films, from a folder and a CSV."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.bringing import add_folder, add_owner, at_most, bringing, open_store
from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.intake.film_store import FilmsImported
    from rig.store.hand import Film

_EPILOG = """\
examples:
  rig films import photos/ films.csv --campaign nokia10k --device pixel
  rig films show nokia10k --json
  rig films withdraw nokia10k patient00012/study1/view1_frontal

FOLDER holds photos of films, before a light box or on a table. The CSV has the columns photo (a
path in FOLDER) and xray (patient/study/view, or the x-ray's path), if you like split (default
valid), and CheXpert's columns for x-rays that the campaign's catalog does not hold. Each film is
cropped and turned upright: by its content where the catalog has the x-ray's picture, else by its
edges. Originals are kept byte for byte; the crops go to SPLIT/film of the campaign's dataset.
Exit status: 0 every photo was taken, 1 some were not (they are listed), 2 bad input.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    parser.epilog = _EPILOG
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    one = sub.add_parser("import", help="take in photos of films")
    add_folder(one)
    one.add_argument("csv", type=Path, metavar="CSV", help="photo,xray[,split][,labels...]")
    add_owner(one, "whose dataset they join", "that took the photos")
    one.add_argument("--by-border", action="store_true",
                     help="take by their edges what does not show the x-ray's picture")  # fmt: skip
    one.set_defaults(run=run_import)
    show = sub.add_parser("show", help="list the films of a campaign")
    show.add_argument("campaign", metavar="CAMPAIGN")
    show.set_defaults(run=run_show)
    back = sub.add_parser("withdraw", help="take a film out of the campaign's dataset again")
    back.add_argument("campaign", metavar="CAMPAIGN")
    back.add_argument("key", metavar="KEY", help="patient/study/view, as show lists it")
    back.add_argument("--by", metavar="NAME", help="who does it, for the log")
    back.set_defaults(run=run_withdraw)
    for verb in (one, show, back):
        verb.add_argument("--json", action="store_true", help="JSON on standard output")
        add_home(verb)


def run_import(args: argparse.Namespace) -> int:
    """Take in a folder; 0 when every photo became a film."""
    from rig.intake.film_store import import_films

    with bringing(args, "films") as work:
        found = import_films(
            work.database,
            work.home,
            args.folder,
            args.csv,
            campaign=args.campaign,
            device=args.device,
            actor="command",
            clock_ns=time.time_ns,
            by_border=args.by_border,
            executor=work.executor,
            progress=work.progress,
        )
    print(json.dumps(_as_json(found)) if args.json else _text(found))
    return 1 if found.not_taken else 0


def run_show(args: argparse.Namespace) -> int:
    """List the films."""
    from rig.store import hand

    home = home_of(args)
    with open_store(home) as database, database.read() as connection:
        every = hand.films(connection, home, hand.campaign_id(connection, args.campaign))
    for one in every:
        print(json.dumps(film_json(one)) if args.json else _line(one))
    return 0


def run_withdraw(args: argparse.Namespace) -> int:
    """Note that a film is not to be in the dataset; its files stay."""
    from rig.capture.actors import actor_of
    from rig.store import events, hand
    from rig.store.events import Event

    home, now, actor = home_of(args), time.time_ns(), actor_of(args.by)
    with open_store(home) as database:
        ident = database.query(lambda c: hand.campaign_id(c, args.campaign))
        every = database.query(lambda c: hand.films(c, home, ident))
        found = next((one for one in every if one.key == args.key), None)
        if found is None:
            raise UserError(
                f"{args.campaign} has no film of {args.key}: `rig films show` lists them."
            )
        body = {"campaign": ident, "device": found.device, "key": found.key, "withdrawn": True}
        event = Event(hand.FILM, now, now, actor, body=body)
        database.write_now(lambda c: events.append(c, event))
    row = {"withdrawn": found.key, "name": found.name}
    print(json.dumps(row) if args.json else f"{found.key}: {found.name} is out of the dataset.")
    return 0


def film_json(one: Film) -> dict[str, Any]:
    """A film as commands show it."""
    return {
        "key": one.key, "split": one.split, "device": one.device, "name": one.name,
        "sha256": one.sha256, "crop_sha256": one.crop_sha256, "width": one.width,
        "height": one.height, "way": one.way, "score": one.score, "homography": one.homography,
    }  # fmt: skip


def _as_json(found: FilmsImported) -> dict[str, Any]:
    return {
        "films": len(found.taken),
        "new": found.new,
        "by_content": found.by("content"),
        "by_border": found.by("border"),
        "taken": [film_json(one) for one in found.taken],
        "not_taken": [
            {"line": one.line, "photo": one.photo, "reason": one.reason} for one in found.not_taken
        ],
    }


def _text(found: FilmsImported) -> str:
    lines = [
        (
            f"{len(found.taken)} films ({found.new} new): {found.by('content')} proved by their "
            f"content, {found.by('border')} cut by their edges and not proved."
        )
    ]
    rows = []
    for one in found.not_taken:
        where = f"line {one.line}: " if one.line else ""
        rows.append(f"{where}{one.photo}: {one.reason}")
    lines += at_most(rows, first="not taken: ")
    return "\n".join(lines)


def _line(one: Film) -> str:
    return f"{one.split}/film/{one.key}: {one.name}, by {one.way}, {one.width} x {one.height}"
