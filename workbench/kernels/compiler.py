"""Compiles the kernels to one object file. Only what compiles imports this: it needs numba.

numba turns the functions into LLVM's language; all of them are optimised once, together, for this machine's processor.
(Left alone, numba optimises and links every function with all that it calls, which takes four times as long.)
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import llvmlite.binding as llvm
from numba import types
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext

from workbench.kernels import evaluate
from workbench.kernels.object_file import OBJECT, SYMBOL, target_machine

_SIGNATURE = (types.int64, types.int64)


def compile_kernels(folder: Path) -> None:
    """Write the object file and the name of its function with the file's checksum into a folder."""
    with _unoptimised():
        evaluate.entry.compile(_SIGNATURE)
        compiled = evaluate.entry.overloads[_SIGNATURE]
        with global_compiler_lock:
            compiled.library.finalize()
    symbol = str(compiled.fndesc.llvm_func_name)
    content = _optimised(compiled.library.get_llvm_str(), symbol)
    _write(folder / OBJECT, content)
    _write(folder / SYMBOL, f"{symbol} {zlib.crc32(content)}".encode())


@contextmanager
def _unoptimised() -> Iterator[None]:
    """Keep numba from making machine code of each function; it tells them apart by something callable."""

    def keep(library: CPUCodeLibrary) -> None:
        library._finalized = True

    with (
        patch.object(CPUCodeLibrary, "_optimize_functions", lambda self, module: None),
        patch.object(CPUCodeLibrary, "_optimize_final_module", lambda self: None),
        patch.object(CPUCodeLibrary, "_finalize_final_module", keep),
        patch.object(CPUContext, "get_executable", lambda *_: [].append),
    ):
        yield


def _optimised(text: str, symbol: str) -> bytes:
    target = target_machine()
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_process_triple()
    module.data_layout = str(target.target_data)
    for function in module.functions:
        if not function.is_declaration and function.name != symbol:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return target.emit_object(module)


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
