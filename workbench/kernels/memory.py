"""Reads and writes of memory by address, for compiled code; kinds of values; bytes; a buffer that grows.

Kernels get addresses of arrays rather than arrays: one signature of integers serves everything, a call costs nothing to
unpack, and the compiled code stands alone. Whoever calls keeps the arrays alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from workbench.kernels.layout import F32, F64, I8, I16, I32, MISSING

#: Compiled without checks and exceptions, so that the machine code needs nothing of numba when it runs.
jit = numba.njit(error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

_I64 = ir.IntType(64)


def _pointer(builder: Any, address: Any, index: Any, kind: Any) -> Any:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])


def _loader(name: str, kind: Any, result: Any, widen: Callable[[Any, Any], Any] | None) -> Any:
    def load(typingctx: Any, address: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(_pointer(builder, args[0], args[1], kind))
            return value if widen is None else widen(builder, value)

        return result(types.int64, types.int64), codegen

    load.__name__ = load.__qualname__ = name
    return intrinsic(load)


def _storer(name: str, kind: Any, value: Any) -> Any:
    def store(typingctx: Any, address: Any, index: Any, new: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = args[2]
            if isinstance(kind, ir.IntType) and kind.width < 64:
                given = builder.trunc(given, kind)
            builder.store(given, _pointer(builder, args[0], args[1], kind))
            return context.get_dummy_value()

        return types.none(types.int64, types.int64, value), codegen

    store.__name__ = store.__qualname__ = name
    return intrinsic(store)


def _signed(builder: Any, value: Any) -> Any:
    return builder.sext(value, _I64)


def _unsigned(builder: Any, value: Any) -> Any:
    return builder.zext(value, _I64)


def _double(builder: Any, value: Any) -> Any:
    return builder.fpext(value, ir.DoubleType())


load = _loader("load", _I64, types.int64, None)
load_i32 = _loader("load_i32", ir.IntType(32), types.int64, _signed)
load_i16 = _loader("load_i16", ir.IntType(16), types.int64, _signed)
load_i8 = _loader("load_i8", ir.IntType(8), types.int64, _signed)
load_u8 = _loader("load_u8", ir.IntType(8), types.int64, _unsigned)
load_f64 = _loader("load_f64", ir.DoubleType(), types.float64, None)
load_f32 = _loader("load_f32", ir.FloatType(), types.float64, _double)
store = _storer("store", _I64, types.int64)
store_i32 = _storer("store_i32", ir.IntType(32), types.int64)
store_u8 = _storer("store_u8", ir.IntType(8), types.int64)
store_f64 = _storer("store_f64", ir.DoubleType(), types.float64)


@intrinsic
def bits_of(typingctx: Any, value: Any) -> Any:
    """The 64 bits of a float."""
    return types.int64(types.float64), lambda context, builder, signature, args: builder.bitcast(
        args[0], _I64
    )


@intrinsic
def float_of(typingctx: Any, value: Any) -> Any:
    """The float of 64 bits."""
    return types.float64(types.int64), lambda context, builder, signature, args: builder.bitcast(
        args[0], ir.DoubleType()
    )


@intrinsic
def logical_shift(typingctx: Any, value: Any, by: Any) -> Any:
    """Shift right, filling with zeros."""
    return types.int64(types.int64, types.int64), lambda context, builder, signature, args: builder.lshr(
        *args
    )


@intrinsic
def below(typingctx: Any, left: Any, right: Any) -> Any:
    """Whether left < right as unsigned integers."""
    return types.boolean(
        types.int64, types.int64
    ), lambda context, builder, signature, args: builder.icmp_unsigned("<", *args)


@intrinsic
def fused(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z, rounded once."""

    return types.float64(
        types.float64, types.float64, types.float64
    ), lambda context, builder, signature, args: builder.fma(*args)


memcmp = types.ExternalFunction("memcmp", types.int32(types.int64, types.int64, types.int64))
_malloc = types.ExternalFunction("malloc", types.int64(types.int64))
_free = types.ExternalFunction("free", types.void(types.int64))


@jit
def load_int(values: int, kind: int, row: int) -> int:
    """A value of lane i, or a code."""
    if kind == I32:
        return load_i32(values, row)
    if kind == I16:
        return load_i16(values, row)
    if kind == I8:
        return load_i8(values, row)
    return load(values, row)


@jit
def load_float(values: int, kind: int, row: int) -> float:
    """A value of lane f."""
    if kind == F64:
        return load_f64(values, row)
    if kind == F32:
        return load_f32(values, row)
    return float(load_int(values, kind, row))


@jit
def is_valid(validity: int, row: int) -> bool:
    """Whether a bit of an Arrow bitmap is set; without a bitmap everything is valid."""
    return validity == 0 or (load_u8(validity, row >> 3) >> (row & 7)) & 1 != 0


@jit
def not_null(values: int, kind: int, validity: int, row: int) -> bool:
    """Whether the value of a row is not NULL."""
    return kind != MISSING and is_valid(validity, row)


@jit
def compare_bytes(left: int, left_size: int, right: int, right_size: int) -> int:
    """-1, 0 or 1: the order of two byte strings."""
    found = memcmp(left, right, min(left_size, right_size))
    if found != 0:
        return -1 if found < 0 else 1
    if left_size == right_size:
        return 0
    return -1 if left_size < right_size else 1


@jit
def buffer(holder: int, words: int) -> int:
    """The address of a buffer of at least that many words; ``holder`` is two words: its address and its size.

    What was in it may be lost.
    """
    if load(holder, 1) < words:
        if load(holder, 0) != 0:
            _free(load(holder, 0))
        size = max(words + words // 2, 1024)
        store(holder, 0, _malloc(size * 8))
        store(holder, 1, size)
    return load(holder, 0)


@jit
def release(holder: int) -> int:
    """Give the buffer back."""
    if load(holder, 0) != 0:
        _free(load(holder, 0))
    store(holder, 0, 0)
    store(holder, 1, 0)
    return 0
