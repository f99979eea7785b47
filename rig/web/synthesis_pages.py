"""The page of synthesis: a recipe before and after, every transform at every level, the job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.responses import Response

from rig.errors import UserError
from rig.store import catalogs
from rig.web import forms, synthesis_view, thumbnails, works
from rig.web.controller import Controller
from rig.web.deps import Rig, operator
from rig.web.problems import Problem
from rig.web.render import page
from rig.web.thumbnails import Size, Thumbnails

router = APIRouter(include_in_schema=False, dependencies=operator)
Level = Annotated[int, Query(ge=1, le=4)]
Seed = Annotated[int, Query(ge=0, lt=2**31)]
RecipeName = Annotated[str, Query(max_length=80)]
EXAMPLE = """name = "my_phone"

[[steps]]
transform = "glare_matte"
level = 2

[[steps]]
transform = "moire"
"""


@router.get("/synthesis")
async def show_synthesis(
    rig: Rig,
    catalog: str = "",
    index: Annotated[int, Query(ge=1, lt=2**31)] = 1,
    recipe: RecipeName = "spatial",
    level: Level = 2,
    seed: Seed = 0,
) -> Response:
    """Choose a recipe and an x-ray; see it before and after, and all transforms of it."""
    return await _show(rig, catalog, index=index, recipe=recipe, level=level, seed=seed)


async def _show(
    rig: Controller,
    catalog: str = "",
    *,
    index: int = 1,
    recipe: str = "spatial",
    level: int = 2,
    seed: int = 0,
    wrong: str | None = None,
    draft: str = EXAMPLE,
    status: int = 200,
) -> Response:
    def read(connection: Connection) -> dict[str, Any]:
        every = catalogs.every(connection)
        chosen = catalogs.find(connection, catalog) if catalog else every[-1] if every else None
        if chosen is None:
            return {"catalogs": every, "chosen": None, "xray": None, "index": 1}
        place = min(index, chosen.count)
        (xray,) = catalogs.xrays(connection, chosen.id, place, place)
        return {"catalogs": every, "chosen": chosen, "xray": xray, "index": place}

    view = await rig.database.aquery(read)
    known = await asyncio.to_thread(synthesis_view.recipes, rig.home)
    if recipe not in known:
        raise Problem(404, f"No recipe is called {recipe[:80]!r}; there are {', '.join(known)}.")
    return page(
        "synthesis.html", status, **view, recipes=known, recipe=recipe, level=level, seed=seed,
        levels=synthesis_view.LEVELS, transforms=await asyncio.to_thread(synthesis_view.transforms),
        own=recipe.startswith(synthesis_view.OWN), wrong=wrong, draft=draft,
    )  # fmt: skip


@router.post("/synthesis/recipes")
async def keep_recipe(rig: Rig, request: Request) -> Response:
    """Keep a recipe that somebody wrote; one that is wrong is shown again with the sentence."""
    form = await forms.read(request)
    text = form("recipe").replace("\r\n", "\n") + "\n"
    try:
        if len(text) > synthesis_view.MOST_TEXT:
            raise Problem(422, "A recipe may have 20,000 letters.")
        name = await asyncio.to_thread(synthesis_view.keep_recipe, rig, text)
    except (UserError, Problem) as error:
        status = error.status if isinstance(error, Problem) else 422
        return await _show(rig, wrong=str(error), draft=text, status=status)
    return RedirectResponse(f"/synthesis?recipe={name}", 303)


@router.post("/synthesis/jobs")
async def make_twins(rig: Rig, request: Request) -> Response:
    """Begin a job that makes the twins of all x-rays of a catalog."""
    form = await forms.read(request)
    level = form.number("level", "The level", low=1, high=4, default=1)
    seed = form.number("seed", "The seed", low=0, high=2**31 - 1, default=0)
    wanted = {"catalog": form("catalog"), "recipe": form("recipe"), "level": level, "seed": seed}
    work = await asyncio.to_thread(works.work_for, rig, "synthesis", wanted)
    await asyncio.to_thread(lambda: rig.jobs.submit("synthesis", work, wanted=wanted, long=True))
    return RedirectResponse("/jobs", 303)


@router.get("/synthesis/{sha256:hex64}/before")
async def show_before(
    request: Request, rig: Rig, sha256: Annotated[str, Path()], size: Size = Size.MIDDLE
) -> Response:
    """The x-ray as it is, in the size of its twins."""
    return await _picture(request, rig, sha256, lambda: None, seed=0, size=size, named=("before",))


@router.get("/synthesis/{sha256:hex64}/recipe/{name}")
async def show_after(
    request: Request,
    rig: Rig,
    sha256: Annotated[str, Path()],
    name: Annotated[str, Path(max_length=80)],
    level: Level = 1,
    seed: Seed = 0,
    size: Size = Size.MIDDLE,
) -> Response:
    """The x-ray after a recipe."""

    def recipe() -> Any:
        return synthesis_view.recipe_of(rig.home, name, level)

    return await _picture(request, rig, sha256, recipe, seed=seed, size=size)


@router.get("/synthesis/{sha256:hex64}/transform/{name}/{level:int}")
async def show_transform(
    request: Request,
    rig: Rig,
    sha256: Annotated[str, Path()],
    name: Annotated[str, Path(max_length=80)],
    level: Annotated[int, Path(ge=1, le=4)],
    seed: Seed = 0,
    size: Size = Size.SMALL,
) -> Response:
    """The x-ray after one transform."""
    if name not in await asyncio.to_thread(synthesis_view.transforms):
        raise Problem(404, f"No transform is called {name!r}.")
    return await _picture(
        request, rig, sha256, lambda: synthesis_view.single(name, level), seed=seed, size=size
    )


async def _picture(
    request: Request,
    rig: Controller,
    sha256: str,
    recipe_of: Callable[[], Any],
    *,
    seed: int,
    size: Size,
    named: tuple[str, ...] = (),
) -> Response:
    file = await rig.database.aquery(lambda c: catalogs.image_file(c, sha256))
    recipe = await asyncio.to_thread(recipe_of)
    steps = (
        [] if recipe is None else [(s.transform, s.level, dict(s.overrides)) for s in recipe.steps]
    )
    of = None if recipe is None else recipe.reference_size
    key = thumbnails.key_of("synthesis", sha256, steps, of, seed, *named)
    make = synthesis_view.maker(file, sha256, recipe, seed=seed, key=sha256[:16], size=size)
    return await thumbnails.answer(request, _kept(request), key, size, make)


def _kept(request: Request) -> Thumbnails:
    """Apart from the thumbnails: a grid of twins must not hold up a contact sheet."""
    state = request.app.state
    found: Thumbnails | None = getattr(state, "synthesis_pictures", None)
    if found is None:
        rig: Controller = state.rig
        found = state.synthesis_pictures = Thumbnails(
            rig.home / thumbnails.SYNTHESIS, workers=1, room=thumbnails.room_of(request)
        )
    return found
