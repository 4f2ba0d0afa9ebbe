"""The commands: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import workbench as wb
from workbench.cli import app
from workbench.deployment import stop_server

SPEND = """SELECT card, amount, sum(amount) OVER w AS total
FROM payments
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
"""
CSV = "card,amount,ts\n" + "".join(f"{i % 2},{i}.5,2026-01-0{i + 1} 12:00:00\n" for i in range(6))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_PROJECT", raising=False)
    monkeypatch.delenv("WORKBENCH_DEBUG", raising=False)
    Path("payments.csv").write_text(CSV)
    Path("spend.sql").write_text(SPEND)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with a table and a view, which workbench.toml names."""
    ok("init", "shop")
    ok("table", "add", "payments", "payments.csv", "--time", "ts")
    ok("define", "spend", "spend.sql")
    return tmp_path / "shop"


def run(*command: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(command), input=stdin)


def ok(*command: str, stdin: str | None = None) -> str:
    result = run(*command, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def ok_json(*command: str) -> Any:
    return json.loads(ok(*command, "--json"))


def refused(*command: str, stdin: str | None = None) -> str:
    result = run(*command, stdin=stdin)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_init_creates_the_project_and_names_it(tmp_path: Path) -> None:
    assert "workbench.toml" in ok("init", "shop")
    assert (tmp_path / "shop" / "workbench.db").exists()
    ok("init", "shop")
    assert "another project" in refused("init", "other")


def test_tables(shop: Path) -> None:
    [payments] = ok_json("table", "list")
    assert payments["table"] == "payments" and payments["rows"] == 6 and payments["time"] == "ts"
    assert payments["columns"] == {"card": "BIGINT", "amount": "DOUBLE", "ts": "TIMESTAMP"}
    assert "payments" in ok("table", "list")
    shown = ok("table", "show", "payments")
    assert "TIMESTAMP" in shown and "6 rows" in shown


def test_append_with_a_token_stores_once(shop: Path) -> None:
    Path("more.csv").write_text("card,amount,ts\n0,9,2026-02-01 00:00:00\n")
    first = ok_json("table", "append", "payments", "more.csv", "--token", "a")
    again = ok_json("table", "append", "payments", "more.csv", "--token", "a")
    assert first["accepted"] == 1 and again["replayed"]
    assert ok_json("table", "show", "payments")["rows"] == 7


def test_rows_of_known_ids_are_left_out(shop: Path) -> None:
    Path("events.csv").write_text(
        "id,ts\na,2026-02-01 00:00:00\nb,2026-02-01 00:00:00\na,2026-02-02 00:00:00\n"
    )
    assert "2 rows" in ok("table", "add", "events", "events.csv", "--time", "ts", "--id", "id")
    assert "id id" in ok("table", "show", "events") and ok_json("table", "show", "events")["options"] == {
        "id": "id"
    }
    said = ok("table", "append", "events", "events.csv")
    assert (
        "0 rows appended" in said and "3 rows left out" in said and "1 of them with another content" in said
    )


def test_when_rows_are_known_is_said_when_a_table_is_added(shop: Path) -> None:
    ok("table", "add", "late", "payments.csv", "--time", "ts", "--ttl", "30d", "--delay", "6h")
    assert ok_json("table", "show", "late")["options"] == {"ttl": "30d", "delay": "6h"}
    assert "ttl 30d, delay 6h" in ok("table", "show", "late")
    assert "known" in refused("table", "add", "other", "payments.csv", "--time", "ts", "--known", "kn")


def test_the_same_file_again_is_no_error_and_another_is(shop: Path) -> None:
    ok("table", "add", "payments", "payments.csv", "--time", "ts")
    Path("payments.csv").write_text(CSV.replace("0,0.5", "0,0.75"))
    assert "payments" in refused("table", "add", "payments", "payments.csv", "--time", "ts")
    ok("table", "add", "payments", "payments.csv", "--time", "ts", "--if-exists", "replace")


def test_drop_is_refused_while_a_view_uses_the_table(shop: Path) -> None:
    assert "spend" in refused("table", "drop", "payments")


def test_define_shows_columns_and_findings(shop: Path) -> None:
    assert "BIGINT" in ok("define", "spend", "-", stdin=SPEND)
    defined = ok_json("define", "spend", "spend.sql")
    assert list(defined["features"]) == ["card", "amount", "total"]
    assert defined["version"] is None
    assert "version 1" in ok("define", "spend", "spend.sql", "--save")


def test_define_binds_parameters(shop: Path) -> None:
    query = "SELECT card, amount * :by AS f FROM payments WHERE card IN (:cards)"
    shown = ok("define", "scaled", "-", "--param", "by=2", "--param", "cards=[0, 1]", stdin=query)
    assert "one row per row of payments" in shown
    assert "the parameter :by has no value" in refused("define", "scaled", "-", stdin=query)
    assert "name=value" in refused("define", "scaled", "-", "--param", "by", stdin=query)


def test_import_of_a_script(shop: Path) -> None:
    script = Path("scripts/openmldb.sql")
    script.parent.mkdir()
    (script.parent / "rows.csv").write_text("k,v,ts\na,1,2020-05-22 10:43:40\n")
    script.write_text(
        "CREATE TABLE t (k string, v int, ts timestamp, INDEX(KEY=k, TS=ts));\n"
        "LOAD DATA INFILE 'rows.csv' INTO TABLE t OPTIONS(format='csv');\n"
        "DEPLOY d SELECT k, hour(ts) AS h FROM t;\n"
    )
    planned = ok("import", str(script), "--dry-run", "--transpile")
    assert "line 3: planned: view d" in planned and "FROM t" in planned
    assert "line 2: done: 1 rows of rows.csv into t" in ok("import", str(script))
    assert ok_json("preview", "d") == [{"k": "a", "h": 10}]
    with script.open("a") as file:
        file.write("DROP TABLE t;\n")
    assert "line 4: DROP has no counterpart here" in refused("import", str(script))
    result = run("import", str(script), "--dry-run")
    assert result.exit_code == 1 and "line 4: refused" in result.stdout


def test_preview(shop: Path) -> None:
    rows = ok_json("preview", "spend", "-n", "3")
    assert len(rows) == 3
    assert {"card": 1, "amount": 5.5, "total": 10.5} in rows
    assert ok("preview", "spend", "-n", "3").splitlines()[0].split() == ["card", "amount", "total"]


def test_check_ends_with_0_when_nothing_differs(shop: Path) -> None:
    checked = ok_json("check", "spend")
    assert checked["compared"] > 0 and checked["different"] == 0
    assert "all equal; every stored row was checked" in ok("check", "spend", "--rows", "all")


def test_check_ends_with_1_on_a_difference(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Different:
        different = 1

        def to_dict(self) -> dict[str, int]:
            return {"different": 1}

    monkeypatch.setattr(wb.View, "check", lambda *args, **kwargs: Different())
    result = run("check", "spend", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"different": 1}


NEXT = "SELECT lead(amount) OVER w AS next FROM payments WINDOW w AS (PARTITION BY card ORDER BY ts)"


def test_label_and_train(shop: Path) -> None:
    assert "next_amount (draft): labels of rows of payments" in ok("label", "next_amount", "-", stdin=NEXT)
    assert json.loads(ok("label", "next_amount", "-", "--json", stdin=NEXT))["columns"] == {"next": "DOUBLE"}
    scaled = NEXT.replace("SELECT lead", "SELECT :factor * lead")
    assert "scaled (version 1): labels" in ok(
        "label", "scaled", "-", "--param", "factor=2", "--save", stdin=scaled
    )
    told = ok("train", "payments", "spend", "--label", "next_amount", "-o", "a.csv", "--exclude", "t*")
    assert "a.csv: 3 columns of spend@1, cut 6; 2 rows without a known label" in told
    assert Path("a.csv").read_text().splitlines() == [
        '"card","amount","next"', "0,0.5,2.5", "1,1.5,3.5", "0,2.5,4.5", "1,3.5,5.5",
    ]  # fmt: skip
    made = ok_json("train", "payments.csv", "spend", "-o", "a.parquet", "--cut", "4")
    assert made["cut"] == "4" and made["columns"]["total"] == "DOUBLE" and Path("a.parquet").exists()
    ok("train", "payments", "spend", "--label", "next_amount", "-o", "a.svm", "--exclude", "ts")
    assert Path("a.svm").read_text().startswith("2.5 1:0 2:0.5 3:0.5\n")
    assert "--out ends with" in run("train", "payments", "spend", "-o", "a.txt").output
    assert "no view 'spent'" in refused("train", "payments", "spent", "-o", "a.csv")
    assert "is a label and cannot be used as a view" in refused("check", "next_amount")


def test_compare_ends_with_1_on_a_difference(shop: Path) -> None:
    ok(
        "define",
        "sums",
        "-",
        stdin="SELECT ts, sum(amount) OVER w AS total FROM payments " + SPEND.split("payments")[1],
    )
    lines = [
        f"2026-01-0{i + 1} 12:00:00,{sum(n + 0.5 for n in range(i % 2, i + 1, 2)[-3:])}" for i in range(6)
    ]
    Path("theirs.csv").write_text("\n".join(["ts,total", *lines]))
    assert "6 values of 6 rows compared, all equal" in ok("compare", "sums", "theirs.csv", "--on", "ts")
    assert ok_json("compare", "sums", "theirs.csv", "--on", "ts")["compared"] == 6
    Path("theirs.csv").write_text("\n".join(["ts,total", *lines[:-1], "2026-01-06 12:00:00,1"]))
    result = run("compare", "sums", "theirs.csv", "--on", "ts")
    assert result.exit_code == 1 and "1 different" in result.stdout and "theirs 1" in result.stdout
    assert run("compare", "sums", "theirs.csv", "--on", "ts", "--tolerance", "0.99").exit_code == 0
    assert "no column 'k' to compare on" in refused("compare", "sums", "theirs.csv", "--on", "k, ts")


def test_warmup_says_whether_the_kernels_are_compiled(shop: Path) -> None:
    if ok_json("warmup")["ready"]:
        assert "compiled" in ok("warmup")
        assert any((shop / "kernels").iterdir())


def test_deploy_ps_rollback_stop(shop: Path) -> None:
    try:
        deployed = ok_json("deploy", "spend")
        assert deployed["version"] == 1
        ok("define", "spend", "-", stdin=SPEND.replace("AS total", "AS spent"))
        assert "version 2" in ok("deploy", "spend") and "$WORKBENCH_API_KEY" in ok("deploy", "spend")
        assert "version 1" in ok("rollback", "spend")
        assert [(row["view"], row["version"]) for row in ok_json("ps")] == [("spend", 1)]
        ok("stop", "spend")
        assert ok_json("ps") == []
        assert "no server" in ok("stop")
        assert ok_json("serve")["url"].startswith("http://127.0.0.1:")
        assert "stopped" in ok("stop")
    finally:
        stop_server(shop)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["ps", "--project", "nowhere"], "there is no project in"),
        (["table", "show", "paymnets"], "did you mean 'payments'"),
        (["table", "add", "more", "missing.csv"], "missing.csv"),
        (["table", "add", "more", "payments.csv", "--time", "tz"], "tz"),
        (["define", "spend", "missing.sql"], "missing.sql"),
        (["preview", "spnd"], "did you mean 'spend'"),
        (["preview", "spend", "-n", "0"], "-n"),
        (["check", "spend", "--rows", "many"], "--rows"),
        (["stop", "spend"], "spend"),
        (["rollback", "spend"], "spend"),
        (["frobnicate"], "frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_are_messages(shop: Path, command: list[str], said: str) -> None:
    assert said in refused(*command)


def test_a_query_error_has_place_and_caret(shop: Path) -> None:
    printed = refused("define", "spend", "-", stdin=SPEND.replace("sum(amount)", "sum(amont)"))
    assert "line 1, column" in printed and "^" in printed and "did you mean 'amount'" in printed


def test_no_project_at_all() -> None:
    assert "workbench init" in refused("ps")


def test_doctor(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {one["name"]: one for one in ok_json("doctor")}
    assert seen["project"]["well"] and "1 tables" in seen["project"]["found"]
    assert "ok  dependencies" in ok("doctor")
    assert seen["data files"]["well"] and seen["kernels"]["well"]
    broken = run("doctor", "--project", "payments.csv")
    assert broken.exit_code == 1
    assert "does not open" in broken.stdout


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a terminal does."""
    line = [sys.executable, "-m", "workbench", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)


def test_as_a_process(shop: Path) -> None:
    assert command("--version").stdout.strip() == wb.__version__
    assert "doctor" in command("--help").stdout
    rows = command("preview", "spend", "--json")
    assert rows.returncode == 0 and len(json.loads(rows.stdout)) == 6
    wrong = command("preview", "spnd")
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: ") and "Traceback" not in wrong.stderr


def test_warnings_are_one_line(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("WORKBENCH_KERNEL_CACHE", str(shop.parent / "none"))
    warned = command("warmup")
    assert warned.returncode == 1 and warned.stderr.startswith("warning: no compiled kernels, ")


def test_the_life_of_a_table(shop: Path) -> None:
    assert "has the column channel VARCHAR" in ok(
        "table", "add-column", "payments", "channel", "varchar", "--default", "7"
    )
    assert "already" in refused("table", "add-column", "payments", "amount", "DOUBLE")
    assert "cannot be" in refused("table", "add-column", "payments", "n", "TINYINT", "--default", "many")
    stats = ok_json("table", "stats", "payments")
    assert stats["rows"] == 6 and stats["expired_rows"] == 0
    assert "6, last seq 6" in ok("table", "stats", "payments")
    assert ok_json("table", "compact", "payments")["parts"] == 1
    card = ok_json("table", "erase", "payments", "--key", "card=1", "--key", "channel=7")
    assert card["rows"] > 0 and card["scrubbed"] and card["views"] == ["spend"]
    assert "0 rows erased" in ok("table", "erase", "payments", "--key", "card=1")
    assert "no column 'crad'" in refused("table", "erase", "payments", "--key", "crad=7")


def test_housekeeping(shop: Path) -> None:
    assert ok_json("housekeeping", "--status") is None
    assert "no process" in ok("housekeeping", "--status")
    assert "in order" in ok("housekeeping", "--once")
    assert ok_json("table", "stats", "payments")["log_rows"] == 0
    assert "housekeeping" in ok("ps")
