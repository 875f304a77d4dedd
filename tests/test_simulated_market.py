"""The simulated market is shaped like one: volatility, smile, spreads, tape."""

from __future__ import annotations

import datetime as dt
import math
from functools import cache

import numpy as np
import pytest
from simulated import QUIET, days_of, quotes, spot_sessions

from optiq.market.black76 import black76_price
from optiq.market.ingest.batch import Batch
from optiq.market.ingest.normalise import normalise
from optiq.market.plants import Momentum
from optiq.market.simulated_spot import (
    SpotLaw,
)
from optiq.market.simulated_surface import SurfaceLaw, expected_variance, smile


def test_ingest_has_nothing_to_object_to() -> None:
    for day in days_of(QUIET)[:5]:
        batch = Batch(
            day.columns, "simulation", "0", "NIFTY", "UTC", oi_unit="units", volume_unit="units"
        )
        outcome = normalise(batch, "UTC", None, None)
        assert outcome.refused == []
        assert [(chunk.underlying, chunk.date) for chunk in outcome.chunks] == [("NIFTY", day.date)]


def test_volatility_is_that_of_an_index() -> None:
    paths, before = spot_sessions(2500)
    daily = np.array([math.log(p.level[-1] / b) for p, b in zip(paths, before, strict=True)])
    assert 0.11 < daily.std() * math.sqrt(252) < 0.16
    standardised = (daily - daily.mean()) / daily.std()
    assert (standardised**4).mean() > 3.5  # fat tails
    squares = daily**2
    assert np.corrcoef(squares[1:], squares[:-1])[0, 1] > 0.05  # volatility clusters


def test_variance_over_the_day_is_a_u() -> None:
    paths, _ = spot_sessions(2500)
    squares = np.mean([np.diff(np.log(p.level)) ** 2 for p in paths], axis=0)
    opening, noon, closing = squares[:30].mean(), squares[150:240].mean(), squares[-20:].mean()
    assert 1.8 < opening / noon < 4.0
    assert 1.3 < closing / noon < 2.5


def test_volatility_rises_when_the_index_falls() -> None:
    paths, before = spot_sessions(2500)
    moved = np.array([math.log(p.level[-1] / b) for p, b in zip(paths, before, strict=True)])
    change = np.diff([p.log_volatility[-1] for p in paths])
    assert -0.9 < np.corrcoef(moved[1:], change)[0, 1] < -0.5


def test_the_index_is_a_martingale_within_the_session() -> None:
    paths, _ = spot_sessions(2500)
    moved = np.array([p.level[-1] / p.opening - 1 for p in paths])
    assert abs(moved.mean()) < 3.5 * moved.std() / math.sqrt(len(moved))
    minute = np.concatenate([np.diff(np.log(p.level)) / p.deviation[1:] for p in paths[:400]])
    assert abs(np.corrcoef(minute[1:], minute[:-1])[0, 1]) < 0.02


@pytest.mark.parametrize("plants", [(), (Momentum(1.0),)])
def test_implied_variance_is_a_little_above_what_comes(plants: tuple[Momentum, ...]) -> None:
    """A straddle of expiry day is paid back but for the premium, planted edge or not."""
    law, premium = SpotLaw(), SurfaceLaw().variance_premium
    paths, _ = spot_sessions(2500, plants)
    row = 15
    left = np.maximum(paths[0].share.sum() - np.cumsum(paths[0].share), 0.0)
    implied = [
        premium
        * law.session_deviation**2
        * expected_variance(p.log_volatility, left, np.array([0]), law)[0, row]
        for p in paths
    ]
    came = [math.log(p.level[-1] / p.level[row]) ** 2 for p in paths]
    assert 0.70 < np.mean(came) / np.mean(implied) < 0.97


def test_the_smile_offers_no_arbitrage() -> None:
    strike = np.linspace(0.85, 1.15, 601)[:, None] * 24_000.0
    forward = np.full((1, 1), 24_000.0)
    law = SurfaceLaw()
    for deviation in (0.003, 0.008, 0.02, 0.06):
        for curvature, slope in ((law.smile_near, law.skew_near), (law.smile_far, law.skew_far)):
            away = np.log(strike / forward) / deviation
            shape = smile(away, np.array(curvature), np.array(slope))
            call, put = (
                black76_price(forward, strike, 1.0, deviation * np.sqrt(shape), right)[:, 0]
                for right in (1, -1)
            )
            assert (np.diff(call) <= 1e-9).all()
            assert (np.diff(put) >= -1e-9).all()
            assert (np.diff(call, 2) > -1e-6).all()


def test_prices_lie_on_ticks_and_are_never_0() -> None:
    frame = quotes()
    for name in ("ltp", "bid", "ask"):
        price = frame[name].dropna().to_numpy()
        assert (price > 0).all()
        assert np.array_equal(np.round(np.round(price * 20) / 20, 2), price)
    assert (frame.spread.dropna() > 0).all()


def test_quotes_are_monotone_in_the_strike_within_their_spread() -> None:
    frame = quotes().sort_values(["right", "expiry", "ts", "strike"])
    same_curve = (frame.groupby(["right", "expiry", "ts"]).ngroup().diff() == 0).to_numpy()
    bid, ask = frame.bid.to_numpy(), frame.ask.to_numpy()
    call = (frame.right == 1).to_numpy()
    dearer = np.where(call[1:], bid[1:] - ask[:-1], bid[:-1] - ask[1:])
    assert not (same_curve[1:] & (dearer > 1e-9)).any()


def test_parity_holds_within_the_spread() -> None:
    frame = quotes()
    frame = frame[frame.date < dt.date(2025, 1, 10)]  # an expiry day among them
    sides = [frame[frame.right == right].set_index(["ts", "expiry", "strike"]) for right in (1, -1)]
    both = sides[0].join(sides[1], suffixes=("_call", "_put"), how="inner")
    both = both[both.spread_call.notna() & both.spread_put.notna()]
    strike = both.index.get_level_values("strike")
    lowest = strike + both.bid_call - both.ask_put
    highest = strike + both.ask_call - both.bid_put
    by_expiry = both.index.droplevel("strike")
    assert (lowest.groupby(by_expiry).max() <= highest.groupby(by_expiry).min() + 1e-6).all()


SHAPES = (
    # what, lowest and highest admitted
    ("contracts a day", 170, 174),
    ("snapshots kept", 0.95, 1.0),
    ("quotes missing from their snapshot", 0.0015, 0.01),
    ("one-sided quotes", 0.01, 0.12),
    ("one-sided at the money", 0.0, 0.012),
    ("last price outside the book", 0.10, 0.45),
    ("last price 1 % outside the book", 0.03, 0.25),
    ("quotes without a trade yet", 0.005, 0.10),
    ("minutes with a trade at the money", 0.98, 1.0),
    ("minutes with a trade 18 strikes in the money", 0.05, 0.7),
    ("at-the-money spread of its price", 0.001, 0.004),
    ("spread 9 strikes out against its price at the money", 2.0, 20.0),
    ("spread 15 strikes in against at the money", 5.0, 60.0),
    ("implied at-the-money volatility, next expiry", 0.09, 0.20),
    ("out-of-the-money puts over calls, 9 strikes, next expiry", 1.2, 3.0),
    ("interest at round strikes over others", 1.5, 4.0),
    ("volume of the first half hour against noon", 1.5, 5.0),
)


@cache
def measured() -> dict[str, float]:
    frame = quotes()
    two_sided = frame[frame.spread.notna()]
    at, near = frame[frame.out == 0], frame[frame.is_nearest & (frame.sessions > 0)]
    outside = (two_sided.ltp > two_sided.ask) | (two_sided.ltp < two_sided.bid)
    far_outside = (two_sided.ltp > two_sided.ask * 1.01) | (two_sided.ltp < two_sided.bid * 0.99)
    one_sided = frame.bid.isna() ^ frame.ask.isna()
    cells = frame.groupby("date").ts.nunique() * 172
    traded = frame.groupby(["date", "expiry", "strike", "right"]).volume.diff() > 0
    relative = near.spread / near.middle
    later = frame[~frame.is_nearest & (frame.out == 0) & (frame.right == 1)]
    years = (later.sessions + 0.25) / 365
    implied = later.middle / (0.3989 * later.spot * np.sqrt(years))
    out_9 = frame[~frame.is_nearest & (frame.out == 9)].groupby("right").middle.mean()
    closing = near[near.out.between(0, 12)]
    minute = (frame.ts - frame.ts.dt.normalize()).dt.total_seconds() / 60 - 225
    gained = frame.groupby(["date", "expiry", "strike", "right"]).volume.diff()
    return {
        "contracts a day": frame.groupby("date")
        .apply(lambda day: len(day[["expiry", "strike", "right"]].drop_duplicates()))
        .mean(),
        "snapshots kept": frame.groupby("date").ts.nunique().mean() / 375,
        "quotes missing from their snapshot": 1 - len(frame) / cells.sum(),
        "one-sided quotes": one_sided.mean(),
        "one-sided at the money": one_sided[at.index].mean(),
        "last price outside the book": outside.mean(),
        "last price 1 % outside the book": far_outside.mean(),
        "quotes without a trade yet": frame.ltp.isna().mean(),
        "minutes with a trade at the money": traded[near[near.out == 0].index].mean(),
        "minutes with a trade 18 strikes in the money": traded[near[near.out == -18].index].mean(),
        "at-the-money spread of its price": relative[near.out == 0].median(),
        "spread 9 strikes out against its price at the money": (
            relative[near.out == 9].median() / relative[near.out == 0].median()
        ),
        "spread 15 strikes in against at the money": (
            near.spread[near.out == -15].median() / near.spread[near.out == 0].median()
        ),
        "implied at-the-money volatility, next expiry": implied.mean(),
        "out-of-the-money puts over calls, 9 strikes, next expiry": out_9[-1] / out_9[1],
        "interest at round strikes over others": (
            closing.oi[closing.strike % 500 == 0].mean()
            / closing.oi[closing.strike % 100 != 0].mean()
        ),
        "volume of the first half hour against noon": (
            gained[minute.between(2, 30)].mean() / gained[minute.between(150, 240)].mean()
        ),
    }


@pytest.mark.parametrize(("what", "lowest", "highest"), SHAPES)
def test_the_market_is_shaped_like_one(what: str, lowest: float, highest: float) -> None:
    assert lowest <= measured()[what] <= highest


def test_time_value_is_gone_at_the_close_of_expiry_day() -> None:
    frame = quotes()
    last = frame[(frame.sessions == 0) & (frame.ts == frame.groupby("date").ts.transform("max"))]
    last = last[last.ts.dt.time == dt.time(10, 0)]  # the recorder had the last snapshot
    intrinsic = np.maximum((last.spot - last.strike) * last.right, 0.0)
    assert len(last) > 500
    offered = last.ask.notna()
    assert (last.ask - intrinsic)[offered].le(0.1 + 0.02 * intrinsic[offered]).all()
    worthless = last[(intrinsic == 0) & (last.out > 1)]
    assert worthless.bid.isna().all()
    morning = frame[(frame.sessions == 0) & (frame.ts.dt.time == dt.time(4, 0)) & (frame.out == 0)]
    assert morning.middle.median() > 30


def test_volume_never_falls_and_interest_is_never_negative() -> None:
    frame = quotes()
    gained = frame.groupby(["date", "expiry", "strike", "right"]).volume.diff()
    assert not (gained < 0).any()
    assert (frame.oi >= 0).all()
    for name in ("volume", "oi", "oi_change"):
        assert (frame[name] % 1 == 0).all()


def test_misprints_are_rare_and_stand_for_one_row() -> None:
    frame = quotes()
    by_contract = frame.groupby(["date", "expiry", "strike", "right"])
    ltp, before, after = frame.ltp, by_contract.ltp.shift(1), by_contract.ltp.shift(-1)
    jumped = ((ltp / before - 1).abs() > 0.09) & ((after / before - 1).abs() < 0.02) & (before > 20)
    outside = (ltp > frame.ask * 1.08) | (ltp < frame.bid * 0.92)
    assert 1 <= (jumped & outside).sum() <= 60
