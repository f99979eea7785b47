"""Real agents over a bad network: loss, duplicates, reordering and a new address only delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.relay import Relay, Weather

pytestmark = pytest.mark.system

MakePair = Callable[..., Any]
ROUGH = {"duplicate": 0.1, "reorder": 0.2, "delay": 0.005}


def undisturbed(pair: Any) -> None:
    """Nothing but time was lost: one exposure for each x-ray, and nobody was asked to come."""
    assert not pair.events("retake", "paused", "aborted", "rearmed")
    assert {r["a"] for r in pair.records("DONE")} == {1}
    assert len(pair.phone_records("INTENT")) == pair.count
    assert len(pair.phone_records("ARM")) == len(pair.records("ARM")) == 1


def only_delayed(pair: Any) -> None:
    """Nobody was asked to come, and every further exposure is explained by a new connection.

    A display that hears nothing for five seconds may connect anew, and then paints again.
    """
    assert not pair.events("retake", "paused", "aborted", "rearmed")
    connections = len(pair.phone_records("ARM"))
    assert len(pair.phone_records("INTENT")) <= pair.count + connections - 1
    assert len(pair.phone_records("COMMIT")) == pair.count


@pytest.mark.parametrize(("loss", "xrays", "seed"), [(0.2, 12, 1), (0.2, 12, 2), (0.4, 5, 3)])
def test_a_subset_completes_through_loss_duplicates_and_reordering(
    loss: float, xrays: int, seed: int, make_pair: MakePair
) -> None:
    """Every photo is decided once and shows its x-ray, whatever is lost on the way."""
    pair = make_pair(xrays)
    relay = pair.through(Weather(loss=loss, seed=seed, **ROUGH))
    pair.start()
    pair.complete()
    only_delayed(pair)
    sent = sum(relay.counts.values())
    assert relay.fates["lost"] > sent * loss / 3, relay.fates
    assert relay.fates["doubled"] > 0
    assert relay.fates["held"] > 0
    assert sent > 4 * xrays


def test_a_phone_that_gets_another_address_goes_on(make_pair: MakePair) -> None:
    """The address is not the identity: no pause, no abort, nobody pairs again."""
    pair = make_pair(8, settle_ms=40)
    relay = pair.through(Weather(loss=0.05, seed=4))
    pair.start()
    pair.tools["until"](lambda: len(pair.events("committed")) >= 3, "not 3 captures")
    relay.move()
    pair.complete()
    only_delayed(pair)


def test_a_phone_without_network_comes_back_with_another_address(make_pair: MakePair) -> None:
    """Nothing gets through until the display says so; then the phone is found at a new address."""
    pair = make_pair(8, settle_ms=40)
    relay = pair.through()
    pair.start()
    pair.tools["until"](lambda: len(pair.events("committed")) >= 3, "not 3 captures")
    relay.silent = True
    lost = pair.tools["until"](lambda: pair.events("link_lost"), "nobody noticed")
    held = len(pair.events("committed"))
    assert held < 8
    # Long enough for the phone to have given the connection up: it knocks.
    knocks = relay.counts["KNOCK"]
    pair.tools["until"](lambda: relay.counts["KNOCK"] > knocks + 2, "the phone does not knock")
    assert len(pair.events("committed")) == held
    relay.move()
    relay.silent = False
    pair.complete()
    only_delayed(pair)
    assert lost[0]["seconds"] >= 5
    assert "check that it is on, in this Wi-Fi" in lost[0]["why"]
    assert relay.fates["swallowed"] > 3
    # Either the connection went on (and was told to be back) or a new one was made.
    assert pair.events("link_back") or len(pair.events("connected")) > 1


def test_the_fates_of_datagrams_follow_from_the_seed() -> None:
    """The n-th datagram of a direction meets the same fate in every run; the shares are right."""
    import random

    weather = Weather(loss=0.2, duplicate=0.1, reorder=0.25, delay=0.01, hold=0.5)

    def fates(seed: int) -> list[list[float]]:
        rng = random.Random(seed)
        return [weather.fates(rng) for _ in range(4000)]

    seen = fates(1)
    assert seen == fates(1) != fates(2)
    assert 0.17 < sum(not f for f in seen) / 4000 < 0.23
    assert 0.06 < sum(len(f) == 2 for f in seen) / 4000 < 0.1
    assert 0.21 < sum(f[0] == 0.5 for f in seen if f) / sum(map(bool, seen)) < 0.29
    assert all(delay == 0.5 or delay <= 0.01 for f in seen for delay in f)


def test_a_relay_without_weather_changes_nothing(make_pair: MakePair) -> None:
    """Four datagrams a capture and one handshake go through it as they are."""
    pair = make_pair(4)
    relay: Relay = pair.through()
    pair.start()
    pair.complete()
    undisturbed(pair)
    assert not any(relay.fates.values())
    assert "unknown" not in relay.counts
