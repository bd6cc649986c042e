"""exp, log, tanh, sigmoid of whole vectors, sums over lanes, transposition: with the words of function.py alone.

The polynomials are those of S. Moshier's Cephes library (single precision, errors about 1e-7 relative). Not-a-number
stays not-a-number in all of them, so that a diverged training shows in its loss.
"""

from collections.abc import Sequence

from .function import Function
from .values import F32, I32, Value, like, width

MAGIC = 12582912.0  # 1.5·2²³: adding it rounds a small float to an integer, which then stands in the lowest bits


def horner(f: Function, x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial with these coefficients, the highest power first."""
    result = f.constant(coefficients[0], x.type)
    for c in coefficients[1:]:
        result = f.fma(result, x, f.constant(c, x.type))
    return result


def clamp(f: Function, x: Value, low: float, high: float) -> Value:
    """``x`` within [low, high]; not-a-number passes."""
    x = f.select(f.compare("olt", x, low), low, x)
    return f.select(f.compare("ogt", x, high), high, x)


def exp(f: Function, x: Value) -> Value:
    """eˣ for x in [−87, 88] (clamped): 2ⁿ·eʳ with n = round(x / ln 2), |r| ≤ ln 2 / 2."""
    x = clamp(f, x, -87.0, 88.0)
    shifted = f.fma(x, f.constant(1.44269504088896341, x.type), f.constant(MAGIC, x.type))
    n = shifted - MAGIC
    r = f.fma(n, f.constant(-0.693359375, x.type), x)
    r = f.fma(n, f.constant(2.12194440e-4, x.type), r)
    p = horner(f, r, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5))
    y = f.fma(p, r * r, r + 1.0)
    power = f.bits((f.bits(shifted, like(x.type, I32)) << 23) + 0x3F800000, x.type)
    return y * power


def log(f: Function, x: Value) -> Value:
    """ln x for normal x > 0."""
    integer = like(x.type, I32)
    bits = f.bits(x, integer)
    e = f.convert("sitofp", (bits >> 23) - 126, F32)
    m = f.bits((bits & 0x007FFFFF) | 0x3F000000, x.type)  # x = m·2ᵉ with m in [0.5, 1)
    small = f.compare("olt", m, 0.70710678118654752)
    e = f.select(small, e - 1.0, e)
    r = f.select(small, m + m, m) - 1.0
    z = r * r
    p = horner(
        f,
        r,
        (
            7.0376836292e-2,
            -1.1514610310e-1,
            1.1676998740e-1,
            -1.2420140846e-1,
            1.4249322787e-1,
            -1.6668057665e-1,
            2.0000714765e-1,
            -2.4999993993e-1,
            3.3333331174e-1,
        ),
    )
    y = r * z * p
    y = f.fma(e, f.constant(-2.12194440e-4, x.type), y)
    y = f.fma(z, f.constant(-0.5, x.type), y)
    result = f.fma(e, f.constant(0.693359375, x.type), r + y)
    return result + (x - x)  # not-a-number and infinity stay what they are


def tanh(f: Function, x: Value) -> Value:
    """tanh x: a polynomial near zero, 1 − 2 / (e²ˣ + 1) elsewhere."""
    z = x * x
    p = horner(f, z, (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1))
    near = f.fma(p * z, x, x)
    far = 1.0 - 2.0 / (exp(f, x * 2.0) + 1.0)
    size = f.intrinsic("fabs", x.type, x)
    return f.select(f.compare("olt", size, 0.625), near, far)


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + e⁻ˣ)."""
    return 1.0 / (exp(f, 0.0 - x) + 1.0)


def normal(f: Function, x: Value) -> tuple[Value, Value]:
    """Φ(x), the share of a normal distribution below x, and its density φ(x).

    M. Abramowitz, I. Stegun, Handbook of Mathematical Functions, 7.1.26 (error of Φ below 1e-7), for −|x|.
    """
    size = f.intrinsic("fabs", x.type, x) * 0.70710678118654752
    t = 1.0 / (size * 0.3275911 + 1.0)
    power = exp(f, 0.0 - size * size)
    tail = horner(f, t, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)) * t * power * 0.5
    return f.select(f.compare("ogt", x, 0.0), 1.0 - tail, tail), power * 0.39894228040143268


def lane_sums(f: Function, vectors: Sequence[Value]) -> Value:
    """The vector whose lane i is the sum over all lanes of ``vectors[i]`` (at most as many as there are lanes).

    Pairs of vectors are folded into one: the first half of the result holds sums of neighbours of the one, the second
    half of the other; after log₂(width) rounds one vector is left. Always in the same order. The first rounds stay
    within quarters of 4 lanes, which x86 shuffles faster than whole vectors; the others fold whole quarters.
    """
    lanes = width(vectors[0].type)
    quarter = min(4, lanes)
    level = list(vectors)
    for size, pieces in ((1, quarter), (quarter, lanes // quarter)):
        while pieces > 1:
            even, odd = (_every_other(lanes, size, quarter if size == 1 else lanes, first) for first in (0, 1))
            pairs = [(level[i], level[min(i + 1, len(level) - 1)]) for i in range(0, len(level), 2)]
            level = [f.shuffle(a, b, even) + f.shuffle(a, b, odd) for a, b in pairs]
            pieces //= 2
    return level[0]


def _every_other(lanes: int, size: int, part: int, first: int) -> list[int]:
    """Every other piece of ``size`` lanes, of each part of two vectors of ``lanes``: of the one, then of the other."""
    order: list[int] = []
    for start in range(0, lanes, part):
        for vector in (0, lanes):
            for piece in range(start + first * size, start + part, 2 * size):
                order += range(vector + piece, vector + piece + size)
    return order


def transpose(f: Function, rows: Sequence[Value]) -> list[Value]:
    """The columns of a square matrix given by its rows, in log₂(width) rounds of interleaving two rows."""
    n = len(rows)
    low = [i // 2 + n * (i % 2) for i in range(n)]
    high = [i + n // 2 for i in low]
    level = list(rows)
    rounds = n.bit_length() - 1
    for _ in range(rounds):
        level = [f.shuffle(level[i // 2], level[i // 2 + n // 2], high if i % 2 else low) for i in range(n)]
    return level
