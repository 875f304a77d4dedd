"""Elementary functions as polynomials without branches, for loops that the compiler vectorises.

Every multiply-add is asked for by name and nothing is left to the compiler's liking, so a value
has the same bits alone, in a chain or in a day, and on every machine with the instruction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic as numba_intrinsic

Function = Callable[[float], float]
intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = numba_intrinsic
"""Retyped: what it returns is called with the arguments after the typing context."""

LOG_TWO_HIGH = 6.93147180369123816490e-01
LOG_TWO_LOW = 1.90821492927058770002e-10
LOG_TWO_INVERSE = 1.0 / math.log(2.0)

MANTISSA_BITS = np.uint64(52)
EXPONENT_ZERO = np.uint64(1023)
TWO_TO_52_BITS = np.uint64(0x4330000000000000)
TWO_TO_52_AND_ZERO = 2.0**52 + 1023.0
ROUNDER = 1.5 * 2.0**52
"""Added to a number below 2**51 it leaves the nearest integer in the low bits."""

HALF_ROOT_BITS = np.uint64(np.float64(math.sqrt(0.5)).view(np.uint64))
HALF_ROOT_OFFSET = np.uint64((1023 << 52) - int(HALF_ROOT_BITS))

LOWEST_EXPONENT = -700.0
"""exp is taken to be exp(-700) below it, which keeps it away from subnormal numbers."""


@intrinsic
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


@intrinsic
def bits_of(typing: Any, number: Any) -> Any:
    """Return the 64 bits of a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.uint64))

    return types.uint64(types.float64), generate


@intrinsic
def number_of(typing: Any, bits: Any) -> Any:
    """Return the number that has these 64 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.uint64), generate


def polynomial(*coefficients: float) -> Function:
    """Return a compiled c0 + c1 x + c2 x**2 + ... by Horner's rule."""

    @intrinsic
    def evaluate(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            constants = [context.get_constant(types.float64, c) for c in coefficients]
            total = constants.pop()
            while constants:
                total = builder.fma(total, arguments[0], constants.pop())
            return total

        return types.float64(types.float64), generate

    return evaluate


# Chebyshev fits made in 60 digits; the relative error of the whole function is in the comment.
log_tail = polynomial(  # (2 atanh(z) / z - 2) / z**2 in z**2, log within 5e-18
    0.666666666666667,
    0.3999999999989889,
    0.28571428626253836,
    0.22222211089379496,
    0.1818289243253687,
    0.15331611722055008,
    0.14617807153417325,
)
exp_tail = polynomial(  # (exp(r) - 1 - r) / r**2, exp within 2e-17
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666662413,
    0.008333333333330062,
    0.0013888888917213717,
    0.00019841269863053618,
    2.4801521295954376e-05,
    2.7557268459997064e-06,
    2.7620088445409746e-07,
    2.510038549551032e-08,
)
# erfcx(w - 1) for w >= 0 within 9e-17; no coefficient is negative, so no digit cancels.
erfcx_above = polynomial(
    5.008980080762283,
    10.835900751545388,
    12.954161192361676,
    10.692662573483787,
    6.5965039277153155,
    3.145811101493501,
    1.1738966565860567,
    0.3418145087099675,
    0.07625112952752913,
    0.01249865786711516,
    0.0013746464281633953,
    7.93790919810491e-05,
)
erfcx_below = polynomial(
    1.0,
    4.388566080466419,
    9.126666056732141,
    11.92338509313719,
    10.93095540161588,
    7.434502600987405,
    3.863016131425037,
    1.5533389585928867,
    0.4829937299952062,
    0.11428691046424248,
    0.019787144801127473,
    0.002295801577968505,
    0.00014069577726319367,
)


@njit(cache=True, error_model="numpy", forceinline=True)
def polynomial_log_ratio(above: float, below: float, ratio: float) -> float:
    """Return log(above / below) of positive numbers; ``ratio`` is that quotient, rounded.

    Near 1 the difference of the two is taken before any rounding.
    """
    shifted = bits_of(ratio) + HALF_ROOT_OFFSET
    biased = shifted >> MANTISSA_BITS
    exponent = number_of(biased | TWO_TO_52_BITS) - TWO_TO_52_AND_ZERO
    scale = number_of((EXPONENT_ZERO + EXPONENT_ZERO - biased) << MANTISSA_BITS)
    scaled = above * scale
    z = (scaled - below) / (scaled + below)
    z2 = z * z
    mantissa_log = multiply_add(z * z2, log_tail(z2), z + z)
    small = multiply_add(exponent, LOG_TWO_LOW, mantissa_log)
    logarithm: float = multiply_add(exponent, LOG_TWO_HIGH, small)
    return logarithm


@njit(cache=True, error_model="numpy", forceinline=True)
def polynomial_log(number: float) -> float:
    """Return the natural logarithm of a positive normal number."""
    return polynomial_log_ratio(number, 1.0, number)


@njit(cache=True, error_model="numpy", forceinline=True)
def polynomial_exp(exponent: float) -> float:
    """Return exp of a number below 700; numbers below -700 are taken to be -700."""
    bounded = exponent if exponent > LOWEST_EXPONENT else LOWEST_EXPONENT
    rounded = multiply_add(bounded, LOG_TWO_INVERSE, ROUNDER)
    halvings = rounded - ROUNDER
    rest = multiply_add(halvings, -LOG_TWO_HIGH, bounded)
    rest = multiply_add(halvings, -LOG_TWO_LOW, rest)
    power = multiply_add(rest * rest, exp_tail(rest), rest) + 1.0
    scaled: float = number_of(bits_of(power) + (bits_of(rounded) << MANTISSA_BITS))
    return scaled


@njit(cache=True, error_model="numpy", forceinline=True)
def polynomial_erfcx(x: float) -> float:
    """Return exp(x**2) erfc(x) for x >= -1."""
    return erfcx_above(x + 1.0) / erfcx_below(x + 1.0)
