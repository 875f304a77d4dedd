"""What fills waited for and lost, against hand-computed books and an independent middle."""

from __future__ import annotations

import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from both_walks import start, terms
from hand_walks import BOLD, NAN, book_panel, buy, every_minute, price_panel, quotes, spread
from markets import random_market
from panels import LOT, panel

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.run.backtest import Settings, backtest_day
from optiq.run.directory import RunDirectory
from optiq.trade.book import queue
from optiq.trade.charges import schedule
from optiq.trade.fill_quality import fills_of
from optiq.trade.fills import WalkSettings
from optiq.trade.ledger import Columns, trades_of
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.strategies import built_in
from optiq.trade.walk import walk_day


def filled(panel: Panel, orders: Orders, settings: WalkSettings | None = None) -> Columns:
    settings = settings or WalkSettings()
    asked = queue([orders])
    rates = schedule("NIFTY", panel.date).rates
    book = walk_day(panel, asked, rates, settings)
    return fills_of(panel, asked, book, ("mine",), settings)


def test_a_bought_call_by_hand():
    bid = quotes((119.5,), (120.0,), (137.0,), (138.0,))
    ask = quotes((120.5,), (121.5,), (139.0,), (138.5,))
    fills = filled(book_panel([720.0, 721.0, 722.5, 723.0], bid, ask), buy(0))
    assert {name: values.tolist() for name, values in fills.items()} == {
        "trade_id": ["NIFTY-20251120-0001"],
        "leg": [0],
        "strategy": ["mine"],
        "side": [1],
        "quantity": [LOT],
        "decided_entry_price": [120.50],  # the ask of 12:00
        "entry_price": [121.50],  # the ask of 12:01
        "entry_latency_s": [60.0],
        "entry_half_spread": [0.75],  # 121.50 less (120.00 + 121.50) / 2
        "decided_exit_price": [137.00],  # the mark, 138, is 13.6 % up: the bid of 12:02:30
        "exit_price": [138.00],
        "exit_latency_s": [30.0],
        "exit_half_spread": [0.25],  # (138.00 + 138.50) / 2 less 138.00
    }


def test_slippage_and_rounding_are_lost_too():
    # the middle is 100.51; a buyer pays 100.52 up to the tick, 100.55, and two ticks more
    locked = quotes((100.5,), (100.5,), (100.5,))
    fills = filled(
        book_panel(every_minute(3), locked, locked + 0.02), buy(0), WalkSettings(slippage_ticks=2)
    )
    assert fills["entry_price"].tolist() == [100.65]
    assert fills["entry_half_spread"].tolist() == [0.14]
    assert fills["exit_price"].tolist() == [100.40]  # the bid less two ticks
    assert fills["exit_half_spread"].tolist() == [0.11]


def test_without_a_book_a_fill_loses_the_half_spread_rule():
    bare = panel(every_minute(3), [24_000.0], [1], np.array([[80.0], [80.0], [90.0]]))
    fills = filled(bare, buy(0))
    assert fills["entry_price"].tolist() == [80.10]  # 80 x 0.1 % is 8 paise, up to the tick
    assert fills["entry_half_spread"].tolist() == [0.10]
    assert fills["exit_half_spread"].tolist() == [0.10]  # 90 - 0.09 = 89.91, down to 89.90
    assert fills["decided_exit_price"].tolist() == [89.90]


def test_each_leg_of_a_package_has_its_line():
    # buy one at 100 / 101, sell two at 30 / 31
    bid, ask = quotes(*[(100.0, 30.0)] * 3), quotes(*[(101.0, 31.0)] * 3)
    fills = filled(book_panel(every_minute(3), bid, ask), spread(0))
    assert fills["leg"].tolist() == [0, 1]
    assert fills["side"].tolist() == [1, -1]
    assert fills["quantity"].tolist() == [LOT, 2 * LOT]
    assert fills["entry_price"].tolist() == [101.0, 30.0]
    assert fills["exit_price"].tolist() == [100.0, 31.0]
    assert fills["entry_half_spread"].tolist() == fills["exit_half_spread"].tolist() == [0.5, 0.5]


def test_a_stale_exit_has_no_middle_and_no_deciding_price():
    # the last row has a last price and no book: the mark stands in
    bid, ask = quotes((100.0,), (100.0,), (NAN,)), quotes((101.0,), (101.0,), (NAN,))
    last = quotes((100.5,), (100.5,), (100.5,))
    fills = filled(book_panel(every_minute(3), bid, ask, last), buy(0))
    assert fills["exit_price"].tolist() == [100.35]  # 100.50 less 0.1 %, down to the tick
    assert math.isnan(fills["exit_half_spread"][0])
    assert math.isnan(fills["decided_exit_price"][0])


def test_a_leg_given_up_left_at_nothing():
    # it falls to an ask of one tick without a bid: 0.00, decided and filled
    bid, ask = quotes((60.0,), (60.0,), (1.0,), (NAN,)), quotes((61.0,), (61.0,), (1.5,), (0.05,))
    fills = filled(book_panel(every_minute(4), bid, ask), buy(0))
    assert fills["decided_exit_price"].tolist() == [1.0]
    assert fills["exit_price"].tolist() == [0.0]
    assert math.isnan(fills["exit_half_spread"][0])


def test_a_deciding_row_that_could_not_fill_is_missing():
    # decided on last prices, filled once there is a book
    bid, ask = quotes((NAN,), (100.0,), (120.0,)), quotes((NAN,), (101.0,), (121.0,))
    day = book_panel(every_minute(3), bid, ask, quotes((100.0,), (100.5,), (120.5,)))
    fills = filled(day, buy(0, rule=BOLD))
    assert math.isnan(fills["decided_entry_price"][0])
    assert fills["entry_price"].tolist() == [101.0]


def test_without_latency_the_deciding_price_is_the_fill():
    day = price_panel(every_minute(4), (100.0,), (105.0,), (115.0,), (110.0,))
    fills = filled(day, buy(0, rule=ExitRule(target=0.1)), WalkSettings(latency_s=0.0))
    assert fills["decided_entry_price"].tolist() == fills["entry_price"].tolist() == [100.0]
    assert fills["decided_exit_price"].tolist() == fills["exit_price"].tolist() == [115.0]
    assert fills["entry_latency_s"].tolist() == fills["exit_latency_s"].tolist() == [0.0]


@pytest.mark.parametrize("seed", range(60))
def test_fills_stand_beside_their_trades(seed):
    """On generated markets: the same legs in the same order, lost against a middle of its own."""
    market = random_market(seed)
    walk = start(market)
    walk.advance(market.panel.n_rows)
    walk.finish()
    day, orders = market.panel, walk.given.orders
    names = tuple(name for name, _ in market.orders)
    settings, _ = terms(market.settings)
    trades = trades_of(day, orders, walk.book, names)
    fills = fills_of(day, orders, walk.book, names, settings)
    for name in ("trade_id", "strategy", "side", "quantity", "entry_price", "exit_price"):
        assert fills[name].tolist() == trades[name].tolist()
    seconds = np.timedelta64(1, "s")
    waited = (trades["entry_ts"] - trades["decided_ts"]) / seconds
    assert fills["entry_latency_s"] == pytest.approx(waited)
    for k in range(len(fills["leg"])):
        contract = np.flatnonzero(
            (day.expiry == trades["expiry"][k])
            & (day.strike == trades["strike"][k])
            & (day.right == {"CE": 1, "PE": -1}[trades["right"][k]])
        )[0]
        for end, side in (("entry", 1), ("exit", -1)):
            row, price = trades[f"{end}_row"][k], fills[f"{end}_price"][k]
            bid, ask = day.bid[row, contract], day.ask[row, contract]
            last = day.ltp[row, contract]
            middle = last if not day.has_book else (bid + ask) / 2 if ask >= bid else NAN
            lost = side * trades["side"][k] * (price - middle)
            assert fills[f"{end}_half_spread"][k] == pytest.approx(lost, abs=1e-9, nan_ok=True)


def test_a_run_keeps_its_fills_beside_its_trades(tmp_path):
    ltp = np.array([120.0, 120.0, 139.0, 138.5, 138.5])[:, None]
    day = panel(
        every_minute(5), [26_000.0], [1], ltp, bid=ltp - 0.5, ask=ltp + 0.5, gamma=0.002, delta=0.5
    )
    with RunDirectory(tmp_path / "run") as directory:
        directory.add(backtest_day(day, Context(), [built_in("gamma_scalping")], Settings()))
        directory.complete({}, "")
    fills = pq.read_table(tmp_path / "run" / "fills.parquet").to_pydict()
    trades = pq.read_table(tmp_path / "run" / "trades.parquet").to_pydict()
    assert fills["trade_id"] == trades["trade_id"]
    assert (fills["entry_price"], fills["decided_entry_price"]) == ([120.5], [120.5])
