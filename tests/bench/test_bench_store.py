"""The benchmark of the store runs and tells what it promises; how fast it is, no test judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bench import store_rows
from bench.__main__ import main
from bench.store import table
from bench.store_queries import statements
from rig.store.database import Database


def test_the_store_is_measured_at_the_sizes_that_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Positive times, bytes of a file that grows with its captures; nothing is left behind."""
    words = ["store", "--sizes", "1000", "3000", "--dir", str(tmp_path), "--json"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    small, large = result["sizes"]
    assert (small["captures"], large["captures"]) == (1000, 3000)
    assert small["bytes"] < large["bytes"]
    for row in (small, large):
        assert all(value > 0 for name, value in row.items() if name.endswith(("_ms", "_per_s")))
        assert row["session_page_ms"] <= row["session_page_p95_ms"]
        sent = row["session_page_statements"]
        assert any("FROM session" in one["sql"] for one in sent)
        assert all(one["plan"] and one["ms"] > 0 for one in sent)
    assert (small["sessions"], large["sessions"]) == (2, 6)
    assert "3,000" in table(result)
    assert "median / 95th percentile" in table(result)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_has_grown_is_dealt_to_campaigns_of_one_catalog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each campaign goes over the whole catalog; the last one as far as captures last."""
    monkeypatch.setattr(store_rows, "CATALOG", 1200)
    shape = store_rows.Shape(3000)
    assert (shape.xrays, shape.subsets, shape.campaigns) == (1200, 3, 3)
    placed = [shape.place(at) for at in range(3000)]
    assert len(set(placed)) == 3000
    assert placed[1199:1201] == [(2, 0, 1200), (3, 1, 1)]
    assert max(session for session, _, _ in placed) + 1 == shape.sessions == 8


def test_a_statement_that_reads_a_whole_table_is_told(tmp_path: Path) -> None:
    """By SQLite's own plan; one that is answered by an index is not."""
    with Database.open(tmp_path / "rig.db") as database:

        def page(connection: Connection) -> None:
            connection.exec_driver_sql("SELECT id FROM session WHERE chain = ?", ("x",)).all()
            connection.exec_driver_sql("SELECT chain FROM session WHERE id = ?", ("x",)).all()

        scan, search = database.query(lambda c: statements(c, page))
    assert scan["scans"] == ["SCAN session"]
    assert search["scans"] == []
    assert search["plan"][0].startswith("SEARCH session USING")
