"""The README is true: its code runs, and what it names exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", PYTHON)
def test_python_blocks_run(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "payments_1d" in done.stdout and "/v1/features/card_risk" in done.stdout


def test_there_is_python_to_run() -> None:
    assert PYTHON


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"[$`] ?make ([a-z]+)", README)) <= targets


@pytest.mark.parametrize("path", re.findall(r"`((?:workbench|notebooks|tests|binder)/[\w./]*)`", README))
def test_named_files_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_extras_exist() -> None:
    metadata = (ROOT / "pyproject.toml").read_text("utf-8")
    assert set(re.findall(r"`\[(\w+)\]`", README)) <= set(re.findall(r"^(\w+) = \[", metadata, re.MULTILINE))
