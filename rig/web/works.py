"""The long work that a person can ask for: imports, datasets built, exported, checked, twins.

Results lie in the home, under names that are made here. Asked for again, or resumed, a synthesis
makes only what is missing; a build appears complete or not at all and begins anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rig.errors import UserError
from rig.store import catalogs
from rig.web import dicom_imports, exports, imports, synthesis_view
from rig.web.controller import Controller
from rig.web.exports import DATASETS, Check, Export
from rig.web.imports import Import
from rig.web.jobs import Handle, Work

if TYPE_CHECKING:
    from rig.synthesis.recipes import Recipe

SYNTHETIC = "synthetic"
"""Folder of the home, beside `DATASETS`."""
WORKERS = 2
"""Processes of a job at most: the controller has stations to serve."""
Word = Annotated[str, Field(min_length=1, max_length=80)]


class WantedError(UserError):
    """What is asked for makes no sense; a sentence."""


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Build(_Wanted):
    """The dataset of a campaign, as `rig dataset build`."""

    campaign: Word
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.]{0,19}$")] = "1.0"
    synthetic: Annotated[list[Word], Field(max_length=4)] = []
    rectified: bool = False
    terms: Annotated[str, Field(max_length=100_000)] = ""


class Synthesis(_Wanted):
    """Twins of every x-ray of a catalog, as `rig synthesize`.

    *recipe* is one of the release, or `own:NAME` of one that was kept here; *text* is one's own
    (TOML) instead, which goes with the job. One's own has its levels as written.
    """

    catalog: Word
    recipe: Annotated[str, Field(max_length=80)] = ""
    text: Annotated[str, Field(max_length=synthesis_view.MOST_TEXT)] = ""
    level: Annotated[int, Field(ge=1, le=4)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    quality: Annotated[int, Field(ge=1, le=95)] = 75


Asked = Build | Synthesis | Import | Export | Check
KINDS: Mapping[str, type[Asked]] = {
    "build": Build, "synthesis": Synthesis, imports.KIND: Import, exports.KIND: Export,
    exports.CHECK: Check,
}  # fmt: skip
"""What can be asked for, and resumed."""


def work_for(rig: Controller, kind: str, wanted: Mapping[str, Any]) -> Work:
    """The work of a job of *kind* that was asked for with *wanted*.

    Raises:
        WantedError: no such kind, or a field that makes no sense.
        NotFoundError: no such campaign, catalog, dataset or recipe.
        SynthesisError: no such recipe, or a mistake in one's own, with its line.
        UserError: an import that cannot be begun.
    """
    if kind == dicom_imports.KIND:
        return dicom_imports.work_for(rig, wanted)
    if kind not in KINDS:
        raise WantedError(
            f"No job is called {kind[:40]!r}; there are {', '.join((*KINDS, dicom_imports.KIND))}."
        )
    try:
        asked: Asked = KINDS[kind].model_validate(dict(wanted))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the job"
        raise WantedError(f"{kind}: {where}: {first['msg']}.") from error
    if isinstance(asked, Import):
        return imports.work_for(rig, asked)
    if isinstance(asked, Export | Check):
        return exports.work_for(rig, asked)
    return _build(rig, asked) if isinstance(asked, Build) else _synthesis(rig, asked)


def _build(rig: Controller, asked: Build) -> Work:
    from rig.capture import campaigns
    from rig.dataset.from_store import build_campaign
    from rig.intake.rectify import rectified
    from rig.synthesis.pool import make_pool
    from rig.synthesis.recipes import named_recipe

    with rig.database.read() as connection:
        campaigns.find(connection, asked.campaign)
    for one in asked.synthetic:
        named_recipe(one)

    def work(handle: Handle) -> dict[str, Any]:
        wanted = bool(asked.synthetic) or asked.rectified
        pool = make_pool(_workers()) if wanted and _workers() > 1 else None
        try:
            report = build_campaign(
                rig.database, rig.home, asked.campaign, rig.home / DATASETS,
                version=asked.version, synthetic=asked.synthetic, terms=asked.terms,
                rectify=rectified if asked.rectified else None, executor=pool,
                progress=handle.progress,
            )  # fmt: skip
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)
        gaps = [{"index": g.index, "reason": g.reason} for g in report.gaps]
        return {
            "name": report.path.name, "folder": _within(rig.home, report.path),
            "natural": report.natural, "synthetic": report.synthetic, "gaps": gaps,
            "gap_count": report.missing, "failed": list(report.failed),
            "failed_count": report.unmade,
        }  # fmt: skip

    return work


def _synthesis(rig: Controller, asked: Synthesis) -> Work:
    from rig.synthesis.pool import make_pool
    from rig.synthesis.runner import Item, synthesize

    recipe, mark = _recipe(rig, asked)
    with rig.database.read() as connection:
        kept = catalogs.find(connection, asked.catalog)

    def work(handle: Handle) -> dict[str, Any]:
        with rig.database.read() as connection:
            xrays = catalogs.xrays(connection, kept.id)
        items = [Item(x.key, x.file, PurePosixPath(f"{x.key}.jpg")) for x in xrays]
        name = f"{kept.name}-{recipe.name}-{mark}-{asked.seed}-{asked.quality}"
        folder = rig.home / SYNTHETIC / name
        folder.mkdir(parents=True, exist_ok=True)
        pool = make_pool(_workers())
        try:
            done = synthesize(
                items, recipe, seed=asked.seed, out_dir=folder, executor=pool,
                progress=handle.progress, quality=asked.quality,
            )  # fmt: skip
        finally:
            pool.shutdown(cancel_futures=True)
        failed = [{"key": one.key, "reason": one.reason} for one in done.failed[:1000]]
        return {
            "folder": _within(rig.home, folder), "made": done.made, "skipped": done.skipped,
            "failed": failed, "failed_count": len(done.failed),
        }  # fmt: skip

    return work


def _recipe(rig: Controller, asked: Synthesis) -> tuple[Recipe, str]:
    """The recipe, and what tells its twins from those of others of the name: level or digest.

    Raises:
        WantedError: neither a recipe nor a text, or both.
        SynthesisError: no such recipe, or a mistake in one's own, with its line.
        NotFoundError: no such recipe is kept here.
    """
    from rig.synthesis.recipe_file import parse_recipe
    from rig.synthesis.recipes import named_recipe

    if bool(asked.text) == bool(asked.recipe):
        raise WantedError("synthesis: give the name of a recipe, or the text of your own.")
    text = asked.text
    if asked.recipe.startswith(synthesis_view.OWN):
        text = synthesis_view.text_of(rig.home, asked.recipe)
    if not text:
        return named_recipe(asked.recipe, asked.level), str(asked.level)
    recipe = parse_recipe(text, where="The recipe", default_name="own")
    # What was made by an earlier text of the name must not pass for this one's.
    return recipe, "own" + hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]


def _workers() -> int:
    from rig.synthesis.pool import default_workers

    return min(WORKERS, default_workers())


def _within(home: Path, path: Path) -> str:
    return path.relative_to(home).as_posix()
