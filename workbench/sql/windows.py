"""Windows of a query: from the body that the parser made to a specification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import ibis.expr.operations as ops
from sqlglot import exp
from sqlglot.expressions.core import Expr as Node

from workbench.plan.model import Frame
from workbench.plan.ops import Staged, UnionSpec, WindowSpec
from workbench.sql.dialect import FeatureWindowBody
from workbench.sql.expressions import Expressions
from workbench.sql.frames import INTEGERS, Frames
from workbench.sql.scope import Relation, Scope, at_row
from workbench.sql.sources import row_source

ORDERED = INTEGERS | {"TIMESTAMP", "DATE"}


class Windows(Frames):
    """Translates the windows of one SELECT.

    Parameters
    ----------
    expressions
        The query's expression translator.
    anchor, history
        The root of FROM as the anchor row, and the same table as the rows of its history.
    constants
        Scope of the anchor row and its lookups, for qualified names inside a window FROM another table.
    rows
        Makes relations of rows from a FROM item: one, or several for a UNION ALL.
    history_where
        The query's WHERE on the rows of the history, or None.
    """

    #: Whether a window must say its order; without one its rows are in the order of arrival.
    ordered_only = True

    def __init__(
        self,
        expressions: Expressions,
        anchor: Relation,
        history: Relation,
        constants: Scope,
        rows: Callable[[Node], list[Relation]],
        history_where: Callable[[], ops.Value | None],
    ) -> None:
        self.expressions = expressions
        self.anchor = anchor
        self.history = history
        self.constants = constants
        self._rows = rows
        self._history_where = history_where
        self.named: dict[str, FeatureWindowBody] = {}
        self._made: dict[tuple[int, bool, int], tuple[WindowSpec, Scope]] = {}
        self._adopted: dict[int, tuple[WindowSpec, Scope]] = {}

    # -- windows

    def spec_of(self, node: exp.Window, ahead: bool = False) -> tuple[WindowSpec, Scope]:
        """Return the specification of the window that a function is OVER, and the scope of its rows.

        With ``ahead`` the rows are read as a frame that looks ahead reads them, whatever the window's own frame.
        """
        x = self.expressions
        if isinstance(node, FeatureWindowBody) or "body" in node.meta:
            return self.spec(node.meta.get("body", node), ahead)
        alias = node.args.get("alias")
        name = alias.name if alias is not None else ""
        body = self.named.get(name.casefold())
        if body is None:
            known = ", ".join(self.named) or "none"
            x.fail(
                alias if alias is not None else node,
                f"there is no window {name!r}",
                f"windows of this query: {known}",
            )
        return self.spec(body, ahead)

    def within(self, node: Node, body: Node) -> exp.Window:
        """Return an aggregate that stands inside another as one OVER the same window."""
        window = exp.Window(this=node.copy())
        window.meta["body"] = body
        return window

    def adopt(self, body: Node, spec: WindowSpec, scope: Scope) -> None:
        """Take a window that no text describes, with the scope of its rows."""
        self._adopted[id(body)] = spec, scope

    def spec(self, body: Node, ahead: bool = False) -> tuple[WindowSpec, Scope]:
        """Return the specification of a window, and the scope of its rows."""
        if id(body) in self._adopted:
            return self._adopted[id(body)]
        # A window that a join reads knows the joins before that one only.
        key = (id(body), ahead, len(self.constants.relations))
        if key not in self._made:
            self._made[key] = self._make(body, ahead)
        return self._made[key]

    def _make(self, body: Node, ahead: bool) -> tuple[WindowSpec, Scope]:
        x = self.expressions
        history = body.args.get("from_") is None
        if history:
            (rows, *others), where = [self.history], self._history_where()
            joined = [self.joined(relation) for relation in self.constants.relations[1:]]
            if body.args.get("union"):
                rows = self._merging()
            scope = Scope([rows], joined=joined, window=body)
        else:
            rows, *others = self._rows(body.args["from_"])
            scope = Scope([rows], [*self.constants.relations], window=body)
            where = self._where(body, rows)
        keys = tuple(self._key(item, rows, scope, history) for item in body.args.get("partition_by") or [])
        order, order_anchor, kind = self._order(body, rows, scope, history)
        frame = self._frame(body, kind)
        ahead = ahead or frame.ahead
        source = row_source(x, body, self.anchor, rows, where, order, ahead)
        maxsize = self._maxsize(body)
        self._check_ttl(body, rows, order, frame)
        unions = [
            (node, other, number > 0)
            for node in body.args.get("union") or []
            for number, other in enumerate(self._rows(node))
        ]
        unions += [(body.args["from_"], other, True) for other in others]
        stored = [row for row, _ in keys]
        spec = WindowSpec(
            source,
            history,
            keys,
            order,
            order_anchor,
            frame,
            maxsize,
            exclude_current_row=bool(body.args.get("exclude_current_row")) and history,
            exclude_current_time=bool(body.args.get("exclude_current_time")),
            instance_not_in_window=self._instance_not_in_window(body, history),
            union=tuple(
                self.merged(node, rows, other, stored, order, self._where(body, other), beside, ahead)
                for node, other, beside in unions
            ),
        )
        return spec, scope

    def _where(self, body: Node, rows: Relation) -> ops.Value | None:
        """The condition on the rows of another table of a window."""
        x = self.expressions
        if body.args.get("where") is None:
            return rows.where
        extra = x.condition(body.args["where"].this, Scope([rows], [*self.constants.relations]))
        return extra if rows.where is None else x.bind(body, "op", "and", [rows.where, extra])

    def joined(self, relation: Relation) -> Relation:
        """Return a joined table as the rows of the history see it: each as of its own position."""
        here, there = self.anchor.rows, self.history.rows
        return replace(relation, columns={n: at_row(v, here, there) for n, v in relation.columns.items()})

    def _merging(self) -> Relation:
        """The history as other tables are merged into it: each of its columns is one of its own."""
        rows, fields = self.history.rows, set[ops.Value]()
        columns: dict[str, ops.Value] = {}
        for name, value in self.anchor.columns.items():
            column = at_row(value, self.anchor.rows, rows)
            if not isinstance(column, ops.Field | Staged) or column in fields:
                column = Staged(value, rows, self.expressions.type_of(value))
            fields.add(column)
            columns[name] = column
        return replace(self.history, columns=columns)

    def _instance_not_in_window(self, body: Node, history: bool) -> bool:
        found = bool(body.args.get("instance_not_in_window"))
        if found and not history:
            self.expressions.fail(
                body,
                "INSTANCE_NOT_IN_WINDOW leaves out the anchor's history, which a window FROM another table never has",
                "remove it",
                word="INSTANCE_NOT_IN_WINDOW",
            )
        return found

    def _check_ttl(self, body: Node, rows: Relation, order: str | None, frame: Frame) -> None:
        ttl = rows.table.ttl
        beyond = (
            frame.unit == "range"
            and not frame.ahead
            and frame.start is not None
            and ttl is not None
            and frame.start > ttl
        )
        if beyond and order == rows.table.time:
            self.expressions.fail(
                body.args["spec"],
                f"the frame reaches beyond the ttl of {rows.table.name}: older rows are not visible",
                "shorten the frame, or create the table with a longer ttl",
            )

    def merged(
        self,
        node: Node,
        rows: Relation,
        other: Relation,
        keys: list[str],
        order: str | None,
        where: ops.Value | None,
        beside: bool,
        ahead: bool = False,
    ) -> UnionSpec:
        """Return another table as a window merges it: columns match by name; keys and order must be there.

        Parameters
        ----------
        node
            Where it stands in the query.
        rows
            The window's own rows.
        other
            The table.
        keys, order
            The columns of ``rows`` that the window is partitioned and ordered by.
        where
            The condition on the rows of the table.
        beside
            Whether it belongs to the source before it, as the branches of a UNION ALL do.
        ahead
            Whether the window looks ahead.
        """
        columns: list[tuple[ops.Value, ops.Value]] = []
        other_order = None
        for name, column in rows.columns.items():
            value = other.find(name)
            stored = column.name if isinstance(column, ops.Field) else None
            clause = "ordered" if stored is not None and stored == order else "partitioned"
            needed = stored is not None and stored in (*keys, order)
            if value is not None:
                columns.append((column, self._union_column(node, rows, other, name, column, value)))
                found = self._stored_column(node, value, other, "WINDOW ... UNION") if needed else None
                other_order = found if clause == "ordered" else other_order
            elif needed:
                self._missing(node, other, name, clause)
        source = row_source(self.expressions, node, self.anchor, other, where, other_order, ahead)
        return UnionSpec(source, tuple(columns), beside)

    def _union_column(
        self, node: Node, rows: Relation, other: Relation, name: str, column: ops.Value, value: ops.Value
    ) -> ops.Value:
        x = self.expressions
        mine, found = x.type_of(column), x.type_of(value)
        if mine == found or _widens(found, mine):
            return value
        item = _item(other, name)
        if item is None:
            x.fail(
                node,
                f"column {name!r} is {mine} in {rows.alias} and {found} in {other.alias}",
                f"CAST it in a subquery: (SELECT CAST({name} AS {mine}) AS {name}, ... FROM {other.table.name})",
            )
        sides = f"{mine} in {rows.alias} and {found} here"
        if rows.alias == other.alias:
            sides = f"{mine} in the first SELECT of the UNION ALL and {found} in this one"
        value_text = item.unalias().name if isinstance(item.unalias(), exp.Column) else "..."
        x.fail(item, f"column {name!r} is {sides}", f"write CAST({value_text} AS {mine}) AS {name}")

    def _missing(self, node: Node, other: Relation, name: str, clause: str) -> NoReturn:
        """Refuse a table that lacks a column of the window's order or key."""
        like = other.table.time if clause == "ordered" and other.table.time is not None else "<column>"
        item = name if name in other.table.columns else f"{like} AS {name}"
        self.expressions.fail(
            node,
            f"{other.alias} has no column {name!r}, which the window is {clause} by",
            f"write UNION (SELECT {item}, ... FROM {other.table.name}) AS {other.alias}",
        )

    def _key(self, item: Node, rows: Relation, scope: Scope, history: bool) -> tuple[str, ops.Value]:
        x = self.expressions
        if isinstance(item, exp.EQ) and not history:
            return self._equal_key(item, rows, scope)
        if not isinstance(item, exp.Column):
            x.fail(
                item,
                "PARTITION BY takes columns",
                "store the key as a column of the table",
            )
        seen = scope if history else Scope([rows])
        row = self._stored_column(item, x.translate(item, seen), rows, "PARTITION BY")
        anchor = self.anchor.find(item.name)
        if anchor is None:
            x.fail(
                item,
                f"the anchor {self.anchor.alias} has no column {item.name!r} to match {rows.alias}.{item.name}",
                f"write PARTITION BY {rows.alias}.{item.name} = <expression of {self.anchor.alias}>",
            )
        self.check_key_types(item, rows.table.columns[row], x.type_of(anchor))
        return row, anchor

    def _equal_key(self, item: exp.EQ, rows: Relation, scope: Scope) -> tuple[str, ops.Value]:
        x = self.expressions
        for mine, other in ((item.this, item.expression), (item.expression, item.this)):
            if isinstance(mine, exp.Column) and mine.table.casefold() == rows.alias.casefold():
                row = self._stored_column(mine, x.translate(mine, scope), rows, "PARTITION BY")
                anchor = x.translate(other, self.constants)
                self.check_key_types(item, rows.table.columns[row], x.type_of(anchor))
                return row, anchor
        x.fail(item, f"PARTITION BY takes {rows.alias}.column = <expression of {self.anchor.alias}>")

    def _stored_column(self, node: Node, value: ops.Value, rows: Relation, clause: str) -> str:
        x = self.expressions
        column = rows.stored(value)
        if column is None:
            x.fail(
                node,
                f"{clause} needs a stored column of {rows.table.name}",
                "store the value as a column of the table",
            )
        return column

    def check_key_types(self, node: Node, row: str, anchor: str) -> None:
        """Keys are compared without conversion, so their types must be one family, and not nested."""
        if row.endswith("]") or row.startswith(("STRUCT", "MAP")):
            self.expressions.fail(
                node,
                f"a column of type {row} cannot be a key",
                "store its text or one of its fields as a column",
            )
        if row != anchor and not (row in INTEGERS and anchor in INTEGERS):
            self.expressions.fail(
                node, f"the key's types differ: {row} and {anchor}", f"CAST the anchor's side AS {row}"
            )

    # -- order and frame

    def _order(
        self, body: Node, rows: Relation, scope: Scope, history: bool
    ) -> tuple[str | None, ops.Value | None, str | None]:
        x = self.expressions
        order = body.args.get("order")
        if order is None and not self.ordered_only:
            return None, None, None
        if order is None:
            x.fail(body, "a window needs ORDER BY", f"ORDER BY {rows.table.time or 'the time column'}")
        if len(order.expressions) != 1:
            x.fail(order, "a window is ordered by one column; arrival breaks ties")
        item = order.expressions[0]
        if item.args.get("desc"):
            x.fail(item, "a window is ordered ascending: the newest row is the nearest", "remove DESC")
        column = self._stored_column(item, x.translate(item.this, scope), rows, "ORDER BY")
        kind = rows.table.columns[column]
        if kind not in ORDERED:
            x.fail(item, f"a window is ordered by a time, date or integer column; {column} is {kind}")
        anchor = ops.Field(self.anchor.rows, column) if history else self.order_anchor(item, column, rows)
        return column, anchor, kind

    def order_anchor(self, node: Node, column: str, rows: Relation) -> ops.Value:
        """Return the anchor's value of the column that orders the rows of other tables."""
        x, anchor, kind = self.expressions, self.anchor, rows.table.columns[column]
        if column == rows.table.time and anchor.table.time is not None:
            return ops.Field(anchor.rows, anchor.table.time)
        same = anchor.find(column)
        if same is not None:
            found = x.type_of(same)
            if found == kind or (found in INTEGERS and kind in INTEGERS):
                return same
        if anchor.table.time is not None and kind in ("TIMESTAMP", "DATE"):
            return ops.Field(anchor.rows, anchor.table.time)
        x.fail(node, f"the anchor {anchor.alias} has no column {column!r} of type {kind} to order against")


def _item(relation: Relation, name: str) -> Node | None:
    """What gives a column in the SELECT list that made a relation."""
    items = relation.select.expressions if isinstance(relation.select, exp.Select) else []
    return next((item for item in items if item.alias_or_name.casefold() == name.casefold()), None)


def _widens(found: str, wanted: str) -> bool:
    """Whether values of a number type may stand in a column of another: integers in integers, all in DOUBLE."""
    if found in INTEGERS:
        return wanted in INTEGERS or wanted in ("FLOAT", "DOUBLE")
    return wanted == "DOUBLE" and (found == "FLOAT" or found.startswith("DECIMAL"))
