"""DICOMweb (PS3.18): QIDO-RS says what there is, WADO-RS brings it as it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.find import Told
from rig.dicom.pacs.http import Web
from rig.dicom.pacs.model import Instance, Series, Wanted, is_uid
from rig.dicom.pacs.multipart import BadMultipart, boundary, parts
from rig.dicom.pacs.pace import Pace
from rig.dicom.pacs.storing import Keep

PAGE = 500
_PLAIN = re.compile(r"[^A-Za-z0-9*?._-]")
"""What is not said as it is: servers differ in decoding it, so any character is asked for instead,
and the answers are held against the filter anyway."""
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_TAGS = {
    "study": "0020000D",
    "series": "0020000E",
    "sop": "00080018",
    "class": "00080016",
    "date": "00080020",
    "description": "00081030",
    "modalities": "00080061",
    "modality": "00080060",
    "part": "00180015",
    "images": "00201209",
}


class WebSource:
    """Pulls over HTTP."""

    def __init__(self, web: Web, pace: Pace, *, most: int) -> None:
        """*most*: bytes of one instance."""
        self._web = web
        self._pace = pace
        self._most = most

    def series(self, wanted: Wanted, told: Told | None = None) -> Iterator[Series]:
        """The series that pass *wanted*, study by study; raises PacsError."""
        studies = self._studies(wanted)
        for done, (uid, study) in enumerate(sorted(studies.items()), 1):
            for series, row in self._series(uid, wanted).items():
                images = _value(row, "images")
                yield Series(
                    study=uid,
                    uid=series,
                    modality=_value(row, "modality") or "",
                    body_part=_value(row, "part") or "",
                    date=_value(study, "date") or "",
                    description=_value(study, "description") or "",
                    images=int(images) if images and images.isdecimal() else None,
                )
            if told is not None:
                told(done, len(studies))

    def find(self, wanted: Wanted, told: Told | None = None) -> Iterator[list[Instance]]:
        """The images that pass *wanted*, series by series; raises PacsError."""
        for series in self.series(wanted, told):
            path = f"studies/{series.study}/series/{series.uid}/instances"
            yield [
                Instance(series.study, series.uid, sop, _value(row, "class") or "")
                for sop, row in self._rows(path, "sop", {})
            ]

    def fetch(self, wanted: Sequence[Instance], keep: Keep) -> None:
        """Get *wanted*, one after the other.

        Raises:
            PacsError: the server refuses or is gone, or *keep* cannot.
        """
        for one in wanted:
            self._pace.wait()
            path = f"studies/{one.study}/series/{one.series}/instances/{one.sop}"
            body, kind = self._web.get(path, {}, _AS_STORED, most=self._most + (1 << 16))
            try:
                limit = boundary(kind)
                files = [body] if limit is None else parts(body, limit)
            except BadMultipart as error:
                raise PacsError(
                    f"{self._web.name} sent a body that is broken ({error}).", again=True
                ) from None
            for data in files:
                keep(one.sop, data)

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def _studies(self, wanted: Wanted) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for modality in wanted.modalities or ("",):
            for uid in wanted.studies or ("",):
                asked = {
                    "StudyInstanceUID": uid,
                    "StudyDate": wanted.dates,
                    "StudyDescription": _PLAIN.sub("?", wanted.description),
                    "ModalitiesInStudy": modality,
                }
                keys = {name: value for name, value in asked.items() if value}
                # Descriptions are not among what every server sends by itself.
                for study, row in self._rows("studies", "study", keys, also="00081030"):
                    date, title = _value(row, "date"), _value(row, "description")
                    kinds = _values(row, "modalities")
                    listed = not wanted.studies or study in wanted.studies
                    if listed and wanted.takes_study(date, title, kinds):
                        found[study] = row
        return found

    def _series(self, study: str, wanted: Wanted) -> dict[str, Mapping[str, Any]]:
        one = wanted.body_parts if len(wanted.body_parts) == 1 else ()
        found: dict[str, Mapping[str, Any]] = {}
        for modality in wanted.modalities or ("",):
            asked = {
                "Modality": modality,
                "BodyPartExamined": "" if wanted.unknown_parts or not one else one[0],
            }
            keys = {name: value for name, value in asked.items() if value}
            path = f"studies/{study}/series"
            found |= {
                uid: row
                for uid, row in self._rows(path, "series", keys, also="00180015")
                if wanted.takes_series(_value(row, "modality"), _value(row, "part"))
            }
        return found

    def _rows(
        self, path: str, key: str, keys: Mapping[str, str], *, also: str = ""
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """UID and attributes of every match, page by page, whatever page the server likes."""
        seen: set[str] = set()
        while True:
            page = {"limit": str(PAGE), "offset": str(len(seen))}
            if also:
                page["includefield"] = also
            answer = self._web.json(path, {**keys, **page}) or []
            if not isinstance(answer, list):
                raise PacsError(f"{self._web.name} answered the query with no list.")
            new = 0
            for row in answer:
                uid = _value(row, key) or "" if isinstance(row, dict) else ""
                if not is_uid(uid):
                    raise PacsError(f"{self._web.name} answered with a UID that is none.")
                if uid not in seen:
                    seen.add(uid)
                    new += 1
                    yield uid, row
            # A server that knows no offset sends the same again: nothing new is the end as well.
            if not new:
                return


def _values(row: Mapping[str, Any], name: str) -> list[str]:
    element = row.get(_TAGS[name])
    values = element.get("Value") if isinstance(element, dict) else None
    return [str(value) for value in values] if isinstance(values, list) else []


def _value(row: Mapping[str, Any], name: str) -> str | None:
    """The first value, stripped; empty: sent without one; None: not sent."""
    if _TAGS[name] not in row:
        return None
    return next(iter(_values(row, name)), "").strip("\0 ")
