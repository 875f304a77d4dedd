"""Every plant: its drift is there at its strength and known, and at 0 there is no plant at all."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from planted import LAW, index_sessions, stream
from simulated import LAG, days_of

from optiq.errors import InputError
from optiq.market.plant_effect import Hours, approach, block_drift, long_run_variance
from optiq.market.plants import (
    InterestLead,
    Momentum,
    Nonlinear,
    Plant,
    Regimes,
    VolatilityReversion,
)
from optiq.market.simulate import simulate_days
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_truth import probability_up

MOVING = (Regimes(1.0), Nonlinear(1.0), InterestLead(1.0))
EVERY = (*MOVING, VolatilityReversion(1.0))
moving = pytest.mark.parametrize("plant", MOVING, ids=lambda plant: plant.name)
every = pytest.mark.parametrize("plant", EVERY, ids=lambda plant: plant.name)


@moving
def test_the_drift_is_there_at_its_strength(plant: Plant) -> None:
    """Returns on the drift of the truth, both in deviations: a slope of 1, within its error."""
    x = np.concatenate([session.drift for session in index_sessions(400, plant)])
    y = np.concatenate([session.returns for session in index_sessions(400, plant)])
    slope, error = (x @ y) / (x @ x), y.std() / math.sqrt(x @ x)
    assert error < 0.05
    assert abs(slope - 1.0) < 3.0 * error


@moving
def test_the_truth_is_calibrated_in_ten_bins(plant: Plant) -> None:
    rows = np.arange(3, 360, LAG)  # windows that do not overlap, some across the ends of blocks
    sessions = index_sessions(400, plant)
    chance = np.concatenate([session.chance_up[rows] for session in sessions])
    levels = [session.path.level for session in sessions]
    up = np.concatenate([level[rows + LAG] > level[rows] for level in levels])
    for members in np.array_split(np.argsort(chance, kind="stable"), 10):
        expected = chance[members].mean()
        error = math.sqrt(expected * (1.0 - expected) / len(members))
        assert abs(up[members].mean() - expected) < 3.5 * error
    assert chance.std() > 0.05


@moving
def test_a_plant_leaves_the_size_of_a_day_alone(plant: Plant) -> None:
    spread = [
        np.std([math.log(s.path.level[-1] / s.path.opening) for s in index_sessions(400, given)])
        for given in (plant, Regimes(0.0))
    ]
    assert spread[0] / spread[1] == pytest.approx(1.0, abs=0.12)


def test_a_block_ahead_is_a_fair_coin() -> None:
    """By hand: 6 of 10 rows are of this block; the mean of two normals."""
    path, plan = index_sessions(400, Nonlinear(1.0))[0]
    row, lag, drift = 75 - 6 - 1, 10, plan.drifts[0]
    ahead = slice(row + 1, row + 1 + lag)
    deviation, toll = path.deviation[ahead], path.toll[ahead].sum()
    known = drift.gain * drift.direction[row] * deviation[:6].sum()
    coin = drift.gain * deviation[6:].sum()
    spread = math.sqrt(2.0 * (deviation**2).sum())
    by_hand = [0.5 * math.erfc((toll - known - side * coin) / spread) for side in (1, -1)]
    law = type(LAW)(jumps=1e-9, jump_share=1e-12)  # the hand reckons without jumps
    chance = probability_up(path, law, [], lag, plan.drifts)[row]
    assert chance == pytest.approx(np.mean(by_hand), abs=1e-6)
    assert abs(by_hand[0] - by_hand[1]) > 0.01


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


@every
def test_a_short_market_is_the_beginning_of_a_long_one(plant: Plant) -> None:
    short = list(simulate_days(Simulation(days=2, seed=11, plants=(plant,))))
    long = days_of(Simulation(days=12, seed=11, plants=(plant,)))[:2]
    for one, other in zip(short, long, strict=True):
        for mine, theirs in ((one.columns, other.columns), (one.truth, other.truth)):
            assert mine.keys() == theirs.keys()
            assert all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)


@every
def test_strength_0_is_no_plant_bit_for_bit(plant: Plant) -> None:
    bare, none = (
        days_of(Simulation(days=2, seed=5, plants=plants)) for plants in ((), (type(plant)(0.0),))
    )
    for one, other in zip(bare, none, strict=True):
        for mine, theirs in ((one.columns, other.columns), (one.truth, other.truth)):
            assert all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)


@every
def test_quotes_stay_monotone_in_the_strike_and_at_parity(plant: Plant) -> None:
    for day in days_of(Simulation(days=12, seed=11, plants=(plant,)))[:3]:
        frame = pd.DataFrame({n: day.columns[n] for n in ("ts", "expiry", "strike", "right")})
        frame["bid"], frame["ask"] = day.columns["bid"], day.columns["ask"]
        frame = frame.dropna().sort_values(["right", "expiry", "ts", "strike"])
        same = (frame.groupby(["right", "expiry", "ts"]).ngroup().diff() == 0).to_numpy()[1:]
        bid, ask, call = frame.bid.to_numpy(), frame.ask.to_numpy(), frame.right.to_numpy() == 1
        dearer = np.where(call[1:], bid[1:] - ask[:-1], bid[:-1] - ask[1:])
        assert not (same & (dearer > 1e-9)).any()
        calls, puts = (
            frame[frame.right == r].set_index(["ts", "expiry", "strike"]) for r in (1, -1)
        )
        both = calls.join(puts, suffixes=("_call", "_put"), how="inner")
        strike, curve = both.index.get_level_values("strike"), both.index.droplevel("strike")
        lowest = (strike + both.bid_call - both.ask_put).groupby(curve).max()
        highest = (strike + both.ask_call - both.bid_put).groupby(curve).min()
        assert (lowest <= highest + 1e-6).all()
        for name in ("oi", "oi_change", "volume"):
            assert (day.columns[name] % 1 == 0).all()
        assert (day.columns["oi"] >= 0).all()


@every
def test_open_interest_goes_on_where_the_day_before_ended(plant: Plant) -> None:
    first, second = days_of(Simulation(days=12, seed=11, plants=(plant,)))[1:3]
    held = [
        pd.DataFrame({n: day.columns[n] for n in ("expiry", "strike", "right", "oi", "oi_change")})
        for day in (first, second)
    ]
    key = ["expiry", "strike", "right"]
    both = held[0].groupby(key).last().join(held[1].groupby(key).first(), suffixes=("", "_next"))
    both = both.dropna()
    assert len(both) > 50
    # a contract whose last quote was missing shows the one before
    assert (both.oi_next - both.oi_change_next == both.oi).mean() > 0.9


# What shows the plants


def by_minute(plant: Plant) -> pd.DataFrame:
    """Put over call of open interest and volume by minute, nearest expiry, beside the truth."""
    parts = []
    for day in days_of(Simulation(days=12, seed=11, plants=(plant,))):
        frame = pd.DataFrame({name: day.columns[name] for name in ("ts", "right", "oi", "volume")})
        frame = frame[day.columns["expiry"] == day.columns["expiry"].min()]
        sums = frame.groupby(["ts", "right"])[["oi", "volume"]].sum().unstack()
        told = pd.DataFrame(day.truth).set_index("ts")
        told["oi_ratio"] = np.log(sums.oi[-1] / sums.oi[1])
        told["volume_ratio"] = np.log(sums.volume[-1] / sums.volume[1])
        told["minute"] = (told.index - told.index[0]) / np.timedelta64(1, "m")
        told["date"] = day.date
        parts.append(told)
    return pd.concat(parts)


def test_the_crowd_and_the_regime_show_where_said() -> None:
    seen = by_minute(Regimes(1.0))
    assert seen.best_strategy.nunique() == 3
    settled = seen[(seen.minute % 75).between(20, 70) & (seen.minute < 340)]
    assert settled.oi_ratio[settled.crowd > 0].min() > 0.3
    assert settled.oi_ratio[settled.crowd < 0].max() < -0.3
    late = seen[seen.minute > 60]
    trending = late.best_strategy == "oi_buildup"
    assert late[trending].volume_ratio.min() > late[~trending].volume_ratio.max()


def test_no_line_through_the_marks_tells_the_drift_and_a_tree_does() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeRegressor

    sessions = index_sessions(400, Nonlinear(1.0))
    marks = [[session.truth[n] for n in ("mark_skew", "mark_activity")] for session in sessions]
    seen = np.concatenate([np.transpose(mark) for mark in marks])
    came = np.concatenate([session.returns for session in sessions])
    half = len(seen) // 2
    power = []
    for model in (Ridge(), DecisionTreeRegressor(max_depth=3, min_samples_leaf=2000)):
        said = model.fit(seen[:half], came[:half]).predict(seen[half:])
        power.append(((said - came[:half].mean()) * came[half:]).mean())
    gain = 0.10**2  # what knowing the drift is worth
    error = 0.10 / math.sqrt(half)
    assert abs(power[0]) < 0.1 * gain + 2.0 * error
    assert power[1] > 0.7 * gain


def test_the_marks_of_the_product_show_where_said() -> None:
    seen = by_minute(Nonlinear(1.0))
    assert set(seen.mark_skew) == {-1.0, 0.0, 1.0}
    late = seen[seen.minute > 60]
    high = late.mark_activity > 0
    assert late[high].volume_ratio.min() > late[~high].volume_ratio.max()


def test_the_crowd_is_gone_by_the_close() -> None:
    for number in range(20):
        for plant in (Regimes(1.0), Nonlinear(1.0)):
            effect = plant.effect(Hours(375, 60.0), lambda part, n=number: stream(n, part))
            assert effect.interest is not None
            assert np.abs(effect.interest).max() > 0.9
            assert effect.interest[-1] == 0.0
            assert effect.gathering is None or effect.gathering[-1] == 0.0


def test_two_plants_that_name_a_best_strategy_are_refused() -> None:
    with pytest.raises(InputError, match="regimes and nonlinear each"):
        Simulation(days=1, seed=1, plants=(Regimes(1.0), Nonlinear(1.0)))


def flow_against_signal(plant: Plant) -> float:
    """Correlation of what calls gained on puts in 15 minutes with the signal that drives it."""
    seen = by_minute(plant)
    flow = -seen.groupby("date").oi_ratio.diff(15)
    return float(flow.corr(seen.latent_oi_lead))


def test_open_interest_shows_the_signal_and_returns_do_not() -> None:
    assert flow_against_signal(InterestLead(1.0)) > 0.75
    sessions = index_sessions(400, InterestLead(1e-6))  # shown, and without any power
    past = np.concatenate([s.returns[:-1] for s in sessions])
    signal = np.concatenate([s.path.latent[0, :-1] for s in sessions])
    assert abs(np.corrcoef(past, signal)[0, 1]) < 0.012


def test_open_interest_leads_the_price_and_does_not_at_no_power() -> None:
    """The next 15 minutes on the flow of the last 15."""
    power = []
    for strength in (1.0, 1e-6):
        seen = by_minute(InterestLead(strength))
        flow = -seen.groupby("date").oi_ratio.diff(15)
        power.append(flow.corr(np.log(seen.spot_ahead / seen.spot)))
    assert power[0] > 0.12
    assert abs(power[1]) < 0.08


def test_implied_volatility_comes_back_as_foretold() -> None:
    plant = VolatilityReversion(1.0)
    days = days_of(Simulation(days=12, seed=11, plants=(plant,)))
    residual = np.concatenate([day.truth["latent_iv_reversion"] for day in days])
    assert residual.std() == pytest.approx(0.04, rel=0.15)
    minutes, rng = 15.0, np.random.default_rng(3)
    x = [plant.effect(Hours(375, 60.0), lambda _: rng).volatility.value for _ in range(400)]
    now = np.array([path[::30][:-1] for path in x]).ravel()
    ahead = np.array([path[15::30] for path in x]).ravel()[: len(now)]
    expected, came = plant.expected_change(now, minutes), ahead - now
    slope = (expected @ came) / (expected @ expected)
    error = (came - expected).std() / math.sqrt(expected @ expected)
    assert abs(slope - 1.0) < 3.0 * error
    assert error < 0.05
    best = math.sqrt((1.0 - plant.persistence(minutes)) / 2.0)
    assert np.corrcoef(expected, came)[0, 1] == pytest.approx(best, abs=0.03)
    chance = plant.probability_up(now, minutes)
    for members in np.array_split(np.argsort(chance), 5):
        hit, due = (came[members] > 0).mean(), chance[members].mean()
        assert abs(hit - due) < 3.5 * math.sqrt(due * (1.0 - due) / len(members))


def test_the_residual_is_in_the_quotes_and_not_in_the_index() -> None:
    bare, strained = (
        days_of(Simulation(days=12, seed=11, plants=plants))
        for plants in ((), (VolatilityReversion(1.0),))
    )
    logs, residuals = [], []
    for one, other in zip(bare[1:4], strained[1:4], strict=True):
        assert np.array_equal(one.truth["spot"], other.truth["spot"])
        middles = [
            pd.DataFrame({n: day.columns[n] for n in ("ts", "expiry", "strike", "right")}).assign(
                middle=(day.columns["bid"] + day.columns["ask"]) / 2, spot=day.columns["spot"]
            )
            for day in (one, other)
        ]
        both = middles[0].merge(middles[1], on=["ts", "expiry", "strike", "right"]).dropna()
        both = both[(both.expiry == both.expiry.max()) & ((both.strike - both.spot_x).abs() < 25)]
        ratio = np.log(both.middle_y / both.middle_x).groupby(both.ts).mean()
        told = pd.Series(other.truth["latent_iv_reversion"], other.truth["ts"])
        logs.append(ratio), residuals.append(told.reindex(ratio.index))
    assert np.corrcoef(pd.concat(logs), pd.concat(residuals))[0, 1] > 0.98


def test_momentum_is_the_plant_it_was() -> None:
    effect = Momentum(1.0).effect(Hours(375, 60.0), lambda _: pytest.fail("draws nothing here"))
    assert effect.signal == Momentum(1.0).signal(60.0)
    assert effect.interest is None
    assert effect.skew is None
