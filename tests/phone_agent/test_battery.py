"""The battery of the phone, when Linux lets us see it."""

from __future__ import annotations

import pytest

from phone_agent.battery import Battery, BatteryWatch, parse_status, read_battery
from phone_agent.tools import Tools

# As BatteryStatusAPI.java of termux-api writes it.
STATUS = """{
  "present": true,
  "technology": "Li-ion",
  "health": "GOOD",
  "plugged": "UNPLUGGED",
  "status": "DISCHARGING",
  "temperature": 31.4,
  "voltage": 3871,
  "current": -412000,
  "percentage": 81,
  "level": 81,
  "scale": 100
}"""


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


def test_status_of_the_app_is_read():
    """Level, charging, temperature."""
    assert parse_status(STATUS) == Battery(81, charging=False, temp_c=31.4)


@pytest.mark.parametrize(
    ("status", "plugged", "charging"),
    [
        ("CHARGING", "PLUGGED_USB", True), ("FULL", "UNPLUGGED", True),
        ("NOT_CHARGING", "PLUGGED_AC", True), ("NOT_CHARGING", "UNPLUGGED", False),
        ("DISCHARGING", "PLUGGED_USB", False),
    ],
)  # fmt: skip
def test_weak_chargers_do_not_count_as_charging(status, plugged, charging):
    """What loses charge on a weak charger will be empty too."""
    text = STATUS.replace("DISCHARGING", status).replace("UNPLUGGED", plugged)
    assert parse_status(text).charging is charging


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"error": "Please grant a permission"}', STATUS.replace("81", "181"),
     STATUS.replace("81", '"many"'), STATUS.replace("81", "NaN"), STATUS.replace("81", "true"),
     "[" * 100_000],
)  # fmt: skip
def test_other_answers_of_the_app_are_refused(text):
    """An error of the app is no battery."""
    with pytest.raises(ValueError, match="termux-battery-status"):
        parse_status(text)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def watch(tmp_path, programs):
    """A watch whose /sys shows nothing, its clock, and how often the app was asked."""
    clock, asked = Clock(), tmp_path / "asked"
    programs("termux-battery-status", f"echo x >> {asked}; cat {tmp_path}/status")
    (tmp_path / "status").write_text(STATUS)
    made = BatteryWatch(Tools(timeout_s=0.5), tmp_path / "closed", clock)
    made.clock = clock
    made.asked = lambda: len(asked.read_text().split()) if asked.exists() else 0
    return made


def test_app_is_asked_once_a_minute(watch):
    """A call may hang; every call spared is a hang spared."""
    assert watch.latest is None
    assert watch.look().percent == 81
    watch.clock.now += 59
    watch.look()
    assert watch.asked() == 1
    watch.clock.now += 1
    watch.look()
    assert watch.asked() == 2


def test_app_is_asked_more_often_while_somebody_waits_for_it(watch):
    """Who plugs the phone in need not wait a minute to go on; a hang still cannot pile up."""
    watch.look()
    watch.clock.now += 9
    watch.look(awaited=True)
    assert watch.asked() == 1
    watch.clock.now += 1
    watch.look(awaited=True)
    assert watch.asked() == 2


def test_old_news_are_forgotten(watch, programs):
    """After a quarter of an hour without an answer nothing is claimed any more."""
    watch.look()
    programs("termux-battery-status", "exit 1")
    watch.clock.now += 900
    assert watch.look().percent == 81
    watch.clock.now += 1
    assert watch.look() is None
    assert "status 1" in watch.trouble


def test_hang_costs_five_seconds_and_no_more(watch, programs):
    """The last answer stands; the next question comes a minute later."""
    watch.look()
    programs("termux-battery-status", "sleep 300")
    watch.clock.now += 60
    assert watch.look().percent == 81
    assert "did not answer" in watch.trouble
    assert watch.look().percent == 81


def test_question_that_gave_way_is_asked_again_soon(watch, monkeypatch):
    """The camera was first; that is no reason to know nothing for a minute."""
    from phone_agent.cameras import child

    with child._turn:
        assert watch.look() is None
    assert watch.asked() == 0
    watch.clock.now += 1
    assert watch.look().percent == 81


def test_open_sys_needs_no_program(tmp_path, programs):
    """Where Linux shows the battery the app is never asked."""
    programs("termux-battery-status", f"touch {tmp_path}/asked")
    supply(tmp_path, "battery", type="Battery", capacity=50, status="Discharging")
    assert BatteryWatch(Tools(), tmp_path).look() == Battery(50, charging=False, temp_c=None)
    assert not (tmp_path / "asked").exists()
