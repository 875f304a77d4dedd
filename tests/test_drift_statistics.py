"""What drift counts with: levels, what follows what, and errors of means of days that depend."""

from __future__ import annotations

import numpy as np
import pytest

from optiq.learn.drift.day import scale_of, summary
from optiq.learn.drift.following import LEAST_TO_FOLLOW, following
from optiq.learn.drift.statistics import (
    HALF_LIFE,
    long_run_std,
    middle_mean,
    nanmean,
    nanmedian,
    wandering_std,
)

CAUSES = np.zeros(4)


def test_means_and_medians_of_what_is_known_by_hand():
    values = np.array([[1.0, np.nan, np.nan], [5.0, 2.0, np.nan], [3.0, 4.0, np.nan]])
    np.testing.assert_array_equal(nanmedian(values), [3.0, 3.0, np.nan])
    np.testing.assert_array_equal(nanmean(values), [3.0, 3.0, np.nan])
    assert np.isnan(nanmedian(values[:0])).all()


def test_one_strange_session_is_not_a_trend():
    usual = np.array([[1.0], [2.0], [3.0], [2.0], [-90.0]])
    assert middle_mean(usual) == pytest.approx([5 / 3])
    assert middle_mean(usual[:2]) == pytest.approx([1.5])  # of two, which is the strange one


def test_the_level_is_the_same_however_many_rows_lie_in_each_bucket():
    """Two buckets a whole apart: three times the rows in one of them is no news."""
    rng = np.random.default_rng(0)
    near, far = rng.normal(0, 1, (300, 1)), rng.normal(1, 1, (300, 1))
    bucket = np.repeat([0, 4], 300)
    scale = scale_of(np.concatenate([near, far]), bucket)
    groups = (np.concatenate([near + 0.2, far + 0.6]), bucket)
    even = summary([groups], [scale], CAUSES)
    thrice = np.concatenate([np.arange(600), np.arange(300, 600), np.arange(300, 600)])
    uneven = summary([(groups[0][thrice], bucket[thrice])], [scale], CAUSES)
    assert uneven.level == pytest.approx(even.level)
    assert uneven.median > even.median + 0.1


def test_a_misprint_counts_as_three_spreads_and_a_wrong_unit_as_all_of_it():
    rows = np.arange(-50.0, 51.0)[:, None] / 50
    bucket = np.zeros(101, np.int64)
    scale = scale_of(rows, bucket)
    spoilt = np.where(rows == 1, 1e6, rows)
    level = summary([(spoilt, bucket)], [scale], CAUSES).level
    assert level == pytest.approx([(3 - 1 / scale.unit[0, 0]) / 101])
    all_of_it = summary([(rows + 100, bucket)], [scale], CAUSES).level
    assert all_of_it == pytest.approx([100 / scale.unit[0, 0]])


def test_what_follows_is_freed_and_what_does_not_stays():
    rng = np.random.default_rng(1)
    causes = rng.normal(0, 1, (LEAST_TO_FOLLOW, 4))
    level = np.column_stack([causes @ [2.0, -1.0, 0.5, 0.0], causes[:, 0]])
    found = following(level, causes, [0])
    freed = found.freed(level, causes)
    assert freed[:, 0] == pytest.approx(np.full(LEAST_TO_FOLLOW, level[:, 0].mean()), abs=1e-9)
    np.testing.assert_array_equal(freed[:, 1], level[:, 1])
    assert not following(level[1:], causes[1:], [0]).slopes.any()  # too few to learn it from


def test_what_is_unknown_of_a_slope_grows_away_from_the_training_and_has_an_end():
    rng = np.random.default_rng(2)
    causes = rng.normal(0, 1, (60, 4))
    level = np.column_stack([causes[:, 0] + rng.normal(0, 1, 60), rng.normal(0, 1, 60)])
    found = following(level, causes, [0])
    usual, away, absurd = (found.usual + np.array([[far, 0, 0, 0]]) for far in (0.0, 2.0, 1e6))
    assert found.leverage(usual) == pytest.approx([0.0, 0.0])
    by_hand = 4 * np.linalg.inv(np.cov(causes.T) * 59)[0, 0]
    assert found.leverage(away) == pytest.approx([by_hand, 0.0])
    range_and_half = causes[:, 0].max() + np.ptp(causes[:, 0]) / 2
    assert found.freed(np.zeros((1, 2)), absurd)[0, 0] == pytest.approx(
        -found.slopes[0, 0] * (range_and_half - found.usual[0])
    )


def weather(n_sessions: int, n_features: int, seed: int) -> np.ndarray:
    """Return (n_sessions, n_features) of which half is left after `HALF_LIFE` sessions."""
    rng = np.random.default_rng(seed)
    left = 0.5 ** (1 / HALF_LIFE)
    values = [rng.normal(0, 1, n_features)]
    for _ in range(n_sessions - 1):
        values.append(left * values[-1] + np.sqrt(1 - left**2) * rng.normal(0, 1, n_features))
    return np.array(values)


def test_weather_is_seldom_far_in_errors_that_know_of_it():
    """And often in those that count the last fortnight only, which is why they are there."""
    values = weather(80, 2000, seed=3)
    apart = np.abs(values[60:].mean(axis=0) - values[:60].mean(axis=0))
    short = long_run_std(values[:60], 10) * np.sqrt(1 / 20 + 1 / 60)
    assert (apart > 4 * wandering_std(values[:60], 20)).mean() < 0.005
    assert (apart > 4 * short).mean() > 0.05


def test_noise_needs_no_weather():
    """Its error is near the textbook's, and nearer the more sessions there are."""
    noise = np.random.default_rng(4).normal(0, 1, (200, 500))
    few, many = (
        np.median(wandering_std(noise[:n], 20)) / np.sqrt(1 / 20 + 1 / n) for n in (40, 200)
    )
    assert 1 < many < few < 2.5
