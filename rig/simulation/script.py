"""What may be done to a rig by hand, as text: `deliver 8; crash phone 0.4 torn; roam`.

A script is steps between semicolons or line ends; `#` begins a comment. `rig simulate --script`
plays one, and every failure of the tests that play at random prints one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rig.errors import UserError
from rig.simulation.faults import Faults

Value = str | int | float

CAMERAS: Mapping[str, Faults] = MappingProxyType(
    {
        "well": Faults(),
        "slow": Faults(camera_seconds=3.0),
        "failing": Faults(camera=1.0),
        "lagging": Faults(slow=1.0),
        "hanging": Faults(hang=1.0),
        "stale": Faults(stale=0.5),
    }
)
"""How the camera is from now on."""
AGENTS = ("display", "phone")
DISKS = ("store", "low", "phone", "display")
COMMANDS = ("pause", "pause_now", "resume", "abort", "rearm")
_LONGEST = 86_400.0
_MOST = 2**32


def _seconds(word: str) -> float:
    return _between(float(word), _LONGEST)


def _count(word: str) -> int:
    return int(_between(int(word), _MOST))


def _chance(word: str) -> float:
    return _between(float(word), 1.0)


def _between(value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise ValueError(value)
    return value


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(word: str) -> str:
        if word not in words:
            raise ValueError(word)
        return word

    return parse


@dataclass(frozen=True)
class _Verb:
    words: str
    text: str
    parsers: tuple[Callable[[str], Value], ...] = ()
    flags: tuple[str, ...] = ()


VERBS: Mapping[str, _Verb] = MappingProxyType(
    {
        "good": _Verb("SECONDS", "the network works for a while", (_seconds,)),
        "deliver": _Verb("N", "the oldest N datagrams arrive, with their answers", (_count,)),
        "overtake": _Verb("K", "the datagram K places behind the oldest arrives first", (_count,)),
        "duplicate": _Verb("K", "that one arrives, and stays on its way", (_count,)),
        "corrupt": _Verb("K SEED", "a damaged copy of that one arrives", (_count, _count)),
        "drop": _Verb("N", "the oldest N datagrams are lost", (_count,)),
        "roam": _Verb("", "the phone gets another address"),
        "advance": _Verb("SECONDS", "time passes and nothing arrives", (_seconds,)),
        "crash": _Verb(
            "WHO SECONDS [torn] [power]",
            "display or phone dies, and is back so much later;\n"
            f"{'':34}torn: a write is half on the disk; power: the machine too",
            (_one_of(*AGENTS), _seconds),
            ("torn", "power"),
        ),
        "doom": _Verb(
            "WHO N", "it is killed at its N-th step from now", (_one_of(*AGENTS), _count)
        ),
        "start": _Verb("WHO", "it is started if it is not there", (_one_of(*AGENTS),)),
        "camera": _Verb("HOW", ", ".join(CAMERAS), (_one_of(*CAMERAS),)),
        "disturb": _Verb("P", "probability of a disturbed screen at an exposure", (_chance,)),
        "fill": _Verb(
            "DISK", "full from now on: store (photos), low, phone or display (journals)",
            (_one_of(*DISKS),),
        ),
        "room": _Verb("", "all disks have room again"),
        **{word: _Verb("", f"a person's command: {word}") for word in COMMANDS},
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a word of `VERBS` and its values; flags last, as words."""

    verb: str
    values: tuple[Value, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.verb, *(str(value) for value in self.values)))


def step(verb: str, *values: Value) -> Step:
    """A checked step. The text of its values says all: `parse(str(step))` is the step again.

    Raises:
        UserError: there is no such step.
    """
    return _parse_step(" ".join((verb, *(str(value) for value in values))), "This step")


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a script.

    Raises:
        UserError: which step is wrong, and what it should be.
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = (part.strip() for line in lines for part in line.split(";"))
    return tuple(
        _parse_step(part, f"Step {n} of the script")
        for n, part in enumerate(filter(None, words), start=1)
    )


def write(steps: Iterable[Step]) -> str:
    """The script of *steps*, on one line."""
    return "; ".join(map(str, steps))


def help_text() -> str:
    """All steps with their meaning, one a line."""
    lines = [f"  {f'{n} {v.words}':31} {v.text}" for n, v in VERBS.items() if n not in COMMANDS]
    return "\n".join([*lines, f"  {' | '.join(COMMANDS)}: a person's commands"])


def _parse_step(text: str, which: str) -> Step:
    name, *words = re.split(r"\s+", text)
    verb = VERBS.get(name)
    if verb is None:
        raise UserError(f"{which} is {text!r}; the steps are {', '.join(VERBS)}.")
    flags = words[len(verb.parsers) :]
    try:
        values = [parser(word) for parser, word in zip(verb.parsers, words, strict=False)]
        if len(values) < len(verb.parsers) or not set(flags) <= set(verb.flags):
            raise ValueError(text)
    except ValueError:
        usage = f"{name} {verb.words}".strip()
        raise UserError(f"{which} is {text!r}; it is written: {usage} ({verb.text}).") from None
    return Step(name, (*values, *(flag for flag in verb.flags if flag in flags)))
