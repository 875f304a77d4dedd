"""Hand-computed days: what the slow walk must give before it may judge the compiled one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hand_walks import (
    BOLD,
    NAN,
    NOON,
    book_panel,
    buy,
    every_minute,
    go,
    only,
    price_panel,
    quotes,
    rows_and_reason,
)
from hypothesis import given, settings
from markets import Market, as_hypothesis, random_market
from reference_book import Result
from reference_walk import walk

from optiq.trade.orders import ExitRule

EXITS = {"STOP", "TARGET", "TRAIL", "TIME", "EOD", "RISK"}
OUTCOMES = {
    "filled", "expired", "day_over", "hours", "min_score", "max_open", "same_contract",
    "cooldown", "max_trades", "capital", "thin_basis", "size", "strategy_day_over",
    "strategy_max_open", "strategy_cooldown", "strategy_max_trades", "strategy_capital",
}  # fmt: skip


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


# The generator


def charge(premium_paise: int, side: int) -> int:
    return 2360 + (premium_paise * (1 if side > 0 else 2) + 500) // 1000


def test_generated_markets_reach_every_outcome_and_every_exit() -> None:
    outcomes: Counter[str] = Counter()
    exits: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for seed in range(300):
        market = random_market(seed)
        result = walk(*market, charge)
        outcomes.update(result.outcomes.values())
        exits.update(trade.reason for trade in result.trades)
        seen.update("stale" for trade in result.trades if trade.stale)
        legs = [leg for trade in result.trades for leg in trade.legs]
        seen.update("given up" for leg in legs if leg.exit_price == 0)
        seen.update("sold" for leg in legs if leg.side < 0)
        seen.update(f"{len(trade.legs)} legs" for trade in result.trades)
        seen.update(sizes(market, result))
    assert set(outcomes) == OUTCOMES
    assert set(exits) == EXITS
    assert set(seen) == {
        *("stale", "given up", "sold", "split", "split evenly", "sold under capital"),
        *(f"{n} legs" for n in (1, 2, 3, 4)),
        *(f"sized by {method}" for method in ("lots", "risk", "capital")),
    }
    assert min(*outcomes.values(), *exits.values(), *seen.values()) >= 3


def sizes(market: Market, result: Result) -> Iterator[str]:
    """What there is to see of a market's lots, splits and margins."""
    limits = market.settings
    for trade in result.trades:
        yield f"sized by {limits.sizing.method}"
        if limits.capital is not None and any(leg.side < 0 for leg in trade.legs):
            yield "sold under capital"
        for leg in trade.legs:
            lot = leg.quantity // (trade.lots * leg.ratio)
            largest = leg.quantity if limits.freeze is None else limits.freeze // lot * lot
            if leg.quantity > largest:
                yield "split" if leg.quantity % largest else "split evenly"


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
