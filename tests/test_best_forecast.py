"""The best possible forecast: futures follow the law, and its scores are what it is worth."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from planted import LAW

from optiq.errors import InputError
from optiq.market.best_forecast import best_scores, up_or_not
from optiq.market.plants import InterestLead, Momentum, Nonlinear, Plant, Regimes
from optiq.market.simulate import index_days, simulate_days
from optiq.market.simulated_futures import Barrier, barrier_chances, first_touch, futures
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_truth import probability_up

PLANTS = (Momentum(1.0), Regimes(1.0), Nonlinear(1.0), InterestLead(1.0))


def market(*plants: Plant, days: int = 2) -> Simulation:
    return Simulation(days=days, seed=21, plants=plants)


def test_the_index_alone_is_that_of_the_market() -> None:
    simulation = market(Momentum(1.0))
    for index, day in zip(index_days(simulation), simulate_days(simulation), strict=True):
        rows = np.searchsorted(index.ts, day.truth["ts"])
        assert np.array_equal(index.path.latent[0, rows], day.truth["latent_momentum"])
        assert np.allclose(index.path.level[rows], day.truth["spot"], atol=0.03)


@pytest.mark.parametrize("plant", [None, *PLANTS], ids=lambda p: p.name if p else "none")
def test_futures_agree_with_the_formula(plant: Plant | None) -> None:
    """The share of futures that end higher, against the exact chance, at several rows."""
    simulation = market(plant) if plant else market()
    lag, n = simulation.horizon_rows, 2000
    day = list(index_days(simulation))[1]
    chance = probability_up(day.path, LAW, day.plan.signals, lag, day.plan.drifts)
    for row in (0, 66, 143, 300):
        drawn = futures(day, LAW, lag, row, lag, n, np.random.default_rng(row))
        assert drawn.level.shape == (n, lag)
        up = (drawn.level[:, -1] > day.path.level[row]).mean()
        assert abs(up - chance[row]) < 4.0 * math.sqrt(chance[row] * (1 - chance[row]) / n)
        known = day.path.deviation[row + 1 : row + 1 + lag]
        assert np.allclose(drawn.deviation, known, rtol=1e-9)  # news comes later than that


def test_futures_end_with_the_session() -> None:
    day = next(index_days(market()))
    assert futures(day, LAW, 15, 370, 30, 3, np.random.default_rng(1)).level.shape == (3, 4)


def test_futures_spread_as_the_sessions_do() -> None:
    """From noon to the close, over the deviation that the rows ahead add up to on average."""
    day = next(index_days(market()))
    drawn = futures(day, LAW, 15, 180, 400, 1500, np.random.default_rng(5))
    moved = np.log(drawn.level[:, -1] / day.path.level[180])
    shocks = (drawn.deviation**2).sum(axis=1).mean()
    jumps = LAW.jumps * day.path.share[181:].sum() * (LAW.jump_size[0] ** 2 + LAW.jump_size[1] ** 2)
    jumps *= (LAW.session_deviation * day.path.scale[180]) ** 2
    assert moved.var() / (shocks + jumps) == pytest.approx(1.0, abs=0.15)
    assert abs(moved.mean()) < 4.0 * moved.std() / math.sqrt(1500)


TOUCHES = (
    # gains row by row, what is touched first at a width of 1
    ([0.5, 1.0, -2.0], 2),
    ([0.5, -1.0, 2.0], 0),
    ([0.9, -0.9, 0.0], 1),
)


@pytest.mark.parametrize(("gains", "label"), TOUCHES)
def test_what_is_touched_first_counts(gains: list[float], label: int) -> None:
    assert first_touch(np.array([gains]), 1.0).tolist() == [label]


def questions(simulation: Simulation, step: int, width: float) -> list[Barrier]:
    return [
        Barrier(day.session.date, ts, width, 30.0)
        for day in index_days(simulation)
        for ts in day.ts[20:330:step]
    ]


def test_chances_of_a_barrier_come_true() -> None:
    simulation = market(Momentum(1.0), days=24)
    asked = questions(simulation, 35, 0.0015)
    chances = barrier_chances(simulation, asked, n=60).mean(axis=0)
    assert np.allclose(chances.sum(axis=1), 1.0)
    came = np.zeros_like(chances)
    days = {day.session.date: day for day in index_days(simulation)}
    for number, question in enumerate(asked):
        day = days[question.date]
        row = int(np.searchsorted(day.ts, question.ts))
        gain = day.path.level[row + 2 : row + 32] / day.path.level[row + 1] - 1.0
        came[number, first_touch(gain[None, :], 0.0015)[0]] = 1.0
    error = np.sqrt((chances * (1.0 - chances)).sum(axis=0)) / len(asked)
    assert (np.abs((came - chances).mean(axis=0)) < 3.5 * error).all()
    skill = (np.log(np.maximum(chances, 0.01)) * came).sum(axis=1).mean()
    share = chances.mean(axis=0)
    assert skill > (np.log(share) * share).sum() + 0.02


def test_a_barrier_beyond_the_close_has_no_chance() -> None:
    simulation = market(days=1)
    day = next(index_days(simulation))
    asked = [Barrier(day.session.date, day.ts[row], 0.001, 30.0) for row in (343, 344)]
    chances = barrier_chances(simulation, asked, n=4)
    assert np.isnan(chances).all(axis=(0, 2)).tolist() == [False, True]


def test_a_question_about_no_session_or_no_snapshot_is_refused() -> None:
    day = next(index_days(market(days=1)))
    for date, ts, message in (
        (dt.date(2030, 1, 1), day.ts[20], "2030-01-01 is not simulated"),
        (day.session.date, day.ts[20] + np.timedelta64(1, "s"), "no snapshot at"),
    ):
        with pytest.raises(InputError, match=message):
            barrier_chances(market(days=1), [Barrier(date, ts, 0.001, 30.0)], n=4)


def test_scores_by_hand() -> None:
    low, high = best_scores(up_or_not(np.array([0.9, 0.2, np.nan])))
    assert low == high
    assert (low.rows, low.accuracy) == (2, pytest.approx(0.85))
    entropy = [-p * math.log(p) - (1 - p) * math.log(1 - p) for p in (0.9, 0.2, 0.55)]
    assert low.log_loss == pytest.approx((entropy[0] + entropy[1]) / 2)
    assert low.brier == pytest.approx(0.09 + 0.16)  # p * (1 - p), over both classes
    assert (low.prior_accuracy, low.prior_log_loss) == (0.55, pytest.approx(entropy[2]))
    # pairs of one that came and one that did not: 0.9 * 0.8 in order, 0.2 * 0.1 the wrong way
    # round, 0.9 * 0.1 and 0.2 * 0.8 tied
    right, wrong, tied = 0.72, 0.02, 0.25
    assert low.auc == pytest.approx((right + tied / 2) / (right + wrong + tied))


def test_counted_chances_bound_the_best_from_both_sides() -> None:
    rng = np.random.default_rng(4)
    exact = rng.beta(4, 4, 20_000)
    halves = np.stack([up_or_not(rng.binomial(50, exact) / 50) for _ in range(2)])
    best, _ = best_scores(up_or_not(exact))
    low, high = best_scores(halves)
    assert low.accuracy < best.accuracy < high.accuracy
    assert low.auc < best.auc < high.auc
    assert low.log_loss > best.log_loss > high.log_loss
    assert high.accuracy - low.accuracy < 0.03


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(InputError, match="no chances to score"):
        best_scores(np.full((3, 2), np.nan))
