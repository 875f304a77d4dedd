"""Black's model against published values, a slow exact reference, and its own promises."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from optiq.market.black76 import LANES, black76_greeks, black76_price, implied_volatility
from optiq.market.black76_functions import polynomial_erfcx, polynomial_exp, polynomial_log
from optiq.market.schema import MINUTES_PER_YEAR

MINUTE = 1.0 / MINUTES_PER_YEAR
DAY = 1440.0 * MINUTE


# E. Haug, "The Complete Guide to Option Pricing Formulas" (McGraw-Hill, 1998): futures options,
# discounted at 10 %. Pages 2-8 and 24, as the test suite of QuantLib quotes them.
@pytest.mark.parametrize(
    ("right", "strike", "forward", "years", "volatility", "discounted"),
    [
        (-1, 19.0, 19.0, 0.75, 0.28, 1.7011),
        (+1, 19.0, 19.0, 0.75, 0.28, 1.7011),
        (+1, 100.0, 90.0, 0.10, 0.15, 0.0205),
        (+1, 100.0, 100.0, 0.10, 0.15, 1.8734),
        (+1, 100.0, 110.0, 0.10, 0.15, 9.9413),
        (+1, 100.0, 90.0, 0.10, 0.25, 0.3150),
        (+1, 100.0, 100.0, 0.10, 0.25, 3.1217),
        (+1, 100.0, 110.0, 0.10, 0.25, 10.3556),
        (+1, 100.0, 90.0, 0.50, 0.15, 0.8069),
        (+1, 100.0, 100.0, 0.50, 0.15, 4.0232),
        (+1, 100.0, 110.0, 0.50, 0.15, 10.5769),
        (+1, 100.0, 90.0, 0.50, 0.25, 2.7026),
    ],
)
def test_published_prices(right, strike, forward, years, volatility, discounted):
    price = black76_price(forward, strike, years, volatility, right)
    assert price * np.exp(-0.10 * years) == pytest.approx(
        discounted, abs=1e-4
    )  # QuantLib's tolerance too
    solved = implied_volatility(price, forward, strike, years, right)
    assert solved == pytest.approx(volatility, abs=1e-12)


def test_the_put_on_crude_oil_futures_of_hulls_chapter_on_futures_options():
    price = black76_price(20.0, 20.0, 4 / 12, 0.25, -1)
    assert price * np.exp(-0.09 * 4 / 12) == pytest.approx(1.12, abs=5e-3)


def test_published_greeks():
    # Haug (1998), pages 11-16. Delta of a futures option, discounted at 10 %.
    delta = black76_greeks(105.0, 100.0, 0.5, 0.36, np.array([1, -1])).delta
    assert delta * np.exp(-0.10 * 0.5) == pytest.approx([0.5946, -0.3566], abs=5.1e-5)
    # Gamma and vega of an option on a stock at 55, r = 10 %: per unit of spot, discounted.
    growth = np.exp(0.10 * 0.75)
    greeks = black76_greeks(55.0 * growth, 60.0, 0.75, 0.30, 1)
    assert greeks.gamma * growth == pytest.approx(0.0278, abs=5.1e-5)
    assert greeks.vega / growth == pytest.approx(18.9358, abs=5.1e-5)


@pytest.mark.parametrize(
    ("volatility", "gammas"),
    [
        (0.09, (0.00651, 0.00326, 0.00230, 0.00146, 0.00123, 0.00087, 0.00062)),
        (0.12, (0.00489, 0.00244, 0.00173, 0.00109, 0.00092, 0.00065, 0.00046)),
        (0.15, (0.00391, 0.00195, 0.00138, 0.00087, 0.00074, 0.00052, 0.00037)),
        (0.20, (0.00293, 0.00147, 0.00104, 0.00066, 0.00055, 0.00039, 0.00028)),
    ],
)
def test_gamma_at_the_money_of_an_index_at_26000(volatility, gammas):
    days = np.array([0.25, 1.0, 2.0, 5.0, 7.0, 14.0, 28.0])
    gamma = black76_greeks(26_000.0, 26_000.0, days / 365.0, volatility, 1).gamma
    np.testing.assert_allclose(gamma, gammas, atol=6e-6)


def exact_price(forward, strike, deviation):
    """Return the out-of-the-money price in 50 digits."""
    d1 = mp.log(forward / strike) / deviation + deviation / 2
    d2 = d1 - deviation
    side = 1 if strike >= forward else -1
    return side * (forward * mp.ncdf(side * d1) - strike * mp.ncdf(side * d2))


def exact_volatility(price, forward, strike, years, near):
    """Return the volatility of a price by the secant method on log price, in 200 digits."""
    with mp.workdps(200):
        forward, strike, price = mp.mpf(forward), mp.mpf(strike), mp.mpf(price)
        root_years = mp.sqrt(mp.mpf(years))
        missing = min(forward, strike) - price
        by_gap = missing < price

        def excess(deviation):
            model = exact_price(forward, strike, deviation)
            if by_gap:
                return mp.log((min(forward, strike) - model) / missing)
            return mp.log(model / price)

        start = mp.mpf(near) * root_years
        root = mp.findroot(excess, (start, start * mp.mpf("1.000001")), tol=1e-60, maxsteps=60)
        return float(root / root_years)


@pytest.mark.parametrize("years", [MINUTE, 30 * MINUTE, DAY, 7 * DAY, 90 * DAY, 5 * 365 * DAY])
@pytest.mark.parametrize("volatility", [0.05, 0.12, 0.40, 1.50])
def test_the_exact_reference_agrees(years, volatility):
    deviation = volatility * np.sqrt(years)
    for away in (-25.0, -12.0, -6.0, -3.0, -1.0, -0.1, 0.0, 0.5, 1.0, 3.0, 6.0, 12.0, 25.0):
        forward, strike = 26_000.0, 26_000.0 * np.exp(away * deviation)
        right = 1 if strike >= forward else -1
        with mp.workdps(200):
            exact = float(exact_price(mp.mpf(forward), mp.mpf(strike), mp.mpf(deviation)))
        assert black76_price(forward, strike, years, volatility, right) == pytest.approx(
            exact, rel=1e-10
        )
        solved = implied_volatility(exact, forward, strike, years, right)
        expected = exact_volatility(exact, forward, strike, years, volatility)
        tolerance = 1e-12 if exact >= 0.05 and volatility <= 0.40 else 1e-10
        assert solved == pytest.approx(expected, rel=0.0, abs=tolerance), (away, exact)


@pytest.mark.parametrize("years", [MINUTE, 7 * DAY, 5 * 365 * DAY])
@pytest.mark.parametrize("share", [0.55, 0.65, 0.9, 0.999, 0.999999])
def test_prices_near_the_upper_bound_agree_with_the_exact_reference(years, share):
    forward, strike = 100.0, 104.0
    price = share * forward
    solved = implied_volatility(price, forward, strike, years, 1)
    expected = exact_volatility(price, forward, strike, years, float(solved))
    assert solved == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("price", "forward", "strike", "years", "right"),
    [
        (0.0, 100.0, 105.0, DAY, 1),  # worth nothing
        (-1.0, 100.0, 105.0, DAY, 1),
        (5.0, 105.0, 100.0, DAY, 1),  # intrinsic value and no more
        (4.0, 105.0, 100.0, DAY, 1),
        (80.0, 25_682.0, 25_600.0, 22 * DAY, 1),  # 2 rupees under it: the guess looked settled
        (100.0, 100.0, 105.0, DAY, 1),  # a call is worth less than the forward
        (105.0, 100.0, 105.0, DAY, -1),  # and a put less than the strike
        (1.0, 100.0, 105.0, 0.0, 1),  # expired
        (1.0, 100.0, 105.0, -DAY, 1),
        (1.0, 100.0, 105.0, np.inf, 1),
        (1.0, 0.0, 105.0, DAY, 1),
        (1.0, -100.0, -105.0, DAY, 1),
        (1.0, 100.0, 0.0, DAY, 1),
        (1.0, np.inf, 105.0, DAY, -1),
        (1.0, 100.0, np.inf, DAY, 1),
        (np.nan, 100.0, 105.0, DAY, 1),
        (1.0, np.nan, 105.0, DAY, 1),
        (1.0, 100.0, np.nan, DAY, 1),
        (1.0, 100.0, 105.0, np.nan, 1),
        (np.inf, 100.0, 105.0, DAY, 1),
    ],
)
def test_the_impossible_is_nan(price, forward, strike, years, right):
    with np.errstate(invalid="ignore"):
        assert np.isnan(implied_volatility(price, forward, strike, years, right))


def test_prices_without_time_or_volatility_are_intrinsic_and_nonsense_is_nan():
    assert black76_price(105.0, 100.0, 0.0, 0.2, 1) == 5.0
    assert black76_price(105.0, 100.0, DAY, 0.0, 1) == 5.0
    assert black76_price(100.0, 100.0, 0.0, 0.2, 1) == 0.0
    assert np.isnan(black76_price(105.0, 100.0, DAY, -0.2, 1))
    assert np.isnan(black76_price(105.0, 100.0, -DAY, 0.2, 1))
    assert np.isnan(black76_price(-105.0, 100.0, DAY, 0.2, 1))
    assert np.isnan(black76_greeks(105.0, 100.0, 0.0, 0.2, 1).delta)


def some_options(n, seed):
    """Return options of every kind: ordinary, near the bounds, in far wings, impossible."""
    rng = np.random.default_rng(seed)
    forward = rng.uniform(20_000.0, 60_000.0, n)
    years = np.exp(rng.uniform(np.log(MINUTE), np.log(5.0), n))
    volatility = np.exp(rng.uniform(np.log(0.03), np.log(4.0), n))
    strike = forward * np.exp(rng.normal(0.0, 2.0, n) * volatility * np.sqrt(years))
    right = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    price = black76_price(forward, strike, years, volatility, right)
    price[rng.random(n) < 0.05] *= -1.0
    price[rng.random(n) < 0.05] = np.nan
    years[rng.random(n) < 0.05] = np.nan
    return price, forward, strike, years, right, volatility


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 87, 174, LANES - 1, LANES, LANES + 1, 2 * LANES + 13])
def test_a_value_has_the_same_bits_alone_and_in_any_batch(n):
    price, forward, strike, years, right, volatility = some_options(n, seed=n)
    together = implied_volatility(price, forward, strike, years, right)
    priced = black76_price(forward, strike, years, volatility, right)
    for i in range(n):
        one = slice(i, i + 1)
        alone = implied_volatility(price[one], forward[one], strike[one], years[one], right[one])
        assert alone.tobytes() == together[one].tobytes()
        alone = black76_price(forward[one], strike[one], years[one], volatility[one], right[one])
        assert alone.tobytes() == priced[one].tobytes()
    for first in (n // 3, n // 2):  # other neighbours, other places in the vector
        tail = [values[first:] for values in (price, forward, strike, years, right)]
        assert implied_volatility(*tail).tobytes() == together[first:].tobytes()


options = st.tuples(
    st.floats(50.0, 90_000.0),  # forward
    st.floats(-5.0, 5.0),  # deviations from the money
    st.floats(float(np.log(MINUTE)), float(np.log(3.0))),  # log years
    st.floats(0.03, 3.0),  # volatility
    st.sampled_from([1.0, -1.0]),
)


def of(option):
    forward, away, log_years, volatility, right = option
    years = float(np.exp(log_years))
    return (
        forward,
        forward * float(np.exp(away * volatility * years**0.5)),
        years,
        volatility,
        right,
    )


@given(options)
def test_price_to_volatility_to_price(option):
    forward, strike, years, volatility, right = of(option)
    price = black76_price(forward, strike, years, volatility, right)
    solved = implied_volatility(price, forward, strike, years, right)
    if np.isnan(solved):  # what is left of the time value drowned in the intrinsic value
        assert price - max(right * (forward - strike), 0.0) <= 1e-13 * max(forward, strike)
    else:
        again = black76_price(forward, strike, years, solved, right)
        assert again == pytest.approx(float(price), rel=1e-11, abs=1e-11)


@given(options, st.floats(1e-6, 0.5))
def test_a_dearer_option_has_a_higher_volatility(option, share):
    forward, strike, years, volatility, _ = of(option)
    out = 1.0 if strike >= forward else -1.0
    price = float(black76_price(forward, strike, years, volatility, out))
    dearer = price + share * (min(forward, strike) - price)
    low, high = implied_volatility(np.array([price, dearer]), forward, strike, years, out)
    assert low < high or dearer >= min(forward, strike)


@given(options)
def test_greeks_of_call_and_put_keep_parity_and_their_signs(option):
    forward, strike, years, volatility, _ = of(option)
    greeks = black76_greeks(forward, strike, years, volatility, np.array([1, -1]))
    assert greeks.delta[0] - greeks.delta[1] == pytest.approx(1.0, abs=1e-15)
    assert 0.0 <= greeks.delta[0] <= 1.0
    for same in (greeks.gamma, greeks.theta, greeks.vega):
        assert same[0] == same[1]
    assert greeks.gamma[0] >= 0.0 >= greeks.theta[0]
    prices = black76_price(forward, strike, years, volatility, np.array([1, -1]))
    assert prices[0] - prices[1] == pytest.approx(forward - strike, abs=1e-11 * (forward + strike))


def test_greeks_are_the_slopes_of_the_price():
    forward, strike, years, volatility = 26_000.0, 26_300.0, 5 * DAY, 0.13

    def price(f=forward, t=years, v=volatility):
        return float(black76_price(f, strike, t, v, 1))

    greeks = black76_greeks(forward, strike, years, volatility, 1)
    assert greeks.delta == pytest.approx((price(f=26_000.1) - price(f=25_999.9)) / 0.2, rel=1e-7)
    bend = price(f=26_010) + price(f=25_990) - 2 * price()
    assert greeks.gamma == pytest.approx(bend / 100, rel=1e-4)
    assert greeks.vega == pytest.approx((price(v=0.131) - price(v=0.129)) / 0.002, rel=1e-4)
    hour = 60 * MINUTE
    lost = (price(t=years - hour) - price(t=years + hour)) / 2  # of value in one hour
    assert greeks.theta == pytest.approx(24 * lost, rel=1e-4)


@njit
def evaluated(x):
    values = np.empty((3, len(x)))
    for i in range(len(x)):
        values[0, i] = polynomial_log(x[i])
        values[1, i] = polynomial_exp(-x[i])
        values[2, i] = polynomial_erfcx(x[i] - 1.0)
    return values


def test_polynomial_functions_are_within_a_few_units_of_the_last_place():
    x = np.concatenate([np.geomspace(1e-12, 600.0, 300), np.linspace(0.5, 2.0, 101)])
    log, exp, erfcx = evaluated(x)
    with mp.workdps(40):
        for i, number in enumerate(x):
            exact = mp.mpf(float(number))
            assert abs(log[i] - mp.log(exact)) <= 3e-16 * max(1.0, abs(log[i]))
            assert abs(exp[i] / mp.exp(-exact) - 1) <= 3e-16
            shifted = mp.mpf(float(number - 1.0))
            if number < 25.0:
                assert abs(erfcx[i] / (mp.exp(shifted**2) * mp.erfc(shifted)) - 1) <= 1.5e-15
