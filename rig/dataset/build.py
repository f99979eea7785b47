"""Build a dataset: it appears complete or not at all, and the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from rig.catalog.model import Xray
from rig.dataset import layout
from rig.dataset.assemble import Assembly, Plan
from rig.dataset.boxes import VISIBLE
from rig.dataset.captures import is_build_of
from rig.dataset.errors import DatasetError
from rig.dataset.files import partial_name, recover, remove_tree, replace_folder, settle
from rig.dataset.model import BuildReport, CapturedPhoto, Gap
from rig.dataset.records import Source, listed
from rig.dataset.rectified import Rectify
from rig.dataset.reuse import Earlier
from rig.dataset.survey import survey
from rig.dataset.vindr import Annotations

Progress = Callable[[int, int], None]


def build(
    out: Path,
    *,
    name: str,
    version: str,
    xrays: Sequence[Xray],
    photos: Sequence[CapturedPhoto],
    gaps: Sequence[Gap] = (),
    synthetic: Sequence[str] = (),
    seed: int = 0,
    terms: str = "",
    films: Sequence[Xray] = (),
    annotations: Annotations | None = None,
    visible: float = VISIBLE,
    rectify: Rectify | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build `out/<name>-v<version>` of what is in memory; see `build_from`.

    Args:
        out: folder that holds the dataset's folder; made when missing.
        name: of the dataset.
        version: of the dataset.
        xrays: the source x-rays; each gets its twins.
        photos: at most one per x-ray and device.
        gaps: x-rays without a photo.
        synthetic: sets to make, `digital` and `photographic` (or `spatial`).
        seed: of the twins.
        terms: terms and attribution for the card, Markdown.
        films: photos of films with their rows; `file` is the photo.
        annotations: findings to carry into every picture.
        visible: boxes of which less than this share is in a picture are dropped, 0..1.
        rectify: makes the rectified copies; None for none.
        executor: makes the twins; None makes them here.
        progress: called with (done, total) images.

    Raises:
        DatasetError: as `build_from`; also a photo of an x-ray that is not among *xrays*.
        SynthesisError: the executor's workers died.
    """
    return build_from(
        out,
        listed(xrays, photos, gaps),
        name=name,
        version=version,
        synthetic=synthetic,
        seed=seed,
        terms=terms,
        films=films,
        annotations=annotations,
        visible=visible,
        rectify=rectify,
        executor=executor,
        progress=progress,
    )


def build_from(
    out: Path,
    source: Source,
    *,
    name: str,
    version: str,
    synthetic: Sequence[str] = (),
    seed: int = 0,
    terms: str = "",
    films: Sequence[Xray] = (),
    annotations: Annotations | None = None,
    visible: float = VISIBLE,
    rectify: Rectify | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build `out/<name>-v<version>` in CheXphoto's layout, in memory that does not grow with it.

    An earlier build of the same name is replaced once the new one is whole; what did not change is
    linked from it instead of being written again. Anything else of that name is left alone. A
    photo that is gone or changed becomes a gap, it stops nothing. The result depends on the input
    alone, not on whether there was an earlier build.

    Raises:
        DatasetError: a patient in two splits, a name that cannot be a folder, doubled photos, or
            something else under that name.
        SynthesisError: the executor's workers died.
    """
    root = layout.root_name(name, version)
    kinds = tuple(dict.fromkeys(layout.kind_of(kind) for kind in synthetic))
    final = out / root
    seen = survey(source, films, scratch=out if out.is_dir() else None)
    out.mkdir(parents=True, exist_ok=True)
    recover(final)
    if final.exists() and not is_build_of(final, root):
        raise DatasetError(
            f"{final} exists and is not an earlier build of this dataset; move it away first."
        )
    partial = partial_name(final)
    remove_tree(partial)
    partial.mkdir()
    plan = Plan(
        folder=partial,
        final=final,
        root=root,
        kinds=kinds,
        seed=seed,
        terms=terms,
        annotations=annotations,
        visible=visible,
        rectify=rectify,
        executor=executor,
        progress=progress,
        survey=seen,
    )
    try:
        before = final if final.exists() else None
        with Earlier(before, scratch=out) as earlier, Assembly(plan, earlier, scratch=out) as work:
            report = work.run(source, films)
        settle(partial)
        replace_folder(partial, final)
    except BaseException:
        remove_tree(partial)
        raise
    return report
