"""One plan through the original Android app: `display-agent run PLAN --legacy-phone IP`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from display_agent.alone import STATUS, Report, until_end
from display_agent.images import LocalImages
from display_agent.legacy_audit import JOURNAL
from display_agent.legacy_session import LegacySettings
from display_agent.plans import read_plan
from display_agent.station import Station
from rig.errors import UserError
from rig.protocol.legacy import REPLY_TIMEOUT, WEAKER_DISPLAY


async def run_legacy(
    args: argparse.Namespace,
    make_station: Callable[[argparse.Namespace, Path, Any], Station],
    report: Report,
    stop: asyncio.Event,
    *,
    reply_s: float = REPLY_TIMEOUT,
) -> int:
    """Shoot the plan of *args* through the original app; returns the exit status.

    Raises:
        UserError: a pairing is wanted anew, and that app knows none; or the plan cannot be shot.
    """
    if args.new_pairing:
        raise UserError("--new-pairing is for a phone agent; the original app cannot be paired")
    plan = read_plan(args.plan)
    if args.settle_ms is not None:
        plan = replace(plan, settle_ms=args.settle_ms)
    folder = args.journal or args.plan.with_name(args.plan.stem + ".legacy")
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def told(event: dict[str, Any]) -> None:
        report(event)
        if event["event"] in STATUS and not ended.done():
            ended.set_result(event["event"])

    station = make_station(args, folder, LocalImages(plan))
    try:
        await station.open()
        settings = LegacySettings(args.legacy_phone, reply_s=reply_s)
        session = await station.load_legacy(plan, folder, told, settings)
        report({
            "event": "listening", "legacy": True, "frames": station.frames_url,
            "udp": list(station.udp), "screen": station.screen_report,
        })  # fmt: skip
        for sentence in WEAKER_DISPLAY:
            sys.stderr.write(f"{sentence}\n")
        sys.stderr.write(
            f"The app's start number must be {session.core.ledger.next_index} now, its port "
            f"{settings.peer[1]}.\n"
        )
        session.start(args.rearm, args.legacy_resolve)
        return await until_end(session, ended, stop)
    finally:
        await station.close()


def xcap_folder(args: argparse.Namespace) -> None:
    """Refuse an XCAP/1 run what only legacy mode knows, and a folder that it has used.

    Raises:
        UserError: --pairing is missing, or an option or folder of legacy mode is given.
    """
    if args.legacy_resolve is not None:
        raise UserError("--legacy-resolve belongs to --legacy-phone")
    if args.pairing is None:
        raise UserError("--pairing FILE is needed: the phone agent is paired by what it holds")
    folder = args.journal or args.plan.with_name(args.plan.stem + ".journal")
    if (folder / JOURNAL).exists():
        raise UserError(f"{folder} holds a legacy run; give --journal another folder")
