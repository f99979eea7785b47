"""What both display ledgers fold in the same way: whose journal it is, and the latched abort."""

from __future__ import annotations

from typing import Protocol

from rig.protocol.journal import JournalCorrupt, Record
from rig.protocol.ledger import Latch


class PlanIdentity(Protocol):
    """What tells the journals of two plans apart."""

    @property
    def campaign(self) -> bytes:
        """8 bytes."""

    @property
    def subset(self) -> int:
        """Number of the subset in its campaign."""

    @property
    def manifest(self) -> bytes:
        """SHA-256 of the list of x-rays, 32 bytes."""


def check_run(record: Record, plan: PlanIdentity) -> None:
    """A RUN record must be about *plan*.

    Raises:
        JournalCorrupt: it belongs to another one.
    """
    mine = (plan.campaign.hex(), plan.subset, plan.manifest.hex())
    if (record["camp"], record["sub"], record["man"]) != mine:
        raise JournalCorrupt(
            "this journal belongs to another plan; use the plan it was begun with, "
            "or another journal folder"
        )


def latched(record: Record) -> Latch:
    """The abort of an ABORT record; KeyError or ValueError when it is none."""
    expected, got = record["exp"], record["got"]
    return Latch(
        bytes.fromhex(str(record["id"])),
        int(str(record["code"])),
        str(record["why"]),
        expected if isinstance(expected, int) else None,
        got if isinstance(got, int) else None,
        str(record["by"]),
    )
