"""What a display agent may say about a session, checked at the edge."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SessionId = Annotated[str, Field(pattern=r"^s[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Words = Annotated[str, Field(max_length=2000)]


class BadEventError(ValueError):
    """The message is no event of a display agent; the sentence says why."""


class AgentEvent(BaseModel):
    """The envelope of every event; the remaining fields are its body."""

    model_config = ConfigDict(extra="allow", frozen=True)

    event: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
    session: SessionId
    seq: Annotated[int, Field(ge=1, lt=2**63)]
    time_ns: Count
    index: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    attempt: Annotated[int, Field(ge=0, lt=2**16)] | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The fields that are not of the envelope."""
        return dict(self.__pydantic_extra__ or {})


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Indexed(_Body):
    index: Count
    attempt: Annotated[int, Field(ge=1, lt=2**16)]


class _Committed(_Indexed):
    sha256: Hex64
    size: Annotated[int, Field(ge=1, lt=2**63)]
    name: Annotated[str, Field(min_length=1, max_length=255)]
    t_trigger_ns: Count | None = None
    t_done_ns: Count | None = None
    w: Count | None = None
    h: Count | None = None
    rtt_ms: float | None = None
    source_sha256: Hex64 | None = None


class _Guarantees(_Body):
    """Legacy mode: the first event of every life of such a session."""

    weaker: Annotated[list[Words], Field(max_length=20)]
    start_number: Count | None = None
    app: Annotated[str, Field(max_length=100)] | None = None


class _Answered(_Indexed):
    """Legacy mode: the app claims a photo; nothing is proved."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    earlier: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=1000)] = []
    by: Annotated[str, Field(pattern="^(phone|operator)$")] = "phone"
    suspect: Words | None = None
    rtt_ms: float | None = None


class _Retake(_Indexed):
    why: Words


class _Connected(_Body):
    free_bytes: Count | None = None
    battery_pct: float | None = None


class _Why(_Body):
    why: Words = ""


class _Paused(_Why):
    doubt: Count | None = None


class _Aborted(_Why):
    abort_id: Annotated[str, Field(min_length=1, max_length=64)]


class _Completed(_Body):
    count: Count
    chain: Annotated[str, Field(max_length=128)]


_BODIES: dict[str, type[_Body]] = {
    "connected": _Connected,
    "committed": _Committed,
    "retake": _Retake,
    "painted": _Indexed,
    "paused": _Paused,
    "guarantees": _Guarantees,
    "answered": _Answered,
    "aborted": _Aborted,
    "completed": _Completed,
    "stopped": _Completed,
}


def parse_event(message: dict[str, Any]) -> AgentEvent:
    """Check *message*; unknown kinds pass (they are kept and change nothing).

    Raises:
        BadEventError: a field is missing or wrong.
    """
    try:
        fields = {key: value for key, value in message.items() if key != "type"}
        event = AgentEvent.model_validate(fields)
        if (model := _BODIES.get(event.event)) is not None:
            model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        kind = str(message.get("event"))[:40]
        raise BadEventError(f"event {kind!r}: {where}: {first['msg']}") from error
    return event
