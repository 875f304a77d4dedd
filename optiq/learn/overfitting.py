"""What is left of the best of many tries: deflated Sharpe ratio, probability of overfitting.

Bailey and Lopez de Prado, "The Deflated Sharpe Ratio" (2014); Bailey, Borwein, Lopez de Prado and
Zhu, "The Probability of Backtest Overfitting" (2015). Sharpe ratios here are per session, never
annualised; kurtosis is 3 for a normal distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from optiq.errors import InputError
from optiq.market.schema import FloatArray

BLOCKS = 16
"""Half of them make 12,870 pairs of in-sample and out-of-sample."""


@dataclass(frozen=True, slots=True)
class Sharpe:
    """A Sharpe ratio with all that must be printed beside it.

    ``ratio`` is per session; ``trials`` is the number of effectively independent tries it is the
    best of, ``expected_best`` what the best of so many would show with no skill at all, and
    ``deflated`` the probability that it is more than that.
    """

    ratio: float
    sessions: int
    trials: float
    expected_best: float
    deflated: float


def expected_best(variance: float, trials: float) -> float:
    """Return the Sharpe ratio to expect of the best of ``trials`` tries without skill.

    ``variance`` is that of the tries' Sharpe ratios. Zero for a single try.

    >>> round(expected_best(0.5 / 250, 100), 4)
    0.1132
    """
    from scipy.stats import norm

    if trials <= 1:
        return 0.0
    first, second = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * float((1 - np.euler_gamma) * first + np.euler_gamma * second)


def deflated(
    ratio: float, benchmark: float, sessions: int, skewness: float, kurtosis: float
) -> float:
    """Return the probability that the true Sharpe ratio exceeds ``benchmark``.

    >>> round(deflated(2.5 / 250**0.5, expected_best(0.5 / 250, 100), 1250, -3, 10), 4)
    0.9004
    """
    from scipy.stats import norm

    spread = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    if sessions < 2 or not spread > 0:
        return math.nan
    return float(norm.cdf((ratio - benchmark) * math.sqrt((sessions - 1) / spread)))


def best_of(daily: FloatArray) -> Sharpe:
    """Return the best of several tries, deflated by how many there were.

    ``daily`` (n_sessions, n_tries) are net results, without NaN. The tries count as
    ``effective_trials``; the variance is that of their own Sharpe ratios.
    """
    from scipy.stats import kurtosis, skew

    ratios = _sharpe(daily)
    best = int(np.argmax(ratios))
    sessions, n_tries = daily.shape
    count = effective_trials(daily)
    variance = float(np.var(ratios, ddof=1)) if n_tries > 1 else 0.0
    benchmark = expected_best(variance, count)
    shape = float(skew(daily[:, best])), float(kurtosis(daily[:, best], fisher=False))
    probability = deflated(float(ratios[best]), benchmark, sessions, *shape)
    return Sharpe(float(ratios[best]), sessions, count, benchmark, probability)


def effective_trials(daily: FloatArray) -> float:
    """Return how many independent tries several correlated ones amount to.

    ``r + (1 - r) x n`` with r the mean correlation between tries (Bailey and Lopez de Prado 2014,
    appendix 3): n where they have nothing in common, 1 where they are all the same.
    """
    n_tries = daily.shape[1]
    if n_tries < 2:
        return float(n_tries)
    correlation = np.corrcoef(daily, rowvar=False)
    mean = float((correlation.sum() - n_tries) / (n_tries * (n_tries - 1)))
    shared = min(max(mean, 0.0), 1.0)
    return float(shared + (1 - shared) * n_tries)


def probability_of_overfitting(daily: FloatArray, blocks: int = BLOCKS) -> float:
    """Return how often the best try of one half of the sessions is below the median of the other.

    By combinatorially symmetric cross-validation: ``daily`` (n_sessions, n_tries) in ``blocks``
    (even) runs of sessions, every half of them once in sample. One half is what noise gives;
    a try that is truly best gives nearly 0.
    """
    n_sessions, n_tries = daily.shape
    if n_tries < 2 or n_sessions < 2 * blocks or blocks % 2:
        raise InputError(
            f"{n_tries} tries over {n_sessions} sessions in {blocks} blocks",
            f"overfitting takes two tries, an even number of blocks and {2 * blocks} sessions",
        )
    parts = np.array_split(daily, blocks)
    sums = np.array([part.sum(axis=0) for part in parts])
    squares = np.array([(part**2).sum(axis=0) for part in parts])
    counts = np.array([len(part) for part in parts], np.float64)
    chosen = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, half in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, list(half)] = 1
    inside = _sharpe_of(chosen, sums, squares, counts)
    outside = _sharpe_of(1 - chosen, sums, squares, counts)
    best = np.argmax(inside, axis=1)
    of_best = np.take_along_axis(outside, best[:, None], axis=1)
    below = (outside < of_best).sum(axis=1) + 0.5 * ((outside == of_best).sum(axis=1) - 1)
    share = (below + 1) / (n_tries + 1)  # rank from 1, so that its odds are never infinite
    return float((share <= 0.5).mean())


def _sharpe(daily: FloatArray) -> FloatArray:
    spread = daily.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: FloatArray = np.where(spread > 0, daily.mean(axis=0) / spread, 0.0)
    return ratios


def _sharpe_of(
    chosen: FloatArray, sums: FloatArray, squares: FloatArray, counts: FloatArray
) -> FloatArray:
    """Return the Sharpe ratios (n_choices, n_tries) of unions of blocks, from the blocks' sums."""
    n = (chosen @ counts)[:, None]
    mean = chosen @ sums / n
    variance = np.maximum(chosen @ squares / n - mean**2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: FloatArray = np.where(variance > 0, mean / np.sqrt(variance), 0.0)
    return ratios
