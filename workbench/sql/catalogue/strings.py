"""Splitting, joining, comparing. NULL in, NULL out, unless it says otherwise."""

from __future__ import annotations

from workbench.sql.catalogue.entry import Function, Part

_KEY_VALUES = "list_filter(string_split({text}, {separator}), lambda p: contains(p, {kv_separator}))"


def _side(name: str, place: int, what: str, example: str, gives: list[str]) -> Function:
    return Function(
        name,
        "text: text, separator: text, kv_separator: text",
        f"The {what} of the pairs in a text; parts that are no pair are left out.",
        example,
        gives,
        result=f"list_transform({_KEY_VALUES}, lambda p: string_split(p, {{kv_separator}})[{place}])",
        source="OpenMLDB",
    )


def _except(name: str, place: int, what: str, example: str, gives: list[str]) -> Function:
    return Function(
        name,
        "pairs: list, left_out: text",
        f"The pairs key:value of a list without those whose {what} stands in a comma-separated text.",
        example,
        gives,
        result=(
            "list_filter({pairs}, lambda p: NOT coalesce(list_contains(string_split({left_out}, ','), "
            f"string_split(p, ':')[{place}]), false))"
        ),
        source="OpenMLDB",
    )


def _window(name: str, parameters: str, of: str, part: str, example: str, gives: list[str]) -> Function:
    return Function(
        f"window_{name}",
        parameters,
        f"{of} of all the window's texts as one LIST, newest row first.",
        example,
        gives,
        parts={"texts": Part("list", ("{text}",), where="{text} IS NOT NULL")},
        result=f"flatten(list_transform(list_reverse({{texts}}), lambda t: {part}))",
        source="OpenMLDB",
    )


_PAIRS_OF_T = "list_filter(string_split(t, {separator}), lambda p: contains(p, {kv_separator}))"
_THREE = "text: text, separator: text, kv_separator: text"

FUNCTIONS = (
    Function(
        "split",
        "text: text, separator: text",
        "The parts of a text between separators.",
        "split(tags, ',')",
        ["c:2"],
        native="string_split",
        aliases=("split_array",),
        source="DuckDB",
    ),
    _side("split_by_key", 1, "keys", "split_by_key('a:1,b:2,c', ',', ':')", ["a", "b"]),
    _side("split_by_value", 2, "values", "split_by_value('a:1,b:2,c', ',', ':')", ["1", "2"]),
    _window(
        "split",
        "text: text, separator: text",
        "The parts",
        "string_split(t, {separator})",
        "window_split(tags, ',') OVER w",
        ["c:2", "a:5", "c:1", "b:3", "a:1", "b:2"],
    ),
    _window(
        "split_by_key",
        _THREE,
        "The keys of the pairs",
        f"list_transform({_PAIRS_OF_T}, lambda p: string_split(p, {{kv_separator}})[1])",
        "window_split_by_key(tags, ',', ':') OVER w",
        ["c", "a", "c", "b", "a", "b"],
    ),
    _window(
        "split_by_value",
        _THREE,
        "The values of the pairs",
        f"list_transform({_PAIRS_OF_T}, lambda p: string_split(p, {{kv_separator}})[2])",
        "window_split_by_value(tags, ',', ':') OVER w",
        ["2", "5", "1", "3", "1", "2"],
    ),
    _except(
        "list_except_by_key",
        1,
        "key",
        "list_except_by_key(split('a:1,b:2,c:3', ','), 'a,c')",
        ["b:2"],
    ),
    _except(
        "list_except_by_value",
        2,
        "value",
        "list_except_by_value(split('a:1,b:2,c:3', ','), '1,3')",
        ["b:2"],
    ),
    Function(
        "array_join",
        "list: list, separator: text",
        "The elements of a list as one text; NULL elements are left out.",
        "array_join(['a', NULL, 'b'], '-')",
        "a-b",
        native="array_to_string",
        source="DuckDB",
    ),
    Function(
        "array_combine",
        "separator: text, a: list, b: list",
        "Every element of the first list joined to every element of the second.",
        "array_combine('-', ['1', '2'], ['3', '4'])",
        ["1-3", "1-4", "2-3", "2-4"],
        result="flatten(list_transform({a}, lambda x: list_transform({b}, lambda y: x || {separator} || y)))",
        source="OpenMLDB",
    ),
    Function(
        "isin",
        "x, list: list",
        "Whether a list holds a value.",
        "isin(shop, ['food', 'fuel'])",
        True,
        result="list_contains({list}, {x})",
        source="OpenMLDB",
    ),
    Function(
        "size",
        "list: list",
        "How many elements a list has.",
        "size(split('a b c', ' '))",
        3,
        native="len",
        source="DuckDB",
    ),
    Function(
        "strcmp",
        "a: text, b: text",
        "-1, 0 or 1: how two texts compare, byte by byte.",
        "strcmp('text', 'texts')",
        -1,
        result="CASE WHEN {a} = {b} THEN 0 WHEN {a} < {b} THEN -1 WHEN {a} > {b} THEN 1 END",
        source="OpenMLDB",
    ),
    Function(
        "locate",
        "part: text, text: text, start: whole = 1",
        "Where a part first stands in a text, from a place on; counted from 1, 0 when nowhere.",
        "locate('o', 'food', 3)",
        3,
        result=(
            "CASE WHEN {start} < 1 OR strpos(substr({text}, greatest({start}, 1)), {part}) = 0 THEN 0 "
            "ELSE strpos(substr({text}, greatest({start}, 1)), {part}) + {start} - 1 END"
        ),
        source="OpenMLDB",
    ),
    Function(
        "char",
        "code: number",
        "The character of a code point.",
        "char(65)",
        "A",
        native="chr",
        source="DuckDB",
    ),
    Function(
        "like_match",
        "text: text, pattern: text",
        "Whether a text is LIKE a pattern; ilike_match in any case.",
        "like_match(shop, 'f__d')",
        True,
        result="{text} LIKE {pattern}",
        source="OpenMLDB",
    ),
    Function(
        "ilike_match",
        "text: text, pattern: text",
        "Whether a text is ILIKE a pattern.",
        "ilike_match(shop, 'F%')",
        True,
        result="{text} ILIKE {pattern}",
        source="OpenMLDB",
    ),
    Function(
        "regexp_like",
        "text: text, pattern: text",
        "Whether a regular expression matches a whole text.",
        "regexp_like(shop, 'f.*d')",
        True,
        result="regexp_full_match({text}, {pattern})",
        source="OpenMLDB",
    ),
    Function(
        "get_json_object",
        "json: text, path: text",
        "The text of a part of a JSON document, by JSON pointer or path.",
        """get_json_object('{"a": {"b": 1}}', '/a/b')""",
        "1",
        native="json_extract_string",
        source="DuckDB",
    ),
)
