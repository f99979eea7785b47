"""The verification bench on patients that no limit was chosen on: it counts, and this judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from bench.__main__ import main
from bench.programs import BenchError
from bench.verify import SHOTS, STRANGERS, _claims
from bench.verify_photos import Order, Photo, Source, half_of, orders, sources
from bench.verify_table import table

COUNT = 6
pytestmark = pytest.mark.timeout(1200)  # photos are rendered: half a minute, on a busy machine ten


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Of three bundled x-rays of the test half, all kinds of photos."""
    folder = tmp_path_factory.mktemp("photos")
    out = folder / "result.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *words, **_: out.write_text(str(words[0])))
        words = ["verify", "--count", str(COUNT), "--brief", "--seed", "5", "--json"]
        sheet = folder / "doubtful.jpg"
        assert main([*words, "--photos", str(folder), "--contact", str(sheet)]) == 0
    return json.loads(out.read_text()) | {"sheet": str(sheet)}


def test_held_out_photos_are_verified(result: dict) -> None:
    """All easy and typical ones, with and without a prior; of the hard more than two in five."""
    by = {(row["preset"], row["way"]): row for row in result["true"]}
    for way in ("cascade", "prior"):
        for preset in ("easy", "typical"):
            row = by[preset, way]
            assert row["photos"] >= 3
            assert row["verified"] == row["photos"], result["doubtful"]
        assert by["hard", way]["verified"] > 0.4 * by["hard", way]["photos"]
    assert by["typical", "prior"]["by_prior"] > 0
    assert by["typical", "cascade"]["by_prior"] == 0


def test_nothing_else_is_accepted(result: dict) -> None:
    """No impostor and no mishap of any kind, and each kind was there."""
    assert {row["kind"] for row in result["false"]} == {
        "other patient", "dialog", "hand", "tear", "side tear", "blend", "mirror",
        "black", "desktop",
    }  # fmt: skip
    assert [row for row in result["false"] if row["accepted"]] == []


def claimed(of: list[str], photos_each: int = 4) -> list[tuple[str, int, int, bool]]:
    """Claims on x-rays of the patients *of*: photo, shown, claimed, of the same patient."""
    xrays = [Source(Path(f"{n}.png"), f"{who}/study{n}/view1") for n, who in enumerate(of)]
    photos = [
        Photo(Order("true", preset, at, 3.0, shot, at), Path(f"{at}-{preset}-{shot}.jpg"), ())
        for preset, shot in (("easy", 1), ("typical", 1), ("hard", 1), ("hard", 2))[:photos_each]
        for at in range(len(of))
    ]
    return [
        (str(photo.file), photo.order.at, at, of[at] == of[photo.order.at])
        for _, (photo,), claims in _claims(photos, xrays, seed=1)
        for at in claims
    ]


def test_no_impostor_is_counted_twice_and_none_is_the_xray_itself() -> None:
    """Two photos of a film may claim the same other film; one photo may not do so twice."""
    found = claimed(["a"] * 4 + ["b"] * 2 + [f"p{n}" for n in range(20)])
    assert len({(file, at) for file, _, at, _ in found}) == len(found)
    assert all(shown != at for _, shown, at, _ in found)
    same = [(shown, at) for _, shown, at, same in found if same]
    assert len(set(same)) == 4 * 3 + 2 * 1  # both directions of every pair
    assert len(same) == SHOTS * len(set(same))
    strangers = [shown for _, shown, _, same in found if not same]
    assert {strangers.count(at) for at in range(26)} == {STRANGERS}


def test_the_photos_of_a_claim_are_of_different_kinds() -> None:
    """As far as there are several; a film photographed once makes each claim once."""
    found = claimed(["a", "a", *"bcdefghijk"])
    for at in (0, 1):
        kinds = {file.split("-")[1] for file, shown, _, same in found if shown == at and same}
        assert len(kinds) == SHOTS
    once = claimed(["a", "a", *"bcdefghijk"], photos_each=1)
    assert sum(same for *_, same in once) == 2


def test_impostors_tell_how_much_is_behind_the_claims(result: dict) -> None:
    """Claims, and the different pairs of x-rays they are made of."""
    same, other = result["impostors"]
    assert (same["kind"], other["kind"]) == ("same patient", "other patient")
    assert other["photos"] >= 3
    assert other["claims"] == other["xray_pairs"] == other["photos"] * (COUNT - 1)
    assert (same["claims"], other["accepted"]) == (0, 0)
    assert 3 <= other["patients"] <= COUNT


def test_the_place_is_found(result: dict) -> None:
    """At 2 megapixels: less than half of what 12 would allow."""
    (typical,) = (row for row in result["place"] if row["preset"] == "typical")
    assert typical["corner_median_px"] < 1
    assert typical["worst_iou_p5"] > 0.95


def test_the_tables_tell_every_count(result: dict) -> None:
    """One line per group, and the limits' alternatives grow or fall as they must."""
    text = table(result)
    assert text.count("| typical |") >= 3
    accepted = [row["hard"][0] for row in result["by_score"]]
    assert accepted == sorted(accepted, reverse=True)
    dialogs = [row["dialog"][0] for row in result["by_cluster"]]
    assert dialogs == sorted(dialogs)


def test_the_sheet_is_a_small_picture(result: dict) -> None:
    """For the documentation."""
    with Image.open(result["sheet"]) as picture:
        assert picture.width > 1000
    assert Path(result["sheet"]).stat().st_size < 300_000


def test_halves_do_not_share_a_patient(tmp_path: Path) -> None:
    """By the patient alone, so that a growing collection keeps its halves."""
    listed = tmp_path / "train.csv"
    names = [
        f"X/train/patient{n:05d}/study{s}/view1_frontal.jpg" for n in range(60) for s in (1, 2)
    ]
    listed.write_text("Path\n" + "\n".join(names) + "\n")
    halves = {half: {x.patient for x in sources(listed, half)} for half in ("tuning", "test")}
    assert not halves["tuning"] & halves["test"]
    assert len(halves["tuning"] | halves["test"]) == 60
    assert min(map(len, halves.values())) > 15
    assert len(sources(listed, "all")) == 120
    assert half_of("patient00001") == half_of("patient00001")
    with pytest.raises(BenchError, match="Path"):
        sources(tmp_path / "gone.csv", "test")


def test_every_photo_is_ordered_once_and_a_rig_stands_still_for_four() -> None:
    """A series shares its tripod; no two orders are the same photo."""
    wanted = orders(40)
    assert len(set(wanted)) == len(wanted)
    hard = [o for o in wanted if o.kind == "true" and o.preset == "hard" and o.round == 2]
    assert [o.series for o in hard] == [at // 4 for at in range(40)]
    assert {o.preset for o in wanted if o.kind == "dialog"} == {"easy", "typical", "hard", "lamp"}
