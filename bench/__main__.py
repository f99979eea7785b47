"""`python -m bench [ENTRY]`: measure, and print a table or one JSON object."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import (
    capture,
    dataset,
    dicom,
    intake,
    loss,
    plan,
    protocol,
    screens,
    store,
    synthesis,
    upload,
    verify,
    web,
)
from bench.programs import BenchError

EXAMPLES = """examples:
  python -m bench                               entry capture, as a table
  python -m bench capture --captures 96 --runs 5
  python -m bench capture --json > today.json
  python -m bench screens --captures 48 --runs 3
  python -m bench loss --captures 24 --svg loss.svg
  python -m bench plan --sizes 10507 224316
  python -m bench store --sizes 10507 224316    a store with that many captures
  python -m bench intake --captures 500 --runs 1  a batch of photos taken in
  python -m bench dataset --large               tables of 224,316 and of 10 million x-rays
  python -m bench dicom --captures 12           DICOM images a second, beside pydicom alone
  python -m bench synthesis --runs 3 --original ../cheXphoto    twins beside the original's
  python -m bench upload --captures 24          photos to a controller, beside curl
  python -m bench web                           the controller under 2,000 events a second
  python -m bench verify --seed 7 --xrays train.csv --photos photos --contact doubtful.jpg
"""

Entry = Callable[[argparse.Namespace, Callable[[str], None]], dict[str, Any]]
ENTRIES: dict[str, tuple[Entry, Callable[[dict[str, Any]], str]]] = {
    "capture": (capture.measure, capture.table),
    "dataset": (dataset.measure, dataset.table),
    "dicom": (dicom.measure, dicom.table),
    "intake": (intake.measure, intake.table),
    "loss": (loss.measure, loss.table),
    "plan": (plan.measure, plan.table),
    "protocol": (protocol.measure, protocol.table),
    "screens": (screens.measure, screens.table),
    "store": (store.measure, store.table),
    "synthesis": (synthesis.measure, synthesis.table),
    "upload": (upload.measure, upload.table),
    "verify": (verify.measure, verify.table),
    "web": (web.measure, web.table),
}
"""By name: what measures, and what makes a table for people of it."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures the rig. It judges nothing: no figure has a threshold.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "entry", nargs="?", choices=sorted(ENTRIES), default="capture", help="default: capture"
    )
    parser.add_argument(
        "--captures", type=_at_least(2), default=48, metavar="N", help="of each run (default 48)"
    )
    parser.add_argument(
        "--runs", type=_at_least(1), default=3, metavar="N", help="runs of everything (default 3)"
    )
    parser.add_argument(
        "--dir", type=Path, default=_scratch(), metavar="DIR",
        help="on the disk to measure; a folder made there is removed afterwards (default: "
        "%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--original", type=Path, metavar="DIR",
        help="a clone of the original CheXphoto, to run beside (protocol, synthesis)",
    )  # fmt: skip
    parser.add_argument(
        "--svg", type=Path, metavar="FILE", help="of entry loss: draw the picture too"
    )
    parser.add_argument(
        "--sizes", type=_sizes, nargs="+", default=(), metavar="N",
        help="of plan, store, dataset and web: how many (default: 10507, 224316 and, of the "
        "store, 10 million, which takes many minutes and gigabytes)",
    )  # fmt: skip
    parser.add_argument(
        "--pages-only", action="store_true", help="of web: time the pages, leave out the flood"
    )
    verify.register(parser)
    parser.add_argument(
        "--megapixels", type=float, default=12.0, metavar="N",
        help="of entry intake: size of its photos (default 12)",
    )  # fmt: skip
    parser.add_argument(
        "--large", action="store_true", help="of entry dataset: 10 million x-rays, too (hours)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; 0 done, 1 a program of the rig did not do its work, 2 bad usage."""
    args = build_parser().parse_args(argv)
    args.sizes = [size for some in args.sizes for size in some]
    measure, table = ENTRIES[args.entry]
    try:
        result = measure(args, lambda text: print(text, file=sys.stderr, flush=True))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result) if args.json else table(result))
    return 0


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return number


def _sizes(text: str) -> tuple[int, ...]:
    number = _at_least(1)
    return tuple(number(each) for each in text.split(","))


def _scratch() -> Path:
    """On a disk if possible: /tmp is often kept in memory, where a fsync costs nothing."""
    disk = Path("/var/tmp")
    return disk if disk.is_dir() else Path(tempfile.gettempdir())


if __name__ == "__main__":
    sys.exit(main())
