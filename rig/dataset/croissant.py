"""`croissant.json`: the dataset described for machines (MLCommons Croissant 1.0).

Every table is a FileObject with its SHA-256, every folder of images a FileSet; record sets give the
rows of the tables and the pictures of the folders. Pictures and rows meet in `path`: a record set
that joined them would have to hold every picture in memory at once.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rig.catalog.model import COLUMNS, SPLITS
from rig.dataset import layout
from rig.dataset.files import write_atomic

_WORDS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty",
    "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
    "source", "subField", "transform",
)  # fmt: skip
"""Words of Croissant 1.0; a reader wants all of them in the context, used or not."""
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in _WORDS},
}
_OTHERS = ((layout.MANIFEST, "application/jsonlines"), (layout.BOXES_CSV, "text/csv"))
"""Files that have no record set: the same is in another table, or is nested."""
_TEXT, _NUMBER, _WHOLE = "sc:Text", "sc:Float", "sc:Integer"
_TYPES = {"Path": _TEXT, "Sex": _TEXT, "Frontal/Lateral": _TEXT, "AP/PA": _TEXT}


def write_croissant(root: Path, name: str, out: Path | None = None) -> Path:
    """Write the description of the dataset *name* in folder *root*; returns the file.

    The digests are those of the tables as they are now.

    Raises:
        OSError: a table cannot be read or the file not be written.
    """
    file = out or root / layout.CROISSANT
    text = json.dumps(describe(root, name), indent=1) + "\n"
    write_atomic(file, text.encode())
    return file


def describe(root: Path, name: str) -> dict[str, Any]:
    """The JSON-LD document."""
    files, records = [], []
    for file, kind in _tables(root):
        ident = _ident(file.relative_to(root).as_posix())
        files.append(_file_object(root, file, ident, kind))
        records.append(_rows(ident, file))
    for other, kind in _OTHERS:
        if (root / other).is_file():
            files.append(_file_object(root, root / other, other.replace(".", "-"), kind))
    for folder in (*SPLITS, *(layout.rectified(split) for split in SPLITS)):
        if (root / folder).is_dir():
            files.append(_images(folder))
            records.append(_pictures(folder))
    title, _, version = name.rpartition("-v")
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": (
            "Chest x-rays photographed from a monitor with a phone, and synthetic twins of the "
            "same x-rays, in CheXphoto's layout. Terms, counts and gaps are in README.md. "
            "Not for diagnosis."
        ),
        "alternateName": title,
        "version": version,
        "license": f"See the section Terms of {layout.CARD}.",
        "distribution": files,
        "recordSet": records,
    }


def _tables(root: Path) -> Iterator[tuple[Path, str]]:
    """The tables that are there, and their media types."""
    csvs = [f"{split}.csv" for split in SPLITS]
    copies = [f"{layout.RECTIFIED}/{one}" for one in csvs]
    for name in (*csvs, *copies, layout.ENVIRONMENTS):
        if (root / name).is_file():
            yield root / name, "text/csv"
    for name in (layout.CAPTURES, layout.BOXES):
        if (root / name).is_file():
            yield root / name, "application/x-parquet"


def _ident(path: str) -> str:
    """An `@id` without spaces: the stem, folders joined by a dash."""
    return path.rpartition(".")[0].replace("/", "-")


def _file_object(root: Path, file: Path, ident: str, kind: str) -> dict[str, Any]:
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": f"{ident}-file",
        "name": f"{ident}-file",
        "contentUrl": file.relative_to(root).as_posix(),
        "contentSize": f"{file.stat().st_size} B",
        "encodingFormat": kind,
        "sha256": digest,
    }


def _images(folder: str) -> dict[str, Any]:
    ident = f"{folder.replace('/', '-')}-images"
    return {
        "@type": "cr:FileSet",
        "@id": ident,
        "name": ident,
        "encodingFormat": "image/jpeg",
        "includes": f"{folder}/*.jpg",
    }


def _pictures(folder: str) -> dict[str, Any]:
    """Pictures of one split with the path that the rows of its CSV end in."""
    short = folder.replace("/", "-")
    ident = f"{short}-pictures"
    source = {"fileSet": {"@id": f"{short}-images"}}
    path = source | {"extract": {"fileProperty": "fullpath"}}
    image = source | {"extract": {"fileProperty": "content"}}
    return {
        "@type": "cr:RecordSet",
        "@id": ident,
        "name": ident,
        "field": [
            _field(f"{ident}/path", _TEXT, path),
            _field(f"{ident}/image", "sc:ImageObject", image),
        ],
    }


def _rows(ident: str, file: Path) -> dict[str, Any]:
    columns = _columns(file)
    source = {"fileObject": {"@id": f"{ident}-file"}}
    names = _names([name for name, _ in columns])
    fields = [
        _field(f"{ident}/{short}", kind, source | {"extract": {"column": column}})
        for short, (column, kind) in zip(names, columns, strict=True)
    ]
    if columns[0][0] == COLUMNS[0]:  # what the pictures of the folders have as their path
        tail = {"extract": {"column": COLUMNS[0]}, "transform": {"regex": "^[^/]+/(.*)$"}}
        fields.insert(0, _field(f"{ident}/path", _TEXT, source | tail))
    return {"@type": "cr:RecordSet", "@id": ident, "name": ident, "field": fields}


def _columns(file: Path) -> list[tuple[str, str]]:
    """Column and data type of every column that a record can hold as one value."""
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as handle:
            header = next(csv.reader(handle), [])
        if tuple(header) == COLUMNS:
            return [(name, _TYPES.get(name, _NUMBER)) for name in header]
        return [(name, _WHOLE if name == "images" else _TEXT) for name in header]
    kinds = {"string": _TEXT, "double": _NUMBER, "int32": _WHOLE, "int64": _WHOLE}
    schema: pa.Schema = pq.read_schema(file)
    return [(f.name, kinds[str(f.type)]) for f in schema if str(f.type) in kinds]


def _names(columns: Sequence[str]) -> list[str]:
    """Columns as parts of an `@id`: letters, digits and `_`, no two alike."""
    found: list[str] = []
    for column in columns:
        short = "".join(c if c.isalnum() else "_" for c in column)
        while short in found:
            short += "_"
        found.append(short)
    return found


def _field(ident: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": ident, "name": ident, "dataType": kind, "source": source}
