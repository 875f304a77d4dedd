"""How strongly a signal speaks: 0 at its threshold, 100 where it could hardly say more."""

from __future__ import annotations

import numpy as np

from optiq.market.schema import FloatArray


def strength(
    value: FloatArray, zero_at: FloatArray | float, full_at: FloatArray | float
) -> FloatArray:
    """Return 0 where ``value`` is ``zero_at``, 100 where ``full_at``, a straight line between.

    Never below 0 or above 100; 0 where unknown. ``full_at`` may be the smaller of the two.

    >>> strength(np.array([75.0, 80.0, 110.0, np.nan]), 75.0, 100.0)
    array([  0.,  20., 100.,   0.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (value - zero_at) / (np.asarray(full_at) - zero_at)
    return 100.0 * np.nan_to_num(np.clip(share, 0.0, 1.0), nan=0.0)
