"""`rig doctor` on the network: the controller's port, UDP, the machine's addresses."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from rig.commands.findings import Finding

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp, proc_net(5)


def examine(home: Path, port: int, udp: int) -> Iterator[Finding]:
    """Every finding about the network of this machine."""
    from rig.web.addresses import interfaces

    yield tcp_port(home, port)
    yield udp_port(udp)
    yield addresses(interfaces())


def tcp_port(home: Path, port: int) -> Finding:
    """Whether a controller can listen on *port*."""
    from rig.store.lock import holder

    what = f"port {port}"
    try:
        # As `rig serve --host 0.0.0.0` does it.
        with socket.create_server(("", port)):
            return Finding(what, "ok", "free")
    except OSError as error:
        if error.errno == errno.EACCES:
            return Finding(what, "bad", "not allowed to this user", "Choose a --port above 1023.")
        if error.errno != errno.EADDRINUSE:
            return Finding(what, "bad", str(error.strerror), "Choose another --port.")
    who = holder(home)
    if who is not None and who.url and urlsplit(who.url).port == port:
        return Finding(what, "ok", f"taken by this home's controller, process {who.pid}")
    process = listener(port) or "another process"
    return Finding(what, "warn", f"taken by {process}", "Stop that, or rig serve --port 8001")


def udp_port(port: int) -> Finding:
    """Whether a display agent can listen on UDP *port* (0: on any) and datagrams arrive."""
    what = f"UDP port {port}" if port else "UDP"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("", port))
            one.settimeout(2.0)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"rig", ("127.0.0.1", one.getsockname()[1]))
            one.recv(16)
    except TimeoutError:
        remedy = "Let it through the firewall of this machine, e.g. ufw allow PORT/udp"
        return Finding(what, "bad", "a datagram to this machine itself does not arrive", remedy)
    except OSError as error:
        remedy = "Choose another port for the display agent's --listen, or stop who has this one."
        return Finding(what, "warn", f"cannot be used: {error.strerror}", remedy)
    return Finding(what, "ok", "free, and a datagram arrives (here; not known from the phone)")


def addresses(interfaces: Iterable[tuple[str, str]]) -> Finding:
    """Under which addresses phones could reach this machine."""
    outside = [f"{ip} ({name})" for name, ip in interfaces if not ip.startswith("127.")]
    if not outside:
        remedy = "Join the phone's network, by cable or Wi-Fi, before pairing."
        return Finding("addresses", "warn", "this machine is in no network", remedy)
    return Finding("addresses", "ok", ", ".join(outside))


def listener(port: int, proc: Path = Path("/proc")) -> str | None:
    """Which process listens on TCP *port*, e.g. ``process 12 (python)``; None: cannot be seen."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not wanted:
        return None
    for folder in proc.glob("[0-9]*"):
        try:
            if any(_link(one) in wanted for one in (folder / "fd").iterdir()):
                return f"process {folder.name} ({(folder / 'comm').read_text().strip()})"
        except OSError:
            continue  # of another user, or gone meanwhile
    return "a process of another user"


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""  # closed meanwhile


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) < 10 or fields[3] != _LISTEN:
                continue
            if int(fields[1].rsplit(":", 1)[1], 16) == port:
                yield fields[9]
