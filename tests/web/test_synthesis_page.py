"""The page of synthesis: before and after, the grid, recipes of one's own, the job."""

from __future__ import annotations

import html
import io
import time
from typing import Any

import pytest
from PIL import Image

from rig.store import catalogs
from rig.synthesis.registry import TRANSFORMS

OWN = 'name = "mine"\n[[steps]]\ntransform = "blur"\nlevel = 3\n'


def until_over(ready, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while (seen := ready.running.get(f"/api/jobs/{job}"))["state"] == "running":
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    return dict(seen)


def ask(ready, method: str, path: str, **more: Any) -> Any:
    with ready.running.operator() as client:
        return client.request(method, path, headers={"Accept": "text/html"}, **more)


def text_of(ready, path: str) -> str:
    answer = ask(ready, "GET", path)
    assert answer.status_code == 200, answer.text
    assert 'style="' not in answer.text
    return html.unescape(answer.text)


@pytest.fixture
def xray(ready):
    """The second x-ray of the catalog."""

    def read(connection):
        (one,) = catalogs.every(connection)
        return catalogs.xrays(connection, one.id, 2, 2)[0]

    return ready.running.rig.database.query(read)


def test_without_x_rays_there_is_a_way_to_some(running):
    """Nothing to compare: a sentence and a button."""
    with running.operator() as client:
        text = client.get("/synthesis").text
    assert "There are no x-rays yet" in text
    assert 'href="/catalogs"' in text


def test_the_page_has_both_sides_and_every_transform_at_every_level(ready, xray):
    """Lazy, of the x-ray that was chosen."""
    text = text_of(ready, "/synthesis?catalog=tiny&index=2&recipe=digital&level=3&seed=7")
    assert f"/synthesis/{xray.sha256}/before" in text
    assert f"/synthesis/{xray.sha256}/recipe/digital?level=3&seed=7" in text
    assert text.count('loading="lazy"') == 4 * len(TRANSFORMS)
    for name in TRANSFORMS:
        assert f"/transform/{name}/4" in text
    assert "X-ray 6 before" in text_of(ready, "/synthesis?index=999")


def test_pictures_are_made_kept_and_different(ready, xray):
    """Before, after, one transform; by level and seed; 304 for who has it."""
    at = f"/synthesis/{xray.sha256}"
    paths = [
        f"{at}/before", f"{at}/recipe/digital?level=2", f"{at}/recipe/digital?level=4",
        f"{at}/recipe/digital?level=4&seed=5", f"{at}/transform/blur/4",
    ]  # fmt: skip
    made = [ask(ready, "GET", path) for path in paths]
    assert [one.status_code for one in made] == [200] * 5
    assert len({one.content for one in made}) == len({one.headers["etag"] for one in made}) == 5
    for one in made:
        assert Image.open(io.BytesIO(one.content)).size == (xray.width, xray.height)
    with ready.running.operator() as client:
        told = {"If-None-Match": made[1].headers["etag"]}
        assert client.get(paths[1], headers=told).status_code == 304
    kept = list((ready.running.home / "cache/synthesis").rglob("*.jpg"))
    assert len(kept) == 5
    again = ask(ready, "GET", paths[4])
    assert again.content == made[4].content


def test_what_there_is_not_is_a_sentence(ready, xray):
    """Recipes, transforms, levels and x-rays; nobody without sign-in."""
    at = f"/synthesis/{xray.sha256}"
    for path in (
        f"{at}/recipe/none", f"{at}/recipe/own:..%2fx", f"{at}/transform/none/1",
        f"{at}/transform/blur/9", f"{at}/recipe/digital?level=9", f"/synthesis/{'0' * 64}/before",
        "/synthesis?recipe=none", "/synthesis?catalog=none", "/synthesis/../rig.db/before",
    ):  # fmt: skip
        assert ask(ready, "GET", path).status_code in {404, 422}, path
    with ready.running.client() as nobody:
        assert nobody.get(f"{at}/before", follow_redirects=False).status_code in {303, 401}


def test_a_recipe_of_ones_own_is_kept_and_shown(ready, xray):
    """Under its name; a second one of the name is refused, a wrong one shown with its line."""
    answer = ask(ready, "POST", "/synthesis/recipes", data={"recipe": OWN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/synthesis?recipe=own:mine")
    text = text_of(ready, "/synthesis?recipe=own:mine")
    assert "own:mine: blur" in text
    assert '<input type="hidden" name="recipe" value="own:mine">' in text
    assert "own:mine, seed 0" in text
    shown = ask(ready, "GET", f"/synthesis/{xray.sha256}/recipe/own:mine")
    assert shown.headers["content-type"] == "image/jpeg"
    assert ask(ready, "POST", "/synthesis/recipes", data={"recipe": OWN}).status_code == 409
    wrong = ask(ready, "POST", "/synthesis/recipes", data={"recipe": OWN.replace("blur", "<b>")})
    assert wrong.status_code == 422
    assert "line 3" in wrong.text
    assert "<b>" not in wrong.text
    for name in ("../x", "a/b", ".h", "unnamed"):
        text = OWN.replace("mine", name)
        assert ask(ready, "POST", "/synthesis/recipes", data={"recipe": text}).status_code == 422
    assert [one.name for one in ready.running.home.rglob("*.toml")] == ["mine.toml"]


def test_the_job_is_begun_with_what_is_shown(ready, monkeypatch):
    """Catalog, recipe, level, seed."""
    asked = {}
    monkeypatch.setattr(
        ready.running.rig.jobs, "submit", lambda kind, work, **more: asked.update(more, kind=kind)
    )
    fields = {"catalog": "tiny", "recipe": "spatial", "level": "3", "seed": "9"}
    assert ask(ready, "POST", "/synthesis/jobs", data=fields).status_code == 303
    assert asked["kind"] == "synthesis"
    assert asked["wanted"] == {"catalog": "tiny", "recipe": "spatial", "level": 3, "seed": 9}
    for wrong in ({"catalog": "none"}, {"recipe": "none"}, {"level": "9"}, {"seed": "x"}):
        answer = ask(ready, "POST", "/synthesis/jobs", data={**fields, **wrong})
        assert answer.status_code in {404, 422}


def test_a_recipe_of_ones_own_makes_the_twins_of_a_catalog(ready):
    """Kept here or sent with the job; another text never passes for what an earlier one made."""
    assert ask(ready, "POST", "/synthesis/recipes", data={"recipe": OWN}).status_code == 303
    fields = {"catalog": "tiny", "recipe": "own:mine", "level": "1", "seed": "4"}
    assert ask(ready, "POST", "/synthesis/jobs", data=fields).status_code == 303
    kept = until_over(ready, ready.running.get("/api/jobs")[0]["id"])
    assert (kept["state"], kept["result"]["made"]) == ("done", 6), kept

    def asked(text: str) -> dict[str, Any]:
        wanted = {"catalog": "tiny", "text": text, "seed": 4}
        job = ready.running.post("/api/jobs", kind="synthesis", wanted=wanted)["id"]
        return dict(until_over(ready, job)["result"])

    same = asked(OWN)
    assert (same["made"], same["skipped"]) == (0, 6)
    assert same["folder"] == kept["result"]["folder"]
    other = asked(OWN.replace("level = 3", "level = 4"))
    assert other["made"] == 6
    assert other["folder"] != same["folder"]
    text = html.unescape(ask(ready, "GET", "/jobs").text)
    assert "tiny, own:mine" in text
    assert "a recipe of one's own" in text


def test_a_mistake_in_a_recipe_is_told_with_its_line_before_a_job_begins(ready):
    """Also no TOML at all, none, both, one that is not kept here."""
    for wanted, words in (
        ({"text": OWN.replace("blur", "blurr")}, "line 3"),
        ({"text": OWN + "levle = 2\n"}, "line 5"),
        ({"text": 'name = "mine\n'}, "line 1"),
        ({}, "the name of a recipe, or the text"),
        ({"recipe": "digital", "text": OWN}, "the name of a recipe, or the text"),
        ({"recipe": "own:none"}, "own:none"),
        ({"recipe": "own:../../secret"}, "No recipe"),
        ({"text": "x" * 20_001}, "20000"),
    ):
        body = {"kind": "synthesis", "wanted": {"catalog": "tiny", **wanted}}
        with ready.running.operator() as client:
            answer = client.post("/api/jobs", json=body)
        assert answer.status_code in {404, 422}, wanted
        assert words in answer.json()["detail"], answer.text
    assert ready.running.get("/api/jobs") == []
