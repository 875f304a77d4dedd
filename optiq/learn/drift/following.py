"""By how much the contracts' features follow the market: at twice the volatility a gamma is half.

Their levels are compared as if all sessions had the same volatility, life and reach, so that a
market whose volatility rose is named by that, and a recording whose gammas are wrong by those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optiq.learn.drift.sample import MARKET_NAMES, DaySample
from optiq.learn.drift.statistics import nanmedian
from optiq.market.schema import FloatArray

N_CAUSES = 4
LEAST_TO_FOLLOW = 30
"""Sessions below which nothing is known of how one feature follows another."""
FOLLOWED = ("atm_iv", "days_to_expiry")


def causes_of(sample: DaySample) -> FloatArray:
    """Return what a session's contracts follow, (4,): log volatility, life, log life, reach.

    Life comes twice because the last days before an expiry are another thing. Reach is the log of
    the contracts a decision has near the money: a z over the chain depends on how much of it that
    is, which goes with the index's level.
    """
    medians = nanmedian(sample.market[:, [MARKET_NAMES.index(name) for name in FOLLOWED]])
    reach = len(sample.contract) / max(len(sample.market), 1)
    with np.errstate(all="ignore"):
        volatility, life = np.log(medians)
        found = np.array([volatility, medians[1], life, np.log(reach)])
    return np.where(np.isfinite(found), found, np.nan)


@dataclass(frozen=True, slots=True)
class Following:
    """How levels follow causes, by least squares over the training sessions.

    ``slopes`` (4, n_features), 0 for what follows nothing; ``doubt`` (4, 4) what the slopes'
    errors are multiples of; ``usual``, ``least`` and ``most`` (4,) of the causes.
    """

    slopes: FloatArray
    doubt: FloatArray
    usual: FloatArray
    least: FloatArray
    most: FloatArray

    def freed(self, level: FloatArray, causes: FloatArray) -> FloatArray:
        """Return levels (k, n_features) as they were at the usual causes, given theirs (k, 4)."""
        found: FloatArray = level - self._apart(causes) @ self.slopes
        return found

    def leverage(self, causes: FloatArray) -> FloatArray:
        """Return what the slopes' errors add to the variance of a mean, (n_features,).

        In units of a session's variance: none at the usual causes, much where they never were.
        """
        apart = self._apart(causes).mean(axis=0)
        follows = (self.slopes != 0).any(axis=0)
        return np.where(follows, apart @ self.doubt @ apart, 0.0)

    def _apart(self, causes: FloatArray) -> FloatArray:
        """Not much further than training went: a wrong volatility must not move everything."""
        return np.nan_to_num(np.clip(causes, self.least, self.most) - self.usual)


def following(level: FloatArray, causes: FloatArray, effects: Sequence[int]) -> Following:
    """Learn how ``effects``, columns of levels (n, n_features), follow causes (n, 4)."""
    slopes = np.zeros((N_CAUSES, level.shape[1]))
    known = ~np.isnan(causes).any(axis=1)
    if known.sum() < LEAST_TO_FOLLOW or not len(effects):
        nowhere = np.full(N_CAUSES, np.nan)
        return Following(slopes, np.zeros((N_CAUSES, N_CAUSES)), nowhere, nowhere, nowhere)
    usual = causes[known].mean(axis=0)
    least, most = causes[known].min(axis=0), causes[known].max(axis=0)
    beyond = (most - least) / 2
    for f in effects:
        both = known & ~np.isnan(level[:, f])
        if both.sum() >= LEAST_TO_FOLLOW:
            design = np.column_stack([causes[both] - usual, np.ones(int(both.sum()))])
            slopes[:, f] = np.linalg.lstsq(design, level[both, f], rcond=None)[0][:-1]
    apart = causes[known] - usual
    doubt = np.linalg.pinv(apart.T @ apart)
    return Following(slopes, doubt, usual, least - beyond, most + beyond)
