"""Loads compiled kernels into this process, with llvmlite alone: no numba, some milliseconds."""

from __future__ import annotations

import ctypes
import platform
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

OBJECT, SYMBOL = "kernels.o", "symbol"
SINGLE, BATCH, FILL_TREE, FILL_NEWER, FILL_SLOTS, RELEASE = range(6)


def target_machine() -> Any:
    """Return LLVM's description of this machine: its processor with all that it can."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="static" if platform.machine() in ("x86_64", "AMD64") else "default",
        codemodel="jitdefault",
        jit=True,
    )


class Machine:
    """The compiled code: one function of a task and the address of its arguments.

    Raises
    ------
    OSError
        When the file cannot be read or is not what it should be.
    """

    def __init__(self, folder: Path) -> None:
        import llvmlite.binding as llvm

        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
        symbol, checksum = (folder / SYMBOL).read_text().split()
        content = (folder / OBJECT).read_bytes()
        if zlib.crc32(content) != int(checksum):
            raise OSError(f"{folder / OBJECT} does not have the checksum it was written with")
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(content))
        self._engine.finalize_object()
        found = self._engine.get_function_address(symbol)
        if not found:
            raise OSError("the compiled kernels have no entry")
        value, error = ctypes.c_int64(), ctypes.c_void_p()
        self._kept = value, error
        self._out, self._error = ctypes.addressof(value), ctypes.addressof(error)
        parameters = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
        #: Releases the interpreter, for what takes long.
        self._free = ctypes.CFUNCTYPE(ctypes.c_int32, *parameters)(found)
        self._quick = ctypes.PYFUNCTYPE(ctypes.c_int32, *parameters)(found)

    def run(self, task: int, *arguments: int) -> None:
        """Run a task; other threads go on meanwhile."""
        words = np.array([*arguments, 0, 0, 0, 0], dtype=np.int64)
        self._free(self._out, self._error, task, words.ctypes.data)

    def single(self, words: npt.NDArray[np.int64]) -> Callable[[], int]:
        """Return what evaluates a single request whose arguments stand in ``words``, holding the interpreter."""
        quick, out, error, address = self._quick, self._out, self._error, words.ctypes.data

        def run() -> int:
            return quick(out, error, SINGLE, address)

        return run
