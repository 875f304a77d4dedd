"""What the chain traded from row to row, and the level at which it did."""

from __future__ import annotations

import numpy as np

from optiq.market.panel import Panel
from optiq.market.schema import FloatArray


def volume_weighted_spot(panel: Panel) -> FloatArray:
    """Return the session's mean spot so far, (n_rows,) rupees, weighted by what was traded.

    The plain mean of the rows so far while nothing has been traded. Rows without spot count
    neither way; NaN before the first spot.
    """
    day = panel.so_far
    known = day.is_chain & ~np.isnan(day.spot)
    spot = np.where(known, day.spot, 0.0)
    units = np.where(known, day.units_traded, 0)
    traded = np.cumsum(units)
    with np.errstate(divide="ignore", invalid="ignore"):
        weighted, plain = np.cumsum(units * spot) / traded, np.cumsum(spot) / np.cumsum(known)
    return np.where(traded > 0, weighted, plain)[panel.starts_at :]
