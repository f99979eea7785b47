"""The final audit: every file re-hashed against the journal that vouches for it (rule 5.7).

It only reads. Each thing that is wrong becomes a `Finding` with a sentence; nothing found means
that the photos, their labels, their metadata and the chain all say the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rig.protocol.chain import chain_next, chain_start
from rig.protocol.datagram import BadDatagram, parse_payload
from rig.protocol.journal import JournalCorrupt, Record, parse_journal
from rig.protocol.ledger import PhoneLedger, Run, Shot
from rig.protocol.names import (
    ENV_BUDGET,
    KEY_BUDGET,
    BadPhotoName,
    PhotoName,
    decode_name,
    shorten,
    sidecar_name,
)

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. *index* 0 and *name* empty where it concerns none."""

    index: int
    name: str
    why: str


@dataclass(frozen=True)
class RunReport:
    """One subset: how many photos are decided, whether it is finished, its chain as recomputed."""

    campaign: str
    subset: int
    first: int
    last: int
    decided: int
    finished: bool
    chain: str


@dataclass(frozen=True)
class AuditReport:
    """What an audit saw.

    Attributes:
        runs: the subsets.
        findings: what is wrong.
        hashed: files that were read to their end.
        released: photos of finished subsets that were deleted with the operator's permission.
    """

    runs: tuple[RunReport, ...]
    findings: tuple[Finding, ...]
    hashed: int
    released: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.findings

    def as_json(self) -> dict[str, object]:
        """The report as plain data."""
        return {**asdict(self), "sound": self.sound}

    def text(self) -> str:
        """The report for a person: a line a subset, a line a finding, the verdict."""
        lines = []
        for run in self.runs:
            state = "finished" if run.finished else "not finished"
            count = f"{run.decided} of {run.last - run.first + 1} photos decided"
            lines.append(f"subset {run.subset}: {count}, {state}, chain {run.chain[:16]}")
        lines += [f"WRONG: {f.name or 'journal'}: {f.why} (index {f.index})" for f in self.findings]
        verdict = "sound" if self.sound else f"{len(self.findings)} findings"
        if self.released:
            lines.append(f"{self.released} photos were deleted after the controller confirmed them")
        return "\n".join([*lines, f"{self.hashed} files hashed: {verdict}"])


@dataclass(frozen=True)
class Vouched:
    """What a journal says of a decided photo. Digests of 32 bytes; *size* in bytes."""

    campaign: str
    subset: int
    index: int
    attempt: int
    sha256: bytes
    meta: bytes
    size: int
    name: str


def read_journal(path: Path) -> list[Record]:
    """The whole records of a journal; a torn last one is left out and nothing is changed.

    Raises:
        JournalCorrupt: damage before the last record.
        OSError: it cannot be read.
    """
    return parse_journal(path.read_bytes())[0]


def audit_phone(folder: Path, released: Collection[tuple[str, bytes]] = frozenset()) -> AuditReport:
    """Audit the folder of a phone agent: its journal against `photos/`.

    Args:
        folder: of the phone agent.
        released: name and SHA-256 of photos whose deletion was permitted and noted. Only photos of
            finished subsets may be missing for it; their metadata may not.

    Raises:
        JournalCorrupt: the journal contradicts itself.
        OSError: journal or folder cannot be read.
    """
    records = read_journal(folder / "journal")
    ledger = PhoneLedger(records)
    photos = folder / "photos"
    reports, findings, vouched = [], list[Finding](), list[Vouched]()
    gone: set[str] = set()
    for run in ledger.runs.values():
        decided = [_vouched(run, shot) for shot in run.committed_shots()]
        start = chain_start(run.campaign, run.subset, run.first, run.manifest)
        chain = _check_order(start, run.first, decided, findings)
        if chain != run.chain:
            findings.append(Finding(0, "", f"subset {run.subset}: the chain is not the journal's"))
        reports.append(
            RunReport(
                run.campaign.hex(), run.subset, run.first, run.last, len(decided), run.finished,
                chain.hex(),
            )
        )  # fmt: skip
        vouched += decided
        if run.finished:
            gone |= {v.name for v in decided if (v.name, v.sha256) in released}
    gone = {name for name in gone if not (photos / name).is_file()}
    hashed = _check_files(photos, vouched, findings, gone)
    doubtful = {run.doubtful.name: run.doubtful for run in ledger.runs.values() if run.doubtful}
    findings += _strangers(photos, {v.name for v in vouched}, doubtful)
    return AuditReport(tuple(reports), tuple(findings), hashed, len(gone))


def audit_display(records: Sequence[Record], photos: Path | None = None) -> AuditReport:
    """Audit the journal of a display agent, and with *photos* the files it decided.

    Args:
        records: of one subset's journal.
        photos: the folder of the photos, or that of a phone agent which holds them in `photos/`.

    Raises:
        JournalCorrupt: the journal does not begin with RUN, or a record lacks a field.
        OSError: the folder cannot be read.
    """
    try:
        run = next(r for r in records if r["k"] == "RUN")
        campaign, manifest = bytes.fromhex(str(run["camp"])), bytes.fromhex(str(run["man"]))
        subset, first, last = (int(str(run[word])) for word in ("sub", "first", "last"))
        decided = [_done(str(run["camp"]), subset, r) for r in records if r["k"] == "DONE"]
        complete = next((r for r in records if r["k"] == "COMPLETE"), None)
    except (StopIteration, KeyError, ValueError) as error:
        raise JournalCorrupt("this is not the journal of a display agent") from error
    findings: list[Finding] = []
    chain = _check_order(chain_start(campaign, subset, first, manifest), first, decided, findings)
    if complete is not None:
        if complete.get("chain") != chain.hex():
            findings.append(Finding(0, "", "COMPLETE names another chain than its records give"))
        wanted = len(decided) if any(r["k"] == "STOP" for r in records) else last - first + 1
        if not complete.get("count") == len(decided) == wanted:
            why = f"COMPLETE with {len(decided)} photos of {wanted}"
            findings.append(Finding(0, "", why))
    hashed = 0
    if photos is not None:
        folder = photos / "photos" if (photos / "photos").is_dir() else photos
        hashed = _check_files(folder, decided, findings)
        findings += _undecided(folder, campaign.hex(), subset, {v.name for v in decided})
    report = RunReport(
        campaign.hex(), subset, first, last, len(decided), complete is not None, chain.hex()
    )
    return AuditReport((report,), tuple(findings), hashed)


# -- books -----------------------------------------------------------------------------------------


def _vouched(run: Run, shot: Shot) -> Vouched:
    return Vouched(
        run.campaign.hex(), run.subset, shot.index, shot.attempt, shot.sha256, shot.meta_sha,
        shot.size, shot.name,
    )  # fmt: skip


def _done(campaign: str, subset: int, r: Record) -> Vouched:
    return Vouched(
        campaign,
        subset,
        int(str(r["i"])),
        int(str(r["a"])),
        bytes.fromhex(str(r["sha"])),
        bytes.fromhex(str(r["meta"])),
        int(str(r["size"])),
        str(r["name"]),
    )


def _check_order(
    chain: bytes, first: int, decided: Sequence[Vouched], findings: list[Finding]
) -> bytes:
    """Indices strictly consecutive from *first*, names that say the same; returns the chain."""
    for expected, v in enumerate(decided, start=first):
        if v.index != expected:
            why = f"the photo after index {expected - 1} is of index {v.index}"
            findings.append(Finding(v.index, v.name, why))
        chain = chain_next(chain, v.index, v.attempt, v.sha256, v.meta)
        findings += [Finding(v.index, v.name, why) for why in _wrong_name(v)]
    return chain


def _wrong_name(v: Vouched) -> Iterable[str]:
    try:
        said = decode_name(v.name)
    except BadPhotoName as error:
        return [f"its name cannot be read: {error}"]
    wanted = PhotoName(
        v.campaign, v.subset, v.index, v.attempt, said.env, said.key,
        v.meta.hex()[:16], v.sha256.hex()[:16],
    )  # fmt: skip
    differ = [word for word, value in asdict(wanted).items() if getattr(said, word) != value]
    return [f"its name says another {word}" for word in differ]


# -- files -----------------------------------------------------------------------------------------


def _check_files(
    folder: Path,
    decided: Sequence[Vouched],
    findings: list[Finding],
    gone: Collection[str] = frozenset(),
) -> int:
    hashed = 0
    for v in decided:
        try:
            said = decode_name(v.name)
        except BadPhotoName:
            continue  # told already; a name that is none never becomes a path
        for path, digest, what in (
            (folder / v.name, v.sha256, "photo"),
            (folder / sidecar_name(v.name), v.meta, "metadata"),
        ):
            if not path.is_file():
                if path.name not in gone:
                    findings.append(Finding(v.index, path.name, f"the {what} is missing"))
                continue
            hashed += 1
            if _sha256(path) != digest:
                why = f"the {what} has other bytes than were decided"
                findings.append(Finding(v.index, path.name, why))
            elif what == "metadata":
                findings += [Finding(v.index, path.name, w) for w in _wrong_label(path, said, v)]
            elif path.stat().st_size != v.size:
                findings.append(Finding(v.index, path.name, "the photo has another size"))
    return hashed


def _wrong_label(path: Path, said: PhotoName, v: Vouched) -> Iterable[str]:
    """Where the name's environment and key are not those of the metadata."""
    try:
        values = parse_payload(path.read_bytes())
        env, key = str(values["env"]), str(values["key"])
    except (BadDatagram, KeyError):
        return ["the metadata lacks an environment or a key"]
    wrong = []
    if said.env != shorten(env, ENV_BUDGET):
        wrong.append(f"the name says environment {said.env}, the metadata {env}")
    if said.key != shorten(key, KEY_BUDGET):
        wrong.append(f"the name says key {said.key}, the metadata {key}")
    if values.get("index", v.index) != v.index:
        wrong.append(f"the metadata is of index {values['index']}")
    return wrong


def _strangers(folder: Path, names: set[str], doubtful: dict[str, Shot]) -> list[Finding]:
    """Everything in a phone's photo folder that no decision stands behind."""
    known = names | {sidecar_name(name) for name in names}
    findings = []
    for name, shot in sorted(doubtful.items()):
        known |= {name, sidecar_name(name)}
        findings.append(Finding(shot.index, name, "undecided: the display has yet to decide"))
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    others = [p.name for p in files if not p.name.startswith(".") and p.name not in known]
    return findings + [Finding(0, name, "no decided photo has this name") for name in others]


def _undecided(folder: Path, campaign: str, subset: int, names: set[str]) -> list[Finding]:
    """Photos of this subset that the display never decided."""
    findings = []
    for path in sorted(folder.glob("x1_*.jpg")):
        try:
            said = decode_name(path.name)
        except BadPhotoName:
            findings.append(Finding(0, path.name, "its name was cut or changed"))
            continue
        if (said.campaign, said.subset) == (campaign, subset) and path.name not in names:
            findings.append(Finding(said.index, path.name, "the display never decided this photo"))
    return findings


def _sha256(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()
