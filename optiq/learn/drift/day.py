"""A session in numbers: where each feature's values lie, how they are spread, how many miss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optiq.learn.drift.sample import (
    CONTRACT_NAMES,
    LEVEL_NAMES,
    MARKET_NAMES,
    N_BUCKETS,
    DaySample,
)
from optiq.learn.drift.statistics import LEAST_ROWS, nanmean, nanmedian
from optiq.market.schema import FloatArray, IntArray

N_BINS = 10
OUTLIER = 3.0
"""Spreads of the training rows that a value may count as away from the session's median."""
NAMES = (*MARKET_NAMES, *CONTRACT_NAMES, *LEVEL_NAMES)
LOGGED = (
    "realised_vol_session",
    "realised_vol_30m",
    "atm_iv",
    "oi_put_call_ratio",
    "volume_put_call_ratio",
    "days_to_expiry",
    "vega_per_premium",
    "relative_spread",
)
"""Features that are positive and move by factors: compared in their logarithms."""

Group = tuple[FloatArray, IntArray]
"""Values (n, features) that share their rows, and the bucket of each row."""
Groups = Callable[[DaySample], list[Group]]


def features_in(sample: DaySample) -> list[Group]:
    """Return the groups of `NAMES`: the market's features, the contracts', the levels."""
    known = sample.bucket >= 0
    return [
        (_logged(sample.market, MARKET_NAMES), np.zeros(len(sample.market), np.int64)),
        (_logged(sample.contract[known], CONTRACT_NAMES), sample.bucket[known]),
        (sample.levels[None], np.zeros(1, np.int64)),
    ]


def _logged(values: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return features (n, n_features) with the logarithms of `LOGGED`, NaN where there is none."""
    by_factors = np.isin(names, LOGGED)
    with np.errstate(all="ignore"):
        logs = np.log(values[:, by_factors])
    changed = values.copy()
    changed[:, by_factors] = np.where(np.isfinite(logs), logs, np.nan)
    return changed


@dataclass(frozen=True, slots=True)
class Day:
    """A session in numbers of which every feature has one, or one a bin.

    ``level`` (n_features,) in spreads of the training rows, ``median`` (n_features,) as it was
    given, ``missing`` (n_features,) shares, ``counts`` (n_features, n_buckets, N_BINS), and
    ``causes`` (4,), what contracts follow.
    """

    level: FloatArray
    median: FloatArray
    missing: FloatArray
    counts: FloatArray
    causes: FloatArray


@dataclass(frozen=True, slots=True)
class Scale:
    """Per bucket and feature: centre, unit and inner edges of the bins, from training rows."""

    centre: FloatArray
    unit: FloatArray
    edges: FloatArray


def joined(parts: Sequence[list[Group]]) -> list[Group]:
    """Return the groups of all sessions, one below the other."""
    return [
        (np.concatenate([values for values, _ in group]), np.concatenate([b for _, b in group]))
        for group in zip(*parts, strict=True)
    ]


def scale_of(values: FloatArray, bucket: IntArray) -> Scale:
    """Return centre, unit and bins of each bucket, (n_buckets, features) and (…, N_BINS - 1)."""
    n_features = values.shape[1]
    shape = (N_BUCKETS, n_features)
    centre, unit = np.zeros(shape), np.ones(shape)
    edges = np.full((*shape, N_BINS - 1), np.nan)
    shares = np.linspace(0, 1, N_BINS + 1)[1:-1]
    for b in np.unique(bucket):
        own = values[bucket == b]
        for f in range(n_features):
            known = own[~np.isnan(own[:, f]), f]
            if len(known):
                edges[b, f] = np.quantile(known, shares)
                centre[b, f] = edges[b, f, N_BINS // 2 - 1]
                spread = float(known.std())
                unit[b, f] = spread if spread > 1e-9 * abs(centre[b, f]) else 1.0
    return Scale(centre, unit, edges)


def summary(groups: Sequence[Group], scales: Sequence[Scale], causes: FloatArray) -> Day:
    """Return a session in numbers, its groups side by side."""
    pairs = [(*group, scale) for group, scale in zip(groups, scales, strict=True)]
    return Day(
        level=np.concatenate([_level(*pair) for pair in pairs]),
        median=np.concatenate([nanmedian(values) for values, _ in groups]),
        missing=np.concatenate([_missing(values) for values, _ in groups]),
        counts=np.concatenate([_counts(*pair) for pair in pairs]),
        causes=causes,
    )


def _missing(values: FloatArray) -> FloatArray:
    shares: FloatArray = np.isnan(values).mean(axis=0) if len(values) else np.ones(values.shape[1])
    return shares


def _counts(values: FloatArray, bucket: IntArray, scale: Scale) -> FloatArray:
    """Return how many values of each bucket lie in each bin, (n_features, n_buckets, N_BINS)."""
    below = np.moveaxis(scale.edges, -1, 0)[:, bucket] <= values
    place = below.sum(axis=0) + N_BINS * bucket[:, None]
    n_cells = N_BINS * len(scale.centre)
    counts = [
        np.bincount(column[~np.isnan(value)], minlength=n_cells)
        for column, value in zip(place.T, values.T, strict=True)
    ]
    return np.array(counts, np.float64).reshape(len(counts), len(scale.centre), N_BINS)


def _level(values: FloatArray, bucket: IntArray, scale: Scale) -> FloatArray:
    """Return the mean of the buckets' means, (n_features,), in spreads of the training rows.

    Buckets weigh the same however many rows the day has in them: at another volatility it has
    more rows in some of them, and is not another day for it. Those of few rows are left out.
    """
    units = (values - scale.centre[bucket]) / scale.unit[bucket]
    present, rows = np.unique(bucket, return_counts=True)
    enough = present[rows >= min(LEAST_ROWS, rows.max(initial=0))]
    means = [_without_outliers(units[bucket == b]) for b in enough]
    return nanmean(np.array(means).reshape(len(means), values.shape[1]))


def _without_outliers(units: FloatArray) -> FloatArray:
    """Return the mean of each column, nothing counted further than `OUTLIER` from its median."""
    middle = nanmedian(units)
    return nanmean(np.clip(units, middle - OUTLIER, middle + OUTLIER))
