"""The compiled walk against the slow reference, and against itself row by row."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from both_walks import compiled, outcome, slow, start
from hypothesis import given, settings
from markets import Market, as_hypothesis, random_market

SEEDS = range(2000)


@pytest.mark.parametrize("block", range(0, len(SEEDS), 250))
def test_both_walks_give_the_same_trades_and_refusals(block):
    for seed in SEEDS[block : block + 250]:
        market = random_market(seed)
        assert compiled(market) == slow(market), seed


@given(as_hypothesis())
@settings(max_examples=300)
def test_both_walks_agree_on_markets_that_shrink(market):
    assert compiled(market) == slow(market)


@pytest.mark.parametrize("seed", range(40))
def test_walking_row_by_row_is_walking_at_once(seed):
    market = random_market(seed)
    rows = start(market)
    for row in range(market.panel.n_rows):
        rows.advance(row + 1)
    rows.finish()
    at_once = start(market)
    at_once.advance(market.panel.n_rows)
    at_once.finish()
    assert outcome(rows.given.orders, rows.book) == outcome(at_once.given.orders, at_once.book)
    assert rows.book.day.tobytes() == at_once.book.day.tobytes()


@pytest.mark.parametrize("seed", range(40))
def test_nothing_depends_on_the_columns_positions(seed):
    market = random_market(seed)
    order = np.random.default_rng(seed).permutation(market.panel.n_contracts)
    assert compiled(_shuffled(market, order)) == compiled(market)


def _shuffled(market: Market, order: np.ndarray) -> Market:
    """The same market with its columns in another order."""
    panel = market.panel
    moved = dataclasses.replace(
        panel,
        **{name: getattr(panel, name)[order] for name in ("expiry", "strike", "right", "lot")},
        fields={name: values[:, order] for name, values in panel.fields.items()},
    )
    place = np.append(np.argsort(order), -1)  # -1, no leg, stays -1
    orders = [(name, dataclasses.replace(o, legs=place[o.legs])) for name, o in market.orders]
    return market._replace(panel=moved, orders=orders)


@pytest.mark.parametrize("seed", range(60))
def test_no_exit_comes_before_or_at_its_decision_when_orders_take_time(seed):
    market = random_market(seed)
    market = market._replace(settings=_with(market.settings, latency_s=1.0))
    trades, _ = compiled(market)
    for trade in trades:
        if not trade.stale:
            assert trade.entry_row > trade.decided_row
            assert trade.exit_row > trade.exit_decided_row > trade.entry_row


WITH_BOOK = [seed for seed in range(60) if random_market(seed).panel.has_book]


@pytest.mark.parametrize("seed", WITH_BOOK)
def test_every_price_lies_behind_a_quote_of_its_own_row(seed):
    market = random_market(seed)
    market = market._replace(settings=_with(market.settings, slippage_ticks=0))
    trades, _ = compiled(market)
    for trade in trades:
        legs = market.orders[trade.strategy][1].legs[trade.order]
        sides = market.orders[trade.strategy][1].side[trade.order]
        for k, price in enumerate(trade.entry):
            book = market.panel.ask if sides[k] > 0 else market.panel.bid
            assert abs(price / 100 - book[trade.entry_row, legs[k]]) < 0.0501


def _with(settings_, **changes):
    return dataclasses.replace(settings_, **changes)
