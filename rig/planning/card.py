"""The test card as a plan of one picture: what an alignment shot asks a station to show."""

from __future__ import annotations

import hashlib

from rig.planning.plan import PlanItem, SubsetPlan

CARD_KEY = "alignment/card"
"""Stands where an x-ray's key stands."""
CARD_SHA256 = hashlib.sha256(b"capture-rig alignment card 1").hexdigest()
"""Stands where the hash of an x-ray's file stands, which no file can have by chance. It names the
card's design, not its pixels: those depend on the screen. A card drawn otherwise takes another."""
CARD_INDEX = 1
FIRST_NUMBER = 2_000_000_000
"""The first alignment shot of a campaign has this subset number plus 1 at both agents, every
further one the next: beyond what `number + 100000 * run` reaches before run 20,000, and within the
31 bits of a plan's number."""


def card_item() -> PlanItem:
    """The one picture of an alignment shot; it is as large as the screen, so has no size."""
    return PlanItem(CARD_INDEX, CARD_KEY, CARD_SHA256, 1, 1, None)


def is_card(item: PlanItem) -> bool:
    """Whether the test card is to be shown for *item*."""
    return item.sha256 == CARD_SHA256


def shows_card(plan: SubsetPlan) -> bool:
    """Whether *plan* is an alignment shot."""
    return len(plan.items) == 1 and is_card(plan.items[0])
