"""Scripts and styles: ours or vendored with a known hash, under addresses that change with them."""

import hashlib
import re
from pathlib import Path

import pytest

from rig.web import assets
from rig.web.render import TEMPLATES

VENDOR = assets.FOLDER / "vendor"
TEMPLATE_FOLDER = assets.FOLDER.parent / "templates"


def test_what_is_vendored_is_listed_with_its_hash_and_nothing_else_lies_there():
    """A byte that differs from what was published, or a file nobody owns up to, fails here."""
    row = r"^\| `([\w.-]+)` \|.*\| `([0-9a-f]{64})` \|$"
    listed = dict(re.findall(row, (VENDOR / "README.md").read_text(), re.MULTILINE))
    found = {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in VENDOR.iterdir()
        if one.name != "README.md"
    }
    assert found == listed
    assert {name for name in listed if name.endswith(".LICENSE")} == {
        "htmx.LICENSE", "uPlot.LICENSE", "inter.LICENSE"
    }  # fmt: skip


def test_no_template_loads_from_elsewhere_or_without_a_version():
    """And none has a script or style in itself, which the policy would stop."""
    for path in sorted(TEMPLATE_FOLDER.glob("*.html")):
        text = path.read_text()
        assert not re.search(r"""(?:src=|<link\b[^>]*href=)["'](https?:)?//""", text), path.name
        assert '"/static/' not in text, path.name
        assert not re.search(r"""\sstyle=|\son[a-z]+=["']|<style|<script(?![^>]*\ssrc=)""", text), (
            path.name
        )


def test_every_file_that_a_template_names_is_there():
    """`static()` in a template is checked here, not when somebody opens the page."""
    for path in sorted(TEMPLATE_FOLDER.glob("*.html")):
        TEMPLATES.get_template(path.name)
        for name in re.findall(r"""static\(["']([^"']+)["']\)""", path.read_text()):
            assert assets.address(name).endswith(f"/{name}")
    with pytest.raises(FileNotFoundError, match=r"nothing\.js"):
        assets.address("nothing.js")


@pytest.mark.parametrize("path", sorted(assets.FOLDER.glob("*.js")), ids=lambda p: p.name)
def test_modules_import_what_is_there_by_relative_names(path: Path):
    """An absolute name would be a second copy of the module, with a state of its own."""
    for name in re.findall(r"""(?:from|import)\s+["']([^"']+)["']""", path.read_text()):
        assert name.startswith("./"), name
        assert (assets.FOLDER / name).is_file(), name


def test_browsers_keep_files_for_ever_under_the_present_version_only(ready):
    """Another version's address, or none, is asked for anew each time."""
    with ready.running.client(None) as client:
        present = client.get(assets.address("live.js"))
        assert present.status_code == 200
        assert present.headers["cache-control"] == assets.FOREVER
        assert present.headers["content-type"].startswith("text/javascript")
        for path in ("/static/v-000000000000/live.js", "/static/live.js"):
            other = client.get(path)
            assert other.content == present.content
            assert other.headers["cache-control"] == assets.ASK_AGAIN
            again = client.get(path, headers={"If-None-Match": other.headers["etag"]})
            assert again.status_code == 304
        assert client.get("/static/v-000000000000/%2e%2e/render.py").status_code == 404
        assert client.get(f"/static/v-{assets.version()}/nothing.js").status_code == 404


def test_scripts_go_packed_to_who_can_unpack_them(ready):
    """The same bytes after unpacking; a typeface is left as it is."""
    path = assets.address("vendor/htmx.min.js")
    with ready.running.client(None) as client:
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content == (VENDOR / "htmx.min.js").read_bytes()
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
        assert packed.headers["content-type"] == plain.headers["content-type"]
        assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        font = client.get(assets.address("vendor/inter-latin.woff2"))
        assert "content-encoding" not in font.headers
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
