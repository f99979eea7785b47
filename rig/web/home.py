"""What the home page shows: what needs a person now, stations, campaigns, the newest sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, func, literal, select, tuple_

from rig.capture import campaigns, dealing, sessions, stations
from rig.capture.campaigns import Campaign
from rig.capture.sessions import Session
from rig.capture.states import BEFORE, ENDED, State
from rig.capture.stations import Hub
from rig.protocol.legacy import WEAKER_DISPLAY
from rig.store import tables
from rig.web import jobs, listing
from rig.web.controller import Controller
from rig.web.jobs import Job, JobState
from rig.web.progress import ProgressBook, Reached
from rig.web.sentences import many
from rig.web.view import next_step, words

CAMPAIGNS = 8
"""Campaigns on the home page, the newest ones."""
SESSIONS = 15
"""Ended sessions on the home page."""
LOOKED = 100
"""Newest sessions that are looked at for photos that are missing or rejected."""


RUNS = 500
"""Newest sessions on a campaign's page."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something for a person to do; *grave* ones come first."""

    text: str
    link: str | None = None
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step from an empty rig to the first photo."""

    text: str
    link: str
    done: bool
    why: str = ""


_WAITING = (
    State.ABORTED, State.PAUSED, State.INTERRUPTED, State.CREATED, State.ENVIRONMENT,
    State.ALIGNMENT,
)  # fmt: skip


def home_view(connection: Connection, rig: Controller) -> dict[str, Any]:
    """Everything on the home page."""
    hub = rig.hub
    open_ = listing.open_ones(connection)
    recent = listing.newest(connection, limit=LOOKED)
    ended = [row for row in recent.rows if row["session"].state in ENDED]
    known = newest_campaigns(connection, CAMPAIGNS)
    progress = [progress_view(connection, one, rig.progress) for one in known]
    posts = [_post(connection, rig, name, open_, progress) for name in stations.names(connection)]
    looked = [*open_, *(row["session"] for row in ended)]
    return {
        "steps": _steps(connection, rig, posts),
        "needs": _needs(connection, hub, looked),
        "campaigns": progress,
        "stations": posts,
        "open": listing.named(connection, open_),
        "done": ended[:SESSIONS],
        "more": len(recent.rows) > SESSIONS,
        "jobs": _under_way(jobs.latest(connection, 20)),
        "legacy": _legacy(looked, posts),
    }


def newest_campaigns(
    connection: Connection, limit: int, *, before: tuple[int, str] | None = None
) -> list[Campaign]:
    """The newest campaigns, newest first; those planned before *before* (when, name)."""
    table = tables.campaign
    place = tuple_(table.c.created_ns, table.c.name)
    ids = select(table.c.id).order_by(table.c.created_ns.desc(), table.c.name.desc()).limit(limit)
    if before is not None:
        ids = ids.where(place < tuple_(literal(before[0]), literal(before[1])))
    return [campaigns.find(connection, one) for one in connection.scalars(ids)]


def progress_view(connection: Connection, campaign: Campaign, book: ProgressBook) -> dict[str, Any]:
    """A campaign's subsets with their states, and how many x-rays are kept."""
    reached = book.of(connection, campaign)
    dealt = dealing.stations_of(campaign)
    rows: list[dict[str, Any]] = [
        {
            "subset": one, "state": reached[one.id].state, "kept": reached[one.id].kept,
            "station": dealt.get(one.id),
        }
        for one in campaign.subsets
    ]  # fmt: skip
    return {
        "campaign": campaign,
        "rows": rows,
        "completed": sum(row["state"] == State.COMPLETED for row in rows),
        "kept": sum(row["kept"] for row in rows),
        "next": next((row["subset"].id for row in rows if row["state"] in dealing.LEFT), None),
    }


def next_for(
    connection: Connection, campaign: Campaign, reached: dict[int, Reached], station: str
) -> int | None:
    """Number of the subset that *station* best shoots next."""
    states = {subset: one.state for subset, one in reached.items()}
    found = dealing.next_for(connection, campaign, states, station)
    return None if found is None else found.id


def _post(
    connection: Connection,
    rig: Controller,
    name: str,
    open_: list[Session],
    progress: list[dict[str, Any]],
) -> dict[str, Any]:
    """A station: its screen, its phone, what it does and what it best does next."""
    busy = next((one for one in open_ if one.station == name and one.state not in BEFORE), None)
    mine = busy or next((one for one in open_ if one.station == name), None)
    following = None
    for one in progress if mine is None else ():
        reached = rig.progress.of(connection, one["campaign"])
        if (subset := next_for(connection, one["campaign"], reached, name)) is not None:
            env = campaigns.subset_of(one["campaign"], subset).environment
            following = {"campaign": one["campaign"].name, "subset": subset, "environment": env}
            break
    return {
        **rig.hub.view(name),
        "phone": rig.phones.view(name),
        "session": mine,
        "words": None if mine is None else words(mine),
        "following": following,
    }


def _steps(connection: Connection, rig: Controller, posts: list[dict[str, Any]]) -> list[Step]:
    """The way to the first session; empty once there is one."""
    if connection.scalar(select(tables.session.c.id).limit(1)) is not None:
        return []
    catalog = connection.scalar(select(func.count()).select_from(tables.catalog)) or 0
    campaign = connection.scalar(
        select(tables.campaign.c.name).order_by(tables.campaign.c.created_ns.desc()).limit(1)
    )
    station = posts[0]["name"] if posts else None
    here = any(one["connected"] for one in posts)
    paired = any(one["phone"] or rig.phones.paired(one["name"]) for one in posts)
    at = "/stations" if station is None else f"/stations/{quote(station)}"
    return [
        Step("Import the x-rays", "/catalogs", catalog > 0, "a CSV and its images, or DICOM files"),
        Step(
            "Plan a campaign", "/campaigns/new", campaign is not None,
            "which environments, how many x-rays in each",
        ),
        Step("Add a station", "/stations", bool(posts), "a monitor and its phone"),
        Step("Connect its display", at, here, "one command on the monitor's computer"),
        Step(
            "Pair its phone", at + ("/pair" if station else ""), paired,
            "scan a code with the phone",
        ),
        Step(
            "Create the first session",
            "/campaigns" if campaign is None else f"/campaigns/{quote(campaign)}",
            False, "a subset of the plan on that station",
        ),
    ]  # fmt: skip


def _legacy(looked: list[Session], posts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the home page says of legacy mode; None when nothing is shot or waits in it."""
    stations_ = [one["name"] for one in posts if one.get("legacy")]
    sessions_ = [one for one in looked if one.legacy and one.verified < one.total]
    if not stations_ and not sessions_:
        return None
    return {"weaker": list(WEAKER_DISPLAY), "stations": stations_, "sessions": sessions_[:20]}


def _needs(connection: Connection, hub: Hub, looked: list[Session]) -> list[Need]:
    needs = [_need(one, hub) for one in looked if _waits(one, hub)]
    needs += [Need(_told(job), _of(job)) for job in jobs.still_failed(jobs.latest(connection, 20))]
    return sorted(needs, key=lambda need: not need.grave)


def _under_way(newest: list[Job]) -> list[Job]:
    """Jobs that run, and those that need somebody."""
    failed = jobs.still_failed(newest)
    return [one for one in newest if one.state is JobState.RUNNING or one in failed]


def _told(job: Job) -> str:
    count = (job.result or {}).get("problem_count")
    why = f"{many(count, 'row')} cannot be used." if count else job.error or ""
    return f"{job.kind.capitalize()} {job.state}: {why}"


def _of(job: Job) -> str:
    if job.kind == "import":
        return f"/catalogs/imports/{job.id}"
    return f"/sessions/{job.session}" if job.session else "/jobs"


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


def campaign_view(connection: Connection, name: str, rig: Controller) -> dict[str, Any]:
    """Everything on a campaign's page but its balance.

    Raises:
        NotFoundError: no such campaign.
    """
    campaign = campaigns.find(connection, name)
    view = progress_view(connection, campaign, rig.progress)
    reached = rig.progress.of(connection, campaign)
    known = stations.names(connection)
    planned = campaign.scheme.stations if campaign.scheme else ()
    table = tables.session
    runs: dict[int, list[Session]] = {}
    query = select(table.c.id).where(table.c.campaign == campaign.id, table.c.kind == tables.SUBSET)
    newest = query.order_by(table.c.created_ns.desc()).limit(RUNS)
    for one in sessions.some(connection, list(connection.scalars(newest))):
        runs.setdefault(one.subset, []).append(one)
    return {
        **view,
        "runs": runs,
        "environments": list(dict.fromkeys(row["subset"].environment for row in view["rows"])),
        "known": known,
        "next_of": {
            station: next_for(connection, campaign, reached, station)
            for station in dict.fromkeys((*planned, *known))
        },
    }
