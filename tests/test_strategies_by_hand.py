"""What strategies order on days made by hand: thresholds met exactly, and missed by a hair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from option_chains import LTP, chain, column, remembering, spoken, unquoted

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.orders import Orders
from optiq.trade.strategies import built_in

NOON = [720.0, 721.0, 722.0]
CALL, PUT = "+26000CE", "+26000PE"
STRADDLE, CONDOR = "+26000CE +26000PE", "-26300CE -25700PE +26500CE +25500PE"


def asked(name: str, day: Panel, context: Context, **params: float) -> Orders:
    strategy = built_in(name)
    params_given = replace(strategy.params, **params)
    return built_in(name, params_given).entries(day, context)


# Quantum edge


def expecting(*probabilities: tuple[float, float, float]) -> Context:
    return Context(direction=np.array(probabilities))


@pytest.mark.parametrize(
    ("sell", "hold", "buy", "order", "strength"),
    [
        (0.00, 0.00, 1.00, CALL, 100.0),
        (0.10, 0.15, 0.75, CALL, 50.0),
        (0.75, 0.15, 0.10, PUT, 50.0),
        (0.10, 0.40, 0.50, CALL, 0.0),  # met exactly
        (0.10, 0.40001, 0.49999, None, None),  # missed by a hair
        (0.50, 0.40, 0.10, PUT, 0.0),
        (0.00, 0.50, 0.50, None, None),  # the largest, but not alone
        (0.50, 0.00, 0.50, None, None),
        (0.20, 0.60, 0.20, None, None),
        (np.nan, np.nan, np.nan, None, None),
    ],
)
def test_quantum_edge_follows_a_confident_model(sell, hold, buy, order, strength):
    orders = asked("quantum_edge", chain([720.0]), expecting((sell, hold, buy)))
    assert spoken(chain([720.0]), orders) == ([(0, order)] if order else [])
    assert orders.strength.tolist() == pytest.approx([strength] if order else [])


def test_quantum_edge_may_be_told_to_trust_less():
    context = expecting((0.3, 0.3, 0.4))
    assert len(asked("quantum_edge", chain([720.0]), context)) == 0
    orders = asked("quantum_edge", chain([720.0]), context, threshold=0.25)
    assert orders.strength.tolist() == pytest.approx([20.0])  # (0.40 - 0.25) / 0.75
    assert [orders.target[0], orders.stop[0], orders.max_hold_minutes[0]] == [0.30, 0.15, 60.0]


def test_quantum_edge_speaks_of_each_row_by_itself():
    context = expecting((0.9, 0.1, 0.0), (np.nan,) * 3, (0.0, 0.1, 0.9))
    assert spoken(chain(NOON), asked("quantum_edge", chain(NOON), context)) == [
        (0, PUT),
        (2, CALL),
    ]


# Opening range

OPENING = [(555.0, 26_000.0), (562.0, 26_050.0), (569.9, 26_010.0)]  # 26,000 to 26,050
TOP, BOTTOM = 26_055.21, 25_994.80  # with 0.02 % of the edge


def opened(*later: tuple[float, float], **changes: object) -> Panel:
    minutes, spot = zip(*OPENING, *later, strict=True)
    return chain(list(minutes), spot=list(spot), **changes)


@pytest.mark.parametrize(
    ("later", "order"),
    [
        ([(570.05, TOP)], (3, CALL)),  # met exactly; the range is complete after 09:30:00
        ([(570.05, TOP - 0.01)], None),  # missed by a hair
        ([(570.05, BOTTOM)], (3, PUT)),
        ([(570.05, BOTTOM + 0.01)], None),
        ([(570.0, 26_200.0)], None),  # until 09:30 it only widens the range
        ([(570.0, 26_200.0), (570.05, TOP)], None),
        ([(690.0, TOP)], (3, CALL)),  # 135 minutes after the open
        ([(690.1, TOP)], None),
        ([(580.0, 26_020.0), (581.0, np.nan), (582.0, BOTTOM), (583.0, TOP)], (5, PUT)),
        ([(580.0, TOP), (581.0, 26_020.0), (582.0, TOP)], (3, CALL)),  # once a day
    ],
)
def test_opening_range_decides_once(later, order):
    day = opened(*later)
    assert spoken(day, asked("opening_range", day, Context())) == ([order] if order else [])


def test_opening_range_is_stronger_the_further_beyond():
    for spot, strength in ((TOP, 0.0), (TOP + 25.0, 50.0), (TOP + 80.0, 100.0), (BOTTOM - 10, 20)):
        orders = asked("opening_range", opened((571.0, spot)), Context())
        assert orders.strength.tolist() == pytest.approx([strength])
    assert [orders.target[0], orders.stop[0]] == [0.40, 0.25]
    assert [orders.trail_after[0], orders.trail[0]] == [0.20, 0.15]


def test_a_range_of_no_width_and_no_buffer_is_left_not_touched():
    day = chain([555.0, 560.0, 570.0, 571.0], spot=[26_000.0, 26_000.0, 26_000.0, 26_000.05])
    orders = asked("opening_range", day, Context(), buffer=0.0)
    assert spoken(day, orders) == [(3, CALL)]
    assert orders.strength.tolist() == [100.0]


def test_an_untradable_contract_on_the_first_row_ends_the_day():
    day = opened((570.5, TOP), (571.0, TOP))
    assert asked("opening_range", day, Context()).row.tolist() == [3]
    assert len(asked("opening_range", unquoted(day, (3, "26000CE")), Context())) == 0
    assert asked("opening_range", unquoted(day, (3, "26000PE")), Context()).row.tolist() == [3]
    assert asked("opening_range", unquoted(day, (4, "26000CE")), Context()).row.tolist() == [3]


def test_the_range_counts_from_that_sessions_open():
    """Muhurat opens at 13:45."""
    minutes, spot = [825.0, 839.0, 840.5], [26_000.0, 26_050.0, TOP]
    day = replace(chain(minutes, spot=spot), open_minute=825.0, close_minute=885.0)
    assert spoken(day, asked("opening_range", day, Context())) == [(2, CALL)]
    assert len(asked("opening_range", replace(day, open_minute=820.0), Context())) == 0


def test_monitor_rows_neither_widen_the_range_nor_leave_it():
    day = opened((565.0, 26_300.0), (570.5, TOP), (571.0, TOP))
    order = np.argsort(day.ts)
    day = replace(
        day, ts=day.ts[order], known=day.ts[order], spot=day.spot[order], is_chain=np.ones(6, bool)
    )
    assert len(asked("opening_range", day, Context())) == 0
    monitor = replace(day, is_chain=np.array([True, True, False, True, False, True]))
    assert asked("opening_range", monitor, Context()).row.tolist() == [5]


@pytest.mark.parametrize(
    ("minutes", "reason"),
    [
        ([555.0, 570.5], "under 2 rows with a spot in the first 15 minutes"),
        ([575.0, 590.0], "under 2 rows with a spot in the first 15 minutes"),
        ([555.0, 570.0, 571.0], None),
        ([555.0], None),  # the minutes are not over: nothing can be said
    ],
)
def test_opening_range_says_why_there_is_no_range(minutes, reason):
    assert built_in("opening_range").silence(chain(minutes), Context()) == reason


# Rank of volatility


PAST = remembering(*np.linspace(0.10, 0.14, 20))


@pytest.mark.parametrize(
    ("iv", "order", "strength"),
    [
        (0.13, CONDOR, 0.0),  # rank 75
        (0.12999, None, None),
        (0.135, CONDOR, 50.0),
        (0.16, CONDOR, 100.0),  # higher than ever: rank 150
        (0.11, STRADDLE, 0.0),  # rank 25
        (0.11001, None, None),
        (0.105, STRADDLE, 50.0),
        (0.09, STRADDLE, 100.0),
        (0.12, None, None),
    ],
)
def test_iv_rank_sells_what_is_dear_and_buys_what_is_cheap(iv, order, strength):
    day = chain([720.0], iv=iv)
    orders = asked("iv_rank", day, PAST)
    assert spoken(day, orders) == ([(0, order)] if order else [])
    assert orders.strength.tolist() == pytest.approx([strength] if order else [])
    exits = {CONDOR: (0.50, 1.00), STRADDLE: (0.25, 0.15), None: ()}[order]
    assert (*orders.target.tolist(), *orders.stop.tolist()) == exits


def test_orders_of_both_kinds_come_row_by_row():
    day = chain(NOON, iv=np.array([0.09, 0.16, 0.09])[:, None])
    assert spoken(day, asked("iv_rank", day, PAST)) == [(0, STRADDLE), (1, CONDOR), (2, STRADDLE)]


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([0.10] * 10 + [0.14] * 9, "under 20 days of history"),
        ([0.10] * 10 + [np.nan] + [0.14] * 9, "under 20 days of history"),
        ([0.10] * 10 + [np.nan] + [0.14] * 10, None),
        ([], "under 20 days of history"),
        ([0.12] * 30, "one volatility on all past days"),
    ],
)
def test_iv_rank_needs_days_to_compare_with(history, reason):
    day, context = chain([720.0], iv=0.2), remembering(*history)
    assert built_in("iv_rank").silence(day, context) == reason
    assert len(asked("iv_rank", day, context)) == (reason is None)


def test_only_the_last_sixty_days_count():
    day = chain([720.0], iv=0.13)
    shadowed = remembering(0.90, *np.linspace(0.10, 0.14, 59))
    assert len(asked("iv_rank", day, shadowed)) == 1  # a rank of 4: the straddle
    forgotten = remembering(0.90, *np.linspace(0.10, 0.14, 60))
    assert spoken(day, asked("iv_rank", day, forgotten)) == [(0, CONDOR)]
    assert spoken(day, asked("iv_rank", day, shadowed, lookback_days=59)) == [(0, CONDOR)]


@pytest.mark.parametrize(
    ("wing", "params", "n"),
    [
        (5.05, {}, 1),
        (5.00, {}, 0),  # above 5, not at least
        (5.00, {"condor_min_premium": 4.0}, 1),
        (10.0, {"condor_min_premium": 50.0}, 0),  # the least premium of a single option
    ],
)
def test_the_legs_of_a_condor_may_be_cheap_but_not_worthless(wing, params, n):
    ltp = np.where(np.arange(len(LTP)) == column("26500CE"), wing, LTP)
    day = chain([720.0], iv=0.16, ltp=ltp)
    assert len(asked("iv_rank", day, PAST, **params)) == n


def test_the_straddle_keeps_the_ordinary_least_premium():
    day = chain([720.0], iv=0.09, ltp=LTP - 10.0)  # 50 at the money
    assert len(asked("iv_rank", day, PAST)) == 0
    assert len(asked("iv_rank", day, PAST, min_premium=49.0)) == 1
