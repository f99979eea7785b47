"""The `phone-agent` command. Standard library only: it runs as a zipapp under `python -I -S`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from phone_agent import audit, check
from phone_agent.agent import AgentConfig, PhoneAgent
from phone_agent.config import ConfigError
from phone_agent.controller import Controller
from phone_agent.legacy import LegacyAgent, legacy_agent, legacy_problem
from phone_agent.options import Choice, UsageError, build_parser, camera_of, choose, page_of
from phone_agent.reporter import Reporter
from phone_agent.status import Status
from phone_agent.store import StoreBusy
from phone_agent.surroundings import Surroundings
from phone_agent.terminal import Terminal
from phone_agent.uploads import Uploads
from phone_agent.view import View
from rig.protocol.actions import WrongCommand
from rig.protocol.journal import JournalCorrupt
from rig.protocol.keys import BadPairing, Pairing

__all__ = ["UsageError", "build_parser", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 stopped, 1 could not go on, 2 bad usage or input."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["audit"]:
        return audit.main(words[1:])
    if words[:1] == ["check"]:
        return check.main(words[1:])
    args = build_parser().parse_args(words)
    args.dir = args.dir.expanduser()
    view = View()
    status = _status(args, view)
    try:
        return _run(args, status, view)
    except (
        UsageError, ConfigError, BadPairing, StoreBusy, JournalCorrupt, WrongCommand
    ) as error:  # fmt: skip
        status.close()
        print(f"phone-agent: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        status.close()
        print(f"phone-agent: {args.dir}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        status.close()


def _status(args: argparse.Namespace, view: View) -> Status:
    """A status line that stays at the bottom needs a terminal that can move its cursor."""
    fancy = Terminal.suits(sys.stdout) and not args.json
    return Terminal(sys.stdout, view) if fancy else Status(sys.stdout, json_lines=args.json)


def _run(args: argparse.Namespace, status: Status, view: View) -> int:
    if args.legacy_listen is not None and args.address is not None:
        raise UsageError("--legacy-listen knows no HOST:PORT CODE: the original client has none")
    if args.legacy_listen is None and args.pair is None:
        # Legacy mode wants to know that there is a pairing; which one is found below.
        problem = legacy_problem(argparse.Namespace(**{**vars(args), "pair": "remembered"}))
    else:
        problem = legacy_problem(args)
    if problem is not None:
        raise UsageError(problem)
    if args.legacy_listen is not None:
        page = page_of(args, sys.stdout, view, status)
        around = Surroundings(view=view, page=page, checks=False)
        return asyncio.run(_serve_legacy(args, status, around))
    choice = choose(args, status)
    page = page_of(args, sys.stdout, view, status)
    controller, reporter = _controller(choice.pairing, view)
    around = Surroundings(
        view=view, controller=controller, reporter=reporter, page=page, checks=not args.no_checks
    )
    return asyncio.run(_serve(args, choice, status, around))


def _controller(pairing: Pairing, view: View) -> tuple[Controller | None, Reporter | None]:
    if not pairing.upload_url:
        return None, None
    try:
        asks, tells = (Controller(pairing.upload_url, pairing.upload_token) for _ in range(2))
    except ValueError as error:
        raise UsageError(f"the pairing's controller cannot be used: {error}") from error
    return asks, Reporter(tells, view)


async def _serve(
    args: argparse.Namespace, choice: Choice, status: Status, around: Surroundings
) -> int:
    choice.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    uploads, pairing = None, choice.pairing
    if choice.upload != "off":
        uploads = Uploads(
            pairing.upload_url,
            pairing.upload_token,
            choice.folder,
            choice.upload,
            status,
            lambda text: around.view.update(upload=text),
        )
    config = AgentConfig(pairing, choice.folder, args.once)
    return await _until_stopped(PhoneAgent(config, choice.camera, status, uploads, around))


async def _serve_legacy(args: argparse.Namespace, status: Status, around: Surroundings) -> int:
    try:
        agent = legacy_agent(args, camera_of(args.camera, rests=True), status, around)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return await _until_stopped(agent)


async def _until_stopped(agent: PhoneAgent | LegacyAgent) -> int:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(signum, agent.stop)
    return await agent.run()


if __name__ == "__main__":
    sys.exit(main())
