"""Files, disks and people that misbehave, with the program as it is started."""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import PurePosixPath

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from rig.synthesis.image import decode, encode_jpeg
from rig.synthesis.recipes import DIGITAL, SPATIAL, Recipe, Step
from rig.synthesis.registry import TRANSFORMS
from rig.synthesis.runner import Item, synthesize

EVERYTHING = Recipe("everything", tuple(Step(name, 2) for name in TRANSFORMS))


def saved(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(grey):
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.fromarray(grey), "JPEG", exif=exif)


def pictures():
    """Name -> bytes and the channels that the twin is to have; every name says .jpg or lies."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    rgb = Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    return {
        "grey.jpg": (saved(Image.fromarray(grey), "JPEG"), 1),
        "deep.png": (saved(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"), 1),
        "deep.tif": (saved(Image.fromarray(grey.astype(np.uint16) * 257), "TIFF"), 1),
        "rgb.png": (saved(rgb, "PNG"), 3),
        "rgba.png": (saved(rgb.convert("RGBA"), "PNG"), 3),
        "palette.png": (saved(rgb.quantize(16), "PNG"), 3),
        "palette.gif": (saved(rgb.quantize(16), "GIF"), 3),
        "cmyk.jpg": (saved(rgb.convert("CMYK"), "JPEG"), 3),
        "turned.jpg": (oriented(grey), 1),
        "png_called.jpg": (saved(rgb, "PNG"), 3),
        "jpeg_called.png": (saved(Image.fromarray(grey), "JPEG"), 1),
        "bits.png": (saved(Image.fromarray(grey > 128), "PNG"), 1),
        "pixel.jpg": (saved(Image.fromarray(grey[:1, :1]), "JPEG"), 1),
        "pixel.png": (saved(rgb.crop((0, 0, 1, 1)), "PNG"), 3),
        "row.png": (saved(Image.fromarray(grey[:1]), "PNG"), 1),
        "column.png": (saved(Image.fromarray(grey[:, :1]), "PNG"), 1),
    }


@pytest.mark.parametrize("recipe", [DIGITAL, SPATIAL, SPATIAL.at_level(4), EVERYTHING])
def test_every_kind_of_picture_becomes_a_twin(tmp_path, recipe):
    items, channels = [], {}
    for name, (data, count) in pictures().items():
        (tmp_path / name).write_bytes(data)
        items.append(Item(name, tmp_path / name, PurePosixPath(f"{name}.jpg")))
        channels[name] = count
    summary = synthesize(items, recipe, seed=1, out_dir=tmp_path / "out")
    assert summary.failed == ()
    for item in items:
        twin = decode((tmp_path / "out" / item.output).read_bytes())
        assert (1 if twin.ndim == 2 else twin.shape[2]) == channels[item.key]
        if recipe is not EVERYTHING:
            assert twin.shape[:2] == decode(item.source.read_bytes()).shape[:2]


def test_what_is_broken_is_one_failed_row_with_its_reason(tmp_path, xray):
    good = encode_jpeg(xray)
    deep = xray.astype(np.uint16) * 16
    folder, name = tmp_path / "source", "n" * 300
    folder.mkdir()
    files = {
        "empty.jpg": b"",
        "text.jpg": b"no image",
        "cut.jpg": good[:-200],
        "cut.png": saved(Image.fromarray(xray), "PNG")[:-300],
        "header.jpg": good[:30],
        "twelve.png": saved(Image.fromarray(deep), "PNG"),
        "program.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    }
    for file, data in files.items():
        (folder / file).write_bytes(data)
    (folder / "folder.jpg").mkdir()
    items = [
        Item(file, folder / file, PurePosixPath(f"{file[:20]}.jpg"))
        for file in (*files, "folder.jpg", "none.jpg", name)
    ]
    (folder / "good.jpg").write_bytes(good)
    items.append(Item("good", folder / "good.jpg", PurePosixPath("good.jpg")))
    summary = synthesize(items, SPATIAL, seed=1, out_dir=tmp_path / "out")
    assert summary.made == 1
    reasons = {failure.key: failure.reason for failure in summary.failed}
    for key, said in {
        "empty.jpg": "The file is empty.",
        "text.jpg": "not an image of a known format",
        "cut.jpg": "broken",
        "cut.png": "broken",
        "header.jpg": "",
        "twelve.png": "almost black",
        "program.eps": "known format",
        "folder.jpg": "The source cannot be read: Is a directory.",
        "none.jpg": "There is no such file.",
        name: "The source cannot be read: File name too long.",
    }.items():
        assert said in reasons[key]
    left = {p.name for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert left == {"good.jpg", "manifest.jsonl"}


def test_a_hundred_megapixels_are_a_twin_in_moderate_memory(tmp_path):
    """In a process of its own, so that its peak is its own."""
    source = tmp_path / "large.png"
    Image.new("L", (10_000, 10_000), 90).save(source, compress_level=1)
    program = (
        "import sys, resource; from pathlib import Path, PurePosixPath\n"
        "from rig.synthesis.recipes import SPATIAL\n"
        "from rig.synthesis.runner import Item, synthesize\n"
        "item = Item('k', Path(sys.argv[1]), PurePosixPath('large.jpg'))\n"
        "summary = synthesize([item], SPATIAL, seed=1, out_dir=Path(sys.argv[2]))\n"
        "assert not summary.failed, summary\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    words = [sys.executable, "-c", program, str(source), str(tmp_path / "out")]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    head = simplejpeg.decode_jpeg_header((tmp_path / "out/large.jpg").read_bytes())
    assert head[:3] == (10_000, 10_000, "Gray")
    # Source, result and what lies between; the definition's canvases would be 12 GB.
    assert int(done.stdout) < 1000


@pytest.fixture
def dataset(tmp_path, xray):
    """A CSV of forty x-rays, and the words that make their twins."""
    lines = ["Path"]
    for n in range(40):
        path = tmp_path / "data" / "train" / f"p{n:02}" / "v.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_jpeg(np.repeat(np.repeat(xray, 4, 0), 4, 1) + np.uint8(n)))
        lines.append(f"train/p{n:02}/v.jpg")
    (tmp_path / "in.csv").write_text("\n".join(lines))
    words = ["--csv", tmp_path / "in.csv", "--data-dir", tmp_path / "data"]
    words += ["--out", tmp_path / "out", "--recipe", "spatial", "--level", 2]
    return [sys.executable, "-m", "rig.cli", "synthesize", *map(str, words)], tmp_path / "out"


def whole(out):
    """Every file under a final name is a whole JPEG; no other is left."""
    for path in out.rglob("*.jpg"):
        decode(path.read_bytes())
    return [p for p in out.rglob("*") if p.is_file() and p.suffix not in {".jpg", ".jsonl", ".csv"}]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_whole_files_and_the_next_run_goes_on(dataset, workers):
    words, out = dataset
    words += ["--workers", workers]
    child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(out.glob("train/*/*.jpg"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "Traceback" not in said
    assert whole(out) == []
    kept = len(list(out.glob("train/*/*.jpg")))
    again = subprocess.run([*words, "--json"], check=True, capture_output=True, text=True)
    report = json.loads(again.stdout)
    assert report["made"] + report["skipped"] == 40
    assert 0 < kept < 40
    assert whole(out) == []


def test_a_disk_that_takes_no_more_is_failed_rows_and_no_half_file(dataset, tmp_path):
    """A limit on the size of files refuses in the middle of a write, as a full disk does."""
    words, out = dataset
    small = 12_000

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (small, small))

    # The manifest of one image stays below the limit, the image does not.
    (tmp_path / "in.csv").write_text("Path\ntrain/p00/v.jpg\n")
    words = [*words, "--quality", "95", "--workers", "1", "--json"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1
    (failed,) = json.loads(done.stdout)["failed"]
    assert failed["reason"] == "The output cannot be written: File too large."
    assert whole(out) == []
    assert not list(out.rglob("*.jpg"))


# A user's own mount namespace, with a small disk at its OUT.
_SMALL_DISK = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
_MOUNT = 'mount -t tmpfs -o size="$1" small "$2" || exit 99; shift 2; "$@"; code=$?; '
_LOOK = 'mkdir -p "$LEFT" && cp -a "$OUT/." "$LEFT"; exit $code'


def test_a_full_disk_is_told_and_leaves_only_whole_files(dataset, tmp_path):
    """A real one: a file system of 300 kB. The next run, with room, goes on from what is left."""
    words, out = dataset
    out.mkdir()
    left = tmp_path / "left"
    command = [*_SMALL_DISK, _MOUNT + _LOOK, "sh", "300k", str(out), *words, "--workers", "2"]
    places = os.environ | {"OUT": str(out), "LEFT": str(left)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=places)
    if done.returncode == 99 or "unshare" in done.stderr:  # a system without user namespaces
        left.mkdir()
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, preexec_fn=_no_large_files
        )
        out.rename(left)
    assert done.returncode in {1, 2}, done.stderr
    assert "No space left on device" in done.stderr or "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert whole(left) == []
    kept = len(list(left.rglob("*.jpg")))
    assert kept < 40
    left.rename(out) if not out.exists() else shutil.copytree(left, out, dirs_exist_ok=True)
    again = subprocess.run([*words, "--json"], check=True, capture_output=True, text=True)
    report = json.loads(again.stdout)
    assert report["made"] + report["skipped"] == 40
    assert report["made"] >= 40 - kept


def _no_large_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))


def test_an_unreadable_folder_is_failed_rows(dataset, tmp_path):
    """A name that is too long is refused by the system as a locked folder is."""
    words, _ = dataset
    (tmp_path / "in.csv").write_text(f"Path\ntrain/p00/v.jpg\ntrain/{'n' * 300}/v.jpg\n")
    done = subprocess.run([*words, "--json"], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["made"] == 1
    assert "cannot be read: File name too long" in report["failed"][0]["reason"]
