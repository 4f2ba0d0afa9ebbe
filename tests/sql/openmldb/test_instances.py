"""Instance functions: a row as one line of text around signatures, by request and in bulk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from tests.sql.openmldb.conftest import ROW, Ask
from workbench.errors import DefinitionError
from workbench.kernels.farmhash import fingerprint

HELLO = fingerprint(b"Hello")
OVER = "(PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
SIGNED = "multiclass_label(6), continuous(1.5), discrete(3)"

# What OpenMLDB's library 0.9.2 gives for the same calls, but for the 0 in gcformat.
LINES = {
    f"csv({SIGNED})": "6,1.500000,2681491882390849628",
    f"LIBSVM({SIGNED})": "6 1:1.500000 2681491882390849628:1",
    f"gcformat({SIGNED})": "6 | 1:0:1.500000 2:2681491882390849628",
    "csv(discrete(3), discrete(3, 100))": "2681491882390849628,28",
    "csv(binary_label(true), multiclass_label(x), regression_label(1.5), regression_label(3))": "1,1,1.500000,3",
    "csv(continuous(n))": "",
    "csv(continuous(n), discrete(n, 8), binary_label(CAST(NULL AS bool)))": ",,",
    "csv(continuous(sm), continuous(x), continuous(f), continuous(d))": "30000,1,1.500000,-2.750000",
    "csv(continuous(double('nan')), continuous(double('-inf')), continuous(f / 3))": "nan,-inf,0.500000",
    "csv(discrete(s), discrete(dt, 10), discrete(ts, 10), discrete(x, 10))": None,
    "libsvm(continuous(d), discrete(sm, 100), continuous(n), discrete(n, 50), continuous(b), binary_label(x))": None,
    "libsvm(discrete(3, 100), continuous(3))": "29:1 101:3",
    "libsvm(regression_label(1.5), binary_label(CAST(NULL AS bool)), continuous(i))": "1:2147483647",
    "libsvm(binary_label(x))": "1",
    "libsvm(continuous(n))": "",
    "gcformat(continuous(n), discrete(3, 100), binary_label(x), continuous(3))": "1 | 2:28 3:0:3",
    "gcformat(regression_label(d))": "-2.750000 | ",
    f"csv(continuous(sum(i) OVER {OVER}), (discrete(count(i) OVER {OVER}, 8)))": None,
    f"csv(continuous(count(i)), continuous(max(d))) OVER {OVER}": "3,-2.750000",
}  # fmt: skip


def test_lines(values: Ask) -> None:
    found = values(*LINES)
    assert {kind for _, kind in found} == {"VARCHAR"}
    for (line, _), (call, expected) in zip(found, LINES.items(), strict=True):
        assert line == expected or expected is None, call
    by_call = dict(zip(LINES, (line for line, _ in found), strict=True))
    assert by_call["csv(discrete(s), discrete(dt, 10), discrete(ts, 10), discrete(x, 10))"].startswith(
        f"{HELLO},"
    )


SIGNATURES = {
    "y": "multiclass_label(i % 3)",
    "c1": "continuous(d)",
    "k1": "discrete(s)",
    "k2": "discrete(s, 1000)",
    "c2": "continuous(f)",
    "k3": "discrete(dt, 7)",
    "k4": "discrete(ts, 7)",
    "k5": "discrete(x, 7)",
    "c3": "continuous(n)",
    "k6": "discrete(sm, 7)",
    "c4": f"continuous(sum(d) OVER {OVER})",
    "k7": f"discrete(count(i) OVER {OVER}, 7)",
    "c5": "continuous(x)",
}  # fmt: skip


def test_lines_are_those_of_the_writers(project: wb.Project, tmp_path: Path) -> None:
    items = ", ".join(f"{signature} AS {name}" for name, signature in SIGNATURES.items())
    columns = project.define("columns", f"SELECT {items} FROM t", dialect="openmldb")
    call = ", ".join(SIGNATURES.values())
    query = f"SELECT csv({call}) AS csv, libsvm({call}) AS libsvm FROM t"
    lines = project.define("lines", query, dialect="openmldb")
    spine = [ROW, ROW | {"d": None, "s": None, "i": 7}, ROW | {"s": "", "x": False, "d": 1e-7, "sm": -1}]
    made, written = lines.offline(spine=spine).to_pyarrow(), columns.offline(spine=spine)
    csv = written.to_csv(tmp_path / "a.csv", format="openmldb").read_text().splitlines()
    libsvm = written.to_libsvm(tmp_path / "a.svm", format="openmldb").read_text().splitlines()
    assert made.column("csv").to_pylist() == csv and made.column("libsvm").to_pylist() == libsvm
    assert [lines.request(row) for row in spine] == made.select(["csv", "libsvm"]).to_pylist()
    assert lines.check(rows="all").different == 0


@pytest.mark.parametrize(
    ("item", "column", "message"),
    [
        ("csv()", 8, "at least one signature"),
        ("csv(i)", 12, "csv.. takes signatures"),
        ("libsvm(continuous(i), abs(i))", 30, "libsvm.. takes signatures"),
        ("csv(continuous(s))", 23, "takes a number, not VARCHAR"),
        ("csv(discrete(s, i))", 24, "constant whole number"),
        ("csv(abs(continuous(i)))", 12, "csv.. takes signatures"),
        ("gcformat(gcformat_index(2), continuous(i))", 17, "gcformat_index.. is not available"),
    ],
)
def test_what_is_no_instance(project: wb.Project, item: str, column: int, message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        project.define("refused", f"SELECT {item} FROM t", dialect="openmldb")
    assert caught.value.position is not None and caught.value.position.column == column


@pytest.mark.parametrize("name", ["csv", "LIBSVM", "gcformat"])
def test_the_workbench_has_writers_instead(project: wb.Project, name: str) -> None:
    with pytest.raises(DefinitionError, match="in OpenMLDB's dialect only") as caught:
        project.define("refused", f"SELECT {name}(continuous(i)) AS line FROM t")
    hint: Any = caught.value.hint
    assert "result.to_csv(path)" in hint and "result.to_libsvm(path)" in hint
