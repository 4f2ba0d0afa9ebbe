"""Compiled kernels are compiled once, published whole, and done without where they cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from workbench.kernels import machine, warm
from workbench.kernels.object_file import OBJECT, SYMBOL

SAYS = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from workbench.kernels import warm
folder = Path(sys.argv[1])
if sys.argv[2:] == ["warm"]:
    warm.warm(folder)
print(warm.load(folder), warm.reason(), [m for m in ("numba", "pandas") if m in sys.modules])
"""


def other_process(folder: Path, *arguments: str, **environment: str) -> str:
    """What a fresh process says of a folder."""
    done = subprocess.run(
        [sys.executable, "-c", SAYS, str(folder), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_compiled_module_is_in_the_fingerprint() -> None:
    code = (
        "import sys, workbench.kernels.compiler;"
        "print(*(m.rpartition('.')[2] for m in sys.modules if m.startswith('workbench.kernels.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == set(warm.COMPILED)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No shared cache that has anything, no kernels loaded in this process."""
    monkeypatch.setenv(warm.CACHE_VARIABLE, str(tmp_path / "shared"))
    monkeypatch.setattr(machine, "_machine", None)
    monkeypatch.setattr(warm, "_reason", None)
    monkeypatch.setattr(warm, "_warned", False)
    return tmp_path / "project"


def test_a_second_project_compiles_nothing(kernels: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert warm.warm(tmp_path, said.append)
    assert said == []
    assert warm.ready(tmp_path)
    assert other_process(tmp_path) == "True None []"
    assert [path.name for path in tmp_path.iterdir()] == [warm.fingerprint()]


def test_a_project_whose_folder_cannot_be_written_uses_the_shared_cache(
    kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kernels"
    folder.write_text("not a folder")
    assert warm.warm(folder)
    assert other_process(folder) == "True None []"


def test_different_reasons_warn_once(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for reason in ("no such processor", "no such folder"):
            monkeypatch.setattr(warm, "_COMPILE", f"raise RuntimeError('{reason}')")
            assert not warm.warm(alone)
            assert reason in (warm.reason() or "")
    assert len(caught) == 1


def test_nothing_is_compiled_by_loading(alone: Path) -> None:
    assert not warm.ready(alone)
    assert not warm.load(alone)
    assert warm.reason() == "the kernels are not compiled yet"
    with pytest.raises(machine.KernelsUnavailable, match="not loaded"):
        machine.machine()


def test_without_jit_there_is_one_warning(alone: Path) -> None:
    said = other_process(alone, "warm", NUMBA_DISABLE_JIT="1")
    assert said == "False NUMBA_DISABLE_JIT is set []"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        with pytest.warns(warm.KernelWarning, match="NUMBA_DISABLE_JIT"):
            assert not warm.warm(alone)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not warm.warm(alone)


def test_what_fails_to_compile_says_why(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_COMPILE", "raise RuntimeError('no such processor')")
    with pytest.warns(warm.KernelWarning, match="no such processor"):
        assert not warm.warm(alone)
    assert "no such processor" in (warm.reason() or "")
    assert not list((alone.parent / "shared").glob(".making-*"))


def test_without_numba_there_are_no_kernels(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise warm.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(warm.importlib.metadata, "version", missing)
    warm.fingerprint.cache_clear()
    try:
        with pytest.warns(warm.KernelWarning, match="numba is not installed"):
            assert not warm.warm(alone)
        assert not warm.ready(alone)
    finally:
        monkeypatch.undo()
        warm.fingerprint.cache_clear()


@pytest.mark.parametrize("name", [OBJECT, SYMBOL])
def test_a_damaged_file_is_not_run(
    kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert warm.warm(tmp_path)
    file = tmp_path / warm.fingerprint() / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert not warm.ready(tmp_path)
    assert other_process(tmp_path) == "True None []"  # the shared cache's
    monkeypatch.setenv(warm.CACHE_VARIABLE, str(tmp_path / "none"))
    assert other_process(tmp_path).startswith("False the kernels are not compiled yet")
    monkeypatch.undo()
    assert warm.warm(tmp_path) and warm.ready(tmp_path)


def test_without_a_shared_cache_the_project_is_filled(kernels: Path, alone: Path) -> None:
    (alone.parent / "shared").write_text("not a folder")
    made = alone / warm.fingerprint()

    def copy(folder: Path, progress: object) -> None:
        warm._publish(folder, lambda target: warm._copy(kernels / warm.fingerprint(), target))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm, "_compile", copy)
        assert warm.warm(alone)
    assert (made / OBJECT).exists()
