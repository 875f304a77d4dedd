"""What a feature should be, given the others: at this volatility and these returns, so much skew.

Sessions differ by more than most faults of one feature, but they differ together: a realised
volatility of twice the usual one is no news where everything that goes with it has doubled, and a
tenth too much is where nothing has. So each is compared with what the others of its session make
likely, by a line learnt from the training sessions (regression-adjusted variables: Hawkins,
Technometrics 33, 1991).
"""

from __future__ import annotations

import numpy as np

from optiq.learn.drift.statistics import middle_mean, nanmean, std, wandering_std
from optiq.market.schema import FloatArray

RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""What slopes are drawn to 0 by, in variances of a feature; training sessions left out choose."""
STILL, LEAST_KNOWN = 1e-6, 0.5
"""Spread, and share of known sessions, below which a feature says nothing of the others.

Nor they of it.
"""


class RegressionAdjustment:
    """Levels of training sessions (n, n_features), each freed of what the others explain."""

    def __init__(self, level: FloatArray) -> None:
        """Learn every feature's line; NaN for unknown levels, which explain nothing."""
        spread, known_share = std(level), 1 - np.isnan(level).mean(axis=0)
        says = (spread > STILL) & (known_share >= LEAST_KNOWN)
        self._usual, self._spread = nanmean(level), np.where(says, spread, np.nan)
        units = (level - self._usual) / self._spread
        known = np.nan_to_num(units)
        n, n_features = level.shape
        candidates = [known.T @ known + n * ridge * np.eye(n_features) for ridge in RIDGES]
        left_out = [_adjusted(units, moments, left_out=True) for moments in candidates]
        best = int(np.argmin([np.log(std(apart)[says]).sum() for apart in left_out]))
        self._moments, self._left_out = candidates[best], left_out[best]

    def trend(self, level: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far later levels' mean (k, n_features) lies from its line, and the error.

        Both (n_features,) in the levels' units. The error has in it how far the lines' rest may
        have wandered (`wandering_std`) and what is unknown of the lines so far from the training
        sessions. NaN where the feature is unknown or never changed.
        """
        units = (level - self._usual) / self._spread
        apart = middle_mean(_adjusted(units, self._moments))
        mean = np.nan_to_num(nanmean(units))
        precision = np.linalg.inv(self._moments)
        pull = mean @ precision
        leverage = mean @ pull - pull**2 / np.diag(precision)
        doubt = leverage * std(self._left_out) ** 2
        error = np.sqrt(wandering_std(self._left_out, len(level)) ** 2 + doubt)
        return apart * self._spread, error * self._spread


def _adjusted(units: FloatArray, moments: FloatArray, left_out: bool = False) -> FloatArray:
    """Return units (k, n_features) less what the known others of the same row make likely.

    ``moments`` (n_features, n_features) is the sum of the training rows' products. With
    ``left_out`` the rows are training rows, and each is judged by the lines of the others.
    """
    apart = np.full_like(units, np.nan)
    is_known = ~np.isnan(units)
    for known in np.unique(is_known, axis=0):
        place = np.ix_((is_known == known).all(axis=1), known)
        precision = np.linalg.inv(moments[np.ix_(known, known)])
        pull = units[place] @ precision
        own = np.diag(precision)
        if left_out:  # the inverse without the row itself: Sherman and Morrison
            kept = 1 - (pull * units[place]).sum(axis=1, keepdims=True)
            apart[place] = pull / (kept * own + pull**2)
        else:
            apart[place] = pull / own
    return apart
