"""Hand-computed days: what the slow walk must give before it may judge the compiled one."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from markets import DATE, Market, as_hypothesis, at_minute, filled_fields, random_market
from reference_walk import Result, Settings, Trade, walk

from optiq.market.panel import Panel
from optiq.trade.orders import ExitRule, Orders

NAN = math.nan
EXITS = {"STOP", "TARGET", "TRAIL", "TIME", "EOD", "RISK"}
OUTCOMES = {
    "filled", "expired", "day_over", "hours", "min_score", "max_open", "same_contract",
    "cooldown", "max_trades", "capital", "thin_basis",
}  # fmt: skip
LOT = 75
NOON = 720.0
RULE = ExitRule(target=0.10, stop=0.10)
BOLD = ExitRule()


def flat_fee(premium_paise: int, side: int) -> int:
    """Two rupees a buy order, three a sale: told apart, and easy by hand."""
    return 200 if side > 0 else 300


def quotes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float64)


def book_panel(
    minutes: list[float],
    bid: np.ndarray,
    ask: np.ndarray,
    ltp: np.ndarray | None = None,
    chain: list[bool] | None = None,
    late_s: list[float] | None = None,
    has_book: bool = True,
    spot: float = 24_000.0,
) -> Panel:
    """A panel of calls at 24000, 24050, ...; ``ltp`` is the middle of the book unless given."""
    n_rows, n_contracts = bid.shape
    ts = at_minute(np.array(minutes))
    late = np.zeros(n_rows) if late_s is None else np.array(late_s)
    return Panel(
        underlying="NIFTY",
        date=DATE,
        ts=ts,
        known=ts + (late * 1e6).astype("timedelta64[us]"),
        is_chain=np.ones(n_rows, bool) if chain is None else np.array(chain),
        spot=np.full(n_rows, spot),
        expiry=np.full(n_contracts, np.datetime64(DATE, "D")),
        strike=24_000.0 + 50.0 * np.arange(n_contracts),
        right=np.ones(n_contracts, np.int64),
        lot=np.full(n_contracts, LOT),
        open_minute=555.0,
        close_minute=930.0,
        has_book=has_book,
        fields=filled_fields((bid + ask) / 2 if ltp is None else ltp, bid, ask),
    )


def price_panel(minutes: list[float], *prices: tuple[float, ...]) -> Panel:
    """A panel whose books are locked at ``prices``: marks and fills are one number."""
    locked = quotes(*prices)
    return book_panel(minutes, locked, locked)


def every_minute(n_rows: int, start: float = NOON) -> list[float]:
    return [start + n for n in range(n_rows)]


def buy(row: list[int] | int, contract: int = 0, rule: ExitRule = RULE) -> Orders:
    rows = [row] if isinstance(row, int) else row
    return Orders.packages(np.array(rows), np.full((len(rows), 1), contract), 1, rule)


def go(panel: Panel, *orders: Orders, scores: list[np.ndarray] | None = None, **keys: object):
    named = [(f"strategy {n}", asked) for n, asked in enumerate(orders)]
    finish = bool(keys.pop("finish", True))
    return walk(panel, named, scores, Settings(**keys), flat_fee, finish)


def only(result: Result) -> Trade:
    (trade,) = result.trades
    return trade


def rows_and_reason(trade: Trade) -> tuple[int, int, int, int, str]:
    return (
        trade.decided_row, trade.entry_row, trade.exit_decided_row, trade.exit_row, trade.reason,
    )  # fmt: skip


# Latency


def test_a_decision_fills_on_a_later_row() -> None:
    panel = price_panel(every_minute(4), (100.0,), (101.0,), (115.0,), (114.0,))
    trade = only(go(panel, buy(0)))
    assert rows_and_reason(trade) == (0, 1, 2, 3, "TARGET")  # 115/101 is +13.9 %, sold a row later
    assert (trade.legs[0].entry_price, trade.legs[0].exit_price) == (10_100, 11_400)
    assert (trade.gross_paise, trade.charges_paise) == (97_500, 500)  # 13.00 x 75; 2 + 3 rupees
    assert (trade.net_pnl, trade.stale) == (97_000, False)


def test_without_latency_a_decision_fills_on_its_own_row() -> None:
    panel = price_panel(every_minute(4), (100.0,), (101.0,), (115.0,), (114.0,))
    trade = only(go(panel, buy(0), latency_s=0.0))
    assert rows_and_reason(trade) == (0, 0, 2, 2, "TARGET")
    assert (trade.legs[0].entry_price, trade.legs[0].exit_price) == (10_000, 11_500)


def test_latency_counts_from_when_the_row_was_known() -> None:
    prices = quotes((100.0,), (101.0,), (102.0,), (103.0,))
    late = [59.0, 0.0, 0.0, 0.0]  # known at 59 s, plus 1 s: exactly the next row
    assert only(go(book_panel(every_minute(4), prices, prices, late_s=late), buy(0))).entry_row == 1
    late = [59.000001, 0.0, 0.0, 0.0]
    assert only(go(book_panel(every_minute(4), prices, prices, late_s=late), buy(0))).entry_row == 2


def test_a_row_known_late_does_not_fill_itself_even_without_latency() -> None:
    prices = quotes((100.0,), (101.0,))
    panel = book_panel(every_minute(2), prices, prices, late_s=[0.5, 0.0])
    assert only(go(panel, buy(0), latency_s=0.0)).entry_row == 1


def test_a_monitor_row_fills_and_exits() -> None:
    prices = quotes((100.0,), (101.0,), (80.0,), (79.0,))
    chain = [True, False, False, False]
    trade = only(go(book_panel(every_minute(4), prices, prices, chain=chain), buy(0)))
    assert rows_and_reason(trade) == (0, 1, 2, 3, "STOP")


# Expiry of orders


@pytest.mark.parametrize(
    ("second_row_minute", "outcome"),
    [
        (NOON + 2.0, "filled"),  # 120 s is not more than max_wait_s
        (NOON + 2.0 + 1e-6 / 60, "expired"),  # one microsecond more is
    ],
)
def test_an_entry_waits_max_wait_and_no_longer(second_row_minute: float, outcome: str) -> None:
    panel = price_panel([NOON, second_row_minute, NOON + 9], (100.0,), (101.0,), (102.0,))
    assert go(panel, buy(0)).outcomes[0, 0] == outcome


def test_an_expired_entry_holds_its_slot_until_its_row_is_done() -> None:
    bid = quotes(*[(NAN, 50.0)] * 2, (NAN, 50.0), (NAN, 50.0))
    panel = book_panel([NOON, NOON + 1, NOON + 3, NOON + 4], bid, bid)
    result = go(panel, buy(0), buy([2, 3], 1), max_open=1, max_trades_per_day=1)
    # at row 2 the first order still counts in step 3, then expires in step 4; row 3 is free
    assert result.outcomes == {(0, 0): "expired", (1, 0): "max_open", (1, 1): "expired"}


def test_an_exit_waits_for_a_two_sided_book() -> None:
    bid = quotes((100.0,), (100.0,), (80.0,), (NAN,), (80.0,), (70.0,))
    ask = quotes((100.0,), (100.0,), (80.0,), (80.0,), (75.0,), (70.0,))  # one-sided, then crossed
    panel = book_panel([NOON, NOON + 1, NOON + 2, NOON + 9, NOON + 30, NOON + 31], bid, ask)
    trade = only(go(panel, buy(0)))
    assert rows_and_reason(trade) == (0, 1, 2, 5, "STOP")
    assert trade.legs[0].exit_price == 7_000


# Exit rules


def test_stop_outranks_target_at_the_same_row() -> None:
    panel = price_panel(every_minute(4), (100.0,), (100.0,), (100.0,), (100.0,))
    both = ExitRule(target=0.0, stop=0.0)  # g is 0: both hold
    assert only(go(panel, buy(0, rule=both))).reason == "STOP"


def test_a_stop_exactly_reached_holds_in_spite_of_floats() -> None:
    panel = price_panel(every_minute(4), (0.7,), (0.7,), (0.63 + 0.0,), (0.6,))
    # 0.63/0.70 - 1 is -0.09999999999999995 in floats
    trade = only(go(panel, buy(0)))
    assert (trade.reason, trade.exit_decided_row) == ("STOP", 2)


def test_the_entry_row_is_not_marked() -> None:
    bid, ask = (
        quotes((80.0,), (80.0,), (95.0,), (95.0,)),
        quotes((100.0,), (100.0,), (99.0,), (99.0,)),
    )
    trade = only(go(book_panel(every_minute(4), bid, ask), buy(0)))
    # bought at 100 with the bid at 80; at row 2 the mark is 97: no stop was ever reached
    assert (trade.reason, trade.stale, trade.legs[0].exit_price) == ("EOD", True, 9_500)


def test_trailing_leaves_after_the_peak_fell_back() -> None:
    rule = ExitRule(trail_after=0.20, trail=0.15)
    panel = price_panel(
        every_minute(7),
        (100.0,), (100.0,), (119.0,), (104.0,),  # peak 19 % is below trail_after: stays
        (121.0,), (106.0,), (105.0,),  # peak 21 %, 6 % is exactly 15 points lower: leaves
    )  # fmt: skip
    assert rows_and_reason(only(go(panel, buy(0, rule=rule)))) == (0, 1, 5, 6, "TRAIL")


def test_the_peak_starts_at_zero() -> None:
    rule = ExitRule(trail_after=0.0, trail=0.05)
    panel = price_panel(every_minute(4), (100.0,), (100.0,), (95.0,), (90.0,))
    assert only(go(panel, buy(0, rule=rule))).reason == "TRAIL"


def test_time_counts_from_the_entry_fill() -> None:
    panel = price_panel(every_minute(6), *[(100.0,)] * 6)
    trade = only(go(panel, buy(0, rule=ExitRule(max_hold_minutes=3.0))))
    assert rows_and_reason(trade) == (0, 1, 4, 5, "TIME")


@pytest.mark.parametrize(("minute", "decided_row"), [(920.0, 2), (919.99, 3)])
def test_the_day_ends_ten_minutes_before_the_close(minute: float, decided_row: int) -> None:
    panel = price_panel([900.0, 901.0, minute, 921.0, 922.0], *[(100.0,)] * 5)
    trade = only(go(panel, buy(0, rule=BOLD)))
    assert rows_and_reason(trade) == (0, 1, decided_row, decided_row + 1, "EOD")
    assert not trade.stale


def test_time_needs_no_mark_but_a_stop_does() -> None:
    gone = (NAN,)
    bid = quotes((100.0,), (100.0,), gone, gone, (50.0,))
    panel = book_panel([NOON, NOON + 1, NOON + 5, NOON + 10, NOON + 11], bid, bid)
    trade = only(go(panel, buy(0, rule=ExitRule(stop=0.1, max_hold_minutes=9.0))))
    assert rows_and_reason(trade) == (0, 1, 3, 4, "TIME")


def test_a_stop_is_not_asked_where_the_contract_is_not_observed() -> None:
    ltp = quotes((100.0,), (100.0,), (80.0,), (NAN,), (100.0,), (NAN,))
    dark = np.full((6, 1), NAN)
    panel = book_panel(every_minute(6), dark, dark, ltp=ltp, has_book=False)
    # max_quote_age keeps 80 as the mark at row 3, but the stop was decided at row 2 already
    trade = only(go(panel, buy(0)))
    assert rows_and_reason(trade)[2:4] == (2, 4)  # and it leaves at the next traded price
    ltp[2, 0], ltp[3, 0], ltp[1, 0] = NAN, 80.0, 100.0
    panel = book_panel(every_minute(6), dark, dark, ltp=ltp, has_book=False)
    assert only(go(panel, buy(0))).exit_decided_row == 3


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


def spread(row: int, rule: ExitRule = RULE) -> Orders:
    """Buy the first contract, sell the second twice."""
    legs, side, ratio = np.array([[0, 1]]), np.array([[1, -1]]), np.array([[1, 2]])
    return Orders.packages(np.array([row]), legs, side, rule, ratio=ratio)


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


# Limits


def refusals(panel: Panel, *orders: Orders, **keys: object) -> dict[tuple[int, int], str]:
    return go(panel, *orders, **keys).outcomes


@pytest.mark.parametrize(
    ("minute", "outcome"),
    [(559.99, "hours"), (560.0, "expired"), (900.0, "expired"), (900.01, "hours")],
)
def test_entries_keep_hours(minute: float, outcome: str) -> None:
    assert refusals(price_panel([minute], (100.0,)), buy(0)) == {(0, 0): outcome}


@pytest.mark.parametrize(("gap_s", "outcome"), [(300.0, "filled"), (299.999999, "cooldown")])
def test_the_cooldown_ends_at_exactly_five_minutes(gap_s: float, outcome: str) -> None:
    after = NOON + 3 + gap_s / 60
    panel = price_panel([*every_minute(4), after, after + 1], *[(100.0,)] * 6)
    rule = ExitRule(max_hold_minutes=1.0)  # in at row 1, decided at row 2, out at row 3
    assert refusals(panel, buy([0, 4], rule=rule)) == {(0, 0): "filled", (0, 1): outcome}


def test_a_slot_freed_by_a_fill_serves_from_the_next_row() -> None:
    panel = price_panel(every_minute(6), *[(100.0, 50.0)] * 6)
    first = buy(0, rule=ExitRule(max_hold_minutes=1.0))  # out at row 3
    assert refusals(panel, first, buy([3, 4], 1), max_open=1) == {
        (0, 0): "filled",
        (1, 0): "max_open",
        (1, 1): "filled",
    }


def test_the_same_first_contract_is_held_once() -> None:
    panel = price_panel(every_minute(4), *[(100.0, 50.0)] * 4)
    assert refusals(panel, buy([0, 0, 2])) == {
        (0, 0): "filled",
        (0, 1): "same_contract",  # pending
        (0, 2): "same_contract",  # open
    }


def test_expired_entries_do_not_use_up_the_day() -> None:
    bid = quotes((NAN, 50.0), (NAN, 50.0), (NAN, 50.0))
    panel = book_panel([NOON, NOON + 4, NOON + 5], bid, bid)
    assert refusals(panel, buy(0), buy([0, 1], 1), max_trades_per_day=1) == {
        (0, 0): "expired",
        (1, 0): "max_trades",
        (1, 1): "max_trades",  # still accepted in step 3 of the row on which it expires
    }
    assert refusals(panel, buy(0), buy([2], 1), max_trades_per_day=1)[1, 0] == "expired"


def test_a_score_under_the_least_is_refused_but_an_unknown_one_is_not() -> None:
    panel = price_panel(every_minute(2), (100.0, 50.0, 30.0), (100.0, 50.0, 30.0))
    orders = [buy(0, contract) for contract in range(3)]
    scores = [np.array([49.9]), np.array([50.0]), np.array([NAN])]
    result = go(panel, *orders, scores=scores, min_score=50.0)
    assert list(result.outcomes.values()) == ["min_score", "filled", "filled"]
    assert refusals(panel, *orders, min_score=50.0) == dict.fromkeys(result.outcomes, "filled")


def test_the_best_score_goes_first_and_an_unknown_one_last() -> None:
    panel = price_panel(every_minute(2), (100.0, 50.0, 30.0), (100.0, 50.0, 30.0))
    orders = [buy(0, contract) for contract in range(3)]
    scores = [np.array([NAN]), np.array([1.0]), np.array([2.0])]
    result = go(panel, *orders, scores=scores, max_open=2)
    assert list(result.outcomes.values()) == ["max_open", "filled", "filled"]


def test_equal_strengths_go_by_distance_then_strike_then_place() -> None:
    prices = [(100.0, 50.0, 30.0)] * 2
    panel = book_panel(every_minute(2), quotes(*prices), quotes(*prices), spot=24_075.0)
    orders = [buy(0, 2), buy(0, 1), buy(0, 0), buy(0, 1)]  # 24100 and 24050 are both 25 away
    outcomes = go(panel, *orders, max_open=1).outcomes
    assert list(outcomes.values()) == ["max_open", "filled", "max_open", "max_open"]
    outcomes = go(panel, *orders, max_open=2).outcomes
    assert list(outcomes.values()) == ["filled", "filled", "max_open", "same_contract"]


def test_one_strike_goes_calls_first_then_the_earlier_expiry() -> None:
    panel = price_panel(every_minute(2), *[(100.0, 50.0, 30.0, 20.0)] * 2)
    later = panel.expiry + np.timedelta64(7, "D")
    panel = replace(
        panel,
        strike=np.full(4, 24_000.0),
        right=np.array([-1, 1, 1, -1]),
        expiry=np.array([panel.expiry[0], later[0], panel.expiry[0], later[0]]),
    )
    orders = [buy(0, contract) for contract in range(4)]

    def filled(max_open: int) -> set[int]:
        outcomes = go(panel, *orders, max_open=max_open).outcomes
        return {place for (place, _), outcome in outcomes.items() if outcome == "filled"}

    # the near call, the far call, the near put
    assert [filled(1), filled(2), filled(3)] == [{2}, {1, 2}, {0, 1, 2}]


def test_distance_is_from_the_last_known_spot() -> None:
    panel = price_panel(every_minute(3), *[(100.0, 50.0)] * 3)
    orders = [buy(1, 0), buy(1, 1)]
    for spot, outcomes in (
        ((24_050.0, NAN, 24_000.0), ["max_open", "filled"]),
        ((NAN, NAN, 24_050.0), ["filled", "max_open"]),  # none yet: the lower strike
    ):
        result = go(replace(panel, spot=np.array(spot)), *orders, max_open=1)
        assert list(result.outcomes.values()) == outcomes


def test_capital_counts_premium_paid_and_premium_awaited() -> None:
    panel = price_panel(every_minute(3), *[(100.0, 50.0, 30.0)] * 3)
    orders = [buy(0, 0), buy(0, 1), buy(1, 2)]
    # 7,500 and 3,750 and 2,250 rupees, to the rupee
    assert set(go(panel, *orders, capital=13_500.0).outcomes.values()) == {"filled"}
    assert list(go(panel, *orders, capital=13_499.0).outcomes.values())[2] == "capital"
    assert list(go(panel, *orders, capital=11_249.0).outcomes.values())[:2] == ["filled", "capital"]


@pytest.mark.parametrize(("capital", "outcome"), [(7_505.0, "expired"), (7_504.99, "capital")])
def test_capital_shrinks_with_realised_losses(capital: float, outcome: str) -> None:
    panel = price_panel(every_minute(5), (100.0,), (100.0,), (90.0,), (90.0,), (90.0,))
    # 750 lost and 5 of charges; 90 x 75 is 6,750, and nothing is left to fill the second order
    result = go(panel, buy([0, 4]), capital=capital, cooldown_minutes=0.0)
    assert result.outcomes == {(0, 0): "filled", (0, 1): outcome}


def test_selling_needs_margin_which_is_not_modelled_here() -> None:
    with pytest.raises(ValueError, match="margin"):
        go(price_panel([NOON], (100.0, 20.0)), spread(0), capital=1e6)


# The end of the day


def test_a_lost_day_closes_everything_and_cancels_what_waits() -> None:
    rows = [(100.0, 50.0), (100.0, 50.0), (90.0, NAN), (89.0, 50.0), (88.0, 50.0)]
    panel = price_panel(every_minute(5), *rows)
    result = go(panel, buy(0, rule=BOLD), buy([1, 3], 1), max_daily_loss=750.0, latency_s=45.0)
    # row 2: (90 - 100) x 75 is exactly the limit
    assert rows_and_reason(only(result)) == (0, 1, 2, 3, "RISK")
    assert result.outcomes == {(0, 0): "filled", (1, 0): "day_over", (1, 1): "day_over"}


def test_a_lost_day_stays_lost() -> None:
    panel = price_panel(every_minute(5), (100.0,), (100.0,), (90.0,), (120.0,), (120.0,))
    result = go(panel, buy([0, 4], rule=BOLD), max_daily_loss=750.0, cooldown_minutes=0.0)
    assert only(result).gross_paise == 150_000  # sold at 120 after all
    assert result.outcomes[0, 1] == "day_over"


def test_finish_moves_the_last_mark_against_us() -> None:
    bid = quotes((100.0,), (100.0,), (99.0,), (NAN,), (NAN,))
    panel = book_panel(every_minute(5), bid, bid)
    trade = only(go(panel, buy(0)))
    assert (trade.reason, trade.stale, trade.exit_row) == ("EOD", True, 4)
    assert trade.legs[0].exit_price == 9_890  # 99.00 less 0.099 is 98.901, down to the tick
    assert only(go(panel, buy(0), slippage_ticks=1)).legs[0].exit_price == 9_885


def test_finish_takes_the_latest_mark_of_each_leg() -> None:
    both = Orders.packages(np.array([0]), np.array([[0, 1]]), 1, BOLD)
    bid = quotes((100.0, 50.0), (100.0, 50.0), (99.0, 40.0), (98.0, NAN), (NAN, NAN), (NAN, 45.0))
    panel = book_panel([NOON + n for n in (0, 1, 2, 3, 4, 30)], bid, bid)
    legs = only(go(panel, both)).legs
    # the first leg's last mark is row 3's 98.00 (row 4 carries it), the second leaves at its bid
    assert [leg.exit_price for leg in legs] == [9_790, 4_500]


def test_lots_multiply_quantities_and_the_loss_of_the_day() -> None:
    panel = price_panel(every_minute(4), (100.0,), (100.0,), (95.0,), (95.0,))
    trade = only(go(panel, buy(0, rule=BOLD), lots=2, max_daily_loss=750.0))
    assert (trade.legs[0].quantity, trade.gross_paise, trade.reason) == (150, -75_000, "RISK")
    assert only(go(panel, buy(0, rule=BOLD), max_daily_loss=750.0)).reason == "EOD"


def test_finish_without_any_mark_gives_the_entry_price_back() -> None:
    bid = quotes((100.0,), (100.0,), (NAN,))
    panel = book_panel([NOON, NOON + 1, NOON + 30], bid, bid)
    trade = only(go(panel, buy(0)))
    assert (trade.legs[0].exit_price, trade.net_pnl) == (10_000, -500)


def test_finish_keeps_the_reason_of_who_was_leaving() -> None:
    panel = price_panel(every_minute(3), (100.0,), (100.0,), (80.0,))
    trade = only(go(panel, buy(0)))
    assert (trade.reason, trade.stale, trade.exit_decided_row) == ("STOP", True, 2)
    assert trade.legs[0].exit_price == 8_000


def test_without_finish_nothing_is_closed() -> None:
    panel = price_panel(every_minute(3), (100.0, 50.0), (100.0, 50.0), (101.0, 50.0))
    result = go(panel, buy(0), buy([2, 9], 1), finish=False)
    assert result.trades == []
    assert result.outcomes == {(0, 0): "filled", (1, 0): "pending", (1, 1): "not_reached"}


# The generator


def charge(premium_paise: int, side: int) -> int:
    return 2360 + (premium_paise * (1 if side > 0 else 2) + 500) // 1000


def test_generated_markets_reach_every_outcome_and_every_exit() -> None:
    outcomes: Counter[str] = Counter()
    exits: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for seed in range(300):
        result = walk(*random_market(seed), charge)
        outcomes.update(result.outcomes.values())
        exits.update(trade.reason for trade in result.trades)
        seen.update("stale" for trade in result.trades if trade.stale)
        legs = [leg for trade in result.trades for leg in trade.legs]
        seen.update("given up" for leg in legs if leg.exit_price == 0)
        seen.update("sold" for leg in legs if leg.side < 0)
        seen.update(f"{len(trade.legs)} legs" for trade in result.trades)
    assert set(outcomes) == OUTCOMES
    assert set(exits) == EXITS
    assert set(seen) == {"stale", "given up", "sold", *(f"{n} legs" for n in (1, 2, 3, 4))}
    assert min(*outcomes.values(), *exits.values(), *seen.values()) >= 3


def test_a_seed_gives_the_same_market_again() -> None:
    first, again = random_market(7), random_market(7)
    assert first.settings == again.settings
    for name, values in first.panel.fields.items():
        np.testing.assert_array_equal(values, again.panel.fields[name])
    for (_, asked), (_, same) in zip(first.orders, again.orders, strict=True):
        np.testing.assert_array_equal(asked.legs, same.legs)


@settings(max_examples=60, deadline=None)
@given(as_hypothesis())
def test_trades_add_up_and_no_moment_is_used_before_it_was_known(market: Market) -> None:
    result = walk(*market, charge)
    ts, known = market.panel.ts, market.panel.known
    wait = np.timedelta64(round(market.settings.latency_s * 1e6), "us")
    assert (np.diff(ts) > np.timedelta64(0, "us")).all()
    for trade in result.trades:
        assert result.outcomes[trade.place, trade.order] == "filled"
        assert trade.net_pnl == sum(leg.net_pnl for leg in trade.legs)
        assert ts[trade.entry_row] >= known[trade.decided_row] + wait
        assert trade.stale or ts[trade.exit_row] >= known[trade.exit_decided_row] + wait
        assert trade.entry_row < trade.exit_decided_row or trade.stale
        assert all(leg.entry_price % 5 == 0 and leg.entry_price > 0 for leg in trade.legs)
