"""Where compiled kernels lie and how they get there: compiled once a machine, published, copied into projects, loaded.

The folder of a project has a folder per fingerprint (of the kernels' source, numba, LLVM and the processor). It is
filled from the shared cache, ``$WORKBENCH_KERNEL_CACHE`` or ``~/.cache/feature-workbench/kernels``, and that by
compiling, in a process of its own, under a lock. Nothing here imports numba.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.kernels import machine
from workbench.kernels.object_file import OBJECT, SYMBOL

#: The environment variable that says where the shared cache is.
CACHE_VARIABLE = "WORKBENCH_KERNEL_CACHE"

#: The modules that the compiled code is made of.
COMPILED = (
    *("layout", "memory", "exact", "rows", "frames", "folds", "passes", "slide", "picks", "values", "calls"),
    *("distinct", "keytable", "builders", "evaluate", "compiler", "object_file"),
)

_COMPILE = (
    "import sys, pathlib; from workbench.kernels.compiler import compile_kernels; "
    "compile_kernels(pathlib.Path(sys.argv[1]))"
)
_PACKAGE = Path(__file__).parent
_reason: str | None = None
_warned = False

Progress = Callable[[str], None]


class KernelWarning(UserWarning):
    """The kernels cannot be compiled here; everything is computed by DuckDB, slower."""


@functools.cache
def fingerprint() -> str:
    """Return what compiled kernels depend on, as 16 hex digits.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        When numba is not installed.
    """
    found = hashlib.sha256()
    for module in COMPILED:
        found.update(module.encode() + (_PACKAGE / f"{module}.py").read_bytes())
    for package in ("numba", "llvmlite"):
        found.update(importlib.metadata.version(package).encode())
    found.update(f"{platform.machine()} {platform.system()} {_processor()}".encode())
    return found.hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    kept = ("vendor_id", "cpu family", "model\t", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(kept)}))


def shared_cache() -> Path:
    """Return the folder of the shared cache."""
    said = os.environ.get(CACHE_VARIABLE)
    return Path(said) if said else Path.home() / ".cache" / "feature-workbench" / "kernels"


def ready(folder: Path) -> bool:
    """Return whether a project's folder has kernels compiled for this machine, undamaged."""
    try:
        made = Path(folder) / fingerprint()
        _, checksum = (made / SYMBOL).read_text().split()
        return zlib.crc32((made / OBJECT).read_bytes()) == int(checksum)
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError):
        return False


def warm(folder: Path, progress: Progress | None = None) -> bool:
    """Make sure that a project's folder has compiled kernels; return whether it does.

    Compiling takes some 20 seconds once a machine. Where it is not possible there is one warning, and :func:`reason`
    says why.

    Parameters
    ----------
    folder
        The project's folder of kernels; made when missing.
    progress
        Called with what is being done, before each step that takes time.
    """
    global _reason
    try:
        if not ready(folder):
            _fill(Path(folder), progress)
        _reason = None
        return True
    except importlib.metadata.PackageNotFoundError as error:
        _fail(f"{error.name} is not installed")
    except (OSError, subprocess.SubprocessError, _CannotCompile) as error:
        if isinstance(error, OSError) and ready(shared_cache()):
            _reason = None
            return True  # a folder that cannot be written does without a copy
        _fail(str(error))
    return False


def load(folder: Path) -> bool:
    """Load the compiled kernels of a folder, or else those of the shared cache; return whether they are there.

    Never compiles.
    """
    global _reason
    if available():
        return True
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        _reason = "NUMBA_DISABLE_JIT is set"
        return False
    place = next((one for one in (Path(folder), shared_cache()) if ready(one)), None)
    if place is None:
        _reason = _reason or "the kernels are not compiled yet"
        return False
    try:
        machine.use(place / fingerprint())
    except (OSError, ImportError, ValueError, RuntimeError) as error:
        _fail(f"the compiled kernels cannot be loaded: {error}")
        return False
    _reason = None
    return True


def available() -> bool:
    """Return whether this process has compiled kernels."""
    return machine.loaded()


def reason() -> str | None:
    """Return why this process has no compiled kernels, None when it does."""
    return None if available() else _reason or "the kernels are not loaded"


class _CannotCompile(Exception):
    pass


def _fail(why: str) -> None:
    global _reason, _warned
    _reason = why
    if not _warned:
        _warned = True
        warnings.warn(f"no compiled kernels, DuckDB computes windows: {why}", KernelWarning, stacklevel=3)


def _fill(folder: Path, progress: Progress | None) -> None:
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise _CannotCompile("NUMBA_DISABLE_JIT is set")
    shared = _writable(shared_cache())
    if shared is not None:
        with _locked(shared):
            if not ready(shared):
                _compile(shared, progress)
        if shared.resolve() != folder.resolve():
            _publish(folder, lambda target: _copy(shared / fingerprint(), target))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if not ready(folder):
                _compile(folder, progress)


def _writable(folder: Path) -> Path | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with open(folder / f"{fingerprint()}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(folder: Path, progress: Progress | None) -> None:
    if progress is not None:
        progress("compiling the kernels for this machine (once, about 20 seconds)")

    def run(target: Path) -> None:
        paths = [str(_PACKAGE.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        done = subprocess.run(
            [sys.executable, "-c", _COMPILE, str(target)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise _CannotCompile(
                f"numba cannot compile them: {lines[-1] if lines else f'exit code {done.returncode}'}"
            )

    _publish(folder, run)


def _copy(source: Path, target: Path) -> None:
    for name in (OBJECT, SYMBOL):
        shutil.copyfile(source / name, target / name)


def _publish(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder beside, then give it its name: whoever looks sees all of it or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder))
    try:
        fill(made)
        made.chmod(0o755)
        if not ready(folder):
            shutil.rmtree(folder / fingerprint(), ignore_errors=True)
            os.rename(made, folder / fingerprint())
    except OSError:
        if not ready(folder):
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
