"""Build `agent.pyz`, the whole phone agent in one file, the same bytes every time.

    python deploy/build_phone_agent.py [--out agent.pyz]

Runs on the computer, with the standard library only. The archive holds `phone_agent/`,
`rig/__init__.py`, `rig/protocol/` and a `__main__.py`; start it with `python agent.pyz`.
The same sources and the same zlib give the same bytes, so the SHA-256 names a build. A running
controller serves the same file as `/phone/agent.pyz`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rig.web.phone_app import BuildError  # noqa: E402 - found through the line above
from rig.web.phone_app import build as build_app  # noqa: E402 - found through the line above


def build(root: Path = ROOT) -> bytes:
    """The bytes of the zipapp of the project in *root*. Raises BuildError, OSError."""
    return build_app(root)


def write(target: Path, data: bytes) -> None:
    """Put the archive in place in one step: a server may be serving the old one."""
    scratch = target.with_name(target.name + ".part")
    with scratch.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(target)


def main(arguments: list[str] | None = None) -> int:
    """Build, write, and print `SHA256  FILE`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("agent.pyz"), metavar="FILE")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="project folder")
    options = parser.parse_args(arguments)
    try:
        data = build(options.root)
        write(options.out, data)
    except (BuildError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{hashlib.sha256(data).hexdigest()}  {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
