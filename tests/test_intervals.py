"""Intervals come from sessions: their formula by hand, their coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from optiq.errors import InputError
from optiq.learn.intervals import session_bounds
from optiq.learn.validate import interval, lower_bound, mean_interval, sessions_to_prove


def coverage(sessions: int, runs: int, draws: int) -> float:
    """Return how often the interval of a daily-shocked mean of rows holds the truth, which is 0."""
    rng = np.random.default_rng(sessions)
    held = 0
    for run in range(runs):
        rows = rng.integers(50, 300, sessions)
        shock, noise = rng.standard_normal(sessions), rng.standard_normal(sessions)
        sums = rows * 0.5 * shock + np.sqrt(rows) * noise
        found = mean_interval(sums, rows, draws=draws, seed=run)
        held += found.low <= 0 <= found.high
    return held / runs


def by_hand(daily: np.ndarray, level: float) -> tuple[float, float]:
    """Return the interval with the bootstrap's exact standard error of a mean, sd0 / sqrt(D)."""
    n = len(daily)
    error = daily.std() / math.sqrt(n) * math.sqrt(n / (n - 1))
    reach = float(t.ppf(0.5 + level / 2, n - 1)) * error
    return daily.mean() - reach, daily.mean() + reach


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_of_daily_means_is_the_formula(level):
    daily = np.random.default_rng(5).normal(100, 400, 40)
    found = mean_interval(daily, np.ones(40), level=level, draws=20_000)
    assert found.value == pytest.approx(daily.mean(), rel=1e-12)
    assert (found.low, found.high) == pytest.approx(by_hand(daily, level), rel=0.05)
    assert (found.sessions, found.note, found.level) == (40, "", level)


@pytest.mark.parametrize("sessions", [20, 40, 80])
def test_intervals_hold_the_truth_about_as_often_as_they_say(sessions):
    assert 0.90 <= coverage(sessions, runs=250, draws=300) <= 0.99


@pytest.mark.study
def test_coverage_of_the_intervals(write_study):
    found = {sessions: coverage(sessions, runs=2_000, draws=1_000) for sessions in (20, 40, 80)}
    write_study(
        "intervals",
        "How often a nominal 95 % interval holds the true mean: rows with a common daily shock, "
        "50 to 300 rows a session, 2,000 runs each.",
        ["sessions", "coverage"],
        [(sessions, f"{share:.3f}") for sessions, share in found.items()],
    )
    assert all(0.92 <= share <= 0.98 for share in found.values())


def test_resampling_rows_would_claim_certainty_that_is_not_there():
    shock = np.random.default_rng(3).standard_normal(40)
    by_session = mean_interval(300 * shock, np.full(40, 300))
    as_if_rows = mean_interval(np.repeat(shock, 50), np.ones(2_000))
    assert by_session.high - by_session.low > 5 * (as_if_rows.high - as_if_rows.low)


@pytest.mark.parametrize(
    ("sums", "counts", "sessions", "note"),
    [
        ([5.0], [10], 1, "1 session: no interval"),
        (range(7), [1] * 7, 7, "7 sessions: too few for an interval (10)"),
        ([1.0] * 12, [1] * 12, 12, "12 sessions all alike: no interval"),
        ([5.0, *[0.0] * 30], [10, *[0] * 30], 1, "1 session: no interval"),  # thirty had no trade
        ([0.0], [0], 0, "no sessions: not measured"),
    ],
)
def test_where_there_is_no_interval_the_note_says_why(sums, counts, sessions, note):
    found = mean_interval(list(sums), counts)
    assert (found.sessions, found.note) == (sessions, note)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_statistic_that_often_does_not_exist_has_no_interval():
    winners = np.zeros(12)
    winners[0] = 1  # absent from a third of the resamples

    def ratio(times):
        held = times @ winners
        return np.where(held > 0, held, np.nan) / times.sum(axis=1)

    assert interval(ratio, 12).note == "not defined in many resamples: no interval"


def test_the_lower_bound_is_one_sided():
    daily = np.random.default_rng(8).normal(1, 4, 60)
    statistic = lambda times: times @ daily / 60  # noqa: E731
    low = lower_bound(statistic, 60, level=0.95)
    assert low == interval(statistic, 60, level=0.90).low
    assert low > interval(statistic, 60, level=0.95).low


def test_the_same_seed_gives_the_same_interval():
    daily = np.random.default_rng(1).normal(0, 1, 30)
    assert mean_interval(daily, np.ones(30)) == mean_interval(daily, np.ones(30))
    assert mean_interval(daily, np.ones(30)) != mean_interval(daily, np.ones(30), seed=1)


def test_missing_days_are_refused_not_filled():
    with pytest.raises(InputError, match="missing"):
        mean_interval([1.0, np.nan], [1, 1])


@pytest.mark.parametrize(("gain", "sessions"), [(0.2, 155), (0.4, 39), (0.6, 18)])
def test_how_many_sessions_a_gain_takes(gain, sessions):
    daily = np.array([-1.0, 1.0] * 500)
    daily = daily / daily.std(ddof=1) + gain
    assert sessions_to_prove(daily) == sessions


def test_no_number_of_sessions_proves_a_loss():
    assert sessions_to_prove([-1.0, 0.5]) is None


def test_bounds_within_a_session_are_hoeffdings():
    """Three stretches: the root of ln 40 / 6 to either side, within 0 and 1; one session's."""
    found = session_bounds(0.6, 3, 30.0)
    assert (found.low, found.high) == (0.0, 1.0)
    many = session_bounds(0.6, 50, 30.0, level=0.9)
    assert many.high - many.value == pytest.approx(math.sqrt(math.log(20) / 100), rel=1e-12)
    assert many.value - many.low == pytest.approx(many.high - many.value, rel=1e-12)
    assert (many.sessions, many.note) == (
        1,
        "within 1 session, 50 stretches of 30 minutes; not over sessions",
    )


@pytest.mark.parametrize("n", [1, 3, 12])
def test_they_hold_the_truth_at_least_as_often_as_they_say(n):
    """Of the law that is hardest to hold: each stretch all or nothing."""
    rng = np.random.default_rng(n)
    for truth in (0.05, 0.5, 0.9):
        seen = rng.binomial(n, truth, 2000) / n
        bounds = [session_bounds(float(value), n, 30.0) for value in seen]
        assert np.mean([one.low <= truth <= one.high for one in bounds]) >= 0.95
