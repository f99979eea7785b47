"""`rig doctor` on x-rays from hospitals: is pydicom there, and which files can be read with it?"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator, Mapping

from rig.commands.findings import Finding

_INSTALL = "pip install 'capture-rig[dicom]'"
CODECS = ("python-gdcm", "pylibjpeg-openjpeg", "pyjpegls", "pillow")
"""Distributions of the extra `dicom` that decode; Pillow is there in any case."""


def examine(
    find: Callable[[str], object] = importlib.util.find_spec,
    readable: Callable[[], Mapping[str, bool]] | None = None,
) -> Iterator[Finding]:
    """What there is of the extras `dicom` and `pacs`; what is missing is told, not held against it.

    Args:
        find: of a module, None when it is not installed.
        readable: transfer syntax by name -> whether one can be read here.
    """
    if not find("pydicom"):
        yield Finding("DICOM", "ok", "not installed; only for x-rays from hospitals", _INSTALL)
    else:
        yield Finding("DICOM", "ok", ", ".join(_versions()))
        yield syntaxes((readable or _readable)())
    if find("pynetdicom") and find("pydicom"):
        yield Finding("PACS", "ok", "installed")
    else:
        yield Finding(
            "PACS",
            "ok",
            "not installed; only for a hospital's archive",
            "pip install 'capture-rig[pacs,dicom]'",
        )


def syntaxes(readable: Mapping[str, bool]) -> Finding:
    """Which of the common transfer syntaxes can be read."""
    can = [name for name, yes in readable.items() if yes]
    cannot = [name for name, yes in readable.items() if not yes]
    if not cannot:
        return Finding("DICOM codecs", "ok", f"all transfer syntaxes: {', '.join(can)}")
    return Finding(
        "DICOM codecs",
        "warn",
        f"cannot be read here: {', '.join(cannot)}; can: {', '.join(can)}",
        f"{_INSTALL} brings all codecs.",
    )


def _readable() -> Mapping[str, bool]:
    from rig.dicom.decoding import readable

    return readable()


def _versions() -> Iterator[str]:
    for name in ("pydicom", *CODECS):
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} is missing"
