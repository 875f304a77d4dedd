"""The statistics of drift: stability index, and the errors of means of days that depend."""

from __future__ import annotations

from functools import cache

import numpy as np

from optiq.market.schema import FloatArray

FLOOR = 1e-4
"""Least share of a bin, so that an empty one does not make PSI infinite."""
LEAST_ROWS = 20
"""Rows of a bucket in a day below which its bins are not compared."""


HALF_LIFE = 22.0
"""Sessions after which half of the market's weather is left: volatility remembers for months."""
SHARES = np.linspace(0, 1, 21)
TINY = 1e-300


def psi(usual: FloatArray, now: FloatArray) -> FloatArray:
    """Return the population stability index of each feature, (n_features,).

    ``usual`` and ``now`` are counts (n_features, n_buckets, n_bins); buckets weigh as they do
    now. NaN where no bucket has enough rows in both.
    """
    rows = now.sum(axis=2)
    enough = (rows >= LEAST_ROWS) & (usual.sum(axis=2) >= 10 * LEAST_ROWS)
    with np.errstate(all="ignore"):
        p, q = (np.fmax(x / x.sum(axis=2, keepdims=True), FLOOR) for x in (usual, now))
        of_bucket = np.where(enough, ((q - p) * np.log(q / p)).sum(axis=2), 0.0)
        weight = np.where(enough, rows, 0.0)
        index: FloatArray = (of_bucket * weight).sum(axis=1) / weight.sum(axis=1)
    return index


def nanmedian(values: FloatArray) -> FloatArray:
    """Return the median of each column, (n_features,); NaN for one of which nothing is known."""
    if not len(values):
        return np.full(values.shape[1], np.nan)
    known, each = (~np.isnan(values)).sum(axis=0), np.arange(values.shape[1])
    low, high = np.fmax(known - 1, 0) // 2, np.fmin(known // 2, len(values) - 1)
    ranked = np.partition(values, np.union1d(low, high), axis=0)  # NaN comes last
    middle: FloatArray = ranked[low, each] + ranked[high, each]
    return middle / 2


def nanmean(values: FloatArray) -> FloatArray:
    """Return the mean of what is known in each column, (n_features,); NaN where nothing is."""
    with np.errstate(all="ignore"):
        of_known: FloatArray = np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0)
    return of_known


def middle_mean(values: FloatArray) -> FloatArray:
    """Return the mean without the highest and the lowest of each column, (n_features,).

    One evening session of an hour must not be what the last twenty sessions say. Of fewer than
    three, all count.
    """
    known = (~np.isnan(values)).sum(axis=0)
    ends = np.where(known > 2, np.fmax.reduce(values) + np.fmin.reduce(values), 0.0)
    with np.errstate(all="ignore"):
        of_known: FloatArray = (np.nansum(values, axis=0) - ends) / np.where(
            known > 2, known - 2, known
        )
    return of_known


def std(values: FloatArray) -> FloatArray:
    """Return the standard deviation of what is known in each column, (n_features,)."""
    n = (~np.isnan(values)).sum(axis=0)
    with np.errstate(all="ignore"):
        spread: FloatArray = np.sqrt(np.nansum((values - nanmean(values)) ** 2, axis=0) / (n - 1))
    return spread


def long_run_std(values: FloatArray, lags: int) -> FloatArray:
    """Return (n_features,) the deviation that makes the error of a mean right for dependent days.

    The variance and its autocovariances with weights falling to 0 at ``lags`` (Newey and West,
    Econometrica 55, 1987); never below that of independent days. NaN days count as the mean.
    """
    apart = np.nan_to_num(values - nanmean(values))
    n = len(apart)
    variance = (apart**2).sum(axis=0) / (n - 1)
    long_run = variance.copy()
    for lag in range(1, min(lags, n)):
        covariance = (apart[lag:] * apart[:-lag]).sum(axis=0) / (n - 1)
        long_run += 2 * (1 - lag / lags) * covariance
    spread: FloatArray = np.sqrt(np.fmax(long_run, variance))
    return spread


def wandering_std(values: FloatArray, k: int) -> FloatArray:
    """Return (n_features,) the deviation of k later sessions' mean from the mean of ``values``.

    Of values (n, n_features) that are part noise, part weather of which half is left after
    `HALF_LIFE` sessions. Which part is weather is what the values make likely, each share weighed
    by its likelihood given their mean (restricted likelihood: Patterson and Thompson, Biometrika
    58, 1971); a month says little of it, and the error is wide. NaN days count as the mean.
    """
    apart = np.nan_to_num(values - nanmean(values))
    n = len(apart)
    strength, modes = _modes(n)
    variance = 1 - SHARES[:, None] + SHARES[:, None] * strength
    size = (1 / variance) @ (modes.T @ apart) ** 2 / (n - 1)
    fit = (np.log(variance).sum(axis=1)[:, None] + (n - 1) * np.log(np.fmax(size, TINY))) / -2
    weight = np.exp(fit - fit.max(axis=0))
    ahead = np.concatenate([np.full(n, -1 / n), np.full(k, 1 / k)])
    of_share = (1 - SHARES) * (ahead @ ahead) + SHARES * (ahead @ _alike(n + k) @ ahead)
    total: FloatArray = (weight * size * of_share[:, None]).sum(axis=0) / weight.sum(axis=0)
    return np.sqrt(total)


def _alike(n: int) -> FloatArray:
    """Return (n, n) how much of each session's weather is that of another."""
    place = np.arange(n)
    alike: FloatArray = 0.5 ** (np.abs(np.subtract.outer(place, place)) / HALF_LIFE)
    return alike


@cache
def _modes(n: int) -> tuple[FloatArray, FloatArray]:
    """Return strengths (n - 1,) and directions (n, n - 1) of weather about its mean."""
    centred = np.eye(n) - 1 / n
    strength, modes = np.linalg.eigh(centred @ _alike(n) @ centred)
    return strength[1:], modes[:, 1:]  # the first is the mean itself, of strength 0
