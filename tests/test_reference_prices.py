"""What the slow walk marks and fills at, on days computed by hand, packages included."""

from __future__ import annotations

import numpy as np
import pytest
from hand_walks import (
    NAN,
    NOON,
    RULE,
    book_panel,
    buy,
    every_minute,
    go,
    only,
    price_panel,
    quotes,
    rows_and_reason,
    spread,
)

from optiq.trade.orders import ExitRule, Orders

# Marks


@pytest.mark.parametrize(
    ("last_trade", "bid", "ask", "reason"),
    [
        (100.0, 120.0, 121.0, "TARGET"),  # a stale last price is brought up to the bid
        (100.0, 79.0, 80.0, "STOP"),  # ... and down to the ask
        (50.0, 99.0, 101.0, "EOD"),  # a lone low print inside no book does not stop us out
        (NAN, 111.0, 113.0, "TARGET"),  # without a print the middle: 112 over 101
        (80.0, NAN, 81.0, "STOP"),  # a one-sided book does not move the last price
        (80.0, 99.0, 98.0, "STOP"),  # nor does a crossed one
    ],
)
def test_the_mark_lies_inside_the_book(
    last_trade: float, bid: float, ask: float, reason: str
) -> None:
    bids = quotes((100.0,), (100.0,), (bid,), (100.0,))
    asks = quotes((101.0,), (101.0,), (ask,), (101.0,))
    ltps = quotes((100.0,), (NAN,), (last_trade,), (NAN,))
    panel = book_panel([NOON, NOON + 1, NOON + 4, NOON + 5], bids, asks, ltp=ltps)
    assert only(go(panel, buy(0))).reason == reason


def test_a_last_price_from_before_the_entry_marks_until_it_is_too_old() -> None:
    ltp = quotes((80.0,), (NAN,), (NAN,), (NAN,))
    bid, ask = quotes((NAN,), (99.0,), (NAN,), (98.0,)), quotes((NAN,), (100.0,), (101.0,), (99.0,))
    minutes = [NOON, NOON + 1, NOON + 2, NOON + 3]
    panel = book_panel(minutes, bid, ask, ltp=ltp)
    # bought at 100 at row 1; at row 2 the 120 s old 80 is the mark, the ask makes it observed
    assert rows_and_reason(only(go(panel, buy(0))))[2:] == (2, 3, "STOP")
    assert only(go(panel, buy(0), max_quote_age_s=119.0)).reason == "EOD"


# Fills


def test_a_fill_is_rounded_to_the_tick_against_us() -> None:
    bid, ask = quotes((100.02,), (100.02,), (120.04,), (120.04,)), None
    ask = quotes((100.06,), (100.06,), (120.08,), (120.08,))
    leg = only(go(book_panel(every_minute(4), bid, ask), buy(0))).legs[0]
    assert (leg.entry_price, leg.exit_price) == (10_010, 12_000)


def test_slippage_moves_every_fill_against_us() -> None:
    panel = price_panel(every_minute(4), (100.0,), (100.0,), (120.0,), (120.0,))
    leg = only(go(panel, buy(0), slippage_ticks=2)).legs[0]
    assert (leg.entry_price, leg.exit_price) == (10_010, 11_990)


def test_a_sale_brings_at_least_one_tick() -> None:
    panel = price_panel(every_minute(4), (0.05,), (0.05,), (0.05,), (0.05,))
    rule = ExitRule(max_hold_minutes=1.0)
    leg = only(go(panel, buy(0, rule=rule), slippage_ticks=2)).legs[0]
    assert (leg.entry_price, leg.exit_price) == (15, 5)


def test_without_a_book_half_the_spread_is_paid() -> None:
    ltp = quotes((40.0,), (40.0,), (200.0,), (200.0,))
    dark = np.full((4, 1), NAN)
    leg = only(go(book_panel(every_minute(4), dark, dark, ltp=ltp, has_book=False), buy(0))).legs[0]
    # 0.1 % of 40.00 is under a tick, so one tick; 0.1 % of 200.00 is 0.20
    assert (leg.entry_price, leg.exit_price) == (4_005, 19_980)


def test_an_empty_book_in_a_source_with_books_does_not_fill() -> None:
    dark = np.full((3, 1), NAN)
    panel = book_panel(every_minute(3), dark, dark, ltp=quotes((40.0,), (40.0,), (40.0,)))
    assert go(panel, buy(0)).outcomes == {(0, 0): "expired"}


def test_a_bought_leg_nobody_bids_for_is_given_up_without_charges() -> None:
    bid = quotes((1.0,), (1.0,), (0.05,), (NAN,))
    ask = quotes((1.0,), (1.0,), (0.10,), (0.10,))
    trade = only(go(book_panel(every_minute(4), bid, ask), buy(0)))
    assert (trade.legs[0].exit_price, trade.reason, trade.stale) == (0, "STOP", False)
    assert (trade.gross_paise, trade.charges_paise) == (-7_500, 200)  # the entry's charge alone


@pytest.mark.parametrize(("side", "last_ask"), [(1, 0.15), (-1, 0.10)])
def test_a_dearer_or_a_sold_leg_is_not_given_up(side: int, last_ask: float) -> None:
    bid = quotes((1.0,), (1.0,), (1.0,), (NAN,))
    ask = quotes((1.0,), (1.0,), (1.0,), (last_ask,))
    order = Orders.packages(np.array([0]), np.array([[0]]), side, ExitRule(max_hold_minutes=1.0))
    trade = only(go(book_panel(every_minute(4), bid, ask), order))
    assert (trade.stale, trade.exit_row) == (True, 3)
    # the last mark: one sided at row 3, so the ltp of row 2, moved one tick against us
    assert trade.legs[0].exit_price == 100 - side * 5


# Packages


def test_a_package_fills_whole_or_not_at_all() -> None:
    bid = quotes(
        (100.0, 20.0), (100.0, NAN), (110.0, 20.0), (120.0, 20.0), (130.0, NAN), (1.0, 21.0)
    )
    panel = book_panel([NOON + n / 2 for n in range(6)], bid, bid)
    trade = only(go(panel, spread(0)))
    # entry waits for row 2 (110 - 2 x 20 = 70); +10 at row 3 is 14 %; the exit waits for row 5
    assert rows_and_reason(trade) == (0, 2, 3, 5, "TARGET")
    assert [leg.quantity for leg in trade.legs] == [75, 150]
    assert [leg.gross_paise for leg in trade.legs] == [-10_900 * 75, -100 * 150]
    assert trade.charges_paise == 4 * 250  # two buys at 2, two sales at 3 rupees


def test_a_package_of_almost_no_premium_is_refused_at_its_fill() -> None:
    # 55 - 45 is exactly a tenth of 100: taken; 54.95 - 45.05 is less: refused
    pair = Orders.packages(np.array([0]), np.array([[0, 1]]), np.array([[1, -1]]), RULE)
    taken = price_panel(every_minute(2), (70.0, 45.0), (55.0, 45.0))
    thin = price_panel(every_minute(2), (70.0, 45.0), (54.95, 45.05))
    assert go(taken, pair).outcomes[0, 0] == "filled"
    # the slot is freed in step 4 of row 1, too late for an order of row 1
    assert go(thin, pair, buy(1)).outcomes == {(0, 0): "thin_basis", (1, 0): "same_contract"}


def test_a_thin_package_counts_as_an_entry_of_the_day() -> None:
    pair = Orders.packages(np.array([0]), np.array([[0, 1]]), np.array([[1, -1]]), RULE)
    panel = price_panel(every_minute(3), *[(50.0, 49.0)] * 3)
    result = go(panel, pair, buy(2), max_trades_per_day=1)
    assert result.outcomes == {(0, 0): "thin_basis", (1, 0): "max_trades"}


def test_marks_of_two_moments_do_not_stop_a_package() -> None:
    both = Orders.packages(np.array([0]), np.array([[0, 1]]), 1, ExitRule(stop=0.10))
    gone = (80.0, NAN)
    rows = quotes((100.0, 100.0), (100.0, 100.0), gone, (70.0, NAN), (70.0, 100.0), (70.0, 100.0))
    minutes = [NOON + n / 4 for n in range(6)]
    # row 2: one leg a chain row older, -10 %: leaves
    assert only(go(book_panel(minutes, rows, rows), both)).exit_decided_row == 2
    rows[2, 0] = 90.0  # -5 %; row 3 is -15 % but two chain rows apart; row 4 has both
    assert only(go(book_panel(minutes, rows, rows), both)).exit_decided_row == 4
    chain = [True, True, True, False, True, True]  # a monitor row is no chain row
    assert only(go(book_panel(minutes, rows, rows, chain=chain), both)).exit_decided_row == 3


def test_a_book_around_an_old_last_price_makes_its_mark_new() -> None:
    both = Orders.packages(np.array([0]), np.array([[0, 1]]), 1, ExitRule(stop=0.10))
    rows = quotes(*[(100.0, 100.0)] * 3, (70.0, 100.0), (70.0, 100.0))
    ltp = rows.copy()
    ltp[1:, 1] = NAN  # the second leg traded on row 0 alone, but its book is there
    panel = book_panel([NOON + n / 4 for n in range(5)], rows, rows, ltp=ltp)
    assert only(go(panel, both)).exit_decided_row == 3
