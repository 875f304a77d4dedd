"""Each regime's own strategy is the best in it, by shadow results of the stored market."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from optiq.market.plants import Nonlinear, Plant, Regimes
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.choosing import Choice, Chooser
from optiq.run.episodes import build_day
from optiq.run.stored import fields_of, panels
from optiq.trade.strategies import BUILT_IN, built_in

NOBODY = Chooser("nobody", lambda *_: Choice(-1, np.zeros(8), np.zeros(8)))


def shadow_results(simulation: Simulation, folder: Path) -> pd.DataFrame:
    """R of each strategy at each decision that lets entries in, with the truth of its moment."""
    store = Store(folder / "store")
    store_simulation(simulation, store, truth=True)
    strategies = [built_in(name) for name in BUILT_IN]
    dates = [day.date for day in store.days()]
    lines = [
        line
        for panel, context in panels(store, "NIFTY", dates, fields_of(strategies))
        for line in build_day(panel, context, strategies, Settings(), NOBODY)
    ]
    told = [
        {"ts": line["ts"]} | {name: line[f"{name}_r"] for name in BUILT_IN}
        for line in lines
        if any(line["mask"])
    ]
    truth = pq.read_table(folder / "truth.parquet").to_pandas()
    return pd.DataFrame(told).merge(truth[["ts", "date", "best_strategy"]], on="ts")


def by_best(results: pd.DataFrame) -> pd.DataFrame:
    """Mean R of each strategy where each one is planted as the best: a row a planted best."""
    return results.groupby("best_strategy")[list(BUILT_IN)].mean()


def errors_of(results: pd.DataFrame) -> pd.DataFrame:
    """Standard errors of those means, over sessions."""
    daily = results.groupby(["best_strategy", "date"])[list(BUILT_IN)].mean()
    by_session = daily.groupby("best_strategy")
    return by_session.std() / np.sqrt(by_session.count())


@pytest.mark.parametrize(
    ("plant", "days", "n_best"),
    [(Regimes(2.0), 42, 3), (Nonlinear(2.0), 24, 2)],
    ids=["regimes", "nonlinear"],
)
def test_the_planted_strategy_is_the_best_of_eight(
    plant: Plant, days: int, n_best: int, tmp_path: Path
) -> None:
    """Few sessions make a rival lucky now and then, but not by more than an error, nor always."""
    small = Simulation(days=days, seed=7, plants=(plant,), strikes_each_side=12, expiries=1)
    results = shadow_results(small, tmp_path)
    means, errors = by_best(results), errors_of(results)
    assert (results.date.nunique(), len(means)) == (days, n_best)
    lead = []
    for best, made in means.iterrows():
        rivals = made.drop(best)
        assert made[best] > 2.0 * errors.loc[best, best], f"{best}: {made.round(2).to_dict()}"
        assert made[best] > rivals.max() - errors.loc[best, rivals.idxmax()]
        lead.append(made[best] - rivals)
    assert pd.concat(lead, axis=1).mean(axis=1).min() > 0.15


@pytest.mark.study
def test_the_planted_strategy_is_the_best_over_a_year(write_study, tmp_path: Path) -> None:
    rows = []
    for plant in (Regimes(1.0), Nonlinear(1.0)):
        folder = tmp_path / plant.name
        results = shadow_results(Simulation(days=250, seed=8, plants=(plant,)), folder)
        means, errors = by_best(results), errors_of(results)
        for best in means.index:
            cells = [
                f"{means.loc[best, name]:+.3f} ± {errors.loc[best, name]:.3f}" for name in BUILT_IN
            ]
            rows.append((plant.name, best, *cells))
            rivals = means.loc[best].drop(best)
            assert means.loc[best, best] - rivals.max() > 2.0 * errors.loc[best, best]
    write_study(
        "planted-choices",
        "Mean shadow R a decision of each strategy where each is planted as the best, 250 sessions "
        "at strength 1, with standard errors over sessions.",
        ["plant", "planted best", *BUILT_IN],
        rows,
    )
