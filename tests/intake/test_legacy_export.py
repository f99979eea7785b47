"""The audit of the original app's folder: by whole names, never by what a name promises."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from rig.errors import UserError
from rig.intake import legacy_export
from rig.intake.legacy_export import Asked, audit_export


def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (32, 24), number * 20).save(out, "JPEG", comment=f"{number}")
    return out.getvalue()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Three photos, one of them in a folder of its own."""
    folder = tmp_path / "export"
    (folder / "more").mkdir(parents=True)
    for index in (1, 2):
        (folder / f"{index}__n__x.jpg").write_bytes(jpeg(index))
    (folder / "more" / "3__n__x.jpg").write_bytes(jpeg(3))
    return folder


def asked(claimed: int = 3, **names: list[str]) -> Asked:
    mine = {index: [f"{index}__n__x.jpg"] for index in (1, 2, 3)}
    return Asked(1, 3, mine | {int(k[1:]): v for k, v in names.items()}, claimed, {2: "why"})


def kinds(export: Path, **more: list[str]) -> list[tuple[int, str]]:
    return [(p.index, p.kind) for p in audit_export(asked(**more), export).problems]


def test_a_whole_export_passes(export: Path) -> None:
    """Wherever in the folder they lie; suspects are passed on."""
    found = audit_export(asked(), export)
    assert found.passed
    assert sorted(found.photos) == [1, 2, 3]
    assert found.as_json()["suspects"] == [{"index": 2, "why": "why"}]


def test_a_run_that_is_not_complete_does_not_pass(export: Path) -> None:
    """Even with every file there: nobody claims the rest."""
    found = audit_export(asked(claimed=1), export)
    assert not found.passed
    assert [(p.index, p.kind) for p in found.problems] == [(2, "missing")]


def test_links_and_hidden_files_do_not_count(export: Path, tmp_path: Path) -> None:
    """A link may point anywhere."""
    (tmp_path / "outside.jpg").write_bytes(jpeg(9))
    (export / "1__n__x.jpg").unlink()
    (export / "1__n__x.jpg").symlink_to(tmp_path / "outside.jpg")
    (export / "2__n__x.jpg").rename(export / ".2__n__x.jpg")
    assert kinds(export) == [(1, "missing"), (2, "missing")]


def test_two_names_of_one_number_are_doubled(export: Path) -> None:
    """Both were asked for: which one is it?"""
    (export / "1__m__x.jpg").write_bytes(jpeg(7))
    assert kinds(export, i1=["1__m__x.jpg", "1__n__x.jpg"]) == [(1, "doubled")]


def test_a_stranger_with_our_number_is_told_and_harms_nothing(export: Path) -> None:
    """A file of another run; ours is still taken."""
    (export / "1__m__x.jpg").write_bytes(jpeg(7))
    found = audit_export(asked(), export)
    assert [(p.index, p.kind) for p in found.problems] == [(1, "doubled")]
    assert found.photos[1].name == "1__n__x.jpg"


def test_files_that_are_no_photo(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty, cut short, too large, or the same again."""
    (export / "1__n__x.jpg").write_bytes(b"")
    (export / "2__n__x.jpg").write_bytes(jpeg(2)[:200])
    (export / "more" / "3__n__x.jpg").write_bytes(jpeg(3) + b"\0" * 3000)
    monkeypatch.setattr(legacy_export, "LARGEST", 3000)
    assert kinds(export) == [(1, "empty"), (2, "damaged"), (3, "damaged")]


def test_the_same_bytes_under_two_numbers(export: Path) -> None:
    """A camera that returned its last frame again."""
    (export / "2__n__x.jpg").write_bytes(jpeg(1))
    assert kinds(export) == [(2, "same")]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(UserError, match="copy the phone's CheXpeditor folder there"):
        audit_export(asked(), tmp_path / "nowhere")
