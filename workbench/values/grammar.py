"""The grammar of DuckDB's type names.

A type is written everywhere as DuckDB writes it (``BIGINT``, ``DECIMAL(18,3)``, ``STRUCT(a INTEGER)[]``). Users may
write any spelling that DuckDB knows (``int8``, ``text``, ``numeric(18, 3)``); :func:`canonical` gives the one form
that is stored and compared, and :func:`parse` the tree for code that must look inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workbench.errors import WorkbenchError, did_you_mean


@dataclass(frozen=True)
class Scalar:
    """A type without parameters, such as ``BIGINT``."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Decimal:
    """``DECIMAL(precision,scale)``."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"DECIMAL({self.precision},{self.scale})"


@dataclass(frozen=True)
class List:
    """``item[]``, or ``item[size]`` where every value has the same length."""

    item: Type
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.item}[{'' if self.size is None else self.size}]"


@dataclass(frozen=True)
class Struct:
    """``STRUCT(name type, …)``."""

    fields: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return "STRUCT(" + ", ".join(f"{_quoted(name)} {item}" for name, item in self.fields) + ")"


@dataclass(frozen=True)
class Map:
    """``MAP(key, value)``."""

    key: Type
    value: Type

    def __str__(self) -> str:
        return f"MAP({self.key}, {self.value})"


@dataclass(frozen=True)
class Enum:
    """``ENUM('a', 'b')``."""

    labels: tuple[str, ...]

    def __str__(self) -> str:
        return "ENUM(" + ", ".join("'" + label.replace("'", "''") + "'" for label in self.labels) + ")"


Type = Scalar | Decimal | List | Struct | Map | Enum

_ALIASES: dict[str, str] = {
    **dict.fromkeys(("tinyint", "int1"), "TINYINT"),
    **dict.fromkeys(("smallint", "int2", "int16", "short"), "SMALLINT"),
    **dict.fromkeys(("integer", "int", "int4", "int32", "integral", "signed"), "INTEGER"),
    **dict.fromkeys(("bigint", "int8", "int64", "long", "oid"), "BIGINT"),
    **dict.fromkeys(("hugeint", "int128"), "HUGEINT"),
    **dict.fromkeys(("utinyint", "uint8"), "UTINYINT"),
    **dict.fromkeys(("usmallint", "uint16"), "USMALLINT"),
    **dict.fromkeys(("uinteger", "uint32"), "UINTEGER"),
    **dict.fromkeys(("ubigint", "uint64"), "UBIGINT"),
    **dict.fromkeys(("uhugeint", "uint128"), "UHUGEINT"),
    **dict.fromkeys(("double", "double precision", "float8"), "DOUBLE"),
    **dict.fromkeys(("float", "float4", "real"), "FLOAT"),
    **dict.fromkeys(
        ("varchar", "char", "bpchar", "nvarchar", "text", "string", "character varying"), "VARCHAR"
    ),
    **dict.fromkeys(("blob", "bytea", "binary", "varbinary"), "BLOB"),
    **dict.fromkeys(("boolean", "bool", "logical"), "BOOLEAN"),
    "date": "DATE",
    **dict.fromkeys(("time", "time without time zone"), "TIME"),
    "time_ns": "TIME_NS",
    **dict.fromkeys(("timestamp", "datetime", "timestamp_us", "timestamp without time zone"), "TIMESTAMP"),
    "timestamp_s": "TIMESTAMP_S",
    "timestamp_ms": "TIMESTAMP_MS",
    "timestamp_ns": "TIMESTAMP_NS",
    **dict.fromkeys(("timestamptz", "timestamp with time zone"), "TIMESTAMP WITH TIME ZONE"),
    "interval": "INTERVAL",
    **dict.fromkeys(("uuid", "guid"), "UUID"),
    "json": "JSON",
}
_DECIMALS = ("decimal", "numeric", "dec")
_NESTED = ("struct", "map", "enum", "list")
_REFUSED = {
    "union": "give every alternative a column of its own",
    "bit": "store it as BLOB or VARCHAR",
    "bitstring": "store it as BLOB or VARCHAR",
    "bignum": "use HUGEINT, DECIMAL(38,0) or VARCHAR",
    "varint": "use HUGEINT, DECIMAL(38,0) or VARCHAR",
    "geometry": "store it as BLOB or VARCHAR",
    "variant": "store it as VARCHAR, or as a STRUCT",
    "timetz": "use TIME (in UTC) or TIMESTAMP",
    "time with time zone": "use TIME (in UTC) or TIMESTAMP",
}
_TIMESTAMP_DIGITS = {0: "TIMESTAMP_S", 3: "TIMESTAMP_MS", 6: "TIMESTAMP", 9: "TIMESTAMP_NS"}
_PHRASES = (
    "double precision",
    "character varying",
    "timestamp with time zone",
    "timestamp without time zone",
    "time with time zone",
    "time without time zone",
)


@lru_cache(maxsize=4096)
def canonical(type_text: str) -> str:
    """Return the one spelling of a DuckDB type.

    Raises
    ------
    WorkbenchError
        The type is unknown or cannot be used here.

    >>> canonical("numeric(18, 3)"), canonical("int8[]")
    ('DECIMAL(18,3)', 'BIGINT[]')
    """
    return str(parse(type_text))


@lru_cache(maxsize=4096)
def parse(type_text: str) -> Type:
    """Return the tree of a type written in any of DuckDB's spellings."""
    return _Parser(type_text).parse()


_TOKEN = re.compile(
    r"""\s*(?: (?P<quoted>"(?:[^"]|"")*") | (?P<label>'(?:[^']|'')*') | (?P<number>\d+)
            | (?P<word>[^\W\d]\w*) | (?P<mark>[(),\[\]]) )""",
    re.VERBOSE,
)


class _Parser:
    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise WorkbenchError(f"a column type is text such as 'BIGINT', not {text!r}")
        self.text = text
        self.tokens = list(self._tokens())
        self.at = 0

    def parse(self) -> Type:
        node = self._type()
        if self.at < len(self.tokens):
            self._fail(f"unexpected {self.tokens[self.at][1]!r}")
        return node

    def _tokens(self) -> Iterator[tuple[str, str]]:
        text, at = self.text.rstrip(), 0
        while at < len(text):
            match = _TOKEN.match(text, at) or self._fail(f"unexpected {text[at:].strip()[:1]!r}")
            kind = str(match.lastgroup)
            yield kind, match[kind]
            at = match.end()

    def _type(self) -> Type:
        kind, word = self._next()
        if kind not in ("word", "quoted"):
            self._fail(f"expected the name of a type, got {word!r}")
        name = word.strip('"').lower()
        name = self._phrase(name)
        node = self._named(name)
        while self._peek("[") or self._peek_word("array"):
            node = self._list_of(node)
        return node

    def _named(self, name: str) -> Type:
        if name in ("struct", "row"):
            return Struct(self._fields())
        if name == "map":
            key, value = self._arguments(self._type)
            return Map(key, value)
        if name == "enum":
            return Enum(tuple(self._arguments(self._label, count=None)))
        if name in _DECIMALS:
            return self._decimal()
        if name in ("timestamp", "datetime") and self._peek("("):
            (digits,) = self._arguments(self._number, count=1)
            return Scalar(_TIMESTAMP_DIGITS.get(digits) or self._fail("TIMESTAMP takes 0, 3, 6 or 9 digits"))
        if name in _REFUSED:
            raise WorkbenchError(f"columns of type {name.upper()} are not supported", hint=_REFUSED[name])
        if name not in _ALIASES:
            hint = did_you_mean(name, (*_ALIASES, *_DECIMALS, *_NESTED))
            raise WorkbenchError(f"unknown column type {self.text.strip()!r}", hint=hint or _TYPES_HINT)
        resolved = _ALIASES[name]
        if resolved == "VARCHAR" and self._peek("("):
            self._arguments(self._number, count=1)  # a length is allowed and, as in DuckDB, means nothing
        return Scalar(resolved)

    def _phrase(self, name: str) -> str:
        """Join the words of names such as DOUBLE PRECISION."""
        for phrase in _PHRASES:
            words = phrase.split()
            ahead = [word.lower() for _, word in self.tokens[self.at : self.at + len(words) - 1]]
            if [name, *ahead] == words:
                self.at += len(words) - 1
                return phrase
        return name

    def _decimal(self) -> Decimal:
        digits = self._arguments(self._number, count=None) if self._peek("(") else [18, 3]
        precision, scale = (*digits, 0)[:2]
        if len(digits) > 2 or not 1 <= precision <= 38 or scale > precision:
            self._fail("DECIMAL(p,s) needs 1 <= p <= 38 and 0 <= s <= p")
        return Decimal(precision, scale)

    def _fields(self) -> tuple[tuple[str, Type], ...]:
        def field() -> tuple[str, Type]:
            kind, word = self._next()
            if kind not in ("word", "quoted"):
                self._fail(f"expected a field name, got {word!r}")
            return (word[1:-1].replace('""', '"') if kind == "quoted" else word), self._type()

        fields = tuple(self._arguments(field, count=None))
        if len({name.casefold() for name, _ in fields}) < len(fields):
            self._fail("field names must differ (case does not count)")
        return fields

    def _list_of(self, item: Type) -> List:
        if self._peek_word("array"):
            self.at += 1
            if not self._peek("["):
                return List(item)
        self._expect("[")
        size = None if self._peek("]") else self._number()
        self._expect("]")
        if size == 0:
            self._fail("the size of an array is at least 1")
        return List(item, size)

    def _arguments(self, one: Any, count: int | None = 2) -> list[Any]:
        self._expect("(")
        items = [one()]
        while self._peek(","):
            self.at += 1
            items.append(one())
        self._expect(")")
        if count is not None and len(items) != count:
            self._fail(f"expected {count} parameters, got {len(items)}")
        return items

    def _label(self) -> str:
        kind, word = self._next()
        return (
            word[1:-1].replace("''", "'")
            if kind == "label"
            else self._fail(f"expected a label, got {word!r}")
        )

    def _number(self) -> int:
        kind, word = self._next()
        return int(word) if kind == "number" else self._fail(f"expected a number, got {word!r}")

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            self._fail("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _peek(self, mark: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] == ("mark", mark)

    def _peek_word(self, word: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][1].lower() == word

    def _expect(self, mark: str) -> None:
        kind, word = self._next()
        if (kind, word) != ("mark", mark):
            self._fail(f"expected {mark!r}, got {word!r}")

    def _fail(self, reason: str) -> Any:
        raise WorkbenchError(f"cannot read the column type {self.text!r}: {reason}", hint=_TYPES_HINT)


_TYPES_HINT = "types are DuckDB's, such as BIGINT, DOUBLE, VARCHAR, TIMESTAMP, DECIMAL(18,3), VARCHAR[]"


def _quoted(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _keywords()
    return name if plain else '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=1)
def _keywords() -> frozenset[str]:
    import duckdb  # only types with field names ask, so that the others do not pay for the import

    with duckdb.connect() as connection:
        rows = connection.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
    return frozenset(word for (word,) in rows)
