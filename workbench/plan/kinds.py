"""What an output column is to a model: a continuous or a discrete feature, or a label.

A query says it with a signature function around an output (``discrete(city, 1000) AS city``), which leaves the value as
it is and is recorded in the plan; training-set writers turn values into what a trainer reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.errors import WorkbenchError, did_you_mean

LABELS = frozenset({"binary_label", "multiclass_label", "regression_label"})
KINDS = frozenset({"continuous", "discrete"}) | LABELS

_SIGNED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_INTEGERS = frozenset({*_SIGNED, *(f"U{name}" for name in _SIGNED)})


@dataclass(frozen=True)
class Kind:
    """A kind, with the number of buckets that a discrete one is hashed into (None: not bucketed)."""

    name: str
    buckets: int | None = None

    @property
    def is_label(self) -> bool:
        """Whether it is one of the labels."""
        return self.name in LABELS

    def __str__(self) -> str:
        return self.name if self.buckets is None else f"{self.name}:{self.buckets}"


def parse_kind(text: str) -> Kind:
    """Return the kind that a text such as ``discrete:1000`` names.

    Raises
    ------
    WorkbenchError
        There is no such kind, or it has no buckets.

    >>> parse_kind("discrete:8")
    Kind(name='discrete', buckets=8)
    """
    name, _, buckets = text.partition(":")
    if name not in KINDS:
        close = did_you_mean(name, KINDS)
        raise WorkbenchError(
            f"there is no kind {name!r}" + (f"; {close}" if close else ""),
            hint=f"kinds: {', '.join(sorted(KINDS))}",
        )
    if not buckets and ":" not in text:
        return Kind(name)
    if name != "discrete" or not buckets.isdigit() or int(buckets) < 1:
        raise WorkbenchError(f"{text!r} is not a kind", hint="a bucketed feature is written discrete:1000")
    return Kind(name, int(buckets))


def is_integer(type_: str) -> bool:
    """Whether a DuckDB type is an integer."""
    return type_ in _INTEGERS


def is_number(type_: str) -> bool:
    """Whether a DuckDB type is a number."""
    return is_integer(type_) or type_ in ("FLOAT", "DOUBLE") or type_.startswith("DECIMAL")


def misfit(kind: Kind, type_: str) -> str | None:
    """Return why a column of a type cannot be of a kind, or None when it can."""
    if kind.name in ("continuous", "regression_label") and not (is_number(type_) or type_ == "BOOLEAN"):
        return f"{kind.name} takes a number, not {type_}"
    if kind.name == "binary_label" and type_ != "BOOLEAN" and not is_integer(type_):
        return f"binary_label takes a BOOLEAN or an integer 0 or 1, not {type_}"
    if kind.name == "multiclass_label" and type_ != "BOOLEAN" and not is_integer(type_):
        return f"multiclass_label takes an integer or a BOOLEAN, not {type_}"
    if kind.name == "discrete" and (type_.endswith("]") or type_.startswith(("STRUCT", "MAP"))):
        return f"discrete takes a plain value, not {type_}"
    return None


def default_kind(type_: str) -> Kind | None:
    """Return the kind of a column that nobody gave one: by its type, None where no kind is natural."""
    if is_number(type_) or type_ == "BOOLEAN":
        return Kind("continuous")
    return Kind("discrete") if type_ == "VARCHAR" else None
