"""A day's forwards, volatilities and Greeks: by hand, robust, and from each row alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optiq.market import contracts
from optiq.market.black76 import black76_greeks, black76_price, implied_volatility
from optiq.market.panel import Panel
from optiq.market.pricing import parity_forward, price_day, years_to_expiry
from optiq.market.schema import GREEKS

NAN = float("nan")
EXPIRY = np.datetime64("2025-11-25", "D")
OPEN = np.datetime64("2025-11-20T03:45:30", "us")
MINUTE = np.timedelta64(1, "m")


def panel_of(strikes, rights, last, bid=None, ask=None, expiry=EXPIRY, start=OPEN):
    """Return a panel with one row a minute; prices are (n_rows, n_contracts)."""
    last = np.atleast_2d(np.asarray(last, float))
    n_rows, n = last.shape
    empty = np.full(last.shape, NAN)
    fields = {
        "ltp": last,
        "bid": empty if bid is None else np.atleast_2d(np.asarray(bid, float)),
        "ask": empty if ask is None else np.atleast_2d(np.asarray(ask, float)),
    }
    ts = start + np.arange(n_rows) * MINUTE
    return Panel(
        underlying="NIFTY",
        date=dt.date(2025, 11, 20),
        ts=ts,
        known=ts,
        is_chain=np.ones(n_rows, bool),
        spot=np.full(n_rows, NAN),
        expiry=np.broadcast_to(expiry, n).astype("datetime64[D]"),
        strike=np.asarray(strikes, float),
        right=np.asarray(rights, np.int64),
        lot=np.full(n, 75),
        open_minute=555.0,
        close_minute=930.0,
        has_book=bid is not None,
        fields=fields,
    )


def chain(n_rows=5, n_strikes=21, level=26_013.0, volatility=0.12, with_book=True, seed=3):
    """Return an honest panel of two expiries, priced by the model and rounded to the tick."""
    rng = np.random.default_rng(seed)
    expiries = np.array([EXPIRY, EXPIRY + 7])
    strikes = 26_000.0 + 50.0 * (np.arange(n_strikes) - n_strikes // 2)
    strike = np.tile(np.repeat(strikes, 2), 2)
    right = np.tile([1, -1], 2 * n_strikes)
    expiry = np.repeat(expiries, 2 * n_strikes)
    forward = level + np.cumsum(rng.normal(0.0, 4.0, n_rows))
    ts = OPEN + np.arange(n_rows) * MINUTE
    years = years_to_expiry(ts, contracts.expiry_close_utc(expiries))[
        :, np.repeat([0, 1], 2 * n_strikes)
    ]
    price = black76_price(forward[:, None], strike, years, volatility, right)
    last = np.maximum(np.round(price / 0.05) * 0.05, 0.05)
    if not with_book:
        return panel_of(strike, right, last, expiry=expiry), forward
    bid, ask = last - 0.10, last + 0.10
    bid[bid <= 0.0] = NAN
    return panel_of(strike, right, last, bid, ask, expiry=expiry), forward


def gappy(panel, seed, share=0.3):
    """Return the panel with quotes missing, one-sided and crossed."""
    rng = np.random.default_rng(seed)
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for values in fields.values():
        values[rng.random(values.shape) < share] = NAN
    crossed = rng.random(panel.ltp.shape) < 0.05
    fields["bid"][crossed] = fields["ask"][crossed] + 1.0
    return replace(panel, fields=fields)


# strikes 100, 110, 120; calls then puts; K + C - P = 112 at each when undisturbed
STRIKES, RIGHTS = [100.0, 110.0, 120.0] * 2, [1] * 3 + [-1] * 3
FAIR = [14.0, 6.0, 2.0, 2.0, 4.0, 10.0]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (FAIR, 112.0),
        ([NAN, 6.0, NAN, 2.0, 4.0, 10.0], 112.0),  # one pair is enough
        ([14.0, NAN, NAN, 2.0, 4.0, 10.0], 112.0),  # however far from the money
        ([NAN, NAN, 2.0, 2.0, 4.0, NAN], NAN),  # sides of different strikes make no pair
        ([0.0, 0.0, 0.0, 2.0, 4.0, 10.0], NAN),  # 0 is no price
        ([14.0, 0.05, 2.0, 2.0, 4.0, 10.0], 112.0),  # one bad strike, though its straddle is cheap
        ([14.0, 6.0, 90.0, 2.0, 4.0, 10.0], 112.0),
    ],
)
def test_forward_by_hand_from_last_prices(last, expected):
    forward = parity_forward(panel_of(STRIKES, RIGHTS, last))
    np.testing.assert_allclose(forward, [[expected]], atol=1e-9)


@pytest.mark.parametrize(
    ("bid", "ask", "last", "expected"),
    [
        ([13.0, 5.0, 1.0, 1.0, 3.0, 9.0], [15.0, 7.0, 3.0, 3.0, 5.0, 11.0], [99.0] * 6, 112.0),
        # crossed at 100 and one-sided at 120: their last prices count a tenth each
        (
            [15.5, 5.0, NAN, 1.0, 3.0, 9.0],
            [13.0, 7.0, 3.0, 3.0, 5.0, 11.0],
            [34.0, 1.0, 22.0, 1.0, 1.0, 1.0],
            112.0,
        ),
        ([NAN] * 6, [NAN] * 6, FAIR, 112.0),  # a book that is empty everywhere
    ],
)
def test_forward_by_hand_from_a_book(bid, ask, last, expected):
    forward = parity_forward(panel_of(STRIKES, RIGHTS, last, bid, ask))
    np.testing.assert_allclose(forward, [[expected]], atol=1e-9)


@pytest.mark.parametrize("with_book", [True, False])
@pytest.mark.parametrize("wrong", [0.05, 400.0])
def test_no_single_strike_moves_the_forward_far(with_book, wrong):
    panel, forward = chain(with_book=with_book)
    for column in range(0, 42):  # of the first expiry
        fields = {name: values.copy() for name, values in panel.fields.items()}
        fields["ltp"][:, column] = wrong
        if with_book:  # locked, so as narrow as can be
            fields["bid"][:, column] = fields["ask"][:, column] = wrong
        solved = parity_forward(replace(panel, fields=fields))
        assert np.abs(solved - forward[:, None]).max() < 0.11


def test_interest_on_far_options_hardly_moves_the_forward():
    years, rate = 90 / 365, 0.065
    strikes = 26_000.0 + 100.0 * np.arange(-15, 16)
    strike, right = np.repeat(strikes, 2), np.tile([1, -1], 31)
    discounted = black76_price(26_120.0, strike, years, 0.13, right) * np.exp(-rate * years)
    forward = parity_forward(panel_of(strike, right, discounted))
    assert forward[0, 0] == pytest.approx(26_120.0, abs=1.5)


def test_time_is_counted_in_minutes_to_the_close_of_the_expiry_session():
    closes = np.array(["2026-07-28T10:00", "2026-08-04T10:10"], "datetime64[us]")
    ts = np.array(["2026-07-28T09:59", "2026-07-28T10:00"], "datetime64[us]")
    years = years_to_expiry(ts, closes)
    assert years[0, 0] == 1 / 525_600
    assert np.isnan(years[1, 0])  # nothing is left at the close
    assert years[1, 1] == (7 * 1440 + 10) / 525_600


@pytest.mark.parametrize("with_book", [True, False])
def test_a_day_gives_back_the_volatility_it_was_made_from(with_book):
    panel, _ = chain(n_rows=30, with_book=with_book)
    priced = price_day(panel)
    assert tuple(priced) == GREEKS
    np.testing.assert_allclose(priced["iv"], 0.12, atol=1.5e-3)  # ticks and their middle
    closes = contracts.expiry_close_utc(panel.expiries)
    years = years_to_expiry(panel.ts, closes)[:, panel.expiry_index]
    expected = black76_greeks(panel.forward, panel.strike, years, priced["iv"], panel.right)
    for name in ("delta", "gamma", "theta", "vega"):
        np.testing.assert_allclose(priced[name], getattr(expected, name), rtol=1e-9, atol=1e-11)
    calls, puts = slice(0, None, 2), slice(1, None, 2)
    for name in ("iv", "gamma", "theta", "vega"):
        np.testing.assert_array_equal(priced[name][:, calls], priced[name][:, puts])
    np.testing.assert_allclose(priced["delta"][:, calls] - priced["delta"][:, puts], 1.0)


def test_both_sides_get_the_volatility_of_the_side_out_of_the_money():
    panel, _ = chain(n_rows=1)
    put = int(np.flatnonzero((panel.strike == 26_200.0) & (panel.right == -1))[0])
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for name in ("ltp", "bid", "ask"):
        fields[name][:, put] += 0.45  # the dear side in the money is not asked
    before, after = price_day(panel), price_day(replace(panel, fields=fields))
    np.testing.assert_array_equal(after["iv"], before["iv"])


@pytest.mark.parametrize(
    ("change", "is_priced"),
    [
        (0.0, True),
        (-1e6, False),  # under the intrinsic value
    ],
)
def test_the_side_in_the_money_stands_in_when_its_time_value_says_something(change, is_priced):
    panel, _ = chain(n_rows=1)
    call = int(np.flatnonzero((panel.strike == 26_200.0) & (panel.right == 1))[0])
    put = call + 1
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for name in ("ltp", "bid", "ask"):
        fields[name][:, call] = NAN
        fields[name][:, put] = np.maximum(fields[name][:, put] + change, 0.05)
    panel = replace(panel, fields=fields)
    iv = price_day(panel)["iv"][0]
    assert np.isnan(iv[call])  # what is not quoted has no Greeks of its own
    assert np.isnan(iv[put]) != is_priced
    if is_priced:
        years = years_to_expiry(panel.ts, contracts.expiry_close_utc(panel.expiries))[0, 0]
        middle = 0.5 * (panel.bid[0, put] + panel.ask[0, put])
        own = implied_volatility(middle, panel.forward[0, put], 26_200.0, years, -1)
        assert iv[put] == pytest.approx(float(own), abs=1e-12)


def test_nothing_is_priced_after_expiry():
    panel = panel_of(STRIKES, RIGHTS, FAIR, start=np.datetime64("2025-11-25T10:00", "us"))
    for values in price_day(panel).values():
        assert np.isnan(values).all()


def everything(panel):
    """Return forward per contract and the Greeks of a panel, stacked."""
    return np.stack([panel.forward, *price_day(panel).values()])


@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 12))
def test_a_row_is_priced_alike_alone_and_in_the_day(seed, with_book, n_rows):
    panel, _ = chain(n_rows=n_rows, n_strikes=9, with_book=with_book, seed=seed)
    panel = gappy(panel, seed)
    whole = everything(panel)
    for last in range(1, n_rows + 1):
        seen = panel.observed[:last].any(axis=0)
        if seen.any():
            so_far = everything(panel.until(last))
            assert so_far.tobytes() == np.ascontiguousarray(whole[:, :last, seen]).tobytes()
    for row in range(n_rows):
        one = replace(
            panel,
            ts=panel.ts[row : row + 1],
            fields={name: values[row : row + 1] for name, values in panel.fields.items()},
        )
        alone = everything(one)
        assert alone.tobytes() == np.ascontiguousarray(whole[:, row : row + 1]).tobytes()


@given(st.integers(0, 10_000), st.booleans())
def test_neither_the_order_of_columns_nor_that_of_memory_matters(seed, fortran):
    panel, _ = chain(n_rows=4, n_strikes=11, seed=seed)
    panel = gappy(panel, seed)
    order = np.random.default_rng(seed).permutation(panel.n_contracts)
    shuffled = replace(
        panel,
        expiry=panel.expiry[order],
        strike=panel.strike[order],
        right=panel.right[order],
        fields={
            name: np.asarray(values[:, order], order="F" if fortran else "C")
            for name, values in panel.fields.items()
        },
    )
    expected = np.ascontiguousarray(everything(panel)[:, :, order])
    assert everything(shuffled).tobytes() == expected.tobytes()
