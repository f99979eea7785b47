"""Which photo taken by hand shows which x-ray of manual mode's book.

First the marker in the picture, then the pixels, then the whole set at once: an assignment in time
order (`rig.intake.assign`), with the camera's clock against the display's. Only pixels prove; what
only a marker or only the order says is proposed to a person, with the candidates side by side.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rig.intake import assign
from rig.intake.assign import Choice, Clock
from rig.intake.batch import XraySource
from rig.intake.hand_look import Search, Sighting, Taken, search
from rig.intake.limits import Limits
from rig.intake.manual import Candidate, PhotoSeen, Showing, match_by_marker
from rig.store.hand import Standing

SEEDS = 8
"""Photos that are compared with every x-ray when no marker says where in the set they are."""
OFFERED = 4
"""Candidates that a person is shown."""
ALIKE = 0.3
"""Correlation from which a candidate is offered before those that are only near in time."""
SURE = 1.0
"""Margin of the assignment below which two x-rays are as good as each other."""
_LAST_UP_NS = 3600 * 10**9
_T = TypeVar("_T")
_R = TypeVar("_R")
Map = Callable[[Callable[[_T], _R], Iterable[_T]], Iterator[_R]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the program says of one photo; the fields are those of `rig.store.hand.HandPhoto`."""

    standing: Standing
    index: int | None
    reason: str
    evidence: tuple[str, ...]
    showing: int | None
    sighting: Sighting | None
    candidates: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """A proposal for each photo, in the order given, and the clock that they agree on."""

    proposals: tuple[Proposal, ...]
    clock: Clock | None


@dataclass(slots=True)
class _Set:
    """The photos of an import, in the order in which they were taken."""

    photos: list[Taken]
    shown: Sequence[Showing]
    sources: Mapping[int, XraySource]
    limits: Limits
    cache: Path | None
    hints: list[Candidate] = field(default_factory=list)
    found: dict[int, tuple[Sighting, ...]] = field(default_factory=dict)
    """photo -> sightings"""

    @property
    def spans(self) -> list[tuple[int, int]]:
        """When each showing was up; one whose end nobody wrote lasts until the next."""
        begins = [one.from_ns for one in self.shown]
        until = [*begins[1:], begins[-1] + _LAST_UP_NS] if begins else []
        return [(s.from_ns, s.to_ns or end) for s, end in zip(self.shown, until, strict=True)]


def match(
    photos: Sequence[Taken],
    shown: Sequence[Showing],
    sources: Mapping[int, XraySource],
    *,
    limits: Limits | None = None,
    cache: Path | None = None,
    known: Mapping[int, Sighting] | None = None,
    run: Map[Search, tuple[Sighting, ...]] = map,
    note: Callable[[int, tuple[Sighting, ...]], None] | None = None,
) -> Matched:
    """Propose an x-ray for each photo. Reads the files, writes nothing.

    Args:
        photos: in any order.
        shown: the display's book.
        sources: the x-ray of each index that was shown.
        limits: of the optical check.
        cache: folder with kept features.
        known: places of photos that were proved before: they are not looked at again.
        run: `map`, or an executor's.
        note: called with the place of each photo as soon as it was looked at.

    Returns:
        A proposal for each photo, in the order given.
    """
    order = taken_order(photos)
    work = _Set([photos[at] for at in order], shown, sources, limits or Limits(), cache)
    told = [PhotoSeen(one.name, one.seen.marker, one.seen.taken_ns) for one in work.photos]
    work.hints = list(match_by_marker(told, shown))
    for place, at in enumerate(order):
        if known and at in known:
            work.found[place] = (known[at],)
    clock = _sight(work, run, lambda place: note and note(order[place], work.found[place]))
    choices = _choices(work, clock)
    made = [_proposal(work, place, choice, clock) for place, choice in enumerate(choices)]
    back = {at: made[place] for place, at in enumerate(order)}
    return Matched(tuple(back[at] for at in range(len(photos))), clock)


def taken_order(photos: Sequence[Taken]) -> list[int]:
    """Places of the photos by time when every one says it, else by name (`IMG_9` before `IMG_10`).

    One photo without a time would have no place among times, but it has one among names.
    """
    names = [_natural(one.name) for one in photos]
    if all(one.seen.taken_ns is not None for one in photos):
        return sorted(range(len(photos)), key=lambda at: (photos[at].seen.taken_ns or 0, names[at]))
    return sorted(range(len(photos)), key=lambda at: names[at])


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part.lower())
            for part in re.split(r"(\d+)", name) if part]  # fmt: skip


# -- pixels ----------------------------------------------------------------------------------------


def _sight(
    work: _Set, run: Map[Search, tuple[Sighting, ...]], note: Callable[[int], object]
) -> Clock | None:
    """Compare every photo with what it may show: first those that tell where the others are."""

    def look(places: Sequence[int], clock: Clock | None) -> None:
        searches = [_search(work, place, clock) for place in places]
        for place, found in zip(places, run(search, searches), strict=True):
            work.found[place] = found
            note(place)

    fresh = [place for place in range(len(work.photos)) if place not in work.found]
    look([place for place in fresh if work.hints[place].index is not None], None)
    rest = [place for place in fresh if place not in work.found]
    if len(_proved(work)) < SEEDS and len(rest) > SEEDS:
        seeds = [rest[round(at)] for at in np.linspace(0, len(rest) - 1, SEEDS)]
        look(seeds, _clock(work))
        rest = [place for place in rest if place not in work.found]
    look(rest, _clock(work))
    return _clock(work)


def _search(work: _Set, place: int, clock: Clock | None) -> Search:
    """The candidates of a photo, the likeliest first: each x-ray once."""
    hint = work.hints[place]
    if hint.index is not None:
        wanted = [hint.index]
    else:
        # A marker that was never shown says nothing about the pixels beside it.
        possible = hint.possible or tuple(one.showing for one in work.shown)
        near = _expected(work, place, clock)
        numbers = sorted(possible, key=lambda number: abs(number - 1 - near))
        wanted = list(dict.fromkeys(work.shown[number - 1].index for number in numbers))
    known = [(index, work.sources[index]) for index in wanted if index in work.sources]
    return Search(work.photos[place].file, tuple(known), work.limits, work.cache)


def _expected(work: _Set, place: int, clock: Clock | None) -> float:
    """Place of the showing that is likeliest by time, else between the neighbours that are known.

    One photo for one showing is what most people do, so without any neighbour places are equal.
    """
    taken = work.photos[place].seen.taken_ns
    if clock is not None and clock.trusted and taken is not None:
        begins = [begin for begin, _ in work.spans]
        return max(0, bisect_left(begins, taken - clock.offset_ns) - 1)
    known = _proved(work)
    before = [at for at in known if at < place]
    after = [at for at in known if at > place]
    if before and after:
        a, b = before[-1], after[0]
        return known[a] + (known[b] - known[a]) * (place - a) / (b - a)
    if before:
        return known[before[-1]] + place - before[-1]
    if after:
        return known[after[0]] - (after[0] - place)
    return place * len(work.shown) / max(len(work.photos), 1)


def _proved(work: _Set) -> dict[int, int]:
    """Photo -> place of its showing, where pixels prove an x-ray that was shown just once."""
    places: dict[int, list[int]] = {}
    for at, one in enumerate(work.shown):
        places.setdefault(one.index, []).append(at)
    found = {}
    for photo in sorted(work.found):
        best = _verified(work.found[photo])
        if best is not None and len(places.get(best.index, ())) == 1:
            found[photo] = places[best.index][0]
    return found


def _verified(sightings: Sequence[Sighting]) -> Sighting | None:
    return next((one for one in sightings if one.found.verified), None)


def _clock(work: _Set) -> Clock | None:
    spans = work.spans
    pairs = []
    for photo, place in _proved(work).items():
        taken = work.photos[photo].seen.taken_ns
        if taken is not None:
            pairs.append((taken, *spans[place]))
    return assign.clock_of(pairs)


# -- the whole set ---------------------------------------------------------------------------------


def _choices(work: _Set, clock: Clock | None) -> tuple[Choice, ...]:
    spans, indices = work.spans, [one.index for one in work.shown]
    places: dict[int, list[int]] = {}
    for at, index in enumerate(indices):
        places.setdefault(index, []).append(at)
    gains = []
    for photo, hint in enumerate(work.hints):
        gain = -assign.time_costs(work.photos[photo].seen.taken_ns, spans, clock)
        for sighting in work.found.get(photo, ()):
            worth = assign.ALIKE * max(sighting.found.score, 0.0)
            gain[places.get(sighting.index, [])] += (
                assign.VERIFIED if sighting.found.verified else worth
            )
        if hint.index is not None:
            gain[[number - 1 for number in hint.possible]] += assign.MARKED
        gains.append(gain)
    return assign.assign(gains, indices)


def _proposal(work: _Set, photo: int, choice: Choice, clock: Clock | None) -> Proposal:
    hint, sightings = work.hints[photo], work.found.get(photo, ())
    shown = None if choice.showing is None else work.shown[choice.showing]
    by_index = {one.index: one for one in sightings}
    mine = None if shown is None else by_index.get(shown.index)
    offered = _offered(work, photo, choice, by_index)
    evidence = _evidence(work, photo, choice, mine, clock)
    if shown is None:
        why = "Nothing says which x-ray it shows"
        if hint.index is None and work.photos[photo].seen.marker is not None:
            why = hint.why.rstrip(".")
        return Proposal(
            Standing.DOUBTFUL, None, f"{why}; choose one, or none.", (), None, None, offered
        )
    doubt = _doubt(hint, mine, choice, shown)
    standing = Standing.ACCEPTED if doubt is None else Standing.DOUBTFUL
    reason = doubt or proved(shown.index, evidence)
    return Proposal(standing, shown.index, reason, evidence, shown.showing, mine, offered)


def _doubt(hint: Candidate, mine: Sighting | None, choice: Choice, shown: Showing) -> str | None:
    """Why a person must look, or None."""
    if hint.index is not None and hint.index != shown.index:
        return (
            f"Its marker says x-ray {hint.index}, but everything else x-ray {shown.index}: look at "
            "both."
        )
    if mine is None:
        return f"Only the order of the photos speaks for x-ray {shown.index}."
    if not mine.found.verified:
        said = "Its marker and the order say" if hint.index is not None else "The likeliest is"
        return f"{said} x-ray {shown.index}, but its pixels do not prove it. {mine.found.reason}"
    if not mine.proved and mine.found.quality is not None:
        return f"It shows x-ray {shown.index}, but {'; '.join(mine.found.quality.rejects)}."
    if choice.margin < SURE:
        return f"Another x-ray is as likely as x-ray {shown.index}: are they the same picture?"
    if shown.disturbed:
        return f"It shows x-ray {shown.index}, but the screen was disturbed: {shown.disturbed}."
    return None


def _evidence(
    work: _Set, photo: int, choice: Choice, mine: Sighting | None, clock: Clock | None
) -> tuple[str, ...]:
    if choice.showing is None:
        return ()
    hint, shown = work.hints[photo], work.shown[choice.showing]
    taken, told = work.photos[photo].seen.taken_ns, []
    if hint.index == shown.index:
        told.append("marker")
    if mine is not None and mine.found.verified:
        told.append("pixels")
    if taken is not None and clock is not None and clock.trusted:
        cost = float(assign.time_costs(taken, work.spans, clock)[choice.showing])
        told += ["time"] if cost < 1 else []
    return tuple(told)


def proved(index: int, evidence: Sequence[str] = ()) -> str:
    """The reason of a photo whose pixels prove the x-ray *index*."""
    more = [f"its {one}" for one in evidence if one != "pixels"]
    also = f", and {' and '.join(more)} agree{'s' if len(more) == 1 else ''}" if more else ""
    return f"Its pixels prove x-ray {index}{also}."


def _offered(
    work: _Set, photo: int, choice: Choice, by_index: Mapping[int, Sighting]
) -> tuple[Mapping[str, Any], ...]:
    """What a person is shown beside the photo: the choice, what was compared, what is near."""
    hint = work.hints[photo]
    near = [work.shown[place].index for place in choice.others]
    first = [] if choice.showing is None else [work.shown[choice.showing].index]
    if hint.index is not None:
        first.append(hint.index)
    alike = [index for index, one in by_index.items() if one.found.score >= ALIKE]
    wanted = list(dict.fromkeys([*first, *alike, *near, *by_index]))[:OFFERED]
    by_shown = {one.index: one for one in work.shown}
    offered = []
    for index in wanted:
        sighting = by_index.get(index)
        score = None if sighting is None else round(sighting.found.score, 4)
        why = "near in time" if sighting is None else sighting.found.reason
        one = by_shown[index]
        offered.append(
            {"index": index, "key": one.key, "sha256": one.sha256, "score": score, "why": why}
        )
    return tuple(offered)
