"""Under which addresses a phone reaches this controller."""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_SIOCGIFADDR = 0x8915  # Linux, netdevice(7): the IPv4 address of an interface
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
# Networks inside this machine: no phone is on them.
_INSIDE = ("docker", "br-", "veth", "virbr", "vmnet", "lxc", "cni", "podman")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to this controller.

    Attributes:
        name: of the interface, or where it comes from.
        base: URL without a slash at its end, e.g. ``http://192.168.1.5:8000``.
    """

    name: str
    base: str

    @property
    def short(self) -> str:
        """As the phone agent takes it: ``HOST:PORT``, or the URL when that says more."""
        return self.base.removeprefix("http://")

    def page(self, code: str) -> str:
        """The page for the phone's browser."""
        return f"{self.base}/phone?c={code}"

    def line(self, code: str) -> str:
        """What a person pastes into Termux."""
        return (
            "pkg install -y python termux-api && "
            f"curl -fsSO {self.base}/phone/agent.pyz && python agent.pyz {self.short} {code}"
        )


def ways(
    listening: tuple[str, int],
    public_url: str | None,
    interfaces: Iterable[tuple[str, str]],
    route: str | None = None,
) -> tuple[Way, ...]:
    """The ways to a controller, the likeliest for a phone first; at least one.

    Args:
        listening: address and port of its socket.
        public_url: what it was told to be reached by, if anything.
        interfaces: (name, IPv4 address) of this machine.
        route: this machine's address on the way to other networks, if known.
    """
    host, port = listening
    found = [Way("public address", public_url.rstrip("/"))] if public_url else []
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        outside = [one for one in interfaces if not ipaddress.ip_address(one[1]).is_loopback]
        outside.sort(key=lambda one: (one[1] != route, one[0].startswith(_INSIDE)))
        found += [Way(name, _base(address, port)) for name, address in outside]
    elif not found or not ipaddress.ip_address(host).is_loopback:
        found.append(Way("this address only", _base(host, port)))
    return tuple(found) or (Way("this machine", _base("127.0.0.1", port)),)


def is_local(way: Way) -> bool:
    """Whether only this machine itself can go *way*."""
    host = urlsplit(way.base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def base_of(scheme: str, host: str) -> str | None:
    """The base URL by which somebody called; None when the Host header is not one.

    Built anew from its parts: what comes out goes into a line for a shell.
    """
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not _HOST.fullmatch(name):
        return None
    secure = scheme == "https"
    if port is None or port == (443 if secure else 80):
        port = None
    return _base(name, port, "https" if secure else "http")


def interfaces() -> list[tuple[str, str]]:
    """(name, IPv4 address) of this machine's interfaces, as far as the system tells."""
    found = []
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _, name in socket.if_nameindex():
                asked = struct.pack("256s", name.encode()[:15])
                try:
                    told = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, asked)
                except OSError:
                    continue  # down, or without an IPv4 address
                found.append((name, socket.inet_ntoa(told[20:24])))
    except (ImportError, OSError):
        found = [("this machine", address) for address in _by_name()]
    return found


def route_address() -> str | None:
    """This machine's IPv4 address towards other networks; None without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing: it asks for the route to anywhere else.
            probe.connect(("192.0.2.1", 9))
            address: str = probe.getsockname()[0]
            return address
        except OSError:
            return None


def _by_name() -> list[str]:
    try:
        return sorted(set(socket.gethostbyname_ex(socket.gethostname())[2]))
    except OSError:
        return []


def _base(host: str, port: int | None, scheme: str = "http") -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if port is None else f"{scheme}://{name}:{port}"
