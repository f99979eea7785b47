"""`rig token`: made once, kept private, shown to whoever asks on this machine."""

import json
import stat

import pytest

from rig.cli import main


@pytest.fixture
def token(tmp_path, capsys):
    """Runs a verb on a home; status, output, complaints."""

    def run(verb, *words):
        status = main(["token", verb, "--home", str(tmp_path / "home"), *words])
        return status, *capsys.readouterr()

    return run


def test_it_is_made_once_private_and_never_printed_unasked(token, tmp_path):
    """A second one only when that is said: it signs everybody out."""
    status, out, _ = token("make", "--json")
    file = tmp_path / "home" / "token"
    assert (status, json.loads(out)) == (0, {"file": str(file)})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = file.read_text().strip()
    assert len(made) >= 40
    assert made not in out
    assert token("show")[1] == made + "\n"
    assert json.loads(token("show", "--json")[1]) == {"token": made}
    status, _, err = token("make")
    assert (status, "--new" in err, file.read_text().strip()) == (2, True, made)
    assert token("make", "--new")[0] == 0
    assert file.read_text().strip() != made


def test_what_is_no_good_token_is_refused_in_words(token, tmp_path):
    """None, one that others may read, one that is short, no text."""
    status, _, err = token("show")
    assert (status, "rig token make" in err) == (2, True)
    file = tmp_path / "home" / "token"
    file.parent.mkdir()
    for data, mode, words in (
        (b"0123456789abcdef\n", 0o644, "chmod 600"),
        (b"short\n", 0o600, "16"),
        (b"0123456789 abcdef\n", 0o600, "without spaces"),
        (b"\xff" * 20, 0o600, "no plain text"),
        (b"x" * 600, 0o600, "512"),
    ):
        file.write_bytes(data)
        file.chmod(mode)
        status, _, err = token("show")
        assert (status, words in err) == (2, True), (data, err)
