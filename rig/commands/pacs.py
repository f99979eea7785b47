"""`rig pacs`: x-rays out of a hospital's archive, into a quarantine folder."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from rig.commands.pacs_options import (
    add_caller,
    add_disk,
    add_filter,
    add_pull,
    add_timeout,
    address,
    caller_of,
    limits_of,
    tls_of,
    wanted_of,
)
from rig.commands.progress import progress
from rig.errors import UserError
from rig.plain import plain

if TYPE_CHECKING:
    from rig.dicom.pacs.model import Series
    from rig.dicom.pacs.pull import Pulled, Source
    from rig.dicom.pacs.web import WebSource

_EPILOG = """\
examples:
  rig pacs echo ARCHIVE@pacs.example:104
  rig pacs find ARCHIVE@pacs.example:104 --modality CR,DX --body-part CHEST --from 2021-01-01
  rig pacs get  ARCHIVE@pacs.example:104 --modality CR,DX --body-part CHEST --to quarantine
  rig pacs move ARCHIVE@pacs.example:104 --to quarantine --listen 10.0.0.7:11112 --as RIG
  rig pacs receive --to quarantine --allow MODALITY1 --listen 10.0.0.7:11112
  rig pacs web get https://pacs.example/dicom-web --auth token.txt --modality DX --to quarantine
  rig catalog import-dicom hospital quarantine/files

A PACS is written TITLE@HOST:PORT. get, move and web get can be stopped at any moment and run again:
what is there is not asked for again. The quarantine holds files that still say who the patient is:
import-dicom de-identifies them, then delete it. Exit status: 0 all is there; 1 some images are
missing (why is said); 2 the PACS cannot be asked, or bad usage.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig pacs`."""
    parser.epilog = _EPILOG
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    echo = sub.add_parser("echo", help="does the PACS know us? (C-ECHO)")
    find = sub.add_parser("find", help="list the series that pass a filter (C-FIND)")
    get = sub.add_parser("get", help="pull images over our own connection (C-GET)")
    move = sub.add_parser("move", help="have images sent to our own receiver (C-MOVE)")
    receive = sub.add_parser("receive", help="take images that others send (C-STORE)")
    web = sub.add_parser("web", help="the same over DICOMweb: find, get")
    for one in (echo, find, get, move):
        one.add_argument("peer", metavar="TITLE@HOST:PORT")
    for one in (echo, find, get, move, receive):
        add_caller(one)
    verbs = web.add_subparsers(dest="web_verb", metavar="VERB", required=True)
    web_find = verbs.add_parser("find", help="list the series that pass a filter (QIDO-RS)")
    web_get = verbs.add_parser("get", help="pull images (WADO-RS)")
    for one in (web_find, web_get):
        _add_web(one)
    for one in (find, get, move, web_find, web_get):
        add_filter(one)
    for one in (get, move, web_get):
        add_pull(one)
    _add_listen(move)
    move.add_argument(
        "--sender", action="append", default=[], metavar="TITLE",
        help="AE title that the PACS stores with, when it is not its own",
    )  # fmt: skip
    _add_listen(receive)
    add_disk(receive)
    receive.add_argument("--allow", action="append", required=True, metavar="TITLE",
                         help="AE title that may send; may be given again")  # fmt: skip
    runs = {
        echo: run_echo, find: run_find, get: run_get, move: run_move, receive: run_receive,
        web_find: run_web_find, web_get: run_web_get,
    }  # fmt: skip
    for one, run in runs.items():
        one.add_argument("--json", action="store_true", help="JSON on standard output")
        one.set_defaults(run=run)


def _add_listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen", type=address, default=("127.0.0.1", 11112), metavar="HOST:PORT",
        help="where our receiver listens (default 127.0.0.1:11112)",
    )  # fmt: skip


def _add_web(parser: argparse.ArgumentParser) -> None:
    from pathlib import Path

    parser.add_argument("url", metavar="URL", help="e.g. https://pacs.example/dicom-web")
    parser.add_argument("--auth", type=Path, metavar="FILE", help="user:password, or a token; 0600")
    parser.add_argument("--ca", type=Path, metavar="PEM", help="authority that we trust")
    add_timeout(parser)


def run_echo(args: argparse.Namespace) -> int:
    """Say whether the PACS answers."""
    from rig.dicom.pacs.association import echo
    from rig.dicom.pacs.extras import quiet
    from rig.dicom.pacs.model import parse_peer

    peer, caller = parse_peer(args.peer), caller_of(args)
    with quiet():
        echo(peer, caller)
    print(json.dumps({"peer": str(peer), "ok": True}) if args.json else f"{peer} answers.")
    return 0


def run_find(args: argparse.Namespace) -> int:
    """List series."""
    from rig.dicom.pacs.extras import quiet
    from rig.dicom.pacs.find import finder
    from rig.dicom.pacs.model import parse_peer

    peer, caller, wanted = parse_peer(args.peer), caller_of(args), wanted_of(args)
    with quiet(), finder(peer, caller) as asker, progress("studies") as told:
        found = list(asker.series(wanted, told))
    return _show(found, as_json=args.json)


def run_web_find(args: argparse.Namespace) -> int:
    """List series, over HTTP."""
    from rig.dicom.pacs.extras import quiet

    wanted = wanted_of(args)
    with quiet(), closing(_web(args)) as source, progress("studies") as told:
        found = list(source.series(wanted, told))
    return _show(found, as_json=args.json)


def run_get(args: argparse.Namespace) -> int:
    """Pull by C-GET."""
    import time

    from rig.dicom.pacs.get import GetSource
    from rig.dicom.pacs.model import parse_peer
    from rig.dicom.pacs.pace import Pace

    pace = Pace(args.per_second, time.monotonic, time.sleep)
    most = limits_of(args).instance
    return _pull(args, GetSource(parse_peer(args.peer), caller_of(args), pace, most=most))


def run_move(args: argparse.Namespace) -> int:
    """Pull by C-MOVE."""
    import time

    from rig.dicom.pacs.model import check_title, parse_peer
    from rig.dicom.pacs.move import MoveSource
    from rig.dicom.pacs.pace import Pace

    source = MoveSource(
        parse_peer(args.peer),
        caller_of(args),
        Pace(args.per_second, time.monotonic, time.sleep),
        most=limits_of(args).instance,
        listen=args.listen,
        senders=[check_title(one) for one in args.sender],
        tls=tls_of(args, server=True),
    )
    return _pull(args, source)


def run_web_get(args: argparse.Namespace) -> int:
    """Pull by WADO-RS."""
    return _pull(args, _web(args))


def run_receive(args: argparse.Namespace) -> int:
    """Take what is sent, until Ctrl-C."""
    from rig.commands.pacs_receive import receive

    return receive(args)


def _web(args: argparse.Namespace) -> WebSource:
    import ssl
    import time

    from rig.dicom.pacs.http import Web, authorization
    from rig.dicom.pacs.pace import Pace
    from rig.dicom.pacs.quarantine import Limits
    from rig.dicom.pacs.web import WebSource

    try:
        trusted = None if args.ca is None else ssl.create_default_context(cafile=args.ca)
    except OSError as error:
        raise UserError(f"{args.ca} cannot be used: {error}.") from error
    web = Web(args.url, timeout=args.timeout, auth=authorization(args.auth), tls=trusted)
    pace = Pace(getattr(args, "per_second", 0.0), time.monotonic, time.sleep)
    return WebSource(web, pace, most=Limits().instance)


def _pull(args: argparse.Namespace, source: Source) -> int:
    import random
    import time

    from rig.dicom.pacs.extras import quiet
    from rig.dicom.pacs.pull import Patience, pull
    from rig.dicom.pacs.quarantine import FILES, Quarantine

    wanted = wanted_of(args)
    patience = Patience(args.tries, args.batch, time.sleep, random.Random(), _say_retry)  # noqa: S311 - jitter
    with ExitStack() as stack:
        stack.enter_context(quiet())
        stack.enter_context(closing(source))
        quarantine = stack.enter_context(Quarantine(args.to, limits_of(args)))
        # One bar: a terminal shows only one at a time. It counts studies first, then images.
        bar = stack.enter_context(progress("pull"))
        told = pull(source, quarantine, wanted, patience, finding=bar, progress=bar)
    files = args.to / FILES
    if args.json:
        print(json.dumps({**_pulled_json(told), "files": str(files)}))
    else:
        print(_pulled_text(told, str(files)))
    return 0 if told.whole else 1


def _say_retry(why: str, seconds: float) -> None:
    print(f"{why} Trying again in {seconds:.0f} s.", file=sys.stderr)


def _pulled_json(told: Pulled) -> dict[str, Any]:
    return {
        "asked": told.asked,
        "before": told.before,
        "got": told.got,
        "failed": dict(told.failed),
        "earlier": told.earlier,
        "bytes": told.bytes,
        "retries": told.retries,
        "stopped": told.stopped,
    }


def _pulled_text(told: Pulled, files: str) -> str:
    came = f"{told.got} came now ({told.bytes / 1e6:,.1f} MB), {told.before} were here already"
    lines = [f"{told.asked} images pass the filter: {came}, in {files}."]
    lines += [f"{number} did not come: {why}" for why, number in sorted(told.failed.items())]
    if told.earlier:
        lines.append(f"{told.earlier} more, of earlier filters, never came.")
    if told.stopped:
        lines.append(f"Stopped: {told.stopped} What is here stays; run the same command again.")
    return "\n".join(lines)


def _show(found: list[Series], *, as_json: bool) -> int:
    if as_json:
        rows = [{name: getattr(one, name) for name in one.__slots__} for one in found]
        print(json.dumps({"series": rows}))
        return 0
    for one in found:
        images = "?" if one.images is None else one.images
        words = (one.date or "no date", one.modality, one.body_part or "-", f"{images} images")
        print(plain("  ".join((*words, one.description or "-", one.study))))
    studies = len({one.study for one in found})
    print(f"{len(found)} series of {studies} studies", file=sys.stderr)
    return 0
