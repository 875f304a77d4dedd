"""What sold options bind: by hand, by a broker's figure, and what must always hold."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from margins import LOT, NAN, RATES, Leg, margin, model_price, packages, verticals
from numba import njit

from optiq.errors import InputError, RuleError
from optiq.market.black76 import implied_volatility
from optiq.market.calendar import sessions_between
from optiq.market.schema import UNDERLYINGS
from optiq.trade.margin import Margin, margin_rates, package_margin
from optiq.trade.margin_records import margin_records

SPOT = 25_682.0
STRADDLE = (Leg(-1, 25_700.0, 1, forward=SPOT), Leg(-1, 25_700.0, -1, forward=SPOT))

# The broker's figure


def test_the_recorded_broker_figure_is_met_within_15_percent() -> None:
    records = margin_records()
    assert [record.total for record in records] == [197_528.25]
    for record in records:
        assert abs(record.error()) < 0.15, f"{record.model().total:.2f}, {record.error():+.2%}"
        assert record.model().scan == pytest.approx(record.span, rel=0.15)
        assert record.model().exposure == record.exposure


@pytest.mark.parametrize("days", [1.0, 5.0, 22.0, 35.0])
@pytest.mark.parametrize("forward", [SPOT, 25_600.0])  # the second is what both its premiums imply
def test_neither_the_day_nor_the_forward_that_the_record_lacks_matters(
    days: float, forward: float
) -> None:
    iv = float(implied_volatility(232.05, forward, 25_700.0, days / 365, 1))
    sold = Leg(-1, 25_700.0, 1, days=days, forward=forward, iv=iv, price=232.05)
    assert margin(sold, spot=SPOT).total == pytest.approx(197_528.25, rel=0.03)


# By hand


def test_a_straddle_on_expiry_day_binds_two_percent_more_of_each_leg() -> None:
    dying = [leg._replace(days=0.2, dies_today=True) for leg in STRADDLE]
    assert margin(*dying, spot=SPOT).expiry_day == 77_046.0  # 2 x 0.02 x 25,682 x 75
    assert margin(*STRADDLE, spot=SPOT).expiry_day == 0.0
    one_dies = margin(dying[0], STRADDLE[1], spot=SPOT)
    assert (one_dies.expiry_day, one_dies.exposure) == (38_523.0, 77_046.0)
    before = margin_rates("NIFTY", dt.date(2024, 11, 19))
    assert margin(*dying, spot=SPOT, rates=before).expiry_day == 0.0


@pytest.mark.parametrize(
    ("spot", "line", "source"),
    [
        (25_682.0, 38_523.0, "Kite /margins/orders"),
        (23_500.0, 35_250.0, "Zerodha's example of the expiry-day line"),
    ],
)
def test_two_percent_is_of_the_index_as_published(spot: float, line: float, source: str) -> None:
    bound = margin(Leg(-1, 24_000.0, 1, dies_today=True), spot=spot)
    assert (bound.exposure, bound.expiry_day) == (line, line), source


def test_bought_legs_add_neither_exposure_nor_the_line_of_expiry_day() -> None:
    legs = [leg._replace(side=1, dies_today=True) for leg in STRADDLE]
    sold = STRADDLE[0]._replace(strike=26_000.0)
    bound = margin(*legs, sold, spot=SPOT)
    assert (bound.exposure, bound.expiry_day) == (38_523.0, 0.0)


def at_expiry(leg: Leg) -> Leg:
    """Without time only the intrinsic value is left, which a hand can compute."""
    return leg._replace(days=0.0, price=1.0)


@pytest.mark.parametrize(
    ("strike", "right", "loss"),
    [
        (25_700.0, 1, 75 * 2_370.426),  # 25,682 x 1.093 - 25,700
        (25_700.0, -1, 75 * 2_388.426),  # 25,700 - 25,682 x 0.907, less the 18 it is worth now
        (24_000.0, 1, 75 * 2_388.426),  # in the money already: the whole 9.3 %
        (30_000.0, 1, 75 * 0.35 * 458.852),  # only twice the range reaches it: 25,682 x 1.186
        (31_000.0, 1, 0.0),
    ],
)
def test_the_price_scan_by_hand(strike: float, right: int, loss: float) -> None:
    sold = at_expiry(Leg(-1, strike, right, forward=SPOT))
    assert margin(sold, spot=SPOT).scan == pytest.approx(loss, abs=0.01)


def straddle_value(iv: float, days: float = 7.0) -> float:
    """Two options at the money: 2 F erf(iv sqrt(T) / sqrt(8))."""
    return 2 * SPOT * math.erf(iv * math.sqrt(days / 365) / math.sqrt(8))


@pytest.mark.parametrize(
    ("iv", "up"),
    [
        (0.12, 0.16),  # a quarter is 3 points: 4 are the least
        (0.20, 0.25),
    ],
)
def test_the_volatility_scan_by_hand(iv: float, up: float) -> None:
    still = RATES._replace(price_scan=0.0)
    legs = [leg._replace(strike=SPOT, iv=iv) for leg in STRADDLE]
    loss = 75 * (straddle_value(up) - straddle_value(iv))
    assert margin(*legs, spot=SPOT, rates=still).scan == pytest.approx(loss, abs=1e-6)


def test_volatility_never_falls_under_one_point() -> None:
    still = RATES._replace(price_scan=0.0)
    bought = [leg._replace(side=1, strike=SPOT, iv=0.03) for leg in STRADDLE]
    far = Leg(-1, 40_000.0, 1, forward=SPOT)  # worth nothing; its sale asks for a margin at all
    loss = 75 * (straddle_value(0.03) - straddle_value(0.01))
    assert margin(*bought, far, spot=SPOT, rates=still).scan == pytest.approx(loss, abs=1e-6)


C, P = 1, -1


@pytest.mark.parametrize(
    ("legs", "width"),
    [
        ([(-1, 24_000, C), (1, 24_200, C)], 200 * LOT),
        ([(-1, 24_000, P), (1, 23_700, P)], 300 * LOT),
        ([(1, 24_000, C), (-1, 24_200, C)], 0),  # a debit can only lose its premium
        ([(-1, 24_200, C), (1, 24_500, C), (-1, 23_800, P), (1, 23_700, P)], 300 * LOT),
        ([(-1, 24_000, C), (-1, 24_000, P), (1, 24_300, C), (1, 23_600, P)], 400 * LOT),
        ([(-1, 24_000, P)], 24_000 * LOT),  # the index at 0
        ([(-1, 24_000, C)], math.inf),
        ([(1, 24_000, C), (-1, 24_100, C), (-1, 24_200, C)], math.inf),
        ([(-1, 24_000, C), (1, 24_300, P)], math.inf),  # a put is no hedge of a call
    ],
)
def test_the_width_by_hand(legs: list[tuple[int, float, int]], width: float) -> None:
    assert margin(*(Leg(*leg) for leg in legs)).width == width


def test_legs_that_do_not_expire_together_have_no_width() -> None:
    calendar = (Leg(-1, 24_000.0, 1), Leg(1, 24_000.0, 1, days=14.0))
    assert margin(*calendar).width == math.inf


def test_the_total_is_the_larger_of_risk_and_premium_and_the_shares() -> None:
    sold, bought = Leg(-1, 24_000.0, 1, price=150.0), Leg(1, 24_050.0, 1, price=120.0)
    credit = margin(sold, bought)
    assert credit.net_premium == -30 * LOT
    assert credit.total == min(credit.scan, 50 * LOT) + 36_000.0
    debit = margin(sold._replace(strike=24_050.0), bought._replace(strike=24_000.0, price=190.0))
    assert (debit.width, debit.net_premium) == (0.0, 40 * LOT)
    assert debit.total == 40 * LOT + 36_000.0


def test_bought_legs_bind_their_premium() -> None:
    legs = [leg._replace(side=1, price=100.05) for leg in STRADDLE]
    assert margin(*legs) == Margin(0.0, math.inf, 0.0, 0.0, 0.0, 2 * 75 * 100.05)


# What must always hold


@given(verticals())
def test_a_vertical_binds_at_most_its_width_and_exposure(pair: tuple[Leg, Leg]) -> None:
    sold, bought = pair
    width = abs(bought.strike - sold.strike) * sold.quantity
    for legs in (pair, (sold._replace(side=1), bought._replace(side=-1))):  # credit and debit
        bound = margin(*legs)
        assert bound.exposure == pytest.approx(0.02 * 24_000 * sold.quantity)
        assert bound.exposure <= bound.total <= width + bound.exposure + 1e-6


@given(verticals())
def test_a_hedge_always_saves(pair: tuple[Leg, Leg]) -> None:
    assert margin(*pair).total < margin(pair[0]).total


@given(packages())
def test_a_margin_is_never_negative_and_never_under_its_premium(legs: list[Leg]) -> None:
    bound = margin(*legs)
    assert min(bound.scan, bound.width, bound.exposure, bound.expiry_day) >= 0.0
    paid = sum(leg.side * leg.quantity * model_price(leg) for leg in legs)
    assert bound.total >= max(paid, 0.0) - 1e-6
    if all(leg.side > 0 for leg in legs):
        assert bound.total == pytest.approx(paid)


@given(packages(), st.integers(2, 5))
def test_more_of_the_same_binds_as_much_more(legs: list[Leg], times: int) -> None:
    more = [leg._replace(quantity=times * leg.quantity) for leg in legs]
    assert margin(*more) == pytest.approx(
        [times * part for part in margin(*legs)], rel=1e-9, abs=1e-6
    )


@given(packages(), st.data())
def test_what_is_unknown_makes_a_sold_package_unknown(legs: list[Leg], data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(legs) - 1))
    name = data.draw(st.sampled_from(("strike", "days", "forward", "iv", "price")))
    sells = any(leg.side < 0 for leg in legs)
    legs = [leg._replace(price=model_price(leg)) for leg in legs]
    legs[k] = legs[k]._replace(**{name: NAN})
    assert math.isnan(margin(*legs).total) == (sells or name == "price")
    assert math.isnan(margin(*legs, spot=NAN).total) == (sells or name == "price")


@pytest.mark.parametrize("name", ["strike", "days", "forward", "iv"])
def test_the_impossible_is_unknown_too(name: str) -> None:
    sold = Leg(-1, 24_000.0, 1, price=10.0)._replace(**{name: -1.0})
    assert math.isnan(margin(sold).total)
    assert math.isnan(margin(Leg(-1, 24_000.0, 1), spot=0.0).total)


def test_compiled_code_can_ask_for_it() -> None:
    @njit
    def total(quantity: int) -> float:
        one, call = np.array([-1]), np.array([1])
        level = np.array([24_000.0])
        return package_margin(
            one,
            np.array([quantity]),
            level,
            call,
            np.array([7 / 365]),
            level,
            np.array([0.12]),
            np.array([150.0]),
            True,
            np.array([False]),
            24_000.0,
            RATES,
        ).total

    assert total(75) == margin(Leg(-1, 24_000.0, 1, price=150.0)).total


# The dated table


@pytest.mark.parametrize(
    ("underlying", "on", "rates"),
    [
        ("NIFTY", dt.date(2020, 5, 29), (0.07, 0.0, 0.04, 2.0, 0.35, 0.03, 0.0)),
        ("NIFTY", dt.date(2020, 6, 1), (0.093, 0.25, 0.04, 2.0, 0.35, 0.02, 0.0)),
        ("NIFTY", dt.date(2024, 11, 19), (0.093, 0.25, 0.04, 2.0, 0.35, 0.02, 0.0)),
        ("NIFTY", dt.date(2024, 11, 20), (0.093, 0.25, 0.04, 2.0, 0.35, 0.02, 0.02)),
        ("SENSEX", dt.date(2026, 8, 3), (0.093, 0.25, 0.04, 2.0, 0.35, 0.02, 0.02)),
    ],
)
def test_the_ranges_are_those_of_their_day(
    underlying: str, on: dt.date, rates: tuple[float, ...]
) -> None:
    assert margin_rates(underlying, on) == rates


@pytest.mark.parametrize("underlying", UNDERLYINGS)
def test_every_session_since_june_2020_has_ranges(underlying: str) -> None:
    for on in sessions_between(dt.date(2020, 6, 1), dt.date(2026, 12, 31), underlying):
        assert margin_rates(underlying, on).price_scan >= 0.05


def test_a_day_or_an_index_without_ranges_is_refused() -> None:
    with pytest.raises(RuleError, match=r"margin\.csv covers price_scan of NIFTY on 2018-11-29"):
        margin_rates("NIFTY", dt.date(2018, 11, 29))
    with pytest.raises(RuleError, match="price_scan of SENSEX on 2019-05-23"):
        margin_rates("SENSEX", dt.date(2019, 5, 23))
    with pytest.raises(InputError, match="no index named GOLD"):
        margin_rates("GOLD", dt.date(2025, 7, 9))
