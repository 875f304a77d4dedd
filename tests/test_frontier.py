"""Where an edge goes: by hand, and the identity edge - half spreads - charges = net."""

from __future__ import annotations

import numpy as np
import pytest
from both_walks import start
from hand_walks import NAN, book_panel, buy, every_minute, quotes
from markets import random_market
from panels import LOT

from optiq.market.context import Context
from optiq.run.backtest import Settings, day_result
from optiq.run.frontier import Frontier, time_in_market_us
from optiq.run.summary import Tally
from optiq.trade.book import queue
from optiq.trade.charges import schedule
from optiq.trade.walk import walk_day


def result_of(panel, orders):
    settings = Settings()
    rates = schedule("NIFTY", panel.date).rates
    book = walk_day(panel, orders, rates, settings.walk)
    return day_result(panel, Context(), orders, book, [], settings, compare_instant=False)


def frontier_of(days):
    tally, frontier = Tally(), Frontier()
    for day in days:
        tally.add(day)
        frontier.add(fills(day))
    return frontier.result(tally.summary(Settings()))


def fills(day):
    names = ("first", "second", "third")
    from optiq.trade.fill_quality import fills_of

    return fills_of(day.panel, day.orders, day.book, names, day.walk)


def test_a_frontier_by_hand():
    # decided at 12:00; bought at 121.50 (middle 120.75), sold at 138.00 (middle 138.25)
    bid = quotes((119.5,), (120.0,), (137.0,), (138.0,))
    ask = quotes((120.5,), (121.5,), (139.0,), (138.5,))
    found = frontier_of([result_of(book_panel(every_minute(4), bid, ask), queue([buy(0)]))])
    assert found["edge"] == 17.50 * LOT  # 138.25 - 120.75
    assert found["half_spread"] == (0.75 + 0.25) * LOT
    # buy 9112.50: 20 + 3.192 + ... and sale 10350; each line is that of `optiq charges`
    assert found["charges"] == 27.70 + 38.30
    assert found["net"] == 16.50 * LOT - 66.00
    assert found["units"] == 2 * LOT
    assert found["slippage_ticks_to_zero"] == pytest.approx(1171.50 / (0.05 * 150))
    assert found["fills_without_middle"] == 0


def test_a_stale_exit_counts_as_made_at_the_middle_and_is_counted():
    bid, ask = quotes((100.0,), (100.0,), (NAN,)), quotes((101.0,), (101.0,), (NAN,))
    last = quotes((100.5,), (100.5,), (100.5,))
    day = result_of(book_panel(every_minute(3), bid, ask, last), queue([buy(0)]))
    found = frontier_of([day])
    assert found["fills_without_middle"] == 1
    assert found["half_spread"] == 0.5 * LOT  # of the entry alone
    assert found["edge"] == pytest.approx(-0.15 * LOT)  # 100.35 less 100.50


def test_nothing_traded_has_no_ticks():
    found = frontier_of([result_of(book_panel([720.0], quotes((1.0,)), quotes((2.0,))), queue([]))])
    assert found["edge"] == found["net"] == found["units"] == 0
    assert np.isnan(found["slippage_ticks_to_zero"])


@pytest.mark.parametrize("first", range(0, 60, 3))
def test_what_is_lost_on_the_way_adds_up(first):
    """On generated runs, packages and stale exits too, against middles computed here."""
    days, edge_half_paise, blind = [], 0, 0
    for seed in range(first, first + 3):
        market = random_market(seed)
        walk = start(market)
        walk.advance(market.panel.n_rows)
        walk.finish()
        orders, settings = walk.given.orders, Settings()
        day = day_result(
            market.panel, Context(), orders, walk.book, [], settings, compare_instant=False
        )
        days.append(day)
        for position in walk.book.closed[: int(walk.book.day["n_closed"][0])]:
            order = orders[position["order"]]
            for leg in np.flatnonzero(order["legs"] >= 0):
                middles = [
                    middle_or_price(market.panel, int(row), int(order["legs"][leg]), int(paise))
                    for row, paise in (
                        (position["entry_row"], position["entry_paise"][leg]),
                        (position["exit_row"], position["exit_paise"][leg]),
                    )
                ]
                blind += sum(is_blind for _, is_blind in middles)
                lot = market.panel.lot[order["legs"][leg]]
                quantity = int(position["lots"] * order["ratio"][leg] * lot)
                gain = middles[1][0] - middles[0][0]
                edge_half_paise += int(order["side"][leg]) * gain * quantity
    found = frontier_of(days)
    assert round(200 * found["edge"]) == edge_half_paise
    assert found["fills_without_middle"] == blind
    left = found["edge"] - found["half_spread"] - found["charges"]
    assert round(200 * left) == round(200 * found["net"])


def middle_or_price(panel, row, contract, paise):
    """The middle in half paise, or the price booked where there is none."""
    bid, ask = panel.bid[row, contract], panel.ask[row, contract]
    middle = (bid + ask) / 2 if ask >= bid else NAN
    if not panel.has_book:
        middle = panel.ltp[row, contract]
    return (2 * paise, True) if np.isnan(middle) else (round(200 * middle), False)


@pytest.mark.parametrize(
    ("spans", "minutes"),
    [
        ([], 0),
        ([(0, 10)], 10),
        ([(0, 10), (2, 5)], 10),  # one inside another
        ([(5, 15), (0, 10), (20, 25)], 20),  # overlapping, in no order, and apart
        ([(0, 10), (10, 12)], 12),
        ([(0, 30), (2, 5), (6, 40)], 40),
        ([(3, 3)], 0),
    ],
)
def test_time_in_the_market_counts_once(spans, minutes):
    begin = np.array([s for s, _ in spans], "datetime64[m]")
    end = np.array([e for _, e in spans], "datetime64[m]")
    assert time_in_market_us(begin, end) == minutes * 60e6
