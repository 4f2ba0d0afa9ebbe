"""What kernels compute, in plain Python: rows in a list, sorted and walked anew for every anchor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from workbench.kernels.program import INT_MAX, INT_MIN, Call, Program, Windowed


@dataclass(frozen=True)
class Row:
    """A stored row; NULLs are None, strings bytes. ``seq`` None is the request row."""

    key: int
    ord: int
    seq: int | None
    values: tuple[Any, ...]
    member: int = 0
    rank: int = 0


@dataclass(frozen=True)
class Asker:
    """An anchor."""

    key: int
    order: int
    upto_ord: tuple[int, ...]
    upto_seq: tuple[int, ...]
    since: tuple[int, ...]
    constants: tuple[Any, ...]
    own: tuple[Any, ...] | None = None
    cut: int = INT_MAX


OVERFLOW, NOT_FINITE = "overflow", "not finite"


def expected(program: Program, rows: list[Row], asker: Asker) -> list[Any]:
    """The value of every call; OVERFLOW or NOT_FINITE where the kernel has to refuse."""
    seen = [row for row in rows if _visible(row, asker)]
    seen.sort(key=lambda row: (-row.ord, row.rank, -(row.seq or 0), row.member))
    windows = [_window(program, window, seen, asker) for window in program.windows]
    return [_call(program, call, windows[call.window], asker) for call in program.calls]


def _visible(row: Row, asker: Asker) -> bool:
    m = row.member
    assert row.seq is not None
    return (
        row.key == asker.key
        and (row.ord, row.seq) < (asker.upto_ord[m], asker.upto_seq[m])
        and row.ord >= asker.since[m]
        and row.seq <= asker.cut
    )


def _window(program: Program, window: Windowed, seen: list[Row], asker: Asker) -> list[Row]:
    placed = [(position, asker.order - row.ord, row) for position, row in enumerate(seen, 1)]
    if program.history and asker.own is not None and not window.exclude_current_row:
        placed.insert(0, (0, 0, Row(asker.key, asker.order, None, asker.own)))
    framed = []
    for position, age, row in placed:
        measure = position if window.unit == "rows" else age
        # The end of a frame bounds nothing unless it is positive: nobody sees rows ahead.
        if (window.end == 0 or measure >= window.end) and (window.start is None or measure <= window.start):
            framed.append(row)
    return framed if window.maxsize is None else framed[: window.maxsize]


def _matches(program: Program, call: Call, row: Row, asker: Asker) -> bool:
    for number in call.compares:
        compare = program.compares[number]
        left, right = row.values[compare.column], asker.constants[compare.constant]
        if left is None or right is None:
            return False
        order = compared(left, right)
        if not {"eq": order == 0, "ne": order != 0, "lt": order < 0, "le": order <= 0}.get(
            compare.op, order > 0 or (compare.op == "ge" and order == 0)
        ):
            return False
    return True


def compared(left: Any, right: Any) -> int:
    """-1, 0, 1; NaN equals NaN and is the greatest."""
    a, b = (isinstance(v, float) and math.isnan(v) for v in (left, right))
    if a or b:
        return int(a) - int(b)
    return (left > right) - (left < right)


def _call(program: Program, call: Call, window: list[Row], asker: Asker) -> Any:
    rows = [row for row in window if _matches(program, call, row, asker)]
    if call.op == "count_star":
        return len(rows)
    if call.op == "row":
        return rows[0] if rows else None
    values = [row.values[call.column] for row in rows]
    picked: dict[str, Callable[[], Any]] = {
        "first": lambda: values[-1] if values else None,
        "last": lambda: values[0] if values else None,
        "any_value": lambda: next((v for v in reversed(values) if v is not None), None),
        "nth": lambda: values[len(values) - call.n] if 1 <= call.n <= len(values) else None,
        "nth_newest": lambda: values[call.n] if call.n < len(values) else None,
        "arg_min": lambda: _extreme(call, rows, -1),
        "arg_max": lambda: _extreme(call, rows, 1),
    }
    if call.op in picked:
        return picked[call.op]()
    return aggregate(call, [v for v in values if v is not None])


def _extreme(call: Call, rows: list[Row], sign: int) -> Any:
    best = None
    for row in reversed(rows):
        value, by = row.values[call.column], row.values[call.second]
        if value is not None and by is not None and (best is None or sign * compared(by, best[1]) > 0):
            best = value, by
    return None if best is None else best[0]


def aggregate(call: Call, values: list[Any]) -> Any:
    """An aggregate of values that are not NULL."""
    op, n = call.op, len(values)
    if op == "count":
        return n
    if op == "distinct":
        return len({"nan" if isinstance(v, float) and math.isnan(v) else v for v in values})
    if n == 0:
        return None
    if op in ("min", "max", "bool_and", "bool_or"):
        return _smallest(values, -1 if op in ("min", "bool_and") else 1)
    if op in ("bit_and", "bit_or", "bit_xor"):
        found = values[0]
        for v in values[1:]:
            found = {"bit_and": found & v, "bit_or": found | v, "bit_xor": found ^ v}[op]
        return found
    if op in ("median", "quantile_cont", "quantile_disc"):
        return _quantile(call, values)
    if isinstance(values[0], float) and not all(map(math.isfinite, values)):
        return NOT_FINITE
    total = sum(map(Fraction, values), Fraction(0))
    if op in ("sum", "avg"):
        return _sum(call, values, total)
    if op.endswith("samp") and n == 1:
        return None
    squares = sum((Fraction(v) ** 2 for v in values), Fraction(0))
    variance = float(n * squares - total**2) / (float(n) * float(n if op.endswith("pop") else n - 1))
    return math.sqrt(variance) if op.startswith("stddev") else variance


def _sum(call: Call, values: list[Any], total: Fraction) -> Any:
    if isinstance(values[0], float):
        try:
            rounded = float(total)
        except OverflowError:
            return NOT_FINITE
        return rounded if call.op == "sum" else rounded / len(values)
    if call.op == "avg":
        return float(total) / (len(values) * 10.0**call.n)
    return int(total) if INT_MIN <= total <= INT_MAX else OVERFLOW


def _smallest(values: list[Any], sign: int) -> Any:
    best = values[0]
    for v in values[1:]:
        if sign * compared(v, best) > 0:
            best = v
    return best + 0.0 if isinstance(best, float) else best


def _quantile(call: Call, values: list[Any]) -> Any:
    n = len(values)
    ordered = sorted(values, key=lambda v: (isinstance(v, float) and math.isnan(v), 0.0 if v != v else v))
    if call.op == "quantile_disc":
        found = ordered[max(1, n - math.floor(n - n * call.q)) - 1]
        return found + 0.0 if isinstance(found, float) else found
    position = (n - 1) * (0.5 if call.op == "median" else call.q)
    low = math.floor(position)
    between = position - low
    x = float(ordered[low]) + 0.0
    return x if between == 0.0 else x * (1.0 - between) + (float(ordered[low + 1]) + 0.0) * between
