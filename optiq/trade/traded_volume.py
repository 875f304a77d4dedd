"""What the chain traded from row to row, and the level at which it did."""

from __future__ import annotations

import numpy as np
from numba import njit

from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray, IntArray
from optiq.trade.tradability import first_row


def volume_weighted_spot(panel: Panel) -> FloatArray:
    """Return the session's mean spot so far, (n_rows,) rupees, weighted by what was traded.

    The plain mean of the rows so far while nothing has been traded. Rows without spot count
    neither way; NaN before the first spot.
    """
    known = panel.is_chain & ~np.isnan(panel.spot)
    spot = np.where(known, panel.spot, 0.0)
    units = np.where(known, traded_units(panel), 0)
    traded = np.cumsum(units)
    with np.errstate(divide="ignore", invalid="ignore"):
        weighted, plain = np.cumsum(units * spot) / traded, np.cumsum(spot) / np.cumsum(known)
    return np.where(traded > 0, weighted, plain)


def traded_units(panel: Panel) -> IntArray:
    """Return (n_rows,) units that all contracts together traded since the chain row before.

    A contract's volume is the last known one across gaps. Its first is no trade, as nobody knows
    at what level the day's earlier trades took place; neither is a fall, after which it counts
    from the lower one on.
    """
    units: IntArray = _traded_units(panel.volume, panel.is_chain, first_row(panel))
    return units


@njit(cache=True, error_model="numpy")
def _traded_units(volume: FloatArray, is_chain: BoolArray, first: IntArray) -> IntArray:
    n_rows, n_contracts = volume.shape
    traded = np.zeros(n_rows, np.int64)
    for c in range(n_contracts):
        last = -1
        for r in range(first[c], n_rows):  # unpriced, a contract does not exist yet
            if is_chain[r] and volume[r, c] >= 0.0:  # not where NaN
                now = int(np.rint(volume[r, c]))
                if last >= 0:
                    traded[r] += max(now - last, 0)
                last = now
    return traded
