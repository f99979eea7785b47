"""One plan without a controller: `display-agent run PLAN.json`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from display_agent.images import LocalImages
from display_agent.pairing import new_key, pairing_url
from display_agent.plans import read_plan
from display_agent.session import Session
from display_agent.station import Station
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError

Report = Callable[[dict[str, Any]], None]
STATUS = {"completed": 0, "paused": 1, "aborted": 3}
"""Exit status by the event that ends a run."""


class Running(Protocol):
    """A session under way."""

    finished: asyncio.Event
    fault: BaseException | None


async def run_plan(
    args: argparse.Namespace,
    make_station: Callable[[argparse.Namespace, Path, Any], Station],
    report: Report,
    stop: asyncio.Event,
) -> int:
    """Shoot the plan of *args*; returns the exit status."""
    plan = read_plan(args.plan)
    if args.settle_ms is not None:
        plan = replace(plan, settle_ms=args.settle_ms)
    folder = args.journal or args.plan.with_name(args.plan.stem + ".journal")
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def told(event: dict[str, Any]) -> None:
        report(event)
        if event["event"] in STATUS and not ended.done():
            ended.set_result(event["event"])

    if args.new_pairing:
        new_key(folder)
    station = make_station(args, folder, LocalImages(plan))
    try:
        await station.open()
        report({
            "event": "listening", "udp": list(station.udp), "frames": station.frames_url,
            "screen": station.screen_report,
        })  # fmt: skip
        url = pairing_url(station.psk, station.hosts, campaign=plan.campaign_id)
        write_atomic(args.pairing, url.encode() + b"\n", mode=PRIVATE)
        session = await station.load(plan, folder, told)
        return await _watch(session, args.rearm, ended, stop, told)
    finally:
        await station.close()


async def _watch(
    session: Session,
    rearm: str | None,
    ended: asyncio.Future[str],
    stop: asyncio.Event,
    told: Report,
) -> int:
    latch = session.core.ledger.latch
    session.start()
    if rearm is not None:
        session.operator("rearm", rearm)
    elif latch is not None and not ended.done():
        told({
            "event": "aborted", "session": session.plan.session, "abort_id": latch.abort_id.hex(),
            "why": latch.why, "expected": latch.expected, "got": latch.got, "by": latch.by,
        })  # fmt: skip
    elif session.core.ledger.complete and not ended.done():
        chain = session.core.ledger.chain.hex()
        told({
            "event": "completed", "session": session.plan.session,
            "count": len(session.plan.items), "chain": chain,
        })  # fmt: skip
    return await until_end(session, ended, stop)


async def until_end(session: Running, ended: asyncio.Future[str], stop: asyncio.Event) -> int:
    """Wait for what ends the run; returns the exit status, 130 when *stop* came first.

    Raises:
        UserError: the journal cannot be written.
    """
    stopping = asyncio.create_task(stop.wait(), name="stop")
    finishing = asyncio.create_task(session.finished.wait(), name="finished")
    try:
        waits: set[asyncio.Future[Any]] = {stopping, finishing, ended}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        finishing.cancel()
        await asyncio.gather(stopping, finishing, return_exceptions=True)
    if session.fault is not None:
        raise UserError(
            f"the journal cannot be written: {session.fault}; free some disk and run again"
        )
    return STATUS[ended.result()] if ended.done() else 130
