"""Recipes that people write, in TOML; a mistake is named with its line and what is allowed.

name = "ward_phone"             # optional, the file's name otherwise
reference_size = 320            # optional: lengths are meant for a shorter side of 320 px

[[steps]]
transform = "glare_matte"
level = 2                       # 1 unless said

[[steps]]
transform = "moire"
params = { gap = 3.0, opacity = 0.2 }   # set instead of drawn
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rig.synthesis.parameters import check_overrides
from rig.synthesis.recipes import Recipe, Step
from rig.synthesis.registry import TRANSFORMS
from rig.synthesis.rng import step_generator
from rig.synthesis.transform import LEVELS, SynthesisError

_TOP = ("name", "reference_size", "steps")
_STEP = ("transform", "level", "params")
_MOST_STEPS = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

Place = tuple[str | int, ...]
"""Keys and places that lead to a value of the file."""


class _Wrong(Exception):
    """Something at *path* is wrong."""

    def __init__(self, path: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.path, self.sentence = path, sentence


def read_recipe(path: Path) -> Recipe:
    """The recipe in the file at *path*.

    Raises:
        SynthesisError: the file cannot be read, or something in it is wrong; `FILE, line N: ...`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SynthesisError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SynthesisError(f"The recipe {path} is not UTF-8 text: {error}.") from error
    return parse_recipe(text, where=str(path), default_name=path.stem)


def parse_recipe(text: str, *, where: str, default_name: str) -> Recipe:
    """The recipe that *text* is; *where* names it in complaints. See `read_recipe`."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SynthesisError(f"{where}: this is not TOML: {error}.") from error
    try:
        return _recipe(found, default_name)
    except _Wrong as wrong:
        line = _line_of(text, wrong.path)
        raise SynthesisError(f"{where}, line {line}: {wrong.sentence}") from None


def _recipe(found: dict[str, Any], default_name: str) -> Recipe:
    _only(found, _TOP, (), "a recipe")
    name = found.get("name", default_name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _Wrong(
            ("name",),
            f"the name {name!r} is not allowed; give 1 to 64 of the characters A-Z a-z 0-9 _ . -, "
            "a letter or digit first.",
        )
    size = found.get("reference_size")
    if size is not None and (not _whole(size) or not 1 <= size <= 100_000):
        raise _Wrong(
            ("reference_size",),
            f"reference_size is {size!r}; give the shorter side in pixels, a whole number from 1.",
        )
    steps = found.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= _MOST_STEPS:
        raise _Wrong(("steps",), f"a recipe needs 1 to {_MOST_STEPS} steps; write [[steps]].")
    return Recipe(name, tuple(_step(step, ("steps", n)) for n, step in enumerate(steps)), size)


def _step(found: Any, path: Place) -> Step:
    if not isinstance(found, dict):
        raise _Wrong(path, "a step is a table; write [[steps]] and its keys below.")
    _only(found, _STEP, path, "a step")
    known = ", ".join(TRANSFORMS)
    if "transform" not in found:
        raise _Wrong(path, f"the step has no transform; give one of {known}.")
    name = found["transform"]
    if not isinstance(name, str) or name not in TRANSFORMS:
        raise _Wrong((*path, "transform"), f"there is no transform {name!r}; there are {known}.")
    level = found.get("level", 1)
    if not _whole(level) or level not in LEVELS:
        raise _Wrong((*path, "level"), f"level {level!r} does not exist; give 1, 2, 3 or 4.")
    params = found.get("params", {})
    if not isinstance(params, dict):
        raise _Wrong((*path, "params"), "params is a table; write params = { name = value }.")
    _check_params(name, level, params, (*path, "params"))
    return Step(name, level, params)


def _check_params(name: str, level: int, params: dict[str, Any], path: Place) -> None:
    """Each parameter among others as they might be drawn."""
    kind = TRANSFORMS[name]
    drawn = kind.sample(step_generator(0, "", 0, name), level, (1000, 1000))
    fields = {field: getattr(drawn, field) for field in kind.params.__dataclass_fields__}
    for key, value in params.items():
        try:
            fields |= check_overrides(name, {key: value})
            kind.params(**fields)
        except SynthesisError as error:
            raise _Wrong((*path, key), _lower(str(error))) from None


def _only(found: dict[str, Any], allowed: Sequence[str], path: Place, what: str) -> None:
    for key in found:
        if key not in allowed:
            raise _Wrong((*path, key), f"{what} has no {key!r}; it has {', '.join(allowed)}.")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _line_of(text: str, path: Place) -> int:
    """The line on which the value at *path* is written, from 1.

    The parser tells no lines, so the file is parsed up to line 1, 2, 3, ... until the value is
    there; brackets that are still open are closed. What is not there at all is missed in the
    table around it.
    """
    lines = text.split("\n")
    for length in range(len(path), 0, -1):
        for number in range(1, len(lines) + 1):
            if any(_has(found, path[:length]) for found in _prefixes(lines[:number])):
                return number
    return 1


def _prefixes(lines: list[str]) -> Iterator[Any]:
    for closing in ("", "]", "}", "]}", "}]", "]}]", "}}]"):
        try:
            yield tomllib.loads("\n".join(lines) + "\n" * bool(closing) + closing)
        except tomllib.TOMLDecodeError:
            continue


def _has(found: Any, path: Place) -> bool:
    for part in path:
        if isinstance(part, int):
            if not isinstance(found, list) or len(found) <= part:
                return False
        elif not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True
