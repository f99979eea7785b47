"""What the station says when the controller asks how screen and phone are, right before photos.

Nothing is remembered for an answer: the screen is looked at anew, and of the phone only what came
after the question counts as an answer. Nothing is painted, so the question is harmless at any time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from display_agent.legacy_session import LegacySession
from display_agent.screens.checks import as_json
from display_agent.session import Session
from display_agent.station import Station
from rig.errors import UserError

Json = dict[str, Any]
PATIENCE_S = 4.0
"""Seconds for the phone's next word; an armed phone answers a PING every second."""
LOOK_S = 0.05


async def report(station: Station, session: str, *, patience_s: float = PATIENCE_S) -> Json:
    """How screen and phone are now.

    Args:
        station: open.
        session: the id that the question is about.
        patience_s: how long the phone is waited for.

    Returns:
        `screen`: backend, size and findings, or `error`, a sentence. `phone`: `link`, one of
        `none` (no session of that id is under way: nobody talks to a phone), `legacy` (the
        original app answers nothing but photos), `never`, `silent` and `answered`; `heard_ms`,
        milliseconds since it was heard last; `rtt_ms`.
    """
    screen, phone = await asyncio.gather(
        _screen(station), _phone(station.session, session, patience_s)
    )
    return {"screen": screen, "phone": phone}


async def _screen(station: Station) -> Json:
    try:
        return as_json(station.screen, await station.screen.look())
    except UserError as error:
        return {"error": str(error)}


async def _phone(present: Session | LegacySession | None, session: str, patience_s: float) -> Json:
    if present is None or present.plan.session != session or not present.started or present.over:
        return {"link": "none", "heard_ms": None, "rtt_ms": None}
    if isinstance(present, LegacySession):
        return {"link": "legacy", "heard_ms": None, "rtt_ms": None}
    core, asked = present.core, present.shell.now
    while True:
        heard, now = core.link_age_since, present.shell.now
        if (heard is not None and heard > asked) or now - asked >= patience_s:
            break
        await asyncio.sleep(LOOK_S)
    trip = core.round_trip
    if heard is None:
        return {"link": "never", "heard_ms": None, "rtt_ms": None}
    return {
        "link": "answered" if heard > asked else "silent",
        "heard_ms": round((present.shell.now - heard) * 1000),
        "rtt_ms": None if trip is None else round(trip * 1000, 3),
    }
