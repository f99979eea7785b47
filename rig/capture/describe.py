"""A campaign in words and figures, for the page, the API and the command line."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from rig.capture import campaigns, subsets
from rig.capture.balance import balance_of
from rig.store import catalogs


def describe(connection: Connection, name: str) -> dict[str, Any]:
    """The JSON of `rig campaign show --json`.

    Raises:
        NotFoundError: no such campaign.
    """
    campaign = campaigns.find(connection, name)
    states = subsets.subset_states(connection, campaign)
    return {
        "name": campaign.name,
        "id": campaign.id,
        "catalog": campaign.catalog,
        "device": campaign.device,
        "seed": campaign.seed,
        "revision": campaign.revision,
        "xrays": campaign.xrays,
        "subsets": [
            {
                "id": one.id,
                "first": one.first,
                "last": one.last,
                "environment": {
                    "name": one.environment.name,
                    "levels": dict(one.environment.levels),
                },
                "state": states[one.id],
                "revision": campaign.revision_of[one.id],
            }
            for one in campaign.subsets
        ],
        "design": campaign.figures,
        "balance": balance_of(campaign.subsets, catalogs.labels(connection, campaign.catalog_id)),
    }
