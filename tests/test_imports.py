"""What importing costs, and what an installation brings."""

import re
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = [
    "IPython",
    "duckdb",
    "fastapi",
    "ibis",
    "ipywidgets",
    "numpy",
    "pandas",
    "plotly",
    "polars",
    "pyarrow",
    "rich",
    "sqlglot",
    "typer",
    "uvicorn",
]
SERVING_NEVER = ["IPython", "ibis", "ipywidgets", "pandas", "plotly", "sqlglot"]


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_import_is_quick() -> None:
    code = "import time; begun = time.perf_counter(); import workbench; print(time.perf_counter() - begun)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(5)
    ]
    assert statistics.median(float(run) for run in runs) < 0.3


def test_import_loads_nothing_heavy() -> None:
    assert not set(HEAVY) & loaded_by("import workbench")


@pytest.mark.parametrize("module", ["catalog", "online", "serving.app", "storage", "values"])
def test_what_serves_loads_neither_ibis_nor_pandas(module: str) -> None:
    assert not set(SERVING_NEVER) & loaded_by(f"import workbench.{module}")


def test_public_names_are_there() -> None:
    code = "import workbench; print(*[name for name in workbench.__all__ if not hasattr(workbench, name)])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "\n"
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ROOT,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("feature_workbench-*.whl")))


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {"workbench/__init__.py", "workbench/py.typed", "workbench/demo/late_risk.sql"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"workbench"}


def test_wheel_installs_the_command_under_both_names(wheel: zipfile.ZipFile) -> None:
    [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(entry_points).decode()
    assert "\nworkbench = workbench.cli:main" in text and "\nfeature-workbench = workbench.cli:main" in text


def test_demo_installs_a_subset_of_what_the_tests_ran_with() -> None:
    assert pins("requirements-demo.lock") <= pins("requirements.lock")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-demo.lock"])
def test_locks_name_no_package_host(lock: str) -> None:
    assert not re.search(r"https?://|--index-url|--find-links", (ROOT / lock).read_text())


def pins(lock: str) -> set[str]:
    return {re.split(r" [;\\]", line)[0] for line in (ROOT / lock).read_text().splitlines() if "==" in line}
