"""Factors and named environments, read from TOML.

A file may hold `[[factor]]` tables (`name`, `levels`, optional `set_by`, `minutes`),
`[[constraint]]` tables (`when`, `then` or `stations`, `why`), `[[environment]]` tables (`name`,
`levels = {factor = "level"}`), or all of them; see `paper.toml` beside this module.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rig.planning.constraints import Constraint
from rig.planning.edge import sentence
from rig.planning.model import Environment, PlanningError

_FactorName = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$", max_length=32)
]
_Level = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=40)]


@dataclass(frozen=True, slots=True)
class Factor:
    """Something about the scene that is held constant within a subset.

    Attributes:
        name: `a-z`, `0-9`, `_`; at most 32 characters.
        levels: the values it can take, at least one, no two alike.
        set_by: who or what sets it: `operator`, or the name of an actuator.
        minutes: how long a change takes, 0 or more.
    """

    name: str
    levels: tuple[str, ...]
    set_by: str = "operator"
    minutes: float = 1.0


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _FactorTable(_Table):
    name: _FactorName
    levels: list[_Level] = Field(min_length=1, max_length=100)
    set_by: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)] = "operator"
    minutes: float = Field(default=1.0, ge=0, le=24 * 60, allow_inf_nan=False)


class _EnvironmentTable(_Table):
    name: str
    levels: dict[_FactorName, _Level] = Field(min_length=1)


class _ConstraintTable(_Table):
    when: dict[_FactorName, _Level | list[_Level]] = Field(min_length=1)
    then: dict[_FactorName, _Level | list[_Level]] = {}
    stations: list[_Level] = []
    why: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _File(_Table):
    factor: list[_FactorTable] = []
    constraint: list[_ConstraintTable] = []
    environment: list[_EnvironmentTable] = []


def load_factors(toml: Path | None = None) -> tuple[Factor, ...]:
    """The factors of a file; without one, those of the CheXphoto paper.

    A file that only lists environments has the factors and levels that occur in them.

    Raises:
        PlanningError: unreadable, not TOML, or a bad key; the sentence names file and key.
    """
    if toml is None:
        text = resources.files("rig.planning").joinpath("paper.toml").read_text(encoding="utf-8")
        return _factors(_parse(text, "paper.toml"), "paper.toml")
    file = _read(toml)
    factors = _factors(file, toml.name)
    return factors or factors_of(_environments(file, (), toml.name))


def load_constraints(toml: Path | None = None) -> tuple[Constraint, ...]:
    """The `[[constraint]]` tables of a file; without one, those that go with the paper's factors.

    Raises:
        PlanningError: as `load_factors`; or a constraint names a factor or level that is not there.
    """
    if toml is None:
        text = resources.files("rig.planning").joinpath("paper.toml").read_text(encoding="utf-8")
        file, name = _parse(text, "paper.toml"), "paper.toml"
    else:
        file, name = _read(toml), toml.name
    factors = _factors(file, name) or factors_of(_environments(file, (), name))
    return _constraints(file, factors, name)


def load_environments(toml: Path) -> tuple[Environment, ...]:
    """The `[[environment]]` tables of a file in its order; empty when it has none.

    Every environment sets the same factors; where the file has factors too, exactly those, to
    levels they have.

    Raises:
        PlanningError: as `load_factors`, or two environments with the same name or levels.
    """
    file = _read(toml)
    return _environments(file, _factors(file, toml.name), toml.name)


def read_tables(
    tables: Mapping[str, object], name: str
) -> tuple[tuple[Factor, ...], tuple[Constraint, ...], tuple[Environment, ...]]:
    """Factors, constraints and environments of what a file may hold, already parsed.

    Args:
        tables: `factor`, `constraint` and `environment`, each a list of tables.
        name: what the sentences call it.

    Raises:
        PlanningError: as `load_factors` and `load_constraints`; or it holds neither.
    """
    file = _valid(tables, name)
    if not file.factor and not file.environment:
        raise PlanningError(f"{name}: there is neither a factor nor an environment; give one.")
    factors = _factors(file, name)
    listed = _environments(file, factors, name)
    factors = factors or factors_of(listed)
    return factors, _constraints(file, factors, name), listed


def _read(toml: Path) -> _File:
    try:
        text = toml.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanningError(f"{toml} cannot be read as a text file: {error}.") from error
    file = _parse(text, toml.name)
    if not file.factor and not file.environment:
        raise PlanningError(f"{toml.name}: there is neither a [[factor]] nor an [[environment]].")
    return file


def _parse(text: str, name: str) -> _File:
    try:
        return _valid(tomllib.loads(text), name)
    except tomllib.TOMLDecodeError as error:
        raise PlanningError(f"{name} is not valid TOML: {error}.") from error


def _valid(tables: Mapping[str, object], name: str) -> _File:
    try:
        return _File.model_validate(dict(tables))
    except ValidationError as error:
        raise PlanningError(f"{name}: {sentence(error)}.") from error


def _factors(file: _File, name: str) -> tuple[Factor, ...]:
    seen: set[str] = set()
    for number, table in enumerate(file.factor, 1):
        where = f"{name}: factor[{number}]"
        if table.name in seen:
            raise PlanningError(f"{where}.name: there are two factors {table.name!r}.")
        if len(set(table.levels)) < len(table.levels):
            raise PlanningError(f"{where}.levels: the same level of {table.name!r} twice.")
        for level in table.levels:
            _check_level(level, f"{where}.levels")
        seen.add(table.name)
    return tuple(Factor(t.name, tuple(t.levels), t.set_by, t.minutes) for t in file.factor)


def _constraints(file: _File, factors: Sequence[Factor], name: str) -> tuple[Constraint, ...]:
    levels = {factor.name: factor.levels for factor in factors}
    found: list[Constraint] = []
    for number, table in enumerate(file.constraint, 1):
        where = f"{name}: constraint[{number}]"
        if not table.then and not table.stations:
            raise PlanningError(f"{where}: give `then` levels, `stations`, or both.")
        sides: list[dict[str, tuple[str, ...]]] = []
        for key, side in (("when", table.when), ("then", table.then)):
            sides.append({})
            for factor, among in side.items():
                sides[-1][factor] = (among,) if isinstance(among, str) else tuple(among)
                for level in sides[-1][factor]:
                    if level not in levels.get(factor, ()):
                        known = ", ".join(levels.get(factor, ())) or "no such factor"
                        raise PlanningError(
                            f"{where}.{key}.{factor}: {level!r} is not a level ({known})."
                        )
        found.append(Constraint(sides[0], sides[1], tuple(table.stations), table.why))
    return tuple(found)


def _check_level(level: str, where: str) -> None:
    if not level.isprintable() or level != level.strip():
        raise PlanningError(f"{where}: {level!r} has spaces around it or unprintable characters.")


def _environments(file: _File, factors: Sequence[Factor], name: str) -> tuple[Environment, ...]:
    found: list[Environment] = []
    for number, table in enumerate(file.environment, 1):
        where = f"{name}: environment[{number}]"
        names = [f.name for f in factors] or list(file.environment[0].levels)
        if set(table.levels) != set(names):
            odd = ", ".join(sorted(set(table.levels) ^ set(names)))
            raise PlanningError(f"{where}.levels: {odd} must be set in all environments or none.")
        for factor in factors:
            if table.levels[factor.name] not in factor.levels:
                raise PlanningError(
                    f"{where}.levels.{factor.name}: {table.levels[factor.name]!r} is not one of "
                    f"{', '.join(factor.levels)}."
                )
        for key, level in table.levels.items():
            _check_level(level, f"{where}.levels.{key}")
        try:
            one = Environment(table.name, {key: table.levels[key] for key in names})
        except PlanningError as error:
            raise PlanningError(f"{where}.name: {error}") from error
        for other in found:
            if one.name == other.name or one.levels == other.levels:
                what = "name" if one.name == other.name else "levels"
                raise PlanningError(f"{where}.{what}: the same as in {other.name!r}.")
        found.append(one)
    return tuple(found)


def factors_of(environments: Sequence[Environment]) -> tuple[Factor, ...]:
    """The factors that occur in *environments*, levels in order of appearance; a minute each."""
    return tuple(
        Factor(name, tuple(dict.fromkeys(e.levels[name] for e in environments)))
        for name in environments[0].levels
    )
