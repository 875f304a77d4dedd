"""Each feature beside what the others make likely: by hand, by brute force, and in markets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optiq.learn.drift.regression_adjustment import RIDGES, RegressionAdjustment, _adjusted


def sessions(n: int, seed: int, noise: float = 0.1) -> np.ndarray:
    """Return levels (n, 4): weather, two features that follow it, and one that does not."""
    rng = np.random.default_rng(seed)
    weather, own = rng.normal(size=n), rng.normal(size=n)
    rest = noise * rng.normal(size=(n, 2))
    return np.column_stack([weather, 2 * weather + rest[:, 0], rest[:, 1] - weather, own])


def errors(training: np.ndarray, later: np.ndarray) -> np.ndarray:
    apart, error = RegressionAdjustment(training).trend(later)
    return apart / error


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ridge=st.sampled_from(RIDGES),
    holes=st.integers(0, 12),
)
def test_a_training_session_is_judged_by_the_lines_of_the_others(seed, ridge, holes):
    """One inverse says what leaving out each session in turn and solving again does."""
    rng = np.random.default_rng(seed)
    units = sessions(20, seed)
    units[rng.integers(0, 20, holes), rng.integers(0, 4, holes)] = np.nan
    filled = np.nan_to_num(units)
    penalty = 20 * ridge * np.eye(4)
    quick = _adjusted(units, filled.T @ filled + penalty, left_out=True)
    for k, row in enumerate(units):
        rest = np.delete(filled, k, axis=0)
        moments = rest.T @ rest + penalty
        for f in range(4):
            if np.isnan(row[f]):
                assert np.isnan(quick[k, f])
                continue
            others = [g for g in range(4) if g != f and not np.isnan(row[g])]
            slopes = np.linalg.solve(moments[np.ix_(others, others)], moments[others, f])
            assert quick[k, f] == pytest.approx(row[f] - row[others] @ slopes, abs=1e-9)


def test_what_moves_with_the_others_is_no_news_and_what_moves_alone_is():
    training = sessions(100, seed=1)
    together = sessions(20, seed=2) + np.array([1.0, 2.0, -1.0, 0.0])
    assert np.abs(errors(training, together)).max() < 3
    alone = sessions(20, seed=2) + np.array([0.0, 1.0, 0.0, 0.0])  # half a deviation of its own
    found = errors(training, alone)
    assert np.abs(found).argmax() == 1
    assert found[1] > 5
    assert abs(found[3]) < 3


def test_a_step_down_is_as_far_as_a_step_up():
    """Exactly, where the later sessions are those of the training: nothing else differs."""
    training = sessions(60, seed=3)
    step = np.array([0.0, 0.5, 0.0, 0.0])
    up, down = (RegressionAdjustment(training).trend(training + sign * step) for sign in (1, -1))
    usual, _ = RegressionAdjustment(training).trend(training)
    np.testing.assert_allclose(up[0] - usual, usual - down[0], atol=1e-12)


def test_units_do_not_matter():
    training, later = sessions(60, seed=4), sessions(20, seed=5)
    scale, shift = np.array([100.0, 0.01, 3.0, 1.0]), np.array([5.0, -3.0, 0.0, 1e3])
    np.testing.assert_allclose(
        errors(training * scale + shift, later * scale + shift), errors(training, later), rtol=1e-6
    )


def test_what_is_missing_explains_nothing_and_is_told_of_nothing():
    """A feature that stops coming leaves the others judged by those that still come."""
    training, later = sessions(100, seed=6), sessions(20, seed=7)
    later[:, 0] += 3.0
    later[:, 1] += 6.0
    later[:, 2] = np.nan
    found = errors(training, later)
    assert np.isnan(found[2])
    assert np.abs(found[[0, 1, 3]]).max() < 3


def test_what_never_changed_or_was_seldom_known_is_left_out():
    training, later = sessions(60, seed=8), sessions(20, seed=9)
    seldom = np.where(np.arange(60) < 29, training[:, 0], np.nan)
    still = np.column_stack([training, np.full(60, 7.0), np.full(60, np.nan), seldom])
    after = np.column_stack([later, np.full(20, 9.0), np.ones(20), later[:, 0]])
    found = errors(still, after)
    assert np.isnan(found[4:]).all()
    np.testing.assert_allclose(found[:4], errors(training, later))


def test_beyond_all_training_the_lines_are_doubted():
    """A storm such as was never seen: what follows it may well follow it otherwise there."""
    training = sessions(40, seed=10)
    near, far = sessions(20, seed=11), sessions(20, seed=11)
    far[:, :3] += np.array([20.0, 40.0, -20.0])
    adjustment = RegressionAdjustment(training)
    (_, near_error), (_, far_error) = adjustment.trend(near), adjustment.trend(far)
    assert (far_error[:3] > 2 * near_error[:3]).all()
    assert np.abs(errors(training, far)).max() < 3
