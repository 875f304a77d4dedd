"""Plants in which one strategy is the best: the drift is there, shows where said, and is known."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from simulated import LAG, days_of

from optiq.errors import InputError
from optiq.market.plant_effect import Hours, approach, block_drift, long_run_variance
from optiq.market.plants import Nonlinear, Plant, Regimes
from optiq.market.simulate import simulate_days
from optiq.market.simulated_plants import planted
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_spot import (
    SpotLaw,
    SpotPath,
    Weather,
    overnight,
    session_path,
    variance_shares,
)
from optiq.market.simulated_truth import probability_up

PLANTS = (Regimes(1.0), Nonlinear(1.0))


@cache
def sessions(n: int, plant: Plant) -> list[tuple[SpotPath, list, dict]]:
    """Sessions of the index alone: path, its drifts by blocks, its truth."""
    law, rng = SpotLaw(), np.random.default_rng(20250101)
    share, hours = variance_shares(375.0, 60.0, law), Hours(375, 60.0)
    weather, found = Weather(24_000.0, 0.0, 0), []
    for number in range(n):
        plan = planted((plant,), hours, lambda part, n=number: stream(n, part))
        weather = overnight(weather, law, rng)
        path = session_path(
            weather, share, law, plan.signals, LAG, rng, plan.own_noise, plan.drifts
        )
        weather = Weather(float(path.level[-1]), float(path.log_volatility[-1]), weather.regime)
        found.append((path, plan.drifts, plan.truth(path.latent)))
    return found


def stream(session: int, part: str) -> np.random.Generator:
    return np.random.default_rng([session, *part.encode()])


def returns_in_deviations(path: SpotPath) -> np.ndarray:
    moved = np.diff(np.log(path.level), prepend=math.log(path.opening))
    return (moved + path.toll) / path.deviation


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_the_drift_is_there_at_its_strength(plant: Plant) -> None:
    """Returns in their deviations on the truth's direction: the slope is the gain it states."""
    drift, came = [], []
    for path, drifts, truth in sessions(800, plant):
        drift.append(drifts[0].gain * truth[f"latent_{plant.name}"])
        came.append(np.clip(returns_in_deviations(path), -6.0, 6.0))  # jumps are another matter
    x, y = np.concatenate(drift), np.concatenate(came)
    slope = (x @ y) / (x @ x)
    error = y.std() / math.sqrt(x @ x)
    assert error < 0.03
    assert abs(slope - 1.0) < 3.0 * error


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_the_truth_is_calibrated_in_ten_bins(plant: Plant) -> None:
    chances, came = [], []
    rows = np.arange(3, 360, LAG)  # windows that do not overlap, some across the ends of blocks
    for path, drifts, _ in sessions(800, plant):
        chances.append(probability_up(path, SpotLaw(), [], LAG, drifts)[rows])
        came.append(path.level[rows + LAG] > path.level[rows])
    chance, up = np.concatenate(chances), np.concatenate(came)
    for members in np.array_split(np.argsort(chance, kind="stable"), 10):
        expected = chance[members].mean()
        error = math.sqrt(expected * (1.0 - expected) / len(members))
        assert abs(up[members].mean() - expected) < 3.5 * error
    assert chance.std() > 0.05


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_plant_leaves_the_size_of_a_day_alone(plant: Plant) -> None:
    moved = [math.log(path.level[-1] / path.opening) for path, *_ in sessions(800, plant)]
    quiet = [
        math.log(path.level[-1] / path.opening) for path, *_ in sessions(800, type(plant)(0.0))
    ]
    assert np.std(moved) / np.std(quiet) == pytest.approx(1.0, abs=0.12)


def test_a_block_ahead_is_a_fair_coin() -> None:
    """By hand: 10 rows, 6 of this block; mean of two normals, the direction known only of one."""
    path, drifts, _ = sessions(800, Nonlinear(1.0))[0]
    row, lag = 75 - 6 - 1, 10
    drift = drifts[0]
    deviation = path.deviation[row + 1 : row + 1 + lag]
    known = drift.gain * drift.direction[row] * deviation[:6].sum()
    coin = drift.gain * deviation[6:].sum()
    toll, spread = path.toll[row + 1 : row + 1 + lag].sum(), math.sqrt((deviation**2).sum())
    by_hand = np.mean(
        [
            0.5 * math.erfc(-(known + side * coin - toll) / spread / math.sqrt(2.0))
            for side in (1, -1)
        ]
    )
    law = SpotLaw(jumps=1e-9, jump_share=1e-12)  # the hand reckons without jumps
    assert probability_up(path, law, [], lag, drifts)[row] == pytest.approx(by_hand, abs=1e-6)


def test_more_rows_change_none_of_the_first() -> None:
    long, short = (
        block_drift(Hours(n, 60.0), 75.0, 0.07, np.random.default_rng(1)) for n in (375, 130)
    )
    assert np.array_equal(long.direction[:130], short.direction)
    assert np.array_equal(long.block[:130], short.block)
    marks = approach(long.direction, 1.0, 4.0)
    assert np.array_equal(marks[:130], approach(short.direction, 1.0, 4.0))


def test_coins_of_blocks_widen_a_day_by_hand() -> None:
    drift = block_drift(Hours(375, 60.0), 75.0, 0.1, np.random.default_rng(1))
    assert drift.longest == 75
    assert long_run_variance([], [drift]) == pytest.approx(1.0 + 0.01 * 75)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_short_market_is_the_beginning_of_a_long_one(plant: Plant) -> None:
    short = list(simulate_days(Simulation(days=2, seed=11, plants=(plant,))))
    for one, other in zip(
        short, days_of(Simulation(days=12, seed=11, plants=(plant,))), strict=False
    ):
        for mine, theirs in ((one.columns, other.columns), (one.truth, other.truth)):
            assert mine.keys() == theirs.keys()
            assert all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)


@pytest.mark.parametrize("plant", [Regimes(0.0), Nonlinear(0.0)], ids=lambda plant: plant.name)
def test_strength_0_is_no_plant_bit_for_bit(plant: Plant) -> None:
    bare, none = (days_of(Simulation(days=2, seed=5, plants=plants)) for plants in ((), (plant,)))
    for one, other in zip(bare, none, strict=True):
        assert all(
            one.columns[name].tobytes() == other.columns[name].tobytes() for name in one.columns
        )
        assert all(one.truth[name].tobytes() == other.truth[name].tobytes() for name in one.truth)


def ratios(plant: Plant) -> pd.DataFrame:
    """Put over call of open interest and volume by minute, nearest expiry, beside the truth."""
    parts = []
    for day in days_of(Simulation(days=12, seed=11, plants=(plant,))):
        frame = pd.DataFrame({name: day.columns[name] for name in ("ts", "right", "oi", "volume")})
        frame = frame[(day.columns["expiry"] == day.columns["expiry"].min())]
        sums = frame.groupby(["ts", "right"])[["oi", "volume"]].sum().unstack()
        told = pd.DataFrame(day.truth).set_index("ts")
        told["oi_ratio"] = sums.oi[-1] / sums.oi[1]
        told["volume_ratio"] = sums.volume[-1] / sums.volume[1]
        told["minute"] = np.arange(len(told))
        parts.append(told)
    return pd.concat(parts)


def test_the_crowd_and_the_regime_show_where_said() -> None:
    seen = ratios(Regimes(1.0))
    settled = seen[(seen.minute % 75).between(20, 70) & (seen.minute < 340)]
    log = np.log(settled.oi_ratio)
    assert log[settled.crowd > 0].min() > 0.3
    assert log[settled.crowd < 0].max() < -0.3
    late = seen[seen.minute > 60]
    trending = late.best_strategy == "oi_buildup"
    assert late[trending].volume_ratio.min() > late[~trending].volume_ratio.max()


def test_the_crowd_is_gone_by_the_close() -> None:
    for number in range(20):
        for plant in PLANTS:
            effect = plant.effect(Hours(375, 60.0), lambda part, n=number: stream(n, part))
            assert effect.interest is not None
            assert np.abs(effect.interest).max() > 0.9
            assert effect.interest[-1] == 0.0
            assert effect.gathering is None or effect.gathering[-1] == 0.0


def test_two_plants_that_name_a_best_strategy_are_refused() -> None:
    with pytest.raises(InputError, match="regimes and nonlinear"):
        Simulation(days=1, seed=1, plants=PLANTS)
