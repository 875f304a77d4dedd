"""Labels are outcomes of every tradable purchase; nothing unresolved is among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from panels import panel

from optiq.errors import InputError
from optiq.learn.labels import exit_rule, labels, uniqueness
from optiq.run.backtest import Settings
from optiq.trade.fills import WalkSettings
from optiq.trade.orders import ExitRule
from optiq.trade.strategies import built_in

NAN = np.nan
RULE = built_in("gamma_scalping")
AT_ONCE = Settings(walk=WalkSettings(latency_s=0.0))


def test_a_label_is_the_net_result_of_buying_alone():
    """Bought at the ask of 100.05, sold at the bid once the mark is 15 % up."""
    day = panel(
        [600, 601, 602, 603],
        [26_000.0],
        [1],
        [[100.0], [104.0], [116.0], [90.0]],
        bid=[[99.95], [103.95], [115.95], [89.95]],
        ask=[[100.05], [104.05], [116.05], [90.05]],
    )
    found = labels(day, RULE, AT_ONCE)
    assert found.row.tolist() == [0, 1, 2]  # row 3 buys and is still open at the end
    assert found.dropped == {"never filled": 0, "open at the last row": 1}
    gross = 75 * (115.95 - 100.05)
    assert found.net_pnl[0] == pytest.approx(gross - 65, abs=15)
    assert found.r[0] == pytest.approx(found.net_pnl[0] / (0.10 * 75 * 100.05))
    assert found.label_end.tolist()[0] == day.ts[2].item()
    assert found.entry_ts.tolist()[0] == day.ts[0].item()
    assert (found.net_pnl[1:] < 0).all()  # 104.05 and 116.05 to 89.95, out at the stop
    assert (found.label_end[1:] == day.ts[3]).all()


def test_the_walks_settings_hold_but_for_lots():
    day = panel([600, 601, 602, 603], [26_000.0], [1], [[100.0], [101.0], [118.0], [119.0]])
    instant = labels(day, RULE, AT_ONCE)
    five_lots = replace(AT_ONCE, walk=WalkSettings(latency_s=0.0, lots=5))
    assert labels(day, RULE, five_lots).net_pnl[0] == instant.net_pnl[0]
    late = labels(day, RULE, Settings())
    assert late.entry_ts[0] == day.ts[1]
    assert instant.entry_ts[0] == day.ts[0]


def test_only_what_a_strategy_could_buy_has_a_label():
    """Too far, too cheap, no quote; the last strike stands for what is left."""
    prices = [[100.0, 40.0, NAN, 100.0]] * 2 + [[120.0, 60.0, NAN, 120.0]]
    day = panel([600, 601, 602], [28_000.0, 26_000.0, 26_050.0, 26_100.0], [1, 1, 1, 1], prices)
    found = labels(day, RULE, AT_ONCE)
    assert set(found.contract.tolist()) == {3}


def test_a_rule_comes_with_all_its_exits():
    assert exit_rule(RULE) == ExitRule(target=0.15, stop=0.10)
    assert exit_rule(built_in("quantum_edge")).max_hold_minutes == 60.0
    ranged = exit_rule(built_in("opening_range"))
    assert (ranged.target, ranged.stop, ranged.trail_after, ranged.trail) == (0.4, 0.25, 0.2, 0.15)


def test_a_strategy_without_one_exit_rule_cannot_label():
    without = replace(RULE, params=object())
    with pytest.raises(InputError, match="no target and stop"):
        exit_rule(without)


def test_uniqueness_by_hand():
    """Labels of rows 0-3 and 2-5 of one contract, and one that is alone in another.

    Concurrency is 1 1 2 2 1 1: each shares half of its four rows, a mean of 1.5.
    """
    day = panel([600 + k for k in range(6)], [26_000.0, 26_050.0], [1, 1], 100.0)
    weight = uniqueness(np.array([0, 2, 1]), np.array([3, 5, 4]), np.array([0, 0, 1]), day)
    assert weight.tolist() == pytest.approx([1 / 1.5, 1 / 1.5, 1.0])
