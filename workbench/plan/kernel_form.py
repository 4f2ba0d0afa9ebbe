"""The kernel form: what kernels compute of a plan, for each stage and lookup, and of what the rest is refused.

Both engines run it: offline over sorted columns, online over the pieces of an index. A part of the form is a
:class:`~workbench.kernels.program.Program` with what its numbers stand for: columns as expressions over a row,
constants as expressions over the anchor row and earlier lookups, calls as aggregates and columns of lookups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.kernels.program import Call, Compare, Program, Windowed
from workbench.plan import expr as e
from workbench.plan.expr import Column, Expr, Op
from workbench.plan.kernel_calls import TREE_OPS, KernelCall, kernel_call
from workbench.plan.kernel_columns import (
    TRUE,
    KernelColumn,
    comparable,
    is_row_only,
    of_anchor,
    of_member,
    where_true,
)
from workbench.plan.kernel_picks import with_picks
from workbench.plan.model import Aggregate, FeaturePlan, Lookup, Window
from workbench.plan.stages import Stage, stages
from workbench.values.lanes import lane_of as lane

_OPPOSITE = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COMPARES = {"=": "eq", "<>": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_AGES = frozenset({"le", "ge", "eq"})


@dataclass(frozen=True)
class Refusal:
    """Why kernels do not compute something, in words that end a sentence."""

    reason: str


@dataclass(frozen=True)
class KernelPart:
    """What kernels compute of one stage or lookup.

    Parameters
    ----------
    part
        The stage or lookup.
    readers
        The tables whose rows it reads: the part itself, or the members of a merged stage.
    ranks
        How near the rows of each reader are among those of the same order.
    program
        What is computed; its members are the readers.
    columns
        The columns of the program.
    constants
        Its constants, as expressions over the anchor row and lookups.
    names
        What each call of the program gives: the name of an aggregate or of the lookup's column. A name ``""`` counts
        the rows that a lookup found.
    types
        The DuckDB type of each call's value.
    refused
        Aggregates of the stage that the program does not compute.
    arrival
        Of the anchor's own table only rows that arrived before the anchor row are seen, whatever their order.
    unplaced
        A stored anchor row sees rows by more than a program says, so that only rows which are not stored are answered.
    loose
        Rows without an order value may be found last, which pieces do not have: where nothing is found, ask elsewhere.
    """

    part: Stage | Lookup
    readers: tuple[Stage | Lookup, ...]
    ranks: tuple[int, ...]
    program: Program
    columns: tuple[KernelColumn, ...]
    constants: tuple[Expr, ...]
    names: tuple[str, ...]
    types: tuple[str, ...]
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    arrival: bool = False
    unplaced: bool = False
    loose: bool = False

    @property
    def is_stage(self) -> bool:
        """Whether it is a stage rather than a lookup."""
        return isinstance(self.part, Stage)

    def needs(self, member: int = 0) -> tuple[dict[str, Expr], set[str], set[str]]:
        """Return of the index of a reader: columns by name, and of which it wants trees and distances to equals."""
        columns, trees, newer = {}, set(), set()
        for number, column in enumerate(self.columns):
            value, name = column.members[member], column.name(member)
            if value is None or name is None:
                continue
            columns[name] = value
            calls = [call for call in self.program.calls if call.column == number and not call.compares]
            if column.lane in "if" and any(call.op in TREE_OPS and self._is_long(call) for call in calls):
                trees.add(name)
            if any(call.op == "distinct" for call in calls):
                newer.add(name)
        return columns, trees, newer

    def is_flat(self, call: int) -> bool:
        """Whether the cost of a call does not grow with the rows of its window."""
        asked = self.program.calls[call]
        if not self._is_long(asked):
            return True
        if asked.compares:
            return False
        if asked.op in ("count_star", "first", "last"):
            return True
        if asked.op == "distinct":
            return self.program.windows[asked.window].end <= 0 or not self.program.history
        return asked.op in TREE_OPS and self.columns[asked.column].lane in "if"

    def _is_long(self, call: Call) -> bool:
        window = self.program.windows[call.window]
        few = [n for n in (window.start if window.unit == "rows" else None, window.maxsize) if n is not None]
        return not few or min(few) > 64


@dataclass(frozen=True)
class KernelForm:
    """What kernels compute of a whole plan: a part or a refusal for each lookup, then for each stage.

    ``below`` is the form of the plan that the anchor rows come from.
    """

    plan: FeaturePlan
    lookups: tuple[KernelPart | Refusal, ...]
    stages: tuple[KernelPart | Refusal, ...]
    below: KernelForm | None = None

    @property
    def refusals(self) -> list[Refusal]:
        """Everything that kernels do not compute; none where they compute the whole plan."""
        found = [] if self.below is None else self.below.refusals
        for part in (*self.lookups, *self.stages):
            found += [part] if isinstance(part, Refusal) else list(part.refused.values())
        return list(dict.fromkeys(found))


def kernel_form(plan: FeaturePlan) -> KernelForm:
    """Return what kernels compute of a plan; the form's own plan has no lists of which only elements are used.

    Examples
    --------
    >>> form = kernel_form(plan)                                            # doctest: +SKIP
    >>> [part.program for part in form.stages]                              # doctest: +SKIP
    [Program(lanes='f', windows=(Windowed(unit='range', ...),), calls=(Call(op='sum', ...),))]
    """
    plan = with_picks(plan)
    return KernelForm(
        plan,
        tuple(kernel_lookup(plan, lookup) for lookup in plan.lookups),
        tuple(kernel_stage(plan, stage) for stage in stages(plan)),
        None if plan.rows is None else kernel_form(plan.rows),
    )


def kernel_stage(plan: FeaturePlan, stage: Stage) -> KernelPart | Refusal:
    """Return what kernels compute of a stage; aggregates without a kernel are refused one by one."""
    readers = stage.readers()
    if any(reader.source.rows is not None for reader in readers):
        return Refusal(f"rows of {stage.source.table} are computed before they are in a window")
    builder = _Builder(plan, stage)
    conditions = builder.conditions()
    if isinstance(conditions, Refusal):
        return conditions
    refused: dict[str, Refusal] = {}
    for aggregate in stage.aggregates:
        reason = builder.add(aggregate, stage.window(aggregate.window), conditions)
        if reason is not None:
            refused[aggregate.name] = Refusal(reason)
    return builder.part(refused)


def kernel_lookup(plan: FeaturePlan, lookup: Lookup) -> KernelPart | Refusal:
    """Return what kernels compute of a lookup: the newest row that it finds, as the last value of each column."""
    source = lookup.source
    if source.rows is not None:
        return Refusal(f"rows of {source.table} are computed before they are looked up")
    builder = _Builder(plan, lookup)
    conditions = builder.conditions()
    if isinstance(conditions, Refusal):
        return conditions
    flag, compares = conditions.flags[0], list(conditions.compares)
    if lookup.timed and plan.time is not None and source.time is not None and lookup.order != source.time:
        compares.append(_By(_row_time(source.time), "le", Column(e.ANCHOR, plan.time, "TIMESTAMP")))
        builder.unplaced = source.own
    builder.arrival = (not lookup.timed and source.own) or (lookup.timed and plan.time is None)
    window = builder.window(Windowed("rows", None, 0))
    numbers = builder.compares(compares, (flag,))
    for name, value in lookup.columns:
        if not is_row_only(value):
            return Refusal(f"{lookup.name}.{name} is computed of both rows")
        builder.call(name, value.type, Call("last", window, builder.column(value), compares=numbers))
    if lookup.order is not None and lookup.order != source.time:
        builder.loose = True
        builder.call("", "BIGINT", Call("count_star", window, compares=numbers))
    return builder.part({})


def _row_time(name: str) -> Column:
    return Column(e.ROW, name, "TIMESTAMP")


@dataclass(frozen=True)
class _By:
    """A row's value compared with one of the anchor's."""

    row: Expr
    op: str
    anchor: Expr


@dataclass(frozen=True)
class _Conditions:
    """Conditions on the rows that are read: of each member that over its rows alone, and comparisons with the anchor.

    Row-only conditions are over the member's own columns; so are the rows' sides of comparisons, one for each member.
    """

    flags: tuple[Expr | None, ...]
    compares: tuple[_By, ...]
    members: tuple[tuple[Expr, ...], ...]

    @property
    def any(self) -> bool:
        return bool(self.compares) or any(flag is not None for flag in self.flags)


def split(where: Expr | None) -> tuple[Expr | None, tuple[_By, ...]] | Refusal:
    """Return a condition as one over the row alone and comparisons of values of the row with values of the anchor."""
    alone: list[Expr] = []
    compares: list[_By] = []
    for part in _conjuncts(where):
        if is_row_only(part):
            alone.append(part)
            continue
        found = _compare(part)
        if found is None:
            return Refusal("a condition that names the anchor row is more than a comparison with a column")
        compares += found
    return e.conjunction(*alone), tuple(compares)


def _conjuncts(where: Expr | None) -> list[Expr]:
    if isinstance(where, Op) and where.op == "and":
        return [part for arg in where.args for part in _conjuncts(arg)]
    return [] if where is None else [where]


def _compare(condition: Expr) -> list[_By] | None:
    if not isinstance(condition, Op):
        return None
    if condition.op == "between":
        value, low, high = condition.args
        ends = [_compare(Op(op, (value, end), "BOOLEAN")) for op, end in ((">=", low), ("<=", high))]
        return None if None in ends else [part for end in ends for part in end or ()]
    if condition.op not in _COMPARES:
        return None
    left, right = condition.args
    op = condition.op
    if not is_row_only(left) or not e.sources(left):
        left, right, op = right, left, _OPPOSITE[op]
    if not is_row_only(left) or not e.sources(left) or e.ROW in e.sources(right):
        return None
    sides = comparable(left, right)
    return None if sides is None else [_By(sides[0], _COMPARES[op], sides[1])]


class _Builder:
    """Numbers the columns, windows, compares and constants of a program."""

    def __init__(self, plan: FeaturePlan, part: Stage | Lookup) -> None:
        self.plan = plan
        self.part_of = part
        members = part.members if isinstance(part, Stage) else None
        self.readers: tuple[Stage | Lookup, ...] = part.readers() if isinstance(part, Stage) else (part,)
        self.ranks = tuple(member.rank for member in members) if members is not None else (0,)
        self.over = [dict(member.columns) for member in members] if members is not None else [None]
        self.types = part.row_types(plan) if isinstance(part, Stage) else {}
        self.history = isinstance(part, Stage) and part.history
        self.columns: dict[KernelColumn, int] = {}
        self.windows: dict[Windowed, int] = {}
        self.wanted: dict[Compare, int] = {}
        self.constants: dict[Expr, int] = {}
        self.calls: list[Call] = []
        self.names: list[str] = []
        self.types_of: list[str] = []
        self.arrival = self.unplaced = self.loose = False

    # -- what the rows that are read must satisfy

    def conditions(self) -> _Conditions | Refusal:
        flags: list[Expr | None] = []
        compared: list[tuple[_By, ...]] = []
        for reader in self.readers:
            found = split(reader.source.where)
            if isinstance(found, Refusal):
                return found
            flags.append(found[0])
            compared.append(found[1])
        asked = [tuple((by.op, by.anchor) for by in one) for one in compared]
        if len(set(asked)) > 1:
            return Refusal("its tables have conditions of their own that name the anchor row")
        compares = compared[0] if compared else ()
        if self.history and not all(by.op in _AGES and self._is_time(by.anchor) for by in compares):
            return Refusal("its history has a condition that names the anchor row")
        return _Conditions(tuple(flags), compares, tuple(tuple(by.row for by in one) for one in compared))

    def _is_time(self, value: Expr) -> bool:
        time = isinstance(value, Column) and (value.source, value.name) == (e.ANCHOR, self.plan.time)
        return time and self.plan.time is not None

    # -- numbers

    def column(self, value: Expr, flags: tuple[Expr | None, ...] = (), where: Expr | None = None) -> int:
        """A value of the row, NULL where the aggregate's condition or a member's own does not hold."""
        members: list[Expr | None] = []
        for number, over in enumerate(self.over):
            made = of_member(where_true(where, value), over, self.types)
            flag = flags[number] if flags else None
            members.append(None if made is None else where_true(flag, made))
        request = of_anchor(where_true(where, value)) if self.history else None
        return self._number(KernelColumn(value.type, tuple(members), request))

    def _number(self, column: KernelColumn) -> int:
        return self.columns.setdefault(column, len(self.columns))

    def window(self, window: Windowed) -> int:
        return self.windows.setdefault(window, len(self.windows))

    def compare(self, column: int, op: str, anchor: Expr) -> int:
        constant = self.constants.setdefault(anchor, len(self.constants))
        return self.wanted.setdefault(Compare(column, op, constant), len(self.wanted))

    def compares(
        self, by: list[_By], flags: tuple[Expr | None, ...], where: Expr | None = None
    ) -> tuple[int, ...]:
        """Numbers of comparisons of a value of the row; conditions over the row alone are a column that is true."""
        numbers = [self.compare(self.column(one.row), one.op, one.anchor) for one in by]
        if where is not None or any(flag is not None for flag in flags):
            numbers.append(self.compare(self.column(TRUE, flags, where), "eq", TRUE))
        return tuple(numbers)

    def visible(self, conditions: _Conditions) -> tuple[int, ...]:
        """Numbers of the comparisons that every row of the source must satisfy; the request row does anyhow."""
        numbers = []
        for place, by in enumerate(conditions.compares):
            rows = tuple(member[place] for member in conditions.members)
            column = KernelColumn(by.row.type, rows, by.anchor if self.history else None)
            numbers.append(self.compare(self._number(column), by.op, by.anchor))
        return tuple(numbers)

    # -- calls

    def call(self, name: str, kind: str, call: Call) -> None:
        self.calls.append(call)
        self.names.append(name)
        self.types_of.append(kind)

    def add(self, aggregate: Aggregate, window: Window, conditions: _Conditions) -> str | None:
        """Add the call of an aggregate, or say why there is none."""
        positions = _by_position(window)
        if conditions.any and positions:
            return f"the rows of {window.name} are numbered after a WHERE"
        stage = self.part_of
        found = kernel_call(aggregate, isinstance(stage, Stage) and stage.ahead)
        if isinstance(found, str):
            return found
        parts = split(aggregate.where)
        if isinstance(parts, Refusal):
            return f"{aggregate.function}(): {parts.reason}"
        if not all(is_row_only(value) for value in (found.value, found.second)):
            return f"{aggregate.function}() is of values of both rows"
        where, by = parts
        values = [*(value for value in (found.value, found.second) if value is not None)]
        if any(lane(value.type) == "o" and not isinstance(value, Column) for value in values):
            return f"{aggregate.function}() is of a computed {values[0].type}"
        self._add(aggregate, found, self.window(_windowed(window)), where, by, conditions)
        return None

    def _add(
        self,
        aggregate: Aggregate,
        call: KernelCall,
        window: int,
        where: Expr | None,
        by: tuple[_By, ...],
        conditions: _Conditions,
    ) -> None:
        flags = conditions.flags
        fits = all(lane(v.type) != "o" for v in (call.value,) if v is not None)
        filtered = where is not None or any(flag is not None for flag in flags)
        compares = self.visible(conditions)
        if call.value is None:
            column = self.column(TRUE, flags, where) if filtered else -1
            op = "count" if filtered else "count_star"
            compares += self.compares(list(by), ())
        elif call.ignores_null and fits:
            column, op = self.column(call.value, flags, where), call.op
            compares += self.compares(list(by), ())
        else:
            column, op = self.column(call.value), call.op
            compares += self.compares(list(by), flags, where)
        second = self.column(call.second) if call.second is not None else -1
        made = Call(op, window, column, second, call.n, call.q, tuple(dict.fromkeys(compares)))
        self.call(aggregate.name, aggregate.type, made)

    def part(self, refused: dict[str, Refusal]) -> KernelPart:
        columns = tuple(self.columns)
        program = Program(
            lanes="".join(column.lane for column in columns),
            windows=tuple(self.windows),
            calls=tuple(self.calls),
            compares=tuple(self.wanted),
            constants="".join(lane(value.type) for value in self.constants),
            history=self.history,
            members=max(1, len(self.readers)),
        )
        return KernelPart(
            self.part_of,
            self.readers,
            self.ranks,
            program,
            columns,
            tuple(self.constants),
            tuple(self.names),
            tuple(self.types_of),
            refused,
            self.arrival,
            self.unplaced,
            self.loose,
        )


def _windowed(window: Window) -> Windowed:
    frame = window.frame
    return Windowed(frame.unit, frame.start, max(frame.end, 0), window.maxsize, window.exclude_current_row)


def _by_position(window: Window) -> bool:
    """Whether which rows are in a window depends on how many nearer ones there are."""
    frame = window.frame
    if window.maxsize is not None:
        return True
    return frame.unit == "rows" and (frame.start is not None or frame.end > (0 if window.history else 1))
