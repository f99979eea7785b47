"""The plan of one session: a subset of a campaign, with its x-rays and the room it wants."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection

from rig.capture.campaigns import Campaign, subset_of
from rig.capture.condition_rows import painted_by_display
from rig.capture.coverage import Span
from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan
from rig.planning.scheme import Scheme
from rig.store import catalogs

RUN_STEP = 100_000
"""Subset number of a session's plan = id + this times the session's run; `Campaign` has fewer."""


def standalone_session(campaign: Campaign, subset: int) -> str:
    """The session id of an exported plan: the same for every export of the same subset."""
    text = f"standalone/{campaign.id}/{campaign.revision_of.get(subset, 1)}/{subset}"
    return "s" + hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_of(
    connection: Connection,
    campaign: Campaign,
    subset: int,
    *,
    session: str,
    with_files: bool,
    span: Span | None = None,
    run: int = 0,
) -> SubsetPlan:
    """The immutable plan of one session of a subset.

    Args:
        connection: to read the x-rays with.
        campaign: the campaign.
        subset: id, from 1.
        session: the session that will run it.
        with_files: name the image files of this machine; False when the plan leaves it.
        span: first and last index; None takes the whole subset.
        run: which session of the subset it is, from 0. Both agents keep their books by campaign
            and subset number, so every further session takes a number of its own.

    Raises:
        NotFoundError: the campaign has no such subset.
    """
    one = subset_of(campaign, subset)
    first, last = span or (one.first, one.last)
    items = tuple(
        PlanItem(
            index=xray.index,
            key=xray.key,
            sha256=xray.sha256,
            width=xray.width,
            height=xray.height,
            file=str(xray.file) if with_files else None,
        )
        for xray in catalogs.xrays(connection, campaign.catalog_id, first, last)
    )
    return SubsetPlan(
        session=session,
        campaign=campaign.name,
        campaign_id=campaign.id,
        subset=one.id + RUN_STEP * run,
        first=first,
        last=last,
        device=campaign.device,
        environment=one.environment,
        items=items,
        settle_ms=campaign.settle_ms,
        set_by=_set_elsewhere(campaign.scheme, one.environment),
    )


def _set_elsewhere(scheme: Scheme | None, environment: Environment) -> dict[str, str]:
    """Who sets what the display could draw, where that is not the display."""
    return {
        one.name: one.set_by
        for one in (scheme.factors if scheme else ())
        if painted_by_display(one.name, level := environment.levels.get(one.name, ""))
        and not painted_by_display(one.name, level, one.set_by)
    }
