"""The audit of strategies: those that ship pass it, and whoever peeks is caught by name."""

from __future__ import annotations

import json
from collections.abc import Iterator

import cheats
import numpy as np
import pytest

from optiq import Context, Orders, Panel
from optiq.cli.app import main
from optiq.learn.audit import asked
from optiq.learn.audit_market import UNDERLYING, fair_market
from optiq.learn.strategy_audit import (
    CHECKS,
    Day,
    Subject,
    _days_of,
    moved,
    random_walk,
    shifted,
    truncation,
    warm_up,
)
from optiq.run.backtest import Settings
from optiq.trade.strategies import BUILT_IN, Strategy, built_in


@pytest.fixture(scope="module")
def walk() -> Iterator[tuple[Day, ...]]:
    with fair_market(14, 3) as store:
        yield tuple(_days_of(store, UNDERLYING, built_in("gamma_scalping"), 14, 3))


def subject(strategy: Strategy, walk: tuple[Day, ...]) -> Subject:
    return Subject(strategy, walk[-1:], walk, Settings(), 3)


@pytest.mark.parametrize("name", BUILT_IN)
def test_those_that_ship_pass(name: str, walk: tuple[Day, ...]) -> None:
    found = asked(CHECKS, subject(built_in(name), walk))
    assert [one.check for one in found] == ["truncation", "warm-up", "shifted", "random walk"]
    assert [one.says for one in found if not one.passed] == []


def test_they_are_heard(walk: tuple[Day, ...]) -> None:
    """A coin for a direction and a drawn past make even those speak that wait for either."""
    for name in ("quantum_edge", "iv_rank", "gamma_scalping"):
        assert truncation(subject(built_in(name), walk))[2]["statements"] > 0


@pytest.mark.parametrize("cheat", cheats.CHEATS[:4])
def test_who_peeks_a_row_ahead_is_caught_by_row_and_contract(cheat, walk) -> None:
    passed, says, _ = truncation(subject(cheats.strategy(cheat, "cheat"), walk))
    assert not passed
    assert says.startswith(f"strategy 'cheat' contradicts itself on NIFTY {walk[-1][0].date}, row")
    assert " CE of " in says


def oracle(minutes: int, walk: tuple[Day, ...]) -> Subject:
    """Who buys calls before the index rises; on a recorded day it could have been told."""

    def rule(panel: Panel) -> Orders:
        ahead = np.append(panel.spot[minutes:], np.full(minutes, np.nan))
        return cheats.calls_where(panel, ahead > panel.spot * (1.0 + 1e-4 * (minutes + 5)))

    return subject(cheats.strategy(rule, "oracle"), walk)


def test_who_knows_ten_minutes_shows_a_profit_where_there_is_none(walk) -> None:
    passed, says, numbers = random_walk(oracle(10, walk))
    assert not passed
    assert "14 sessions of a random walk" in says
    assert numbers["low"] > 0


def test_who_knows_five_minutes_cannot_wait(walk) -> None:
    passed, says, numbers = shifted(oracle(5, walk))
    assert not passed
    assert "orders 5 rows later cost" in says
    assert numbers["low"] > 0


def remembers_everything(panel: Panel, context: Context, params: object) -> Orders:
    mean = float(np.nanmean(context.closes))
    return cheats.calls_where(panel, panel.minute % 20 < 1, float(mean % 100.0))


def remembers_a_month(panel: Panel, context: Context, params: object) -> Orders:
    mean = float(np.nanmean(context.closes[-20:]))
    return cheats.calls_where(panel, panel.minute % 20 < 1, float(mean % 100.0))


@pytest.mark.parametrize(
    ("rule", "passes"), [(remembers_everything, False), (remembers_a_month, True)]
)
def test_a_memory_without_an_end_is_found(rule, passes: bool, walk) -> None:
    strategy = cheats.strategy(lambda panel: Orders.empty(), "old")
    object.__setattr__(strategy, "rule", rule)
    passed, says, _ = warm_up(subject(strategy, walk))
    assert passed == passes
    assert passes or "1,000 sessions before it" in says


def test_orders_are_moved_within_the_day(walk) -> None:
    panel, context = walk[0]
    plain = built_in("gamma_scalping")
    row = plain.entries(panel, context).row
    later, earlier = (moved(plain, rows).entries(panel, context).row for rows in (5, -5))
    assert later.tolist() == (row[row + 5 < panel.n_rows] + 5).tolist()
    assert earlier.tolist() == (row[row >= 5] - 5).tolist()


PEEKING = '''
"""Buys calls where the next row is higher."""
from dataclasses import dataclass
import numpy as np
from optiq import Orders

@dataclass(frozen=True)
class Params:
    points: float = 3.0

def entries(panel, context, params):
    ahead = np.append(panel.spot[1:], np.nan)
    rises = ahead > panel.spot + params.points
    near = np.abs(panel.strike - panel.spot[:, None]) <= 100.0
    return Orders.single(panel, near & (panel.right > 0) & (panel.ltp > 0) & rises[:, None])
'''


def test_a_file_that_peeks_ends_with_three_and_names_the_check(tmp_path, capsys) -> None:
    file = tmp_path / "hopeful.py"
    file.write_text(PEEKING)
    words = ["audit", "strategy", str(file), "--store", str(tmp_path / "none"), "--json"]
    assert main(words) == 3
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["ok"], told["kind"], told["version"]) == (False, "strategy", "hopeful")
    assert "truncation" in told["error"]["message"]
    (cut,) = (check for check in told["checks"] if check["check"] == "truncation")
    assert "strategy 'hopeful' contradicts itself" in cut["says"]


@pytest.mark.parametrize("name", ["all", "candidate"])
def test_one_strategy_at_a_time(name: str, tmp_path, capsys) -> None:
    assert main(["audit", "strategy", name, "--store", str(tmp_path)]) == 2
    assert "strateg" in capsys.readouterr().err


@pytest.mark.study
def test_honest_strategies_are_seldom_accused(write_study) -> None:
    """Twenty random walks each: at most 8 % show a profit, and hardly a wait a cost."""
    seeds = range(20)
    found = {name: {"random walk": 0, "shifted": 0} for name in BUILT_IN}
    for seed in seeds:
        with fair_market(40, seed) as store:
            days = tuple(_days_of(store, UNDERLYING, built_in("gamma_scalping"), 40, seed))
            for name in BUILT_IN:
                mine = Subject(built_in(name), days[-1:], days, Settings(), seed)
                found[name]["random walk"] += not random_walk(mine)[0]
                found[name]["shifted"] += not shifted(mine)[0]
    write_study(
        "random-walk-strategies",
        f"Each strategy on {len(seeds)} random walks of 40 sessions, options at their fair price: "
        "how often the audit accused it. A coin stands for the direction model.",
        ["strategy", "a profit shows (95 %)", "waiting five rows costs (99 %)"],
        [(name, *counts.values()) for name, counts in found.items()],
    )
    n = len(seeds) * len(BUILT_IN)
    assert sum(counts["random walk"] for counts in found.values()) <= 0.08 * n
    assert sum(counts["shifted"] for counts in found.values()) <= 0.02 * n
