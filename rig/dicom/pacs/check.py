"""Is this file the instance it is said to be?"""

from __future__ import annotations

from io import BytesIO

from rig.dicom.pacs.errors import BadInstance
from rig.dicom.pacs.extras import package

_PREFIX = 132
_TAGS = ["SOPInstanceUID", "SOPClassUID"]


def check_instance(sop: str, data: bytes) -> None:
    """Look at the head of the Part 10 file *data*.

    Raises:
        BadInstance: it is no DICOM file, or another instance than *sop*.
    """
    pydicom = package("pydicom")
    if data[128:_PREFIX] != b"DICM":
        raise BadInstance("The PACS sent something that is no DICOM file.")
    try:
        head = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=_TAGS)
        found = str(head.get("SOPInstanceUID", ""))
    except Exception as error:  # noqa: BLE001 - the parser raises anything on bytes that lie
        raise BadInstance(
            f"The PACS sent a DICOM file that cannot be read ({type(error).__name__})."
        ) from None
    if found.strip("\0 ") != sop:
        raise BadInstance("The PACS sent another instance than it said.")
