"""`rig pacs receive`: a C-STORE SCP in the foreground."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rig.commands.pacs_options import limits_of, tls_of
from rig.plain import plain


def receive(args: argparse.Namespace) -> int:
    """Take what allowed callers send, until Ctrl-C or until the disk is full.

    Prints where it listens, then a line for each association that is turned away.
    """
    from rig.dicom.pacs.extras import quiet
    from rig.dicom.pacs.model import check_title
    from rig.dicom.pacs.pace import Pace
    from rig.dicom.pacs.quarantine import FILES, Quarantine
    from rig.dicom.pacs.receiver import Receiver
    from rig.dicom.pacs.storing import Storing

    allowed = [check_title(one) for one in args.allow]
    limits = limits_of(args)
    full = threading.Event()
    with quiet(), Quarantine(args.to, limits) as quarantine:
        before, start = quarantine.size, len(quarantine.got)

        def keep(sop: str, data: bytes) -> None:
            quarantine.keep(sop, data)

        storing = Storing(
            keep, Pace(0, time.monotonic, time.sleep), most=limits.instance, on_trouble=full.set
        )
        title, tls = check_title(args.title), tls_of(args, server=True)
        with Receiver(
            title, args.listen, allowed, storing, tls=tls, on_refusal=_say_refusal
        ) as receiver:
            _say_listening(title, args.listen[0], receiver.port, as_json=args.json)
            with suppress(KeyboardInterrupt):
                full.wait()
        got = len(quarantine.got) - start
        told = {
            "got": got,
            "bytes": quarantine.size - before,
            "refused": storing.refused,
            "turned_away": receiver.turned_away,
            "stopped": str(storing.trouble) if storing.trouble else None,
            "files": str(Path(args.to) / FILES),
        }
    print(json.dumps(told) if args.json else _text(told))
    return 1 if storing.trouble else 0


def _say_listening(title: str, host: str, port: int, *, as_json: bool) -> None:
    told = {"listening": f"{host}:{port}", "title": title}
    words = f"{title} listens at {host}:{port}; Ctrl-C ends it."
    print(json.dumps(told) if as_json else words, flush=True)


def _say_refusal(title: str) -> None:
    print(f"turned away: AE title {plain(title)!r} may not send", file=sys.stderr, flush=True)


def _text(told: Mapping[str, object]) -> str:
    lines = [f"{told['got']} images came, in {told['files']}."]
    if told["refused"]:
        lines.append(f"{told['refused']} were refused: they were not what they said.")
    if told["stopped"]:
        lines.append(f"Stopped: {told['stopped']}")
    return "\n".join(lines)
