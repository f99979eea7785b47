"""A campaign in words and figures, for the page, the API and the command line."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from rig.capture import balance_rows, campaigns, dealing, stations, subsets
from rig.capture.campaigns import Campaign


def describe(connection: Connection, name: str) -> dict[str, Any]:
    """The JSON of `rig campaign show --json`.

    Raises:
        NotFoundError: no such campaign.
    """
    return described(connection, campaigns.find(connection, name))[0]


def described(
    connection: Connection, campaign: Campaign, *, compute: bool = True
) -> tuple[dict[str, Any], bool]:
    """The same of *campaign*; and whether its balance is new: worth to be kept.

    Without *compute* the balance is None where nobody has computed it: it can take seconds.
    """
    known = balance_rows.kept(connection, campaign)
    new = compute and known is None
    figures = balance_rows.computed(connection, campaign) if new else known
    states = subsets.subset_states(connection, campaign)
    dealt = dealing.stations_of(campaign)
    told = {
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
                "station": dealt.get(one.id),
            }
            for one in campaign.subsets
        ],
        "design": campaign.figures,
        "next": _next(connection, campaign, states),
        "balance": figures,
    }
    return told, new


def _next(connection: Connection, campaign: Campaign, states: dict[int, str]) -> dict[str, Any]:
    """Station -> number of the subset that it shoots next, or None; of all stations there are."""
    planned = campaign.scheme.stations if campaign.scheme else ()
    found = {}
    for name in dict.fromkeys((*planned, *stations.names(connection))):
        following = dealing.next_for(connection, campaign, states, name)
        found[name] = None if following is None else following.id
    return found
