"""Products of float32 matrices in machine code, in the words of the jit engine, for CPUs with AVX-512.

C = A·B by blocks of ROWS rows and two vectors of columns, whose sums are in registers. For every two vectors of columns
those of B are first copied behind each other, so that all blocks of rows read them from the first-level cache. On a
Zen 5, torch 2.13 (MKL) takes 2.2 times as long for 256×256 by 256×2,304. Elsewhere, and for other shapes, it is torch.
"""

from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from ..ir import registers
from ..ir.arrays import Index
from ..ir.function import Function, Module
from ..ir.values import F32, I64, PTR, Value, vector
from .host import COMPILING, Code, available, machine
from .runtime import Native, native

ROWS, WIDTH = 8, 16
COLUMNS = 2 * WIDTH
WORTH = 1_000_000  # multiply-adds


def product(a: Tensor, b: Tensor, symmetric: bool = False, out: Tensor | None = None) -> Tensor:
    """a @ b for float32 (N, K) and (K, M), by the caller's thread alone where it is machine code.

    ``symmetric``: the result is known to be, so half of it is computed. ``out``: where to write it, contiguous.
    """
    (n, k), m = a.shape, b.shape[1]
    fits = n % ROWS == 0 and m % COLUMNS == 0 and n * k * m >= WORTH and a.stride(1) == 1
    if not fits or a.dtype != torch.float32 or a.device.type != "cpu" or not there_is():
        return torch.mm(a, b, out=out)
    result, panel = a.new_empty(n, m) if out is None else out, a.new_empty(k * COLUMNS)
    places = [tensor.data_ptr() for tensor in (a, b, result, panel)]
    job = np.array([*places, n, k, m, *(4 * step for step in (a.stride(0), *b.stride())), symmetric], np.int64)
    _compiled()(job.ctypes.data, 0)
    return result


@cache
def there_is() -> bool:
    """Whether there is machine code for this processor."""
    return "avx512" in available()


@cache
def _compiled() -> Native:
    with COMPILING:
        code = Code(_text(), machine(), None)
    _CODES.append(code)  # it lives as long as its function
    return native(code.address("run"))


_CODES: list[Code] = []


def _factor(f: Function, rows: list[Value], i: Index, q: int) -> Value:
    """Number i of row q in every lane."""
    return f.splat(f.load(F32, rows[q], (i, 4)), WIDTH)


def _text() -> str:
    module, kind, size = Module(32 * WIDTH), vector(WIDTH), 4 * WIDTH
    f = module.function("run", [("job", PTR), ("thread", I64)], public=True)
    a, b, c, panel = (f.load(PTR, f["job"], 8 * slot) for slot in range(4))
    n, k, m, a_row, b_row, b_column, symmetric = (f.load(I64, f["job"], 8 * slot) for slot in range(4, 11))
    with f.loop(m, 0, COLUMNS) as j:
        here = f.address(b, f.integer(j) * b_column)
        with f.when(f.compare("eq", b_column, 4)), f.loop(k) as i:
            for v in range(2):
                part = f.load(kind, here, f.integer(i) * b_row, v * size, align=4)
                f.store(part, panel, (i, 4 * COLUMNS), v * size, align=4)
        with f.when(f.compare("ne", b_column, 4)):
            places = [f.address(here, b_column * u) for u in range(COLUMNS)]
            with f.loop(k) as i:
                for u, place in enumerate(places):
                    f.store(f.load(F32, place, f.integer(i) * b_row), panel, (i, 4 * COLUMNS), 4 * u)
        with f.loop(n, f.integer(j) * symmetric, ROWS) as r:  # from the diagonal down, or all
            rows = [f.address(a, (f.integer(r) + q) * a_row) for q in range(ROWS)]
            sums = registers.zeros(f, ROWS, 2, kind)
            with f.loop(k) as i:
                columns = [f.load(kind, panel, (i, 4 * COLUMNS), v * size, align=4) for v in range(2)]
                registers.accumulate(f, sums, partial(_factor, f, rows, i), columns)
            for q, totals in enumerate(sums):
                for v, total in enumerate(totals):
                    f.store(total.value, c, (f.integer(r) + q) * m * 4, (j, 4), v * size, align=4)
    with f.when(f.compare("ne", symmetric, 0)):
        _mirror(f, c, n)
    return module.text()


def _mirror(f: Function, c: Value, n: Value) -> None:
    """What is above the diagonal of (n, n) from what is below, few rows at a time: their lines lie 4·n bytes apart,
    and a whole column of them would not stay in the first-level cache."""
    row = n * 4
    with f.loop(n, 0, ROWS) as first:
        rows = [f.address(c, (f.integer(first) + q) * row) for q in range(ROWS)]
        with f.loop(f.integer(first)) as i:
            above = f.address(c, f.integer(i) * row, (first, 4))
            for q in range(ROWS):
                f.store(f.load(F32, rows[q], (i, 4)), above, 4 * q)
        for q in range(ROWS):
            for i in range(q):
                f.store(f.load(F32, rows[q], (first, 4), 4 * i), rows[i], (first, 4), 4 * q)
