"""Makes a failing table x query pair small and writes it down so that it can be run by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .brute_force import Table
from .data import Batch, Data
from .evaluation import Row
from .query import Aggregate, Call, Column, Expression, Query, direct, nodes, parameters
from .text import render, views

Fails = Callable[[Data, Query], bool]


def minimise(data: Data, query: Query, fails: Fails, attempts: int = 150) -> tuple[Data, Query]:
    """Drop outputs, clauses and rows as long as the pair still fails; at most ``attempts`` trials."""
    left = attempts
    changed = True
    while changed and left > 0:
        changed = False
        for smaller in [
            *((data, q) for q in _smaller_queries(query)),
            *((d, query) for d in _smaller_data(data)),
        ]:
            left -= 1
            if left < 0:
                break
            if fails(*smaller):
                data, query = smaller
                changed = True
                break
    return data, query


def describe(data: Data, query: Query) -> str:
    """The query, and the tables' rows in order of arrival."""
    lines = [render(query), f"{bound}" if (bound := parameters(query)) else "", ""]
    used = _tables(query)
    for view, text in views(query).items():
        lines += [f"view {view}:", text, ""]
    for batch in data.batches:
        if batch.table in used:
            lines += [f"{batch.table} <- seq {row.seq}: {_shown(row.values)}" for row in batch.rows]
    return "\n".join(lines)


def _tables(query: Query) -> set[str]:
    """The tables that a query reads, in the queries inside it too."""
    sources = [source for window in query.windows for source in (window.source, *window.union) if source]
    used = {query.table, *(join.table for join in query.joins), *(source.table for source in sources)}
    return used.union(*(_tables(part) for part in direct(query)))


def _shown(row: Row) -> str:
    return "{" + ", ".join(f"{name}: {value!s}" for name, value in row.items()) + "}"


def _smaller_queries(query: Query, whole: bool = True) -> Iterator[Query]:
    """Queries with less; of one inside another (not ``whole``) the outputs stay, as others read them."""
    for n in range(1, len(query.outputs)):
        if len(query.outputs) > 2 and whole:
            yield replace(query, outputs=(query.outputs[0], query.outputs[n]))
    yield from _inside(query, lambda part: _smaller_queries(part, whole=False))
    if query.where:
        yield replace(query, where=())
    if query.where_in != "query" and not query.derived:
        yield replace(query, where_in="query")
    for n, join in enumerate(query.joins):
        without = replace(query, joins=query.joins[:n] + query.joins[n + 1 :])
        if join.alias not in _aliases(without):
            yield without
        if join.conditions or join.order or join.where is not None:
            yield _with_join(query, n, replace(join, conditions=(), order=None, where=None))
    used = {node.window for node in nodes(query) if isinstance(node, Aggregate)}
    for n, window in enumerate(query.windows):
        if window.name not in used:
            yield replace(query, windows=query.windows[:n] + query.windows[n + 1 :])
            continue
        simpler = [
            replace(window, frame=None),
            replace(window, maxsize=None),
            replace(window, exclude_current_row=False),
            replace(window, exclude_current_time=False),
            replace(window, instance_not_in_window=False),
            replace(window, union=window.union[1:]),
        ]
        if window.source:
            simpler.append(replace(window, source=replace(window.source, where=None)))
        for other in simpler:
            if other != window:
                yield replace(query, windows=(*query.windows[:n], other, *query.windows[n + 1 :]))
    for n, output in enumerate(query.outputs[1:], start=1):
        for part in _parts(output.expression):
            smaller = replace(output, expression=part)
            yield replace(query, outputs=(*query.outputs[:n], smaller, *query.outputs[n + 1 :]))


def _with_join(query: Query, n: int, join: object) -> Query:
    return replace(query, joins=(*query.joins[:n], join, *query.joins[n + 1 :]))  # type: ignore[arg-type]


def _parts(node: Expression) -> Iterator[Expression]:
    if isinstance(node, Call):
        start = 1 if node.name in ("date_diff", "date_trunc", "extract") else 0
        stop = 1 if "interval" in node.name else len(node.args)
        yield from node.args[start:stop]
    elif isinstance(node, Aggregate):
        if node.where is not None:
            yield replace(node, where=None)
        if node.args and isinstance(node.args[0], Call):
            for part in _parts(node.args[0]):
                if part.type == node.args[0].type:
                    yield replace(node, args=(part, *node.args[1:]))


def _inside(query: Query, left_out: Callable[[Query], Iterator[Query]]) -> Iterator[Query]:
    """The query with one of those inside it made smaller."""
    if query.inner:
        yield from (replace(query, inner=inner) for inner in left_out(query.inner))
    for n, join in enumerate(query.joins):
        if join.inner:
            yield from (_with_join(query, n, replace(join, inner=inner)) for inner in left_out(join.inner))
    for n, window in enumerate(query.windows):
        if window.source and window.source.inner and not window.source.more:
            for inner in left_out(window.source.inner):
                other = replace(window, source=replace(window.source, inner=inner))
                yield replace(query, windows=(*query.windows[:n], other, *query.windows[n + 1 :]))


def _aliases(query: Query) -> set[str]:
    return {node.source for node in nodes(query) if isinstance(node, Column)}


def _smaller_data(data: Data) -> Iterator[Data]:
    total = sum(len(batch.rows) for batch in data.batches)
    size = max(1, total // 2)
    while True:
        for start in range(0, total, size):
            yield _without(data, range(start, start + size))
        if size == 1:
            return
        size //= 2


def _without(data: Data, gone: range) -> Data:
    """The data without the rows at these places in the order of arrival; a table may become empty but stays."""
    tables = {name: Table(table.columns, table.time) for name, table in data.tables.items()}
    batches, place = [], 0
    for batch in data.batches:
        kept = tuple(row for n, row in enumerate(batch.rows, start=place) if n not in gone)
        place += len(batch.rows)
        batches.append(Batch(batch.table, kept))
        tables[batch.table].rows.extend(kept)
    return replace(
        data, tables=tables, batches=[b for b in batches if b.rows or len(tables[b.table].rows) == 0]
    )
