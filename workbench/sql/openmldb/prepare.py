"""An OpenMLDB query brought into the workbench's form: names of databases, of columns, and where OVER stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from workbench.errors import DefinitionError
from workbench.plan.tables import SourceTable
from workbench.sql.dialect import FeatureWindowBody, position_of

_WHERE = ("count", "sum", "avg", "min", "max")
#: Functions over the rows of a window; those that are not stand around them.
AGGREGATES = frozenset(
    [
        *("count", "sum", "avg", "min", "max", "distinct_count", "median", "stddev", "std", "stddev_samp"),
        *("stddev_pop", "var_samp", "variance", "var_pop", "entropy", "top", "top1_ratio", "topn_frequency"),
        *("ew_avg", "drawdown", "first_value", "last_value", "nth_value_where", "lag", "at"),
        *("window_split", "window_split_by_key", "window_split_by_value"),
        *(f"{name}_where" for name in _WHERE),
        *(f"{name}_cate" for name in _WHERE),
        *(f"{name}_cate_where" for name in _WHERE),
        *(f"top_n_{by}_{name}_cate_where" for by in ("key", "value") for name in _WHERE),
        *("top_n_key_ratio_cate", "top_n_value_ratio_cate"),
    ]
)
#: Aggregates that take the values of a window_split.
_TAKES_SPLIT = frozenset({"topn_frequency", "top1_ratio", "distinct_count"})
_NAMES = {"std": "stddev", "join": "array_to_string"}
_OPERATORS = {
    "Add": "+",
    "Sub": "-",
    "Mul": "*",
    "Div": "/",
    "IntDiv": "DIV",
    "Mod": "%",
    "And": "AND",
    "Or": "OR",
    "EQ": "=",
    "NEQ": "!=",
    "LT": "<",
    "LTE": "<=",
    "GT": ">",
    "GTE": ">=",
}


def prepare(query: exp.Expr, tables: Mapping[str, SourceTable], text: str) -> exp.Expr:
    """Return the query's tree in the form that is translated.

    Parameters
    ----------
    query
        The tree.
    tables
        The project's tables by folded name.
    text
        The query's text, for positions in messages.

    Raises
    ------
    DefinitionError
        For a join at the root that may give several rows.
    """
    if isinstance(query, exp.Select):
        _refuse_left_join(query, text)
        if query.args.get("limit"):
            # A request has one row, and offline every anchor row has one: LIMIT cuts the printing of either.
            query.set("limit", None)
    for select in list(query.find_all(exp.Select)):
        _into_branches(select)
    _databases(query, tables)
    for select in list(query.find_all(exp.Select)):
        select.set("expressions", [_named(item) for item in select.expressions])
    for window in list(query.find_all(exp.Window)):
        if isinstance(window.this, exp.Expr):
            _push_down(window)
    for call in list(query.find_all(exp.Anonymous)):
        _respell(call)
    return query


def _refuse_left_join(query: exp.Select, text: str) -> None:
    for join in query.args.get("joins") or []:
        if join.meta.get("left"):
            raise DefinitionError(
                "a LEFT JOIN may give several rows for one anchor row",
                hint="write LAST JOIN ... ORDER BY ... ON ...",
                position=position_of(join, text),
                source=text,
            )


# -- databases


def _databases(query: exp.Expr, tables: Mapping[str, SourceTable]) -> None:
    """``db.t`` is the table ``db_t`` where there is one, else ``t``; columns of it are named by its alias."""
    nodes = [table for table in query.find_all(exp.Table) if table.args.get("db") is not None]
    bare = [table.name.casefold() for table in nodes]
    aliases: dict[tuple[str, str], str] = {}
    for table in nodes:
        database, name = table.text("db"), table.name
        joined = f"{database}_{name}"
        alias = table.alias or (joined if bare.count(name.casefold()) > 1 else name)
        aliases[database.casefold(), name.casefold()] = alias
        table.set("db", None)
        if joined.casefold() in tables:
            table.set("this", exp.to_identifier(joined))
        if not table.alias and alias != table.name:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    for column in query.find_all(exp.Column):
        if column.args.get("db") is not None:
            key = (column.text("db").casefold(), column.table.casefold())
            column.set("table", exp.to_identifier(aliases.get(key, column.table)))
            column.set("db", None)


# -- UNION ALL


def _into_branches(select: exp.Select) -> None:
    """``SELECT x FROM (A UNION ALL B) WHERE c`` is the UNION ALL of that SELECT of each."""
    root = select.args["from_"].this if select.args.get("from_") is not None else None
    union = root.this if isinstance(root, exp.Subquery) else None
    alone = not any(select.args.get(key) for key in ("joins", "windows", "group", "with_"))
    if not isinstance(union, exp.Union) or union.args.get("distinct") or not alone or select.parent is None:
        return
    sides = []
    for side in (union.this, union.expression):
        made = select.copy()
        inner = side.this if isinstance(side, exp.Subquery) and not side.alias else side
        made.args["from_"].this.set("this", inner.copy())
        sides.append(made)
    select.replace(exp.Union(this=sides[0], expression=sides[1], distinct=False))
    for made in sides:
        _into_branches(made)


# -- names of columns


def _named(item: exp.Expr) -> exp.Expr:
    """A column of the SELECT list under the name that OpenMLDB gives it."""
    if isinstance(item, exp.Alias | exp.Column | exp.Star):
        return item
    made = exp.alias_(item, _words(item), quoted=True, copy=False)
    made.meta.update({key: value for key, value in item.meta.items() if key in ("start", "end")})
    return made


def _words(node: exp.Expr) -> str:
    """An expression as OpenMLDB prints it.

    >>> from workbench.sql.openmldb.parser import parse_openmldb
    >>> _words(parse_openmldb("SELECT c2+1 FROM t").expressions[0])
    'c2 + 1'
    """
    if isinstance(node, exp.Window):
        name = node.args["alias"].name if node.args.get("alias") is not None else ""
        return (
            f"{_words(node.this)}over {name}"
            if not isinstance(node, FeatureWindowBody)
            else _words(node.this)
        )
    if isinstance(node, exp.Anonymous):
        return f"{node.name}({', '.join(_words(argument) for argument in node.expressions)})"
    if isinstance(node, exp.Column):
        return f"{node.table}.{node.name}" if node.table else node.name
    if isinstance(node, exp.Literal):
        return str(node.this)
    operator = _OPERATORS.get(type(node).__name__)
    if operator is not None:
        return f"{_words(node.this)} {operator} {_words(node.expression)}"
    if isinstance(node, exp.Paren):
        return f"({_words(node.this)})"
    return node.sql("duckdb")


# -- OVER


def _push_down(window: exp.Window) -> None:
    """``f(a(x) + b(y)) OVER w`` is ``f(a(x) OVER w + b(y) OVER w)``, in the arguments of an aggregate too."""
    outer = window.this
    inner = [call for call in outer.find_all(exp.Anonymous) if call is not outer and _aggregates(call)]
    for call in inner:
        if call.find_ancestor(exp.Window) is window and not _split_of(call):
            _over(call, window)
    if isinstance(outer, exp.Anonymous) and (_aggregates(outer) or not inner):
        return
    if inner:
        window.replace(outer)


def _aggregates(call: exp.Anonymous) -> bool:
    return call.name.casefold() in AGGREGATES


def _split_of(call: exp.Anonymous) -> bool:
    """Whether a window_split stands in an aggregate that takes its values."""
    above = call.parent
    taken = isinstance(above, exp.Anonymous) and above.name.casefold() in _TAKES_SPLIT
    return call.name.casefold().startswith("window_split") and taken


def _over(call: exp.Anonymous, window: exp.Window) -> None:
    copied = {key: _copied(value) for key, value in window.args.items() if key != "this"}
    made = type(window)(**copied)
    made.meta.update({key: value for key, value in call.meta.items() if key in ("start", "end")})
    call.replace(made)
    made.set("this", call)


def _copied(value: object) -> object:
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value.copy() if isinstance(value, exp.Expr) else value


# -- spellings


def _respell(call: exp.Anonymous) -> None:
    name = call.name.casefold()
    split = call.expressions[0] if call.expressions else None
    if isinstance(split, exp.Anonymous) and split.name.casefold().startswith("window_split"):
        return  # it takes the parts, not the text
    if name in _NAMES:
        call.set("this", _NAMES[name])
    elif name == "distinct_count" and len(call.expressions) == 1:
        call.set("this", "count")
        call.set("expressions", [exp.Distinct(expressions=call.expressions)])
    elif name.removesuffix("_where") in _WHERE and name.endswith("_where") and len(call.expressions) == 2:
        call.set("this", name.removesuffix("_where"))
        condition = exp.Where(this=call.expressions[1])
        call.set("expressions", call.expressions[:1])
        _wrap(call, lambda: exp.Filter(this=call, expression=condition))
    elif name in ("first_value", "last_value") and len(call.expressions) == 2:
        flag = call.expressions[1]
        if isinstance(flag, exp.Boolean):
            call.set("expressions", call.expressions[:1])
            if flag.this:
                _wrap(call, lambda: exp.IgnoreNulls(this=call))


def _wrap(node: exp.Expr, make: Callable[[], exp.Expr]) -> None:
    """Put what ``make`` makes of a node in its place."""
    place = exp.Anonymous(this="_")
    node.replace(place)
    place.replace(make())
