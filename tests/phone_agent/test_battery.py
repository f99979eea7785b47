"""The battery of the phone, when Linux lets us see it."""

from __future__ import annotations

import pytest

from phone_agent.battery import Battery, read_battery


def supply(root, name, **files):
    (root / name).mkdir()
    for key, value in files.items():
        (root / name / key).write_text(f"{value}\n")


def test_system_battery_is_found_among_others(tmp_path):
    """The mains and the battery of a pen are passed over."""
    supply(tmp_path, "ac", type="Mains", online=1)
    supply(tmp_path, "b-pen", type="Battery", scope="Device", capacity=5)
    supply(tmp_path, "battery", type="Battery", capacity=83, status="Discharging", temp=312)
    assert read_battery(tmp_path) == Battery(83, charging=False, temp_c=31.2)


@pytest.mark.parametrize(
    ("status", "charging"),
    [("Charging", True), ("Full", True), ("Not charging", True), ("Unknown", False)],
)
def test_on_the_mains_counts_as_charging(tmp_path, status, charging):
    """A full battery on the mains must not pause a run."""
    supply(tmp_path, "battery", type="Battery", capacity=9, status=status)
    assert read_battery(tmp_path) == Battery(9, charging, None)


@pytest.mark.parametrize("capacity", ["", "many", "101", "-1"])
def test_nonsense_is_none(tmp_path, capacity):
    """A number that is no percentage is not reported."""
    supply(tmp_path, "battery", type="Battery", capacity=capacity)
    assert read_battery(tmp_path) is None


def test_no_folder_is_none(tmp_path):
    """Many phones close /sys/class/power_supply to apps."""
    assert read_battery(tmp_path / "closed") is None
