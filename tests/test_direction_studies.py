"""What the direction model finds where something is, where nothing is, and on recorded days."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from planted_directions import best, planted
from recorded import RECORDED, needs_recordings

from optiq.errors import EvidenceError
from optiq.learn import registry
from optiq.learn.direction.figures import ACCURACY, LOG_LOSS, named
from optiq.learn.direction.fit import Training, trainer
from optiq.learn.direction.forecasters import PRIOR, TRANSFORMER
from optiq.learn.direction.labels import LabelRule
from optiq.learn.direction.measuring import Measurement
from optiq.learn.direction.sample import Sample, stored_sample
from optiq.learn.direction.training import KIND, Plan, stored, train
from optiq.learn.direction.trial import log_losses, run_trial
from optiq.learn.splits import Fold
from optiq.market.best_forecast import BestScores, best_scores
from optiq.market.ingest.pipeline import IngestOptions, ingest
from optiq.market.plants import InterestLead, Momentum
from optiq.market.simulated_futures import Barrier, barrier_chances
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

RULE = LabelRule()
MODELS = ("prior", "logistic", "lightgbm", "transformer")


@pytest.mark.study
def test_a_planted_edge_is_found(write_study):
    """8,192 windows of 256 sessions, 10 minutes apart, one split; tested on 100 more sessions."""
    sample, law = planted(356, seed=1)
    every = np.arange(len(sample.label))
    parts = (sample.day < 205, (sample.day >= 205) & (sample.day < 256), sample.day >= 256)
    fold = Fold(*(every[part] for part in parts))
    started = time.process_time()
    trial = run_trial(sample, fold, RULE, trainer(Training(seeds=2, epochs=12)))
    spent = (time.process_time() - started) / 2.0
    label, sure = sample.label[fold.test], law[fold.test]
    top = float((sure.argmax(axis=1) == label).mean()), float(log_losses(sure, label).mean())
    found = {}
    for name, model in trial.models.items():
        said = np.concatenate([model.of_day(d.seen)[r] for d, r, _ in sample.by_day(fold.test)])
        losses = log_losses(said, label)
        found[name] = float((said.argmax(axis=1) == label).mean()), float(losses.mean())
    prior = found[PRIOR]
    edge = {n: (a - prior[0]) / (top[0] - prior[0]) for n, (a, _) in found.items()}
    told = {n: (prior[1] - b) / (prior[1] - top[1]) for n, (_, b) in found.items()}
    write_study(
        "planted-directions",
        f"Classes drawn from a known law of the features; whoever knows it is right in "
        f"{best(law)[0]:.3f} of cases, with a log loss of {best(law)[1]:.3f}. 8,192 windows 10 "
        f"minutes apart from 256 sessions, one split, all models fitted in {spent:.0f} s of two "
        "cores; tested on 100 later sessions.",
        ["model", "accuracy", "log loss", "share of the edge", "share of the information"],
        [
            (n, f"{found[n][0]:.3f}", f"{found[n][1]:.3f}", f"{edge[n]:.2f}", f"{told[n]:.2f}")
            for n in MODELS
        ],
    )
    assert edge[TRANSFORMER] >= 0.85
    assert told[TRANSFORMER] >= 0.65
    assert spent <= 180.0


def best_possible(simulation: Simulation, sample: Sample, tested: np.ndarray) -> BestScores:
    """What knowing everything hidden is worth on some of the tested windows; the modest bound."""
    asked = []
    for day, rows, _ in sample.by_day(tested[::4]):
        width = day.labels.width[rows]
        asked += [
            Barrier(day.session, ts, float(w), RULE.horizon_minutes)
            for ts, w in zip(day.ts[rows], width, strict=True)
        ]
    return best_scores(barrier_chances(simulation, asked, n=300))[0]


@pytest.mark.study
def test_edges_planted_in_a_market_are_found_as_far_as_they_show(write_study, tmp_path):
    """Over 8,000 windows of 260 sessions, one split; tested on 80 more of the same market."""
    rows = []
    for plant in (Momentum(1.0), InterestLead(1.0), InterestLead(2.0)):
        simulation = Simulation(days=340, seed=31, plants=(plant,), strikes_each_side=8)
        store = Store(tmp_path / f"{plant.name}-{plant.strength}")
        store_simulation(simulation, store)
        dates = [day.date for day in store.days("NIFTY")]
        sample = stored_sample(store, "NIFTY", dates, RULE, 10.0, learn_for_folds=3)
        every = np.arange(len(sample.label))
        parts = (sample.day < 208, (sample.day >= 208) & (sample.day < 260), sample.day >= 260)
        fold = Fold(*(every[part] for part in parts))
        trial = run_trial(sample, fold, sample.rule, trainer(Training(seeds=2, epochs=12)))
        top = best_possible(simulation, sample, fold.test)
        label = sample.label[fold.test]
        found = {}
        for name, model in trial.models.items():
            said = np.concatenate([model.of_day(d.seen)[r] for d, r, _ in sample.by_day(fold.test)])
            losses = log_losses(said, label)
            found[name] = float((said.argmax(axis=1) == label).mean()), float(losses.mean())
        prior = found[PRIOR]
        market = f"{plant.name}={plant.strength:g}"
        for name in MODELS:
            accuracy, loss = found[name]
            edge = (accuracy - prior[0]) / (top.accuracy - top.prior_accuracy)
            told = (prior[1] - loss) / (top.prior_log_loss - top.log_loss)
            shares = (f"{edge:.2f}", f"{told:.2f}")
            rows.append((market, name, f"{accuracy:.3f}", f"{loss:.3f}", *shares))
        best = (f"{top.accuracy:.3f}", f"{top.log_loss:.3f}", "1.00", "1.00")
        rows.append((market, "who knows everything hidden", *best))
    write_study(
        "planted-market-directions",
        "Edges planted in the simulated market, through chains, features and labels: 8,800 windows "
        "of 260 sessions, one split, tested on 80 later sessions. The last line of each market is "
        "who knows everything hidden, which no model sees; the shares are of that edge over the "
        "prior, counted over 300 futures of every fourth tested window (the modest bound).",
        ["market", "model", "accuracy", "log loss", "share of the edge", "of the information"],
        rows,
    )
    assert len(rows) == 15


def whole_training(store: Store, models: Path, underlying: str, training: Training) -> Measurement:
    dates = [day.date for day in store.days(underlying)]
    plan = Plan(RULE, training)
    sample = stored(store, underlying, dates, plan, lambda _: None)
    trained = train(store, models, underlying, sample, plan)
    failed = [check for check in trained.card["audit"] if not check["passed"]]
    assert failed == []
    return trained.measured


def lines(market: str, measured: Measurement) -> list[tuple[object, ...]]:
    """One line a model: each figure with its bounds, or without where there are none."""

    def text(name: str, metric: str) -> str:
        figure = named(measured.figures[name], metric)
        if figure is None:
            return "-"
        bounds = figure.interval
        value = f"{bounds.value:.3f}"
        return f"{value} ({bounds.low:.3f} to {bounds.high:.3f})" if bounds.is_known else value

    evidence = measured.figures[PRIOR][0].evidence
    where = f"{evidence.rows} windows of {evidence.sessions} sessions"
    metrics = ("accuracy", "balanced accuracy", "log loss", "Brier", "net P&L a session")
    return [
        (market, name, where, *(text(name, m) for m in metrics), measured.serves or "none")
        for name in MODELS
    ]


HEADINGS = (
    *("market", "model", "tested on", "accuracy", "balanced accuracy", "log loss", "Brier"),
    *("net rupees a session", "who would serve"),
)


@pytest.mark.study
def test_on_a_random_walk_nothing_is_found(write_study, tmp_path):
    store = Store(tmp_path / "store")
    store_simulation(Simulation(days=250, seed=21), store)
    measured = whole_training(store, tmp_path / "models", "NIFTY", Training(seeds=1, epochs=10))
    write_study(
        "random-walk-directions",
        "A simulated market without a plant, 250 sessions, three folds; 95 % over sessions. The "
        "prior is the majority class; the audit of the training passed.",
        HEADINGS,
        lines("random walk", measured),
    )
    assert measured.serves is None
    assert registry.aliases(tmp_path / "models", KIND)["champion"] is None
    figures = {n: [named(measured.figures[n], m) for m in (ACCURACY, LOG_LOSS)] for n in MODELS}
    values = {n: [f.interval.value for f in found if f] for n, found in figures.items()}
    for name in MODELS[1:]:
        assert abs(values[name][0] - values[PRIOR][0]) <= 0.02
        assert values[name][1] >= values[PRIOR][1] - 0.005


@needs_recordings
@pytest.mark.study
def test_on_the_recorded_days(write_study, tmp_path):
    rows = []
    for name in ("nse_json", "collector", "history_2019"):
        store = Store(tmp_path / name)
        ingest([str(RECORDED / name)], store, IngestOptions())
        try:
            found = whole_training(store, tmp_path / f"{name}-models", "NIFTY", Training())
        except EvidenceError as reason:
            rows.append((name, str(reason), *("-",) * 7))
        else:
            rows += lines(name, found)
    write_study(
        "recorded-directions",
        "NIFTY, 30 minutes ahead, walk-forward by session; 95 % over sessions, no bounds where "
        "there are fewer than ten.",
        HEADINGS,
        rows,
    )
    assert len(rows) >= 3
