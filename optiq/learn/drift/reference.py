"""Has the market, or its recording, left what the models learnt from: a day against training days.

A day is compared as one whole, because the rows of one session share one path. For every feature
three things are asked: where its values lie (the day's level), how they are spread over the bins
of the training days (population stability index, PSI) and how many are missing. Each is put in
units of the worst that a training day did, held out and compared with sessions far from it, and
the day is an alarm where one of the three is `BEYOND` times as bad. There is no common threshold
of PSI (0.1 and 0.25 are by rote).

The last sessions together have moved where their mean lies `TREND_ERRORS` standard errors from
that of the training sessions. The contracts' features are first freed of the market they follow
(`following`), and the error has in it what is unknown of that; the market's own features and
the levels wander as volatility does, and theirs has in it how far they may have wandered. Those
are also compared with what the others of the same sessions make likely
(`regression_adjustment`), and have moved beyond `ADJUSTED_ERRORS`.
What a scorer said of the day's contracts is compared in the same way, with other sessions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optiq.errors import EvidenceError
from optiq.learn.drift.day import LOGGED, NAMES, Day, Groups, features_in, joined, scale_of, summary
from optiq.learn.drift.following import LEAST_TO_FOLLOW, causes_of, following
from optiq.learn.drift.moved import PARTS, Moved
from optiq.learn.drift.regression_adjustment import RegressionAdjustment
from optiq.learn.drift.sample import CONTRACT_NAMES, LEVEL_NAMES, MARKET_NAMES, DaySample
from optiq.learn.drift.statistics import (
    long_run_std,
    middle_mean,
    nanmean,
    nanmedian,
    psi,
    std,
    wandering_std,
)
from optiq.market.schema import BoolArray, FloatArray

BEYOND = np.array([[2.5], [3.5], [2.5]])
"""How many times as bad as the worst training day, held out, is out of the ordinary, of `PARTS`.

One in sixty days is worse than sixty others by definition, and ten in calm before a storm, in
which the whole distribution of returns is another.
"""
TREND_ERRORS = 4.5
"""Standard errors beyond which the last sessions together have moved.

Measured, not deduced, on simulated markets (docs/studies, drift).
"""
ADJUSTED_ERRORS = 3.5
"""The same where a feature is compared with what the others make likely."""
UNADJUSTED = "iv_rank"
"""A rank among all sessions before goes with nothing for long: what it is a rank among grows."""
EXPLAINING = tuple(name for name in (*MARKET_NAMES, *LEVEL_NAMES) if name != UNADJUSTED)
TREND_SESSIONS = 20
LEAST_TREND = 5
"""Sessions below which they are no trend yet, and each has its own alarm."""
LAGS = 10
IMMATERIAL = 0.02
"""Least standard error, in spreads of the rows: what moves less is not worth telling."""
BENT = 0.35
"""Spreads of the rows within which nothing is told given the others: lines are a little bent."""
LEAST_SESSIONS = 10
NEIGHBOURS = 20
LEAST_WORST = np.array([[0.5], [0.05], [0.5]])
"""What each part may do on any day, however still the training days were."""


class Reference:
    """The training sessions, and what is ordinary among them."""

    def __init__(
        self,
        samples: Sequence[DaySample],
        groups: Groups = features_in,
        names: Sequence[str] = NAMES,
    ) -> None:
        """Learn bins, units and the worst; `EvidenceError` below `LEAST_SESSIONS` sessions."""
        if len(samples) < LEAST_SESSIONS:
            raise EvidenceError(
                f"{len(samples)} of {LEAST_SESSIONS} training sessions to compare with",
                "store more days before that date",
            )
        self.sessions = np.array([sample.session for sample in samples])
        self._groups, self._names = groups, names
        self._wanders = np.isin(names, (*MARKET_NAMES, *LEVEL_NAMES))
        self._explains = np.isin(names, EXPLAINING)
        self._scales = [scale_of(*group) for group in joined([groups(day) for day in samples])]
        self._learn([self.day(sample) for sample in samples])

    def _learn(self, days: Sequence[Day]) -> None:
        level, causes = _levels(days)
        effects = [place for place, name in enumerate(self._names) if name in CONTRACT_NAMES]
        self._following = following(level, causes, effects)
        self._level = self._following.freed(level, causes)
        self._missing = np.stack([day.missing for day in days])
        self._counts = np.stack([day.counts for day in days])
        self._known = (~np.isnan(self._level)).sum(axis=0) >= LEAST_SESSIONS
        self._adjustment = RegressionAdjustment(self._level[:, self._explains])
        self._center, self._spread = nanmean(self._level), std(self._level)
        self.usual = self._told(nanmedian(np.stack([day.median for day in days])))
        n = len(days)
        gap = min(NEIGHBOURS, n // 4)
        held_out = [self._parts(day, _far_from(k, n, gap)) for k, day in enumerate(days)]
        self._worst = np.fmax(np.fmax.reduce(held_out), LEAST_WORST)

    def compare(self, recent: Sequence[DaySample]) -> list[Moved]:
        """Return what each feature says of the last of ``recent`` sessions, oldest first."""
        return self.judge([self.day(sample) for sample in recent[-TREND_SESSIONS:]])

    def day(self, sample: DaySample) -> Day:
        """Return a session in these training sessions' units."""
        return summary(self._groups(sample), self._scales, causes_of(sample))

    def judge(self, recent: Sequence[Day]) -> list[Moved]:
        """Return what `compare` does, of sessions that `day` has put into units."""
        days = recent[-TREND_SESSIONS:]
        parts = self._parts(days[-1], np.ones(len(self.sessions), bool)) / self._worst
        parts = np.nan_to_num(parts, nan=-np.inf)
        part = (parts / BEYOND).argmax(axis=0)
        trend, adjusted = self._trend(*_levels(days)), self._adjusted_trend(_levels(days)[0])
        now = self._told(days[-1].median)
        return [
            Moved(
                feature=name,
                score=float(parts[part[f], f]),
                threshold=float(BEYOND[part[f], 0]),
                part=PARTS[part[f]],
                now=float(now[f]),
                usual=float(self.usual[f]),
                trend=float(trend[f]),
                trend_threshold=TREND_ERRORS,
                adjusted_trend=float(adjusted[f]),
                adjusted_threshold=ADJUSTED_ERRORS,
            )
            for f, name in enumerate(self._names)
        ]

    def _told(self, medians: FloatArray) -> FloatArray:
        """Return medians in the units of their features."""
        return np.where(np.isin(self._names, LOGGED), np.exp(medians), medians)

    def _parts(self, day: Day, among: BoolArray) -> FloatArray:
        """Return (3, n_features): how far the day lies from the sessions ``among``."""
        usual = self._missing[among]
        missing = np.abs(day.missing - usual.mean(axis=0)) / np.fmax(usual.std(axis=0), 0.01)
        missing = np.where((usual == 1).all(axis=0) & (day.missing == 1), np.nan, missing)
        level, causes = _levels([day])
        apart = self._following.freed(level, causes)[0] - nanmean(self._level[among])
        far = np.abs(apart) / self._error(self._spread, 1, causes)
        spread = psi(self._counts[among].sum(axis=0), day.counts)
        return np.stack(
            [np.where(self._known, far, np.nan), np.where(self._known, spread, np.nan), missing]
        )

    def _trend(self, level: FloatArray, causes: FloatArray) -> FloatArray:
        """Return (n_features,) how far the mean of levels (k, n_features) lies from training.

        NaN for fewer than `LEAST_TREND`.
        """
        k = len(level)
        error = np.where(
            self._wanders,
            wandering_std(self._level, k),
            self._error(long_run_std(self._level, LAGS), k, causes),
        )
        apart = middle_mean(self._following.freed(level, causes)) - self._center
        told = self._known & (k >= LEAST_TREND)
        return np.where(told, apart / np.fmax(error, IMMATERIAL), np.nan)

    def _adjusted_trend(self, level: FloatArray) -> FloatArray:
        """Return (n_features,) the same, each compared with what the others make likely.

        0 within `BENT`; NaN also below `LEAST_TO_FOLLOW` training sessions, and for what is no
        market's feature.
        """
        found = np.full(level.shape[1], np.nan)
        if len(level) >= LEAST_TREND and len(self._level) >= LEAST_TO_FOLLOW:
            apart, error = self._adjustment.trend(level[:, self._explains])
            told = np.where(np.abs(apart) < BENT, 0.0, apart)
            found[self._explains] = told / np.fmax(error, IMMATERIAL)
        return np.where(self._known & np.isin(self._names, MARKET_NAMES), found, np.nan)

    def _error(self, spread: FloatArray, k: int, causes: FloatArray) -> FloatArray:
        """Return the standard error of the mean of k sessions less that of training."""
        variance = 1 / k + 1 / len(self._level) + self._following.leverage(causes)
        return np.fmax(spread * np.sqrt(variance), IMMATERIAL)


def _levels(days: Sequence[Day]) -> tuple[FloatArray, FloatArray]:
    """Return levels (k, n_features) and causes (k, 4)."""
    return np.stack([day.level for day in days]), np.stack([day.causes for day in days])


def _far_from(k: int, n: int, gap: int) -> BoolArray:
    """Return (n,) the sessions a held-out one is compared with: the longer side, beyond the gap.

    Tomorrow is compared with sessions that all lie before it, and markets wander.
    """
    place = np.arange(n)
    far: BoolArray = place < k - gap if 2 * k >= n else place > k + gap
    return far
