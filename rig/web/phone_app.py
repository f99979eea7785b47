"""`agent.pyz`: the whole phone agent in one file, the same bytes for the same sources.

Standard library only, and it never imports what it packs: the script in `deploy/` uses it too.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("phone_agent", "rig")
_WANTED = {"phone_agent": ("**/*.py",), "rig": ("__init__.py", "protocol/**/*.py")}
_MAIN = b"import sys\n\nfrom phone_agent.cli import main\n\nsys.exit(main())\n"
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_UNIX = 3


class BuildError(Exception):
    """The sources are not where they should be; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class PhoneApp:
    """The zipapp as it is served.

    Attributes:
        data: its bytes.
        sha256: their hex digest, which names the build.
    """

    data: bytes = field(repr=False)
    sha256: str


def sources(root: Path | None = None) -> dict[str, bytes]:
    """Archive name -> bytes of every module the phone needs.

    Args:
        root: a project's folder; None: wherever the packages are installed.

    Raises:
        BuildError: a package is not there.
        OSError: a file cannot be read.
    """
    found = {"__main__.py": _MAIN}
    for package in _PACKAGES:
        folder = _installed(package) if root is None else root / package
        if not (folder / "__init__.py").is_file():
            raise BuildError(
                f"{folder.parent} has no {package}/__init__.py; give the project's folder."
            )
        for pattern in _WANTED[package]:
            for path in folder.glob(pattern):
                found[f"{package}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return found


def build(root: Path | None = None) -> bytes:
    """The bytes of the zipapp; equal sources and the same zlib give equal bytes.

    Raises:
        BuildError: a package is not there.
        OSError: a file cannot be read.
    """
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


def installed_app() -> PhoneApp:
    """The zipapp of the packages that are installed beside this one.

    Raises:
        BuildError: the phone agent is not installed.
        OSError: a file cannot be read.
    """
    data = build()
    return PhoneApp(data, hashlib.sha256(data).hexdigest())


def _installed(package: str) -> Path:
    # Finding a top-level package does not run it: nothing in rig imports the agents.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(
            f"The package {package} is not installed beside the controller: install capture-rig "
            "whole, or build agent.pyz with deploy/build_phone_agent.py."
        )
    return Path(next(iter(spec.submodule_search_locations)))
