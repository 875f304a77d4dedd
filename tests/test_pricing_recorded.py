"""Forwards and volatilities of recorded days, held against what the recordings say themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from recorded import RECORDED, needs_recordings
from test_pricing import panel_of

from optiq.market.pricing import parity_forward, price_day
from optiq.market.schema import IST_OFFSET

pytestmark = needs_recordings
CONTRACT = ["expiry", "strike", "right"]


def panel_and(quotes, fields):
    """Return the panel of a table of quotes, and its column ``iv`` in the panel's shape."""
    grids = {name: quotes.pivot(index="ts", columns=CONTRACT, values=name) for name in fields}
    expiry, strike, right = (grids["iv"].columns.get_level_values(name) for name in CONTRACT)
    book = [grids[name].to_numpy() for name in ("bid", "ask") if name in grids]
    days = expiry.to_numpy().astype("datetime64[D]")
    panel = panel_of(strike.astype(float), right, grids["ltp"].to_numpy(), *book, expiry=days)
    ts = grids["ltp"].index.to_numpy().astype("datetime64[us]") - IST_OFFSET
    return replace(panel, ts=ts), grids["iv"].to_numpy() / 100.0


@pytest.fixture(scope="module")
def collector():
    """2026-08-18, an expiry day: last prices a minute apart, no book."""
    file = "2026-08-18T10-02-00_option_chain_20260818.parquet"
    quotes = pd.read_parquet(RECORDED / "collector" / file)
    quotes["ts"] = pd.to_datetime(quotes["timestamp"].astype(str), format="%Y%m%d%H%M")
    quotes["expiry"] = pd.to_datetime(quotes["expiry"], format="%d-%b-%Y")
    quotes["right"] = np.where(quotes["option_type"] == "CE", 1, -1)
    panel, iv = panel_and(quotes.drop_duplicates(["ts", *CONTRACT]), ("ltp", "iv"))
    return replace(panel, spot=quotes.groupby("ts")["spot"].last().to_numpy()), iv


@pytest.fixture(scope="module")
def exchange():
    """2025-08-29: the exchange's page with its book, every sixth of its minutes."""
    files = sorted((RECORDED / "nse_1min").glob("NIFTY_20250829_*.parquet"))[::6]
    page = pd.concat([pd.read_parquet(file) for file in files])
    names = {"LTP": "ltp", "Bid_Price": "bid", "Ask_Price": "ask", "IV": "iv"}
    sides = []
    for side, right in (("CALLS", 1), ("PUTS", -1)):
        one = page.rename(columns={f"{side}_{name}": ours for name, ours in names.items()})
        one = one[["Fetch_Time", "Expiry_Date", "Strike_Price", *names.values()]]
        sides.append(one.assign(right=right))
    quotes = pd.concat(sides).rename(columns={"Strike_Price": "strike"})
    quotes["ts"] = pd.to_datetime(quotes["Fetch_Time"], format="%d-%b-%Y %H:%M:%S")
    quotes["expiry"] = pd.to_datetime(quotes["Expiry_Date"], format="%d-%b-%Y")
    quotes[list(names.values())] = quotes[list(names.values())].astype(float).replace(0.0, np.nan)
    return panel_and(quotes.drop_duplicates(["ts", *CONTRACT]), tuple(names.values()))


def nearest_by_every_other_strike(panel):
    """Return the nearest expiry's forward by its even strikes and by its odd ones."""
    nearest = np.flatnonzero(panel.expiry_index == 0)
    place = np.unique(panel.strike[nearest], return_inverse=True)[1]
    for kept in (nearest[place % 2 == 0], nearest[place % 2 == 1]):
        fields = {name: values[:, kept] for name, values in panel.fields.items()}
        half = replace(
            panel,
            expiry=panel.expiry[kept],
            strike=panel.strike[kept],
            right=panel.right[kept],
            fields=fields,
        )
        yield parity_forward(half)[:, 0]


@pytest.mark.parametrize(("day", "usual"), [("collector", 0.5), ("exchange", 0.5)])
def test_even_and_odd_strikes_elect_the_same_forward(day, usual, request):
    panel, _ = request.getfixturevalue(day)
    even, odd = nearest_by_every_other_strike(panel)
    apart = np.abs(even - odd)
    assert np.median(apart) <= usual  # rupees, at a level of 24,000
    assert np.max(apart) <= 5.0


def test_on_an_expiry_day_the_forward_stays_by_the_index(collector):
    panel, _ = collector
    away = panel.forward_by_expiry[:, 0] - panel.spot
    assert abs(np.median(away)) <= 15.0


@pytest.mark.parametrize(("day", "expiry"), [("collector", 1), ("exchange", 0), ("exchange", 1)])
def test_volatility_near_the_money_is_about_what_the_recording_says(day, expiry, request):
    panel, vendor = request.getfixturevalue(day)
    near = np.abs(panel.strike - panel.forward) < 150.0
    chosen = near & (panel.expiry_index == expiry) & ~np.isnan(vendor)
    apart = (price_day(panel)["iv"] - vendor)[chosen]  # theirs: spot, other rates and clocks
    assert np.isnan(apart).mean() <= 0.01
    assert abs(np.nanmedian(apart)) <= 0.003
    assert np.nanquantile(np.abs(apart), 0.9) <= 0.015


def test_almost_every_quote_of_the_nearest_expiries_has_a_volatility(exchange):
    panel, _ = exchange
    quoted = panel.observed & (panel.expiry_index <= 2)
    assert np.isnan(price_day(panel)["iv"][quoted]).mean() <= 0.01
