"""Functions of texts."""

from __future__ import annotations

from workbench.online.scalars.casts import cast
from workbench.online.scalars.handlers import function, operator, simple
from workbench.online.scalars.value import NULL, Unsupported, Value, is_integer
from workbench.online.scalars.writer import Writer
from workbench.plan.expr import Call, Op


def _text(w: Writer, value: Value) -> Value:
    if value.type not in ("VARCHAR", NULL):
        raise Unsupported(f"text of {value.type} is not compiled")
    return cast(w, value, "VARCHAR")


@operator("||")
def _joined(w: Writer, op: Op) -> Value:
    sides = [_text(w, w.value(arg)) for arg in op.args]
    return w.strict(sides, "({} + {})".format, "VARCHAR")


@function("concat")
def _concat(w: Writer, call: Call) -> Value:
    parts = []
    for arg in call.args:
        value = w.value(arg)
        if value.type == NULL or (value.is_const and value.const is None):
            continue
        value = w.ready(cast(w, value, "VARCHAR"))
        parts.append(f"({w.named(value).code} or '')" if value.null else value.code)
    return Value(f"({' + '.join(parts)})" if parts else "''", "VARCHAR", null=False)


@simple("strlen")
def _bytes(w: Writer, value: Value) -> Value:
    return w.strict([_text(w, value)], "len({}.encode())".format, "BIGINT", low=0, high=2**40)


@simple("length", "len")
def _length(w: Writer, value: Value) -> Value:
    if value.type == "VARCHAR" or value.type.endswith("[]"):
        return w.strict([value], "len({})".format, "BIGINT", low=0, high=2**40)
    raise Unsupported(f"length() of {value.type} is not compiled")


def _of_text(name: str, code: str, kind: str = "VARCHAR") -> None:
    @simple(name)
    def handler(w: Writer, *args: Value) -> Value:
        return w.strict([_text(w, arg) for arg in args], code.format, kind, fails=True)


for _name, _code in {
    "upper": "upper({})",
    "ucase": "upper({})",
    "lower": "lower({})",
    "lcase": "lower({})",
    "reverse": "reversed_text({})",
    "replace": "replaced({}, {}, {})",
    "md5": "md5({})",
    "sha256": "sha256({})",
}.items():
    _of_text(_name, _code)
for _name, _code in {
    "starts_with": "{}.startswith({})",
    "prefix": "{}.startswith({})",
    "ends_with": "{}.endswith({})",
    "suffix": "{}.endswith({})",
}.items():
    _of_text(_name, _code, "BOOLEAN")
for _name in ("strpos", "instr", "position"):
    _of_text(_name, "({}.find({}) + 1)", "BIGINT")


@simple("contains")
def _contains(w: Writer, value: Value, part: Value) -> Value:
    return w.strict([_text(w, value), _text(w, part)], "({1} in {0})".format, "BOOLEAN")


@simple("substr", "substring")
def _substr(w: Writer, value: Value, start: Value, *rest: Value) -> Value:
    args = [_text(w, value), cast(w, start, "BIGINT"), *(cast(w, size, "BIGINT") for size in rest)]
    if args[1].is_const and rest and args[2].is_const and args[1].const and args[1].const > 0:
        first, size = args[1].const - 1, args[2].const
        if size is not None and size >= 0:
            return w.strict([args[0]], f"{{}}[{first}:{first + size}]".format, "VARCHAR")
    return w.strict(args, ("part({}, {}, {})" if rest else "part({}, {})").format, "VARCHAR")


@simple("left")
def _left(w: Writer, value: Value, count: Value) -> Value:
    return w.strict([_text(w, value), cast(w, count, "BIGINT")], "left({}, {})".format, "VARCHAR")


@simple("right")
def _right(w: Writer, value: Value, count: Value) -> Value:
    return w.strict([_text(w, value), cast(w, count, "BIGINT")], "right({}, {})".format, "VARCHAR")


def _trimmed(name: str, method: str) -> None:
    @simple(name)
    def handler(w: Writer, value: Value, *rest: Value) -> Value:
        args = [_text(w, arg) for arg in (value, *rest)]
        return w.strict(args, (f"{{}}.{method}({{}})" if rest else f"{{}}.{method}(' ')").format, "VARCHAR")


for _name, _method in {"trim": "strip", "ltrim": "lstrip", "rtrim": "rstrip"}.items():
    _trimmed(_name, _method)


def _padded(name: str) -> None:
    @simple(name)
    def handler(w: Writer, value: Value, size: Value, pad: Value) -> Value:
        args = [_text(w, value), cast(w, size, "BIGINT"), _text(w, pad)]
        return w.strict(args, f"{name}({{}}, {{}}, {{}})".format, "VARCHAR", fails=True)


for _name in ("lpad", "rpad"):
    _padded(_name)


@simple("repeat")
def _repeat(w: Writer, value: Value, count: Value) -> Value:
    args = [_text(w, value), w.checked(cast(w, count, "BIGINT"), -(2**63), 10_000)]
    return w.strict(args, "({} * {})".format, "VARCHAR")


@simple("split_part")
def _split_part(w: Writer, value: Value, separator: Value, place: Value) -> Value:
    if not is_integer(place.type):
        raise Unsupported("split_part() by another place is not compiled")
    args = [_text(w, value), _text(w, separator), cast(w, place, "BIGINT")]
    return w.strict(args, "split_part({}, {}, {})".format, "VARCHAR")


@simple("string_split", "split", "str_split", "string_to_array")
def _split(w: Writer, value: Value, separator: Value) -> Value:
    return w.strict([_text(w, value), _text(w, separator)], "split({}, {})".format, "VARCHAR[]", fails=True)


@simple("ascii", "unicode", "ord")
def _code_point(w: Writer, value: Value) -> Value:
    return w.strict([_text(w, value)], "code_point({})".format, "INTEGER", fails=True)


@simple("chr")
def _character(w: Writer, value: Value) -> Value:
    return w.strict([w.checked(cast(w, value, "INTEGER"), 1, 0xD7FF)], "chr({})".format, "VARCHAR")


@operator("like", "ilike")
def _like(w: Writer, op: Op) -> Value:
    value, pattern = (_text(w, w.value(arg)) for arg in op.args)
    if pattern.is_const and pattern.const is None:
        return w.strict([value, pattern], "{}{}".format, "BOOLEAN")
    if not pattern.is_const or op.op == "ilike":
        raise Unsupported(f"{op.op} with this pattern is not compiled")
    text = pattern.const
    inner = text.strip("%")
    if "_" in text or "\\" in text:
        return w.strict([value], f"matches({{}}, {text!r})".format, "BOOLEAN")
    if "%" not in text:
        return w.strict([value], f"({{}} == {text!r})".format, "BOOLEAN")
    if "%" in inner:
        return w.strict([value], f"matches({{}}, {text!r})".format, "BOOLEAN")
    if text.startswith("%") and text.endswith("%"):
        return w.strict([value], f"({inner!r} in {{}})".format, "BOOLEAN")
    method = "endswith" if text.startswith("%") else "startswith"
    return w.strict([value], f"{{}}.{method}({inner!r})".format, "BOOLEAN")
