"""A script of OpenMLDB statements read into what a project does: tables, rows, files to load and views."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from workbench.errors import DefinitionError, Position, WorkbenchError
from workbench.sql.openmldb.parser import OpenMLDBDialect
from workbench.sql.openmldb.types import INTEGERS, TYPES
from workbench.sql.openmldb.words import Words
from workbench.values.names import unused

COLUMN_TYPES = {**TYPES, "integer": "INTEGER"}
_ZONE = timedelta(hours=8)
_UNITS = {"m": "m", "h": "h", "d": "d", "s": "s"}
#: Statements that only print something.
_SHOWN = frozenset({"SHOW", "DESC", "DESCRIBE", "EXPLAIN"})


@dataclass
class Statement:
    """One statement of a script: its line and its text; ``notes`` say what differs here."""

    line: int
    text: str
    notes: list[str] = field(default_factory=list)


@dataclass
class Ignored(Statement):
    """A statement without a meaning here; its note says why."""


@dataclass
class Refused(Statement):
    """A statement that cannot be carried out."""

    reason: str = ""
    hint: str | None = None


@dataclass
class CreateTable(Statement):
    """CREATE TABLE; ``time`` is the TS of its first index with a TIMESTAMP."""

    name: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    time: str | None = None
    ttl: str | None = None
    skip: bool = False


@dataclass
class LoadData(Statement):
    """LOAD DATA INFILE."""

    table: str = ""
    path: str = ""
    options: dict[str, str] = field(default_factory=dict)


@dataclass
class Insert(Statement):
    """INSERT INTO ... VALUES; ``columns`` is empty where the statement names none."""

    table: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)


@dataclass
class DefineView(Statement):
    """DEPLOY or a SELECT of its own; ``query`` stands at ``start`` of the script."""

    name: str = ""
    query: str = ""
    start: Position = field(default_factory=lambda: Position(1, 1))
    deployed: bool = False


def read_script(text: str) -> list[Statement]:
    """Return the statements of a script.

    Parameters
    ----------
    text
        The script; statements end with a semicolon.

    Raises
    ------
    DefinitionError
        When the text cannot be read to its end.

    Examples
    --------
    >>> [type(s).__name__ for s in read_script("USE d; SET @@execute_mode='offline'; SHOW TABLES;")]
    ['Ignored', 'Ignored', 'Ignored']
    """
    try:
        tokens = OpenMLDBDialect().tokenize(text)
    except TokenError as error:
        raise DefinitionError(f"the script cannot be read: {str(error).splitlines()[0]}") from None
    reader = _Reader(text)
    statements = [reader.statement(part) for part in _parts(tokens)]
    for statement in statements:
        if isinstance(statement, CreateTable) and statement.time is None:
            _time_of_queries(statement, [s.query for s in statements if isinstance(s, DefineView)])
    return statements


def _time_of_queries(made: CreateTable, queries: list[str]) -> None:
    """A table without a TS has the one TIMESTAMP that the queries on it are ordered by as its time."""
    mine = [query for query in queries if re.search(rf"\b{re.escape(made.name)}\b", query, re.IGNORECASE)]
    ordered = re.compile(r"\border\s+by\s+(?:`?\w+`?\.)*`?(\w+)`?", re.IGNORECASE)
    names = {name.casefold() for query in mine for name in ordered.findall(query)}
    times = [name for name, kind in made.columns.items() if kind == "TIMESTAMP" and name.casefold() in names]
    if len(times) == 1:
        made.time = times[0]
        made.notes = [note for note in made.notes if "by arrival" not in note]
        made.notes.append(f"its time is {times[0]}, which the script's queries are ordered by")


def _parts(tokens: list[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if part:
                yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.database: str | None = None
        self.tables: dict[str, str | None] = {}
        self.names: set[str] = set()

    def statement(self, tokens: list[Token]) -> Statement:
        text = self.text[tokens[0].start : tokens[-1].end + 1]
        words = Words(tokens, self.text)
        base = Statement(self.text.count("\n", 0, tokens[0].start) + 1, text)
        try:
            return self._read(words, base)
        except WorkbenchError as error:
            return Refused(base.line, text, reason=error.message, hint=error.hint)

    def _read(self, words: Words, base: Statement) -> Statement:
        line, text = base.line, base.text
        if words.take("USE"):
            self.database = words.name()
            return Ignored(line, text, [f"tables of {self.database} are tables of the project"])
        if words.take("CREATE", "DATABASE"):
            return Ignored(line, text, ["a project is the database"])
        if words.take("CREATE", "TABLE"):
            return self._create(words, base)
        if words.take("CREATE", "INDEX"):
            return Ignored(
                line, text, ["indexes follow from the queries; TTL is set where the table is created"]
            )
        if words.take("LOAD", "DATA"):
            return self._load(words, base)
        if words.take("SET"):
            return Ignored(line, text, ["nothing here depends on session variables"])
        if words.take("INSERT"):
            return self._insert(words, base)
        if words.take("DEPLOY"):
            return self._deploy(words, base)
        if words.peek() in ("SELECT", "WITH"):
            return self._select(words, base)
        if words.peek() in _SHOWN:
            return Ignored(line, text, ["it only prints something"])
        words.fail(f"{words.peek()} has no counterpart here", _hint(text))

    def _table(self, words: Words) -> str:
        """A table's name: ``db.t`` is ``t``, or ``db_t`` where another database has a ``t`` too."""
        name, database = words.name(), self.database
        if words.take("."):
            database, name = name, words.name()
        known = self.tables.setdefault(name.casefold(), database)
        folded = (database or "").casefold()
        return name if known is None or known.casefold() == folded else f"{database}_{name}"

    # -- CREATE TABLE

    def _create(self, words: Words, base: Statement) -> Statement:
        skip = words.take("IF", "NOT", "EXISTS")
        made = CreateTable(base.line, base.text, name=self._table(words), skip=skip)
        if words.take("LIKE"):
            words.fail(
                "CREATE TABLE ... LIKE reads another system",
                "create the table from the file: project.create_table(name, path, time=...)",
            )
        words.need("(")
        indexes = []
        while True:
            if words.take("INDEX"):
                indexes.append(self._index(words))
            else:
                name, kind = words.name(), words.name().casefold()
                if kind not in COLUMN_TYPES:
                    words.fail(f"column {name} has the type {kind.upper()}, which a table here cannot have")
                if words.take("("):
                    words.skip_to_close()
                made.columns[name] = COLUMN_TYPES[kind]
                _column_options(words, made)
            if words.take(")"):
                break
            words.need(",")
        if words.take("OPTIONS"):
            made.notes.append("OPTIONS are about a cluster's partitions and storage")
        _times(made, indexes)
        return made

    def _index(self, words: Words) -> dict[str, list[str]]:
        """``KEY=(a, b), TS=c, TTL=30d, TTL_TYPE=absolute`` as words by name."""
        words.need("(")
        found: dict[str, list[str]] = {}
        while not words.take(")"):
            name = words.name().casefold()
            words.need("=")
            if words.take("("):
                found[name] = words.until_close()
            else:
                found[name] = [words.value()]
            words.take(",")
        return found

    # -- rows

    def _load(self, words: Words, base: Statement) -> Statement:
        words.need("INFILE")
        path = words.value()
        words.need("INTO")
        words.need("TABLE")
        loaded = LoadData(base.line, base.text, table=self._table(words), path=path)
        if words.take("OPTIONS"):
            loaded.options = words.options()
        if loaded.options.get("mode", "append").casefold() == "overwrite":
            words.fail("mode='overwrite' would drop rows that are there", "create the table anew, or append")
        for name in sorted(set(loaded.options) - _LOAD_OPTIONS - _LOAD_IGNORED):
            words.fail(
                f"LOAD DATA has no option {name!r} here", f"options: {', '.join(sorted(_LOAD_OPTIONS))}"
            )
        return loaded

    def _insert(self, words: Words, base: Statement) -> Statement:
        words.take("OR", "IGNORE")
        words.need("INTO")
        made = Insert(base.line, base.text, table=self._table(words))
        if words.take("("):
            made.columns = [word for word in words.until_close() if word != ","]
        if not words.take("VALUES") and not words.take("VALUE"):
            words.fail("INSERT takes VALUES here", "LOAD DATA, or table.append(rows)")
        while words.take("("):
            made.rows.append(words.literals())
            words.take(",")
        return made

    # -- queries

    def _deploy(self, words: Words, base: Statement) -> Statement:
        words.take("IF", "NOT", "EXISTS")
        name = words.name()
        notes = []
        if words.take("OPTIONS"):
            given = ", ".join(sorted(words.options()))
            notes.append(
                f"OPTIONS ({given}) are about pre-aggregation and TTL, which follow from the query here"
            )
        return self._view(words, base, name, True, notes)

    def _select(self, words: Words, base: Statement) -> Statement:
        return self._view(words, base, "", False, [])

    def _view(self, words: Words, base: Statement, name: str, deployed: bool, notes: list[str]) -> DefineView:
        query, start, path = words.rest(), words.position(), None
        outfile = re.search(r"\bINTO\s+OUTFILE\s+(['\"])(.*?)\1.*", query, re.IGNORECASE | re.DOTALL)
        if outfile:
            query, path = query[: outfile.start()].rstrip(), outfile.group(2)
            notes.append(f"the file is written by view.offline().to_parquet({path!r})")
        if not name:
            stem = re.sub(r"\W+", "_", re.split(r"[/\\]", path)[-1].split(".")[0]) if path else ""
            name = stem.strip("_") or "query"
        unique = unused(name, self.names)
        return DefineView(
            base.line, base.text, notes, name=unique, query=query, start=start, deployed=deployed
        )


_LOAD_OPTIONS = frozenset({"format", "header", "delimiter", "null_value", "quote", "mode"})
_LOAD_IGNORED = frozenset(
    {"deep_copy", "load_mode", "thread", "writer_type", "put_if_absent", "skip_cvt", "sql"}
)


def _column_options(words: Words, made: CreateTable) -> None:
    """NOT NULL and DEFAULT of a column, which tables here do not have."""
    while words.peek() not in (",", ")", ""):
        if words.take("NOT", "NULL"):
            made.notes.append("NOT NULL is not enforced")
        elif words.take("NULL"):
            continue
        elif words.take("DEFAULT"):
            words.value()
            made.notes.append("DEFAULT is not applied: columns that are left out are NULL")
        else:
            words.fail(f"{words.peek()} is not available for a column")


def _times(made: CreateTable, indexes: list[dict[str, list[str]]]) -> None:
    """The event time of the TS of the indexes, and how long rows are visible by their TTL."""
    by_folded = {name.casefold(): name for name in made.columns}
    stamps = [by_folded.get(index["ts"][0].casefold(), "") for index in indexes if "ts" in index]
    times = [name for name in stamps if made.columns.get(name) == "TIMESTAMP"]
    made.time = times[0] if times else None
    others = sorted({name for name in stamps if name and name != made.time})
    if others:
        made.notes.append(
            f"windows may be ordered by {', '.join(others)} too; that column is time for them then"
        )
    if not times:
        numbers = any(made.columns.get(name) in INTEGERS for name in stamps)
        made.notes.append(
            "TS is a whole number: the table is ordered by arrival, windows by that number"
            if numbers
            else "no index has a TS: rows are ordered by arrival"
        )
    ages = [_ttl(index, made) for index in indexes]
    if made.time is not None and ages and all(ages):
        made.ttl = max((age for age in ages if age), key=_minutes)
        made.notes.append(f"ttl {made.ttl} counts from the time of the row that asks, not from the clock")


def _ttl(index: dict[str, list[str]], made: CreateTable) -> str | None:
    """How long the rows of an index are visible by their age, or None for ever."""
    kind = index.get("ttl_type", ["absolute"])[0].casefold()
    ages = [word for word in index.get("ttl", []) if re.fullmatch(r"\d+[smhd]?", word)]
    if kind in ("latest", "absandlat", "absorlat"):
        made.notes.append(
            f"TTL_TYPE={kind} keeps a number of rows, which is no limit here: all rows are visible"
        )
        if kind != "absorlat":
            return None
    if not ages or int(re.sub(r"\D", "", ages[0])) == 0:
        return None
    return ages[0] if ages[0][-1] in _UNITS else f"{ages[0]}m"


def _minutes(ttl: str) -> float:
    return int(ttl[:-1]) * {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}[ttl[-1]]


def _hint(text: str) -> str | None:
    first = text.split()[0].upper()
    return {
        "DROP": "project.drop_table(name), project.drop_view(name)",
        "DELETE": "tables are append-only; create the table with ttl=",
        "ALTER": "create a new table with the columns",
        "CREATE": "user functions are written in Python: @project.function",
        "CALL": "view.request({column: value, ...})",
        "TRUNCATE": "create the table anew with if_exists='replace'",
    }.get(first)


def stored_value(value: Any, kind: str) -> Any:
    """Return a constant of an INSERT as a value of a column: numbers are milliseconds, texts are in UTC+8.

    >>> stored_value("2020-05-22 10:43:40", "TIMESTAMP")
    datetime.datetime(2020, 5, 22, 2, 43, 40)
    """
    if value is None:
        return None
    if kind == "TIMESTAMP":
        if isinstance(value, str):
            return datetime.fromisoformat(value) - _ZONE
        return datetime(1970, 1, 1) + timedelta(milliseconds=int(value))
    if kind == "DATE":
        return date(*(int(part) for part in str(value).split("-")))
    return value
