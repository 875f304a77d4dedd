"""vwap_deviation, oi_buildup and pcr_reversal on small days whose orders were computed by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from directional import ATM, NAN, STRIKES, bought, chain, each, orders
from panels import panel as small_panel

from optiq.market.panel import Panel
from optiq.run.prefix import orders_of, require
from optiq.trade.strategies import built_in
from optiq.trade.strategies.oi_buildup import rows_before
from optiq.trade.tradability import strikes_from_the_money
from optiq.trade.traded_volume import volume_weighted_spot

# The volume-weighted spot


@pytest.mark.parametrize(
    ("spot", "volume", "expected"),
    [
        ([100, 102, 107], [[NAN, NAN]] * 3, [100, 101, 103]),  # the plain mean
        ([100, 102, 107], [[5, 5]] * 3, [100, 101, 103]),  # nothing traded is no volume
        ([100, 102, 107], [[900, 0], [910, 0], [930, 10]], [100, 102, 105.75]),  # first is no trade
        ([100, 102, 107], [[0, 0], [30, 0], [30, 0]], [100, 102, 102]),
        ([100, 102, 107], [[0, 7], [NAN, 7], [40, 7]], [100, 101, 107]),  # carried over the gap
        ([100, 102, 107, 101], [[50, 0], [60, 0], [20, 0], [30, 0]], [100, 102, 102, 102]),
        ([100, 102, 107], [[50, NAN], [60, 500], [60, 510]], [100, 102, 104.5]),  # comes later
        ([100, NAN, 107], [[0, 0], [70, 0], [80, 0]], [100, 100, 107]),  # unknown where
        ([NAN, 102, 107], [[0, 0], [70, 0], [80, 60]], [NAN, 102, 104.5]),
    ],
)
def test_what_was_traded_weighs_the_level(spot, volume, expected):
    minutes = [600.0 + i for i in range(len(spot))]
    panel = small_panel(minutes, [100.0, 100.0], [1, -1], 60.0, spot=spot, volume=volume)
    np.testing.assert_array_equal(volume_weighted_spot(panel), expected)


def test_volume_of_a_contract_without_a_price_yet_is_none():
    ltp = [[60, NAN], [60, NAN], [60, 60], [60, 60]]
    volume = [[0, 0], [10, 900], [20, 950], [30, 960]]
    panel = small_panel([600, 601, 602, 603], [100.0] * 2, [1, -1], ltp, volume=volume)
    assert panel.units_traded.tolist() == [0, 10, 10, 20]


def test_monitor_rows_trade_nothing():
    volume = [[0], [10], [25]]
    panel = small_panel(
        [600, 600.5, 601], [100.0], [1], 60.0, volume=volume, chain=[True, False, True]
    )
    assert panel.units_traded.tolist() == [0, 0, 25]


# vwap_deviation


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (26_091.00, []),  # 0.35 % exactly
        (26_091.01, [(2, "26000 PE", 0.01)]),
        (26_182.00, [(2, "26000 PE", 50.0)]),  # 0.70 %
        (25_909.00, []),
        (25_908.99, [(2, "26000 CE", 0.01)]),
        (25_636.00, [(2, "26000 CE", 75.0)]),  # 1.40 %
        (NAN, []),
    ],
)
def test_far_from_the_level_it_bets_on_the_way_back(last, expected):
    volume = [[0.0], [75.0], [75.0]]  # traded at 26,000 only
    panel = chain([600, 601, 602], [25_000, 26_000, last], volume=volume)
    said = orders("vwap_deviation", panel)
    assert bought(panel, said) == expected
    assert all(said.target == 0.20)
    assert all(said.stop == 0.12)


def test_a_mean_of_the_first_minutes_is_no_level():
    spot = [26_000, 26_400, 26_400, 26_400]
    panel = chain([555, 559.99, 560, 561], spot)
    rows = [row for row, _, _ in bought(panel, orders("vwap_deviation", panel))]
    assert rows == [2, 3]  # 26,266.67 and 26,300 stand 0.51 % and 0.38 % below
    assert orders("vwap_deviation", panel, minutes_min=0.0).row.tolist() == [1, 2, 3]


# oi_buildup


def interest(rows: list[float]) -> np.ndarray:
    """Open interest per row: the same on every contract within five strikes, 0 beyond."""
    near = np.tile(np.abs(np.array(STRIKES) - ATM) <= 250.0, 2)
    return np.where(near, np.array(rows)[:, None], 0.0)


@pytest.mark.parametrize(
    ("move", "then", "now", "quadrant", "expected"),
    [
        (26.0, 1000.0, 1010.0, "long_build_up", [(1, "26000 CE", 50.0)]),
        (-26.0, 1000.0, 1010.0, "short_build_up", [(1, "26000 PE", 50.0)]),
        (26.0, 1000.0, 990.0, "short_covering", [(1, "26000 CE", 50.0)]),
        (-26.0, 1000.0, 990.0, "long_unwinding", [(1, "26000 PE", 50.0)]),
        (52.0, 1000.0, 1010.0, "long_build_up", [(1, "26000 CE", 50.0)]),  # the lesser counts
        (52.0, 1000.0, 1020.0, "long_build_up", [(1, "26000 CE", 75.0)]),
        (13.0, 1000.0, 1010.0, "", []),  # 0.05 % exactly
        (13.01, 1000.0, 1010.0, "long_build_up", [(1, "26000 CE", 0.08)]),
        (26.0, 1000.0, 1005.0, "", []),  # 0.5 % exactly
        (26.0, 1000.0, 995.0, "", []),
        (26.0, 2000.0, 2011.0, "long_build_up", [(1, "26000 CE", 9.09)]),
        (26.0, 0.0, 1010.0, "", []),  # nothing to compare with
        (NAN, 1000.0, 1010.0, "", []),
    ],
)
def test_each_quadrant_follows_the_price(move, then, now, quadrant, expected):
    panel = chain([600, 615], [ATM, ATM + move], oi=interest([then, now]))
    said = orders("oi_buildup", panel)
    assert bought(panel, said) == expected
    assert all(said.target == 0.25)
    assert all(said.stop == 0.15)
    for name in ("long_build_up", "short_build_up", "short_covering", "long_unwinding"):
        left = [] if name == quadrant else expected
        assert bought(panel, orders("oi_buildup", panel, **{name: False})) == left


@pytest.mark.parametrize(
    ("minutes", "chain_rows", "expected"),
    [
        ([600, 614.9, 615], [1, 1, 1], [-1, -1, 0]),
        ([600, 600.1, 615], [1, 1, 1], [-1, -1, 0]),
        ([600, 600.1, 615.2], [1, 1, 1], [-1, -1, 1]),  # the latest that is old enough
        ([600, 630], [1, 1], [-1, 0]),
        ([600, 630.01], [1, 1], [-1, -1]),  # too old
        ([600, 601, 616], [1, 0, 1], [-1, -1, 0]),  # monitor rows are not chain rows
        ([600, 616], [0, 0], [-1, -1]),
        ([], [], []),
    ],
)
def test_the_row_to_compare_with(minutes, chain_rows, expected):
    panel = small_panel(minutes, [ATM], [1], 60.0, chain=[bool(is_one) for is_one in chain_rows])
    assert rows_before(panel, 15.0).tolist() == expected


def test_open_interest_counts_where_it_is_known_at_both_moments_within_five_strikes():
    oi = interest([1000.0, 1010.0])
    oi[0, 12], oi[1, 12] = NAN, 900_000.0  # the call at the money comes later
    oi[0, 37], oi[1, 37] = 900_000.0, NAN  # the put goes
    oi[:, 18] = 1.0, 900_000.0  # six strikes out
    panel = chain([600, 615], [ATM, ATM + 26.0], oi=oi)
    assert bought(panel, orders("oi_buildup", panel)) == [(1, "26000 CE", 50.0)]
    wider = bought(panel, orders("oi_buildup", panel, strikes=6))
    assert wider == [(1, "26000 CE", 50.0)]  # then price is the lesser
    oi[:, :] = NAN
    oi[:, 12] = 1000.0, 1010.0  # one contract is enough
    assert len(orders("oi_buildup", chain([600, 615], [ATM, ATM + 26.0], oi=oi))) == 1


def test_the_strikes_are_those_around_the_money_of_now():
    """The money moves by two strikes: what is near now is compared, then as now."""
    strikes, rights = np.array(STRIKES * 2), np.repeat([1, -1], len(STRIKES))
    forward = np.array([[ATM], [ATM + 100.0]])
    ltp = 100.0 + np.maximum(rights * (forward - strikes), 0.0)
    oi = np.full((2, 50), 1000.0)
    oi[1, strikes == ATM + 350.0] = 1110.0  # seven steps then, five now: 2 of 22 grow by 11 %
    oi[1, strikes == ATM - 200.0] = 900_000.0  # four steps then, six now
    panel = small_panel(
        [600, 615], strikes.tolist(), rights.tolist(), ltp, spot=[ATM, ATM + 100.0], oi=oi
    )
    assert bought(panel, orders("oi_buildup", panel)) == [(1, "26100 CE", 50.0)]  # 1 % in all


# pcr_reversal


def sides(call: float, put: float) -> np.ndarray:
    """One row of open interest: ``call`` and ``put`` on each strike."""
    return np.repeat([call, put], len(STRIKES))[None, :]


@pytest.mark.parametrize(
    ("call", "put", "expected"),
    [
        (1000.0, 1700.0, []),  # 1.70 exactly
        (1000.0, 1701.0, [(0, "26000 CE", 0.06)]),
        (1000.0, 3400.0, [(0, "26000 CE", 50.0)]),
        (1000.0, 1000.0, []),
        (1000.0, 700.0, []),
        (1000.0, 699.0, [(0, "26000 PE", 0.14)]),
        (1000.0, 350.0, [(0, "26000 PE", 50.0)]),
        (0.0, 1000.0, []),  # no ratio
        (1000.0, 0.0, []),  # no put has any
        (NAN, 1000.0, []),
        (1000.0, NAN, []),
    ],
)
def test_an_extreme_ratio_is_bet_against(call, put, expected):
    panel = chain([600], oi=sides(call, put))
    said = orders("pcr_reversal", panel)
    assert bought(panel, said) == expected
    assert all(said.target == 0.25)
    assert all(said.stop == 0.15)
    other = {"26000 CE": "26000 PE", "26000 PE": "26000 CE"}
    followed = bought(panel, orders("pcr_reversal", panel, sign="follow"))
    assert followed == [(row, other[option], strength) for row, option, strength in expected]


@pytest.mark.parametrize(("calls", "puts", "speaks"), [(5, 5, 1), (4, 5, 0), (5, 4, 0), (0, 5, 0)])
def test_five_strikes_a_side_must_have_open_interest(calls, puts, speaks):
    oi = np.full((1, 50), NAN)
    oi[0, 10 : 10 + calls] = 1000.0
    oi[0, 35 : 35 + puts] = 5000.0
    oi[0, 24], oi[0, 49] = 1000.0, 5000.0  # twelve strikes out, not counted
    panel = chain([600], oi=oi)
    assert len(orders("pcr_reversal", panel)) == speaks


def test_ten_strikes_each_side_count():
    oi = sides(1000.0, 1000.0)
    oi[0, 25 + 22] = 15_701.0  # ten out: 20 * 1000 + 15,701 over 21,000 is 1.70005
    assert len(orders("pcr_reversal", chain([600], oi=oi))) == 1
    oi = sides(1000.0, 1000.0)
    oi[0, 25 + 23] = 900_000.0  # eleven out
    assert len(orders("pcr_reversal", chain([600], oi=oi))) == 0


# All three


def talkative(**changed: object) -> Panel:
    """A day whose last row makes all three speak."""
    oi = sides(1000.0, 1010.0) * np.array([[1.0], [1.01], [1.02]])
    oi[:, 25:] *= 3.0
    fields = {"oi": np.rint(oi), "volume": [[0.0], [75.0], [75.0]], **changed}
    return chain([600, 605, 620], [ATM, ATM, ATM + 200.0], **fields)


@each
def test_only_what_is_tradable_is_bought(name):
    day = talkative()
    (one,) = [said for said in bought(day, orders(name, day)) if said[0] == 2]
    column = 12 if "CE" in one[1] else 37
    cheap, gone = (np.array(day.ltp) for _ in range(2))
    cheap[2, [12, 37]] = 50.0
    gone[2, column] = NAN
    for ltp in (cheap, gone):
        panel = dataclasses.replace(day, fields=day.fields | {"ltp": ltp})
        assert 2 not in orders(name, panel).row
    assert 2 not in orders(name, day, min_premium=1000.0).row
    assert 2 not in orders(name, day, band=0.001).row  # 26,000 is 0.76 % from spot
    assert 2 not in orders(name, day, min_life_minutes=60.0 * 24 * 7).row


@each
def test_a_wide_book_is_not_bought(name):
    day = talkative()
    for spread, speaks in ((0.05, True), (0.051, False)):
        bid, ask = day.ltp * (1 - spread / 2), day.ltp * (1 + spread / 2)
        panel = dataclasses.replace(
            day, has_book=True, fields=day.fields | {"bid": bid + 1e-9, "ask": ask - 1e-9}
        )
        assert (2 in orders(name, panel).row) == speaks


@each
def test_monitor_rows_say_and_change_nothing(name):
    """Between its chain rows a day gets quotes of wild size, of strikes not seen before too."""
    day = talkative()
    late = dict(day.fields)
    for field in ("ltp", "oi", "volume"):
        late[field] = np.array(late[field])
        late[field][:2, [0, 1, 25, 26]] = NAN  # the lowest strikes appear on the last row
    day = dataclasses.replace(day, fields=late)
    without = bought(day, orders(name, day))
    order = np.array([0, 0, 1, 1, 2, 2])
    is_chain = np.array([True, False] * 3)
    wild = np.where(is_chain[:, None], 0.0, 500_000.0)
    fields = {field: values[order] for field, values in late.items()}
    for field in ("oi", "volume", "ltp"):
        fields[field] = np.where(is_chain[:, None], fields[field], wild + 77.0)
    ts = day.ts[order] + np.where(is_chain, 0, 20_000_000).astype("timedelta64[us]")
    spot = np.where(is_chain, day.spot[order], 30_000.0)
    panel = dataclasses.replace(day, ts=ts, known=ts, is_chain=is_chain, spot=spot, fields=fields)
    said = [
        (row // 2, option, strength) for row, option, strength in bought(panel, orders(name, panel))
    ]
    assert said == without
    assert any(row == 2 for row, _, _ in without)


def test_a_strike_exists_from_the_first_chain_row_that_quotes_it():
    """26,000 is quoted on a monitor row before it is in the chain."""
    gone = [[160, NAN, 60], [160, 100, 60], [160, NAN, 60], [160, 100, 60]]
    ltp = np.hstack([gone, np.array(gone)[:, ::-1]])
    strikes = [25_950.0, ATM, 26_050.0]
    panel = small_panel(
        [600, 600.5, 601, 602],
        strikes * 2,
        [1] * 3 + [-1] * 3,
        ltp,
        chain=[True, False, True, True],
    )
    steps = strikes_from_the_money(panel, 60.0)
    np.testing.assert_array_equal(steps[[0, 2, 3], :3], [[0, NAN, 1], [0, NAN, 1], [-1, 0, 1]])


@each
def test_days_without_what_it_needs_are_silent(name):
    day = talkative()
    for field in built_in(name).needs:
        blank = day.fields | {field: np.full(day.ltp.shape, NAN)}
        assert len(orders(name, dataclasses.replace(day, fields=blank))) == 0


def test_the_level_does_without_volume():
    day = talkative(volume=NAN)
    (one,) = orders("vwap_deviation", day).strength
    assert one == pytest.approx(31.575)  # 200 / 3 * 2 above 26,066.67 is 0.5115 %


@each
def test_what_has_open_interest_and_volume_before_a_price_does_not_exist_yet(name):
    """Calls above the money get their first price on the last row; cut before, they are unknown."""
    strikes = range(13, 17)
    ltp = np.array(np.broadcast_to(chain([600]).ltp, (4, 50)))
    ltp[:3, strikes] = NAN
    oi = np.rint(sides(1000.0, 3030.0) * np.array([[1.0], [1.0], [1.02], [1.04]]))
    oi[:, strikes] = np.array([[40_000.0], [90_000.0], [20_000.0], [20_000.0]])
    volume = np.zeros((4, 50)) + np.array([[0.0], [75.0], [75.0], [75.0]])
    volume[:, strikes] = np.array([[0.0], [0.0], [900_000.0], [900_000.0]])
    day = chain([600, 605, 620, 640], [ATM, ATM, ATM + 200.0, ATM + 400.0], oi=oi, volume=volume)
    day = dataclasses.replace(day, fields=day.fields | {"ltp": ltp})
    require(orders_of(built_in(name)), day)
    assert 2 in orders(name, day).row
