"""The one rounding of a quoted price: half up to the paisa."""

from __future__ import annotations

import numpy as np
from numba import vectorize

from optiq.market.schema import AnyArray, FloatArray


@vectorize(["f8(f4)", "f8(f8)"], cache=True)  # type: ignore[untyped-decorator,no-untyped-call]
def rounded(price: float) -> float:
    """Round one price, in compiled loops too; `to_paisa` for those who have an array."""
    return float(np.floor(price * 100.0 + 0.5)) / 100.0


def to_paisa(price: AnyArray) -> FloatArray:
    """Return prices in rupees rounded half up to the paisa, as float64; NaN stays NaN.

    >>> to_paisa(np.array([109.37, 0.125, np.nan], np.float32))
    array([109.37,   0.13,    nan])
    """
    paisa: FloatArray = rounded(price)
    return paisa
