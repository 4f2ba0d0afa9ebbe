"""Whether a view is answered by kernels, and what must be made once for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.online.compiled.lanes import carried
from workbench.online.compiled.writer import Written, write
from workbench.online.indexes import index_of
from workbench.online.scalars import ScalarFunction, Unsupported, compile_outputs, compile_row
from workbench.plan import expr as e
from workbench.plan.expr import Expr
from workbench.plan.kernel_form import KernelForm, KernelPart, Refusal, kernel_form
from workbench.plan.model import FeaturePlan
from workbench.plan.stages import Stage
from workbench.storage.delta_lanes import Derivation
from workbench.storage.model import IndexSpec

#: Types of the columns of each table, by its name.
Tables = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Reading:
    """What is read of one index for one table of a part: the columns by name, and how derived ones are computed."""

    spec: IndexSpec
    columns: tuple[str, ...]
    derivation: Derivation | None
    #: For each column of the program its place in ``columns``, None where it is always NULL.
    places: tuple[int | None, ...]


@dataclass(frozen=True)
class Prepared:
    """A view that kernels answer: the same for all drivers of it."""

    plan: FeaturePlan
    parts: tuple[KernelPart, ...]
    readings: tuple[tuple[Reading, ...], ...]
    written: Written
    #: Where the anchor rows of the plan are those of another one: that.
    below: Prepared | None = None


@dataclass(frozen=True)
class Refused:
    """Why a view is answered by the reference driver, most telling first."""

    reasons: tuple[str, ...]


class _Stop(Exception):
    pass


def prepare(plan: FeaturePlan, tables: Tables) -> Prepared | Refused:
    """Return what a compiled driver of a plan needs, or why there can be none."""
    form = kernel_form(plan)
    plan = form.plan
    below = None if plan.rows is None else prepare(plan.rows, tables)
    reasons = [refusal.reason for refusal in form.refusals] + _carries(plan)
    if isinstance(below, Refused):
        reasons = list(dict.fromkeys([*below.reasons, *reasons]))
    if any(isinstance(part.part, Stage) and part.part.ahead for part in _parts(form)):
        reasons.append("it is a label: it looks ahead")
    if reasons or isinstance(below, Refused):
        return Refused(tuple(reasons))
    outputs = compile_outputs(plan)
    if isinstance(outputs, Unsupported):
        return Refused((f"{outputs.reason}",))
    parts = tuple(_parts(form))
    try:
        readings = tuple(
            tuple(_reading(part, member, tables) for member in range(len(part.readers))) for part in parts
        )
        written = write(plan, parts, outputs, [_row_keys(part, tables) for part in parts])
    except (_Stop, Unsupported) as stop:
        return Refused((str(stop.args[0]) if isinstance(stop, _Stop) else stop.reason,))
    return Prepared(plan, parts, readings, written, below)


def _parts(form: KernelForm) -> list[KernelPart]:
    return [part for part in (*form.lookups, *form.stages) if not isinstance(part, Refusal)]


def _carries(plan: FeaturePlan) -> list[str]:
    kinds = {kind: name for name, kind in plan.anchor_columns}
    return [f"{name} is {kind}" for kind, name in kinds.items() if not carried(kind)]


def _row_keys(part: KernelPart, tables: Tables) -> list[str]:
    """The types of the key columns of a part's tables."""
    kinds = []
    for level, _ in enumerate(part.part.keys):
        found = {tables[reader.source.table][reader.keys[level].row] for reader in part.readers}
        if len(found) > 1:
            raise _Stop(f"the keys of its tables are {' and '.join(sorted(found))}")
        kinds.append(found.pop() if found else part.part.keys[level].anchor.type)
    return kinds


def _reading(part: KernelPart, member: int, tables: Tables) -> Reading:
    reader = part.readers[member]
    stored = tables[reader.source.table]
    wanted, _, _ = part.needs(member)
    derived = {name: value for name, value in wanted.items() if not isinstance(value, e.Column)}
    for name, value in wanted.items():
        if isinstance(value, e.Column) and stored[name] != value.type:
            raise _Stop(f"{name} of {reader.source.table} is {stored[name]}, not {value.type}")
    for call in part.program.calls:
        if call.column >= 0 and not carried(part.columns[call.column].type):
            raise _Stop(f"{call.op}() of {part.columns[call.column].type} is read by DuckDB")
    names = tuple(wanted)
    places = tuple(
        None if (held := column.name(member)) is None else names.index(held) for column in part.columns
    )
    return Reading(index_of(reader), names, _derivation(derived, stored), places)


def _derivation(derived: Mapping[str, Expr], stored: Mapping[str, str]) -> Derivation | None:
    if not derived:
        return None
    read = sorted(set().union(*(e.columns(value, e.ROW) for value in derived.values())))
    made: ScalarFunction | Unsupported = compile_row(
        list(derived.values()), {name: stored[name] for name in read}
    )
    if isinstance(made, Unsupported):
        raise made
    return Derivation(tuple(read), tuple(derived), made.call)
