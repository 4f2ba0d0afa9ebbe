"""Training sets as the text that trainers read: CSV with hashed discretes, and LIBSVM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from workbench.errors import NotFound, RowError, WorkbenchError, did_you_mean
from workbench.offline.hashing import hashes
from workbench.plan.kinds import Kind, default_kind, is_number, misfit, parse_kind
from workbench.values import wire
from workbench.values.types import arrow_type, duckdb_type

#: What people may write for a kind.
KindLike: TypeAlias = Kind | str | tuple[str, int]
#: How a file is written: exactly, or as OpenMLDB writes it.
Format: TypeAlias = Literal["exact", "openmldb"]

#: How many buckets a discrete column of a LIBSVM file has, where nothing says it.
BUCKETS = 1 << 20


def resolved(
    columns: Mapping[str, str], known: Mapping[str, Kind], given: Mapping[str, KindLike] | None
) -> dict[str, Kind]:
    """Return the kinds that columns have: those of the query, and over them those given.

    Raises
    ------
    NotFound
        A kind is given for a column that is not there.
    WorkbenchError
        It is no kind, or does not fit the column's type.
    """
    kinds = {name: kind for name, kind in known.items() if name in columns}
    by_folded = {name.casefold(): name for name in columns}
    for name, wanted in (given or {}).items():
        column = by_folded.get(name.casefold())
        if column is None:
            close = did_you_mean(name, columns)
            raise NotFound(f"there is no column {name!r} to give a kind" + (f"; {close}" if close else ""))
        kind = _kind(wanted)
        problem = misfit(kind, columns[column])
        if problem is not None:
            raise WorkbenchError(f"column {column!r}: {problem}", field=column)
        kinds[column] = kind
    return kinds


def _kind(wanted: KindLike) -> Kind:
    if isinstance(wanted, Kind):
        return wanted
    return parse_kind(wanted if isinstance(wanted, str) else ":".join(map(str, wanted)))


# -- CSV


def write_csv(
    path: Path,
    batches: Iterable[pa.RecordBatch],
    columns: Mapping[str, str],
    kinds: Mapping[str, Kind],
    header: bool,
) -> None:
    """Write rows as CSV, batch by batch, discrete columns hashed: see :meth:`workbench.offline.Result.to_csv`."""
    empty = [
        _csv_column(pa.array([], arrow_type(type_)), type_, kinds.get(n)) for n, type_ in columns.items()
    ]
    schema = pa.schema([(name, array.type) for name, array in zip(columns, empty, strict=True)])
    options = pacsv.WriteOptions(include_header=header, quoting_style="needed")
    with pacsv.CSVWriter(path, schema, write_options=options) as writer:
        for batch in batches:
            arrays = [
                _csv_column(batch.column(place), type_, kinds.get(name)).cast(schema.field(place).type)
                for place, (name, type_) in enumerate(columns.items())
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def csv_lines(
    batches: Iterable[pa.RecordBatch], columns: Mapping[str, str], kinds: Mapping[str, Kind]
) -> Iterator[pa.Array]:
    """Yield the lines that OpenMLDB's ``csv(...)`` gives for rows: floats with six digits, NULL as nothing."""
    for batch in batches:
        parts = []
        for place, (name, type_) in enumerate(columns.items()):
            values = batch.column(place)
            kind = kinds.get(name) or default_kind(type_)
            if kind is not None and kind.name == "discrete":
                parts.append(hashes(values, kind.buckets).cast(pa.string()))
            else:
                parts.append(_number(values, "openmldb", name, kind))
        yield pc.binary_join_element_wise(*parts, ",", null_handling="replace", null_replacement="")


def _csv_column(values: pa.Array, type_: str, kind: Kind | None) -> pa.Array:
    if kind is not None and kind.name == "discrete":
        return hashes(values, kind.buckets)
    kept = (
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_string,
        pa.types.is_date,
    )
    if any(is_kept(values.type) for is_kept in kept) or pa.types.is_timestamp(values.type):
        return values
    return _texts(values, type_)


# -- LIBSVM


def libsvm_slots(
    columns: Mapping[str, str], kinds: Mapping[str, Kind], label: str, buckets: int, form: Format
) -> dict[str, tuple[int, Kind]]:
    """Return the first slot and the kind of each feature.

    Slots count from 1 in the order of the columns. A continuous feature takes one; a discrete one takes as many as it
    has buckets.

    Raises
    ------
    WorkbenchError
        A column has no kind that a LIBSVM file can hold.
    """
    slots = {}
    slot = 1
    for name, type_ in columns.items():
        if name == label:
            continue
        kind = kinds.get(name) or default_kind(type_)
        if kind is None or kind.is_label:
            raise WorkbenchError(
                f"column {name!r} ({type_}) cannot be a feature of a LIBSVM file"
                + (": there is another label" if kind else ""),
                hint=f"leave it out with exclude={name!r}, or say what it is: kinds={{{name!r}: 'discrete:1000'}}",
                field=name,
            )
        if kind.name == "discrete" and kind.buckets is None and form == "exact":
            kind = Kind("discrete", buckets)
        slots[name] = (slot, kind)
        slot += 1 if kind.name == "continuous" else kind.buckets or 0
    return slots


def libsvm_label(
    columns: Mapping[str, str], kinds: Mapping[str, Kind], known: Sequence[str], label: str | None
) -> str:
    """Return the column that is the label of a LIBSVM file.

    Raises
    ------
    NotFound
        There is no such column.
    WorkbenchError
        None, or more than one, is known to be the label.
    """
    if label is not None:
        if label not in columns:
            close = did_you_mean(label, columns)
            raise NotFound(f"there is no column {label!r} to be the label" + (f"; {close}" if close else ""))
        return label
    marked = [name for name, kind in kinds.items() if kind.is_label] or list(known)
    if len(marked) != 1:
        found = f"{', '.join(marked)} are all labels" if marked else "no column is the label"
        raise WorkbenchError(
            f"a LIBSVM file has one label: {found}", hint="say which: to_libsvm(path, label='y')"
        )
    return marked[0]


def libsvm_lines(
    batches: Iterable[pa.RecordBatch],
    columns: Mapping[str, str],
    kinds: Mapping[str, Kind],
    label: str,
    slots: Mapping[str, tuple[int, Kind]],
    form: Format,
) -> Iterator[pa.Array]:
    """Yield the lines of a LIBSVM file, batch by batch.

    Raises
    ------
    RowError
        A row has no label.
    """
    places = {name: place for place, name in enumerate(columns)}
    done = 0
    for batch in batches:
        target = batch.column(places[label])
        if target.null_count:
            row = done + target.is_null().index(True).as_py()
            raise RowError(
                f"row {row} has no label ({label} is NULL)",
                hint="give such rows a value in the label's query: coalesce(sum(x) OVER w, 0)",
                field=label,
                row=row,
            )
        parts = [_number(target, form, label, kinds.get(label, Kind("multiclass_label")))]
        for name, (slot, kind) in slots.items():
            values = batch.column(places[name])
            if kind.name == "discrete":
                index = hashes(values, kind.buckets)
                if kind.buckets is not None:
                    index = pc.add(index, slot)
                parts.append(pc.binary_join_element_wise(index.cast(pa.string()), "1", ":"))
            else:
                parts.append(pc.binary_join_element_wise(str(slot), _number(values, form, name, kind), ":"))
        yield pc.binary_join_element_wise(*parts, " ", null_handling="skip")
        done += batch.num_rows


# -- numbers and texts


def _number(values: pa.Array, form: Format, name: str, kind: Kind | None = None) -> pa.Array:
    """Numbers as text: the shortest that reads back as the same float, or as OpenMLDB writes a kind."""
    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8()).cast(pa.string())
    whole = pa.types.is_integer(values.type)
    if form == "openmldb" and not whole and (kind is None or kind.name in ("continuous", "regression_label")):
        return _fixed(values, name)
    if not is_number(duckdb_type(values.type)):
        raise WorkbenchError(f"column {name!r} is not a number", field=name)
    return values.cast(pa.string())


def _fixed(values: pa.Array, name: str) -> pa.Array:
    try:
        return pa.array([None if v is None else f"{float(v):f}" for v in values.to_pylist()], pa.string())
    except (TypeError, ValueError):
        raise WorkbenchError(f"column {name!r} is not a number", field=name) from None


def _texts(values: pa.Array, type_: str) -> pa.Array:
    """Values that CSV has no form for, as the text of their JSON form."""
    encode = wire.encoder({"value": type_})
    made: list[str | None] = []
    for value in values.to_pylist():
        encoded: Any = None if value is None else encode({"value": value})["value"]
        made.append(
            encoded if encoded is None or isinstance(encoded, str) else orjson.dumps(encoded).decode()
        )
    return pa.array(made, pa.string())
