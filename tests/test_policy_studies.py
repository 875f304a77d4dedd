"""What a policy finds where it is known what there is to find, and how seldom it finds nothing."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from episode_tables import FIRST, best_worth, drawn, linear, worth
from recorded import RECORDED, needs_recordings

from optiq.cli.app import main
from optiq.learn import registry
from optiq.learn.gates import Verdict
from optiq.learn.measured import Evidence
from optiq.learn.policy.actor import saturation
from optiq.learn.policy.choosers import made_by
from optiq.learn.policy.episode_table import EpisodeTable, read_episodes
from optiq.learn.policy.fit import Plan, fit_policy
from optiq.learn.policy.gate import verdict_on
from optiq.learn.policy.results import Results, picks_of, results_of
from optiq.learn.policy.sac import Training
from optiq.market.plants import Nonlinear, Plant, Regimes
from optiq.market.schema import FloatArray
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.choosing import RANDOM, chooser_named
from optiq.run.episodes import build
from optiq.trade.strategies import BUILT_IN, built_in

INFORMATIVE = (
    *("return_15m", "return_60m", "skew_25d", "oi_put_call_ratio", "volume_put_call_ratio"),
    *("call_oi_flow_15m", "put_oi_flow_15m", "max_pain_distance", "gamma_exposure"),
    *("vwap_distance", "opening_range_position", "minutes_to_close"),
)
"""Twelve of the 23, those that a plant among strategies could show in."""
LATER = np.datetime64("2027-01-04")
SHOCK = 0.3
"""R by which a whole session favours a strategy or not, so that its decisions are no repeats."""


def null_table(n_sessions: int, seed: int, first: np.datetime64 = FIRST) -> EpisodeTable:
    """No strategy is better than another, nor worse than none: twelve decisions a session."""
    table = drawn(lambda seen: np.zeros((len(seen), 8)), 12 * n_sessions, seed=seed, first=first)
    shock = SHOCK * np.random.default_rng([seed, 1]).standard_normal((n_sessions, 8))
    return replace(table, r=table.r + np.repeat(shock, 12, axis=0))


def evidence_of(learnt: EpisodeTable, unseen: EpisodeTable) -> Evidence:
    first, last = unseen.sessions[[0, -1]].tolist()
    ends = np.datetime64(learnt.end.max()), np.datetime64(unseen.ts.min())
    proof = (unseen.sha256, "model", "code")
    return Evidence("unseen", len(unseen), len(unseen.sessions), first, last, *ends, *proof)


def null_verdict(seed: int, plan: Plan, unseen_sessions: int = 40) -> Verdict:
    """What the gate says of a policy that learnt where there was nothing to learn."""
    learnt = null_table(84, 2 * seed)
    unseen = null_table(unseen_sessions, 2 * seed + 1, LATER)
    policy = fit_policy(learnt, plan).bundle
    return verdict_on(policy, None, unseen, evidence_of(learnt, unseen))


def test_where_nothing_is_to_be_found_hardly_any_is_promoted():
    asked = [(seed, chooser) for seed in range(3) for chooser in ("ridge", "lightgbm")]
    assert sum(null_verdict(seed, Plan(chooser)).passed for seed, chooser in asked) <= 1


@pytest.mark.study
def test_null_policies_over_forty_runs(write_study):
    plans = {
        "sac": Plan(seeds=1, training=Training(timesteps=600), rewards="ridge"),
        "ridge": Plan("ridge"),
        "lightgbm": Plan("lightgbm"),
    }
    rows = []
    for name, plan in plans.items():
        passed = [null_verdict(seed, plan).passed for seed in range(40)]
        rows.append((name, len(passed), sum(passed)))
    write_study(
        "null-policies",
        "The gate's verdicts where every strategy makes nothing on average: 1,008 episodes of 84 "
        f"sessions to learn from, 40 unseen sessions to judge on, each session favouring "
        f"strategies by {SHOCK} R at random. One seed of sac, 600 steps.",
        ["chooser", "runs", "promoted"],
        rows,
    )
    assert all(promoted <= 4 for *_, promoted in rows)


@pytest.mark.study
def test_a_planted_linear_rule_over_five_seeds(write_study):
    rule, rows = linear(), []
    best = best_worth(rule)
    for seed in (1, 2):
        table = drawn(rule, 1_000, seed=seed)
        started = time.process_time()
        made = fit_policy(table, Plan(workers=1))
        spent = time.process_time() - started
        of_ridge, of_trees = (worth(one, rule) for one in (made.fitted.ridge, made.fitted.trees))
        actors = made.bundle.speaks.actors
        each = [worth(actor, rule) for actor in actors]
        shouts = max(
            saturation(a.preferences(table.observation)) for a in made.bundle.speaks.actors
        )
        rows.append(
            (
                seed,
                f"{best:.4f}",
                f"{of_ridge:.4f}",
                f"{of_trees:.4f}",
                " ".join(f"{one:.4f}" for one in each),
                f"{min(each) / of_ridge:.3f}",
                f"{min(each) / best:.3f}",
                f"{worth(made.bundle, rule) / of_ridge:.3f}",
                f"{shouts:.3f}",
                f"{spent:.0f}",
            )
        )
        assert min(each) >= 0.95 * of_ridge
    write_study(
        "planted-policy-tables",
        "Expected R of the picks on 4,000 new observations: a linear rule over 12 observations, "
        "1,000 episodes, one fit a seed, five seeds.",
        [
            *("table", "oracle", "ridge", "LightGBM", "sac, each seed", "worst / ridge"),
            *("worst / oracle", "mean of seeds / ridge", "saturation", "CPU s of the five"),
        ],
        rows,
    )


def all_lose(seen: FloatArray, loss: float) -> FloatArray:
    return np.full((len(seen), 8), loss)


@pytest.mark.study
def test_nothing_is_chosen_where_everything_loses(write_study):
    rows = []
    for loss in (-0.3,):
        table, test = (
            drawn(lambda s, loss=loss: np.full((len(s), 8), loss), 1_000, seed=k) for k in (1, 2)
        )
        bundle = fit_policy(table, Plan(seeds=2)).bundle
        aside = [float((picks_of(one, test) < 0).mean()) for one in bundle.speaks.actors]
        rows.append((loss, " ".join(f"{share:.3f}" for share in aside)))
        assert min(aside) >= 0.95
    write_study(
        "losing-policy-tables",
        "How often sac stands aside where every strategy loses, 1,000 episodes, by seed.",
        ["R of every strategy", "stands aside"],
        rows,
    )


@dataclass(frozen=True)
class Market:
    """The episodes of a simulated market, and what the planted best came to at each decision."""

    table: EpisodeTable
    oracle: FloatArray

    def seeing(self, names: tuple[str, ...]) -> EpisodeTable:
        """The episodes with some of the observations only."""
        kept = [self.table.observed.index(name) for name in names]
        return replace(self.table, observation=self.table.observation[:, kept], observed=names)


def market(folder: Path, plant: Plant, days: int, seed: int, **small) -> Market:
    """Simulate, store and walk a market, as the commands do; the truth tells the best strategy."""
    store = Store(folder / f"store-{seed}")
    store_simulation(Simulation(days, seed, plants=(plant,), **small), store, truth=True)
    strategies = [built_in(name) for name in BUILT_IN]
    chooser = chooser_named(RANDOM, strategies, 0)
    dates = [day.date for day in store.days("NIFTY")]
    build(store, "NIFTY", dates, strategies, Settings(), chooser, lambda _: None)
    table = read_episodes(store.root, ["NIFTY"])
    table = table.take(table.mask.any(axis=1))
    truth = pq.read_table(folder / "truth.parquet", columns=["ts", "best_strategy"]).to_pandas()
    told = truth.drop_duplicates("ts").set_index("ts")["best_strategy"]
    best = told.loc[pd.DatetimeIndex(table.ts).tz_localize("UTC")].to_numpy()
    place = np.array([BUILT_IN.index(name) for name in best])
    made = made_by(place, np.where(table.mask, table.r, 0.0))
    return Market(table, made)


def told(results: Results, oracle: float) -> list[str]:
    """The mean R of everybody, and the worst of sac as shares of the oracle and of ridge."""
    means = {name: float(made.mean()) for name, made in results.made.items()}
    shares = means[results.worst] / oracle, means[results.worst] / means["ridge"]
    named = ("random", "best single", "ridge", "lightgbm", results.worst, results.chooser)
    return [
        f"{oracle:.3f}",
        *(f"{means[name]:.3f}" for name in named),
        *map("{:.2f}".format, shares),
    ]


HEADINGS = (
    *("plant", "sees", "sessions", "planted best", "random", "best single", "ridge", "LightGBM"),
    *("sac, worst seed", "sac, mean of seeds", "worst / planted best", "worst / ridge"),
)


def test_a_small_market_of_regimes_is_read_by_ridge(tmp_path):
    small = {"strikes_each_side": 12, "expiries": 1}
    found = market(tmp_path, Regimes(2.0), 45, 7, **small)
    table, days = found.seeing(INFORMATIVE), found.table.sessions
    learnt, unseen = table.of_sessions(days[:33]), table.of_sessions(days[33:])
    results = results_of(fit_policy(learnt, Plan("ridge")).bundle, unseen)
    planted = found.oracle[np.isin(found.table.session, days[33:])].mean()
    assert results.made["ridge"].mean() > 0.5 * planted
    assert results.made["ridge"].mean() > results.made["random"].mean() + 0.2


@pytest.mark.study
def test_regimes_are_read_as_well_as_by_ridge(write_study, tmp_path):
    plant = Regimes(1.0)
    learnt, unseen = (market(tmp_path / str(seed), plant, 250, seed) for seed in (11, 12))
    made = fit_policy(learnt.seeing(INFORMATIVE), Plan())
    results = results_of(made.bundle, unseen.seeing(INFORMATIVE))
    oracle = float(unseen.oracle.mean())
    rows = [(plant.name, len(INFORMATIVE), 250, *told(results, oracle))]
    write_study(
        "planted-policy-regimes",
        "Mean net R a decision on 250 sessions of another seed, learnt from 250 sessions of a "
        "simulated market in which the latent regime says which strategy is the best; five seeds, "
        "one fit each. The planted best is that strategy's own result.",
        HEADINGS,
        rows,
    )
    worst = results.made[results.worst].mean()
    assert worst >= 0.90 * results.made["ridge"].mean()
    assert worst >= 0.65 * oracle


@pytest.mark.study
def test_where_no_line_can_see_it_trees_beat_ridge(write_study, tmp_path):
    plant = Nonlinear(2.0)
    learnt, unseen = (
        market(tmp_path / str(seed), plant, days, seed) for days, seed in ((250, 11), (120, 12))
    )
    made = fit_policy(learnt.table, Plan(seeds=1))
    results = results_of(made.bundle, unseen.table)
    gains = {
        name: results.mean(results.made[name] - results.made["ridge"], 0.90)
        for name in ("lightgbm", results.worst)
    }
    bounds = [f"{one.value:+.3f} (at least {one.low:+.3f})" for one in gains.values()]
    row = (plant.name, 23, 120, *told(results, float(unseen.oracle.mean())), *bounds)
    write_study(
        "planted-policy-nonlinear",
        "As planted-policy-regimes, judged on 120 sessions, in a market whose drift is the product "
        "of two marks; one seed of sac. Differences to ridge with their one-sided 95 % bound over "
        "sessions.",
        [*HEADINGS, "LightGBM less ridge", "sac less ridge"],
        [row],
    )
    assert max(one.low for one in gains.values()) > 0


@pytest.mark.study
@needs_recordings
def test_a_recorded_summer_is_too_short_and_says_so(write_study, tmp_path, capsys):
    """Two and a half months of 2019, a page every quarter of an hour."""
    folders = ["--store", str(tmp_path / "store")]
    train = ["train-policy", *folders, "--models", str(tmp_path / "models")]
    assert main(["ingest", str(RECORDED / "history_2019"), *folders, "--json"]) == 0
    assert main(["episodes", "build", *folders, "--set", "walk.latency_s=0", "--json"]) == 0
    capsys.readouterr()
    assert main([*train, "--json"]) == 4
    refused = json.loads(capsys.readouterr().out)["error"]["message"]
    assert re.search(r"^\d+ of 1000 episodes, \d\d of 60 sessions", refused)
    assert main([*train, "--exploratory", "--chooser", "ridge", "--json"]) == 0
    explored = json.loads(capsys.readouterr().out)
    assert explored["registered"] is False
    assert registry.versions(tmp_path / "models", "policy") == []
    assert explored["not_shown"][-1] == f"too few to learn from: {refused.split(':')[0]}"
    lines = [("shown", line) for line in explored["shown"]]
    lines += [("not shown", line) for line in explored["not_shown"]]
    write_study(
        "recorded-policy",
        f"`train-policy` on NIFTY of history_2019 ends with 4: {refused}. What `--exploratory "
        "--chooser ridge` says of the same episodes:",
        ["", "in words"],
        lines,
    )
