"""Parameters written by somebody else, checked: from a manifest or a recipe into dataclasses."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping
from typing import Any

from rig.synthesis.registry import transform
from rig.synthesis.transform import SynthesisError


@functools.cache
def fields_of(name: str) -> Mapping[str, Any]:
    """Field name -> type of the parameters of the transform called *name*."""
    kind = transform(name).params
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def params_from_json(name: str, values: object) -> Any:
    """The parameters of the transform called *name*, as the manifest writes them.

    Raises:
        SynthesisError: not an object, a name missing or unknown, or a value of the wrong kind or
            out of range; the sentence says which and what is allowed.
    """
    if not isinstance(values, Mapping):
        raise SynthesisError(f"The parameters of {name} are not an object of names and values.")
    fields = fields_of(name)
    if missing := sorted(fields.keys() - values.keys()):
        raise SynthesisError(f"{name} misses {', '.join(missing)}; {_allowed(name)}")
    return transform(name).params(**_converted(name, values))


def check_overrides(name: str, values: Mapping[str, object]) -> dict[str, Any]:
    """*values* for some of the parameters of the transform called *name*, in its own types.

    Raises:
        SynthesisError: a name unknown or a value of the wrong kind. Ranges are checked when the
            rest of the parameters has been drawn.
    """
    return _converted(name, values)


def _converted(name: str, values: Mapping[str, object]) -> dict[str, Any]:
    fields = fields_of(name)
    found = {}
    for field, value in values.items():
        if field not in fields:
            raise SynthesisError(f"{name} has no parameter {field!r}; {_allowed(name)}")
        found[field] = _value(fields[field], value, f"{field} of {name}")
    return found


def _allowed(name: str) -> str:
    fields = fields_of(name)
    if not fields:
        return f"{name} takes none."
    return (
        f"{name} takes {', '.join(f'{key} ({_described(kind)})' for key, kind in fields.items())}."
    )


def _value(kind: Any, value: object, what: str) -> Any:
    """*value* as *kind*: int, float, or a tuple of such."""
    if kind is int:
        whole = isinstance(value, float) and value.is_integer()
        if (isinstance(value, int) and not isinstance(value, bool)) or whole:
            return int(typing.cast("float", value))
    elif kind is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and _finite(value):
            return float(value)
    elif isinstance(value, (list, tuple)):
        parts = typing.get_args(kind)
        if parts[-1] is Ellipsis:
            parts = (parts[0],) * len(value)
        if len(parts) == len(value):
            return tuple(_value(part, one, what) for part, one in zip(parts, value, strict=True))
    raise SynthesisError(f"{what} is {_shown(value)}; it has to be {_described(kind)}.")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _described(kind: Any) -> str:
    if kind is int:
        return "a whole number"
    if kind is float:
        return "a number"
    parts = typing.get_args(kind)
    if parts[-1] is Ellipsis:
        return f"a list of {_described(parts[0]).removeprefix('a ')}s"
    if len(set(parts)) == 1:
        return f"a list of {len(parts)} {_described(parts[0]).removeprefix('a ')}s"
    return f"a list of {', '.join(_described(part) for part in parts)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
