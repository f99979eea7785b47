"""Catalogs: import from files on the controller's machine, and show."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from rig.capture import importing
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.web.deps import Rig, operator

router = APIRouter(prefix="/api/catalogs", tags=["catalogs"], dependencies=operator)


class NewCatalog(BaseModel):
    """What to import; the paths are the controller's."""

    name: str
    csv: Path
    data_dir: Path
    order: Literal["csv", "patient", "shuffle"] = "csv"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    skip_bad: bool = False


class CatalogView(BaseModel):
    """A kept catalog."""

    id: str
    name: str
    csv: str
    data_dir: str
    ordering: str
    seed: int
    count: int
    problems: list[dict[str, Any]]
    created_ns: int


@router.post("", status_code=201)
async def import_catalog(rig: Rig, wanted: NewCatalog) -> CatalogView:
    """Read a CheXpert-format CSV and its images; every file is read and hashed."""
    kept = await asyncio.to_thread(
        importing.import_catalog,
        rig.database,
        new_id=secrets.token_hex(8),
        name=wanted.name,
        csv=wanted.csv,
        data_dir=wanted.data_dir,
        order=wanted.order,
        seed=wanted.seed,
        skip_bad=wanted.skip_bad,
        now_ns=rig.clock_ns(),
        actor="operator",
    )
    return _view(kept)


@router.get("")
async def list_catalogs(rig: Rig) -> list[CatalogView]:
    """All catalogs, oldest first."""
    return [_view(one) for one in await rig.database.aquery(catalogs.every)]


@router.get("/{name}")
async def show_catalog(rig: Rig, name: str) -> CatalogView:
    """One catalog."""
    return _view(await rig.database.aquery(lambda c: catalogs.find(c, name)))


def _view(kept: Catalog) -> CatalogView:
    return CatalogView(**asdict(kept))
