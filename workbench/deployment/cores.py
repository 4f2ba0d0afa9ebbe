"""How many workers a server has when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.errors import WorkbenchError

WORKERS = "WORKBENCH_WORKERS"

#: Memory that a worker is given before another one is started beside it, where a container has a limit.
WORKER_BYTES = 512 << 20
MOST = 32

_CGROUP = Path("/sys/fs/cgroup")


def default_workers() -> int:
    """Return ``$WORKBENCH_WORKERS``, or as many as there are cores that this process may use.

    A container's limits of CPU and memory count: each worker has a core and half a gigabyte. Never more than 32.

    Raises
    ------
    WorkbenchError
        The variable is not a positive integer.
    """
    given = os.environ.get(WORKERS)
    if given:
        if not given.isascii() or not given.isdigit() or int(given) == 0:
            raise WorkbenchError(f"{WORKERS} must be a positive integer, not {given!r}")
        return int(given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, memory = _quota(), _memory()
    limits = [cores, MOST]
    if quota is not None:
        limits.append(round(quota))
    if memory is not None:
        limits.append(memory // WORKER_BYTES)
    return max(1, min(limits))


def _quota() -> float | None:
    """Return how many cores the container may use at once."""
    words = _read(_CGROUP / "cpu.max").split()
    if len(words) == 2 and words[0].isdigit():
        return int(words[0]) / int(words[1])
    quota, period = (_read(_CGROUP / "cpu" / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _memory() -> int | None:
    """Return how many bytes the container may use."""
    for file in (_CGROUP / "memory.max", _CGROUP / "memory" / "memory.limit_in_bytes"):
        if (text := _read(file).strip()).isdigit():
            return int(text)
    return None


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
