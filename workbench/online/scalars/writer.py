"""The text of a generated function while it is written: blocks of lines, names, values that are computed already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from workbench.online.scalars import handlers
from workbench.online.scalars.constants import Constants
from workbench.online.scalars.value import NULL, Unsupported, Value
from workbench.plan import expr as e
from workbench.plan.expr import Call, Expr, Literal, Op, Sql
from workbench.plan.template import NotPlain, parsed

#: Text that is longer gets a name, so that no expression is nested too deep for Python's parser.
LONGEST = 160

Leaf = Callable[[e.Column | e.AggregateRef], Value]


class Block:
    """Lines that are executed together, and the values that they have computed."""

    def __init__(self, parent: Block | None) -> None:
        self.parent = parent
        self.lines: list[str] = []
        self.known: dict[Expr, Value] = {}
        self.checked: set[str] = set()

    def above(self) -> Iterator[Block]:
        """Yield the block and all around it."""
        block: Block | None = self
        while block is not None:
            yield block
            block = block.parent


class Writer:
    """Writes Python for expressions; equal expressions are computed once.

    Parameters
    ----------
    leaf
        The value of a column or of an aggregate.
    constants
        Evaluates constants.
    """

    def __init__(self, leaf: Leaf, constants: Constants) -> None:
        self.leaf = leaf
        self.constants = constants
        self.root = self.block = Block(None)
        self._names = 0
        self._uses: dict[Expr, int] = {}
        self._strict: set[Expr] = set()

    # -- expressions

    def expect(self, exprs: Iterable[Expr]) -> None:
        """Say which expressions will be asked for, whatever the row: shared parts of them are computed first."""
        for expr in exprs:
            self._count(self.unfolded(expr), "always")

    def value(self, expr: Expr) -> Value:
        """Write what computes an expression, and return its value.

        Raises
        ------
        Unsupported
            When it cannot be computed exactly.
        """
        expr = self.unfolded(expr)
        for block in self.block.above():
            if expr in block.known:
                return block.known[expr]
        if isinstance(expr, Literal):
            return self.constants.literal(expr)
        if isinstance(expr, e.Column | e.AggregateRef):
            return self.leaf(expr)
        block = self.root if expr in self._strict else self.block
        with self._inside(block):
            value = self.constants.folded(expr) or self._computed(expr)
            if value.fails or self._uses.get(expr, 0) > 1 or len(value.code) > LONGEST:
                value = self.named(value)
            block.known[expr] = value
        return value

    def unfolded(self, expr: Expr) -> Expr:
        """Return an expression whose outermost node is not plain text."""
        try:
            while isinstance(expr, Sql):
                expr = parsed(expr)
        except NotPlain as more:
            raise Unsupported(str(more)) from None
        return expr

    def _computed(self, expr: Expr) -> Value:
        assert isinstance(expr, Call | Op)
        found = handlers.find(expr)
        if found is None:
            raise Unsupported(f"{handlers.shown(expr)} is not compiled")
        value = found(self, expr)
        if expr.type and value.type not in (expr.type, NULL):
            raise Unsupported(f"{handlers.shown(expr)} is {expr.type}, not {value.type}")
        return value

    def _count(self, expr: Expr, when: str) -> None:
        """Count the uses of an expression and its parts; ``when`` it is computed: always, or perhaps.

        What a coalesce may need and what stands elsewhere too, DuckDB computes beforehand, with its errors: shared.
        """
        known = expr in self._uses
        self._uses[expr] = self._uses.get(expr, 0) + 1
        if known and when == "shared":
            when = "always"
        if known and (expr in self._strict or when == "perhaps"):
            return
        if when == "always" and isinstance(expr, Call | Op):
            self._strict.add(expr)
        first = handlers.always(expr)
        for number, child in enumerate(e.children(expr)):
            later = when
            if number >= first and when != "perhaps":
                later = "perhaps" if isinstance(expr, Op) else "shared"
            self._count(self.unfolded(child), later)

    # -- names and blocks

    def name(self) -> str:
        """Return a new name."""
        self._names += 1
        return f"t{self._names}"

    def line(self, text: str) -> None:
        """Write a line of the block at hand."""
        self.block.lines.append(text)

    def named(self, value: Value) -> Value:
        """Return a value whose text may stand in several places."""
        if value.atom:
            return value
        name = self.name()
        self.line(f"{name} = {value.code}")
        return replace(value, code=name, atom=True, fails=False)

    def ready(self, value: Value) -> Value:
        """Return a value that cannot fail any more: what may is computed now, whatever becomes of it."""
        return self.named(value) if value.fails else value

    @contextmanager
    def branch(self) -> Iterator[Block]:
        """A block that is only executed under a condition; its lines are for the caller to place."""
        block = Block(self.block)
        with self._inside(block):
            yield block

    @contextmanager
    def _inside(self, block: Block) -> Iterator[None]:
        before, self.block = self.block, block
        try:
            yield
        finally:
            self.block = before

    def lines_of(self, block: Block) -> None:
        """Write the lines of a branch, one step further in."""
        self.block.lines += [f" {line}" for line in block.lines]

    # -- the common shapes

    def strict(self, args: Iterable[Value], code: Callable[..., str], kind: str, **known: Any) -> Value:
        """Return a value that is NULL where an argument is, and ``code`` of the texts of the arguments elsewhere."""
        args = list(args)
        if any(arg.is_const and arg.const is None for arg in args):
            return null(kind)
        nullable = any(arg.null for arg in args)
        args = [self.named(arg) if arg.null else self.ready(arg) for arg in args]
        text = code(*(arg.code for arg in args))
        if nullable:
            text = f"(None if {self.missing(args)} else {text})"
        return Value(text, kind, null=nullable, **known)

    def missing(self, args: Iterable[Value]) -> str:
        """Return a condition: one of the values is NULL."""
        names = dict.fromkeys(arg.code for arg in args if arg.null)
        return " or ".join(f"{name} is None" for name in names)

    def checked(self, value: Value, low: int, high: int) -> Value:
        """Return an integer that lies between two bounds; outside of them the function fails."""
        known_low, known_high = value.low, value.high
        if known_low is not None and known_high is not None and low <= known_low and known_high <= high:
            return value
        value = self.named(value)
        present = f"{value.code} is not None and " if value.null else ""
        if not present:
            self.line(f"if not {low} <= {value.code} <= {high}: raise NotHere")
        else:
            self.line(f"if {present}not {low} <= {value.code} <= {high}: raise NotHere")
        return replace(
            value,
            low=low if known_low is None else max(low, known_low),
            high=high if known_high is None else min(high, known_high),
        )

    def finite(self, value: Value) -> Value:
        """Return a time or date as a name, checked to be one that Python's datetime can hold."""
        if value.is_const:
            return value
        value = self.named(value)
        if any(value.code in block.checked for block in self.block.above()):
            return value
        unit = 86_400_000_000 if value.type == "DATE" else 1
        low, high = -62_135_596_800_000_000 // unit, 253_402_300_799_999_999 // unit
        present = f"{value.code} is not None and " if value.null else ""
        self.line(f"if {present}not {low} <= {value.code} <= {high}: raise NotHere")
        self.block.checked.add(value.code)
        return value


def null(kind: str) -> Value:
    """Return NULL of a type."""
    return Value("None", kind, null=True, atom=True, const=None)
