"""Coverage-guided fuzzing of everything that reads bytes from outside (needs atheris).

python tests/fuzz/fuzz_datagram.py --seconds 60              # all targets, one after the other
python tests/fuzz/fuzz_datagram.py --seconds 600 datagram
python tests/fuzz/fuzz_datagram.py --replay FILE datagram    # one saved input; no atheris needed
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
LENGTHS = {"datagram": 1300, "payload": 1126, "journal": 8192, "name": 300, "phone": 8192}
"""Targets, and the longest input of each."""


def fuzz(target: str, words: list[str]) -> None:
    """In this process, until libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["rig", "targets"]):
        import targets
    atheris.Setup([sys.argv[0], *words], targets.TARGETS[target])
    atheris.Fuzz()


def watch(target: str, seconds: int, folder: Path) -> int:
    """*target* in a process of its own, from its seeds; 0 when nothing was found."""
    import targets

    corpus = folder / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    print(f"== {target}: {seconds} s", flush=True)
    words = [
        str(corpus), f"-max_total_time={seconds}", f"-max_len={LENGTHS[target]}", "-timeout=10",
        f"-artifact_prefix={folder}/{target}-", "-print_final_stats=1", "-verbosity=1",
    ]  # fmt: skip
    command = [sys.executable, __file__, "--inside", target, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stderr.splitlines()
    if done.returncode:
        print("\n".join([*said[-40:], done.stdout[-4000:]]))
        print(f"{target}: FOUND something; the input is {folder}/{target}-*")
        return 1
    ends = [line for line in said if "stat::number_of_executed" in line or "DONE" in line]
    print("\n".join(ends), flush=True)
    return 0


def main() -> int:
    """0 nothing found, 1 a defect."""
    if sys.argv[1:2] == ["--inside"]:
        fuzz(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(LENGTHS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="corpus and findings; grows")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="give one input to TARGET")
    args = parser.parse_args()
    wanted = args.targets or list(LENGTHS)
    if not set(wanted) <= set(LENGTHS):
        parser.error(f"targets are {', '.join(LENGTHS)}")
    if args.replay is not None:
        import targets

        for each in wanted:
            targets.TARGETS[each](args.replay.read_bytes())
        return 0
    folder = args.keep or Path(tempfile.mkdtemp(prefix="rig-fuzz-"))
    share = max(1, args.seconds // len(wanted))
    return max([watch(target, share, folder) for target in wanted])


if __name__ == "__main__":
    sys.exit(main())
