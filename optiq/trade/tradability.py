"""Which contracts are worth looking at on which row: shared by every strategy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from optiq.market.asked_once import asked_once
from optiq.market.compiling import compiled
from optiq.market.moneyness import (
    first_row_of_expiry,
    nearest_expiry,
    steps_of_expiry,
    strikes_from_the_money,
)
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray, IntArray

__all__ = [
    "Tradable",
    "first_row_of_expiry",
    "in_band",
    "nearest_expiry",
    "steps_of_expiry",
    "strikes_from_the_money",
    "tradable",
]


@dataclass(frozen=True, slots=True)
class Tradable:
    """What a contract needs to be traded; every strategy's parameters start with these.

    Attributes
    ----------
    band
        Farthest strike from spot, as a fraction of spot.
    min_premium
        The last price must be above this, rupees.
    max_spread
        Widest book, as a fraction of its middle; asked where the source has a book.
    min_life_minutes
        Least time to the expiry's close.
    """

    band: float = 0.05
    min_premium: float = 50.0
    max_spread: float = 0.05
    min_life_minutes: float = 60.0


def in_band(panel: Panel, band: float) -> BoolArray:
    """Return (n_rows, n_contracts): strike within ``band`` of spot, as a fraction of it."""
    spot = panel.spot[:, None]
    near: BoolArray = np.abs(panel.strike[None, :] - spot) <= band * spot
    return near


def tradable(panel: Panel, params: Tradable) -> BoolArray:
    """Return (n_rows, n_contracts): a live, near, dear enough contract with a fair book.

    Chain rows only. One pass over the day, as every strategy starts here.
    """
    mask: BoolArray = _mask(
        panel, params.band, params.min_premium, params.max_spread, params.min_life_minutes
    )
    return mask


@asked_once
def _mask(
    panel: Panel, band: float, min_premium: float, max_spread: float, min_life_minutes: float
) -> BoolArray:
    book = (panel.bid, panel.ask) if panel.has_book else (panel.ltp, panel.ltp)
    mask: BoolArray = _tradable(
        panel.ltp,
        *book,
        panel.spot,
        panel.strike,
        panel.expiry_index,
        np.where(panel.is_chain, nearest_expiry(panel, min_life_minutes), -1),
        (band, min_premium, max_spread if panel.has_book else math.inf),
    )
    return mask


@compiled
def _tradable(
    ltp: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    spot: FloatArray,
    strike: FloatArray,
    expiry_index: IntArray,
    nearest: IntArray,
    thresholds: tuple[float, float, float],
) -> BoolArray:
    band, min_premium, max_spread = thresholds
    n_rows, n_contracts = ltp.shape
    mask = np.zeros((n_contracts, n_rows), np.bool_)
    for c in range(n_contracts):
        for r in range(n_rows):
            spread, middle = ask[r, c] - bid[r, c], 0.5 * (ask[r, c] + bid[r, c])
            mask[c, r] = (
                (nearest[r] == expiry_index[c])
                & (abs(strike[c] - spot[r]) <= band * spot[r])
                & (ltp[r, c] > min_premium)
                & (spread >= 0.0)
                & (spread <= max_spread * middle)
            )
    return mask.T
