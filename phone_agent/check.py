"""`phone-agent check`: is this phone ready? One line each, with what to do about it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from phone_agent.battery import BatteryWatch
from phone_agent.checks import Subject, run_checks
from phone_agent.config import ConfigError, load
from phone_agent.controller import Controller
from phone_agent.findings import Finding
from phone_agent.options import UsageError, add_common, camera_of, pairing_of
from phone_agent.status import Status
from phone_agent.store import PhotoStore, StoreBusy
from phone_agent.tools import Tools, WakeLock
from rig.protocol.keys import BadPairing, Pairing


def main(argv: Sequence[str]) -> int:
    """Check; 0 all is well, 1 something wants a look, 2 bad usage or input."""
    parser = argparse.ArgumentParser(
        prog="phone-agent check",
        description="Looks at everything a session needs: takes one test photo and deletes it.",
        epilog="example:\n  phone-agent check --camera termux",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    args = parser.parse_args(argv)
    args.dir = args.dir.expanduser()
    tools = Tools()
    wake = WakeLock(tools)
    try:
        return _check(args, tools, wake)
    except (UsageError, BadPairing, StoreBusy) as error:
        print(f"phone-agent check: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"phone-agent check: {args.dir}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        tools.close()
        wake.release()


def _check(args: argparse.Namespace, tools: Tools, wake: WakeLock) -> int:
    pairing, camera, findings = _remembered(args)
    controller = None
    if pairing is not None and pairing.upload_url:
        try:
            controller = Controller(pairing.upload_url, pairing.upload_token)
        except ValueError as error:
            raise UsageError(f"the pairing's controller cannot be used: {error}") from error
    status = Status(sys.stdout)
    with PhotoStore(args.dir) as store:
        opened = camera_of(camera)
        subject = Subject(opened, store, pairing, controller, tools, BatteryWatch(tools), wake)
        for finding in run_checks(subject):
            findings.append(finding)
            if not args.json:
                _tell(status, finding)
    well = all(finding.ok for finding in findings)
    if args.json:
        print(json.dumps({"ok": well, "checks": [each.as_json() for each in findings]}))
    return 0 if well else 1


def _remembered(args: argparse.Namespace) -> tuple[Pairing | None, str | None, list[Finding]]:
    """Pairing and camera; a phone that is not paired yet can be looked at all the same."""
    if args.pair is not None:
        return pairing_of(args.pair), args.camera, []
    try:
        saved = load(args.dir)
    except ConfigError as error:
        finding = Finding("pairing", False, str(error))
        if not args.json:
            _tell(Status(sys.stdout), finding)
        return None, args.camera, [finding]
    return saved.pairing, args.camera or saved.camera, []


def _tell(status: Status, finding: Finding) -> None:
    if finding.ok:
        status.note("check", f"ok    {finding.name}: {finding.text}")
    else:
        status.warning("check", f"LOOK  {finding.name}: {finding.text}")
