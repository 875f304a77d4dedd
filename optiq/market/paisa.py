"""The one rounding of a quoted price: half up to the paisa."""

from __future__ import annotations

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.schema import AnyArray, FloatArray


@compiled
def to_paisa(price: AnyArray) -> FloatArray:
    """Return prices in rupees rounded half up to the paisa, as float64; NaN stays NaN.

    A single price too, in compiled loops.

    >>> to_paisa(np.array([109.37, 0.125, np.nan], np.float32))
    array([109.37,   0.13,    nan])
    """
    paisa: FloatArray = np.floor(price * 100.0 + 0.5) / 100.0
    return paisa
