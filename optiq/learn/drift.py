"""Has the market, or its recording, left what the models learnt from: a day against training days.

A day is compared as one whole, because the rows of one session share one path. For every feature
three things are asked: where its values lie (the day's median), how they are spread over the bins
of the training days (population stability index, PSI) and how many are missing. Each is put in
units of what it does on ordinary days, the largest of the three is the feature's score, and the
day is an alarm where that score is beyond what a training day, held out, shows one time in a
hundred.

There is no common threshold of PSI (0.1 and 0.25 are by rote): it is learnt per feature. What a
scorer said of the day's contracts is compared in the same way, with other sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optiq.errors import EvidenceError
from optiq.learn.drift_sample import (
    CONTRACT_NAMES,
    LEVEL_NAMES,
    MARKET_NAMES,
    N_BUCKETS,
    DaySample,
)
from optiq.learn.drift_statistics import (
    long_run_std,
    mean,
    nanmedian,
    psi,
    slopes,
    std,
    threshold,
)
from optiq.market.schema import BoolArray, FloatArray, IntArray

ALARMS = 0.003
"""How often a day drawn at random may alarm, feature by feature.

Days are not: a wandering market makes it about twice that (docs/studies, drift).
"""
TREND_ERRORS = 5.5
"""Standard errors beyond which the last sessions together have moved.

Measured, not deduced: sessions wander, so that more of them tell less of their mean than any theory
of short memory says. All shifts of half a deviation were found with it (docs/studies, drift).
"""
TREND_SESSIONS = 20
LAGS = 10
IMMATERIAL = 0.02
"""Least standard error, in spreads of the rows: what moves less is not worth telling."""
LEAST_SESSIONS = 10
NEIGHBOURS = 20
FOLLOWED = ("atm_iv", "days_to_expiry")
"""What the contracts' features follow by their definition: at twice the volatility a gamma is half.

Their medians are compared as if all sessions had the same of it, so that a market whose volatility
rose is named by that, and a recording whose gammas are wrong by those.
"""
N_BINS = 10
PARTS = ("level", "distribution", "missing")
LEAST_UNITS = np.array([[0.5], [0.05], [0.5]])
"""What each part may do on any day, however still the training days were."""
NAMES = (*MARKET_NAMES, *CONTRACT_NAMES, *LEVEL_NAMES)

Group = tuple[FloatArray, IntArray]
"""Values (n, features) that share their rows, and the bucket of each row."""
Groups = Callable[[DaySample], list[Group]]


def features_in(sample: DaySample) -> list[Group]:
    """Return the groups of `NAMES`: the market's features, the contracts', the levels."""
    known = sample.bucket >= 0
    return [
        (sample.market, np.zeros(len(sample.market), np.int64)),
        (sample.contract[known], sample.bucket[known]),
        (sample.levels[None], np.zeros(1, np.int64)),
    ]


@dataclass(frozen=True, slots=True)
class Moved:
    """What one feature of a day says.

    ``score`` above ``threshold`` is an alarm of the day and ``part`` names which of `PARTS` it
    comes from; ``trend`` beyond ``trend_threshold`` in either direction is one of the last
    sessions together. ``now`` and ``usual`` are the day's median and that of training days.
    """

    feature: str
    score: float
    threshold: float
    part: str
    now: float
    usual: float
    trend: float
    trend_threshold: float

    @property
    def is_alarm(self) -> bool:
        """Whether the day itself is out of the ordinary."""
        return self.score > self.threshold

    @property
    def is_trend(self) -> bool:
        """Whether the last sessions together lie elsewhere than the training sessions."""
        return abs(self.trend) > self.trend_threshold

    @property
    def excess(self) -> float:
        """How far beyond its threshold, as a multiple of it; the day's or the trend's."""
        trend = abs(self.trend) / self.trend_threshold
        return float(np.fmax(self.score / self.threshold, trend))


@dataclass(frozen=True, slots=True)
class Day:
    """A session in numbers of which every feature has one, or one a bin.

    ``median`` (n_features,), ``missing`` (n_features,) shares, ``counts`` (n_features, n_buckets,
    N_BINS). A level has no bins.
    """

    median: FloatArray
    raw_median: FloatArray
    missing: FloatArray
    counts: FloatArray


class Reference:
    """The training sessions, and what is ordinary among them."""

    def __init__(
        self,
        samples: Sequence[DaySample],
        groups: Groups = features_in,
        names: Sequence[str] = NAMES,
    ) -> None:
        """Learn bins, units and thresholds; `EvidenceError` below `LEAST_SESSIONS` sessions."""
        if len(samples) < LEAST_SESSIONS:
            raise EvidenceError(
                f"{len(samples)} of {LEAST_SESSIONS} training sessions to compare with",
                "store more days before that date",
            )
        self.sessions = np.array([sample.session for sample in samples])
        self._groups, self._names = groups, names
        self._scales = [_scales(*group) for group in _joined([groups(day) for day in samples])]
        days = [self._day(sample) for sample in samples]
        self._follow(np.stack([day.median for day in days]))
        days = [self._freed(day) for day in days]
        self._median = np.stack([day.median for day in days])
        self._missing = np.stack([day.missing for day in days])
        self._counts = np.stack([day.counts for day in days])
        self.usual = nanmedian(np.stack([day.raw_median for day in days]))
        n = len(days)
        gap = min(NEIGHBOURS, n // 4)
        held_out = np.stack([self._parts(day, _far_from(k, n, gap)) for k, day in enumerate(days)])
        ordinary = np.quantile(np.nan_to_num(held_out), 0.9, axis=0)
        self._units = np.fmax(ordinary, LEAST_UNITS)
        scores = np.fmax.reduce(held_out / self._units[None], axis=1)
        self.threshold = np.fmax(threshold(scores, ALARMS), 1.0)

    def compare(self, recent: Sequence[DaySample]) -> list[Moved]:
        """Return what each feature says of the last of ``recent`` sessions, oldest first."""
        days = [self._freed(self._day(sample)) for sample in recent[-TREND_SESSIONS:]]
        everyone = np.ones(len(self.sessions), bool)
        parts = np.nan_to_num(self._parts(days[-1], everyone) / self._units, nan=-np.inf)
        trend = self._trend(np.stack([day.median for day in days]))
        return [
            Moved(
                feature=name,
                score=float(parts[:, f].max()),
                threshold=float(self.threshold[f]),
                part=PARTS[int(parts[:, f].argmax())],
                now=float(days[-1].raw_median[f]),
                usual=float(self.usual[f]),
                trend=float(trend[f]),
                trend_threshold=TREND_ERRORS,
            )
            for f, name in enumerate(self._names)
        ]

    def _day(self, sample: DaySample) -> Day:
        groups = [
            _summary(values, bucket, scale)
            for (values, bucket), scale in zip(self._groups(sample), self._scales, strict=True)
        ]
        return Day(
            median=np.concatenate([day.median for day in groups]),
            raw_median=np.concatenate([day.raw_median for day in groups]),
            missing=np.concatenate([day.missing for day in groups]),
            counts=np.concatenate([day.counts for day in groups]),
        )

    def _follow(self, medians: FloatArray) -> None:
        """Learn by how much the contracts' features follow `FOLLOWED`, of medians (n, features)."""
        self._causes = [self._names.index(name) for name in FOLLOWED if name in self._names]
        effects = [self._names.index(name) for name in CONTRACT_NAMES if name in self._names]
        self._slopes = slopes(medians, self._causes, effects)
        known = medians[:, self._causes]
        self._usually = nanmedian(known)
        least, most = np.fmin.reduce(known), np.fmax.reduce(known)
        beyond = (most - least) / 2
        self._range = least - beyond, most + beyond

    def _freed(self, day: Day) -> Day:
        """Return a session with medians as they were at the usual volatility and life.

        Not much further than the training sessions went: a wrong volatility must not move all.
        """
        apart = np.nan_to_num(np.clip(day.median[self._causes], *self._range) - self._usually)
        return replace(day, median=day.median - apart @ self._slopes)

    def _parts(self, day: Day, among: BoolArray) -> FloatArray:
        """Return (3, n_features): how far the day lies from the sessions ``among``."""
        median = np.abs(self._shift(day.median[None], among))
        usual = self._missing[among]
        missing = np.abs(day.missing - usual.mean(axis=0)) / np.fmax(usual.std(axis=0), 0.01)
        missing = np.where((usual == 1).all(axis=0) & (day.missing == 1), np.nan, missing)
        spread = psi(self._counts[among].sum(axis=0), day.counts)
        known = (~np.isnan(self._median)).sum(axis=0) >= LEAST_SESSIONS
        return np.stack([np.where(known, median, np.nan), np.where(known, spread, np.nan), missing])

    def _shift(self, medians: FloatArray, among: BoolArray) -> FloatArray:
        """Return (n_features,) the mean of medians (k, n_features) in standard errors."""
        usual = self._median[among]
        n, k = (~np.isnan(usual)).sum(axis=0), (~np.isnan(medians)).sum(axis=0)
        with np.errstate(all="ignore"):
            error = np.fmax(std(usual) * np.sqrt(1 / k + 1 / n), IMMATERIAL)
            apart: FloatArray = (mean(medians) - mean(usual)) / error
        return apart

    def _trend(self, medians: FloatArray) -> FloatArray:
        """Return (n_features,) how far the mean of medians (k, n_features) lies from training.

        In standard errors of a mean of days that depend on each other: volatility of today is
        that of yesterday, and a week of expiries repeats.
        """
        n, k = (~np.isnan(self._median)).sum(axis=0), (~np.isnan(medians)).sum(axis=0)
        with np.errstate(all="ignore"):
            spread = long_run_std(self._median, LAGS)
            error = np.fmax(spread * np.sqrt(1 / k + 1 / n), IMMATERIAL)
            apart: FloatArray = (mean(medians) - mean(self._median)) / error
        return np.where(n >= LEAST_SESSIONS, apart, np.nan)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Per bucket and feature: centre, unit and inner edges of the bins, from training rows."""

    centre: FloatArray
    unit: FloatArray
    edges: FloatArray


def _far_from(k: int, n: int, gap: int) -> BoolArray:
    """Return (n,) the sessions a held-out one is compared with: the longer side, beyond the gap.

    Tomorrow is compared with sessions that all lie before it, and markets wander.
    """
    place = np.arange(n)
    far: BoolArray = place < k - gap if 2 * k >= n else place > k + gap
    return far


def _joined(parts: Sequence[list[Group]]) -> list[Group]:
    """Return the groups of all sessions, one below the other."""
    return [
        (np.concatenate([values for values, _ in group]), np.concatenate([b for _, b in group]))
        for group in zip(*parts, strict=True)
    ]


def _scales(values: FloatArray, bucket: IntArray) -> _Scale:
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
                centre[b, f] = np.median(known)
                spread = float(known.std())
                unit[b, f] = spread if spread > 1e-9 * abs(centre[b, f]) else 1.0
    return _Scale(centre, unit, edges)


def _summary(values: FloatArray, bucket: IntArray, scale: _Scale) -> Day:
    """Return a group of a session in numbers; medians in units of the bucket's own spread."""
    units = (values - scale.centre[bucket]) / scale.unit[bucket]
    n_features = values.shape[1]
    counts = np.zeros((n_features, len(scale.centre), N_BINS))
    for b in np.unique(bucket):
        for f in range(n_features):
            own = values[bucket == b, f]
            place = np.searchsorted(scale.edges[b, f], own[~np.isnan(own)], side="right")
            counts[f, b] = np.bincount(place, minlength=N_BINS)
    missing = np.isnan(values).mean(axis=0) if len(values) else np.ones(n_features)
    return Day(nanmedian(units), nanmedian(values), missing, counts)
