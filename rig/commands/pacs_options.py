"""Options of `rig pacs`, and what they mean."""

from __future__ import annotations

import argparse
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rig.errors import UserError

if TYPE_CHECKING:
    from rig.dicom.pacs.association import Caller
    from rig.dicom.pacs.model import Wanted
    from rig.dicom.pacs.quarantine import Limits

GB = 1_000_000_000


def add_filter(parser: argparse.ArgumentParser) -> None:
    """Which images."""
    group = parser.add_argument_group("which images (all that are given must hold)")
    group.add_argument(
        "--modality", action="append", default=[], metavar="M",
        help="CR, DX, ...; may be given again, or with commas (default: all)",
    )  # fmt: skip
    group.add_argument(
        "--body-part", action="append", default=[], metavar="PART",
        help="value of BodyPartExamined, e.g. CHEST; may be given again, or with commas",
    )  # fmt: skip
    group.add_argument(
        "--unknown-body-part", action="store_true",
        help="with --body-part: images that do not say theirs, too",
    )  # fmt: skip
    group.add_argument("--from", dest="since", default="", metavar="DATE", help="first study date")
    group.add_argument("--until", default="", metavar="DATE", help="last study date, 2021-03-09")
    group.add_argument(
        "--description", default="", metavar="PATTERN", help="of the study, with * and ?"
    )
    group.add_argument(
        "--study", action="append", default=[], metavar="UID", help="may be given again"
    )


def wanted_of(args: argparse.Namespace) -> Wanted:
    """The filter that *args* say.

    Raises:
        UserError: a date or UID is none.
    """
    from rig.dicom.pacs.model import Wanted, is_uid, parse_date

    if bad := next((uid for uid in args.study if not is_uid(uid)), None):
        raise UserError(f"{bad!r} is no UID.")
    return Wanted(
        modalities=_codes(args.modality),
        body_parts=_codes(args.body_part),
        unknown_parts=args.unknown_body_part,
        since=parse_date(args.since),
        until=parse_date(args.until),
        description=args.description,
        studies=tuple(args.study),
    )


def _codes(given: Iterable[str]) -> tuple[str, ...]:
    """Code strings (PS3.5 6.2, CS), in capitals, each once."""
    words = [word.strip().upper() for one in given for word in one.split(",")]
    for word in words:
        if word and (len(word) > 16 or not word.replace("_", "").replace(" ", "").isalnum()):
            raise UserError(f"{word!r} is no code: letters, digits, blanks and _, at most 16.")
    return tuple(dict.fromkeys(word for word in words if word))


def add_caller(parser: argparse.ArgumentParser) -> None:
    """How we call."""
    parser.add_argument(
        "--as", dest="title", default="RIG", metavar="TITLE",
        help="our AE title, as it is entered at the PACS (default %(default)s)",
    )  # fmt: skip
    add_timeout(parser)
    add_tls(parser)


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """How long to wait."""
    parser.add_argument(
        "--timeout", type=positive, default=60.0, metavar="S",
        help="seconds the PACS may take for an answer (default %(default)g)",
    )  # fmt: skip


def add_tls(parser: argparse.ArgumentParser) -> None:
    """How it is encrypted."""
    group = parser.add_argument_group("encryption")
    group.add_argument("--tls", action="store_true", help="DICOM over TLS")
    group.add_argument("--ca", type=Path, metavar="PEM", help="authority that we trust")
    group.add_argument("--cert", type=Path, metavar="PEM", help="our certificate")
    group.add_argument("--key", type=Path, metavar="PEM", help="its key")


def caller_of(args: argparse.Namespace) -> Caller:
    """How *args* want us to call; raises UserError."""
    from rig.dicom.pacs.association import Caller
    from rig.dicom.pacs.model import check_title

    return Caller(check_title(args.title), args.timeout, tls_of(args))


def tls_of(args: argparse.Namespace, *, server: bool = False) -> ssl.SSLContext | None:
    """The context that *args* ask for; None: not encrypted.

    Raises:
        UserError: a file cannot be used.
    """
    if not args.tls:
        if args.ca or args.cert or args.key:
            raise UserError("--ca, --cert and --key need --tls.")
        return None
    try:
        if server:
            if args.cert is None:
                raise UserError("A receiver with --tls needs --cert (and --key).")
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=args.ca)
            if args.ca is not None:
                context.verify_mode = ssl.CERT_REQUIRED
        else:
            context = ssl.create_default_context(cafile=args.ca)
        if args.cert is not None:
            context.load_cert_chain(args.cert, args.key)
    except OSError as error:
        raise UserError(f"The certificates cannot be used: {error}.") from error
    return context


def add_pull(parser: argparse.ArgumentParser) -> None:
    """Where to, how fast, how hard."""
    add_disk(parser)
    parser.add_argument(
        "--per-second", type=_rate, default=0.0, metavar="N", help="images at most (default: all)"
    )
    parser.add_argument(
        "--batch", type=count, default=20, metavar="N",
        help="images in one request (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--tries", type=count, default=5, metavar="N",
        help="in a row without an image, before it is given up (default %(default)s)",
    )  # fmt: skip


def add_disk(parser: argparse.ArgumentParser) -> None:
    """Where files go and how many."""
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DIR",
        help="quarantine: a folder of its own (0700) for files that still say who it is",
    )  # fmt: skip
    parser.add_argument(
        "--max-gb", type=positive, default=1000.0, metavar="GB",
        help="that the quarantine may hold (default %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--spare-gb", type=_rate, default=1.0, metavar="GB",
        help="that must stay free on its disk (default %(default)g)",
    )  # fmt: skip


def limits_of(args: argparse.Namespace) -> Limits:
    """The share of the disk that *args* allow."""
    from rig.dicom.pacs.quarantine import Limits

    return Limits(total=int(args.max_gb * GB), spare=int(args.spare_gb * GB))


def address(text: str) -> tuple[str, int]:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return value


def count(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value
