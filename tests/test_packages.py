"""Packages by name: which legs they have, and that they have all of them or are not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from markets import random_panel
from option_chains import STRIKE, chain, column, spoken, unquoted
from panels import EXPIRY

from optiq.errors import StrategyError
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.run.prefix import Subject, require
from optiq.run.said import of_orders
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.packages import iron_condor, straddle, strangle, vertical
from optiq.trade.tradability import nearest_expiry

NOON = [720.0, 721.0, 722.0]
CONDOR = "-26300CE -25700PE +26500CE +25500PE"


@pytest.mark.parametrize(
    ("build", "legs"),
    [
        (lambda *at: straddle(*at), "+26000CE +26000PE"),
        (lambda *at: straddle(*at, side=-1), "-26000CE -26000PE"),
        (lambda *at: strangle(*at, side=-1), "-26300CE -25700PE"),
        (lambda *at: strangle(*at, 0.25), "+26250CE +25750PE"),
        (lambda *at: strangle(*at, 0.33), "+26150CE +25850PE"),
        (lambda *at: strangle(*at, 0.325 - 1e-9), "+26200CE +25800PE"),  # nearer 0.30 by a hair
        (lambda *at: strangle(*at, 0.325 + 1e-9), "+26150CE +25850PE"),
        (lambda *at: vertical(*at, 1), "+26000CE -26200CE"),
        (lambda *at: vertical(*at, -1), "+26000PE -25800PE"),
        (lambda *at: vertical(*at, -1, 2, 1, side=-1), "-25900PE +25850PE"),
        (lambda *at: vertical(*at, 1, -1, 1), "+25950CE -26000CE"),
        (lambda *at: iron_condor(*at), CONDOR),
        (lambda *at: iron_condor(*at, side=1), "+26300CE +25700PE -26500CE -25500PE"),
        (lambda *at: iron_condor(*at, 0.42, 1), "-26100CE -25900PE +26150CE +25850PE"),
    ],
)
def test_the_legs(build, legs):
    day = chain(NOON)
    assert spoken(day, build(day, np.array([1, 2]), EXPIRY)) == [(1, legs), (2, legs)]


def test_no_condor_whose_wings_are_off_the_chain():
    day = chain(NOON)
    assert len(iron_condor(day, np.array([0]), EXPIRY, wing_steps=5)) == 0  # beyond 26,500
    assert len(iron_condor(day, np.array([0]), EXPIRY, 0.0, 1)) == 0  # the shorts are the last


def test_no_strangle_of_one_strike():
    day = chain(NOON)
    assert len(strangle(day, np.array([0]), EXPIRY, 0.5)) == 0
    assert len(iron_condor(day, np.array([0]), EXPIRY, 0.5)) == 0


@pytest.mark.parametrize("turned", [1, -1])
def test_of_two_deltas_as_near_the_lower_strike(turned):
    delta = np.full(len(STRIKE), np.nan)
    for name, value in (("26200CE", 0.125), ("26100CE", 0.375)):
        delta[column(name)] = value
    for name, value in (("25700PE", -0.125), ("25800PE", -0.375), ("25600PE", -0.1)):
        delta[column(name)] = value
    day = chain(NOON, delta=delta).reordered(np.arange(len(STRIKE))[::turned])
    orders = strangle(day, np.array([0]), EXPIRY, 0.25)
    assert spoken(day, orders) == [(0, "+26100CE +25700PE")]


@pytest.mark.parametrize("leg", ["26300CE", "25700PE", "26500CE", "25500PE"])
def test_all_legs_are_quoted_on_the_row_or_there_is_no_order(leg):
    """A short that is not quoted has no delta either: its neighbour's wings lie elsewhere."""
    day = unquoted(chain(NOON), (1, leg))
    allowed = np.ones(day.ltp.shape, bool)
    legs = dict(spoken(day, iron_condor(day, np.arange(3), EXPIRY)))
    assert legs[0] == legs[2] == CONDOR
    assert leg not in legs.get(1, "")
    allowed[2, column(leg)] = False
    among = dict(spoken(day, iron_condor(day, np.arange(3), EXPIRY, among=allowed)))
    assert 2 not in among
    assert among[0] == CONDOR


def test_a_strike_counts_from_the_first_row_that_quotes_it():
    """Before 26,050 exists, 26,100 is one strike from the money."""
    day = unquoted(chain(NOON), (0, "26050CE"), (0, "26050PE"), (2, "26050PE"), (2, "26050CE"))
    spreads = vertical(day, np.arange(3), EXPIRY, 1, 1, 1)
    assert spoken(day, spreads) == [(0, "+26100CE -26150CE"), (1, "+26050CE -26100CE")]


def test_rows_are_numbers_or_a_mask_and_monitor_rows_decide_nothing():
    day = chain(NOON, chain=[True, False, True])
    by_number = straddle(day, np.array([0, 1, 2]), EXPIRY)
    by_mask = straddle(day, np.ones(3, bool), EXPIRY)
    assert by_number.row.tolist() == by_mask.row.tolist() == [0, 2]
    with pytest.raises(StrategyError, match=r"of shape \(2,\), the panel has 3 rows"):
        straddle(day, np.ones(2, bool), EXPIRY)


def test_the_expiry_is_a_date_or_a_place_for_each_row():
    day = chain(NOON)
    assert straddle(day, np.arange(3), np.array([0, -1, 0])).row.tolist() == [0, 2]
    assert len(straddle(day, np.arange(3), np.datetime64("2025-12-02"))) == 0  # not seen yet


def test_strength_and_rule_are_passed_on():
    rule = ExitRule(0.5, 1.0)
    orders = iron_condor(
        chain(NOON), np.array([0, 2]), EXPIRY, rule=rule, strength=np.array([1.0, 2.0, 3.0])
    )
    assert orders.strength.tolist() == [1.0, 3.0]
    assert (orders.target.tolist(), orders.stop.tolist()) == ([0.5, 0.5], [1.0, 1.0])
    assert np.isnan(orders.trail).all()


def test_wings_of_no_width_are_refused():
    with pytest.raises(StrategyError, match="wing_steps of 0"):
        iron_condor(chain(NOON), np.array([0]), EXPIRY, wing_steps=0)


def test_a_panel_without_contracts_has_no_packages():
    nothing = chain(NOON).until(0)
    assert len(iron_condor(nothing, np.zeros(0, bool), EXPIRY)) == 0
    empty = chain(NOON).reordered(np.arange(0))
    assert len(iron_condor(empty, np.ones(3, bool), np.full(3, -1))) == 0


# Properties, on days with holes of every kind


def wild(seed: int) -> Panel:
    rng = np.random.default_rng(seed)
    day = random_panel(rng, n_rows=40, n_contracts=int(rng.integers(8, 40)))
    delta = np.clip(0.5 - (day.strike - 24_000) / 400 + rng.normal(0, 0.05, day.ltp.shape), 0, 1)
    delta = np.where(day.right > 0, delta, delta - 1.0)
    return replace(day, fields=day.fields | {"delta": np.where(day.observed, delta, np.nan)})


def everywhere(build: Callable[..., Orders], day: Panel, **how: object) -> Orders:
    return build(day, np.ones(day.n_rows, bool), nearest_expiry(day, 60.0), **how)


def strikes_by(day: Panel, row: int, expiry: np.datetime64) -> list[float]:
    there = (day.expiry == expiry) & (day.first_row <= row)
    return sorted(set(day.strike[there].tolist()))


BUILDERS: dict[str, Callable[[Panel], Orders]] = {
    "straddle": lambda day: everywhere(straddle, day),
    "strangle": lambda day: everywhere(strangle, day, delta=0.35),
    "vertical": lambda day: everywhere(vertical, day, right=-1, steps_out=1, wing_steps=2),
    "iron_condor": lambda day: everywhere(iron_condor, day, short_delta=0.4, wing_steps=2),
}
SEEDS = range(40)


@pytest.mark.parametrize("name", BUILDERS)
def test_every_leg_is_distinct_of_one_expiry_and_quoted(name):
    n = 0
    for seed in SEEDS:
        day = wild(seed)
        orders = BUILDERS[name](day)
        for row, padded in zip(orders.row, orders.legs, strict=True):
            legs = padded[padded >= 0]
            assert day.is_chain[row]
            assert day.observed[row, legs].all()
            assert len(set(legs.tolist())) == len(legs) == {"iron_condor": 4}.get(name, 2)
            assert len(set(day.expiry[legs].tolist())) == 1
        n += len(orders)
    assert n > 50


def test_wings_lie_as_many_strikes_out_as_asked():
    n = 0
    for seed in SEEDS:
        day = wild(seed)
        orders = BUILDERS["iron_condor"](day)
        for row, legs in zip(orders.row, orders.legs, strict=True):
            strikes = strikes_by(day, row, day.expiry[legs[0]])
            call, put, far_call, far_put = (strikes.index(k) for k in day.strike[legs])
            assert far_put + 2 == put < call == far_call - 2
            assert day.right[legs].tolist() == [1, -1, 1, -1]
        n += len(orders)
    assert n > 50


@pytest.mark.parametrize("name", BUILDERS)
def test_packages_do_not_look_ahead(name):
    compared = 0
    for seed in range(0, 40, 8):
        build = BUILDERS[name]
        subject = Subject(name, lambda day, _, build=build: of_orders(day, build(day)))
        compared += require(subject, wild(seed), Context(), seed)
    assert compared > 50
