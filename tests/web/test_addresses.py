"""The addresses that a phone can open, the likeliest first; nothing odd gets into a shell line."""

import ipaddress

import pytest

from rig.web.addresses import Way, base_of, interfaces, is_local, route_address, ways

MACHINE = [
    ("lo", "127.0.0.1"),
    ("docker0", "172.17.0.1"),
    ("wlan0", "192.168.1.5"),
    ("usb0", "192.168.42.2"),
]


def bases(*args, **more):
    return [way.base for way in ways(*args, **more)]


def test_every_interface_is_offered_the_one_with_the_route_first():
    """Loopback never, networks inside the machine last."""
    assert bases(("0.0.0.0", 8000), None, MACHINE, "192.168.42.2") == [
        "http://192.168.42.2:8000",
        "http://192.168.1.5:8000",
        "http://172.17.0.1:8000",
    ]


def test_a_public_address_comes_first():
    """Behind a TLS proxy it is the only one."""
    assert bases(("0.0.0.0", 8000), "https://rig.example/", MACHINE[2:3]) == [
        "https://rig.example",
        "http://192.168.1.5:8000",
    ]
    assert bases(("127.0.0.1", 8000), "https://rig.example", MACHINE) == ["https://rig.example"]


def test_one_address_is_offered_alone():
    """Also when it is the machine's own, so that the page can say what is wrong."""
    (one,) = ways(("192.168.1.5", 8000), None, MACHINE)
    assert (one.base, is_local(one)) == ("http://192.168.1.5:8000", False)
    (one,) = ways(("127.0.0.1", 8000), None, MACHINE)
    assert (one.base, is_local(one)) == ("http://127.0.0.1:8000", True)
    assert bases(("0.0.0.0", 8000), None, []) == ["http://127.0.0.1:8000"]
    assert bases(("fd00::5", 8000), None, MACHINE) == ["http://[fd00::5]:8000"]


def test_the_line_is_what_a_person_pastes():
    """HOST:PORT for plain HTTP, the URL for HTTPS."""
    line = Way("x", "http://192.168.1.5:8000").line("ABCD2345")
    assert line == (
        "pkg install -y python termux-api && curl -fsSO http://192.168.1.5:8000/phone/agent.pyz "
        "&& python agent.pyz 192.168.1.5:8000 ABCD2345"
    )
    assert Way("x", "https://rig.example").line("A").endswith("agent.pyz https://rig.example A")


@pytest.mark.parametrize(
    ("scheme", "host", "base"),
    [
        ("http", "192.168.1.5:8000", "http://192.168.1.5:8000"),
        ("http", "192.168.1.5:80", "http://192.168.1.5"),
        ("https", "Rig.Example:443", "https://rig.example"),
        ("http", "[fd00::5]:8000", "http://[fd00::5]:8000"),
        ("http", "127.0.0.1:80;reboot", None),
        ("http", "a@127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http", "$(reboot)", None),
        ("http", "x y", None),
        ("http", "", None),
        ("http", "[::1", None),
    ],
)
def test_a_host_header_becomes_an_address_or_nothing(scheme, host, base):
    """What it says goes into a line for a shell."""
    assert base_of(scheme, host) == base


def test_this_machine_has_the_loopback_interface():
    """The system is really asked."""
    assert "127.0.0.1" in [address for _, address in interfaces()]
    told = route_address()
    assert told is None or ipaddress.ip_address(told)
