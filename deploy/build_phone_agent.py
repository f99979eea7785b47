"""Build `agent.pyz`, the whole phone agent in one file, the same bytes every time.

    python deploy/build_phone_agent.py [--out agent.pyz]

Runs on the computer, with the standard library only. The archive holds `phone_agent/`,
`rig/__init__.py`, `rig/protocol/` and a `__main__.py`; start it with `python agent.pyz`.
The same sources and the same zlib give the same bytes, so the SHA-256 names a build.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_TREES = ("phone_agent", "rig/protocol")
_FILES = ("rig/__init__.py",)
_MAIN = b"import sys\n\nfrom phone_agent.cli import main\n\nsys.exit(main())\n"
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_UNIX = 3


class BuildError(Exception):
    """The sources are not where they should be."""


def sources(root: Path) -> dict[str, bytes]:
    """Archive name -> bytes of every module the phone needs; raises BuildError, OSError."""
    paths = [root / each for each in _FILES]
    for tree in _TREES:
        paths += (root / tree).rglob("*.py")
    if not (root / "phone_agent" / "__init__.py").is_file():
        raise BuildError(f"{root} has no phone_agent/__init__.py; give the project's folder.")
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    return {**found, "__main__.py": _MAIN}


def build(root: Path = ROOT) -> bytes:
    """The bytes of the zipapp; equal sources give equal bytes. Raises BuildError, OSError."""
    buffer = io.BytesIO()
    buffer.write(_SHEBANG)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(sources(root).items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, compresslevel=9)
    return buffer.getvalue()


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
