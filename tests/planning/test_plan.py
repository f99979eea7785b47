"""A plan goes to JSON and back unchanged, and comes back only unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import UserError
from rig.planning.model import Environment
from rig.planning.plan import PlanError, SubsetPlan, from_json, to_json

Data = dict[str, Any]


def test_round_trip_through_text(plan: SubsetPlan) -> None:
    """Equal after a trip through a JSON file, files or none."""
    there = replace(plan.items[0], file="/data/x.jpg")
    on_disk = replace(plan, items=(there, *plan.items[1:]), settle_ms=0)
    for one in (plan, on_disk):
        assert from_json(json.loads(json.dumps(to_json(one)))) == one


def test_the_json_has_the_agreed_keys(data: Data) -> None:
    """Other programs read it."""
    assert list(data) == [
        "format",
        "session",
        "campaign",
        "campaign_id",
        "subset",
        "first",
        "last",
        "device",
        "environment",
        "settle_ms",
        "manifest_sha256",
        "items",
    ]
    assert data["format"] == "xcap-plan/1"
    assert list(data["environment"]) == ["name", "levels"]
    assert list(data["items"][0]) == ["index", "key", "sha256", "width", "height", "file"]


def test_the_manifest_hash_is_over_canonical_json(plan: SubsetPlan) -> None:
    """Anybody can compute it: sorted keys, no spaces, ASCII."""
    items = ",".join(f'[{i.index},"{i.key}","{i.sha256}"]' for i in plan.items)
    text = (
        '{"campaign_id":"00ff00ff00ff00ff","environment":{"levels":{"light":"dark",'
        '"t\\u00fcr":"offen"},"name":"e02-dark-landscape"},"first":11,"items":['
        + items
        + '],"last":14,"subset":2}'
    )
    assert plan.manifest_sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_the_manifest_hash_ignores_where_files_lie(plan: SubsetPlan) -> None:
    """The same subset on another machine or in another session has the same hash."""
    items = tuple(replace(i, file="/elsewhere") for i in plan.items)
    moved = replace(plan, items=items, session="s" + "f" * 16, settle_ms=9)
    assert moved.manifest_sha256 == plan.manifest_sha256


def swap(data: Data) -> None:
    a, b = data["items"][:2]
    a["sha256"], b["sha256"] = b["sha256"], a["sha256"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(subset=3),
        lambda d: d.update(campaign_id="f" * 16),
        lambda d: d["environment"].update(name="e03"),
        lambda d: d["environment"]["levels"].update(light="dim"),
        lambda d: d["environment"]["levels"].pop("light"),
        lambda d: d["items"][2].update(key="patient9/study1/view1"),
        lambda d: d["items"][2].update(sha256="f" * 64),
        lambda d: d.update(manifest_sha256="0" * 64),
        swap,
    ],
)
def test_a_changed_plan_does_not_fit_its_hash(data: Data, change: Callable[[Data], None]) -> None:
    """What the hash covers cannot be changed alone."""
    change(data)
    with pytest.raises(PlanError, match="manifest hash"):
        from_json(data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["items"].pop(1), "index 12 is expected where index 13 stands"),
        (lambda d: d["items"].reverse(), "index 11 is expected where index 14 stands"),
        (lambda d: d["items"].append(dict(d["items"][0])), "index 15 is expected"),
        (lambda d: d.update(first=10), "index 10 is expected where index 11 stands"),
        (lambda d: d.update(last=15), "end at index 14, but last is 15"),
        (lambda d: d["items"].pop(), "end at index 13, but last is 14"),
        (lambda d: d["items"][3].update(key=d["items"][0]["key"]), "same key as index 11"),
        (lambda d: d["items"].clear(), "items:"),
        (lambda d: d["items"][1].update(sha256="F" * 64), "items[2].sha256"),
        (lambda d: d["items"][1].update(sha256="0" * 63), "items[2].sha256"),
        (lambda d: d["items"][1].update(key="../../etc/passwd"), "items[2].key"),
        (lambda d: d["items"][1].update(key="/a/b/c"), "items[2].key"),
        (lambda d: d["items"][1].update(key="a/b/c\n"), "items[2].key"),
        (lambda d: d["items"][1].update(index="12"), "items[2].index"),
        (lambda d: d["items"][1].update(index=True), "items[2].index"),
        (lambda d: d["items"][1].update(width=0), "items[2].width"),
        (lambda d: d["items"][1].update(file="x.jpg"), "index 12 must be an absolute path"),
        (lambda d: d["items"][1].update(file="/x\0.jpg"), "index 12 must be an absolute path"),
        (lambda d: d["items"][1].pop("file"), "items[2].file: the key is missing"),
        (lambda d: d.update(format="xcap-plan/2"), "format"),
        (lambda d: d.update(session="S" + "0" * 16), "session"),
        (lambda d: d.update(session="s/../../../../../x"), "session"),
        (lambda d: d.update(campaign_id="abc"), "campaign_id"),
        (lambda d: d.update(campaign=""), "campaign"),
        (lambda d: d.update(subset=0), "subset"),
        (lambda d: d.update(first=0), "first"),
        (lambda d: d.update(device="../x"), "device"),
        (lambda d: d.update(settle_ms=-1), "settle_ms"),
        (lambda d: d.update(settle_ms=None), "settle_ms"),
        (lambda d: d.update(extra=1), "extra: there is no such key"),
        (lambda d: d.pop("manifest_sha256"), "manifest_sha256: the key is missing"),
        (lambda d: d["environment"].update(name="Dark Room"), "environment.name"),
        (lambda d: d["environment"].update(levels={"light": 1}), "environment.levels.light"),
    ],
)
def test_unsound_plans_are_refused_by_key(
    data: Data, change: Callable[[Data], None], words: str
) -> None:
    """The sentence says which key or which index."""
    change(data)
    with pytest.raises(PlanError) as caught:
        from_json(data)
    assert words in str(caught.value)


@pytest.mark.parametrize("junk", [None, [], "plan", 3, {}, {"format": "xcap-plan/1"}])
def test_junk_is_refused(junk: object) -> None:
    """With the error meant for people."""
    with pytest.raises(PlanError, match="not a sound plan"):
        from_json(junk)
    assert issubclass(PlanError, UserError)


json_ = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(deadline=None)  # a busy machine is no failure
@given(json_, st.data())
def test_any_value_under_any_key_is_a_plan_or_a_plan_error(
    value: object, data: st.DataObject
) -> None:
    """Nothing else is ever raised."""
    item = {"index": 1, "key": "a/b/c", "sha256": "0" * 64, "width": 1, "height": 1, "file": None}
    whole: Data = {
        "format": "xcap-plan/1",
        "session": "s" + "0" * 16,
        "campaign": "c",
        "campaign_id": "0" * 16,
        "subset": 1,
        "first": 1,
        "last": 1,
        "device": "d",
        "environment": {"name": "e01", "levels": {}},
        "settle_ms": 1,
        "manifest_sha256": "0" * 64,
        "items": [item],
    }
    target = data.draw(st.sampled_from([whole, whole["environment"], item]))
    target[data.draw(st.sampled_from(sorted(target)))] = value
    with pytest.raises(PlanError):
        from_json(whole)


def test_levels_may_be_in_any_order(plan: SubsetPlan) -> None:
    """Order of keys is not a change."""
    turned = dict(list(plan.environment.levels.items())[::-1])
    other = replace(plan, environment=Environment(plan.environment.name, turned))
    assert other.manifest_sha256 == plan.manifest_sha256
