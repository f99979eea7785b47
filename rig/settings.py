"""Where state lives."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def default_home() -> Path:
    """`RIG_HOME`, else the platform's user data folder."""
    if home := os.environ.get("RIG_HOME"):
        return Path(home)
    import platformdirs

    return Path(platformdirs.user_data_dir("capture-rig", appauthor=False))


def add_home(parser: argparse.ArgumentParser) -> None:
    """Give *parser* the common `--home DIR` option."""
    parser.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="where state lives (default: RIG_HOME, else the user data folder)",
    )


def home_of(args: argparse.Namespace) -> Path:
    """The home folder that *args* ask for, as an absolute path."""
    home: Path | None = args.home
    return (home or default_home()).expanduser().resolve()
