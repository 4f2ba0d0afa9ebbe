"""The workbench's SQL: DuckDB's, plus LAST JOIN and feature windows. sqlglot parses; nothing here gives meaning.

Additions to DuckDB's grammar::

    FROM {table | view | view@3 | view@draft | (query) | (joins)}
    a LAST JOIN b [ORDER BY b.c] ON a.k = b.k [AND condition]
    WINDOW w AS ([FROM t2 [WHERE condition] | UNION t2, (query), ...] PARTITION BY k ORDER BY c
                 {ROWS | RANGE | ROWS_RANGE} BETWEEN 3d [OPEN] PRECEDING AND CURRENT ROW
                 [EXCLUDE CURRENT_ROW] [EXCLUDE CURRENT_TIME] [INSTANCE_NOT_IN_WINDOW] [MAXSIZE n])
    :name, a parameter
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ErrorLevel, ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from workbench.errors import DefinitionError, Position, did_you_mean

#: Microseconds of the units that may follow a number directly, as in ``3d``.
UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}


class LastJoin(exp.Join):
    """``LAST JOIN table [ORDER BY column] ON condition``."""

    arg_types: ClassVar[dict[str, bool]] = {**exp.Join.arg_types, "order": False}


class FeatureWindowBody(exp.Window):
    """The parenthesised body of a window, with what the dialect adds to it."""

    arg_types: ClassVar[dict[str, bool]] = {
        **exp.Window.arg_types,
        "from_": False,
        "where": False,
        "union": False,
        "maxsize": False,
        "exclude_current_row": False,
        "exclude_current_time": False,
        "instance_not_in_window": False,
    }


class Bound(exp.Expression):
    """One end of a frame. ``value``: UNBOUNDED, CURRENT ROW or an expression; ``unit`` of a number such as ``3d``."""

    arg_types: ClassVar[dict[str, bool]] = {"value": True, "unit": False, "open": False, "side": False}


class FeatureParser(DuckDBParser):
    """DuckDB's parser with the additions; functions stay as typed (sqlglot would rename and reorder some)."""

    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: DuckDBParser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "EXTRACT")
    }
    # sqlglot lets % bind as + does; in DuckDB it binds as * does.
    TERM: ClassVar[dict[Any, Any]] = {
        token: node for token, node in DuckDBParser.TERM.items() if token != TokenType.MOD
    }
    FACTOR: ClassVar[dict[Any, Any]] = {**DuckDBParser.FACTOR, TokenType.MOD: exp.Mod}
    # It lets IS bind before comparisons and ~ before arithmetic; in DuckDB both bind after them.
    RANGE_PARSERS: ClassVar[dict[Any, Any]] = {
        token: parse for token, parse in DuckDBParser.RANGE_PARSERS.items() if token != TokenType.IS
    }
    UNARY_PARSERS: ClassVar[dict[Any, Any]] = {
        **DuckDBParser.UNARY_PARSERS,
        TokenType.TILDE: lambda self: self.expression(exp.BitwiseNot(this=self._parse_term())),
    }

    def _parse_equality(self) -> exp.Expr | None:
        this = super()._parse_equality()
        while self._match(TokenType.IS):
            found = self._parse_is(this)
            if found is None:
                return this
            this = found
        return this

    def _parse_is(self, this: exp.Expr | None) -> exp.Expr | None:
        negated = self._match_text_seq("NOT", "DISTINCT", "FROM")
        if negated or self._match_text_seq("DISTINCT", "FROM"):
            other = super()._parse_equality()
            return self.expression(
                (exp.NullSafeEQ if negated else exp.NullSafeNEQ)(this=this, expression=other)
            )
        return super()._parse_is(this)

    def _parse_expression(self) -> exp.Expr | None:
        """DuckDB's ``name: value`` needs a name in front of the colon; elsewhere a colon begins a parameter."""
        if self._next and self._next.token_type == TokenType.COLON and not self._names():
            return super(DuckDBParser, self)._parse_expression()
        return super()._parse_expression()

    def _names(self) -> bool:
        return bool(self._curr and self._curr.token_type in self.ID_VAR_TOKENS | {TokenType.STRING})

    def _parse_placeholder(self) -> exp.Expr | None:
        return self._placed(super()._parse_placeholder, whole=True)

    def _parse_primary(self) -> exp.Expr | None:
        return self._placed(super()._parse_primary)

    def _parse_unary(self) -> exp.Expr | None:
        return self._placed(super()._parse_unary)

    def _parse_types(self, *args: Any, **kwargs: Any) -> exp.Expr | None:
        return self._placed(lambda: super(FeatureParser, self)._parse_types(*args, **kwargs))

    def _parse_csv(self, parse_method: Any, sep: TokenType = TokenType.COMMA) -> list[Any]:
        """A list, in which nothing may be missing; only SELECT's may end with a comma, as in DuckDB."""
        items = [item] if (item := parse_method()) is not None else []
        while self._match(sep):
            item = parse_method()
            if item is not None:
                items.append(item)
            elif not (self._curr and self._curr.token_type == TokenType.FROM):
                self.raise_error("something is missing after ','")
        return items

    def _placed(self, parse: Any, whole: bool = False) -> exp.Expr | None:
        """Give a node without a position that of its first token, or of all of them, for messages."""
        token = self._curr
        node = parse()
        if isinstance(node, exp.Expr) and token and "start" not in node.meta:
            node.meta.update(start=token.start, end=self._prev.end if whole and self._prev else token.end)
        return node

    def _parse_table_parts(self, *args: Any, **kwargs: Any) -> Any:
        """``view@3`` and ``view@draft``: which version of a view is meant."""
        table = super()._parse_table_parts(*args, **kwargs)
        if table is not None and self._is_connected() and self._match(TokenType.PARAMETER):
            if not (self._is_connected() and self._match_set((TokenType.NUMBER, TokenType.VAR))):
                self.raise_error("a version is written view@3, or view@draft")
            table.meta["version"] = self._prev.text
        return table

    def _parse_alias(self, this: exp.Expr | None, explicit: bool = False) -> exp.Expr | None:
        """OVER and FILTER behind what is no call would be read as aliases, and what follows them as a mistake."""
        token, after = self._curr, self._next
        bare = not explicit and token and after and token.token_type in (TokenType.OVER, TokenType.FILTER)
        if bare and after.token_type in self.ID_VAR_TOKENS | {TokenType.L_PAREN}:
            word = token.text.upper()
            example = "sum(x) OVER w + 1" if word == "OVER" else "sum(x) FILTER (WHERE x > 1) OVER w"
            self.raise_error(f"{word} stands directly behind an aggregate: {example}", token)
        return super()._parse_alias(this, explicit)

    def _parse_table_alias(self, alias_tokens: Any = None) -> exp.TableAlias | None:
        if self._is_last_join():
            return None
        return super()._parse_table_alias(alias_tokens)

    def _is_last_join(self) -> bool:
        return bool(
            self._curr
            and self._curr.text.upper() == "LAST"
            and self._next
            and self._next.token_type == TokenType.JOIN
        )

    def _parse_join(
        self, skip_join_token: bool = False, parse_bracket: bool = False, alias_tokens: Any = None
    ) -> exp.Join | None:
        start = self._curr
        if not self._is_last_join():
            join = super()._parse_join(skip_join_token, parse_bracket, alias_tokens)
            if join is not None and start:
                join.meta.update(start=start.start, end=start.end)
            return join
        self._advance(2)
        table = self._parse_table()
        order = self._parse_order()
        if not self._match(TokenType.ON):
            self.raise_error("LAST JOIN needs ON with an equality of a column of each side")
        join = LastJoin(this=table, kind="LAST", order=order, on=self._parse_disjunction())
        join.meta.update(start=start.start, end=start.end)
        return self.expression(join)

    def _parse_window(self, this: exp.Expr | None, alias: bool = False) -> exp.Expr | None:
        if alias:
            self._match(TokenType.ALIAS)
            if not self._match(TokenType.L_PAREN):
                self.raise_error("a window is written WINDOW name AS (...)")
            return self._parse_window_body(this, over=None)
        this = self._parse_window_modifiers(this)
        if not self._match(TokenType.OVER):
            return this
        if self._match(TokenType.L_PAREN):
            return self._parse_window_body(this, over="OVER")
        return self.expression(exp.Window(this=this, alias=self._parse_id_var(False), over="OVER"))

    def _parse_window_modifiers(self, this: exp.Expr | None) -> exp.Expr | None:
        if self._match_text_seq("WITHIN", "GROUP"):
            order = self._parse_wrapped(self._parse_order)
            this = self.expression(exp.WithinGroup(this=this, expression=order))
        if self._match_pair(TokenType.FILTER, TokenType.L_PAREN):
            self._match(TokenType.WHERE)
            condition = exp.Where(this=self._parse_disjunction())
            this = self.expression(exp.Filter(this=this, expression=condition))
            self._match_r_paren()
        return self._parse_respect_or_ignore_nulls(this)

    def _parse_window_body(self, this: exp.Expr | None, over: str | None) -> exp.Expr:
        start = self._prev
        args: dict[str, Any] = {"this": this, "over": over}
        if self._match(TokenType.UNION):
            if self._match_set((TokenType.ALL, TokenType.DISTINCT)):
                word = self._prev.text.upper()
                self.raise_error(
                    f"UNION of a window keeps every row: write UNION t2, without {word}", self._prev
                )
            args["union"] = self._parse_csv(self._parse_table)
        elif self._match(TokenType.FROM):
            args["from_"] = self._parse_table()
            args["where"] = self._parse_where()
        args["partition_by"] = self._parse_partition_by()
        args["order"] = self._parse_order()
        args["spec"] = self._parse_frame()
        while self._parse_window_attribute(args):
            pass
        self._match_r_paren()
        body = FeatureWindowBody(**args)
        body.meta.update(start=start.start, end=start.end)
        return self.expression(body)

    def _parse_frame(self) -> exp.WindowSpec | None:
        token = self._curr
        if not (token and token.text.upper() in ("ROWS", "RANGE", "ROWS_RANGE", "GROUPS")):
            return None
        self._advance()
        between = self._match(TokenType.BETWEEN)
        start = self._parse_bound()
        end = self._parse_bound() if between and self._match(TokenType.AND) else None
        if between and end is None:
            self.raise_error("a frame is written BETWEEN <start> PRECEDING AND <end>")
        spec = exp.WindowSpec(kind=token.text.upper(), start=start, end=end)
        spec.meta.update(start=token.start, end=token.end)
        return self.expression(spec)

    def _parse_bound(self) -> Bound:
        token = self._curr
        bound = Bound(value=self._parse_bound_value(), unit=self._parse_bound_unit())
        bound.set("open", self._match_text_seq("OPEN"))
        bound.set("side", self._prev.text.upper() if self._match_texts(self.WINDOW_SIDES) else None)
        if token:
            bound.meta.update(start=token.start, end=max(token.end, self._prev.end if self._prev else 0))
        return bound

    def _parse_bound_value(self) -> str | exp.Expr | None:
        if self._match_text_seq("UNBOUNDED"):
            return "UNBOUNDED"
        if self._match_text_seq("CURRENT", "ROW") or self._match_text_seq("CURRENT_ROW"):
            return "CURRENT ROW"
        if self._match(TokenType.NUMBER):
            return exp.Literal.number(self._prev.text)
        return self._parse_bitwise()

    def _parse_bound_unit(self) -> str | None:
        """A unit stands directly behind its number: ``3d``, not ``3 d``."""
        number, unit = self._prev, self._curr
        if not (number and unit and number.token_type == TokenType.NUMBER and self._is_connected()):
            return None
        if unit.text.lower() not in UNITS:
            self.raise_error(f"unknown time unit {unit.text!r} (use {', '.join(UNITS)})")
        self._advance()
        return unit.text.lower()

    def _parse_window_attribute(self, args: dict[str, Any]) -> bool:
        if self._match_text_seq("MAXSIZE"):
            value = self._parse_number()
            if value is None:
                self.raise_error("MAXSIZE needs a whole number of rows")
            args["maxsize"] = value
        elif self._match_text_seq("INSTANCE_NOT_IN_WINDOW"):
            args["instance_not_in_window"] = True
        elif self._match_text_seq("EXCLUDE"):
            if self._match_text_seq("CURRENT_ROW") or self._match_text_seq("CURRENT", "ROW"):
                args["exclude_current_row"] = True
            elif self._match_text_seq("CURRENT_TIME"):
                args["exclude_current_time"] = True
            else:
                self.raise_error("EXCLUDE is followed by CURRENT_ROW or CURRENT_TIME")
        else:
            return False
        return True


class FeatureDialect(DuckDB):
    """sqlglot dialect of feature queries."""

    Parser = FeatureParser
    #: Indexes stay as they are written; sqlglot would count from 0, and only those whose type it sees.
    INDEX_OFFSET = 0


def parse(
    text: str,
    dialect: FeatureDialect | None = None,
    parser: type[FeatureParser] = FeatureParser,
    read: Callable[[list[Token]], list[Token]] = list,
) -> exp.Expr:
    """Parse one query.

    Parameters
    ----------
    text
        The query.
    dialect, parser
        Another dialect's, which build on these.
    read
        What becomes of the text's tokens before they are parsed.

    Raises
    ------
    DefinitionError
        With the position, when the text is not one SELECT statement of the dialect.
    """
    dialect = dialect or FeatureDialect()
    try:
        tokens = _spelled_out(read(dialect.tokenize(text)))
        _refuse_statements(tokens, text)
        statements = parser(dialect=dialect, error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    except TokenError as error:
        raise _unclosed(error, text) from None
    except ParseError as error:
        raise _syntax_error(error, text) from None
    except RecursionError:
        raise DefinitionError(
            "the query is nested too deeply", hint="split it into named subqueries (WITH)"
        ) from None
    return next(statement for statement in statements if statement is not None)


def _spelled_out(tokens: list[Token]) -> list[Token]:
    """The tokens with IS NULL and IS NOT NULL in the place of ISNULL and NOTNULL."""
    words = {
        TokenType.ISNULL: (TokenType.IS, TokenType.NULL),
        TokenType.NOTNULL: (TokenType.IS, TokenType.NOT, TokenType.NULL),
    }
    spelled = []
    for token in tokens:
        kinds = words.get(token.token_type, ())
        place = (token.line, token.col, token.start, token.end, token.comments)
        spelled += [Token(kind, kind.name, *place) for kind in kinds] or [token]
    return spelled


def _refuse_statements(tokens: list[Token], text: str) -> None:
    """Only one SELECT is a feature query: say so before the parser makes something of another statement."""
    if all(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise DefinitionError(
            "the query is empty", hint="write SELECT ... FROM table", position=Position(1, 1), source=text
        )
    first = tokens[0]
    if first.token_type not in (TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.L_PAREN):
        word = first.text.split()[0].upper() if first.text.strip() else text[first.start]
        raise DefinitionError(
            f"a feature view is one SELECT; {word} is not allowed here",
            hint=did_you_mean(word, ["SELECT", "WITH"])
            or "tables are created and filled through project.create_table and table.append",
            position=position_at(text, first.start, len(word)),
            source=text,
        )
    for end, after in itertools.pairwise(tokens):
        if end.token_type == TokenType.SEMICOLON and after.token_type != TokenType.SEMICOLON:
            raise DefinitionError(
                "a feature view is one statement",
                hint="remove everything after the first semicolon",
                position=position_at(text, after.start, len(after.text)),
                source=text,
            )


def _unclosed(error: TokenError, text: str) -> DefinitionError:
    """The error of a text that the tokenizer cannot read to its end."""
    comment = text.rfind("/*")
    if comment > text.rfind("*/"):
        return DefinitionError(
            "the comment /* is not closed", position=position_at(text, comment, 2), source=text
        )
    found = re.search(r"Missing (\S+) from", str(error.__cause__))
    quote = found.group(1) if found else "'"
    place = text.rfind(quote)
    while place > 0 and not _readable(text[:place]):  # a quote inside the unclosed text
        place = text.rfind(quote, 0, place)
    return DefinitionError(
        f"the quote {quote} is not closed", position=position_at(text, max(place, 0), 1), source=text
    )


def _readable(text: str) -> bool:
    try:
        FeatureDialect().tokenize(text)
    except TokenError:
        return False
    return True


def _syntax_error(error: ParseError, text: str) -> DefinitionError:
    detail = error.errors[0] if error.errors else {}
    highlight = detail.get("highlight") or ""
    line, column = detail.get("line") or 1, (detail.get("col") or 1) - max(len(highlight), 1) + 1
    message = (detail.get("description") or "syntax error").rstrip(".")
    if message.startswith("Invalid expression / Unexpected token"):
        message = f"unexpected {highlight!r}" if highlight else "the query ends unexpectedly"
    elif message.startswith("Expecting "):
        message = f"expected {message.removeprefix('Expecting ')!r} before {highlight or 'the end'!r}"
    position = Position(line, max(column, 1), max(len(highlight), 1))
    return DefinitionError(message, position=position, source=text)


def position_of(node: exp.Expr, text: str, word: str | None = None) -> Position | None:
    """Return where ``node`` stands in ``text``: its own place, or that of the leftmost placed node below it.

    Clauses carry no place of their own: ``word`` is the keyword to point at instead. It is the nearest one before the
    node, or inside it when there is none before.
    """
    spans = [(n.meta["start"], n.meta.get("end", n.meta["start"])) for n in node.walk() if "start" in n.meta]
    if not spans:
        return position_of(node.parent, text, word) if node.parent is not None else None
    own = node.meta
    start, end = (own["start"], own.get("end", own["start"])) if "start" in own else min(spans)
    if isinstance(node, exp.Column):
        end = max(end for _, end in spans)
    if word is not None:
        places = [t.start for t in FeatureDialect().tokenize(text) if t.text.upper().startswith(word)]
        before, after = [p for p in places if p < start], [p for p in places if p >= start]
        if before or after:
            return position_at(text, max(before) if before else min(after), len(word))
    return position_at(text, start, end - start + 1)


def position_at(text: str, start: int, length: int) -> Position:
    """Return the position of ``length`` characters from the offset ``start``."""
    return Position(text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start), max(1, length))


__all__ = ["UNITS", "Bound", "FeatureWindowBody", "LastJoin", "parse", "position_of"]
