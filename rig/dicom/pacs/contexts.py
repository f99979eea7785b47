"""Which kinds of image we take, and in which transfer syntaxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rig.dicom.pacs.extras import package

IMAGES: tuple[str, ...] = (
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray, for presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray, for processing
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.12.1",  # X-Ray Angiographic
    "1.2.840.10008.5.1.4.1.1.12.2",  # X-Ray Radiofluoroscopic
)
"""What chest x-rays are stored as; asked for when a PACS does not say the class."""

SYNTAXES: tuple[str, ...] = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian (retired, still in archives)
    "1.2.840.10008.1.2.1.99",  # Deflated
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless, RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
)
MOST = 128
"""Presentation contexts in one association (PS3.8 9.3.2.2: odd ids from 1 to 255)."""
CLASSES = (MOST - 1) // len(SYNTAXES)
"""Classes that fit into one association beside the request's own context."""


def storage(classes: Iterable[str]) -> list[Any]:
    """One context for each class and transfer syntax.

    With all syntaxes in one context the PACS picks a single one and re-codes every image to it;
    apart, each image comes as it is stored.
    """
    build = package("pynetdicom").build_context
    return [build(kind, syntax) for kind in classes for syntax in SYNTAXES]


def roles(classes: Iterable[str]) -> list[Any]:
    """C-GET turns the roles round: the PACS stores to us over our own association."""
    build = package("pynetdicom").build_role
    return [build(kind, scp_role=True) for kind in classes]
