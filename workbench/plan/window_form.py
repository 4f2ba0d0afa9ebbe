"""The window form: a stage for many anchor rows at once, as one pass of DuckDB window functions per partition key.

Every frame becomes a ROWS frame with per-row offsets (``ROWS BETWEEN x PRECEDING AND y PRECEDING`` over columns), which
is exact on ties and shares one sort between the windows of a stage. Two shapes:

* *own*: history windows of stored anchors. The anchors are rows of the sorted source, so a row's frame ends at itself.
* *merged*: other tables. Anchors are merged into the source's order to count what each of them sees, then stand behind
  the rows of their partition and reach back with their offsets.
"""

from __future__ import annotations

from workbench.plan.aggregates import ORDER_FREE, window_call
from workbench.plan.expr import Expr
from workbench.plan.model import Aggregate, Window
from workbench.plan.render import aggregate_name, plan_sql, quote
from workbench.plan.request_form import LATEST
from workbench.plan.stages import Stage

#: Greater than any arrival number, and small enough to be doubled.
MIRROR = 1 << 61


def can_lower(stage: Stage, anchors_stored: bool) -> bool:
    """Whether the window form can say a stage.

    It cannot where a row's part depends on the anchor (``FILTER (WHERE mcc = r.mcc)``), nor where the request row of a
    history window is not a stored row, nor aggregates of what lies ahead that depend on the order of several rows.
    """
    plain = stage.members is None and not (stage.history and stage.before_time)
    if stage.ahead:
        plain = plain and all(_takes_any_order(stage, aggregate) for aggregate in stage.aggregates)
    plain = plain and not stage.source.delay and stage.source.ttl is None
    return plain and not stage.needs_anchor and (anchors_stored or not stage.history)


def _takes_any_order(stage: Stage, aggregate: Aggregate) -> bool:
    frame = stage.window(aggregate.window).frame
    return aggregate.function in ORDER_FREE or (frame.unit == "rows" and frame.start == frame.end)


def mirrored(rows: str) -> str:
    """Return FROM text of rows whose arrival counts down, so that what is ahead is behind."""
    return f"(SELECT m.* REPLACE ({MIRROR} - m.__seq AS __seq) FROM {rows} m)"


def window_form(stage: Stage, source: str, source_columns: dict[str, str], anchors: str) -> str:
    """Return the query of a stage: ``__anchor`` and one column per aggregate.

    Parameters
    ----------
    stage
        A stage for which :func:`can_lower` holds.
    source
        FROM text of the stage's table with ``__seq``.
    source_columns
        Types of the table's columns.
    anchors
        FROM text of the anchors: ``__anchor``, ``__seq`` and their columns.
    """
    if stage.ahead:
        source, anchors = mirrored(source), mirrored(anchors)
    if stage.history:
        return _own(stage, source, source_columns, anchors)
    return _merged(stage, source, source_columns, anchors)


def _own(stage: Stage, source: str, types: dict[str, str], anchors: str) -> str:
    keys = [f"__k{i}" for i in range(len(stage.keys))]
    columns = [f"r.{quote(name)}" for name in stage.columns]
    alone = "0" if stage.order is None else f"CASE WHEN r.{quote(stage.order)} IS NULL THEN r.__seq END"
    selected = ", ".join(
        [
            "r.__seq",
            f"{stage.row_order(types)} AS __ord",
            # A row without an order value sees nothing and is seen by nothing: it is a partition of its own.
            f"{alone} AS __alone",
            *(f"r.{quote(key.row)} AS {name}" for key, name in zip(stage.keys, keys, strict=True)),
            *columns,
        ]
    )
    where = f" WHERE {plan_sql(stage.source.where)}" if stage.source.where is not None else ""
    partition = f"PARTITION BY {', '.join([*keys, '__alone'])}"
    counts = _counts(frame_ages(stage), partition, "true")
    numbered = f"row_number() OVER ({partition} ORDER BY __ord, __seq) AS __q"
    bounds = ", ".join(
        bound
        for window in stage.windows
        for bound in _bounds(window, visible="__q", exclude=window.exclude_current_row)
    )
    over = f"{partition} ORDER BY __ord, __seq"
    return (
        f"WITH s AS (SELECT {selected} FROM {source} r{where}), "
        f"n AS (SELECT *, {numbered}{counts} FROM s), "
        f"b AS (SELECT *, {bounds} FROM n), "
        f"v AS (SELECT __seq, {_values(stage, over)} FROM b r) "
        f"SELECT a.__anchor, v.* EXCLUDE (__seq) FROM {anchors} a JOIN v ON v.__seq = a.__seq"
    )


def _merged(stage: Stage, source: str, types: dict[str, str], anchors: str) -> str:
    keys = key_names(stage)
    partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
    behind = f"{partition}ORDER BY __anchor NULLS FIRST, __ord, __tie"
    bounds = ", ".join(
        bound for window in stage.windows for bound in _bounds(window, visible="__visible", exclude=False)
    )
    return (
        f"WITH x AS MATERIALIZED ({anchor_places(stage, types, anchors)}), "
        f"s AS ({source_rows(stage, source, types, stage.source.where)}), "
        f"n AS (SELECT *, {visible_counts(stage)} FROM (SELECT * EXCLUDE (__seq), __seq * 2 + 1 AS __tie FROM s "
        "UNION ALL BY NAME SELECT * FROM x)), "
        f"q AS (SELECT *, row_number() OVER ({behind}) AS __q FROM n), "
        f"b AS (SELECT *, {bounds} FROM q), "
        f"v AS (SELECT __anchor, {_values(stage, behind)} FROM b r) "
        "SELECT * FROM v WHERE __anchor IS NOT NULL"
    )


# -- anchors merged into the order of the rows they see


def key_names(stage: Stage) -> list[str]:
    """Return the names under which the keys of rows and anchors meet."""
    return [f"__k{i}" for i in range(len(stage.keys))]


def anchor_places(stage: Stage, types: dict[str, str], anchors: str) -> str:
    """Return the query of the anchors' places among the rows: ``__anchor``, ``__ord``, ``__tie`` and their keys.

    Among equal orders an anchor stands behind the rows that it sees: all of another table, earlier seqs of its own, or
    none. Ahead it is the others: none of another table, later seqs of its own.
    """
    last = -1 if stage.ahead else LATEST
    tie = f"coalesce(a.__seq * 2, {last})" if stage.source.own else str(last)
    if stage.before_time:
        tie = "-1"
    keys = "".join(
        f", CAST({plan_sql(key.anchor)} AS {types[key.row]}) AS {name}"
        for key, name in zip(stage.keys, key_names(stage), strict=True)
    )
    return f"SELECT a.__anchor, {stage.order_sql} AS __ord, {tie} AS __tie{keys} FROM {anchors} a"


def source_rows(stage: Stage, source: str, types: dict[str, str], where: Expr | None) -> str:
    """Return the query of the rows that any anchor of ``x`` may see: ``__seq``, ``__ord``, keys and columns."""
    conditions = [f"r.{quote(stage.order)} IS NOT NULL"] if stage.order is not None else []
    if stage.keys and not stage.null_group:
        # NULL keys match nothing in other tables; in the anchor's history they are a group.
        wanted = ", ".join(f"r.{quote(key.row)}" for key in stage.keys)
        conditions += [f"r.{quote(key.row)} IS NOT NULL" for key in stage.keys]
        conditions.append(f"({wanted}) IN (SELECT ({', '.join(key_names(stage))}) FROM x)")
    if where is not None:
        conditions.append(plan_sql(where))
    columns = [
        "r.__seq",
        f"{stage.row_order(types)} AS __ord",
        *(f"r.{quote(key.row)} AS {name}" for key, name in zip(stage.keys, key_names(stage), strict=True)),
        *(f"r.{quote(name)}" for name in stage.columns),
    ]
    return f"SELECT {', '.join(columns)} FROM {source} r WHERE {' AND '.join(conditions) or 'true'}"


def visible_counts(stage: Stage, ages: set[int] | None = None) -> str:
    """Return columns over rows and anchors merged: ``__visible`` (how many rows are before one), ``__older_<age>``."""
    keys = key_names(stage)
    partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
    return (
        f"{_count('__anchor IS NULL')} OVER ({partition}ORDER BY __ord NULLS FIRST, __tie "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible"
        + _counts(frame_ages(stage) if ages is None else ages, partition, "__anchor IS NULL")
    )


# -- frames as positions: rows of a partition are numbered 1.. in (order, seq)


def frame_ages(stage: Stage) -> set[int]:
    """Return the ages at which the frames of a stage begin and end."""
    ages = set()
    for window in stage.windows:
        if window.frame.unit == "range":
            if window.frame.start is not None:
                ages.add(window.frame.start + 1)
            if window.frame.end > 0:
                ages.add(window.frame.end)
    return ages


def _counts(ages: set[int], partition: str, is_row: str) -> str:
    """Columns ``__older_<age>``: how many rows of the partition are at least that old, as seen from a row."""
    return "".join(
        f", CASE WHEN __ord IS NULL THEN 0 ELSE {_count(is_row)} OVER ({partition} "
        f"ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND {age} PRECEDING) END AS __older_{age}"
        for age in sorted(ages)
    )


def _count(condition: str) -> str:
    # count(*) FILTER (WHERE ...) says the same, but DuckDB's window operator walks each frame for it: quadratic here
    return f"count(CASE WHEN {condition} THEN 1 END)"


def _bounds(window: Window, visible: str, exclude: bool) -> list[str]:
    """Columns ``__from_w`` and ``__to_w``: offsets before the row's own position ``__q``.

    ``visible`` is the position of the newest row that may be seen. An empty frame lies before the partition (DuckDB
    counts wrongly in frames whose end is before their start).
    """
    frame = window.frame
    if frame.unit == "rows":
        # Position 0 of the numbering is the request row; where it is not in the window, stored rows count from 1.
        newest = visible if window.history else f"{visible} + 1"
        high = f"{newest} - {frame.end}"
        low = f"{newest} - {frame.start}" if frame.start is not None else "1"
        if not window.history:
            high = f"least({high}, {visible})"
    else:
        high = f"__older_{frame.end}" if frame.end > 0 else visible
        low = f"__older_{frame.start + 1} + 1" if frame.start is not None else "1"
    if exclude:
        high = f"least({high}, {visible} - 1)"
    low = f"greatest({low}, 1)"
    if window.maxsize is not None:
        low = f"greatest({low}, ({high}) - {window.maxsize} + 1)"
    empty = f"({low}) > ({high})"
    return [
        f"CASE WHEN {empty} THEN __q + 1 ELSE __q - ({low}) END AS __from_{window.name}",
        f"CASE WHEN {empty} THEN __q + 1 ELSE __q - ({high}) END AS __to_{window.name}",
    ]


def _values(stage: Stage, over: str) -> str:
    values = []
    for aggregate in stage.aggregates:
        frame = (
            f"{over} ROWS BETWEEN __from_{aggregate.window} PRECEDING AND __to_{aggregate.window} PRECEDING"
        )
        values.append(f"{window_call(aggregate, frame)} AS {aggregate_name(aggregate.name)}")
    return ", ".join(values) or "NULL AS nothing"
