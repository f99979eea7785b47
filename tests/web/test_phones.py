"""What a phone says is bounded; what it is given leads it here."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from rig.capture.stations import Link
from rig.protocol.keys import Pairing
from rig.web.phones import NoPairingError, Phones, PhoneStatus, pairing_for

TOLD = Pairing(b"k" * 32, (("10.0.0.2", 4000),), "", "http://127.0.0.1:8000", "old")
BASE = "http://192.168.1.5:8000"


def link(pairing=TOLD, peer="10.0.0.2"):
    url = pairing if pairing is None or isinstance(pairing, str) else pairing.url()
    return Link("room-1", 0.0, pairing=url, peer=peer)


def test_uploads_go_where_the_phone_found_the_controller():
    """The display agent's own address of it is often the loopback one."""
    given = pairing_for(link(), BASE, "new", "192.168.1.7")
    assert given == replace(TOLD, upload_url=BASE, upload_token="new")


def test_a_display_agent_on_this_machine_is_tried_at_the_same_address():
    """Of several networks the phone's is the one it called by."""
    given = pairing_for(link(peer="127.0.0.1"), BASE, "t", "192.168.1.7")
    assert given.hosts == (("192.168.1.5", 4000), ("10.0.0.2", 4000))
    for base in ("https://rig.example", "http://127.0.0.1:8000", "http://10.0.0.2:8000"):
        assert pairing_for(link(peer="127.0.0.1"), base, "t", "127.0.0.1").hosts == TOLD.hosts


def test_a_display_agent_that_no_phone_can_reach_is_said_so():
    """Loopback is fine for a phone agent on the same machine only."""
    lonely = replace(TOLD, hosts=(("127.0.0.1", 4000),))
    assert pairing_for(link(lonely), BASE, "t", "127.0.0.1").hosts == lonely.hosts
    with pytest.raises(NoPairingError, match=r"--listen 0\.0\.0\.0"):
        pairing_for(link(lonely), BASE, "t", "192.168.1.7")


@pytest.mark.parametrize("told", [None, "xcap://pair?v=9", "nonsense"])
def test_no_pairing_is_a_sentence(told):
    """Not told yet, or not understood."""
    with pytest.raises(NoPairingError, match="room-1"):
        pairing_for(link(told), BASE, "t", "192.168.1.7")


def test_text_from_a_phone_is_cut_and_plain():
    """Too long is no reason to know nothing; control characters are."""
    said = PhoneStatus.model_validate(
        {
            "state": "a\x1b[31m\nb" + "x" * 999,
            "last_error": "e" * 9999,
            "checks": [{"name": "n" * 200, "ok": True, "text": "t" * 9999}],
            "unknown": 1,
        }
    )
    assert said.state.startswith("a [31m b")
    assert (len(said.state), len(said.last_error)) == (80, 500)
    assert (len(said.checks[0].name), len(said.checks[0].text)) == (80, 500)


@pytest.mark.parametrize(
    "bad",
    [
        {"battery_pct": 101},
        {"battery_pct": float("nan")},
        {"link_ms": float("inf")},
        {"free_bytes": -1},
        {"index": 2**63},
        {"state": 5},
        {"checks": [{"name": "x", "ok": True}] * 41},
        {"checks": "all"},
    ],
)
def test_nonsense_is_refused(bad):
    """Numbers have ranges, lists an end."""
    with pytest.raises(ValidationError):
        PhoneStatus.model_validate(bad)


def test_a_status_grows_old_and_a_new_phone_begins_anew():
    """By the given clock."""
    now = [100.0]
    phones = Phones(lambda: now[0])
    assert (phones.view("room-1"), phones.pulse("room-1")) == (None, {})
    phones.tell("room-1", PhoneStatus(state="ready", battery_pct=50))
    now[0] += 2.5
    view = phones.view("room-1")
    assert (view["state"], view["battery_pct"], view["age_ms"]) == ("ready", 50, 2500)
    phones.tell("room-1", PhoneStatus(state="ready"))
    assert phones.pulse("room-1") == {"number": 2, "age_ms": 0}
    phones.pair("room-1", "Nokia", 5, 1)
    assert phones.view("room-1") is None
    assert phones.paired("room-1").device == "Nokia"
    phones.forget("room-1")
    assert phones.paired("room-1") is None
