"""Why a file is not used: a closed list, so that no header text ever becomes a reason."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong with a file; the value is the sentence a person reads."""

    UNREADABLE = "The file cannot be read from the disk."
    NOT_DICOM = "It is not a DICOM file."
    DIRECTORY = "It is a DICOMDIR, not an image."
    ABSENT = "A DICOMDIR names this file, but it is not there."
    TRUNCATED = "The file is cut short."
    DAMAGED = "The header or the pixel data is damaged and cannot be decoded."
    CRASHED = "A decoder broke down on its pixel data."
    NO_PIXELS = "It holds no image."
    MULTI_FRAME = "It holds several frames, not one image."
    COLOUR = "It is a colour image, not MONOCHROME1 or MONOCHROME2."
    ZERO_SIZE = "Its Rows or Columns are zero or missing."
    TOO_LARGE = "It has more pixels than any chest x-ray."
    DEPTH = "Its bits per pixel are missing, contradictory, or other than 8 to 16."
    MISSING_UID = "Its SOP Class, SOP Instance, Study or Series Instance UID is missing."
    BAD_UID = "One of its UIDs is not a valid UID."
    SYNTAX = "Its transfer syntax is not one that is decoded."
    DUPLICATE = "It is the same image as another file: same SOP Instance UID, same pixels."
    CONFLICT = (
        "Another file has the same SOP Instance UID but other pixels or another patient: "
        "none of them is used."
    )
    SCREENED = "It is not a frontal chest x-ray."
    UNREVIEWED = "There is a doubt about it that no person has looked at yet."
    REJECTED = "A person looked at it and refused it."


class Refused(Exception):
    """The file is not used.

    Attributes:
        reason: why. Nothing of the header is in it, and nothing is chained to it.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
