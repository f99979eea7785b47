"""Campaigns: a catalog, a phone and a plan of subsets; kept once, then only read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from rig.capture.states import State
from rig.planning.factors import load_environments, load_factors
from rig.planning.model import Environment, Subset
from rig.planning.plan import PlanItem, SubsetPlan
from rig.planning.subsets import environments, plan_subsets, subset_count
from rig.store import catalogs, tables
from rig.store.errors import ConflictError, NotFoundError, StoreError

_DEVICE = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A kept campaign.

    Attributes:
        id: 16 hex digits; part of every photo's name.
        name: unique.
        catalog: the catalog's name.
        catalog_id: the catalog's id.
        device: phone, e.g. `nokia`.
        seed: of the plan.
        revision: 1, and more when a plan is changed.
        size_min: smallest subset asked for.
        size_max: largest subset asked for.
        settle_ms: wait between paint and photo.
        xrays: how many x-rays the plan covers.
        subsets: the plan.
        created_ns: Unix time.
    """

    id: str
    name: str
    catalog: str
    catalog_id: str
    device: str
    seed: int
    revision: int
    size_min: int
    size_max: int
    settle_ms: int
    xrays: int
    subsets: tuple[Subset, ...]
    created_ns: int


def choose_environments(
    n: int, *, size_min: int, size_max: int, seed: int, file: Path | None = None
) -> tuple[Environment, ...]:
    """The environments of a TOML *file*, or distinct ones drawn from its (or the paper's) factors.

    Raises:
        PlanningError: the file is not usable, or the sizes make no sense.
    """
    if file is not None and (listed := load_environments(file)):
        return listed
    count = subset_count(n, size_min=size_min, size_max=size_max)
    return environments(load_factors(file), seed, count)


def create(
    connection: Connection,
    *,
    new_id: str,
    name: str,
    catalog: str,
    device: str,
    now_ns: int,
    chosen: Sequence[Environment] | None = None,
    environments_file: Path | None = None,
    size_min: int = 250,
    size_max: int = 500,
    seed: int = 0,
    settle_ms: int = 150,
) -> Campaign:
    """Plan and keep a campaign over all x-rays of *catalog*.

    Raises:
        NotFoundError: no such catalog.
        ConflictError: the name is taken.
        StoreError: a bad name or device.
        PlanningError: no plan can be made of the sizes or environments.
    """
    catalogs.check_name(name, "campaign")
    if not _DEVICE.fullmatch(device):
        raise StoreError(
            f"{device[:40]!r} cannot name a device: use 1 to 32 lower-case letters, digits, dots "
            "or dashes, e.g. nokia."
        )
    kept = catalogs.find(connection, catalog)
    if connection.scalar(select(tables.campaign.c.id).where(tables.campaign.c.name == name)):
        raise ConflictError(f"A campaign named {name} exists already; choose another name.")
    if chosen is None:
        chosen = choose_environments(
            kept.count, size_min=size_min, size_max=size_max, seed=seed, file=environments_file
        )
    plan = plan_subsets(kept.count, chosen, size_min=size_min, size_max=size_max, seed=seed)
    connection.execute(
        insert(tables.campaign).values(
            id=new_id,
            name=name,
            catalog=kept.id,
            device=device,
            seed=seed,
            revision=1,
            size_min=size_min,
            size_max=size_max,
            settle_ms=settle_ms,
            subsets=len(plan),
            xrays=kept.count,
            created_ns=now_ns,
        )
    )
    connection.execute(
        insert(tables.subset),
        [
            {
                "campaign": new_id,
                "id": one.id,
                "first": one.first,
                "last": one.last,
                "environment": one.environment.name,
                "levels": dict(one.environment.levels),
            }
            for one in plan
        ],
    )
    return find(connection, name)


def find(connection: Connection, name: str) -> Campaign:
    """The campaign with this name or id.

    Raises:
        NotFoundError: there is none.
    """
    table = tables.campaign
    query = (
        select(table, tables.catalog.c.name.label("catalog_name"))
        .join(tables.catalog, tables.catalog.c.id == table.c.catalog)
        .where((table.c.name == name) | (table.c.id == name))
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        known = ", ".join(connection.scalars(select(table.c.name).order_by(table.c.name)))
        raise NotFoundError(f"No campaign is named {name[:70]!r}. Known: {known or 'none yet'}.")
    return Campaign(
        id=row["id"],
        name=row["name"],
        catalog=row["catalog_name"],
        catalog_id=row["catalog"],
        subsets=_subsets(connection, row["id"]),
        **{
            field: row[field]
            for field in (
                "device",
                "seed",
                "revision",
                "size_min",
                "size_max",
                "settle_ms",
                "xrays",
                "created_ns",
            )
        },
    )


def every(connection: Connection) -> list[Campaign]:
    """All campaigns, oldest first."""
    table = tables.campaign
    names = connection.scalars(select(table.c.name).order_by(table.c.created_ns, table.c.name))
    return [find(connection, name) for name in names]


def subset_of(campaign: Campaign, subset: int) -> Subset:
    """Subset number *subset*.

    Raises:
        NotFoundError: the campaign has no such subset.
    """
    for one in campaign.subsets:
        if one.id == subset:
            return one
    raise NotFoundError(
        f"Campaign {campaign.name} has subsets 1 to {len(campaign.subsets)}, not {subset}."
    )


def subset_states(connection: Connection, campaign: Campaign) -> dict[int, str]:
    """Subset id -> `planned`, `completed` once any session completed, else the newest's state."""
    table = tables.session
    found = dict.fromkeys((one.id for one in campaign.subsets), "planned")
    query = (
        select(table.c.subset, table.c.state)
        .where(table.c.campaign == campaign.id)
        .order_by(table.c.created_ns)
    )
    for subset, state in connection.execute(query):
        if found[subset] != State.COMPLETED:
            found[subset] = str(state)
    return found


def standalone_session(campaign: Campaign, subset: int) -> str:
    """The session id of an exported plan: the same for every export of the same subset."""
    text = f"standalone/{campaign.id}/{campaign.revision}/{subset}"
    return "s" + hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_of(
    connection: Connection, campaign: Campaign, subset: int, *, session: str, with_files: bool
) -> SubsetPlan:
    """The immutable plan of one subset.

    Args:
        connection: to read the x-rays with.
        campaign: the campaign.
        subset: id, from 1.
        session: the session that will run it.
        with_files: name the image files of this machine; False when the plan leaves it.

    Raises:
        NotFoundError: the campaign has no such subset.
    """
    one = subset_of(campaign, subset)
    items = tuple(
        PlanItem(
            index=xray.index,
            key=xray.key,
            sha256=xray.sha256,
            width=xray.width,
            height=xray.height,
            file=str(xray.file) if with_files else None,
        )
        for xray in catalogs.xrays(connection, campaign.catalog_id, one.first, one.last)
    )
    return SubsetPlan(
        session=session,
        campaign=campaign.name,
        campaign_id=campaign.id,
        subset=one.id,
        first=one.first,
        last=one.last,
        device=campaign.device,
        environment=one.environment,
        items=items,
        settle_ms=campaign.settle_ms,
    )


def _subsets(connection: Connection, campaign_id: str) -> tuple[Subset, ...]:
    table = tables.subset
    query = select(table).where(table.c.campaign == campaign_id).order_by(table.c.id)
    return tuple(
        Subset(row["id"], row["first"], row["last"], Environment(row["environment"], row["levels"]))
        for row in connection.execute(query).mappings()
    )
