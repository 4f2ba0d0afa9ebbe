"""A fingerprint of rows: equal for equal rows in equal order, however they are cut into batches.

Arrow leaves what lies under NULLs, the offsets and the cutting into batches open; the fingerprint depends on none of
them, only on the values. It is a running hash, so rows of any number pass through it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.values.columns import is_bytes, is_text

_WIDTHS = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


class Fingerprint:
    """The running hash of rows with one schema.

    >>> rows = pa.table({"a": [1, None, 3]})
    >>> whole, parts = Fingerprint(rows.schema), Fingerprint(rows.schema)
    >>> whole.add(rows); parts.add(rows.slice(0, 1)); parts.add(rows.slice(1))
    >>> whole.hex() == parts.hex(), whole.rows
    (True, 3)
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._head = "\n".join(f"{field.name} {field.type}" for field in schema)
        self._hashes: dict[str, Any] = {}

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Take in more rows."""
        self.rows += rows.num_rows
        for at, column in enumerate(rows.columns):
            for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                self._feed(str(at), chunk)

    def through(self, batches: Iterator[pa.RecordBatch] | pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Yield the batches after taking them in."""
        for batch in batches:
            self.add(batch)
            yield batch

    def hex(self) -> str:
        """Return the fingerprint of all rows so far."""
        total = hashlib.blake2b(f"{self.rows}\n{self._head}".encode(), digest_size=16)
        for name in sorted(self._hashes):
            total.update(name.encode() + self._hashes[name].digest())
        return total.hexdigest()

    def _update(self, name: str, data: Any) -> None:
        running = self._hashes.get(name)
        if running is None:
            running = self._hashes[name] = hashlib.blake2b(digest_size=16)
        running.update(data)

    def _feed(self, name: str, array: Any) -> None:
        if len(array) == 0:
            return
        valid = array.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False)
        self._update(name, valid.tobytes())
        types, kind = pa.types, array.type
        if types.is_struct(kind):
            for at, child in enumerate(array.flatten()):
                self._feed(f"{name}.{at}", child)
        elif types.is_list(kind) or types.is_map(kind):
            self._feed_list(name, array)
        elif is_text(kind) or is_bytes(kind):
            self._feed_bytes(name, array)
        elif types.is_decimal(kind):
            self._update(f"{name}/v", _fixed_bytes(array, valid, kind.byte_width))
        elif types.is_boolean(kind):
            self._update(f"{name}/v", _numbers(array.cast(pa.uint8())))
        else:
            self._update(f"{name}/v", _numbers(array.view(_WIDTHS[kind.bit_width])))

    def _feed_list(self, name: str, array: Any) -> None:
        offsets = array.offsets.to_numpy()
        lengths = np.diff(offsets).astype(np.int64)
        lengths[~array.is_valid().to_numpy(zero_copy_only=False)] = 0
        self._update(f"{name}/n", lengths.tobytes())
        if pa.types.is_map(array.type):
            array = array.cast(pa.list_(pa.struct([("k", array.type.key_type), ("v", array.type.item_type)])))
        self._feed(f"{name}[]", array.flatten())

    def _feed_bytes(self, name: str, array: Any) -> None:
        if array.null_count:
            array = array.fill_null("" if is_text(array.type) else b"")
        _, offset_buffer, data = array.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[array.offset : array.offset + len(array) + 1]
        self._update(f"{name}/n", np.diff(offsets).tobytes())
        if data is not None:
            self._update(f"{name}/v", memoryview(data)[offsets[0] : offsets[-1]])


def _numbers(array: Any) -> bytes:
    if array.null_count:
        array = pc.fill_null(array, 0)
    return array.to_numpy(zero_copy_only=False).tobytes()


def _fixed_bytes(array: Any, valid: Any, width: int) -> bytes:
    start = array.offset * width
    raw = np.frombuffer(array.buffers()[1], np.uint8)[start : start + len(array) * width].reshape(-1, width)
    return bytes((raw * valid[:, None]).astype(np.uint8).tobytes())
