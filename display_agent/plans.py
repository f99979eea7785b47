"""The plan of a session as a file."""

from __future__ import annotations

import json
from pathlib import Path

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.planning.plan import SubsetPlan, from_json, to_json


def read_plan(path: Path) -> SubsetPlan:
    """The plan that a person names; raises UserError when it is none."""
    try:
        return from_json(json.loads(path.read_bytes()))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); make it by `rig plan export`") from error


def save_plan(folder: Path, plan: SubsetPlan) -> None:
    """Keep *plan* in *folder*, durably: a restarted agent goes on from it."""
    write_atomic(folder / "plan.json", json.dumps(to_json(plan)).encode(), mode=PRIVATE)


def load_plan(folder: Path) -> SubsetPlan:
    """The plan kept in *folder*; raises UserError when it is damaged."""
    path = folder / "plan.json"
    try:
        return from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); load the plan again") from error
