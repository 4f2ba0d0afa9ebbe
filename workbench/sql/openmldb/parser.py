"""OpenMLDB's spelling: strings in either quote, names in backticks, its operators, suffixes of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.tokenizer_core import Token, TokenType

from workbench.errors import DefinitionError
from workbench.sql.dialect import FeatureDialect, FeatureParser, LastJoin, parse, position_at

#: Names that are types in other dialects, and functions here when a parenthesis follows.
_TYPE_CALLS = frozenset(
    [
        *("bool", "smallint", "int", "int16", "int32", "int64", "bigint", "float", "double", "string"),
        *("varchar", "date", "timestamp", "char", "map", "array"),
    ]
)
_TYPES = {"int16": TokenType.SMALLINT, "int32": TokenType.INT, "int64": TokenType.BIGINT}


class OpenMLDBParser(FeatureParser):
    """The workbench's parser with OpenMLDB's operators."""

    CONJUNCTION: ClassVar[dict[Any, Any]] = {
        **FeatureParser.CONJUNCTION,
        TokenType.DAMP: exp.And,
        TokenType.XOR: exp.Xor,
    }
    RANGE_PARSERS: ClassVar[dict[Any, Any]] = {
        kind: parser for kind, parser in FeatureParser.RANGE_PARSERS.items() if kind != TokenType.DAMP
    }
    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: parser for name, parser in FeatureParser.NO_PAREN_FUNCTION_PARSERS.items() if name != "MAP"
    }
    EXPONENT: ClassVar[dict[Any, Any]] = {}
    BITWISE: ClassVar[dict[Any, Any]] = {**FeatureParser.BITWISE, TokenType.CARET: exp.BitwiseXor}
    FACTOR: ClassVar[dict[Any, Any]] = {**FeatureParser.FACTOR, TokenType.MOD: exp.Mod}

    def _parse_join(
        self, skip_join_token: bool = False, parse_bracket: bool = False, alias_tokens: Any = None
    ) -> exp.Join | None:
        """A LEFT JOIN is read as what it is a step to: at most one row, with NULLs where there is none."""
        start = self._curr
        join = super()._parse_join(skip_join_token, parse_bracket, alias_tokens)
        if join is None or isinstance(join, LastJoin) or join.side != "LEFT" or not join.args.get("on"):
            return join
        found = LastJoin(this=join.this, kind="LAST", on=join.args["on"])
        if start:
            found.meta.update(start=start.start, end=start.end, left=True)
        return found


class OpenMLDBDialect(FeatureDialect):
    """sqlglot dialect of OpenMLDB's feature queries."""

    Parser = OpenMLDBParser

    class Tokenizer(DuckDB.Tokenizer):
        QUOTES: ClassVar[list[Any]] = ["'", '"']
        IDENTIFIERS: ClassVar[list[Any]] = ["`"]
        STRING_ESCAPES: ClassVar[list[str]] = ["\\"]
        NUMERIC_LITERALS: ClassVar[dict[str, str]] = {"L": "BIGINT", "F": "FLOAT"}
        KEYWORDS: ClassVar[dict[str, Any]] = {
            **{word: kind for word, kind in DuckDB.Tokenizer.KEYWORDS.items() if word not in ("//", "**")},
            "==": TokenType.EQ,
            "DIV": TokenType.DIV,
            "MOD": TokenType.MOD,
            "XOR": TokenType.XOR,
            "RLIKE": TokenType.RLIKE,
        }


def parse_openmldb(text: str) -> exp.Expr:
    """Parse one query of OpenMLDB; its parameters ``?`` get the names ``p1``, ``p2`` and so on.

    Raises
    ------
    DefinitionError
        With the position, when the text is not one SELECT statement.
    """
    query = parse(text, OpenMLDBDialect(), OpenMLDBParser, lambda tokens: list(_read(tokens, text)))
    nodes = list(query.find_all(exp.Placeholder, exp.Parameter))
    for number, node in enumerate(sorted(nodes, key=lambda node: node.meta.get("start", 0)), start=1):
        node.meta["parameter"] = True
        if not node.this:
            node.set("this", f"p{number}")
    return query


def _read(tokens: list[Token], text: str) -> Iterator[Token]:
    """The tokens without CONFIG, and with type names before a parenthesis as names of functions."""
    skip = 0
    for place, token in enumerate(tokens):
        if skip:
            skip -= 1
            continue
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        before = tokens[place - 1] if place else None
        called = following is not None and following.token_type == TokenType.L_PAREN
        word = token.text.casefold()
        if word == "config" and called and _depth(tokens[:place]) == 0:
            skip = _config(tokens[place:], text)
            continue
        cast = before is not None and before.token_type == TokenType.ALIAS
        if (word in _TYPE_CALLS and called and not cast) or (word in ("mod", "isnull") and called):
            yield _renamed(token, TokenType.VAR, token.text)
        elif word in _TYPES and cast:
            yield _renamed(token, _TYPES[word], token.text)
        else:
            yield token


def _depth(tokens: list[Token]) -> int:
    opened = sum(token.token_type == TokenType.L_PAREN for token in tokens)
    return opened - sum(token.token_type == TokenType.R_PAREN for token in tokens)


def _config(tokens: list[Token], text: str) -> int:
    """How many tokens follow CONFIG in its parentheses; its request rows are given otherwise here."""
    count = next(n for n in range(2, len(tokens)) if _depth(tokens[: n + 1]) == 0)
    if any(token.text.casefold() == "values" for token in tokens[:count]):
        raise DefinitionError(
            "CONFIG (values = ...) asks the query for a row, which is no part of a view",
            hint="define the view without it, then view.request({column: value, ...})",
            position=position_at(text, tokens[0].start, len(tokens[0].text)),
            source=text,
        )
    return count


def _renamed(token: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, token.line, token.col, token.start, token.end, token.comments)
