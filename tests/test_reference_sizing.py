"""How many lots the slow walk takes, how it splits and what it binds, computed by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hand_walks import (
    BOLD,
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
    spread,
)
from panels import panel
from reference_settings import MarginRates, OwnLimits, Settings, Sizing
from reference_sizing import how_many
from reference_walk import walk

from optiq.market.panel import Panel
from optiq.trade.orders import ExitRule, Orders

FLAT = price_panel(every_minute(3), *[(100.0, 20.0)] * 3)


def by_risk(rupees: float) -> Sizing:
    return Sizing("risk", risk_rupees=rupees)


def by_capital(fraction: float) -> Sizing:
    return Sizing("capital", capital_fraction=fraction)


# Lots


@pytest.mark.parametrize(
    ("order", "rupees", "lots"),
    [
        (buy(0), 2_250.0, 3),  # 10 % of 100 x 75 is 750 a lot
        (buy(0), 2_249.99, 2),
        (buy(0), 750.0, 1),
        (buy(0), 749.99, 0),
        (buy(0, rule=ExitRule(stop=0.07)), 1_575.0, 3),  # 525 a lot, in spite of floats
        (buy(0, rule=BOLD), 15_000.0, 2),  # no stop: all of 7,500
        (spread(0), 1_350.0, 3),  # 100 - 2 x 20 is 60: 450 a lot
        (spread(0), 1_349.0, 2),
    ],
)
def test_the_rupees_at_risk_buy_whole_lots(order: Orders, rupees: float, lots: int) -> None:
    result = go(FLAT, order, sizing=by_risk(rupees))
    if lots == 0:
        assert result.outcomes == {(0, 0): "size"}
        return
    trade = only(result)
    assert trade.lots == lots
    assert [leg.quantity for leg in trade.legs] == [75 * lots, 150 * lots][: len(trade.legs)]


def test_a_package_of_credit_is_sized_by_what_it_takes_in() -> None:
    legs, side = np.array([[0, 1]]), np.array([[-1, 1]])
    order = Orders.packages(np.array([0]), legs, side, RULE)
    # 80 x 75 taken in, 10 % of it lost at the stop: 600 a lot
    assert only(go(FLAT, order, sizing=by_risk(1_250.0))).lots == 2


def test_the_price_that_sizes_is_the_executable_one_else_the_mark() -> None:
    bid, ask = quotes((99.0,), (99.0,)), quotes((101.0,), (101.0,))
    two_sided = book_panel(every_minute(2), bid, ask, ltp=quotes((100.0,), (100.0,)))
    one_sided = replace(two_sided, fields=two_sided.fields | {"ask": quotes((NAN,), (101.0,))})
    risk = 7_500.0  # 10 lots at a mark of 100, 9 at an ask of 101
    assert only(go(two_sided, buy(0), sizing=by_risk(risk))).lots == 9
    assert only(go(one_sided, buy(0), sizing=by_risk(risk))).lots == 10


def test_a_package_that_no_price_sizes_is_refused_but_a_fixed_one_waits() -> None:
    rows = quotes((100.0, NAN), (100.0, 20.0), (100.0, 20.0))
    dark = book_panel(every_minute(3), rows, rows)
    assert go(dark, spread(0), sizing=by_risk(1e6)).outcomes == {(0, 0): "size"}
    assert go(dark, spread(0)).outcomes == {(0, 0): "filled"}


@pytest.mark.parametrize(
    ("budget", "each", "lots"),
    [
        (100, 25, 4),
        (Fraction(999_999_999_999, 10**10), 25, 4),  # 4 less a billionth is 4
        (Fraction(99_999_999, 10**6), 25, 3),
        (0, 25, 0),
        (-100, 25, 0),  # the day lost more than the capital
        (100, None, 0),
        (10**9, 1, 10_000),
        (1, 0, 10_000),  # costs nothing
    ],
)
def test_how_many_go_in(budget: int, each: int | None, lots: int) -> None:
    assert how_many(Fraction(budget), None if each is None else Fraction(each)) == lots


def test_a_share_of_the_capital_follows_the_realised_result() -> None:
    rows = [(100.0, 50.0)] * 2 + [(90.0, 50.0)] * 4
    day = price_panel(every_minute(6), *rows)
    orders = [buy(0), buy(4, 1, BOLD)]
    keys = {"capital": 30_000.0, "sizing": by_capital(0.5)}
    first, second = go(day, *orders, **keys).trades
    # 15,000 is 2 lots of 7,500; 10 x 150 and 5 rupees lost leave 28,495, half of it is
    # 3.8 lots of 3,750
    assert (first.lots, first.net_pnl, second.lots) == (2, -150_500, 3)
    flat = price_panel(every_minute(6), *[(100.0, 50.0)] * 6)
    assert [trade.lots for trade in go(flat, *orders, **keys).trades] == [2, 4]


def test_a_share_of_the_capital_looks_at_all_of_it_not_at_what_is_free() -> None:
    panel = price_panel(every_minute(2), (100.0, 50.0), (100.0, 50.0))
    keys = {"capital": 15_000.0, "sizing": by_capital(1.0)}
    outcomes = go(panel, buy(0), buy(0, 1), **keys).outcomes  # 4 lots of 50 are 15,000, held
    assert list(outcomes.values()) == ["filled", "capital"]
    keys["capital"] = 7_499.0
    assert list(go(panel, buy(0), buy(0, 1), **keys).outcomes.values()) == ["size", "filled"]


def test_size_is_asked_after_the_trades_of_the_day_and_before_capital() -> None:
    keys = {"sizing": by_risk(10.0), "capital": 1.0, "own": (OwnLimits(max_open=0),)}
    assert go(FLAT, buy(0), **keys).outcomes == {(0, 0): "size"}
    assert go(FLAT, buy(0), max_trades_per_day=0, **keys).outcomes == {(0, 0): "max_trades"}
    keys["sizing"] = Sizing()
    assert go(FLAT, buy(0), **keys).outcomes == {(0, 0): "capital"}


@pytest.mark.parametrize(
    "keys",
    [
        {"sizing": by_capital(0.5)},
        {"sizing": Sizing("risk")},
        {"sizing": Sizing("capital"), "capital": 1.0},
        {"freeze": 74},
        {"own": (OwnLimits(), OwnLimits())},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(keys: dict) -> None:
    with pytest.raises(ValueError, match=r"lacks a number|more than one order|own limits"):
        go(FLAT, buy(0), **keys)


# Orders no larger than the exchange takes


@pytest.mark.parametrize(
    ("freeze", "orders"),
    [
        (None, [375]),
        (1800, [375]),
        (375, [375]),
        (374, [300, 75]),  # 300 is the most in whole lots
        (160, [150, 150, 75]),
        (75, [75] * 5),
    ],
)
def test_every_part_of_a_split_order_is_charged(freeze: int | None, orders: list[int]) -> None:
    panel = price_panel(every_minute(3), (100.0,), (100.0,), (90.0,))
    asked: list[tuple[int, int]] = []

    def charge(premium_paise: int, side: int) -> int:
        asked.append((premium_paise, side))
        return 7 + premium_paise // 10_000

    trade = only(walk(panel, [("one", buy(0))], None, Settings(lots=5, freeze=freeze), charge))
    assert {premium for premium, side in asked if side > 0} == {10_000 * n for n in orders}
    assert {premium for premium, side in asked if side < 0} == {9_000 * n for n in orders}
    entry, exits = 7 * len(orders) + 375, sum(7 + 9_000 * n // 10_000 for n in orders)
    assert trade.charges_paise == entry + exits
    assert (trade.legs[0].quantity, trade.gross_paise) == (375, -375_000)


def test_each_leg_is_split_by_its_own_lot() -> None:
    panel = price_panel(every_minute(3), *[(100.0, 20.0)] * 3)
    panel = replace(panel, lot=np.array([75, 40]))
    # 6 x 75 is 450: three orders of 150; 2 x 6 x 40 is 480: three of 160
    trade = only(go(panel, spread(0), lots=6, freeze=160))
    assert [leg.charges_paise for leg in trade.legs] == [3 * 200 + 3 * 300] * 2
    trade = only(go(panel, spread(0), lots=6, freeze=159))  # 120: four orders
    assert [leg.charges_paise for leg in trade.legs] == [3 * 500, 4 * 500]


def test_what_is_given_up_sends_no_order_however_large() -> None:
    bid, ask = quotes((1.0,), (1.0,), (0.05,), (NAN,)), quotes((1.0,), (1.0,), (0.10,), (0.10,))
    trade = only(go(book_panel(every_minute(4), bid, ask), buy(0), lots=4, freeze=75))
    assert (trade.legs[0].exit_price, trade.charges_paise) == (0, 4 * 200)


# What is bound

BARE = MarginRates(0.0, 0.0, 0.0, 0.0, 0.0, exposure=0.02, expiry_day=0.02)
"""No scan: a sold leg binds 2 % of 24,000 x 75, that is 36,000, and as much on its last day."""
WRITE = Orders.packages(np.array([0]), np.array([[0]]), -1, BOLD)


def straddle_panel(n_rows: int = 4, **fields: object) -> Panel:
    """Call and put at 24,000 for 100, another call at 24,100 for 60; forward 24,000, iv 20 %."""
    prices = np.array([[100.0, 100.0, 60.0]] * n_rows)
    given = {"bid": prices, "ask": prices, "spot": 24_000.0, "iv": 0.20} | fields
    strikes = [24_000.0, 24_000.0, 24_100.0]
    return panel(every_minute(n_rows), strikes, [1, -1, 1], prices, **given)


@pytest.mark.parametrize(("capital", "outcome"), [(36_000.0, "filled"), (35_999.99, "capital")])
def test_a_sold_leg_binds_its_margin(capital: float, outcome: str) -> None:
    assert go(straddle_panel(), WRITE, capital=capital, margin=BARE).outcomes[0, 0] == outcome


def test_the_day_of_expiry_binds_more() -> None:
    day = straddle_panel()
    last = replace(day, expiry=np.full(3, np.datetime64(day.date)))
    assert go(last, WRITE, capital=72_000.0, margin=BARE).outcomes[0, 0] == "filled"
    assert go(last, WRITE, capital=71_999.0, margin=BARE).outcomes[0, 0] == "capital"


def test_what_a_package_pays_is_bound_beside_its_exposure() -> None:
    debit = Orders.packages(np.array([0]), np.array([[0, 2]]), np.array([[1, -1]]), BOLD)
    # 40 x 75 is 3,000, and 36,000
    for capital, outcome in ((39_000.0, "filled"), (38_999.0, "capital")):
        result = go(straddle_panel(), debit, capital=capital, margin=BARE)
        assert result.outcomes[0, 0] == outcome


def test_several_lots_bind_several_margins() -> None:
    keys = {"lots": 3, "margin": BARE}
    assert go(straddle_panel(), WRITE, capital=108_000.0, **keys).outcomes[0, 0] == "filled"
    assert go(straddle_panel(), WRITE, capital=107_999.0, **keys).outcomes[0, 0] == "capital"


def test_margin_sizes_where_there_is_no_stop() -> None:
    keys = {"margin": BARE, "sizing": by_risk(72_000.0)}
    assert only(go(straddle_panel(), WRITE, **keys)).lots == 2
    keys = {"margin": BARE, "capital": 216_000.0, "sizing": by_capital(0.5)}
    assert only(go(straddle_panel(), WRITE, **keys)).lots == 3


NO_PUT = np.array([[100.0, NAN, 60.0]] * 4)


@pytest.mark.parametrize(
    "fields",
    [
        {"iv": NAN},
        {"spot": [NAN, 24_000.0, 24_000.0, 24_000.0]},
        {"bid": NO_PUT, "ask": NO_PUT, "ltp": NO_PUT},  # no pair, no forward
    ],
)
def test_a_margin_that_cannot_be_known_is_refused(fields: dict) -> None:
    given = dict(fields)
    ltp = given.pop("ltp", None)
    day = straddle_panel(**given)
    if ltp is not None:
        day = replace(day, fields=day.fields | {"ltp": ltp})
    for keys, outcome in (
        ({"capital": 1e9}, "capital"),
        ({"own": (OwnLimits(capital=1e9),)}, "strategy_capital"),
        ({"capital": 1e9, "sizing": by_capital(0.5)}, "size"),
        ({"sizing": by_risk(1e6)}, "size"),
        ({}, "filled"),  # nobody asks
    ):
        assert go(day, WRITE, **keys).outcomes[0, 0] == outcome


def test_the_last_known_spot_prices_a_margin() -> None:
    spot = [20_000.0, NAN, 24_000.0, 24_000.0]
    late = Orders.packages(np.array([1]), np.array([[0]]), -1, BOLD)
    keys = {"margin": BARE}
    day = straddle_panel(spot=spot)  # 2 % of 20,000 x 75 is 30,000
    assert go(day, late, capital=30_000.0, **keys).outcomes[0, 0] == "filled"
    assert go(day, late, capital=29_999.0, **keys).outcomes[0, 0] == "capital"


def test_a_margin_stays_as_it_was_decided_and_a_premium_becomes_what_was_paid() -> None:
    spot = [24_000.0, 12_000.0, 12_000.0, 12_000.0]  # the exposure halves after the decision
    later = buy(2, 2, BOLD)  # 60 x 75 is 4,500
    day = straddle_panel(spot=spot)
    for capital, outcome in ((40_500.0, "filled"), (40_499.0, "capital")):
        assert go(day, WRITE, later, capital=capital, margin=BARE).outcomes[1, 0] == outcome
    prices = [(100.0, 50.0), (101.0, 50.0), (101.0, 50.0), (101.0, 50.0)]
    day = price_panel(every_minute(4), *prices)
    # 7,575 paid although 7,500 was held; and 3,750
    for capital, outcome in ((11_325.0, "filled"), (11_324.0, "capital")):
        result = go(day, buy(0, rule=BOLD), buy(2, 1, BOLD), capital=capital)
        assert result.outcomes[1, 0] == outcome


def test_the_close_of_the_expiry_day_leaves_no_years_to_price() -> None:
    day = straddle_panel(2)
    minutes = np.array([929.0, 930.0]) - NOON
    moved = day.ts[:1] + (minutes * 60e6).astype("timedelta64[us]")
    day = replace(day, ts=moved, known=moved, expiry=np.full(3, np.datetime64(day.date)))
    late = Orders.packages(np.array([0, 1]), np.array([[0], [1]]), -1, BOLD)
    keys = {"capital": 1e9, "last_entry_minutes": 0.0, "latency_s": 0.0}
    assert list(go(day, late, **keys).outcomes.values()) == ["filled", "capital"]
