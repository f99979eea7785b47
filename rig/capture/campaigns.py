"""Campaigns: a catalog, a phone and a plan of subsets; kept once, then only read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, literal, select, tuple_, update

from rig.capture import dealing
from rig.planning.layout import free_spans
from rig.planning.model import Environment, Subset
from rig.planning.scheme import Scheme, listed_scheme, load_scheme, make_plan, scheme_from_json
from rig.store import catalogs, tables
from rig.store.errors import ConflictError, NotFoundError, StoreError

_AS_KEPT = (
    "device", "seed", "revision", "size_min", "size_max", "settle_ms", "xrays", "created_ns",
    "figures",
)  # fmt: skip
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
        subsets: the plan as it stands, by index.
        created_ns: Unix time.
        scheme: what it may be shot in; None in campaigns of the first version.
        figures: how good the newest revision's environments are; None likewise.
        revision_of: subset id -> the revision that planned it.
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
    scheme: Scheme | None
    figures: Mapping[str, Any] | None
    revision_of: Mapping[int, int]


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
    scheme: Scheme | None = None,
    size_min: int = 250,
    size_max: int = 500,
    at_least: int = 0,
    seed: int = 0,
    settle_ms: int = 150,
    stations: int | Sequence[str] = 0,
) -> Campaign:
    """Plan and keep a campaign over all x-rays of *catalog*.

    Args:
        connection: of a write transaction.
        new_id: 16 hex digits.
        name: unique.
        catalog: name of the catalog.
        device: the phone, e.g. `nokia`.
        now_ns: Unix time.
        chosen: the only environments, if given.
        environments_file: TOML with factors or environments; default: the CheXphoto paper's.
        scheme: what it may be shot in, in place of both.
        size_min: smallest subset wanted, x-rays.
        size_max: largest subset.
        at_least: subsets wanted; 0: as many as meet every pair of levels. Sizes come first.
        seed: of the plan.
        settle_ms: from paint to photo.
        stations: to deal the subsets to: names, or so many of those there are; none: one list.

    Raises:
        NotFoundError: no such catalog.
        ConflictError: the name is taken.
        StoreError: a bad name or device, or stations that there are not.
        PlanningError: no plan can be made of the sizes, environments or stations.
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
    if scheme is None:
        scheme = load_scheme(environments_file) if chosen is None else listed_scheme(chosen)
    if stations:
        scheme = scheme.on(dealing.named(connection, stations))
    plan = make_plan(
        [(1, kept.count)],
        scheme,
        size_min=size_min,
        size_max=size_max,
        seed=seed,
        at_least=at_least,
    )
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
            subsets=len(plan.subsets),
            xrays=kept.count,
            created_ns=now_ns,
            scheme=scheme.to_json(),
            figures=plan.figures(),
        )
    )
    _keep(connection, new_id, 1, plan.subsets)
    return find(connection, name)


def replan(
    connection: Connection,
    name: str,
    *,
    chosen: Sequence[Environment] | None = None,
    environments_file: Path | None = None,
    size_min: int | None = None,
    size_max: int | None = None,
    at_least: int = 0,
    seed: int | None = None,
    stations: int | Sequence[str] | None = None,
) -> Campaign:
    """Plan anew what no session was ever made for, as the next revision; the rest stays as it is.

    What is not given stays as it was planned last. Numbers of subsets are never used twice.
    *stations* as in `create`; 0 deals to nobody any more.

    Raises:
        NotFoundError: no such campaign.
        ConflictError: every subset has a session already.
        StoreError: stations that there are not.
        PlanningError: no plan can be made of the sizes or environments.
    """
    present = find(connection, name)
    used = set(
        connection.scalars(
            select(tables.session.c.subset).where(tables.session.c.campaign == present.id)
        )
    )
    stays = [one for one in present.subsets if one.id in used]
    spans = free_spans(present.xrays, stays)
    if not spans:
        raise ConflictError(
            f"Every subset of {name} has a session: there is nothing left to plan anew."
        )
    scheme = present.scheme or load_scheme()
    dealt_to = scheme.stations
    if chosen is not None:
        scheme = listed_scheme(chosen)
    elif environments_file is not None:
        scheme = load_scheme(environments_file)
    if stations is not None:
        dealt_to = dealing.named(connection, stations) if stations else ()
    scheme = scheme.on(dealt_to)
    table = tables.subset
    highest = connection.scalar(select(func.max(table.c.id)).where(table.c.campaign == present.id))
    low = present.size_min if size_min is None else size_min
    high = present.size_max if size_max is None else size_max
    plan = make_plan(
        spans,
        scheme,
        size_min=low,
        size_max=high,
        seed=present.seed if seed is None else seed,
        at_least=at_least,
        first_id=int(highest or 0) + 1,
    )
    revision = present.revision + 1
    connection.execute(
        update(table)
        .where(table.c.campaign == present.id, table.c.retired.is_(None))
        .where(table.c.id.not_in(used))
        .values(retired=revision)
    )
    _keep(connection, present.id, revision, plan.subsets)
    connection.execute(
        update(tables.campaign)
        .where(tables.campaign.c.id == present.id)
        .values(
            revision=revision,
            seed=present.seed if seed is None else seed,
            size_min=low,
            size_max=high,
            subsets=len(stays) + len(plan.subsets),
            scheme=scheme.to_json(),
            figures=dealing.carried(present, stays, plan.figures()),
        )
    )
    return find(connection, name)


def _keep(connection: Connection, campaign: str, revision: int, subsets: Sequence[Subset]) -> None:
    connection.execute(
        insert(tables.subset),
        [
            {
                "campaign": campaign,
                "id": one.id,
                "first": one.first,
                "last": one.last,
                "environment": one.environment.name,
                "levels": dict(one.environment.levels),
                "revision": revision,
            }
            for one in subsets
        ],
    )


def find(connection: Connection, name: str, *, only: int | None = None) -> Campaign:
    """The campaign with this name or id; of its subsets with *only* that one, which is quicker.

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
    kept = _subsets(connection, row["id"], only)
    return Campaign(
        id=row["id"],
        name=row["name"],
        catalog=row["catalog_name"],
        catalog_id=row["catalog"],
        subsets=tuple(subset for subset, _ in kept),
        scheme=None if row["scheme"] is None else scheme_from_json(row["scheme"]),
        revision_of={subset.id: revision for subset, revision in kept},
        **{field: row[field] for field in _AS_KEPT},
    )


def listed(
    connection: Connection, *, after: tuple[int, str] | None = None, limit: int = 20
) -> list[tuple[int, str]]:
    """When campaigns were created (Unix time, ns) and their names, oldest first.

    Args:
        connection: to read from.
        after: the one that was seen last.
        limit: at most so many.
    """
    table = tables.campaign
    query = select(table.c.created_ns, table.c.name).order_by(table.c.created_ns, table.c.name)
    if after is not None:
        place = tuple_(table.c.created_ns, table.c.name)
        query = query.where(place > tuple_(literal(after[0]), literal(after[1])))
    return [(row.created_ns, row.name) for row in connection.execute(query.limit(limit))]


def subset_of(campaign: Campaign, subset: int) -> Subset:
    """Subset number *subset*.

    Raises:
        NotFoundError: the campaign has no such subset.
    """
    for one in campaign.subsets:
        if one.id == subset:
            return one
    last = max(one.id for one in campaign.subsets)
    raise NotFoundError(
        f"Campaign {campaign.name} has no subset {subset} in revision {campaign.revision}; its "
        f"numbers go from {min(one.id for one in campaign.subsets)} to {last}."
    )


def _subsets(
    connection: Connection, campaign_id: str, only: int | None
) -> list[tuple[Subset, int]]:
    """The subsets that stand, by index, each with the revision that planned it."""
    table = tables.subset
    query = (
        select(table)
        .where(table.c.campaign == campaign_id, table.c.retired.is_(None))
        .order_by(table.c.first)
    )
    if only is not None:
        query = query.where(table.c.id == only)
    return [
        (
            Subset(one.id, one.first, one.last, Environment(one.environment, one.levels)),
            one.revision,
        )
        for one in connection.execute(query)
    ]
