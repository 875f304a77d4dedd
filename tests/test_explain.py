"""One trade, told: by hand, on packages, on generated markets and on a recorded day."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass

import numpy as np
import pytest
from both_walks import start
from hand_walks import NAN, book_panel, every_minute, quotes, spread
from markets import random_market
from panels import DATE, panel
from recorded import RECORDED, needs_recordings
from rich.console import Console

from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.market.context import Context
from optiq.market.ingest.pipeline import ingest
from optiq.market.panel import Panel
from optiq.market.store import Store
from optiq.report.trade_story import show_refusal, show_trade, shown
from optiq.run.backtest import Settings, backtest_day
from optiq.run.directory import RunDirectory
from optiq.run.explain import Retold, explain_trade, find_trade, retell
from optiq.run.recorded import read_run
from optiq.run.refusal import (
    WHY,
    explain_refusal,
    find_order,
    read_decision,
    session_of,
    trade_of,
)
from optiq.run.row_by_row import rows_of
from optiq.run.stored import backtest_stored, complete, what_was_run
from optiq.run.summary import NOT_REFUSED, Tally
from optiq.trade.book import Stage, Status
from optiq.trade.exits import Reason
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.strategies import BUILT_IN, Strategy, built_in

NOON = [720.0, 721.0, 722.0, 723.0, 724.0]
FIRST = "NIFTY-20251120-0001"


@dataclass(frozen=True)
class NoParams:
    pass


def says(orders: Orders) -> Strategy:
    return Strategy("mine", lambda panel, context, params: orders, NoParams, NoParams(), (), "")


def told(day: Panel, strategies: list[Strategy], tmp_path, settings: Settings | None = None):
    """Run a day into a folder and walk it again."""
    settings, tally = settings or Settings(), Tally()
    result = backtest_day(day, Context(), strategies, settings)
    about = what_was_run("NIFTY", [DATE], strategies)
    with RunDirectory(tmp_path / "run") as directory:
        directory.add(result)
        tally.add(result)
        complete(directory, tally, settings, about, 0.0, "")
    return Retold(read_run(tmp_path / "run"), result, strategies, settings)


def a_call(tmp_path, settings: Settings | None = None) -> Retold:
    ltp = np.array([120.0, 120.0, 139.0, 138.5, 138.5])[:, None]
    greeks = {"gamma": 0.002, "delta": 0.5}
    day = panel(NOON, [26_000.0], [1], ltp, bid=ltp - 0.5, ask=ltp + 0.5, **greeks)
    return told(day, [built_in("gamma_scalping")], tmp_path, settings)


def test_a_trade_by_hand(tmp_path):
    story = explain_trade(a_call(tmp_path), FIRST)
    decision, entry, leave = story["decision"], story["entry"], story["exit"]
    assert (decision["row"], decision["spot"]) == (0, 26_000.0)
    assert decision["quotes"] == [{"ltp": 120.0, "bid": 119.5, "ask": 120.5, "middle": 120.0}]
    assert (entry["row"], entry["latency_s"]) == (1, 60.0)
    assert (entry["prices"], entry["decided_prices"]) == ([120.50], [120.50])
    assert entry["half_spreads"] == [0.5]
    # row 2: 139 / 120.50 is +15.35 %, over the target of 15 %; row 3 fills it at 138.00
    assert [row["row"] for row in story["rows"]] == [2, 3]
    assert story["rows"][0]["marks"] == [139.0]
    assert story["rows"][0]["gain"] == pytest.approx(18.5 / 120.5)
    assert story["rows"][0]["to_target"] == pytest.approx(0.15 - 18.5 / 120.5)
    assert story["rows"][0]["to_stop"] == pytest.approx(18.5 / 120.5 + 0.10)
    assert [row["reason"] for row in story["rows"]] == ["TARGET", None]
    assert story["rows"][1]["gain"] == pytest.approx(18.0 / 120.5)
    assert story["rows"][1]["peak"] == pytest.approx(18.5 / 120.5)
    assert (leave["reason"], leave["decided_row"], leave["row"]) == ("TARGET", 2, 3)
    assert (leave["prices"], leave["decided_prices"]) == ([138.00], [138.50])
    assert [bill["total"] for bill in story["bills"]] == [27.67, 38.30]
    assert [bill["stt"] for bill in story["bills"]] == [0.0, 10.35]
    assert (story["gross_pnl"], story["charges"], story["net_pnl"]) == (1312.50, 65.97, 1246.53)
    # on its deciding quotes: 120.50 to 138.50 less 27.67 and 38.35
    alone = story["at_deciding_quotes"]
    assert (alone["entry_prices"], alone["exit_prices"]) == ([120.50], [138.50])
    assert alone["net_pnl"] == 18.00 * 75 - 27.67 - 38.35
    assert alone["difference"] == -37.45


def test_a_late_row_is_filled_as_if_known_on_its_deciding_quotes(tmp_path):
    bid, ask = (
        quotes((99.0,), (104.0,), (119.0,), (119.0,)),
        quotes((100.0,), (105.0,), (120.0,), (120.0,)),
    )
    day = book_panel(every_minute(4), bid, ask, late_s=[30.0, 0.0, 0.0, 0.0])
    orders = Orders.packages(np.array([0]), np.array([[0]]), 1, ExitRule(target=0.10))
    story = explain_trade(told(day, [says(orders)], tmp_path), FIRST)
    assert story["entry"]["prices"] == [105.0]
    # 119.50 is 19.5 % over 100.00: out at 12:02 for 119.00
    assert story["at_deciding_quotes"]["entry_prices"] == [100.0]
    assert story["at_deciding_quotes"]["exit_prices"] == [119.0]


def test_a_package_by_hand(tmp_path):
    # buy one, sell two: 101 - 2 x 30 paid is 41, the basis; then 111.5 - 2 x 30.5
    bid, ask = (
        quotes((100.0, 30.0), (100.0, 30.0), (111.0, 30.0), (111.0, 30.0)),
        quotes((101.0, 31.0), (101.0, 31.0), (112.0, 31.0), (112.0, 31.0)),
    )
    orders = spread(0, rule=ExitRule(target=0.20))
    story = explain_trade(
        told(book_panel(every_minute(4), bid, ask), [says(orders)], tmp_path), FIRST
    )
    assert [leg["quantity"] for leg in story["legs"]] == [75, 150]
    assert story["basis"] == 41.0
    assert story["rows"][0]["marks"] == [111.5, 30.5]
    assert story["rows"][0]["gain"] == pytest.approx((10.5 - 2 * 0.5) / 41.0)
    assert story["rows"][0]["reason"] == "TARGET"
    assert [(bill["when"], bill["leg"], bill["side"]) for bill in story["bills"]] == [
        ("entry", 0, 1),
        ("entry", 1, -1),
        ("exit", 0, -1),
        ("exit", 1, 1),
    ]
    assert sum(bill["total"] for bill in story["bills"]) == pytest.approx(story["charges"])
    assert story["gross_pnl"] == (111.0 - 101.0) * 75 - (31.0 - 30.0) * 150


def test_a_bill_tells_how_an_order_was_split(tmp_path):
    # 50 lots of 75 at the freeze quantity of 1,800: two orders of 1,800 and one of 150
    settings = Settings(walk=WalkSettings(lots=50))
    story = explain_trade(a_call(tmp_path, settings), FIRST)
    buys = [(b["orders"], b["units"]) for b in story["bills"] if b["when"] == "entry"]
    assert sorted(buys) == [(1, 150), (2, 1800)]
    total = sum(bill["orders"] * bill["total"] for bill in story["bills"])
    assert total == pytest.approx(story["charges"])
    assert story["at_deciding_quotes"]["lots"] == 50


@pytest.mark.parametrize("column", ["exit_price", "net_pnl", "exit_reason", "entry_ts"])
def test_a_run_that_says_otherwise_is_refused_and_told(tmp_path, column):
    retold = a_call(tmp_path)
    other = {"exit_reason": "STOP", "entry_ts": np.datetime64("2025-11-20T06:32")}
    retold.run.trades[column] = np.array([other.get(column, 1.0)])
    with pytest.raises(DamagedError, match=rf"{column} is .*walked again, it is"):
        explain_trade(retold, FIRST)


def test_a_trade_that_is_no_longer_made_is_told(tmp_path):
    retold = a_call(tmp_path)
    gone = told(retold.day.panel, [says(Orders.empty())], tmp_path / "other")
    with pytest.raises(DamagedError, match="has 1 legs; walked again, it has 0"):
        explain_trade(Retold(retold.run, gone.day, gone.strategies, gone.settings), FIRST)


def test_a_trade_is_found_by_name_or_number(tmp_path):
    run = a_call(tmp_path).run
    for wanted in (FIRST, FIRST.lower(), "1"):
        assert find_trade(run, wanted) == (FIRST, DATE)
    for wanted in ("0", "2", "NIFTY-20251120-0002", "x"):
        with pytest.raises(MissingDataError, match="has no trade"):
            find_trade(run, wanted)


@pytest.mark.parametrize("seed", range(80))
def test_rows_are_those_of_the_walk(seed):
    """On generated markets: gains are the marks', and the decision to leave is the walk's."""
    market = random_market(seed)
    walk = start(market)
    walk.advance(market.panel.n_rows)
    walk.finish()
    orders = walk.given.orders
    for position in walk.book.closed[: int(walk.book.day["n_closed"][0])][:6]:
        order = orders[position["order"]]
        again = start(market)
        rows = rows_of(
            again, int(position["order"]), int(position["entry_row"]), int(position["exit_row"])
        )
        legs = np.flatnonzero(order["legs"] >= 0)
        peak = 0.0
        for row in rows:
            if None not in row["marks"]:
                moved = np.array(row["marks"]) - position["entry_paise"][legs] / 100
                weight = (order["side"] * order["ratio"])[legs]
                assert row["gain"] == pytest.approx((weight * moved).sum() / position["basis"])
                peak = max(peak, row["gain"])
            else:
                assert not row["can_close"]
            assert row["peak"] == pytest.approx(peak)
        decided = [row for row in rows if row["reason"]]
        if position["stage"] == Stage.LEAVING:
            assert [row["row"] for row in decided] == [position["exit_decided_row"]]
            assert decided[0]["reason"] == Reason(int(position["reason"])).name
        else:  # it was open to the end of the day
            assert decided == []


def rows(*gains: float, decided: int = -1) -> list[dict]:
    return [{"gain": g, "reason": "STOP" if n == decided else None} for n, g in enumerate(gains)]


@pytest.mark.parametrize(
    ("made", "seen"),
    [
        (rows(), []),
        (rows(0.1), [0]),
        (rows(0, 0, 0, 0, 0), [0, 1, 2, 3, 4]),
        (rows(0, 0, 1, 2, 9, 2, -5, 2, 0, 0, 0), [0, 1, 4, 6, 8, 9, 10]),  # the best, the worst
        (rows(9, 0, 0, 0, 0, 0, 0, 0, -1, decided=3), [0, 1, 3, 6, 7, 8]),
    ],
)
def test_which_rows_are_shown(made, seen):
    assert shown(made) == seen


# What was not filled


def test_an_order_that_no_quote_filled_shows_what_was_tried(tmp_path):
    bid = quotes((100.0,), (NAN,), (NAN,), (100.0,))
    ask = quotes((101.0,), (101.0,), (NAN,), (101.0,))
    day = book_panel(every_minute(4), bid, ask, quotes((100.5,), (100.5,), (100.5,), (100.5,)))
    orders = Orders.packages(np.array([0]), np.array([[0]]), 1, ExitRule(target=0.1))
    retold = told(day, [says(orders)], tmp_path)
    story = explain_refusal(retold, "0:mine:0", find_order(retold, "0:mine:0"))
    assert story["status"] == "expired"
    assert [row["row"] for row in story["tried"]] == [1, 2]
    one_sided = {"ltp": 100.5, "bid": None, "ask": 101.0, "middle": None}
    assert story["tried"][0]["quotes"] == [one_sided]
    assert story["alone"]["status"] == "expired"
    assert "walk.max_wait_s = 120" in story["why"]


def test_a_full_book_shows_what_it_held(tmp_path):
    settings = Settings(limits=Limits(max_open=1))
    retold = a_call(tmp_path, settings)
    story = explain_refusal(retold, "1:gamma_scalping:1", find_order(retold, "1:gamma_scalping:1"))
    assert story["status"] == "max_open"
    assert story["why"] == "no slot was free: limits.max_open = 1"
    assert [other["trade"] for other in story["held"]] == [FIRST]
    assert story["alone"]["status"] == "filled"


def test_an_order_accepted_after_it_did_not_stand_in_its_way(tmp_path):
    still = quotes(*[(100.0, 100.0)] * 5)
    day = book_panel(every_minute(5), still - 0.5, still + 0.5, still)
    rows, legs = np.array([0, 3, 3]), np.array([[0], [0], [1]])
    strength = np.array([50.0, 90.0, 10.0])
    orders = Orders.packages(rows, legs, 1, ExitRule(), strength=strength)
    retold = told(day, [says(orders)], tmp_path)
    story = explain_refusal(retold, "3:mine:1", find_order(retold, "3:mine:1"))
    assert story["status"] == "same_contract"
    assert [other["decided_row"] for other in story["held"]] == [0]  # not the weaker one of row 3


def test_a_decision_the_run_does_not_know_is_missing(tmp_path):
    retold = a_call(tmp_path)
    for decision in ("0:gamma_scalping:9", "0:other:0", "99:gamma_scalping:0"):
        with pytest.raises(MissingDataError, match="has no decision"):
            find_order(retold, decision)
    with pytest.raises(InputError, match="names no decision"):
        read_decision("gamma_scalping")
    retold.day.book.status[0] = Status.HOURS
    with pytest.raises(DamagedError, match="was filled; walked again, it is hours"):
        find_order(retold, "0:gamma_scalping:0")


def test_a_decision_of_several_sessions_needs_its_day(tmp_path):
    run = a_call(tmp_path).run
    assert session_of(run, None) == DATE
    run.summary["sessions"] = ["2025-11-19", "2025-11-20"]
    assert session_of(run, DATE) == DATE
    with pytest.raises(InputError, match="more sessions than one"):
        session_of(run, None)


def test_every_refusal_has_its_words():
    told_apart = set(WHY) | {Status.PENDING, Status.FILLED}
    assert told_apart == set(Status)
    assert set(Status) - NOT_REFUSED <= set(WHY)


# The recorded day


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    ingest([str(RECORDED / "nse_1min")], store)
    strategies, settings, day = [built_in(n) for n in BUILT_IN], Settings(), dt.date(2025, 8, 29)
    out = tmp_path_factory.mktemp("runs") / "run"
    backtest_stored(store, "NIFTY", [day], strategies, settings, out, "")
    return retell(store, read_run(out), day, strategies, settings)


@needs_recordings
def test_every_trade_of_the_recorded_day_is_told_to_the_paisa(recorded_run):
    ledger = recorded_run.run.trades
    assert len(ledger["trade_id"]) > 0
    for k, trade in enumerate(ledger["trade_id"]):
        story = explain_trade(recorded_run, str(trade))
        for name in ("gross_pnl", "charges", "net_pnl"):
            assert story[name] == ledger[name][k]
        total = sum(bill["orders"] * bill["total"] for bill in story["bills"])
        assert total == pytest.approx(ledger["charges"][k], abs=1e-9)
        assert story["entry"]["prices"] == [ledger["entry_price"][k]]
        assert story["exit"]["prices"] == [ledger["exit_price"][k]]
        decided = [row for row in story["rows"] if row["reason"]]
        for row in decided:
            assert row["reason"] == ledger["exit_reason"][k]
            reach = {"STOP": row["to_stop"], "TARGET": row["to_target"]}.get(row["reason"], 0.0)
            assert reach <= 1e-9
        page = io.StringIO()
        show_trade(Console(file=page, width=80), story)
        assert max(map(len, page.getvalue().splitlines())) <= 80
        assert "…" not in page.getvalue()


@needs_recordings
def test_a_decision_of_each_kind_on_the_recorded_day_is_told(recorded_run):
    decisions, seen = recorded_run.day.decisions(), set()
    for row, strategy, index, status in zip(
        *(decisions[name] for name in ("row", "strategy", "index", "status")), strict=True
    ):
        if status in seen:
            continue
        seen.add(status)
        decision = f"{row}:{strategy}:{index}"
        place = find_order(recorded_run, decision)
        trade = trade_of(recorded_run, place)
        assert (trade is not None) == (status == "filled")
        if trade is None:
            story = explain_refusal(recorded_run, decision, place)
            assert story["status"] == status
            page = io.StringIO()
            show_refusal(Console(file=page, width=80), story)
            assert story["why"][:20] in page.getvalue()
    assert len(seen) >= 4
