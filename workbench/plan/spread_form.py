"""Rows of many anchors by position: each anchor's range of the sorted rows, spread out.

For stages that the window form cannot say. Costs as much as there are rows in the windows, where a join on the key
alone would pair every anchor with every row of its key.
"""

from __future__ import annotations

from workbench.plan.render import quote
from workbench.plan.request_form import LATEST
from workbench.plan.stages import Stage
from workbench.plan.window_form import anchor_places, key_names, mirrored, source_rows, visible_counts


def spread_rows(stage: Stage, source: str, types: dict[str, str], anchors: str) -> str:
    """Return FROM text of the rows that each anchor sees, in the shape that the request form wants.

    Parameters
    ----------
    stage
        The stage.
    source
        FROM text of the stage's table with ``__seq``.
    types
        Types of the table's columns.
    anchors
        Name of the relation of anchors with their lookups.
    """
    keys = key_names(stage)
    delay = stage.source.delay
    reach, rows = stage.reach(), stage.rows_needed()
    low = "1"
    if reach is not None:
        age = max(reach + 1 - delay, 0)
        low = f"__older_{age} + 1"
    elif rows is not None:
        low = f"greatest(__visible - {rows} + 1, 1)"
    ages = set() if reach is None else {age}
    partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
    named = "".join(f"{name}, " for name in keys)
    same = "".join(f" AND s.{name} IS NOT DISTINCT FROM p.{name}" for name in keys)
    columns = "".join(f", s.{quote(name)}" for name in stage.columns)
    # With a delay an anchor stands where it sees what is known: that much earlier, behind all rows of that time.
    earlier = f" REPLACE (__ord - {delay} AS __ord, {LATEST} AS __tie)" if delay else ""
    if stage.ahead:
        source, anchors = mirrored(source), mirrored(anchors)
    # The stage's own condition is left to the request form, which numbers what satisfies it.
    return (
        f"(WITH x AS MATERIALIZED (SELECT *{earlier} FROM ({anchor_places(stage, types, anchors)})), "
        f"s AS MATERIALIZED (SELECT *, row_number() OVER ({partition}ORDER BY __ord, __seq) AS __n "
        f"FROM ({source_rows(stage, source, types, None)})), "
        f"n AS (SELECT *, {visible_counts(stage, ages)} FROM (SELECT NULL AS __anchor, {named}__ord, "
        f"__seq * 2 + 1 AS __tie FROM s UNION ALL BY NAME SELECT * FROM x)), "
        f"p AS (SELECT __anchor, {named}__ord, __visible, unnest(range({low}, __visible + 1)) AS __n "
        "FROM n WHERE __anchor IS NOT NULL) "
        f"SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + {delay} - s.__ord AS __age"
        f"{columns} FROM p JOIN s ON s.__n = p.__n{same})"
    )
