"""Which split an image belongs to, and what must not be: a patient in two, a UID with two images.

Patients can be compared here and never again: afterwards only pseudonyms are left, and a pseudonym
made with another key is another patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rig.catalog.model import SPLITS
from rig.dicom.finding import Input
from rig.dicom.header import Header
from rig.dicom.refusal import Reason
from rig.dicom.scan import Scanned
from rig.dicom.screening import Decision, Screening, header_doubts
from rig.errors import UserError

_ALSO = {"val": "valid", "validation": "valid", "training": "train", "testing": "test"}
_SHOWN = 5


def split_of(one: Input, annotated: str) -> str:
    """The split that the annotations say, else the nearest folder with its name, else `train`."""
    if annotated:
        return annotated
    for folder in reversed(one.folders):
        name = _ALSO.get(folder.lower(), folder.lower())
        if name in SPLITS:
            return name
    return "train"


def check_overlap(scans: Iterable[Scanned], splits: Mapping[int, str], how: Screening) -> None:
    """No patient may be in two splits; images that a rule refuses by their header do not count.

    Raises:
        UserError: with the pseudonyms and the numbers of the files.
    """
    seen: dict[str, dict[str, list[int]]] = {}
    for one in scans:
        if one.header is None or _is_out(one.header, how):
            continue
        seen.setdefault(one.patient, {}).setdefault(splits[one.number], []).append(one.number)
    both = {patient: where for patient, where in seen.items() if len(where) > 1}
    if both:
        shown = "; ".join(_tell(patient, both[patient]) for patient in sorted(both)[:_SHOWN])
        more = f"; and {len(both) - _SHOWN} more" if len(both) > _SHOWN else ""
        raise UserError(
            f"{len(both)} patients are in more than one split ({shown}{more}). Move all images of "
            "a patient into one split; nothing was imported."
        )


def _is_out(header: Header, how: Screening) -> bool:
    return any(doubt.decision is Decision.REFUSE for doubt in header_doubts(header, how))


def _tell(patient: str, where: Mapping[str, Sequence[int]]) -> str:
    files = (
        f"{split}: file {', '.join(map(str, numbers[:3]))}" + ("..." if len(numbers) > 3 else "")
        for split, numbers in sorted(where.items())
    )
    return f"{patient} in {' and '.join(files)}"


def same_uid(scans: Iterable[Scanned]) -> list[list[Scanned]]:
    """Groups of files that have a SOP Instance UID in common."""
    groups: dict[str, list[Scanned]] = {}
    for one in scans:
        groups.setdefault(one.image_id, []).append(one)
    return [group for group in groups.values() if len(group) > 1]


def settle(group: Sequence[Scanned], pixels: Mapping[int, str]) -> dict[int, Reason]:
    """What becomes of files with one UID: the first stays, or none if they are not the same image.

    Args:
        group: the files, in the order of their numbers.
        pixels: number -> digest of the pixel values; empty for a file that cannot be decoded.

    Returns:
        Number -> reason, for the files that are not used.
    """
    whole = [one for one in group if pixels.get(one.number)]
    broken = {one.number: Reason.DAMAGED for one in group if not pixels.get(one.number)}
    if len({(pixels[one.number], one.patient) for one in whole}) > 1:
        return broken | {one.number: Reason.CONFLICT for one in whole}
    return broken | {one.number: Reason.DUPLICATE for one in whole[1:]}
