"""Seeded views whose windows, joins and aggregates have kernels, over the tables of ``kernel_data``."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .kernel_data import COLUMNS, OF_DIM, OF_EV2, Tables

NUMBERS = ["x", "y", "i", "t", "f", "h", "e", "p", "q"]
SIMPLE = ["x", "i", "t", "f", "h", "p"]
ORDERED = [*NUMBERS, "s", "c", "d", "u", "o", "b"]
INTEGERS = ["x", "y", "i", "t", "o"]
#: Compared with the anchor's column of the same name.
COMPARED = ["s", "x", "d", "b", "f", "i", "p", "o", "u", "c"]


@dataclass(frozen=True)
class Drawn:
    """The text of a view, and which kinds of windows and functions are in it."""

    text: str
    kinds: tuple[str, ...]
    functions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Window:
    """A window or join, how its rows are called, and the columns that they have."""

    name: str
    text: str
    alias: str
    columns: tuple[str, ...]
    kind: str
    numbered: bool = False
    history: bool = False


def draw_view(tables: Tables, seed: int, outputs: int = 18) -> Drawn:
    """Draw a view of one to three windows and up to two joins."""
    return _View(tables, random.Random(f"kernels {seed}")).draw(outputs)


class _View:
    def __init__(self, tables: Tables, rng: random.Random) -> None:
        self.tables, self.rng = tables, rng
        self.kinds: list[str] = []

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def draw(self, outputs: int) -> Drawn:
        rng = self.rng
        windows = [self._window(n) for n in range(rng.choice([1, 2, 2, 3]))]
        joins = [self._join(n) for n in range(rng.choice([0, 0, 1, 2]))]
        found, functions = ["tx.id"], {}
        for number in range(outputs):
            name = f"o{number}"
            if joins and self.chance(0.12):
                value, function = self._of_join(rng.choice([one for one, _ in joins])), "join"
            else:
                window = rng.choice(windows)
                value, function = self._aggregate(window)
                self.kinds.append(function)
                function = f"{function} / {window.kind}"
            found.append(f"{value} AS {name}")
            functions[name] = function
        where = f"\nWHERE {self._row_condition('tx', tuple(COLUMNS))}" if self.chance(0.1) else ""
        text = "SELECT " + ",\n    ".join(found) + "\nFROM tx" + "".join(f"\n{text}" for _, text in joins)
        text += where + "\nWINDOW " + ",\n    ".join(f"{w.name} AS ({w.text})" for w in windows)
        return Drawn(text, tuple(self.kinds), functions)

    # -- windows

    def _window(self, number: int) -> _Window:
        rng = self.rng
        kind = rng.choice(["history", "history", "union", "from", "from", "own"])
        keys = rng.choice([["k"]] * 6 + [["k", "g"], ["g"]])
        order = "o" if self.chance(0.12) and kind in ("history", "from") else "ts"
        if keys == ["g"]:
            order = "ts"
        frame, numbered, unit = self._frame(order, short=keys == ["g"])
        extra, said = self._extra(kind)
        numbered = numbered or "MAXSIZE" in said
        self.kinds += [f"window {kind}", f"frame {unit}", f"key {','.join(keys)}", f"order {order}", *said]
        kind = " ".join([kind, unit, *said])
        name = f"w{number}"
        if kind.startswith(("from", "own")):
            table = "tx" if kind.startswith("own") else rng.choice(["ev", "ev", "ev2"])
            alias = f"r{number}"
            columns = tuple(OF_EV2 if table == "ev2" else COLUMNS)
            where = ""
            if not numbered and self.chance(0.35):
                where = f" WHERE {self._row_condition(alias, columns)}"
                self.kinds.append("where on the source")
            partition = ", ".join(f"{alias}.{key} = tx.{key}" for key in keys)
            text = f"FROM {table} {alias}{where} PARTITION BY {partition} ORDER BY {alias}.{order} {frame}{extra}"
            return _Window(name, text, alias, columns, kind, numbered)
        union = f"UNION {self._united()} " if kind.startswith("union") else ""
        partition = ", ".join(f"tx.{key}" for key in keys)
        text = f"{union}PARTITION BY {partition} ORDER BY tx.{order} {frame}{extra}"
        return _Window(name, text, "tx", tuple(COLUMNS), kind, numbered, history=True)

    def _united(self) -> str:
        rng = self.rng
        tables = [
            "ev",
            "ev2",
            "(SELECT k, g, ts, y AS x, h AS f, c AS s, p, o FROM ev)",
            "(SELECT * FROM ev2)",
        ]
        if self.chance(0.3):
            tables[2] = tables[2][:-1] + " WHERE b)"
        return ", ".join(rng.sample(tables, rng.choice([1, 1, 2])))

    def _frame(self, order: str, short: bool) -> tuple[str, bool, str]:
        """The frame, whether rows are numbered for it, and its unit."""
        rng = self.rng
        end = rng.choice(["CURRENT ROW", "CURRENT ROW", "CURRENT ROW", "near"])
        if self.chance(0.4) or (short and self.chance(0.5)):
            start = rng.choice([1, 3, 20, 100] if short else [1, 3, 20, 100, 1000])
            near = "CURRENT ROW" if end != "near" else f"{rng.randint(1, min(start, 5))} PRECEDING"
            return f"ROWS BETWEEN {start} PRECEDING AND {near}", True, "rows"
        if short:
            length = rng.choice([5, 50])
        else:
            length = rng.choice([0, 5, 50, 500, 5000, 0])
        unit = "" if order == "o" else "s"
        step = 1 if order == "o" else self.tables.step
        first = "UNBOUNDED" if length == 0 else f"{length * step}{unit}"
        if length and self.chance(0.2):
            first += " OPEN"
        last = "CURRENT ROW"
        if end == "near":
            last = f"{rng.choice([0, 1, 4]) * step}{unit}" + rng.choice([" OPEN", ""]) + " PRECEDING"
        word = "RANGE" if order == "o" else "ROWS_RANGE"
        return f"{word} BETWEEN {first} PRECEDING AND {last}", False, "range"

    def _extra(self, kind: str) -> tuple[str, list[str]]:
        rng, text = self.rng, ""
        said: list[str] = []
        if (kind == "union" and self.chance(0.35)) or (kind == "history" and self.chance(0.05)):
            text, said = text + " INSTANCE_NOT_IN_WINDOW", [*said, "INSTANCE_NOT_IN_WINDOW"]
        for word, probability in (("EXCLUDE CURRENT_ROW", 0.2), ("EXCLUDE CURRENT_TIME", 0.2)):
            if self.chance(probability):
                text, said = f"{text} {word}", [*said, word]
        if self.chance(0.2):
            text, said = f"{text} MAXSIZE {rng.choice([1, 2, 7, 60])}", [*said, "MAXSIZE"]
        return text, said

    # -- joins

    def _join(self, number: int) -> tuple[_Window, str]:
        rng = self.rng
        table, alias = rng.choice(["ev", "ev2", "dim", "tx"]), f"j{number}"
        columns = tuple({"ev2": OF_EV2, "dim": OF_DIM}.get(table, list(COLUMNS)))
        keys = rng.choice([["k"], ["k"], ["k", "g"]])
        on = [f"{alias}.{key} = tx.{key}" for key in keys]
        if self.chance(0.4):
            on.append(self._condition(alias, columns))
        order = f" ORDER BY {alias}.ts" if table != "dim" and self.chance(0.3) else ""
        self.kinds.append(f"LAST JOIN {table}")
        window = _Window(alias, "", alias, columns, "join")
        return window, f"LAST JOIN {table} {alias}{order} ON {' AND '.join(on)}"

    def _of_join(self, join: _Window) -> str:
        name = self.rng.choice([column for column in join.columns if column != "id"])
        if name in SIMPLE and self.chance(0.3):
            return f"tx.x + {join.alias}.{name}" if name in ("x", "i", "t") else f"{join.alias}.{name} * 2"
        return f"{join.alias}.{name}"

    # -- conditions

    def _row_condition(self, alias: str, columns: tuple[str, ...]) -> str:
        rng = self.rng
        forms = {
            "x": f"{alias}.x > {rng.randint(-2, 6)}",
            "i": f"{alias}.i % 3 = {rng.randint(0, 2)}",
            "f": f"{alias}.f < {rng.choice(['0.5', '0', '-0.1'])}",
            "b": f"{alias}.b",
            "s": f"{alias}.s IN ('a', 'ab', '東京')",
            "p": f"{alias}.p BETWEEN 10 AND 500.5",
            "d": f"{alias}.d >= DATE '2022-08-01'",
            "o": f"{alias}.o IS NOT NULL",
        }
        found = rng.choice([text for name, text in forms.items() if name in columns])
        return f"NOT ({found})" if self.chance(0.1) else found

    def _anchor_condition(self, alias: str, columns: tuple[str, ...]) -> str:
        name = self.rng.choice([name for name in COMPARED if name in columns])
        if name in ("b", "s", "c"):
            return f"{alias}.{name} {self.rng.choice(['=', '=', '<>'])} tx.{name}"
        return f"{alias}.{name} {self.rng.choice(['=', '<>', '<', '<=', '>', '>='])} tx.{name}"

    def _condition(self, alias: str, columns: tuple[str, ...]) -> str:
        if alias == "tx":
            return self._row_condition(alias, columns)
        kind = self.rng.random()
        if kind < 0.4:
            return self._row_condition(alias, columns)
        found = self._anchor_condition(alias, columns)
        return found if kind < 0.8 else f"{found} AND {self._row_condition(alias, columns)}"

    # -- aggregates

    def _aggregate(self, window: _Window) -> tuple[str, str]:
        """An aggregate's text and its function."""
        rng = self.rng
        forms = [
            self._count,
            self._distinct,
            self._fold,
            self._fold,
            self._extreme,
            self._spread,
            self._picked,
        ]
        forms += [self._quantile, self._by_order, self._boolean, self._conditional]
        while True:
            made = rng.choice(forms)(window)
            if made is None:
                continue
            call, function, filterable = made
            if filterable and self.chance(0.25):
                condition = self._condition(window.alias, window.columns)
                self.kinds.append(
                    "FILTER that names the anchor"
                    if window.alias != "tx" and "tx." in condition
                    else "FILTER"
                )
                call = f"{call} FILTER (WHERE {condition})"
            text = f"{call} OVER {window.name}"
            if function in ("sum", "avg", "count") and self.chance(0.08):
                text = f"coalesce({text}, 0)"
            return text, function

    def _of(self, window: _Window, names: list[str]) -> str | None:
        fitting = [name for name in names if name in window.columns]
        return self.rng.choice(fitting) if fitting else None

    def _column(self, window: _Window, names: list[str], computed: bool = False) -> str | None:
        name = self._of(window, names)
        if name is None:
            return None
        value = f"{window.alias}.{name}"
        if computed and name in SIMPLE and self.chance(0.3):
            form = self.rng.choice(["abs({v})", "{v} * 2", "{v} + {x}", "CASE WHEN {x} > 2 THEN {v} END"])
            return form.format(v=value, x=f"{window.alias}.x")
        return value

    def _count(self, window: _Window) -> tuple[str, str, bool] | None:
        if self.chance(0.5):
            return "count(*)", "count(*)", True
        return f"count({self._column(window, ORDERED)})", "count", True

    def _distinct(self, window: _Window) -> tuple[str, str, bool] | None:
        return f"count(DISTINCT {self._column(window, ORDERED)})", "count(DISTINCT)", True

    def _fold(self, window: _Window) -> tuple[str, str, bool] | None:
        function = self.rng.choice(["sum", "avg"])
        return f"{function}({self._column(window, NUMBERS, computed=True)})", function, True

    def _extreme(self, window: _Window) -> tuple[str, str, bool] | None:
        function = self.rng.choice(["min", "max"])
        return f"{function}({self._column(window, ORDERED, computed=True)})", function, True

    def _spread(self, window: _Window) -> tuple[str, str, bool] | None:
        function = self.rng.choice(["stddev_samp", "stddev_pop", "var_samp", "var_pop", "stddev"])
        return f"{function}({self._column(window, NUMBERS)})", function, True

    def _picked(self, window: _Window) -> tuple[str, str, bool] | None:
        rng = self.rng
        value = self._column(window, [*ORDERED, "kn"])
        forms = [
            (f"first_value({value})", "first_value", False),
            (f"last_value({value})", "last_value", False),
            (f"first({value})", "first", True),
            (f"last({value})", "last", True),
            (f"any_value({value})", "any_value", True),
        ]
        if self.chance(0.1):
            forms = [(f"nth_value({value}, {rng.choice([1, 2, 5])})", "nth_value", False)]
        elif window.history:
            forms.append((f"lag({value}, {rng.choice([1, 2, 9])})", "lag", False))
        return rng.choice(forms)

    def _quantile(self, window: _Window) -> tuple[str, str, bool] | None:
        share = self.rng.choice(["0.25", "0.5", "0.9", "1", "0"])
        number = self._column(window, ["x", "y", "i", "t", "f", "h"])
        return self.rng.choice(
            [
                (f"median({number})", "median", True),
                (f"quantile_cont({number}, {share})", "quantile_cont", True),
                (
                    f"quantile_disc({self._column(window, [*NUMBERS, 'd', 's', 'u'])}, {share})",
                    "quantile_disc",
                    True,
                ),
            ]
        )

    def _by_order(self, window: _Window) -> tuple[str, str, bool] | None:
        function = self.rng.choice(["arg_min", "arg_max"])
        by = self._column(window, ["x", "f", "ts", "o", "s", "p"])
        return f"{function}({self._column(window, ORDERED)}, {by})", function, True

    def _boolean(self, window: _Window) -> tuple[str, str, bool] | None:
        if self.chance(0.6):
            function = self.rng.choice(["bool_and", "bool_or"])
            return f"{function}({window.alias}.b)", function, True
        function = self.rng.choice(["bit_and", "bit_or", "bit_xor"])
        return f"{function}({self._column(window, INTEGERS)})", function, True

    def _conditional(self, window: _Window) -> tuple[str, str, bool] | None:
        condition = self._condition(window.alias, window.columns)
        function = self.rng.choice(
            ["count_where", "sum_where", "avg_where", "min_where", "max_where", "count_if"]
        )
        if function == "count_if":
            return f"count_if({self._row_condition(window.alias, window.columns)})", function, True
        return f"{function}({self._column(window, NUMBERS)}, {condition})", function, False
