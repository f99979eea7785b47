"""What the home page shows: what needs a person now, campaigns, stations, sessions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from rig.capture import campaigns, dealing, sessions, stations, subsets
from rig.capture.campaigns import Campaign
from rig.capture.sessions import Session
from rig.capture.states import ENDED, State
from rig.capture.stations import Hub
from rig.planning.model import Subset
from rig.protocol.legacy import WEAKER_DISPLAY
from rig.store import catalogs
from rig.web import jobs
from rig.web.jobs import JobState
from rig.web.view import next_step, words


@dataclass(frozen=True, slots=True)
class Need:
    """Something for a person to do; *grave* ones come first."""

    text: str
    link: str | None = None
    grave: bool = False


_LEFT = frozenset({"planned", State.STOPPED})
_WAITING = (
    State.ABORTED, State.PAUSED, State.INTERRUPTED, State.CREATED, State.ENVIRONMENT,
    State.ALIGNMENT,
)  # fmt: skip


def home_view(connection: Connection, hub: Hub) -> dict[str, Any]:
    """Everything on the home page."""
    every = sessions.every(connection)
    known = campaigns.every(connection)
    names = {one.id: one.name for one in known}
    shown: list[dict[str, Any]] = [
        {"session": one, "words": words(one), "campaign": names[one.campaign]} for one in every
    ]
    posts = [hub.view(name) for name in stations.names(connection)]
    return {
        "needs": _needs(connection, hub, every, known),
        "campaigns": [_progress(connection, one, every) for one in known],
        "stations": posts,
        "open": [one for one in shown if one["session"].state not in ENDED],
        "done": [one for one in shown if one["session"].state in ENDED][:20],
        "jobs": jobs.latest(connection, 5),
        "legacy": _legacy(every, posts),
    }


def _legacy(every: list[Session], posts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the home page says of legacy mode; None when nothing is shot or waits in it."""
    stations_ = [one["name"] for one in posts if one.get("legacy")]
    sessions_ = [one for one in every if one.legacy and one.verified < one.total]
    if not stations_ and not sessions_:
        return None
    return {"weaker": list(WEAKER_DISPLAY), "stations": stations_, "sessions": sessions_[:20]}


def _needs(
    connection: Connection, hub: Hub, every: list[Session], known: list[Campaign]
) -> list[Need]:
    if not catalogs.every(connection):
        return [Need("Import the x-rays: rig catalog import NAME --csv CSV --data-dir DIR")]
    if not known:
        return [Need("Plan a campaign: rig campaign create NAME --catalog C --device DEVICE")]
    if not stations.names(connection):
        return [Need("Add a station (a monitor and its phone): rig station add NAME")]
    needs = [_need(one, hub) for one in every if _waits(one, hub)]
    for job in jobs.latest(connection, 5):
        if job.state in {JobState.FAILED, JobState.INTERRUPTED}:
            link = f"/sessions/{job.session}" if job.session else None
            needs.append(Need(f"{job.kind.capitalize()} {job.state}: {job.error or ''}", link))
    return sorted(needs, key=lambda need: not need.grave)


def _waits(session: Session, hub: Hub) -> bool:
    if session.state in ENDED:
        if session.legacy:
            return session.verified < session.total
        return session.rejected > 0 or session.photos < session.committed
    away = hub.get(session.station) is None
    return session.state in _WAITING or session.refused is not None or away


def _need(session: Session, hub: Hub) -> Need:
    connected = hub.get(session.station) is not None
    text = f"{session.station}, {session.first} to {session.last}: {words(session)}. "
    link = f"/sessions/{session.id}"
    return Need(
        text + next_step(session, connected=connected), link, session.state is State.ABORTED
    )


def _progress(connection: Connection, campaign: Campaign, every: list[Session]) -> dict[str, Any]:
    states = subsets.subset_states(connection, campaign)
    of: defaultdict[int, list[Session]] = defaultdict(list)
    for session in every:
        if session.campaign == campaign.id and session.reshoots is None:
            of[session.subset].append(session)
    kept = {one.id: _kept(of[one.id], one) for one in campaign.subsets}
    dealt = dealing.stations_of(campaign)
    rows: list[dict[str, Any]] = [
        {
            "subset": one, "state": states[one.id], "kept": kept[one.id],
            "station": dealt.get(one.id),
        }
        for one in campaign.subsets
    ]  # fmt: skip
    return {
        "campaign": campaign,
        "rows": rows,
        "completed": sum(row["state"] == State.COMPLETED for row in rows),
        "kept": sum(kept.values()),
        "next": next((row["subset"].id for row in rows if row["state"] in _LEFT), None),
    }


def _kept(of: list[Session], subset: Subset) -> int:
    """Captures of a subset: what its stopped sessions have, and the furthest of the others."""
    stopped = sum(one.committed for one in of if one.state is State.STOPPED)
    others = (one.committed for one in of if one.state is not State.STOPPED)
    return min(stopped + max(others, default=0), subset.last - subset.first + 1)


def campaign_view(connection: Connection, name: str) -> dict[str, Any]:
    """Everything on a campaign's page.

    Raises:
        NotFoundError: no such campaign.
    """
    campaign = campaigns.find(connection, name)
    runs: defaultdict[int, list[Session]] = defaultdict(list)
    every = sessions.every(connection, campaign_id=campaign.id)
    for one in every:
        runs[one.subset].append(one)
    return {**_progress(connection, campaign, every), "runs": runs}
