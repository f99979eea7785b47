"""Two network namespaces joined by a virtual cable: packets that the kernel drops, a real roam.

Needs root, iproute2 and nftables (Linux); skipped with the word `netns` where they are missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

MakePair = Callable[..., Any]
DISPLAY, PHONE, MOVED = "10.203.0.1", "10.203.0.2", "10.203.0.3"
FRAMES, CAMERA = "10.203.1.1", "10.203.1.2"
"""The camera has a network of its own on the cable: what is tested is the protocol's."""
LENS = """
import http.server, sys, urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer t"})
        body = urllib.request.urlopen(asked, timeout=5).read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
"""Beside the phone: knows the token that frames beyond loopback ask for."""


class Cable:
    """Namespaces *display* and *phone*, joined by a veth pair."""

    def __init__(self) -> None:
        self.names = (f"xcap-{os.getpid()}-d", f"xcap-{os.getpid()}-p")
        for gone in _leftovers():
            subprocess.run(["ip", "netns", "del", gone], check=False, capture_output=True)

    @property
    def prefixes(self) -> tuple[list[str], list[str]]:
        """Words before a command that is to run at the display, and at the phone."""
        return self._inside(0), self._inside(1)

    def lay(self) -> None:
        """Make it; raises CalledProcessError where that is not allowed."""
        display, phone = self.names
        for name in self.names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run(
            "ip", "link", "add", "xcap0", "netns", display,
            "type", "veth", "peer", "name", "xcap0", "netns", phone,
        )  # fmt: skip
        for name, addresses in ((display, (DISPLAY, FRAMES)), (phone, (PHONE, CAMERA))):
            for address in addresses:
                run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "xcap0")
            run("ip", "-n", name, "link", "set", "xcap0", "up")

    def lose(self, percent: int) -> None:
        """From now on each side drops *percent* of the datagrams that come in."""
        for words in self.prefixes:
            drop = f"ip protocol udp numgen random mod 100 < {percent} counter drop"
            for rule in (
                "add table inet xcap",
                "add chain inet xcap in { type filter hook input priority 0; }",
                f"add rule inet xcap in {drop}",
            ):
                run(*words, "nft", rule)

    def lost(self) -> int:
        """How many the kernel has dropped."""
        count = 0
        for words in self.prefixes:
            rules = json.loads(run(*words, "nft", "-j", "list", "table", "inet", "xcap"))
            for each in rules["nftables"]:
                for part in each.get("rule", {}).get("expr", []):
                    count += part.get("counter", {}).get("packets", 0)
        return count

    def roam(self) -> None:
        """The phone leaves its address for another."""
        phone = self.names[1]
        # In this order: with a network's first address the kernel removes its later ones.
        run("ip", "-n", phone, "addr", "del", f"{PHONE}/24", "dev", "xcap0")
        run("ip", "-n", phone, "addr", "add", f"{MOVED}/24", "dev", "xcap0")

    def cut(self) -> None:
        """Remove it, however much of it there is."""
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def _inside(self, side: int) -> list[str]:
        return ["ip", "netns", "exec", self.names[side]]


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _leftovers() -> list[str]:
    """Namespaces of test runs that were killed."""
    names = [p.name for p in Path("/run/netns").glob("xcap-*-[dp]")]
    return [n for n in names if not Path(f"/proc/{n.split('-')[1]}").exists()]


def missing() -> str | None:
    """Why there can be no namespaces here."""
    if sys.platform != "linux":
        return "this is not Linux"
    tools = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
    if tools:
        return f"{' and '.join(tools)} not installed (apt-get install iproute2 nftables)"
    return None if os.geteuid() == 0 else "not root"


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A laid cable; it is removed in all cases."""
    why = missing()
    if why:
        pytest.skip(f"netns: {why}")
    made = Cable()
    try:
        try:
            made.lay()
            made.lose(0)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"netns: not allowed here: {error.stderr.strip()}")
        yield made
    finally:
        made.cut()


@pytest.fixture
def make_wired(cable: Cable, make_pair: MakePair) -> Iterator[MakePair]:
    """Makes a pair at the two ends of the cable."""
    lenses: list[subprocess.Popen[str]] = []

    def make(count: int, **options: Any) -> Any:
        pair = make_pair(count, hosts=(DISPLAY, FRAMES), prefixes=cable.prefixes, **options)
        words = [*cable.prefixes[1], sys.executable, "-c", LENS, pair.frames]
        lenses.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        assert lenses[-1].stdout is not None
        pair.photograph(f"http://127.0.0.1:{int(lenses[-1].stdout.readline())}")
        return pair

    yield make
    for lens in lenses:
        lens.kill()
        lens.communicate()


def only_delayed(pair: Any) -> None:
    """Nobody was asked to come, and every further exposure is explained by a new connection.

    A display that hears nothing for five seconds may connect anew, and then paints again.
    """
    assert not pair.events("retake", "paused", "aborted", "rearmed")
    connections = len(pair.phone_records("ARM"))
    assert len(pair.phone_records("INTENT")) <= pair.count + connections - 1
    assert len(pair.phone_records("COMMIT")) == pair.count


def test_a_subset_completes_while_the_kernel_drops_every_fifth_packet(
    make_wired: MakePair, cable: Cable
) -> None:
    """Real sockets, real loss on both sides: one decided exposure for each x-ray."""
    cable.lose(20)
    pair = make_wired(12)
    pair.start()
    pair.complete()
    only_delayed(pair)
    assert cable.lost() > 5


def test_a_phone_that_roams_to_another_address_goes_on(make_wired: MakePair, cable: Cable) -> None:
    """The old address is gone from one moment to the next; the connection is not."""
    pair = make_wired(8, settle_ms=100)
    pair.start()
    pair.tools["until"](lambda: len(pair.events("committed")) >= 3, "not 3 captures")
    cable.roam()
    assert len(pair.events("committed")) < 8, "it roamed too late"
    pair.complete()
    only_delayed(pair)
