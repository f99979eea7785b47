"""`rig catalog`, `campaign`, `station`, `plan`, `doctor`: their JSON is a contract with scripts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rig.catalog.model import COLUMNS
from rig.cli import main
from rig.commands import doctor
from rig.commands.campaign import sizes
from rig.errors import UserError
from rig.planning.plan import from_json
from rig.store.lock import HomeLock


@pytest.fixture
def rig(tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs a command on a home of its own; returns exit status, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        try:
            status = main([*words, "--home", str(tmp_path / "home")])
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def source(tmp_path) -> list[str]:
    """`--csv ... --data-dir ...` of six good rows and, with `bad.csv`, a missing one."""
    lines = [",".join(COLUMNS)]
    for i in range(1, 7):
        path = f"D/train/patient{i:05d}/study1/view1_frontal.png"
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        Image.new("L", (8, 9), i).save(file)
        lines.append(",".join([path, "Male", "5", "Frontal", "PA", *["1.0"] * 14]))
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    lines.append(lines[-1].replace("patient00006", "patient00099"))
    (tmp_path / "bad.csv").write_text("\n".join(lines) + "\n")
    return ["--csv", str(tmp_path / "train.csv"), "--data-dir", str(tmp_path)]


@pytest.fixture
def planned(rig, source):
    rig("catalog", "import", "cat", *source)
    words = "campaign create camp --catalog cat --device nokia --subset-size 2-3 --seed 5 --json"
    status, out, err = rig(*words.split())
    assert status == 0, err
    return json.loads(out)


def test_catalog_import_and_show(rig, source):
    """Count and id; `--order csv` gives index i to row i."""
    status, out, _ = rig("catalog", "import", "cat", *source, "--json")
    told = json.loads(out)
    assert (status, told["name"], told["count"], told["left_out"]) == (0, "cat", 6, [])
    status, out, _ = rig("catalog", "show", "cat", "--json", "--rows")
    shown = json.loads(out)
    assert (shown["count"], shown["patients"], shown["splits"]) == (6, 6, {"train": 6})
    assert [(x["index"], x["key"][:12]) for x in shown["xrays"]] == [
        (i, f"patient{i:05d}") for i in range(1, 7)
    ]
    status, out, _ = rig("catalog", "show", "cat")
    assert (status, "6 x-rays of 6 patients" in out) == (0, True)


def test_a_bad_row_refuses_the_whole_import_unless_told_otherwise(rig, source):
    """Exit 2 and the line; with --skip-bad exit 1, because something was left out."""
    source[1] = source[1].replace("train.csv", "bad.csv")
    status, out, err = rig("catalog", "import", "cat", *source)
    assert (status, out) == (2, "")
    assert "line 8" in err
    assert rig("catalog", "show", "cat")[0] == 2
    status, out, _ = rig("catalog", "import", "cat", *source, "--skip-bad", "--json")
    told = json.loads(out)
    assert (status, told["count"], told["left_out"][0]["line"]) == (1, 6, 8)


def test_campaign_json_is_the_contract(rig, planned):
    """create and show print the same; subsets are disjoint, consecutive and cover everything."""
    status, out, _ = rig("campaign", "show", "camp", "--json")
    assert (status, json.loads(out)) == (0, planned)
    fields = {"name", "catalog", "device", "seed", "revision", "subsets", "balance"}
    assert set(planned) >= fields
    assert (planned["catalog"], planned["device"], planned["seed"]) == ("cat", "nokia", 5)
    covered = [i for s in planned["subsets"] for i in range(s["first"], s["last"] + 1)]
    assert covered == list(range(1, 7))
    assert [s["id"] for s in planned["subsets"]] == list(range(1, len(planned["subsets"]) + 1))
    for one in planned["subsets"]:
        assert set(one) >= {"id", "first", "last", "environment", "state"}
        assert set(one["environment"]) == {"name", "levels"}
        assert one["state"] == "planned"
    assert "planned" in rig("campaign", "show", "camp")[1]


def test_environments_of_a_file(rig, source, tmp_path):
    """Named ones are used as they are."""
    toml = tmp_path / "rooms.toml"
    toml.write_text('[[environment]]\nname="dark"\nlevels={light="off"}\n')
    rig("catalog", "import", "cat", *source)
    words = "campaign create c --catalog cat --device d --json --environments"
    shown = json.loads(rig(*words.split(), str(toml))[1])
    assert {s["environment"]["name"] for s in shown["subsets"]} == {"dark"}


def test_a_plan_export_is_sound_and_always_the_same(rig, planned):
    """It passes the plan's own check; nothing else is on standard output."""
    status, out, _ = rig("plan", "export", "camp", "2")
    plan = from_json(json.loads(out))
    second = planned["subsets"][1]
    assert (status, plan.first, plan.last) == (0, second["first"], second["last"])
    assert plan.campaign_id == planned["id"]
    assert all(Path(item.file).is_file() for item in plan.items)
    assert rig("plan", "export", "camp", "2")[1] == out
    assert rig("plan", "export", "camp", "1")[1] != out


def test_station_add_prints_the_token_once(rig, tmp_path):
    """And the command line for the display agent, with the address of a running controller."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "serve.json").write_text('{"url": "http://127.0.0.1:4321"}')
    told = json.loads(rig("station", "add", "room-1", "--json")[1])
    # Not the token itself: other users of that computer see its command lines.
    assert told["command"] == "display-agent connect http://127.0.0.1:4321 --token @station-token"
    status, out, _ = rig("station", "list", "--json")
    assert (status, json.loads(out)) == (0, {"stations": ["room-1"]})
    assert told["token"] not in rig("station", "list")[1]
    assert "display-agent connect" in rig("station", "add", "room-2")[1]


@pytest.mark.parametrize(
    "words",
    [
        "catalog show none",
        "catalog import x --csv none.csv --data-dir .",
        "campaign show none",
        "campaign create x --catalog none --device d",
        "campaign create x --catalog none --device d --subset-size many",
        "campaign create x --catalog none --device d --settle-ms -1",
        "plan export none 1",
        "plan export none one",
        "station add ../x",
        "catalog",
    ],
)
def test_bad_input_is_exit_2_and_a_sentence(rig, words):
    """Nothing on standard output, no stack trace."""
    status, out, err = rig(*words.split())
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    assert len(err) > 20


def test_sizes():
    """`250-500` or one number."""
    assert sizes("250-500") == (250, 500)
    assert sizes("30") == (30, 30)
    for text in ("", "-3", "3-", "a-b", "1-2-3"):
        with pytest.raises(UserError):
            sizes(text)


def test_doctor_is_content_with_a_sound_machine(rig, tmp_path):
    """Every line says what, how and, unless ok, what to do."""
    status, out, _ = rig("doctor", "--json")
    told = json.loads(out)
    assert (status, told["status"] in {"ok", "warn"}) == (0, True)
    assert {f["what"] for f in told["findings"]} >= {
        "Python",
        "dependencies",
        "SQLite",
        "home",
        "disk",
        "clock",
    }
    assert all(f["remedy"] for f in told["findings"] if f["status"] != "ok")
    with HomeLock.acquire(tmp_path / "home") as lock:
        lock.describe("http://x:1")
        assert "http://x:1" in rig("doctor")[1]
    assert list((tmp_path / "home").glob(".doctor*")) == []


def test_doctor_tells_what_is_bad(rig, tmp_path):
    """Exit 1: a home that is a file, readable secrets, a full disk, a dead clock."""
    (tmp_path / "home").write_text("in the way")
    status, out, _ = rig("doctor")
    assert (status, "cannot be written" in out) == (1, True)
    (tmp_path / "home").unlink()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret").write_bytes(b"x")
    (tmp_path / "home" / "secret").chmod(0o644)
    status, out, _ = rig("doctor")
    assert (status, "chmod 600 secret" in out) == (1, True)
    assert [doctor.disk(n).status for n in (10**8, 10**10, 10**11)] == ["bad", "warn", "ok"]
    assert [doctor.clock(t).status for t in (0.0, 2e9)] == ["bad", "ok"]
