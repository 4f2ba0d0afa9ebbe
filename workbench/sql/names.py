"""Names in expressions: columns, qualified columns and fields of structs."""

from __future__ import annotations

from typing import NoReturn

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.errors import did_you_mean
from workbench.plan.ops import Native
from workbench.plan.render import text
from workbench.sql.binding import Binding
from workbench.sql.scope import Relation, Scope


class Names(Binding):
    """Resolves names in a scope."""

    def column(self, node: exp.Column, scope: Scope, at: exp.Expr | None = None) -> ops.Value:
        """Return what a name means in a scope; ``at`` is where an error points instead."""
        place = at or node
        name = node.name
        if isinstance(node.this, exp.Star):
            self.fail(place, "* stands alone in the SELECT list", "name the columns, or write SELECT *, ...")
        if node.args.get("db"):
            return self._struct_path(node, scope)
        if node.table:
            relation = scope.relation(node.table)
            if relation is None:
                return self._struct_path(node, scope)
            return self._column_of(relation, name, place)
        found = list(scope.candidates(name))
        if len(found) > 1:
            where = " and ".join(repr(relation.alias) for relation, _ in found)
            self.fail(place, f"{name!r} is ambiguous: it is in {where}", f"write {found[0][0].alias}.{name}")
        if found:
            return found[0][1]
        if name.casefold() in scope.aliases:
            return scope.aliases[name.casefold()]
        self._unknown_column(place, name, scope)

    def _column_of(self, relation: Relation, name: str, place: exp.Expr) -> ops.Value:
        value = relation.find(name)
        if value is None:
            if refused := relation.refused(name):
                self.fail(place, *refused)
            close = did_you_mean(name, relation.columns)
            known = ", ".join(relation.columns)
            message = f"no column {name!r} in {relation.alias}" + (f"; {close}" if close else "")
            self.fail(place, message, None if close else f"its columns are {known}")
        return value

    def _unknown_column(self, place: exp.Expr, name: str, scope: Scope) -> NoReturn:
        for relation in scope.constants:
            if relation.find(name) is not None:
                self.fail(
                    place,
                    f"no column {name!r} in {scope.relations[0].alias}",
                    f"a column of the request row is written {relation.alias}.{name} here",
                )
        for relation in (*scope.relations, *scope.joined):
            if refused := relation.refused(name):
                self.fail(place, *refused)
        known = [*scope.column_names(), *scope.aliases]
        close = did_you_mean(name, known)
        message = f"no column {name!r}" + (f"; {close}" if close else "")
        self.fail(place, message, None if close else f"columns here: {', '.join(known)}")

    def _struct_path(self, node: exp.Column, scope: Scope) -> ops.Value:
        """``s.field`` where s is a column: a field of a struct."""
        parts = [
            part for part in (node.args.get("catalog"), node.args.get("db"), node.args.get("table")) if part
        ]
        parts.append(node.this)
        head, rest = parts[0], parts[1:]
        if not list(scope.candidates(head.name)):
            if relation := scope.relation(head.name):
                value, rest = self._column_of(relation, rest[0].name, node), rest[1:]
            else:
                known = [relation.alias for relation in (*scope.relations, *scope.joined, *scope.constants)]
                close = did_you_mean(head.name, known)
                self.fail(
                    node,
                    f"no table or alias {head.name!r} in this query" + (f"; {close}" if close else ""),
                    f"tables here: {', '.join(known)}",
                )
        else:
            value = self.column(exp.column(head.copy()), scope, at=node)
        for part in rest:
            value = self.field(node, value, part.name)
        return value

    def field(self, node: exp.Expr, value: ops.Value, name: str) -> ops.Value:
        """Return a field of a STRUCT."""
        key = Native("literal", text(name), (), "VARCHAR")
        return self.bind(node, "call", "struct_extract", [value, key])
