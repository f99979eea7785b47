"""Figures of a plan, kept once they were computed: they take seconds, and never change."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as upsert

from rig.capture.balance import balance_of
from rig.capture.campaigns import Campaign
from rig.store import catalogs
from rig.store.tables import balance as table

_ONE = threading.Lock()
"""Held while figures are computed: twenty campaigns at once would not be done sooner."""


def kept(connection: Connection, campaign: Campaign) -> dict[str, Any] | None:
    """The figures of this revision of the plan; None when nobody computed them yet."""
    query = select(table.c.told).where(
        table.c.campaign == campaign.id, table.c.revision == campaign.revision
    )
    told: dict[str, Any] | None = connection.scalar(query)
    return told


def computed(connection: Connection, campaign: Campaign) -> dict[str, Any]:
    """The figures, from the plan and the labels of its catalog."""
    with _ONE:
        return balance_of(campaign.subsets, catalogs.labels(connection, campaign.catalog_id))


def keep(connection: Connection, campaign: Campaign, told: dict[str, Any]) -> None:
    """Keep the figures of this revision, in the caller's transaction; older ones go."""
    values = {"revision": campaign.revision, "told": told}
    written = upsert(table).values(campaign=campaign.id, **values)
    connection.execute(
        written.on_conflict_do_update(
            index_elements=["campaign"], set_=values, where=table.c.revision < campaign.revision
        )
    )
