"""Function calls, and lambdas among their arguments."""

from __future__ import annotations

from abc import abstractmethod

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.errors import WorkbenchError
from workbench.functions import PythonFunction
from workbench.plan.render import quote
from workbench.sql import catalogue
from workbench.sql.dialect import FeatureDialect
from workbench.sql.expansion import bound, filled
from workbench.sql.functions import NOW_DATE, NOW_TIMESTAMP
from workbench.sql.nodes import Nodes, braced
from workbench.sql.scope import Scope
from workbench.sql.signatures import is_signature, signature

#: Words without parentheses that mean "now", and their types.
NOW_WORDS: dict[type[exp.Expr], str] = {
    exp.CurrentTimestamp: "TIMESTAMP",
    exp.Localtimestamp: "TIMESTAMP",
    exp.CurrentDate: "DATE",
}
#: What cannot stand in an expression: the reason, and what to write instead.
REFUSED: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Subquery: ("a subquery cannot stand in an expression", "LAST JOIN the table and use its column"),
    exp.Select: ("a subquery cannot stand in an expression", "LAST JOIN the table and use its column"),
    exp.Exists: ("EXISTS is not available in a feature query", "use count(*) OVER a window FROM that table"),
    exp.CurrentTime: ("the time of day of the session is not a feature", "cast the time column: ts::TIME"),
    exp.Concat: ("two strings stand side by side", "join them with ||"),
    exp.Comprehension: ("list comprehensions are not available", "use list_transform and list_filter"),
    exp.Star: ("* stands alone in the SELECT list", "name the columns, or write SELECT *, ..."),
}


#: Functions that only windows have.
WINDOWED = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})


class Calls(Nodes):
    """Translates function calls."""

    @abstractmethod
    def _over(self, node: exp.Expr, scope: Scope) -> ops.Value:
        """Return the value of an aggregate or another function of a window."""

    @abstractmethod
    def now(self, node: exp.Expr, kind: str) -> ops.Value:
        """Return what "now" means."""

    def node_anonymous(self, node: exp.Anonymous, scope: Scope) -> ops.Value:
        name = node.name
        folded = name.casefold()
        if folded in NOW_TIMESTAMP or folded in NOW_DATE:
            return self.now(node, "TIMESTAMP" if folded in NOW_TIMESTAMP else "DATE")
        if (python := self.functions.python(name)) is not None:
            return self._python_call(node, python, scope)
        if is_signature(node):
            return signature(self, node, lambda inner: self.translate(inner, scope))
        entry = catalogue.find(name)
        if entry is not None and entry.native != folded:
            return self._catalogued(node, entry, scope)
        try:
            aggregate = folded not in WINDOWED and self.functions.is_aggregate(name)
        except WorkbenchError as error:
            self.fail(node, error.message, error.hint)
        windowed = folded in WINDOWED or (aggregate and "scalar" not in self.functions.info(name).kinds)
        if windowed and scope.window is not None:
            return self._over(node, scope)
        if windowed:
            self.fail(
                node,
                f"{name}() is an aggregate and needs a window",
                f"write {name}(...) OVER w and define WINDOW w AS (PARTITION BY key ORDER BY time ...)",
            )
        if folded == "age" and len(node.expressions) == 1:
            self.fail(node, "age(x) counts from the session's midnight", "write age(now(), x)")
        if folded == "row":
            self.fail(node, "row(...) has no field names", "write {'a': x, 'b': y}")
        if folded == "struct_pack":
            return self._fields(node, node.expressions, scope)
        if any(isinstance(argument, exp.PropertyEQ) for argument in node.expressions):
            self.fail(node, f"{name}() takes its arguments by position here")
        if any(isinstance(argument, exp.Lambda) for argument in node.expressions):
            return self._lambda_call(node, scope)
        return self.bind(node, "call", folded, [self.translate(arg, scope) for arg in node.expressions])

    def _catalogued(self, node: exp.Anonymous, entry: catalogue.Function, scope: Scope) -> ops.Value:
        """A function of the catalogue: what it stands for."""
        if entry.is_aggregate and scope.window is not None:
            return self._over(node, scope)
        if entry.is_aggregate:
            self.fail(
                node,
                f"{node.name}() is an aggregate and needs a window",
                f"write {entry.signature} OVER w and define WINDOW w AS (PARTITION BY key ORDER BY time ...)",
            )
        if any(isinstance(argument, exp.PropertyEQ | exp.Lambda) for argument in node.expressions):
            self.fail(node, f"{node.name}() takes its arguments by position here", f"write {entry.signature}")
        args = [self.translate(argument, scope) for argument in node.expressions]
        if entry.native:
            return self.bind(node, "call", entry.native, args)
        values = bound(self, node, entry, node.expressions, args)
        types = {name: self.type_of(value) for name, value in values.items()}
        return filled(self, node, entry.text(types), values)

    def _python_call(self, node: exp.Anonymous, function: PythonFunction, scope: Scope) -> ops.Value:
        plain = not function.aggregate or "@" in node.name  # a plan's text calls an aggregate on its lists
        if not plain and scope.window is not None:
            return self._over(node, scope)
        if not plain:
            self.fail(
                node,
                f"{function.name}() is an aggregate and needs a window",
                f"write {function.name}(...) OVER w and define WINDOW w AS (PARTITION BY key ORDER BY time ...)",
            )
        args = [self.translate(arg, scope) for arg in node.expressions]
        self.check_arity(node, function, len(args))
        return self.bind(node, "call", function.full_name, args)

    def check_arity(self, node: exp.Expr, function: PythonFunction, count: int) -> None:
        """Fail where a Python function is given more or fewer arguments than it takes."""
        if count != len(function.args):
            self.fail(node, f"{function.name}() takes {len(function.args)} arguments", function.signature)

    def _lambda_call(self, node: exp.Anonymous, scope: Scope) -> ops.Value:
        """A call with a lambda: DuckDB text, with the columns used inside as arguments."""
        args: list[ops.Value] = []
        parts = []
        for argument in node.expressions:
            if isinstance(argument, exp.Lambda):
                parts.append(self._lambda_text(argument, scope, args))
            else:
                parts.append(f"{{{len(args)}}}")
                args.append(self.translate(argument, scope))
        return self.bind(node, "sql", f"{node.name.lower()}({', '.join(parts)})", args)

    def _lambda_text(self, node: exp.Lambda, scope: Scope, args: list[ops.Value]) -> str:
        """A lambda as DuckDB text; what it reads of the row, and now(), is appended to ``args``."""

        def inlined(part: exp.Expr) -> exp.Expr:
            if not self._read_by_lambda(part, node):
                return part
            args.append(self.translate(part, scope))
            # A mark that no text of a query holds, so that it can be found again in the generated text.
            return exp.Var(this=f"\0{len(args) - 1}\0")

        body = braced(node.this.copy().transform(inlined, copy=False).sql(FeatureDialect))
        for index in range(len(args)):
            body = body.replace(f"\0{index}\0", f"{{{index}}}")
        return f"lambda {', '.join(quote(name.name) for name in node.expressions)}: {body}"

    def _read_by_lambda(self, part: exp.Expr, node: exp.Lambda) -> bool:
        """Whether a part of a lambda is a value of the row; fails where it cannot stand in a lambda."""
        if type(part) in NOW_WORDS:
            return True
        if type(part) in REFUSED:
            self.fail(part, *REFUSED[type(part)])
        if isinstance(part, exp.Window):
            return self._is_of_row(part, node)
        if isinstance(part, exp.ToMap):
            self.fail(part, "MAP {...} is not available in a lambda", "write map([keys], [values])")
        if isinstance(part, exp.Anonymous):
            return self._is_now_in_lambda(part)
        return isinstance(part, exp.Column) and (bool(part.table) or not _is_variable(part, node))

    def _is_of_row(self, window: exp.Window, node: exp.Lambda) -> bool:
        """An aggregate is a value of the row too, unless it is of the lambda's variables."""
        for name in window.find_all(exp.Identifier):
            # the parser has columns as columns, and variables as bare names
            bare = not isinstance(name.parent, exp.Column) and name is not window.args.get("alias")
            if bare and _is_variable(name, node):
                self.fail(
                    name,
                    f"an aggregate OVER a window cannot read {name.name}, a variable of the lambda",
                    "use list_aggregate(list, 'sum') inside a lambda",
                )
        return True

    def _is_now_in_lambda(self, call: exp.Anonymous) -> bool:
        if call.name.casefold() in NOW_TIMESTAMP | NOW_DATE:
            return True
        if self.functions.python(call.name) is not None:
            self.fail(
                call,
                f"the Python function {call.name}() cannot stand in a lambda",
                "take the whole list in it",
            )
        entry = catalogue.find(call.name)
        if entry is not None and entry.native != call.name.casefold():
            self.fail(
                call,
                f"{call.name}() is the workbench's own and cannot stand in a lambda",
                f"write {entry.native}()" if entry.native else "use DuckDB's functions inside a lambda",
            )
        try:
            kinds = self.functions.info(call.name).kinds
        except WorkbenchError as error:
            self.fail(call, error.message, error.hint)
        if "aggregate" in kinds and "scalar" not in kinds:
            self.fail(
                call,
                f"{call.name}() is an aggregate and cannot stand in a lambda",
                "use list_aggregate(x, 'sum')",
            )
        return False


def _is_variable(column: exp.Column | exp.Identifier, node: exp.Lambda) -> bool:
    """Whether a name is a variable of the lambda or of one inside it, in any case."""
    above: exp.Expr | None = column
    names = list(node.expressions)
    while above is not None:
        names += above.expressions if isinstance(above, exp.Lambda) else []
        above = above.parent
    return column.name.casefold() in {name.name.casefold() for name in names}
