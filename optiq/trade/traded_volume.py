"""What the chain traded from row to row, and the level at which it did."""

from __future__ import annotations

import numpy as np

from optiq.market.counts import traded_units
from optiq.market.moneyness import first_row
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray, IntArray


def volume_weighted_spot(panel: Panel) -> FloatArray:
    """Return the session's mean spot so far, (n_rows,) rupees, weighted by what was traded.

    The plain mean of the rows so far while nothing has been traded. Rows without spot count
    neither way; NaN before the first spot.
    """
    known = panel.is_chain & ~np.isnan(panel.spot)
    spot = np.where(known, panel.spot, 0.0)
    units = np.where(known, units_traded(panel), 0)
    traded = np.cumsum(units)
    with np.errstate(divide="ignore", invalid="ignore"):
        weighted, plain = np.cumsum(units * spot) / traded, np.cumsum(spot) / np.cumsum(known)
    return np.where(traded > 0, weighted, plain)


def units_traded(panel: Panel) -> IntArray:
    """Return (n_rows,) units that all contracts together traded since the chain row before."""
    volume = np.where(panel.is_chain, panel.volume.T, np.nan)
    units: IntArray = traded_units(np.ascontiguousarray(volume), first_row(panel))
    return units
