"""Ages as DICOM writes them (PS3.5 section 6.2, AS), and as they may be kept."""

from __future__ import annotations

import re
from datetime import date, datetime

CAP_YEARS = 89
"""Ages over this are so rare that they point at people: they are all kept as `090Y`."""
_OLDEST_YEARS = 120
_WRITTEN = re.compile(r"(\d{1,3})\s*([DWMYdwmy]?)", re.ASCII)
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.436875, "Y": 365.2425}


def kept_age(written: str) -> str:
    """An Age String that may be kept, or empty.

    `057Y` stays. What is merely written badly is mended: `57`, `57Y` and `57y` are `057Y`. Above
    `CAP_YEARS` it is `090Y`, in whatever unit; beyond 120 years, or anything else, it is nothing.

    >>> kept_age("81"), kept_age("101Y"), kept_age("018M"), kept_age("999Y"), kept_age("Smith")
    ('081Y', '090Y', '018M', '', '')
    """
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        return ""
    count, unit = int(match[1]), match[2].upper() or "Y"
    years = count * _DAYS[unit] / _DAYS["Y"]
    if years >= _OLDEST_YEARS + 1:
        return ""
    return "090Y" if years >= CAP_YEARS + 1 else f"{count:03d}{unit}"


def age_days(kept: str) -> int | None:
    """Days of an Age String in proper form; None when it is empty."""
    return round(int(kept[:3]) * _DAYS[kept[3]]) if kept else None


def age_years(kept: str) -> int | None:
    """Whole years of an Age String in proper form; None when it is empty.

    >>> age_years("018M"), age_years("057Y"), age_years("")
    (1, 57, None)
    """
    return int(int(kept[:3]) * _DAYS[kept[3]] / _DAYS["Y"] + 1e-9) if kept else None


def age_between(born: str, then: str) -> str:
    """An Age String from two dates (`YYYYMMDD`), or empty when they make no sense."""
    start, end = _date(born), _date(then)
    if start is None or end is None or end < start:
        return ""
    years = end.year - start.year - ((end.month, end.day) < (start.month, start.day))
    if years:
        return kept_age(f"{years}Y") if years < 1000 else ""
    months = (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)
    return f"{months:03d}M"


def _date(written: str) -> date | None:
    try:
        return datetime.strptime(written[:8], "%Y%m%d").date()  # noqa: DTZ007 - a date alone
    except ValueError:
        return None
