"""The unrelated distribution of the same import name is found, and said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import workbench
from workbench.installation import clash, incomplete


def installed(folder: Path, name: str) -> list[str]:
    (folder / f"{name}.dist-info").mkdir(parents=True)
    return [str(folder)]


def test_ours_alone_is_well(tmp_path: Path) -> None:
    assert clash(installed(tmp_path, "feature_workbench-0.1.0")) is None


def test_the_other_beside_ours_is_told_with_the_remedy(tmp_path: Path) -> None:
    message = clash(installed(tmp_path, "workbench-0.8.1"))
    assert message is not None
    assert "workbench-0.8.1" in message and "pip uninstall -y workbench" in message


def test_the_first_import_warns(tmp_path: Path) -> None:
    [folder] = installed(tmp_path, "workbench-0.8.1")
    code = f"import sys; sys.path.append({folder!r}); import workbench"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "RuntimeWarning: the unrelated package 'workbench-0.8.1'" in run.stderr


def test_a_missing_module_of_ours_is_an_installation_error(tmp_path: Path) -> None:
    """As after ``pip uninstall workbench``, which removes the files that both packages have."""
    copy = tmp_path / "workbench"
    copy.mkdir()
    for name in ("__init__.py", "installation.py"):
        (copy / name).write_bytes((Path(workbench.__file__).parent / name).read_bytes())
    code = "import workbench; workbench.open('x')"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert run.returncode != 0
    assert "workbench.project is missing" in run.stderr.splitlines()[-1]
    assert "pip uninstall -y workbench" in run.stderr.splitlines()[-1]
    assert isinstance(incomplete("workbench.view"), ImportError)


def test_public_names() -> None:
    for name in workbench.__all__:
        assert getattr(workbench, name) is not None
        assert name in dir(workbench)
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        workbench.opne  # noqa: B018
