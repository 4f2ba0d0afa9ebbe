"""The function that answers one request of a view, as generated Python: what is known once is not looked up again.

It computes keys, writes them and the bounds of what is visible into the arena of a wave, runs the kernels, and hands
what they found to the plan's scalars. Parts whose keys depend on what a lookup finds are in a later wave than that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.kernels.program import INT_MAX, INT_MIN
from workbench.online.compiled.arena import TEXT_ROOM, Layout
from workbench.online.compiled.lanes import decimal
from workbench.online.scalars import NotHere, ScalarFunction, Unsupported, compile_keys
from workbench.plan import expr as e
from workbench.plan.expr import Column, Expr
from workbench.plan.kernel_columns import TRUE, decimal_digits, is_integer
from workbench.plan.kernel_form import KernelPart
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.stages import Stage
from workbench.values.lanes import lane_of

_DAY = 86_400_000_000
#: The sizes of keys and constants that say that there is no value, or that nothing can be equal to it.
NULL_SIZE, NOTHING = -1, -2


@dataclass(frozen=True)
class Written:
    """The function ``answer(driver, anchor, seq, cut) -> (kept, *features)`` and the layouts of its waves."""

    call: Any
    source: str
    layouts: tuple[Layout, ...]
    #: For each wave the numbers of its parts among all.
    waves: tuple[tuple[int, ...], ...]


def write(
    plan: FeaturePlan, parts: Sequence[KernelPart], outputs: ScalarFunction, row_keys: Sequence[Sequence[str]]
) -> Written:
    """Write the function of a plan.

    Parameters
    ----------
    plan
        The plan.
    parts
        Its parts, lookups first.
    outputs
        Its scalars.
    row_keys
        For each part the types of the key columns of its tables.

    Raises
    ------
    Unsupported
        When a key or a constant cannot be computed here.
    """
    return _Writer(plan, parts, outputs, row_keys).written()


class _Writer:
    def __init__(
        self,
        plan: FeaturePlan,
        parts: Sequence[KernelPart],
        outputs: ScalarFunction,
        row_keys: Sequence[Sequence[str]],
    ) -> None:
        self.plan = plan
        self.parts = parts
        self.row_keys = row_keys
        self.anchor = {name: place for place, (name, _) in enumerate(plan.anchor_columns)}
        self.types = dict(plan.anchor_columns)
        self.names: dict[str, Any] = {"NotHere": NotHere, "decimal": decimal, "outputs": outputs.call}
        self.lines: list[str] = []
        self.found: dict[tuple[str, str], str] = {}
        self.values: dict[str, str] = {}
        self.reads: dict[str, str] = {}
        self._codes_of: dict[int, dict[Expr, str]] = {}

    def line(self, text: str) -> None:
        self.lines.append(text)

    def written(self) -> Written:
        waves = self._waves()
        layouts = tuple(Layout([self.parts[number] for number in wave]) for wave in waves)
        for number, (wave, layout) in enumerate(zip(waves, layouts, strict=True)):
            self._wave(number, wave, layout)
        lookups = [
            self.found[lookup.name, name] for lookup in self.plan.lookups for name, _ in lookup.columns
        ]
        aggregates = [self.values[aggregate.name] for aggregate in self.plan.aggregates]
        self.line(f"return outputs(anchor, ({_items(lookups)}), ({_items(aggregates)}))")
        head = ["state = driver.state()", "if state is not driver.known: driver.follow(state)"]
        head += [f"{name} = {place}" for place, name in self.reads.items()]
        body = "\n".join(f" {line}" for line in [*head, *self.lines])
        source = f"def answer(driver, anchor, seq, cut):\n{body}\n"
        namespace = dict(self.names)
        exec(compile(source, f"<compiled view {self.plan.hash}>", "exec"), namespace)
        return Written(namespace["answer"], source, layouts, waves)

    # -- waves

    def _waves(self) -> tuple[tuple[int, ...], ...]:
        of_lookup: dict[str, int] = {}
        waves: dict[int, list[int]] = {}
        for number, part in enumerate(self.parts):
            needed = set().union(*(e.sources(value) for value in self._asked(part))) - {e.ANCHOR, e.ROW}
            wave = max((of_lookup[name] + 1 for name in needed), default=0)
            if isinstance(part.part, Lookup):
                of_lookup[part.part.name] = wave
            waves.setdefault(wave, []).append(number)
        return tuple(tuple(waves[wave]) for wave in sorted(waves))

    @staticmethod
    def _asked(part: KernelPart) -> list[Expr]:
        """What a part needs of the anchor row."""
        values = [key.anchor for key in part.part.keys] + list(part.constants)
        values += [column.request for column in part.columns if column.request is not None]
        if isinstance(part.part, Stage) and part.part.order_anchor is not None:
            values.append(part.part.order_anchor)
        return values

    def _wave(self, wave: int, numbers: tuple[int, ...], layout: Layout) -> None:
        codes = self._computed(wave, [value for n in numbers for value in self._asked(self.parts[n])])
        self._codes_of[wave] = codes
        words: dict[tuple[Any, ...], str] = {}
        for place, number in enumerate(numbers):
            self._bounds(place, number, codes, words)
            self._keys(wave, place, number, codes, words)
            self._constants(wave, place, number, codes, words)
            if self.parts[number].program.history:
                self._request(wave, place, number, codes, words)
        self.names[f"pack{wave}"], self.names[f"unpack{wave}"] = (
            layout.pack.pack_into,
            layout.unpack.unpack_from,
        )
        arguments = "".join(f", {words[what]}" for what in layout.fields)
        self.line(f"arena{wave} = driver.arena{wave}")
        self.line(f"pack{wave}(arena{wave}, 0{arguments})")
        self.line(f"driver.run{wave}()")
        self.line(f"v{wave} = unpack{wave}(arena{wave}, {layout.answers})")
        status = " or ".join(f"v{wave}[{layout.calls + place}]" for place in range(len(numbers)))
        self.line(f"if {status}: raise NotHere('kernels do not answer this')")
        self.line(f"ok = arena{wave}[{layout.valid}:{layout.valid + layout.calls}]")
        self.names[f"ALL{wave}"] = bytes([1] * layout.calls)
        self.line(f"if ok != ALL{wave}: v{wave} = [x if y else None for x, y in zip(v{wave}, ok)]")
        self._answers(wave, numbers)

    def _computed(self, wave: int, values: Sequence[Expr]) -> dict[Expr, str]:
        """The text of each value: a column of the anchor, a lookup's, or one of those that are computed at once."""
        codes: dict[Expr, str] = {TRUE: "1"}
        rest: list[Expr] = []
        for value in values:
            if isinstance(value, Column) and value.source == e.ANCHOR:
                codes[value] = self._read(value.name)
            elif isinstance(value, Column) and (value.source, value.name) in self.found:
                codes[value] = self.found[value.source, value.name]
            elif value not in codes and value not in rest:
                rest.append(value)
        if rest:
            made = compile_keys(rest, self.plan)
            if isinstance(made, Unsupported):
                raise made
            self.names[f"keys{wave}"] = made.call
            flat = [(lookup.name, name) for lookup in self.plan.lookups for name, _ in lookup.columns]
            known = [self.found.get(one, "None") for one in flat]
            self.line(f"c{wave} = keys{wave}(anchor, ({_items(known)}))")
            codes |= {value: f"c{wave}[{place}]" for place, value in enumerate(rest)}
        return codes

    def _read(self, name: str) -> str:
        place = f"anchor[{self.anchor[name]}]"
        return self.reads.setdefault(place, f"a{self.anchor[name]}")

    # -- what a part is asked

    def _bounds(
        self, place: int, number: int, codes: dict[Expr, str], words: dict[tuple[Any, ...], str]
    ) -> None:
        part, order = self.parts[number], f"o{number}"
        words["cut", place] = "cut"
        if part.arrival:
            self.line(f"cut{number} = cut if seq is None or seq > cut else seq - 1")
            words["cut", place] = f"cut{number}"
        if part.unplaced:
            self.line("if seq is not None: raise NotHere('a stored row of a lookup by another order')")
        time = self._order_of(part, codes)
        self.line(f"{order} = {time or 0}")
        nothing = time is not None and not self._always(part)
        if nothing:
            self.line(f"n{number} = {order} is None")
            self.line(f"if n{number}: {order} = 0")
        words["order", place] = order
        for member, reader in enumerate(part.readers or (part.part,)):
            upto, seq, since = self._visible(part, reader, order, time is not None)
            if nothing:
                upto, seq = f"({INT_MIN} if n{number} else {upto})", f"({INT_MIN} if n{number} else {seq})"
            words["upto", place, member] = upto
            words["upto_seq", place, member] = seq
            words["since", place, member] = since

    def _order_of(self, part: KernelPart, codes: dict[Expr, str]) -> str | None:
        """The text of the value from which ages count, None where rows are by arrival or any order is seen."""
        of = part.part
        if isinstance(of, Stage):
            if of.order_anchor is None:
                return None
            code = codes[of.order_anchor]
            if of.order_anchor.type == "DATE":
                return f"(None if {code} is None else {code} * {_DAY})"
            return code
        timed = of.timed and self.plan.time is not None and of.source.time is not None
        return self._read(self.plan.time or "") if timed and of.order == of.source.time else None

    def _always(self, part: KernelPart) -> bool:
        """Whether there always is an order value: that of the request's time."""
        if isinstance(part.part, Lookup):
            return True
        value = part.part.order_anchor
        return isinstance(value, Column) and (value.source, value.name) == (e.ANCHOR, self.plan.time)

    def _visible(
        self, part: KernelPart, reader: Stage | Lookup, order: str, placed: bool
    ) -> tuple[str, str, str]:
        source = reader.source
        own = f"({INT_MAX} if seq is None else seq)"
        if not placed:
            arrived = isinstance(reader, Stage) and source.own
            return (f"(0 if seq is not None else {INT_MAX})", own, str(INT_MIN)) if arrived else (
                str(INT_MAX), str(INT_MAX), str(INT_MIN)
            )  # fmt: skip
        if isinstance(reader, Stage):
            reach, before = reader.reach(), reader.before_time
        else:
            reach, before = (None if source.ttl is None else source.ttl - 1), False
        since = str(INT_MIN) if reach is None else f"{order} - {reach}"
        if source.delay:
            return f"{order} - {source.delay}", str(INT_MAX), since
        if before:
            return f"{order} - 1", str(INT_MAX), since
        return order, own if source.own else str(INT_MAX), since

    def _keys(
        self, wave: int, place: int, number: int, codes: dict[Expr, str], words: dict[tuple[Any, ...], str]
    ) -> None:
        part = self.parts[number]
        of = part.part
        nulls = of.null_group if isinstance(of, Stage) else of.null_keys
        null_size = NULL_SIZE if nulls else NOTHING
        physical = []
        for level, key in enumerate(of.keys):
            code, kind, stored = codes[key.anchor], key.anchor.type, self.row_keys[number][level]
            name = f"k{number}_{level}"
            words["key", place, level], words["key_size", place, level] = name, f"s{number}_{level}"
            physical.append(f"p{number}_{level}")
            if lane_of(stored) == "i" and (stored == kind or (is_integer(stored) and is_integer(kind))):
                self.line(f"p{number}_{level} = {name} = {code}")
                self.line(f"s{number}_{level} = 0")
                self.line(f"if {name} is None: {name} = 0; s{number}_{level} = {null_size}")
            elif kind == stored == "VARCHAR":
                self._text(wave, ("key", place, level), code, name, f"s{number}_{level}", null_size)
                self.line(f"p{number}_{level} = b")
            else:
                raise Unsupported(f"its key compares {stored} with {kind}")
        found = f"({_items(physical)})"
        none = " or ".join(f"{one} is None" for one in physical) if not nulls else ""
        wanted = f"None if {none} else {found}" if none else found
        self.line(f"if driver.tails[{number}]: driver.find({number}, {wanted})")

    def _text(
        self, wave: int, what: tuple[Any, ...], code: str, word: str, size: str, null_size: int
    ) -> None:
        """Put a text into the arena; its address and its size are the names given, its bytes are ``b``."""
        at = f"driver.text{wave}_{'_'.join(map(str, what))}"
        self.line(f"if {code} is None: {word} = 0; {size} = {null_size}; b = None")
        self.line("else:")
        self.line(f" b = {code}.encode(); {size} = len(b)")
        self.line(f" if {size} > {TEXT_ROOM}: raise NotHere('a long text')")
        self.line(f" {word} = {at}; q = {word} - driver.base{wave}; driver.arena{wave}[q:q + {size}] = b")

    def _constants(
        self, wave: int, place: int, number: int, codes: dict[Expr, str], words: dict[tuple[Any, ...], str]
    ) -> None:
        part = self.parts[number]
        for constant, value in enumerate(part.constants):
            word, size = f"x{number}_{constant}", f"y{number}_{constant}"
            words["constant", place, constant], words["constant_size", place, constant] = word, size
            if part.program.constants[constant] == "s":
                self._text(wave, ("constant", place, constant), codes[value], word, size, NULL_SIZE)
                continue
            self.line(f"{word} = {codes[value]}; {size} = 0")
            self.line(f"if {word} is None: {word} = 0; {size} = {NULL_SIZE}")

    def _request(
        self, wave: int, place: int, number: int, codes: dict[Expr, str], words: dict[tuple[Any, ...], str]
    ) -> None:
        part = self.parts[number]
        for column, of in enumerate(part.columns):
            assert of.request is not None
            code, word, valid = codes[of.request], f"r{number}_{column}", f"t{number}_{column}"
            words["request_valid", place, column] = valid
            words["request", place, column] = word
            if of.lane == "s":
                words["request_size", place, column] = size = f"z{number}_{column}"
                self._text(wave, ("request", place, column), code, word, size, 0)
                self.line(f"{valid} = 0 if b is None else 1")
            elif of.lane == "o":
                self.line(f"{valid} = 0 if {code} is None else 1")
            else:
                self.line(f"{word} = {code}; {valid} = 1")
                self.line(f"if {word} is None: {word} = 0; {valid} = 0")

    # -- what it gives

    def _answers(self, wave: int, numbers: tuple[int, ...]) -> None:
        call = 0
        for number in numbers:
            part = self.parts[number]
            requests = ""
            if part.program.history and "p" in part.program.results:
                codes = self._computed_before(wave, part)
                requests = f"({_items(codes)})"
            for place, (name, kind) in enumerate(zip(part.names, part.types, strict=True)):
                code = f"v{wave}[{call}]"
                asked = part.program.calls[place]
                if not name:
                    self.line(f"if not {code}: raise NotHere('a row without an order may be found')")
                elif part.program.results[place] == "s":
                    code = f"driver.word({number}, {asked.column}, {code})"
                elif part.program.results[place] == "p":
                    code = f"driver.pick({number}, {asked.column}, {code}, {requests or '()'})"
                digits = decimal_digits(kind)
                if digits is not None and digits[0] > 18 and part.program.results[place] == "i":
                    code = f"decimal({code}, {digits[1]})"
                if isinstance(part.part, Lookup):
                    if name:
                        self.line(f"f{number}_{place} = {code}")
                        self.found[part.part.name, name] = f"f{number}_{place}"
                else:
                    self.values[name] = code
                call += 1

    def _computed_before(self, wave: int, part: KernelPart) -> list[str]:
        """The text of the request row's columns, as lanes."""
        return [self._codes_of[wave][column.request] for column in part.columns if column.request is not None]


def _items(codes: Sequence[str]) -> str:
    return "".join(f"{code}, " for code in codes)
