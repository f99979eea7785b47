"""The immutable plan of one subset, as data: what a display agent needs to run it alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from rig.errors import UserError
from rig.planning.edge import sentence
from rig.planning.model import Environment, PlanningError

FORMAT = "xcap-plan/1"
MAX_ITEMS = 100_000


class PlanError(UserError):
    """Data that is not a sound plan; the sentence says which key or index."""


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One x-ray of a plan.

    Attributes:
        index: its index in the catalog, from 1.
        key: `patient/study/view`.
        sha256: hex digest of the image file.
        width: pixels.
        height: pixels.
        file: absolute path on the controller's disk; None when the plan goes to another machine.
    """

    index: int
    key: str
    sha256: str
    width: int
    height: int
    file: str | None


@dataclass(frozen=True, slots=True)
class SubsetPlan:
    """Everything that is fixed about one session.

    Attributes:
        session: `s` and 16 hex digits.
        campaign: its name.
        campaign_id: 16 hex digits.
        subset: id, from 1.
        first: first index.
        last: last index, included.
        device: phone, e.g. `nokia`.
        environment: name and levels.
        items: one per index, first..last in order.
        settle_ms: wait between paint and photo, milliseconds, 0 to 60,000.
        set_by: factors that the display could draw and must not, because a person (`operator`) or
            the named device sets them: factor -> who. The display draws all others that it can.
    """

    session: str
    campaign: str
    campaign_id: str
    subset: int
    first: int
    last: int
    device: str
    environment: Environment
    items: tuple[PlanItem, ...]
    settle_ms: int = 150
    set_by: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def manifest_sha256(self) -> str:
        """Hex digest of which x-ray stands at which index of which subset in which environment.

        SHA-256 over canonical JSON (keys sorted, no spaces, ASCII) of campaign_id, subset, first,
        last, environment name and levels, and [index, key, sha256] of every item. Who sets a level
        is not part of it: the photos are meant to be the same.
        """
        manifest = {
            "campaign_id": self.campaign_id,
            "subset": self.subset,
            "first": self.first,
            "last": self.last,
            "environment": _environment(self.environment),
            "items": [[item.index, item.key, item.sha256] for item in self.items],
        }
        text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _environment(environment: Environment) -> dict[str, Any]:
    return {"name": environment.name, "levels": dict(environment.levels)}


def to_json(plan: SubsetPlan) -> dict[str, Any]:
    """The plan as JSON values, format `xcap-plan/1`; `set_by` only if it says something.

    An agent that does not know `set_by` refuses it: it would tint a monitor that others set.
    """
    elsewhere = {"set_by": dict(plan.set_by)} if plan.set_by else {}
    return {
        "format": FORMAT,
        "session": plan.session,
        "campaign": plan.campaign,
        "campaign_id": plan.campaign_id,
        "subset": plan.subset,
        "first": plan.first,
        "last": plan.last,
        "device": plan.device,
        "environment": _environment(plan.environment),
        "settle_ms": plan.settle_ms,
        "manifest_sha256": plan.manifest_sha256,
        "items": [asdict(item) for item in plan.items],
    } | elsewhere


def from_json(obj: object) -> SubsetPlan:
    """The plan in *obj*, JSON values as `to_json` makes them; everything is checked.

    Raises:
        PlanError: a missing, unknown or malformed key; a gap in the indices; a range that does not
            fit them; a doubled key; a manifest hash that does not fit the rest.
    """
    if not isinstance(obj, dict):
        raise PlanError("This is not a sound plan: it must be a JSON object.")
    try:
        edge = _Plan.model_validate(obj)
        environment = Environment(edge.environment.name, edge.environment.levels)
    except ValidationError as error:
        raise PlanError(f"This is not a sound plan: {sentence(error)}.") from error
    except PlanningError as error:
        raise PlanError(f"This is not a sound plan: environment.name: {error}") from error
    plan = SubsetPlan(
        session=edge.session,
        campaign=edge.campaign,
        campaign_id=edge.campaign_id,
        subset=edge.subset,
        first=edge.first,
        last=edge.last,
        device=edge.device,
        environment=environment,
        items=tuple(PlanItem(**item.model_dump()) for item in edge.items),
        settle_ms=edge.settle_ms,
        set_by=edge.set_by,
    )
    if plan.manifest_sha256 != edge.manifest_sha256:
        raise PlanError(
            "This plan was changed after it was made: its manifest hash does not fit its contents. "
            "Export it again."
        )
    return plan


_Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Key = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$", max_length=255
    ),
]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Item(_Strict):
    index: _Count
    key: _Key
    sha256: _Hex64
    width: _Count
    height: _Count
    file: str | None

    @model_validator(mode="after")
    def _file_is_absolute(self) -> Self:
        file = self.file
        if file is not None:
            absolute = PurePosixPath(file).is_absolute() or PureWindowsPath(file).is_absolute()
            if not absolute or "\0" in file:
                raise ValueError(f"the file of index {self.index} must be an absolute path or null")
        return self


class _EnvironmentEdge(_Strict):
    name: str
    levels: dict[_Text, _Text]


class _Plan(_Strict):
    format: Literal["xcap-plan/1"]
    session: Annotated[str, StringConstraints(pattern=r"^s[0-9a-f]{16}$")]
    campaign: _Text
    campaign_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    subset: _Count
    first: _Count
    last: _Count
    device: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    environment: _EnvironmentEdge
    settle_ms: Annotated[int, Field(ge=0, le=60_000)]
    manifest_sha256: _Hex64
    set_by: dict[_Text, _Text] = {}
    items: Annotated[list[_Item], Field(min_length=1, max_length=MAX_ITEMS)]

    @model_validator(mode="after")
    def _indices_fit(self) -> Self:
        keys: dict[str, int] = {}
        for expected, item in enumerate(self.items, self.first):
            if item.index != expected:
                raise ValueError(f"index {expected} is expected where index {item.index} stands")
            if item.key in keys:
                raise ValueError(f"index {item.index} has the same key as index {keys[item.key]}")
            keys[item.key] = item.index
        if self.items[-1].index != self.last:
            raise ValueError(
                f"the items end at index {self.items[-1].index}, but last is {self.last}"
            )
        return self
