"""Ages: mended where merely written badly, capped, or dropped."""

from __future__ import annotations

import pytest

from rig.dicom.ages import age_between, age_days, age_years, kept_age


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("057Y", "057Y"), ("000Y", "000Y"), ("018M", "018M"), ("003W", "003W"), ("010D", "010D"),
        ("57", "057Y"), ("57Y", "057Y"), (" 57y ", "057Y"), ("57 Y", "057Y"), ("81", "081Y"),
        ("089Y", "089Y"), ("090Y", "090Y"), ("099Y", "090Y"), ("120Y", "090Y"), ("95", "090Y"),
        ("121Y", ""), ("999Y", ""), ("", ""), ("Y", ""), ("-5Y", ""), ("5.5Y", ""), ("0057Y", ""),
        ("SMITH", ""), ("57X", ""), ("\u0665\u0667Y", ""), ("057Y\n1", ""),
    ],
)  # fmt: skip
def test_an_age_is_kept_in_proper_form_or_not_at_all(written, kept):
    assert kept_age(written) == kept


@pytest.mark.parametrize(
    ("born", "then", "age"),
    [
        ("19640322", "20210322", "057Y"),
        ("19640322", "20210321", "056Y"),
        ("20200131", "20210130", "011M"),
        ("20210101", "20210101", "000M"),
        ("19000101", "20150101", "090Y"),
        ("18000101", "20210101", ""),
        ("20210102", "20210101", ""),
        ("2021", "20210101", ""),
        ("SMITH", "20210101", ""),
        ("20210230", "20220101", ""),
        ("", "", ""),
    ],
)
def test_an_age_between_dates_is_in_whole_years_or_months(born, then, age):
    assert age_between(born, then) == age


def test_figures_of_an_age():
    assert (age_years("018M"), age_years("012M"), age_years("090Y"), age_years("")) == (
        1,
        1,
        90,
        None,
    )
    assert (age_days("010D"), age_days("001Y"), age_days("")) == (10, 365, None)
