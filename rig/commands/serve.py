"""`rig serve`: the controller and its dashboard."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from rig.commands import token
from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.commands.intake import IntakeJobs

EXAMPLES = """examples:
  rig serve                                      this machine only, http://127.0.0.1:8000
  rig token make                                 once, before others can reach it; then
  rig serve --host 0.0.0.0 --public-url http://192.168.1.20:8000
                                                 the local network: phones and tablets too
  rig serve --room room.toml                     lamps, stages and light sensors too
  rig serve --port 0 --json                      any free port, told as JSON on standard output

Nobody sees anything without signing in: by the link that is printed, once. On this machine alone
the access token is one of the home's own; a controller that others can reach refuses to start
without one that was made for it: `rig token make`, --token-file or RIG_TOKEN. Behind a TLS proxy
keep the default host. The access token of a running controller is in HOME/serve.json (mode 0600).
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig serve`."""
    parser.epilog = EXAMPLES
    add_home(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen on, 0 = any free one (%(default)s)"
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("RIG_TOKEN"),
        help="access token (default: RIG_TOKEN, else HOME/token, else, on this machine alone, one "
        "of the home's own, always the same)",
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="the same, from a file of mode 0600"
    )
    parser.add_argument(
        "--public-url", metavar="URL", help="address that phones reach this controller by"
    )
    parser.add_argument(
        "--trusted-host",
        action="append",
        default=[],
        metavar="NAME",
        help="further host name to answer to (may be repeated)",
    )
    parser.add_argument(
        "--room",
        type=Path,
        metavar="FILE",
        help="actuators and light sensors of the rooms, TOML; `rig room check FILE` looks at it",
    )
    parser.add_argument(
        "--cache-gb",
        type=float,
        default=2.0,
        metavar="GB",
        help="most that small pictures may take on the disk; the oldest go first (%(default)s)",
    )
    parser.add_argument("--verbose", action="store_true", help="log every request")
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    from rig.commands.intake import IntakeJobs

    return serve(args, IntakeJobs())


def serve(args: argparse.Namespace, intake: IntakeJobs) -> int:
    """Run a controller; *intake* takes in the photos of a session when all have arrived."""
    import asyncio
    import logging

    from rig.commands.room import valid_room
    from rig.store.lock import HomeLock
    from rig.web.app import create_app
    from rig.web.controller import Controller
    from rig.web.logs import configure
    from rig.web.server import make_server, need_token

    _check(args)
    home = home_of(args)
    access = _token(args, home)
    configure(level=logging.DEBUG if args.verbose else logging.INFO)
    room = None if getattr(args, "room", None) is None else valid_room(args.room)
    with HomeLock.acquire(home) as lock, _listen(args.host, args.port) as listener:
        need_token(listener.getsockname()[0], access or "")
        url = _url(args.host, listener)
        lock.describe(url)
        rig = Controller.open(
            home,
            token=access,
            public_url=args.public_url,
            on_batch=intake.submit,
            on_photo=intake.arrived,
            room=room,
        )
        intake.go_on(rig)
        rig.cache_bytes = int(args.cache_gb * 1e9)
        rig.examine = lambda: _examined(home, listener)
        public = urlsplit(args.public_url or "").hostname
        names = (args.host, socket.gethostname(), *args.trusted_host, *([public] if public else ()))
        server = make_server(
            create_app(rig, trusted_hosts=names),
            rig,
            lambda: _tell(home, url, rig.auth.token, rig.auth.new_link(), as_json=args.json),
        )
        try:
            asyncio.run(server.serve(sockets=[listener]))
        except KeyboardInterrupt:
            pass  # uvicorn has stopped in good order and passes the signal on
        finally:
            intake.close()
            (home / "serve.json").unlink(missing_ok=True)
    return 0


def _examined(home: Path, listener: socket.socket) -> list[dict[str, str]]:
    """What `rig doctor` says of the machine that this controller runs on."""
    from dataclasses import asdict

    from rig.commands import doctor

    port: int = listener.getsockname()[1]
    return [asdict(one) for one in doctor.examine(home, now=time.time(), port=port)]


def _token(args: argparse.Namespace, home: Path) -> str | None:
    """The access token that was made for this controller; None: nobody made one."""
    if args.token_file is not None:
        return token.read(args.token_file.expanduser())
    given: str | None = args.token
    return token.kept(home) if given is None else given


def _check(args: argparse.Namespace) -> None:
    if args.token is not None and len(args.token) < token.LEAST:
        raise UserError(f"--token must have at least {token.LEAST} characters, or be left out.")
    if not 0 <= args.port <= 65535:
        raise UserError(f"--port must be from 0 to 65535, not {args.port}.")
    if not 0.01 <= args.cache_gb <= 1e6:  # NaN is refused too
        raise UserError(f"--cache-gb must be from 0.01 to 1000000, not {args.cache_gb}.")
    if args.public_url is not None and not args.public_url.startswith(("http://", "https://")):
        raise UserError("--public-url must begin with http:// or https://.")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another --port (0 takes any free one) or --host."
        ) from error
    # Connections have it from here. asyncio sets it only on sockets that name their protocol, which
    # these do not, and without it a page waits 40 ms between its headers and its body.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(host: str, listener: socket.socket) -> str:
    port: int = listener.getsockname()[1]
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    name = "127.0.0.1" if everywhere else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _tell(home: Path, url: str, token: str, link: str, *, as_json: bool) -> None:
    sign_in = f"{url}/sign-in?token={quote(link)}"
    told = {"url": url, "sign_in": sign_in, "token": token, "pid": os.getpid()}
    path = home / "serve.json"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({key: told[key] for key in ("url", "pid", "token")}, file)
    if as_json:
        print(json.dumps(told), flush=True)
        return
    print(f"capture-rig is at {url}", flush=True)
    print(f"Sign in within 15 minutes, once: {sign_in}", flush=True)
    print("Ctrl-C stops it; what the stations shoot meanwhile arrives later.", file=sys.stderr)
