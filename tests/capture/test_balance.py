"""The figures of a plan, counted the fast way, are those that counting one by one gives."""

from collections import Counter

from rig.capture.balance import balance, balance_of, cramers_v
from rig.capture.describe import describe
from rig.catalog.model import OBSERVATIONS
from rig.planning.model import Environment, Subset
from rig.simulation.campaign_catalog import synthetic_xrays
from rig.store import catalogs

LIGHT = Environment("a", {"light": "on", "blinds": "open"})
DARK = Environment("b", {"light": "off", "blinds": "open"})
SUBSETS = [Subset(1, 1, 70, LIGHT), Subset(2, 71, 120, DARK), Subset(3, 121, 200, LIGHT)]


def test_every_label_is_counted_once_in_its_environment():
    """Two subsets of one environment count together."""
    xrays = list(synthetic_xrays(200, 4))
    name_of = {i: one.environment.name for one in SUBSETS for i in range(one.first, one.last + 1)}
    found = balance(SUBSETS, xrays)
    for at, observation in enumerate(OBSERVATIONS):
        table = Counter((name_of[one.index], one.row[5 + at]) for one in xrays)
        assert found["cramers_v"][observation] == round(cramers_v(table), 4)
    assert found["environments"] == {"a": 150, "b": 50}
    assert found["levels"] == {"light": {"on": 150, "off": 50}, "blinds": {"open": 200}}


def test_labels_are_read_as_the_catalog_holds_them(rig, database):
    """Index by index, in the order of the observations; and shown figures are made of them."""
    with database.read() as connection:
        kept = catalogs.find(connection, "cat")
        xrays = catalogs.xrays(connection, kept.id)
        read = list(catalogs.labels(connection, kept.id))
        shown = describe(connection, "camp")
    assert read == [(one.index, tuple(one.labels.values())) for one in xrays]
    subsets = [
        Subset(one["id"], one["first"], one["last"], Environment(**one["environment"]))
        for one in shown["subsets"]
    ]
    assert shown["balance"] == balance(subsets, xrays) == balance_of(subsets, read)
