"""The compiled drivers of one view in this process: one a thread that asks at the same time."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from workbench.errors import WorkbenchError
from workbench.kernels import warm
from workbench.online.compiled.driver import CompiledDriver
from workbench.online.compiled.prepare import Prepared, Refused, prepare
from workbench.plan.model import FeaturePlan
from workbench.storage import Storage
from workbench.storage.artifacts import KERNELS


@dataclass(frozen=True)
class Driver:
    """What answers requests: ``compiled`` or ``reference``, and why it is the reference driver."""

    name: str
    reasons: tuple[str, ...]


def warm_kernels(storage: Storage, progress: Callable[[str], None] | None = None) -> bool:
    """Compile the kernels for a project unless that was done, and load them; return whether they are there.

    Parameters
    ----------
    storage
        The project's storage.
    progress
        Called with what is being done, before a step that takes seconds.
    """
    folder = storage.path / KERNELS
    return warm.warm(folder, progress) and warm.load(folder)


def driver_of(storage: Storage, plan: FeaturePlan) -> Driver:
    """Return which driver answers requests of a plan in this process, and why it is not the compiled one."""
    prepared = prepare(plan, {table.name: table.columns for table in storage.tables()})
    if isinstance(prepared, Refused):
        return Driver("reference", prepared.reasons)
    reason = _unloaded(storage)
    return Driver("compiled", ()) if reason is None else Driver("reference", (reason,))


def _unloaded(storage: Storage) -> str | None:
    """Load the kernels where they are compiled; return why they are not there."""
    if warm.load(storage.path / KERNELS):
        return None
    return f"{warm.reason() or 'the kernels are not compiled'}: `workbench warmup` compiles them"


class CompiledDrivers:
    """Gives each thread a driver of its own; :meth:`of` says whether there can be any."""

    def __init__(self, storage: Storage, prepared: Prepared) -> None:
        self._storage = storage
        self._prepared = prepared
        self._idle: list[CompiledDriver] = [CompiledDriver(storage, prepared)]
        #: How many rows were answered here, and how many were left to the reference driver, with the last reason.
        self.answered = self.left = 0
        self.why = ""
        _instances.add(self)

    @staticmethod
    def of(storage: Storage, plan: FeaturePlan) -> CompiledDrivers | Refused:
        """Return the drivers of a plan, or why it has none here."""
        prepared = prepare(plan, {table.name: table.columns for table in storage.tables()})
        if isinstance(prepared, Refused):
            return prepared
        reason = _unloaded(storage)
        if reason is not None:
            return Refused((reason,))
        try:
            return CompiledDrivers(storage, prepared)
        except WorkbenchError as error:
            return Refused((error.message,))

    def take(self) -> CompiledDriver:
        """Return a driver that nobody else uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return CompiledDriver(self._storage, self._prepared)

    def put(self, driver: CompiledDriver) -> None:
        """Give a driver back."""
        self._idle.append(driver)

    def answer(
        self, rows: pa.Table | Sequence[dict[str, Any]], seqs: Sequence[int | None], cut: int
    ) -> list[tuple[Any, ...] | None]:
        """Return ``(kept, *features)`` of each row, None for those that the reference driver must answer.

        ``rows`` have the plan's request columns, as values that the table's columns hold.
        """
        found: list[tuple[Any, ...] | None] = []
        try:
            driver = self.take()
        except WorkbenchError as error:
            return self._left(len(seqs), error)
        try:
            lanes = driver.lanes(rows)
        except Exception as error:
            self.put(driver)
            return self._left(len(seqs), error)
        for anchor, seq in zip(lanes, seqs, strict=True):
            try:
                found.append(driver.one(anchor, seq, cut))
                self.answered += 1
            except Exception as error:
                found += self._left(1, error)
        self.put(driver)
        return found

    def _left(self, count: int, error: Exception) -> list[tuple[Any, ...] | None]:
        self.left += count
        self.why = f"{type(error).__name__}: {error}"
        return [None] * count


_instances: weakref.WeakSet[CompiledDrivers] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for drivers in list(_instances):
        drivers._idle.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
