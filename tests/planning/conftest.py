"""A sound plan as JSON values, made anew for each test."""

from __future__ import annotations

from typing import Any

import pytest

from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan, to_json


@pytest.fixture
def plan() -> SubsetPlan:
    """Subset 2 of a campaign: indices 11 to 14."""
    return SubsetPlan(
        session="s0123456789abcdef",
        campaign="Nokia10k",
        campaign_id="00ff00ff00ff00ff",
        subset=2,
        first=11,
        last=14,
        device="nokia",
        environment=Environment("e02-dark-landscape", {"light": "dark", "tür": "offen"}),
        items=tuple(
            PlanItem(i, f"patient{i:05d}/study1/view1_frontal", f"{i:064x}", 1024, 831, None)
            for i in range(11, 15)
        ),
    )


@pytest.fixture
def data(plan: SubsetPlan) -> dict[str, Any]:
    """The same as JSON values."""
    return to_json(plan)
