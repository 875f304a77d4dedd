"""Marks and fills, by hand: what a leg is worth and what it trades at."""

from __future__ import annotations

import numpy as np
import pytest
from markets import at_minute

from optiq.market.schema import FloatArray
from optiq.trade.book import Quotes
from optiq.trade.fills import (
    NOT_EXECUTABLE,
    against,
    executable_paise,
    is_worthless,
    mark,
)
from optiq.trade.terms import TERMS

NAN = np.nan
TWO_MINUTES_US = 120_000_000


def quotes(ltp: list[float], bid: list[float], ask: list[float], has_book: bool = True) -> Quotes:
    """One contract, a row a minute from noon."""
    n = len(ltp)
    ts = at_minute(np.arange(720.0, 720.0 + n)).astype(np.int64)

    def column(values: list[float]) -> FloatArray:
        return np.asfortranarray(np.array(values, float)[:, None])

    return Quotes(
        ts=ts,
        known=ts,
        is_chain=np.ones(n, bool),
        chain_count=np.arange(1, n + 1),
        spot=np.full(n, 24_000.0),
        ltp=column(ltp),
        bid=column(bid),
        ask=column(ask),
        strike=np.array([24_000.0]),
        right=np.array([1]),
        expiry=np.array([20_000]),
        lot=np.array([75]),
        has_book=has_book,
    )


@pytest.mark.parametrize(
    ("price", "side", "slippage", "paise"),
    [
        (100.00, +1, 0, 10_000),
        (100.01, +1, 0, 10_005),  # a buy pays the tick above
        (100.04, -1, 0, 10_000),  # a sale gets the tick below
        (0.15, +1, 0, 15),  # 0.15 / 0.05 is 2.9999999999999996
        (0.15, -1, 0, 15),
        (109.35, +1, 1, 10_940),
        (109.35, -1, 2, 10_925),
        (0.05, -1, 2, 5),  # never below one tick
    ],
)
def test_rounding_to_the_tick_against_us(price, side, slippage, paise):
    assert against(price, side, slippage) == paise


@pytest.mark.parametrize(
    ("ltp", "bid", "ask", "has_book", "buy", "sell"),
    [
        (100.0, 99.0, 101.0, True, 10_100, 9_900),
        (100.0, 101.0, 101.0, True, 10_100, 10_100),  # locked is not crossed
        (100.0, 101.0, 100.9, True, NOT_EXECUTABLE, NOT_EXECUTABLE),  # crossed
        (100.0, NAN, 101.0, True, NOT_EXECUTABLE, NOT_EXECUTABLE),  # one-sided
        (100.0, NAN, NAN, True, NOT_EXECUTABLE, NOT_EXECUTABLE),  # empty in a source with books
        (100.0, NAN, NAN, False, 10_010, 9_990),  # 0.1 % of 100 is two ticks
        (20.0, NAN, NAN, False, 2_005, 1_995),  # never less than one tick
        (109.37, NAN, NAN, False, 10_950, 10_925),  # 109.47937 up, 109.26063 down
        (NAN, NAN, NAN, False, NOT_EXECUTABLE, NOT_EXECUTABLE),
    ],
)
def test_what_an_order_fills_at(ltp, bid, ask, has_book, buy, sell):
    terms = np.zeros(1, TERMS)
    terms["half_spread"] = 0.001
    market = quotes([ltp], [bid], [ask], has_book)
    assert executable_paise(market, 0, 0, +1, terms[0]) == buy
    assert executable_paise(market, 0, 0, -1, terms[0]) == sell


@pytest.mark.parametrize(
    ("ltp", "bid", "ask", "value", "row"),
    [
        ([100.0], [99.0], [101.0], 100.0, 0),
        ([97.0], [99.0], [101.0], 99.0, 0),  # a stale last price is brought inside the book
        ([NAN], [99.0], [101.0], 100.0, 0),  # no last price: the middle
        ([100.0, NAN, NAN], [NAN] * 3, [NAN] * 3, 100.0, 0),  # two minutes old serves
        ([100.0, NAN, NAN, NAN], [NAN] * 4, [NAN] * 4, NAN, -1),  # three do not
        ([100.0, NAN], [NAN, 103.0], [NAN, 104.0], 103.0, 1),  # the book of now makes it new
        ([100.0, NAN], [NAN, 103.0], [NAN, 102.0], 100.0, 0),  # a crossed book says nothing
        ([NAN], [99.0], [NAN], NAN, -1),  # a bid alone is no mark
    ],
)
def test_what_a_leg_is_worth(ltp, bid, ask, value, row):
    last = len(ltp) - 1
    found, source = mark(quotes(ltp, bid, ask), last, 0, TWO_MINUTES_US)
    assert (found, source) == (pytest.approx(value, nan_ok=True), row)


@pytest.mark.parametrize(
    ("bid", "ask", "side", "worthless"),
    [
        (NAN, 0.05, +1, True),
        (NAN, 0.10, +1, True),
        (NAN, 0.15, +1, False),
        (0.05, 0.10, +1, False),  # a bid can be hit
        (NAN, NAN, +1, False),  # nothing quoted is not the same as worthless
        (NAN, 0.05, -1, False),  # a sold leg is never given up
    ],
)
def test_what_is_given_up_at_zero(bid, ask, side, worthless):
    assert is_worthless(quotes([NAN], [bid], [ask]), 0, 0, side) is worthless
