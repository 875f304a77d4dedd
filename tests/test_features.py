"""Every feature against a number worked out by hand; windows, openings, expiries."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from feature_days import (
    CALL,
    NOW,
    OI_NOW,
    PUT,
    differing,
    everything,
    history,
    pencil_day,
)
from panels import panel, writable

from optiq.market.context import Context
from optiq.market.feature_table import FEATURES
from optiq.market.features import (
    CONTRACT_FEATURES,
    MARKET_FEATURES,
    atm_call_features,
    contract_features,
    market_features,
)
from optiq.market.panel import Panel

MARKET = [feature.name for feature in MARKET_FEATURES]
CONTRACT = [feature.name for feature in CONTRACT_FEATURES]
F = 26_130.0
YEAR = 252 * 375  # minutes of trading
RETURNS = (  # of the seven forwards
    *(26_050 / 26_000 - 1, 25_950 / 26_050 - 1, 26_010 / 25_950 - 1),
    *(26_100 / 26_010 - 1, 26_080 / 26_100 - 1, 26_130 / 26_080 - 1),
)
SESSION_VOL = math.sqrt(sum(r * r for r in RETURNS) / 60 * YEAR)
CALL_WING = 0.11 + (0.25 - 0.20) / (0.60 - 0.20) * (0.12 - 0.11)
T = (5 + 315 / 1440) / 365  # from Thursday 10:15 to Tuesday 15:30
DEVIATION = 0.13 * math.sqrt(T)


def z(values: list[int], value: int) -> float:
    logs = [math.log(1 + v) for v in values]
    return (math.log(1 + value) - statistics.fmean(logs)) / statistics.pstdev(logs)


BY_HAND = [
    ("return_5m", F / 26_080 - 1),
    ("return_15m", F / 26_100 - 1),
    ("return_60m", F / 26_000 - 1),
    ("overnight_gap", 26_000 / 25_800 - 1),
    ("realised_vol_session", SESSION_VOL),
    ("realised_vol_30m", math.sqrt(sum(r * r for r in RETURNS[3:]) / 30 * YEAR)),
    ("atm_iv", 0.13),  # 26100 is nearest; its call says 0.12, its put 0.14
    ("atm_iv_change_15m", 0.13 - 0.11),
    ("iv_rank", (0.13 - 0.10) / (0.34 - 0.10)),
    ("iv_minus_realised", 0.13 - SESSION_VOL),
    ("skew_25d", 0.14 - CALL_WING),  # half-way between the puts at -0.2 (0.15) and -0.3 (0.13)
    ("smile_curvature", (0.14 + CALL_WING) / 2 - 0.13),
    ("term_slope", (0.17 + 0.15) / 2 - 0.13),
    ("oi_put_call_ratio", 1250 / 1000),
    ("volume_put_call_ratio", 1250 / 1100),
    ("call_oi_flow_15m", 50 / 950),
    ("put_oi_flow_15m", 250 / 1000),
    # payout at 26100: 100 x 200 + 200 x 100 to calls, 50 x 100 to puts; 26000 and 26200 pay more
    ("max_pain_distance", 26_100 / F - 1),
    ("gamma_exposure", F / 100 * (0.001 * 1000 - 0.002 * 1250) / 2250),
    ("vwap_distance", F / ((50 * 26_050 + 100 * 26_010 + 50 * 26_080 + 100 * F) / 300) - 1),
    ("opening_range_position", (F - 25_950) / (26_050 - 25_950)),
    ("minutes_to_close", 315.0),
    ("days_to_expiry", 5 + 315 / 1440),
]

CALL_BY_HAND = [  # 26200 CE at 50, and at 40 a quarter of an hour before
    ("moneyness", math.log(26_200 / F) / DEVIATION),
    ("delta", 0.2),
    ("gamma_1pct", 0.001 * F / 100),
    ("theta_per_premium", -12 / 50),
    ("vega_per_premium", 10 / 100 / 50),
    ("iv_minus_atm", 0.11 - 0.13),
    ("relative_spread", 2 / 50),
    ("volume_z", z([100, 200, 400, 400, 500, 400, 300, 50], 400)),
    ("oi_z", z(OI_NOW[:8], 400)),
    ("oi_change_relative", 100 / 300),
    ("premium_momentum_15m", 50 / 40 - 1),
]


@pytest.mark.parametrize(("name", "value"), BY_HAND)
def test_the_market_by_hand(name: str, value: float) -> None:
    row = market_features(pencil_day(), history())[NOW]
    assert row[MARKET.index(name)] == pytest.approx(value, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("name", "value"), CALL_BY_HAND)
def test_a_contract_by_hand(name: str, value: float) -> None:
    (row,) = contract_features(pencil_day(), history(), np.array([NOW]), np.array([CALL]))
    assert row[CONTRACT.index(name)] == pytest.approx(value, rel=1e-12, abs=1e-15)


def test_a_put_out_of_the_money_has_a_positive_moneyness() -> None:
    (row,) = contract_features(pencil_day(), history(), np.array([NOW]), np.array([PUT]))
    assert row[CONTRACT.index("moneyness")] == pytest.approx(math.log(F / 26_000) / DEVIATION)
    assert row[CONTRACT.index("delta")] == -0.3


def test_nothing_is_forgotten() -> None:
    assert [name for name, _ in BY_HAND] == MARKET
    assert [name for name, _ in CALL_BY_HAND] == CONTRACT
    assert (len(MARKET), len(CONTRACT)) == (23, 11)
    assert [feature.name for feature in FEATURES] == MARKET + CONTRACT
    assert len({*MARKET, *CONTRACT}) == 34


def test_the_call_at_the_money_is_the_one_nearest_the_forward() -> None:
    day, context = pencil_day(), history()
    columns = np.array([1, 1, 0, 1, 2, 2, 2])  # 25950 is as far from 25900: the lower of two
    wanted = contract_features(day, context, np.arange(7), columns)
    assert not differing(atm_call_features(day, context), wanted).any()


def says(day: Panel, context: Context, name: str) -> list[float]:
    return market_features(day, context)[:, MARKET.index(name)].tolist()


def straddles(minutes: list[float], forwards: list[float], **fields: object) -> Panel:
    """One strike whose call and put give these forwards."""
    call = np.array(forwards) - 26_000.0 + 500.0
    price = np.stack([call, np.full(len(call), 500.0)], axis=1)
    return panel(minutes, [26_000.0, 26_000.0], [1, -1], price, **fields)


@pytest.mark.parametrize(
    ("before", "is_there"),
    [
        (600.0, True),  # exactly as far back as asked
        (600.01, False),  # too near
        (585.0, True),  # twice as far, over a hole
        (584.9, False),  # farther: nothing is compared
    ],
)
def test_a_window_takes_the_row_before_it_unless_a_hole_makes_that_too_old(before, is_there):
    day = straddles([before, 615.0], [26_000.0, 26_130.0])
    wanted = F / 26_000 - 1 if is_there else np.nan
    assert says(day, Context(), "return_15m") == pytest.approx([np.nan, wanted], nan_ok=True)


def test_a_window_goes_by_the_clock_not_by_rows() -> None:
    minutes = [600.0, 600.1, 600.2, 600.3, 604.0, 605.2]
    day = straddles(minutes, [26_000.0, 26_010.0, 26_020.0, 26_030.0, 26_040.0, 26_050.0])
    assert says(day, Context(), "return_5m")[-1] == 26_050 / 26_020 - 1


def test_a_row_without_a_forward_has_no_return_and_lends_none() -> None:
    day = straddles([600.0, 615.0, 630.0], [26_000.0, 26_010.0, 26_020.0])
    writable(day, "ltp")[1] = np.nan
    assert np.isnan(says(day, Context(), "return_15m")).all()
    writable(day, "ltp")[2] = np.nan
    assert np.isnan(says(day, Context(), "realised_vol_session")).all()


def test_realised_volatility_bridges_a_row_without_a_forward() -> None:
    day = straddles([600.0, 601.0, 602.0, 603.0], [26_000.0, 1.0, 26_010.0, 26_000.0])
    writable(day, "ltp")[1] = np.nan
    squares = (26_010 / 26_000 - 1) ** 2 + (26_000 / 26_010 - 1) ** 2
    said = says(day, Context(), "realised_vol_session")
    assert said == pytest.approx([np.nan] * 3 + [math.sqrt(squares / 3 * YEAR)], nan_ok=True)


def test_the_opening_range_speaks_once_it_is_complete() -> None:
    forwards = [26_000.0, 26_010.0, 26_005.0, 26_020.0, 26_015.0]
    day = straddles([555.0, 560.0, 569.9, 570.0, 571.0], forwards)
    wanted = [np.nan, np.nan, np.nan, 1.0, 0.75]
    assert says(day, Context(), "opening_range_position") == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize("minutes", [[571.0, 575.0, 580.0], [569.0, 571.0, 580.0]])
def test_an_opening_that_was_not_recorded_has_no_range(minutes: list[float]) -> None:
    day = straddles(minutes, [26_000.0, 26_010.0, 26_020.0])
    assert np.isnan(says(day, Context(), "opening_range_position")).all()


def test_an_overnight_gap_needs_the_opening_and_last_nights_close() -> None:
    day = straddles([571.0, 575.0], [26_000.0, 26_010.0])
    assert np.isnan(says(day, history(), "overnight_gap")).all()
    day = straddles([560.0, 575.0], [26_000.0, 26_010.0])
    assert says(day, history(), "overnight_gap") == [26_000 / 25_800 - 1] * 2
    silent = straddles([556.0, 560.0, 575.0], [1.0, 26_000.0, 26_010.0])
    writable(silent, "ltp")[0] = np.nan  # nobody can know before the first forward
    wanted = [np.nan, 26_000 / 25_800 - 1, 26_000 / 25_800 - 1]
    assert says(silent, history(), "overnight_gap") == pytest.approx(wanted, nan_ok=True)
    old = replace(history(), sessions=history().sessions - 7)
    assert np.isnan(says(day, old, "overnight_gap")).all()
    unknown = replace(history(), closes=np.full(25, np.nan))
    assert np.isnan(says(day, unknown, "overnight_gap")).all()


@pytest.mark.parametrize(
    ("context", "rank"),
    [
        (history(19), np.nan),  # too short
        (history(20), (0.13 - 0.10) / 0.19),
        (history(20, lowest=0.14), -1 / 19),  # lower than ever
        (replace(history(), atm_iv=np.full(25, 0.13)), np.nan),  # a flat year has no rank
        (replace(history(30), sessions=np.datetime64("2024-11-20") - np.arange(30)), np.nan),
    ],
)
def test_iv_rank_is_among_the_sessions_of_a_year(context: Context, rank: float) -> None:
    assert says(pencil_day(), context, "iv_rank")[NOW] == pytest.approx(rank, nan_ok=True)


def first_expiry_today(day: Panel) -> np.ndarray:
    return np.where(day.expiry == day.expiry[0], np.datetime64(day.date), day.expiry)


def test_on_its_last_day_the_volatility_of_the_next_expiry_counts_and_in_its_last_hour_its_level():
    today = pencil_day()
    expiring = replace(
        today, expiry=np.where(today.expiry == today.expiry[0], today.date, today.expiry)
    )
    assert says(expiring, history(), "atm_iv")[NOW] == pytest.approx(0.16)
    assert says(expiring, history(), "days_to_expiry")[NOW] == pytest.approx(315 / 1440)
    minutes = np.array([840.0, 869.0, 870.0, 870.5, 871.0, 872.0, 885.0])
    ts = today.ts[0] + ((minutes - 555.0) * 60e6).astype("timedelta64[us]")
    late = replace(expiring, ts=ts)
    left = says(late, history(), "days_to_expiry")
    assert left[2] == pytest.approx(1 / 24)  # an hour is enough
    assert left[3] == pytest.approx(12 + 1 / 24 - 0.5 / 1440)


def test_no_carry_is_taken_for_a_move_when_the_nearest_expiry_changes() -> None:
    day = pencil_day()
    dearer = day.fields["ltp"].copy()
    dearer[:, 8] += 30.0  # the next expiry's forward lies 30 above
    quotes = {"ltp": dearer, "bid": dearer - 1.0, "ask": dearer + 1.0}
    ts = day.ts + np.timedelta64(271, "m")  # the last row lies within the first one's last hour
    late = replace(day, ts=ts, expiry=first_expiry_today(day), fields={**day.fields, **quotes})
    assert says(late, Context(), "return_5m")[NOW] == pytest.approx((F + 30) / (26_080 + 30) - 1)


def test_where_no_expiry_has_an_hour_left_only_the_clock_speaks() -> None:
    day = pencil_day()
    over = replace(day, expiry=np.full(10, np.datetime64("2025-11-19")))
    said = everything(over, history())[NOW]
    assert [FEATURES[k].name for k in np.flatnonzero(~np.isnan(said))] == ["minutes_to_close"]


def test_pairs_that_do_not_exist_are_unknown() -> None:
    day = pencil_day()
    for field in ("ltp", "bid", "ask"):
        writable(day, field)[:4, CALL] = np.nan
    rows, columns = np.array([3, 4, -1, NOW]), np.array([CALL, CALL, CALL, -1])
    known = ~np.isnan(contract_features(day, history(), rows, columns))
    assert known.any(axis=1).tolist() == [False, True, False, False]
    assert not known[1, CONTRACT.index("premium_momentum_15m")]
    nothing = contract_features(day, history(), rows[:0], columns[:0])
    assert nothing.shape == (0, 11)
