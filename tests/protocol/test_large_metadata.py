"""Metadata larger than a datagram: both real cores, a bad network, crashes."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.display import Phase
from rig.protocol.names import decode_name

M = MessageType


def _play(observed: Any, subset: Any, seed: int = 0, crashes: int = 0, **faults: float) -> Any:
    rig = observed(subset.count, seed=seed, **faults)
    rig.subset = subset
    rng = random.Random(seed)
    for _ in range(crashes):
        who = rng.choice(("display", "phone"))
        rig.schedule(rng.uniform(0.0, 2.0 * subset.count), lambda w=who: _crash(rig, w))
    rig.boot()
    rig.finish(3000.0)
    rig.audit_all()
    _check_sidecars(rig)
    return rig


def _crash(rig: Any, who: str) -> None:
    if (rig.display if who == "display" else rig.phone) is not None:
        rig.crash_and_boot(who)


def _check_sidecars(rig: Any) -> None:
    """Every committed photo: the sidecar that was written with it is its whole metadata."""
    written = {o.final: o.sidecar for o in rig.said(act.StorePhoto)}
    run = rig.phone.ledger.run(rig.subset.campaign, rig.subset.subset)
    for shot in run.committed_shots():
        meta = rig.subset.meta(shot.index)
        assert written[shot.name] == meta
        assert decode_name(shot.name).meta16 == hashlib.sha256(meta).hexdigest()[:16]
        assert shot.meta_sha == hashlib.sha256(meta).digest()


def test_the_largest_metadata_crosses(observed: Any, large_subset: Any):
    """64 KiB: 64 parts an x-ray, and no datagram beyond them that small ones would not need."""
    spare = len(large_subset(1, 0).meta(1))
    rig = _play(observed, large_subset(4, 65536 - spare))
    parts = rig.sent("display", M.META_PART)
    assert len(parts) == 4 * 64
    assert len(rig.sent("phone", M.META_ACK)) == len(parts)
    assert not [d for d in rig.sent("phone", M.ACCEPTED) if d.code == Code.NEED_META]


def test_sending_ahead_costs_no_time(observed: Any, large_subset: Any):
    """A run with metadata of two parts lasts about as long as one without parts."""
    small, large = (_play(observed, large_subset(4, size), 1) for size in (0, 1500))
    assert large.now < small.now * 1.2


@pytest.mark.parametrize("seed", range(12))
def test_loss_duplicates_reordering_and_crashes_are_harmless(
    observed: Any, large_subset: Any, seed: int
):
    """Exactly one photo of every index, its whole metadata beside it."""
    rng = random.Random(seed)
    faults = {"loss": rng.uniform(0, 0.4), "duplicate": 0.2, "reorder": 0.3, "disturb": 0.05}
    subset = large_subset(4, rng.choice((1200, 5000, 9000)))
    _play(observed, subset, seed, crashes=rng.randrange(5), **faults)


def test_a_phone_that_is_restarted_in_mid_transfer_gets_it_again(observed: Any, large_subset: Any):
    rig = observed(2)
    rig.subset = large_subset(2, 20_000)
    rig.boot()
    rig.until(lambda: len(rig.sent("display", M.META_PART)) == 7)
    rig.crash_and_boot("phone")
    rig.finish()
    rig.audit_all()
    _check_sidecars(rig)


def test_a_shelf_that_lost_it_is_filled_again_in_the_same_connection(
    observed: Any, large_subset: Any
):
    """NEED_META in a live run: the parts again, then the same exposure."""
    rig = observed(2)
    rig.subset = large_subset(2, 5000)
    rig.boot()
    rig.until(lambda: rig.display.phase is Phase.SETTLE and rig.display._delivered == {1})
    rig.phone._shelf._whole.clear()
    rig.phone._shelf._pieces.clear()
    rig.finish()
    rig.audit_all()
    _check_sidecars(rig)
    assert [d.code for d in rig.sent("phone", M.ACCEPTED)].count(Code.NEED_META) == 1
    assert rig.audit.shutters == 2
