"""A dozen features once more, slowly, in pandas and without the project's own machinery."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from feature_days import history

from optiq.market.features import (
    CONTRACT_FEATURES,
    MARKET_FEATURES,
    contract_features,
    market_features,
)
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

MARKET = [feature.name for feature in MARKET_FEATURES]
CONTRACT = [feature.name for feature in CONTRACT_FEATURES]


@pytest.fixture(scope="module")
def panel(tmp_path_factory) -> Panel:
    store = Store(tmp_path_factory.mktemp("simulated"))
    store_simulation(Simulation(days=1, seed=11), store)
    (day,) = store.days()
    return store.read_panel(day.underlying, day.date)


@pytest.fixture(scope="module")
def quotes(panel: Panel) -> pd.DataFrame:
    """The nearest expiry, one line a quote."""
    row, column = np.nonzero(panel.observed & (panel.expiry == panel.expiry.min()))
    frame = pd.DataFrame({name: panel.fields[name][row, column] for name in panel.fields})
    frame["row"], frame["ts"] = row, panel.ts[row]
    frame["strike"], frame["right"] = panel.strike[column], panel.right[column]
    frame["price"] = np.where(frame.ask >= frame.bid, (frame.ask + frame.bid) / 2, frame.ltp)
    frame["forward"] = panel.forward_by_expiry[row, 0]
    frame["column"] = column
    return frame


@pytest.fixture(scope="module")
def level(panel: Panel) -> pd.Series:
    return pd.Series(panel.forward_by_expiry[:, 0], index=pd.DatetimeIndex(panel.ts))


def earlier(level: pd.Series, minutes: int) -> np.ndarray:
    """The level a quarter of an hour and the like ago, by joining times."""
    span = pd.Timedelta(minutes=minutes)
    asked = pd.DataFrame({"at": level.index - span})
    then = pd.DataFrame({"at": level.index, "value": level.to_numpy()})
    found = pd.merge_asof(asked, then, on="at", tolerance=span)
    return found["value"].to_numpy()


def returns(minutes: int) -> Callable[[pd.DataFrame, pd.Series], np.ndarray]:
    return lambda quotes, level: level.to_numpy() / earlier(level, minutes) - 1


def realised(quotes: pd.DataFrame, level: pd.Series) -> np.ndarray:
    squares = level.pct_change().pow(2)
    years = pd.Series(level.index - level.index[0]).dt.total_seconds() / 60 / (252 * 375)
    said = np.sqrt(squares.cumsum().to_numpy() / years.to_numpy())
    said[:2] = np.nan
    return said


def recent_realised(quotes: pd.DataFrame, level: pd.Series) -> np.ndarray:
    said = []
    for now in level.index:
        past = level[: now - pd.Timedelta(minutes=30)]
        part = level[past.index[-1] : now] if len(past) else level[:0]
        minutes = (part.index[-1] - part.index[0]).total_seconds() / 60 if len(part) else np.nan
        said.append(np.sqrt(part.pct_change().pow(2).sum() / minutes * 252 * 375))
    return np.array(said)


def vwap(quotes: pd.DataFrame, level: pd.Series, panel: Panel) -> np.ndarray:
    volume = pd.DataFrame(panel.volume).ffill().diff().clip(lower=0).sum(axis=1).to_numpy()
    return level.to_numpy() / ((level * volume).cumsum() / volume.cumsum()).to_numpy() - 1


def near_the_money(quotes: pd.DataFrame, reach: int) -> pd.DataFrame:
    def chosen(chain: pd.DataFrame) -> pd.DataFrame:
        strikes = np.sort(chain.strike.unique())
        money = int(np.abs(strikes - chain.forward.iloc[0]).argmin())
        near = strikes[max(money - reach, 0) : money + reach + 1]
        return chain[chain.strike.isin(near)]

    return pd.concat([chosen(chain) for _, chain in quotes.groupby("row")])


def put_call(name: str) -> Callable[[pd.DataFrame, pd.Series], np.ndarray]:
    def ratio(quotes: pd.DataFrame, level: pd.Series) -> np.ndarray:
        table = near_the_money(quotes, 10).pivot_table(name, "row", "right", "sum")
        return (table[-1] / table[1]).reindex(range(len(level))).to_numpy()

    return ratio


def max_pain(quotes: pd.DataFrame, level: pd.Series) -> np.ndarray:
    said = np.full(len(level), np.nan)
    for row, chain in quotes.groupby("row"):
        strikes = np.sort(chain.strike.unique())
        paid = [
            (chain.oi * (chain.right * (k - chain.strike)).clip(lower=0)).sum() for k in strikes
        ]
        said[row] = strikes[int(np.argmin(paid))] / level.iloc[row] - 1
    return said


def exposure(quotes: pd.DataFrame, level: pd.Series) -> np.ndarray:
    known = quotes[quotes.gamma.notna() & quotes.oi.notna()]
    net = (known.gamma * known.oi * known.right).groupby(known.row).sum()
    share = net / known.groupby("row").oi.sum()
    return share.reindex(range(len(level))).to_numpy() * level.to_numpy() / 100


def skew(quotes: pd.DataFrame, level: pd.Series) -> np.ndarray:
    said = np.full(len(level), np.nan)
    for row, chain in quotes[quotes.iv.notna()].groupby("row"):
        at = {}
        for right, side in chain.groupby("right"):
            inwards = side.sort_values("strike", ascending=right < 0)
            at[right] = np.interp(0.25, inwards.delta.abs(), inwards.iv)
        said[row] = at[-1] - at[1]
    return said


SLOW = {
    "return_5m": returns(5),
    "return_15m": returns(15),
    "return_60m": returns(60),
    "realised_vol_session": realised,
    "realised_vol_30m": recent_realised,
    "oi_put_call_ratio": put_call("oi"),
    "volume_put_call_ratio": put_call("volume"),
    "max_pain_distance": max_pain,
    "gamma_exposure": exposure,
    "skew_25d": skew,
}


@pytest.mark.parametrize("name", SLOW)
def test_the_market_agrees(name, panel, quotes, level) -> None:
    said = market_features(panel, history(date=panel.date))[:, MARKET.index(name)]
    assert np.isfinite(said).sum() > 300
    np.testing.assert_allclose(said, SLOW[name](quotes, level), rtol=1e-9, atol=1e-12)


def test_the_weighted_price_agrees(panel, quotes, level) -> None:
    said = market_features(panel, history(date=panel.date))[:, MARKET.index("vwap_distance")]
    np.testing.assert_allclose(said, vwap(quotes, level, panel), rtol=1e-9, atol=1e-12)


def z_score(quotes: pd.DataFrame, name: str) -> pd.Series:
    logs = np.log1p(quotes[name])
    rows = logs.groupby(quotes.row)
    return (logs - rows.transform("mean")) / rows.transform("std", ddof=0)


def momentum(quotes: pd.DataFrame) -> pd.Series:
    said = pd.Series(np.nan, index=quotes.index)
    for _, contract in quotes.groupby("column"):
        then = contract.set_index("ts").price.reindex(quotes.ts.drop_duplicates().sort_values())
        now = pd.Series(earlier(then, 15), index=then.index).loc[contract.ts]
        said.loc[contract.index] = contract.price.to_numpy() / now.to_numpy() - 1
    return said


def test_contracts_agree(panel, quotes) -> None:
    row, column = quotes.row.to_numpy(), quotes.column.to_numpy()
    said = contract_features(panel, history(date=panel.date), row, column)
    slow = {
        "volume_z": z_score(quotes, "volume"),
        "oi_z": z_score(quotes, "oi"),
        "oi_change_relative": quotes.oi_change / (quotes.oi - quotes.oi_change),
        "premium_momentum_15m": momentum(quotes),
        "relative_spread": (quotes.ask - quotes.bid) / (quotes.ask + quotes.bid) * 2,
    }
    for name, wanted in slow.items():
        np.testing.assert_allclose(
            said[:, CONTRACT.index(name)], wanted, rtol=1e-9, atol=1e-9, err_msg=name
        )
