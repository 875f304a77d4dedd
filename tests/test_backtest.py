"""A day through strategy, walk and ledger, every figure by hand."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from panels import LOT, panel

from optiq import Context, Orders
from optiq.run.backtest import Settings, backtest_day
from optiq.run.summary import Tally, equity_curve, max_drawdown
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits
from optiq.trade.strategies import BUILT_IN, built_in

NOON = [720.0, 721.0, 722.0, 723.0, 724.0]


def call(**changes: object):
    """One call near the money: 120 at noon, 139 two minutes on, spreads of 1.00."""
    ltp = np.array([120.0, 120.0, 139.0, 138.5, 138.5])[:, None]
    values = {"bid": ltp - 0.5, "ask": ltp + 0.5, "gamma": 0.002, "delta": 0.5, **changes}
    return panel(NOON, [26_000.0], [1], ltp, **values)


def test_a_trade_by_hand():
    day = backtest_day(call(), Context(), [built_in("gamma_scalping")], Settings())
    (entry, leave) = (120.50, 138.00)  # bought at the ask a row later, sold at the bid a row later
    trades = day.trades()
    assert trades["entry_price"].tolist() == [entry]
    assert trades["exit_price"].tolist() == [leave]
    assert trades["exit_reason"].tolist() == ["TARGET"]  # 139 / 120.5 is +15.35 %
    assert trades["quantity"].tolist() == [LOT]
    assert trades["gross_pnl"].tolist() == [1312.50]  # 17.50 x 75
    # buy 9037.50: 20 + 3.16583625 + 0.0451875 + 0.0090375 + stamp 0.271125 + GST 4.179611025
    # sale 10350: 20 + STT 10.35 + 3.625605 + 0.05175 + 0.01035 + GST 4.2637869
    assert trades["charges"].tolist() == [27.67 + 38.30]
    assert trades["net_pnl"].tolist() == [1246.53]
    assert (trades["entry_row"].tolist(), trades["exit_row"].tolist()) == ([1], [3])
    assert trades["decided_ts"].tolist() == [np.datetime64("2025-11-20T06:30")]  # 12:00 IST
    assert trades["trade_id"].tolist() == ["NIFTY-20251120-0001"]


def test_a_day_is_forgotten_when_its_result_is():
    """A day that held itself would stay until garbage is collected: years of days add up."""
    day = backtest_day(call(), Context(), [built_in(n) for n in BUILT_IN], Settings())
    seen = weakref.ref(day.panel)
    gc.disable()
    try:
        del day
        assert seen() is None
    finally:
        gc.enable()


def test_the_run_adds_up_to_its_trades():
    day = backtest_day(call(), Context(), [built_in("gamma_scalping")], Settings())
    tally = Tally()
    tally.add(day)
    summary = tally.summary(Settings())
    assert summary["trades"] == 1
    assert summary["gross_pnl"] == 1312.50
    assert summary["charges"] == 65.97
    assert summary["net_pnl"] == 1246.53
    assert summary["exits"] == {"TARGET": 1}
    assert summary["charge_lines"] == {
        "brokerage": 40.0,
        "stt": 10.35,
        "exchange_txn": 6.79,
        "ipft": 0.1,
        "sebi": 0.02,
        "stamp": 0.27,
        "gst": 8.44,
    }
    # without latency: bought at 120.50 in row 0, sold at 138.50 in row 2 for 38.35 of charges
    assert summary["net_pnl_if_latency_0"] == 18.00 * 75 - 27.67 - 38.35
    assert summary["orders"] == sum(summary["refused_by"].values()) + summary["expired"] + 1


def test_a_spread_too_wide_is_not_scanned():
    wide = call(bid=116.0, ask=124.0)  # 8 on 120 is 6.7 %
    assert len(built_in("gamma_scalping").entries(wide, Context())) == 0


@pytest.mark.parametrize(
    ("changes", "signals"),
    [
        ({}, 5),
        ({"gamma": 0.001}, 0),  # more than, not at least
        ({"delta": 0.3}, 0),
        ({"delta": -0.5}, 5),  # a put's delta counts without its sign
        ({"delta": 0.7}, 0),
        ({"gamma": np.nan}, 0),
        ({"spot": 24_700.0}, 0),  # 26,000 is 5.3 % away
        ({"spot": 24_800.0}, 5),
        ({"spot": np.nan}, 0),
    ],
)
def test_which_rows_gamma_scalping_wants(changes, signals):
    assert len(built_in("gamma_scalping").entries(call(**changes), Context())) == signals


def test_a_day_without_greeks_keeps_the_strategy_silent_and_says_so():
    day = backtest_day(call(gamma=np.nan), Context(), [built_in("gamma_scalping")], Settings())
    assert "gamma_scalping stays silent: the day has no gamma" in day.notes


def test_a_day_too_sparse_says_what_to_set():
    sparse = panel(
        [720, 740, 760], [26_000], [1], 120.0, bid=119.5, ask=120.5, gamma=0.002, delta=0.5
    )
    day = backtest_day(sparse, Context(), [built_in("gamma_scalping")], Settings())
    assert any("--set walk.latency_s=0" in note for note in day.notes)
    assert day.decisions()["status"].tolist() == ["expired", "same_contract", "expired"]


def test_scores_rank_and_refuse():
    def scorer(panel: object, context: object, orders: Orders) -> np.ndarray:
        return np.full(len(orders), 40.0)

    settings = Settings(limits=Limits(min_score=50.0))
    day = backtest_day(call(), Context(), [built_in("gamma_scalping")], settings, scorer)
    assert set(day.decisions()["status"]) == {"min_score"}


def test_filling_on_the_deciding_quote_is_marked():
    settings = Settings(walk=WalkSettings(latency_s=0.0))
    tally = Tally()
    tally.add(backtest_day(call(), Context(), [built_in("gamma_scalping")], settings))
    summary = tally.summary(settings)
    assert summary["filled_on_deciding_quote"] is True
    assert summary["net_pnl"] == summary["net_pnl_if_latency_0"]


@pytest.mark.parametrize(
    ("net", "fall"),
    [([], 0), ([5, 5], 0), ([-3], 3), ([10, -4, 2, -9, 20], 11), ([-1, -1, 5, -2], 2)],
)
def test_the_deepest_fall(net, fall):
    assert max_drawdown(np.array(net, np.int64)) == fall


def test_equity_is_exact_to_the_paisa():
    ts = np.array(["2025-11-20T05:00", "2025-11-20T04:00", "2025-11-20T05:00"], "datetime64[us]")
    when, equity = equity_curve(ts, np.array([0.1, 0.2, 0.4]))
    assert when[0] < when[1]
    assert equity.tolist() == [0.2, 0.7]  # exits of one moment count together
