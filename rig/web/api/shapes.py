"""What the API answers about sessions, captures and photos, field by field.

A field that is not named here may be added by a newer version; none of these goes away or changes
its meaning.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]
Nanoseconds = Annotated[int, Field(description="Unix time, nanoseconds")]


class Open(BaseModel):
    """Further fields may come."""

    model_config = ConfigDict(extra="allow")


class _Session(Open):
    id: str
    campaign: Annotated[str, Field(description="id of the campaign")]
    subset: int
    station: str
    first: int
    last: int
    total: int
    state: str
    requested: Annotated[str | None, Field(description="asked for and not confirmed yet")]
    requested_ns: int | None
    refused: Annotated[str | None, Field(description="why the last request failed")]
    created_ns: Nanoseconds
    updated_ns: Nanoseconds
    started_ns: int | None
    ended_ns: int | None
    source_seq: Annotated[int, Field(description="events of its station that are kept")]
    committed: int
    retakes: int
    photos: int
    verified: int
    rejected: int
    painted_index: int | None
    last_index: int | None
    rtt_ms: float | None
    link: str | None
    phone: Json | None
    paused: Json | None
    abort: Json | None
    chain: str | None
    legacy: bool
    claimed: int
    app: Json | None
    run: int
    reshoots: str | None
    finish: Json | None
    kind: str
    parent: str | None
    alignment: Json | None


class SessionRow(_Session):
    """A session as the rig has confirmed it; docs/sessions.md explains states and requests."""

    asked: Annotated[Json | None, Field(description="of what is requested: by whom, code, why")]


class EnvironmentShown(BaseModel):
    """A named combination of factor levels."""

    name: str
    levels: dict[str, str]


class Arrived(Open):
    """How complete the photos of a session are."""

    count: int
    missing: int
    complete: bool


class SessionView(_Session):
    """Everything about one session, with what may be asked for now and what a person does next.

    *seq* is the newest event's number: a stream that begins `after` it misses nothing.
    """

    seq: int
    asked: Annotated[str | None, Field(description="what is requested, in words")]
    asked_by: Annotated[Json | None, Field(description="by whom, code, why")]
    campaign_name: str
    catalog: str
    device: str
    environment: EnvironmentShown
    words: str
    next_step: str
    may: Annotated[list[str], Field(description="requests that make sense now")]
    interval_s: float | None
    eta_s: float | None
    station_view: Json
    batch: Arrived | None
    shown: Json | None
    notes: list[Json]
    conditions: Json
    alignment_view: Json
    queue: Json | None
    devices: Json | None
    rejects: list[Json]
    reshoot_sessions: list[Json]


class MadeSessions(BaseModel):
    """The sessions that were made, in the order in which they are to be started."""

    sessions: list[SessionRow]


class MadeReshoot(MadeSessions):
    """The same; *id* is the first one's."""

    id: str


class CaptureView(BaseModel):
    """A committed capture: the exposure of an index that counts.

    *sha256*, *size* and *name* are of its photo, as the phone told them.
    """

    session: str
    index: int
    attempt: int
    sha256: str | None
    size: int | None
    name: str | None
    t_trigger_ns: int | None
    t_done_ns: int | None
    w: int | None
    h: int | None
    rtt_ms: float | None
    source_sha256: Annotated[str | None, Field(description="of the x-ray that was painted")]
    retakes: int
    time_ns: Nanoseconds


class AlignmentView(Open):
    """Whether the session may start as far as its alignment goes, and what was measured."""

    session: str
    good: bool
    why: str
    verdict: str | None
    rejected: bool
    since_ns: int | None
    shot_for: str | None
    asked: Json | None
    shot: Json | None
    result: Json | None
    picture_url: str | None
    waived: Json | None
    may: dict[str, bool]
    history: list[Json]


class LightView(BaseModel):
    """What a light sensor saw last."""

    sensor: str
    lux: float
    at_ns: int


class ConditionsView(Open):
    """The checklist of a session: every level, wanted and known, and what blocks the start."""

    session: str
    factors: list[Json]
    blockers: list[str]
    ready: bool
    unchanged: list[str]
    devices: bool
    open: bool
    may_apply: bool
    first: bool
    light: list[LightView]


class EvidenceView(BaseModel):
    """A picture that was kept."""

    sha256: str
    url: str


class HandView(Open):
    """A photo taken by hand, and what it is taken for."""

    name: str
    device: str
    sha256: str
    taken_ns: int | None
    standing: str
    index: int | None
    key: str | None
    reason: str
    evidence: list[str]
    showing: int | None
    score: float | None
    candidates: list[Json]
    by: str | None
    decided_ns: int | None


class StationView(Open):
    """A station and what is known about its display agent right now."""

    name: str
    connected: bool
    heard_age_ms: int | None
