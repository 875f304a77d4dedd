"""Sessions whose best possible forecast is known: labels are drawn from it."""

from __future__ import annotations

import datetime as dt

import numpy as np

from optiq.learn.direction.labels import Labels
from optiq.learn.direction.sample import Sample, sample_of
from optiq.learn.direction.windows import NAMES, LabelledDay, Seen

ROWS, EVERY = 375, 10
FIRST = dt.date(2024, 1, 1)
OPEN_MINUTES = 225.0  # 09:15 in India, in minutes UTC


def planted(
    n_sessions: int, seed: int, strength: float = 1.0, *, knows_side: bool = True
) -> tuple[Sample, np.ndarray]:
    """Return sessions of 375 rows a minute apart, and the law (n, 3) that drew each label.

    34 features wander, each at its own pace. The odds of buy against sell follow the mean of one
    over the last ten minutes and the product of two others now; the odds of hold a fourth. With
    ``strength`` 0 all three are as likely whatever is seen; without ``knows_side`` only whether it
    holds can be known.
    """
    rng = np.random.default_rng(seed)
    days, laws = [], []
    for number in range(n_sessions):
        features, law = _session(rng, strength, knows_side)
        rows = np.arange(30, ROWS - 30, EVERY)
        drawn = (rng.random(ROWS)[:, None] > np.cumsum(law, axis=1)).sum(axis=1)
        days.append(_day(FIRST + dt.timedelta(days=number), features, drawn, rows))
        laws.append(law[rows])
    return sample_of(days, "planted"), np.concatenate(laws)


def _session(
    rng: np.random.Generator, strength: float, knows_side: bool
) -> tuple[np.ndarray, np.ndarray]:
    pace = np.linspace(0.80, 0.98, len(NAMES))
    news = rng.standard_normal((ROWS, len(NAMES))) * np.sqrt(1.0 - pace**2)
    features = np.empty_like(news)
    features[0] = rng.standard_normal(len(NAMES))
    for row in range(1, ROWS):
        features[row] = pace * features[row - 1] + news[row]
    minutes = np.arange(ROWS) + 1.0
    features[:, NAMES.index("minutes_to_close")] = ROWS - minutes
    features[:, NAMES.index("days_to_expiry")] = 3.0 + (ROWS - minutes) / 1440.0
    lately = np.convolve(features[:, 24], np.full(10, 0.1))[:ROWS]
    side = 0.9 * lately + 0.25 * features[:, 30] * features[:, 27]
    still = 0.4 * features[:, 28]
    if not knows_side:
        side, still = 0.0 * side, 4.0 * still
    odds = strength * np.stack([-side, still, side], axis=1)
    powers = np.exp(odds - odds.max(axis=1, keepdims=True))
    return features, powers / powers.sum(axis=1, keepdims=True)


def _day(date: dt.date, features: np.ndarray, label: np.ndarray, rows: np.ndarray) -> LabelledDay:
    opened = np.datetime64(date, "us") + np.timedelta64(int(OPEN_MINUTES), "m")
    ts = opened + (np.arange(ROWS) + 1) * np.timedelta64(60_000_000, "us")
    seen = Seen(ts.astype(np.int64) / 6e7, features)
    end = ts + np.timedelta64(10 * 60_000_000, "us")
    labels = Labels(label, end, np.full(ROWS, 0.001), np.zeros(ROWS, np.int64))
    return LabelledDay(date, ts, seen, labels, rows)


def best(law: np.ndarray) -> tuple[float, float]:
    """Return the accuracy and the log loss of whoever knows the law."""
    return float(law.max(axis=1).mean()), float(-(law * np.log(law)).sum(axis=1).mean())
