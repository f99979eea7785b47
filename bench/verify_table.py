"""The result of the verification bench for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(result: dict[str, Any]) -> str:
    """*result* as Markdown tables, ready for the documentation."""
    about = (
        f"{result['photos']} photos of {result['xrays']} x-rays ({result['patients']} patients, "
        f"half {result['half']!r}), seed {result['seed']}, {result['checks']} checks in "
        f"{result['minutes']:.0f} minutes with {result['workers']} workers, load "
        f"{result['load']:.0f}; OpenCV {result['opencv']}"
    )
    parts = [
        about,
        "True photos. prior: started from the place of the last verified photo of the series.",
        _lines(
            ("photos", "way", "verified", "of", "%", "kept", "worst score", "median",
             "max cluster"),
            [
                (
                    r["preset"], r["way"], r["verified"], r["photos"],
                    f"{100 * r['verified'] / r['photos']:.1f}", r["kept"],
                    f"{r['worst_score']:.3f}", f"{r['median_score']:.3f}",
                    f"{r['worst_cluster']:.3f}",
                )
                for r in result["true"]
            ],
        ),
        "To be refused. Every pair is tried from the true place of the screen and by the cascade.",
        _lines(
            ("what", "photos", "pairs", "accepted", "best score", "least cluster",
             "least unproven"),
            [
                (f"{r['kind']}, {r['preset']}", r["photos"], r["pairs"], r["accepted"],
                 f"{r['best_score']:.3f}", _or_dash(r["least_cluster"], ".3f"),
                 _or_dash(r["least_unproven"], ".3f"))
                for r in result["false"]
            ],
        ),
        "Impostors: one photo never twice against one x-ray.",
        _lines(
            ("whose x-ray is claimed", "claims", "accepted", "photos", "pairs of x-rays",
             "patients"),
            [
                (r["kind"], r["claims"], r["accepted"], r["photos"], r["xray_pairs"],
                 r["patients"])
                for r in result["impostors"]
            ],
        ),
        "Accepted by the score's limit. Impostors: by score alone / with all other limits.",
        _lines(
            ("score", "easy", "typical", "hard", "same patient", "other patient"),
            [
                (
                    f"{r['score']:.2f}",
                    *(f"{r[p][0]} of {r[p][1]}" for p in ("easy", "typical", "hard")),
                    *("{} / {} of {}".format(*r[k]) for k in ("same patient", "other patient")),
                )
                for r in result["by_score"]
            ],
        ),
        "Accepted by the limit of what shows something else and of what cannot be proven.",
        _lines(
            ("cluster", *_CLUSTERED),
            [
                (f"{r['cluster']:.3f}", *(f"{r[k][0]} of {r[k][1]}" for k in _CLUSTERED))
                for r in result["by_cluster"]
            ],
        ),
        "CPU time of a check on one core, without decoding, features of the x-ray kept.",
        _lines(
            ("megapixels", "way", "checks", "median ms", "95 % ms"),
            [
                (f"{r['megapixels']:.0f}", r["way"], r["photos"], f"{r['median_ms']:.0f}",
                 f"{r['p95_ms']:.0f}")
                for r in result["time"]
            ],
        ),
        "Place of the x-ray in verified photos, photo pixels; boxes: worst overlap of each photo.",
        _lines(
            ("photos", "MP", "corner median", "95 %", "worst corner median", "95 %",
             "box IoU, 5 %", "drift 99 %"),
            [
                (
                    r["preset"], f"{r['megapixels']:.0f}", f"{r['corner_median_px']:.2f}",
                    f"{r['corner_p95_px']:.2f}", f"{r['worst_corner_median_px']:.2f}",
                    f"{r['worst_corner_p95_px']:.2f}", f"{r['worst_iou_p5']:.3f}",
                    _or_dash(r["drift_p99_px"], ".1f"),
                )
                for r in result["place"]
            ],
        ),
    ]  # fmt: skip
    return "\n\n".join(parts)


_CLUSTERED = ("easy", "typical", "hard", "lamp", "dialog", "hand", "tear", "blend")


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _lines(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    dashes = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, dashes, *rows))
