"""A planted edge shows, pays for its charges, and its truth is calibrated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simulated import LAG, QUIET, days_of, spot_sessions

from optiq.market.plants import HiddenSignal, Momentum, long_run_variance
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_spot import (
    SpotLaw,
)
from optiq.market.simulated_truth import probability_up


def test_a_planted_momentum_shows_in_returns() -> None:
    quiet, planted = (
        np.mean(
            [
                np.corrcoef(
                    np.log(p.level[10:-15] / p.level[:-25]), np.log(p.level[25:] / p.level[10:-15])
                )[0, 1]
                for p in spot_sessions(1000, plants)[0]
            ]
        )
        for plants in ((), (Momentum(1.0),))
    )
    assert planted > quiet + 0.2
    assert planted > 0.1


def test_a_plant_leaves_the_size_of_a_day_alone() -> None:
    ranges = [
        np.std([math.log(p.level[-1] / p.opening) for p in spot_sessions(2500, plants)[0]])
        for plants in ((), (Momentum(1.0),))
    ]
    assert ranges[1] / ranges[0] == pytest.approx(1.0, abs=0.08)


def rupees_a_unit(simulation: Simulation) -> list[float]:
    """Follow a quarter of an hour's move with the nearest at-the-money option for another one."""
    gains = []
    for day in days_of(simulation):
        ts, level, quoted = day.truth["ts"], day.truth["spot"], day.columns
        row = 15
        while row < len(ts) - 30:
            moved = math.log(level[row] / level[row - 15])
            if abs(moved) < 0.0015:
                row += 1
                continue
            chosen = (
                (quoted["expiry"] == quoted["expiry"][0])
                & (quoted["strike"] == round(level[row] / 50) * 50)
                & (quoted["right"] == math.copysign(1, moved))
            )
            ask = quoted["ask"][chosen & (quoted["ts"] == ts[row + 1])]
            bid = quoted["bid"][chosen & (quoted["ts"] == ts[row + 16])]
            if len(ask) and len(bid):
                gains.append(float(bid[0] - ask[0]))
            row += 17
    return [gain for gain in gains if math.isfinite(gain)]


def test_momentum_pays_for_its_charges_and_noise_does_not() -> None:
    """About 65 rupees a round trip of 75 units go in charges: 0.90 rupees a unit."""
    planted = rupees_a_unit(Simulation(days=40, seed=7, plants=(Momentum(1.0),)))
    noise = rupees_a_unit(QUIET)
    assert len(planted) > 60
    error = np.std(planted) / math.sqrt(len(planted))
    assert np.mean(planted) - 0.90 > 2 * error
    assert np.mean(noise) < 0.90


@pytest.mark.parametrize("plants", [(), (Momentum(1.0),), (Momentum(2.0),)])
def test_the_truth_is_calibrated_in_ten_bins(plants: tuple[Momentum, ...]) -> None:
    paths, _ = spot_sessions(2500, plants)
    signals = [plant.signal(60.0) for plant in plants]
    chances, came = [], []
    for path in paths:
        rows = np.arange(0, 360, LAG)  # windows that do not overlap
        chances.append(probability_up(path, SpotLaw(), signals, LAG)[rows])
        came.append(path.level[rows + LAG] > path.level[rows])
    chance, up = np.concatenate(chances), np.concatenate(came)
    bins = np.array_split(np.argsort(chance, kind="stable"), 10)
    for members in bins:
        expected = chance[members].mean()
        error = math.sqrt(expected * (1 - expected) / len(members))
        assert abs(up[members].mean() - expected) < 3.5 * error
    assert (chance.std() > 0.05) == bool(plants)


def test_nothing_beats_the_truth_on_its_own_market() -> None:
    """Squared errors of the best forecast against those of a shrunk and a sharpened one."""
    days = days_of(Simulation(days=40, seed=7, plants=(Momentum(1.0),)))
    chance = np.concatenate([day.truth["probability_up"] for day in days])
    ahead = np.concatenate([day.truth["spot_ahead"] - day.truth["spot"] for day in days])
    known = ~np.isnan(chance)
    assert np.array_equal(known, ~np.isnan(ahead))
    chance, up = chance[known], ahead[known] > 0
    best = ((chance - up) ** 2).mean()
    assert best < 0.245
    for factor in (0.5, 1.6):
        assert best < ((0.5 + factor * (chance - 0.5) - up) ** 2).mean()


def test_a_forecast_never_reaches_beyond_the_close() -> None:
    day = days_of(QUIET)[3]
    minutes_left = (day.truth["ts"].max() - day.truth["ts"]) / np.timedelta64(1, "m")
    assert np.array_equal(np.isnan(day.truth["probability_up"]), minutes_left < LAG)


def test_long_run_variance_by_hand() -> None:
    signal = HiddenSignal(gain=0.1, persistence=0.6, echo=1.0)  # news 0.8, carried 1 / 0.4
    assert long_run_variance([signal]) == pytest.approx((1 + 0.1 * 0.8 / 0.4) ** 2)
    assert long_run_variance([]) == 1.0
    own = replace(signal, echo=0.0)
    assert long_run_variance([own]) == pytest.approx(1 + (0.1 * 0.8 / 0.4) ** 2)
