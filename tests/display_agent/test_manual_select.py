"""Which x-rays manual mode shows."""

from __future__ import annotations

import pytest

from display_agent.manual_select import chosen, plan_of_folder
from rig.errors import UserError
from rig.planning.plan import from_json, to_json


@pytest.fixture
def folder(tmp_path, xray_bytes):
    """b/2.png, a/1.PNG and a note."""
    for name, index in (("b/2.png", 2), ("a/1.PNG", 1)):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(xray_bytes(index))
    (tmp_path / "in" / "note.txt").write_text("no x-ray")
    return tmp_path / "in"


def test_a_folder_is_a_plan_in_the_order_of_its_names(folder):
    """Index 1..N, keys without the ending; it is as sound as an exported one."""
    plan = plan_of_folder(folder)
    assert [(i.index, i.key, i.width, i.height) for i in plan.items] == [
        (1, "a/1", 40, 31), (2, "b/2", 40, 32),
    ]  # fmt: skip
    assert from_json(to_json(plan)) == plan
    assert plan_of_folder(folder) == plan


def test_other_pictures_are_another_plan(folder, xray_bytes):
    """By content."""
    before = plan_of_folder(folder)
    (folder / "b" / "2.png").write_bytes(xray_bytes(3))
    assert plan_of_folder(folder).campaign_id != before.campaign_id


def test_no_folder_no_pictures_and_a_broken_one_are_sentences(folder, tmp_path):
    """Each with its name."""
    with pytest.raises(UserError, match="is no folder"):
        plan_of_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        plan_of_folder(tmp_path / "empty")
    (folder / "c.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"c\.jpg cannot be read"):
        plan_of_folder(folder)


def test_the_order_is_the_plans_or_that_of_the_seed(make_item):
    """The same seed gives the same order; none is shown twice."""
    items = tuple(make_item(index, on_disk=False) for index in range(1, 21))
    assert chosen(items, "plan", 5, None) == items
    assert chosen(items, "plan", 5, 3) == items[:3]
    one, same, other = (chosen(items, "random", seed, None) for seed in (5, 5, 6))
    assert one == same != other
    assert sorted(one, key=lambda item: item.index) == list(items)
    assert chosen(items, "random", 5, 7) == one[:7]


def test_the_order_of_a_seed_is_fixed_for_good(make_item):
    """A run begun with one version goes on with the next."""
    items = tuple(make_item(index, on_disk=False) for index in range(1, 9))
    order = [item.index for item in chosen(items, "random", 2026, None)]
    assert order == ORDER_OF_2026


ORDER_OF_2026 = [7, 8, 4, 1, 6, 5, 3, 2]
