"""The main job on real recordings: ingest, backtest, and the slow walk's agreement."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest
from both_walks import compiled, slow
from market_orders import random_orders
from market_settings import random_settings, sized_by_margin
from markets import Market
from recorded import RECORDED, needs_recordings
from reference_settings import Settings as ReferenceSettings

from optiq.market.ingest.pipeline import ingest
from optiq.market.panel import Panel
from optiq.market.store import Store
from optiq.run.backtest import DayResult, Settings, backtest_day
from optiq.run.stored import fields_of
from optiq.run.summary import Tally
from optiq.trade.charges import schedule
from optiq.trade.fills import WalkSettings
from optiq.trade.orders import Orders
from optiq.trade.strategies import BUILT_IN, built_in

pytestmark = needs_recordings

STRATEGIES = [built_in(name) for name in BUILT_IN]
DAYS = {
    "nse_json/2025-11-20*": dt.date(2025, 11, 20),
    "nse_1min": dt.date(2025, 8, 29),
    "collector/*.parquet": dt.date(2026, 8, 18),
}


@pytest.fixture(scope="module", params=DAYS, ids=lambda source: source.split("/")[0])
def recorded(request, tmp_path_factory) -> tuple[Store, dt.date]:
    store = Store(tmp_path_factory.mktemp("store"))
    report = ingest([str(RECORDED / request.param)], store)
    assert report.rows_in == report.rows_kept + report.duplicates + report.quarantined
    return store, DAYS[request.param]


def backtested(recorded: tuple[Store, dt.date], latency_s: float = 1.0) -> DayResult:
    store, date = recorded
    panel = store.read_panel("NIFTY", date, fields_of(STRATEGIES))
    settings = Settings(walk=WalkSettings(latency_s=latency_s))
    return backtest_day(panel, store.context("NIFTY", date), STRATEGIES, settings)


def only_contracts(panel: Panel, used: np.ndarray) -> Panel:
    return dataclasses.replace(
        panel,
        **{name: getattr(panel, name)[used] for name in ("expiry", "strike", "right", "lot")},
        fields={name: panel.fields[name][:, used] for name in ("ltp", "bid", "ask", "iv")},
    )


@pytest.mark.parametrize("latency_s", [0.0, 1.0])
def test_the_slow_walk_agrees_on_the_recorded_day(recorded, latency_s):
    store, date = recorded
    panel = store.read_panel("NIFTY", date, fields_of(STRATEGIES))
    asked = [s.entries(panel, store.context("NIFTY", date)) for s in STRATEGIES]
    used = np.unique(np.concatenate([orders.legs[:, 0] for orders in asked]))
    moved = [
        dataclasses.replace(o, legs=np.where(o.legs >= 0, np.searchsorted(used, o.legs), -1))
        for o in asked
    ]
    named: list[tuple[str, Orders]] = list(zip(BUILT_IN, moved, strict=True))
    settings = ReferenceSettings(latency_s=latency_s)
    market = Market(only_contracts(panel, used), named, None, settings)
    rates = schedule("NIFTY", date).rates
    trades, statuses = compiled(market, rates)
    assert (trades, statuses) == slow(market, rates)
    if latency_s == 0.0:
        assert trades


def near_the_money(panel: Panel) -> Panel:
    """The six strikes nearest the money of the first expiry, and two of the next."""
    distance = np.abs(panel.strike - np.nanmedian(panel.spot))
    quoted = panel.observed.any(axis=0)
    used: list[int] = []
    for place, strikes in enumerate((6, 2)):
        columns = np.flatnonzero(quoted & (panel.expiry_index == place))
        used += columns[np.argsort(distance[columns], kind="stable")][: 2 * strikes].tolist()
    return only_contracts(panel, np.sort(used))


@pytest.mark.parametrize("seed", range(12))
def test_the_slow_walk_agrees_on_sized_packages_of_the_recorded_day(recorded, seed):
    store, date = recorded
    rng = np.random.default_rng(seed)
    panel = near_the_money(store.read_panel("NIFTY", date))
    asked = [random_orders(rng, panel, 60) for _ in range(2)]
    settings = random_settings(rng, panel, asked)
    if seed % 2:
        settings = sized_by_margin(rng, settings)
    market = Market(panel, list(zip(("one", "other"), asked, strict=True)), None, settings)
    rates = schedule("NIFTY", date).rates
    assert compiled(market, rates) == slow(market, rates)


def test_exits_are_decided_before_they_are_filled(recorded):
    trades = backtested(recorded).trades()
    fresh = ~trades["stale_exit"]
    assert (trades["exit_ts"][fresh] > trades["exit_decided_ts"][fresh]).all()
    assert (trades["entry_ts"] > trades["decided_ts"]).all()


def test_every_price_has_a_quote_behind_it(recorded):
    day = backtested(recorded, latency_s=0.0)
    trades, panel = day.trades(), day.panel
    assert len(trades["trade_id"]) > 0
    for k in range(len(trades["trade_id"])):
        column = np.flatnonzero(
            (panel.strike == trades["strike"][k])
            & (panel.expiry == trades["expiry"][k])
            & (panel.right == {"CE": 1, "PE": -1}[trades["right"][k]])
        )[0]
        if panel.has_book:
            ask = panel.ask[trades["entry_row"][k], column]
            assert trades["entry_price"][k] == pytest.approx(ask, abs=0.0501)
        else:
            last = panel.ltp[trades["entry_row"][k], column]
            assert trades["entry_price"][k] == pytest.approx(last * 1.001, abs=0.0501)
        if not trades["stale_exit"][k]:
            assert panel.observed[trades["exit_row"][k], column]


def test_equal_prices_are_counted_with_their_reason(recorded):
    day = backtested(recorded)
    tally = Tally()
    tally.add(day)
    summary, trades = tally.summary(Settings()), day.trades()
    equal = trades["entry_price"] == trades["exit_price"]
    assert summary["equal_price_trades"] == int(equal.sum())
    assert summary["equal_price_without_quote"] == int((equal & trades["stale_exit"]).sum())


def test_a_sparse_day_trades_nothing_by_default_and_says_what_to_set(tmp_path):
    store = Store(tmp_path)
    ingest([str(RECORDED / "nse_json" / "2025-11-20*")], store)
    day = backtested((store, dt.date(2025, 11, 20)))
    assert len(day.trades()["trade_id"]) == 0
    assert any("walk.latency_s=0" in note for note in day.notes)
