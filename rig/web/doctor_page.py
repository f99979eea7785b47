"""The page of settings: this browser, and what `rig doctor` finds on the controller's machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from rig import __version__
from rig.web.deps import Rig, operator
from rig.web.render import page

router = APIRouter(include_in_schema=False, dependencies=operator)

_ORDER: Final = ("bad", "warn", "ok")
_WORDS: Final = {"bad": "mend this", "warn": "look", "ok": "good"}


@router.get("/settings")
async def settings_page(rig: Rig) -> Response:
    """Switches of this browser; the findings are fetched when the page is there."""
    return page(
        "settings.html", home=str(rig.home), version=__version__, at=_address(rig.listening)
    )


@router.get("/settings/doctor")
async def doctor_part(rig: Rig) -> Response:
    """The findings, worst first: a part of the page, made anew each time it is asked for."""
    if rig.examine is None:
        return page("doctor.html", findings=None, grades=_WORDS, worst="ok", counts={})
    found = await asyncio.to_thread(rig.examine)
    return page("doctor.html", **doctor_view(found, rig.clock_ns()), grades=_WORDS)


def doctor_view(found: Sequence[Mapping[str, str]], now_ns: int) -> dict[str, Any]:
    """The findings in the order in which they matter."""
    ordered = sorted(found, key=lambda one: _ORDER.index(one["status"]))
    counts = {status: sum(one["status"] == status for one in found) for status in _ORDER}
    worst = next((status for status in _ORDER if counts[status]), "ok")
    return {
        "findings": [one | {"detail": _sentence(one["detail"])} for one in map(dict, ordered)],
        "counts": counts,
        "worst": worst,
        "time_ns": now_ns,
    }


def _sentence(text: str) -> str:
    """With a capital; findings are written to stand behind a colon."""
    return text[:1].upper() + text[1:]


def _address(listening: tuple[str, int]) -> str:
    host, port = listening
    return f"{host}:{port}"
