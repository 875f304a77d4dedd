"""What sold packages bind, computed by hand, before it may judge the package's own margin."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import replace

import pytest
from market_packages import random_package
from reference_margin import MarginLeg, expiry_day, loss, margin, net_premium, scan, width
from reference_settings import MarginRates

NAN = math.nan
FORWARD = 24_000.0
TODAY, EXPIRY, LATER = dt.date(2025, 11, 20), dt.date(2025, 11, 25), dt.date(2025, 12, 2)
RATES = MarginRates(
    price_scan=0.10,
    volatility_scan=0.25,
    volatility_scan_min=0.04,
    extreme_multiple=2.0,
    extreme_cover=0.35,
    exposure=0.02,
    expiry_day=0.02,
)
CALL, PUT = 1, -1
MOMENT = 1e-12
"""Years so short that a model's value is what exercise brings."""


def leg(side: int, right: int, strike: float, price: float = 0.0, lots: int = 1, **other) -> object:
    made = MarginLeg(side, 75 * lots, right, strike, EXPIRY, price, FORWARD, 0.10, MOMENT)
    return replace(made, **other)


NAKED_CALL = [leg(-1, CALL, 25_000.0, 50.0)]
NAKED_PUT = [leg(-1, PUT, 23_000.0, 50.0)]
VERTICAL = [leg(-1, CALL, 24_200.0, 60.0), leg(1, CALL, 24_300.0, 40.0)]
CONDOR = [
    leg(1, PUT, 23_000.0, 10.0),
    leg(-1, PUT, 23_100.0, 15.0),
    leg(-1, CALL, 24_900.0, 15.0),
    leg(1, CALL, 25_000.0, 10.0),
]
RATIO = [leg(1, CALL, 24_200.0, 60.0), leg(-1, CALL, 24_300.0, 40.0, lots=2)]
CALENDAR = [leg(-1, CALL, 24_200.0), leg(1, CALL, 24_200.0, expiry=LATER)]
SHORT_FLY = [
    leg(-1, CALL, 24_700.0),
    leg(1, CALL, 24_800.0, lots=2),
    leg(-1, CALL, 24_900.0),
]
LOST_PUTS = [leg(-1, PUT, 25_000.0, 1_000.0), leg(1, PUT, 24_900.0, 900.0)]


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        (NAKED_CALL, 105_000.0),  # 26,400 is 1,400 past the strike, x 75
        (NAKED_PUT, 105_000.0),  # 21,600 is; 19,200 is 3,800 past, 35 % of it only 1,330
        (VERTICAL, 7_500.0),  # from nothing to 100 x 75
        (CONDOR, 7_500.0),
        (RATIO, 150_000.0),  # at 26,400: 2,200 - 2 x 2,100 is -2,000; the extreme is 35 % of 4,400
        (SHORT_FLY, 7_500.0),  # only at a third of the range: 24,800
        (LOST_PUTS, 0.0),  # 100 below already; nothing moves it further
    ],
)
def test_the_scan_finds_the_largest_loss(legs: list, expected: float) -> None:
    assert scan(legs, RATES) == pytest.approx(expected, abs=0.1)


def test_extreme_moves_count_by_their_cover() -> None:
    # 3,800 past the strike: 40 % of it is 1,520, x 75
    assert scan(NAKED_PUT, replace(RATES, extreme_cover=0.40)) == pytest.approx(114_000.0)
    # 3 x 10 % down is 16,800: 6,200 past, 35 % of it is 2,170
    assert scan(NAKED_PUT, replace(RATES, extreme_multiple=3.0)) == pytest.approx(162_750.0)


STILL = replace(RATES, price_scan=0.0)
"""At the money one year out a call is F x (2 N(v / 2) - 1), and N stands in any table."""


@pytest.mark.parametrize(
    ("side", "iv", "scan_by", "expected"),
    [
        # 0.20 up to 0.30: N(0.15) - N(0.10) = 0.559618 - 0.539828, x 48,000
        (-1, 0.20, 0.50, 949.9),
        # 0.20 down to 0.10: N(0.10) - N(0.05) = 0.539828 - 0.519939
        (1, 0.20, 0.50, 954.7),
        # a quarter of 0.02 is under the least shift: up to 0.06, N(0.03) - N(0.01)
        (-1, 0.02, 0.25, 382.9),  # 0.511966 - 0.503989
        # and down no further than 0.01: N(0.01) - N(0.005)
        (1, 0.02, 0.25, 95.7),  # 0.503989 - 0.501995
    ],
)
def test_the_scan_moves_volatility_both_ways(
    side: int, iv: float, scan_by: float, expected: float
) -> None:
    legs = [leg(side, CALL, FORWARD, iv=iv, years=1.0)]
    found = scan(legs, replace(STILL, volatility_scan=scan_by))
    assert found == pytest.approx(75 * expected, rel=1e-3)


def test_an_extreme_move_leaves_volatility_alone() -> None:
    legs = [leg(-1, CALL, FORWARD, iv=0.20, years=1.0)]
    assert loss(legs, 0.0, 0, RATES) == 0.0
    # F N(d1) - K N(d2) at 28,800: ln 1.2 is 0.182322, d1 is 1.011608, d2 is 0.811608;
    # 28,800 x 0.844137 - 24,000 x 0.791492 is 5,315.3; less 1,911.7 now
    assert loss(legs, 0.20, 0, RATES) == pytest.approx(75 * 3_403.6, rel=1e-3)


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        (NAKED_CALL, math.inf),
        (NAKED_PUT, 1_725_000.0),  # the index at 0: 23,000 x 75
        (VERTICAL, 7_500.0),
        (CONDOR, 7_500.0),  # one side only, not both
        (RATIO, math.inf),
        (CALENDAR, math.inf),
        (SHORT_FLY, 7_500.0),
        ([VERTICAL[0], leg(1, CALL, 24_300.0, lots=3)], 7_500.0),  # more bought than sold
        ([leg(1, CALL, 24_200.0), leg(-1, CALL, 24_300.0)], 0.0),
        ([leg(1, PUT, 23_000.0), leg(-1, CALL, 25_000.0)], math.inf),  # puts cover no calls
    ],
)
def test_the_width_is_what_expiry_can_take(legs: list, expected: float) -> None:
    assert width(legs) == expected


@pytest.mark.parametrize(
    ("legs", "today", "expected"),
    [
        (NAKED_CALL, TODAY, 141_000.0),  # 105,000 + 2 % of 24,000 x 75
        (NAKED_CALL, EXPIRY, 177_000.0),  # and once more 2 % on its last day
        (VERTICAL, TODAY, 43_500.0),
        (VERTICAL, EXPIRY, 79_500.0),  # hedged or not
        (CONDOR, TODAY, 79_500.0),  # 7,500 and 36,000 for each sold leg
        (LOST_PUTS, TODAY, 36_000.0),  # min(0, 7,500), nothing paid
        (RATIO, TODAY, 222_000.0),  # 150,000 and 2 x 36,000
        # two lots bought at 60 and one sold at 40: 80 x 75 paid is more than width, 0
        ([leg(1, CALL, 24_200.0, 60.0, lots=2), leg(-1, CALL, 24_300.0, 40.0)], TODAY, 42_000.0),
        # only the leg that dies pays for the day
        ([NAKED_CALL[0], leg(-1, PUT, 23_000.0, 50.0, expiry=LATER)], EXPIRY, 213_000.0),
    ],
)
def test_margins_by_hand(legs: list, today: dt.date, expected: float) -> None:
    assert margin(legs, FORWARD, today, RATES) == pytest.approx(expected, abs=0.1)


def test_exposure_is_of_the_spot_and_not_of_the_forward() -> None:
    assert margin(VERTICAL, 20_000.0, TODAY, RATES) == pytest.approx(7_500.0 + 30_000.0)


def test_the_width_caps_what_the_scan_fears() -> None:
    # A year out; the bought side's volatility alone makes the scan lose 75 x 943 and more,
    # but at expiry it loses nothing: what was paid, (3,800 - 20) x 75, is all there is to lose
    legs = [
        leg(1, CALL, 24_000.0, 3_800.0, iv=0.40, years=1.0),
        leg(-1, CALL, 24_100.0, 20.0, iv=0.01, years=1.0),
    ]
    assert scan(legs, RATES) > 70_000.0
    assert margin(legs, FORWARD, TODAY, RATES) == pytest.approx(283_500.0 + 36_000.0)
    cheap = [replace(legs[0], price=1.0), replace(legs[1], price=2.0)]
    assert net_premium(cheap) == -75.0
    assert margin(cheap, FORWARD, TODAY, RATES) == pytest.approx(36_000.0)


@pytest.mark.parametrize("unknown", ["price", "forward", "iv", "years"])
def test_what_is_unknown_of_any_leg_makes_the_margin_unknown(unknown: str) -> None:
    legs = [VERTICAL[0], replace(VERTICAL[1], **{unknown: NAN})]
    assert math.isnan(margin(legs, FORWARD, TODAY, RATES))
    assert math.isnan(margin(VERTICAL, NAN, TODAY, RATES))


# Properties, over generated packages

SEEDS = range(300)


@pytest.mark.parametrize("block", range(0, len(SEEDS), 100))
def test_margins_keep_their_promises(block: int) -> None:
    for seed in SEEDS[block : block + 100]:
        legs, spot, today, rates = package = random_package(seed)
        found = margin(*package)
        sold = sum(leg.quantity for leg in legs if leg.side < 0)
        least, most = (rate * spot * sold for rate in (rates.exposure, rates.expiry_day))
        assert found >= least
        assert found <= max(width(legs), net_premium(legs), 0.0) + least + most + 1e-6
        assert margin(legs[::-1], spot, today, rates) == pytest.approx(found, rel=1e-9, abs=1e-6)
        twice = [replace(leg, quantity=2 * leg.quantity) for leg in legs]
        assert margin(twice, spot, today, rates) == pytest.approx(2 * found, rel=1e-9, abs=1e-6)


def test_generated_packages_reach_every_part_of_the_margin() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        legs, spot, today, rates = random_package(seed)
        feared, most, paid = scan(legs, rates), width(legs), net_premium(legs)
        binding = max(min(feared, most), paid, 0.0)
        seen["width" if binding == most else "scan"] += binding in (most, feared)
        seen["premium"] += binding == paid
        seen["dies today"] += expiry_day(legs, spot, today, rates) > 0.0
        for name, other in (
            ("extremes", replace(rates, extreme_cover=0.0)),
            ("least shift", replace(rates, volatility_scan_min=0.0)),
        ):
            seen[name] += feared != scan(legs, other)
    assert min(seen.values()) >= 5
    assert len(seen) == 6
