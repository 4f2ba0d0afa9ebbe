"""DuckDB text of a plan as expressions: arithmetic, comparisons, CASE, casts, calls. Lambdas stay text."""

from __future__ import annotations

import functools
import re
from typing import NoReturn

from workbench.plan.expr import Call, Expr, Literal, Op, Sql
from workbench.values.types import canonical

_TOKEN = re.compile(
    r"\s*(?:(?P<arg>\{\d+\})|(?P<number>\d+\.\d+|\d+)|(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<symbol>\|\||<=|>=|<>|!=|//|\*\*|::|[-+*/%=<>(),\[\]:]))"
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("=", "<>", "!=", "<", "<=", ">", ">="),
    ("||",),
    ("+", "-"),
    ("*", "/", "//", "%"),
    ("**",),
)
_NULL = Literal("NULL", "INTEGER")


class NotPlain(Exception):
    """Text that is more than operators and calls, such as lambdas."""


@functools.lru_cache(maxsize=4096)
def parsed(sql: Sql) -> Expr:
    """Return what the text of a plan says as operators and calls; their types are left open, but for the outermost.

    Raises
    ------
    NotPlain
        When the text is more than that.
    """
    found = _Parser(sql).whole()
    if isinstance(found, Call):
        return Call(found.name, found.args, sql.type)
    if isinstance(found, Op) and found.op not in ("cast", "try_cast"):
        return Op(found.op, found.args, sql.type)
    return found


class _Parser:
    def __init__(self, sql: Sql) -> None:
        self.sql = sql
        self.tokens: list[tuple[str, str]] = []
        place, text = 0, sql.template.rstrip()
        while place < len(text):
            token = _TOKEN.match(text, place)
            if token is None or token.lastgroup is None:
                self.fail()
            self.tokens.append((token.lastgroup, token[token.lastgroup]))
            place = token.end()
        self.place = 0

    def fail(self) -> NoReturn:
        text = self.sql.template
        raise NotPlain(f"the text {text if len(text) < 60 else text[:57] + '...'} is not compiled")

    # -- tokens

    def peek(self) -> str:
        return self.tokens[self.place][1] if self.place < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.place >= len(self.tokens):
            self.fail()
        self.place += 1
        return self.tokens[self.place - 1]

    def accept(self, *words: str) -> bool:
        following = [text.upper() for _, text in self.tokens[self.place : self.place + len(words)]]
        if following != list(words):
            return False
        self.place += len(words)
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            self.fail()

    # -- grammar

    def whole(self) -> Expr:
        found = self.disjunction()
        if self.place != len(self.tokens):
            self.fail()
        return found

    def disjunction(self) -> Expr:
        left = self.conjunction()
        while self.accept("OR"):
            left = Op("or", (left, self.conjunction()), "")
        return left

    def conjunction(self) -> Expr:
        left = self.negation()
        while self.accept("AND"):
            left = Op("and", (left, self.negation()), "")
        return left

    def negation(self) -> Expr:
        return Op("not", (self.negation(),), "") if self.accept("NOT") else self.test()

    def test(self) -> Expr:
        left = self.binary(0)
        while True:
            if self.accept("IS", "NOT", "NULL"):
                left = Op("not", (Op("is null", (left,), ""),), "")
            elif self.accept("IS", "NULL"):
                left = Op("is null", (left,), "")
            elif self.accept("BETWEEN"):
                low = self.binary(1)
                self.expect("AND")
                left = Op("between", (left, low, self.binary(1)), "")
            elif self.accept("IN", "("):
                left = Op("in", (left, *self.arguments(")")), "")
            elif self.accept("LIKE"):
                left = Op("like", (left, self.binary(1)), "")
            else:
                return left

    def binary(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in _LEVELS[level]:
            op = self.take()[1]
            left = Op("<>" if op == "!=" else op, (left, self.binary(level + 1)), "")
        return left

    def unary(self) -> Expr:
        if not self.accept("-"):
            return self.suffixed()
        inner = self.unary()
        if isinstance(inner, Literal) and inner.sql[0].isdigit():
            return Literal(f"-{inner.sql}", inner.type)
        return Op("negate", (inner,), "")

    def suffixed(self) -> Expr:
        value = self.primary()
        while True:
            if self.accept("["):
                index = self.binary(0)
                if not self.accept("]"):
                    self.fail()
                value = Op("index", (value, index), "")
            elif self.accept("::"):
                value = Op("cast", (value,), self.type_name())
            else:
                return value

    def primary(self) -> Expr:
        kind, text = self.take()
        if kind == "arg":
            return self.sql.args[int(text[1:-1])]
        if kind == "number":
            return _number(text)
        if kind == "text":
            return Literal(text, "VARCHAR")
        if text == "(":
            inner = self.disjunction()
            self.expect(")")
            return inner
        if kind != "word":
            self.fail()
        return self.worded(text)

    def worded(self, text: str) -> Expr:
        upper = text.upper()
        if upper == "CASE":
            return self.case()
        if upper in ("CAST", "TRY_CAST"):
            self.expect("(")
            value = self.disjunction()
            self.expect("AS")
            kind = self.type_name()
            self.expect(")")
            return Op(upper.lower(), (value,), kind)
        if upper == "NULL":
            return _NULL
        if upper in ("INTERVAL", "DATE", "TIMESTAMP") and self.place < len(self.tokens):
            kind, constant = self.tokens[self.place]
            if kind == "text":
                self.place += 1
                return Literal(f"{upper} {constant}", upper)
        if upper in ("TRUE", "FALSE"):
            return Literal(text.lower(), "BOOLEAN")
        if not self.accept("("):
            self.fail()
        return Call(text.lower(), tuple(self.arguments(")")), "")

    def case(self) -> Expr:
        parts: list[Expr] = []
        while self.accept("WHEN"):
            parts.append(self.disjunction())
            self.expect("THEN")
            parts.append(self.disjunction())
        parts.append(self.disjunction() if self.accept("ELSE") else _NULL)
        self.expect("END")
        if len(parts) == 1:
            self.fail()
        return Op("case", tuple(parts), "")

    def arguments(self, end: str) -> list[Expr]:
        found: list[Expr] = []
        if self.accept(end):
            return found
        found.append(self.disjunction())
        while self.accept(","):
            found.append(self.disjunction())
        self.expect(end)
        return found

    def type_name(self) -> str:
        kind, text = self.take()
        if kind != "word":
            self.fail()
        if self.accept("("):
            precision = self.take()[1]
            self.expect(",")
            text = f"{text}({precision},{self.take()[1]})"
            self.expect(")")
        return canonical(text)


def _number(text: str) -> Literal:
    if "." in text:
        whole, fraction = text.split(".")
        digits = len(whole.lstrip("0")) + len(fraction)
        return Literal(text, f"DECIMAL({max(digits, 1)},{len(fraction)})")
    number = int(text)
    return Literal(text, "INTEGER" if number < 2**31 else "BIGINT" if number < 2**63 else "HUGEINT")
