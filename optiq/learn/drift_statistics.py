"""The statistics of drift: stability index, thresholds from held-out days, dependent means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from optiq.market.schema import FloatArray

FLOOR = 1e-4
"""Least share of a bin, so that an empty one does not make PSI infinite."""
LEAST_ROWS = 20
"""Rows of a bucket in a day below which its bins are not compared."""
LEAST_TO_FOLLOW = 30
"""Sessions below which nothing is known of how one feature follows another."""


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


def threshold(scores: FloatArray, rate: float) -> FloatArray:
    """Return (n_features,) what a further ordinary day exceeds at ``rate``.

    The k-th smallest of n held-out scores, k = ceil((n + 1) (1 - rate)) (Vovk, Gammerman and
    Shafer, Algorithmic Learning in a Random World, 2005). With fewer than 99 sessions there is no
    such k: the largest is exceeded at 1 / (n + 1), and is raised to ``rate`` as a normal's tail.
    """
    n = len(scores)
    k = min(int(np.ceil((n + 1) * (1 - rate))), n)
    found: FloatArray = np.sort(np.nan_to_num(scores, nan=0.0), axis=0)[k - 1]
    reached = max(rate, 1 / (n + 1))
    return found * float(stats.norm.isf(rate / 2) / stats.norm.isf(reached / 2))


def slopes(medians: FloatArray, causes: Sequence[int], effects: Sequence[int]) -> FloatArray:
    """Return (n_causes, n_features) by how much features follow others, by least squares.

    0 for all but ``effects``, and where fewer than `LEAST_TO_FOLLOW` sessions know both.
    """
    found = np.zeros((len(causes), medians.shape[1]))
    x = medians[:, list(causes)]
    for f in effects:
        known = ~np.isnan(x).any(axis=1) & ~np.isnan(medians[:, f])
        if known.sum() >= LEAST_TO_FOLLOW:
            design = np.column_stack([x[known], np.ones(int(known.sum()))])
            found[:, f] = np.linalg.lstsq(design, medians[known, f], rcond=None)[0][:-1]
    return found


def nanmedian(values: FloatArray) -> FloatArray:
    """Return the median of each column, (n_features,); NaN for one of which nothing is known."""
    with np.errstate(all="ignore"):
        known = ~np.isnan(values).all(axis=0) if len(values) else np.zeros(values.shape[1], bool)
        found = np.full(values.shape[1], np.nan)
        found[known] = np.nanmedian(values[:, known], axis=0)
    return found


def mean(values: FloatArray) -> FloatArray:
    """Return the mean of what is known in each column, (n_features,)."""
    of_known: FloatArray = np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0)
    return of_known


def std(values: FloatArray) -> FloatArray:
    """Return the standard deviation of what is known in each column, (n_features,)."""
    n = (~np.isnan(values)).sum(axis=0)
    spread: FloatArray = np.sqrt(np.nansum((values - mean(values)) ** 2, axis=0) / (n - 1))
    return spread


def long_run_std(values: FloatArray, lags: int) -> FloatArray:
    """Return (n_features,) the deviation that makes the error of a mean right for dependent days.

    The variance and its autocovariances with weights falling to 0 at ``lags`` (Newey and West,
    Econometrica 55, 1987); never below that of independent days. NaN days count as the mean.
    """
    apart = np.nan_to_num(values - mean(values))
    n = len(apart)
    variance = (apart**2).sum(axis=0) / (n - 1)
    long_run = variance.copy()
    for lag in range(1, min(lags, n)):
        covariance = (apart[lag:] * apart[:-lag]).sum(axis=0) / (n - 1)
        long_run += 2 * (1 - lag / lags) * covariance
    spread: FloatArray = np.sqrt(np.fmax(long_run, variance))
    return spread
