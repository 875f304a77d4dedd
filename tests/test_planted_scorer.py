"""A planted edge is found, near the best that can be had; what it says is calibrated."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from optiq.learn.dataset import Dataset, Recipe, dataset
from optiq.learn.labels import exit_rule
from optiq.learn.scorer.fit import NAMES, FitSettings
from optiq.learn.scorer.metrics import Scored, auc, calibration_error
from optiq.learn.scorer.model import Question, ScorerModel, trained
from optiq.learn.scorer.training import last_fold
from optiq.market.plants import Momentum
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.market.truth_file import truth_path
from optiq.run.backtest import Settings
from optiq.trade.fills import WalkSettings
from optiq.trade.strategies import built_in

MONEYNESS, LEFT = NAMES.index("moneyness"), NAMES.index("minutes_to_close")


class Found(NamedTuple):
    """What a scorer made of sessions of another seed than those it learnt from."""

    rows: int
    auc: float
    best: float
    error: float
    tested: Scored

    @property
    def share(self) -> float:
        """Of the best possible edge over a coin."""
        return (self.auc - 0.5) / (self.best - 0.5)


def labelled(root: Path, simulation: Simulation, most: int, recipe: Recipe) -> tuple[Dataset, ...]:
    """The rows of a planted market and, beside each, what it hides (n, 9)."""
    store = Store(root / "store")
    store_simulation(simulation, store, truth=True)
    data = dataset(store, store.days("NIFTY"), recipe, most_rows=most)
    truth = pq.read_table(truth_path(store.root))
    ts = truth["ts"].to_numpy().astype("datetime64[us]")
    at = np.searchsorted(ts, data.ts)
    signal = truth["latent_momentum"].to_numpy()[at] * data.right
    calm = truth["log_volatility"].to_numpy()[at]
    out = np.nan_to_num(data.features[:, MONEYNESS])
    left = np.minimum(data.features[:, LEFT], 60.0)
    hidden = (signal, out, out**2, signal * out, signal * np.abs(out), calm, signal * calm)
    return data, np.column_stack([*hidden, left, signal * left])


def found(
    root: Path, learnt: Simulation, tested: Simulation, most: int, recipe: Recipe, **fit: float
) -> Found:
    data, hidden = labelled(root / "learnt", learnt, most, recipe)
    new, new_hidden = labelled(root / "tested", tested, most, recipe)
    model = scorer_of(data, recipe, FitSettings(**fit))
    oracle = make_pipeline(StandardScaler(), LogisticRegression()).fit(hidden, data.won)
    best = roc_auc_score(new.won, oracle.predict_proba(new_hidden)[:, 1])
    sessions, number = np.unique(new.session, return_inverse=True)
    margin = model.margin(new.features)
    scored = Scored(
        model.chance_of(margin, new.features),
        margin,
        new.won,
        new.net_pnl,
        np.full(len(new), data.won.mean()),
        number,
        len(sessions),
    ).known()
    error = calibration_error(scored)(np.ones((1, len(sessions)), np.int64))[0]
    return Found(len(data), roc_auc_score(new.won, margin), best, float(error), scored)


def scorer_of(data: Dataset, recipe: Recipe, settings: FitSettings) -> ScorerModel:
    fold = last_fold(data)
    question = Question(recipe.strategy.name, exit_rule(recipe.strategy), ("NIFTY",))
    parts = data.examples(fold.train), data.examples(fold.calibrate)
    return trained(question, *parts, settings)[0]


def test_an_edge_is_found_in_a_small_market(tmp_path):
    """Thirty sessions, five minutes a row: most of the edge, on sessions of another seed."""
    plants = (Momentum(3.0),)
    result = found(
        tmp_path,
        Simulation(days=30, seed=21, plants=plants, row_seconds=300.0),
        Simulation(days=12, seed=22, plants=plants, row_seconds=300.0),
        10**6,
        Recipe(built_in("gamma_scalping"), Settings(walk=WalkSettings(latency_s=0.0))),
        max_rounds=150,
    )
    assert result.best > 0.58
    assert result.share > 0.5
    assert auc(result.tested).low > 0.5


@pytest.mark.study
def test_a_year_teaches_most_of_a_planted_edge(tmp_path, write_study):
    """216,000 rows of 250 sessions; tested on eighty sessions of another seed."""
    recipe = Recipe(built_in("gamma_scalping"), Settings())
    plants = (Momentum(3.0),)
    result = found(
        tmp_path,
        Simulation(days=250, seed=12, plants=plants),
        Simulation(days=80, seed=13, plants=plants),
        216_000,
        recipe,
    )
    interval = auc(result.tested)
    n = len(result.tested)
    won = result.tested.won
    by_rows = np.sqrt((1 / won.sum() + 1 / (~won).sum()) / 12)  # of independent rows without edge
    by_sessions = (interval.high - interval.low) / (2 * 1.99)
    rows = (
        ("rows learnt from, of 250 sessions", f"{result.rows:,}"),
        ("rows tested on, of 80 sessions of another seed", f"{n:,}"),
        ("AUC of the scorer", f"{result.auc:.4f}"),
        ("95 % by sessions", f"{interval.low:.4f} to {interval.high:.4f}"),
        ("AUC of a regression that sees the hidden signal", f"{result.best:.4f}"),
        ("share of the best edge", f"{result.share:.3f}"),
        ("expected calibration error, ten bins", f"{result.error:.4f}"),
        ("rows that say as much as one independent row", f"{(by_sessions / by_rows) ** 2:.0f}"),
    )
    write_study(
        "planted-scorer",
        "A scorer of a year with a planted momentum of strength 3, on sessions it has not seen. "
        "The best possible is a logistic regression on the simulator's own hidden signal.",
        ["what", "measured"],
        rows,
    )
    assert result.share >= 0.85
    assert result.error <= 0.02


@pytest.mark.study
def test_permuted_labels_teach_nothing(tmp_path, write_study):
    """Winners shuffled within their session: what is left to learn are the sessions."""
    recipe = Recipe(built_in("gamma_scalping"), Settings(walk=WalkSettings(latency_s=0.0)))
    market = Simulation(days=40, seed=21, plants=(Momentum(3.0),), row_seconds=300.0)
    data, _ = labelled(tmp_path / "learnt", market, 10**6, recipe)
    nothing = (Momentum(1e-9),)  # so that there is a hidden signal to write down
    without = Simulation(days=20, seed=22, plants=nothing, row_seconds=300.0)
    new, _ = labelled(tmp_path / "tested", without, 10**6, recipe)
    aucs = []
    for seed in range(20):
        rng, net_pnl = np.random.default_rng(seed), data.net_pnl.copy()
        for session in np.unique(data.session):
            rows = np.flatnonzero(data.session == session)
            net_pnl[rows] = net_pnl[rng.permutation(rows)]
        shuffled = Dataset(**{**vars(data), "net_pnl": net_pnl})
        model = scorer_of(shuffled, recipe, FitSettings(seed=seed, max_rounds=150))
        aucs.append(roc_auc_score(new.won, model.margin(new.features)))
    write_study(
        "placebo-scorer",
        "Scorers taught labels that were shuffled within each session, on a market without edge.",
        ["permutations", "mean AUC", "lowest", "highest"],
        [(len(aucs), f"{np.mean(aucs):.4f}", f"{min(aucs):.4f}", f"{max(aucs):.4f}")],
    )
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.02)
