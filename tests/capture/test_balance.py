"""The figures of a plan, counted the fast way, are those that counting one by one gives."""

from collections import Counter

from rig.capture.balance import WARN_AT, balance, balance_of, cramers_v
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


def alternating(count: int) -> list[Subset]:
    """Subsets of 12, light and dark in turn."""
    return [
        Subset(n + 1, 12 * n + 1, 12 * n + 12, LIGHT if n % 2 == 0 else DARK)
        for n in range(count // 12)
    ]


def test_what_few_xrays_show_by_chance_is_no_warning():
    """48 x-rays in 4 subsets: V is above its threshold all the time, and it is chance."""
    noticed = warned = 0
    for seed in range(20):
        found = balance(alternating(48), synthetic_xrays(48, seed))
        noticed += sum(
            value > WARN_AT for of in found["cramers_v_factors"].values() for value in of.values()
        )
        warned += len(found["warnings"])
    assert noticed > 40
    assert warned <= 1


def test_a_label_that_goes_with_the_light_is_a_warning_even_of_48():
    """Every dark x-ray has an edema, no other has: V is 1, p as small as 48 x-rays allow."""
    dark = {i for one in alternating(48) if one.environment is DARK
            for i in range(one.first, one.last + 1)}  # fmt: skip
    at = OBSERVATIONS.index("Edema")
    labels = [
        (one.index, tuple("1.0" if n == at and one.index in dark else "" if n == at else label
                          for n, label in enumerate(one.labels.values())))
        for one in synthetic_xrays(48, 1)
    ]  # fmt: skip
    found = balance_of(alternating(48), labels)
    [warning] = found["warnings"]
    assert warning.startswith("Edema goes with light (Cramér's V 1.00, p below 0.001 after")
    told = found["significance"]["Edema"]["light"]
    assert (told["df"], told["method"]) == (1, "chi-squared")
    assert told["chi2"] == 48
    assert found["significance"]["Edema"]["blinds"] == {
        "chi2": 0.0, "df": 0, "p": 1.0, "p_holm": 1.0, "method": "chi-squared",
    }  # fmt: skip


def test_many_xrays_make_a_small_tie_sure_but_not_noticeable():
    """Significance alone does not warn: of 40,000 a V of 0.04 is no chance, and no matter."""
    halves = [Subset(1, 1, 20_000, LIGHT), Subset(2, 20_001, 40_000, DARK)]
    at = OBSERVATIONS.index("Fracture")

    def label(index: int) -> str:
        every = 10 if index <= 20_000 else 8
        return "1.0" if index % every == 0 else ""

    rows = [
        (index, tuple(label(index) if n == at else "" for n in range(len(OBSERVATIONS))))
        for index in range(1, 40_001)
    ]
    found = balance_of(halves, rows)
    assert found["significance"]["Fracture"]["light"]["p_holm"] < 1e-6
    assert 0.02 < found["cramers_v_factors"]["Fracture"]["light"] < WARN_AT
    assert found["warnings"] == []
