"""The audit's whole days: a longer past, features and outcomes out of line, a market of no edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scored_market import QUICK, RECIPE

from optiq.learn import registry
from optiq.learn.dataset import Dataset, dataset
from optiq.learn.scorer.audit import Subject, subject
from optiq.learn.scorer.audit_days import random_walk, shifted, warm_up
from optiq.learn.scorer.candidate import candidate
from optiq.learn.scorer.fit import NAMES
from optiq.learn.scorer.serving import features_of
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.plants import Momentum
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Subject:
    """Twenty sessions, ten minutes apart, in which the index goes on as it went."""
    folder = tmp_path_factory.mktemp("days")
    store = Store(folder / "store")
    plants = (Momentum(1.0),)
    simulation = Simulation(days=20, seed=3, plants=plants, row_seconds=600.0, strikes_each_side=6)
    store_simulation(simulation, store)
    data = dataset(store, store.days("NIFTY"), RECIPE)
    candidate(folder / "models", data, ("NIFTY",), RECIPE, QUICK)
    return subject(store, registry.load(folder / "models", "scorer", "1.0.0"), 0)


def rows_later(n: int) -> Callable[[Panel, Context, np.ndarray, np.ndarray], np.ndarray]:
    """What is seen of a cell, but as of so many rows later."""

    def look(panel, context, row, contract):
        return features_of(panel, context, np.minimum(row + n, panel.n_rows - 1), contract)

    return look


def test_an_honest_scorer_gains_from_newer_features_only(asked) -> None:
    passed, says, ranks = shifted(asked)
    assert passed, says
    assert ranks["sessions"] >= 10
    assert ranks["older"] + 0.02 < ranks["now"] < ranks["newer"] - 0.02


def quick(date: np.datetime64, n_rows: int = 60) -> np.ndarray:
    """Something that is new on every row of a day."""
    return np.random.default_rng(int(date.astype(int))).standard_normal(n_rows)


def decided_by_the_quick(asked: Subject) -> Dataset:
    """Purchases that win, mostly, where something quick was high on their own row."""
    rng, net_pnl = np.random.default_rng(7), asked.data.net_pnl.copy()
    for day in asked.days:
        own = asked.data.session == np.datetime64(day.date)
        row = np.searchsorted(asked.store.read_panel("NIFTY", day.date).ts, asked.data.ts[own])
        told = quick(np.datetime64(day.date))[row] + rng.normal(0.0, 1.0, own.sum())
        net_pnl[own] = np.where(told > 0, 100.0, -100.0)
    return replace(asked.data, net_pnl=net_pnl)


@pytest.mark.parametrize(("ahead", "passes"), [(0, True), (1, False)])
def test_features_a_row_out_of_line_are_found(ahead: int, passes: bool, asked) -> None:
    def look(panel, context, row, contract):
        seen = features_of(panel, context, row, contract)
        shown = np.minimum(row + ahead, panel.n_rows - 1)
        seen[:, NAMES.index("volume_z")] = quick(np.datetime64(panel.date))[shown]
        return seen

    passed, says, ranks = shifted(replace(asked, data=decided_by_the_quick(asked), look=look))
    assert passed == passes
    assert ("out of line" in says) != passes
    assert max(ranks["older"], ranks["now"]) > 0.6


def test_who_has_seen_the_outcome_is_found_on_a_random_walk(asked) -> None:
    """An honest scorer passes it as part of its whole audit, in test_scorer_audit."""
    passed, says, ranks = random_walk(replace(asked, look=rows_later(6)))
    assert not passed
    assert "have seen the outcome" in says
    assert ranks["now"] > ranks["older"] + 0.1


def test_a_longer_past_changes_no_score(asked) -> None:
    passed, _, numbers = warm_up(asked)
    assert (passed, numbers["differences"]) == (True, 0)
    assert numbers["statements"] > 100
    old = replace(asked, model=_Old(asked.model))
    passed, says, _ = warm_up(old)
    assert not passed
    assert "differ with 2x, 4x the days" in says


class _Old:
    """A model that is told by the features how long the past is, and goes by it."""

    def __init__(self, model) -> None:
        self.question, self.require, self.asked = model.question, model.require, 0

    def score(self, features: np.ndarray) -> np.ndarray:
        self.asked += 1  # once for each past it is shown
        return np.full(len(features), float(self.asked))
