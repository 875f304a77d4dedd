"""Time the scorer: its fit, the whole command, and scoring one chain.

python bench/scorer.py [--store data/bench-scorer] [--repeats 7]

The fit and the scores are compared with LightGBM alone on the same arrays, which must give the
same trees and the same margins, or the run stops. The command runs in a process of its own on
simulated sessions, once with nothing cached and once again.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np

from optiq.learn.dataset import FOLDER
from optiq.learn.scorer.fit import (
    NAMES,
    Examples,
    FitSettings,
    booster_of,
    fit,
    leaf_size,
    plain_text,
    threads_for,
)
from optiq.learn.scorer.model import Question, ScorerModel, trained
from optiq.trade.orders import ExitRule

ROWS, CHAIN = 54_265, 174
SESSIONS = 3
GOALS = {"fit": "<= 1.10", "chain": "<= 1.10", "command": "<= 8 s"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("data/bench-scorer/store"))
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    train, calibrate = examples(ROWS, 0), examples(ROWS // 4, 1)
    ours, bare = fits(train, calibrate, asked.repeats)
    line("fit", f"{ours:.2f} s", f"{ours / bare:.2f} x lgb.train ({bare:.2f} s)")
    model, _ = trained(Question("gamma_scalping", ExitRule(), ("NIFTY",)), train, calibrate)
    ours, bare = chains(model, train.features[:CHAIN].copy(), 50 * asked.repeats)
    trees = f"{model.booster.num_trees()} trees"
    line("chain", f"{1e3 * ours:.3f} ms", f"{ours / bare:.2f} x Booster.predict, {trees}")
    cold, warm, rows = command(asked.store)
    line("command", f"{cold:.1f} s", f"{rows:,} rows; {warm:.1f} s with the labels cached")


def line(name: str, value: str, note: str) -> None:
    print(f"  {name:10} {value:>10}   goal {GOALS[name]:8} {note}")


def examples(n: int, seed: int) -> Examples:
    """Rows of 34 numbers of which three tell part of the outcome; a twentieth is missing."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, len(NAMES))).astype(np.float32)
    odds = 0.5 * features[:, 0] * features[:, 1] + 0.3 * features[:, 2]
    won = rng.random(n) < 1 / (1 + np.exp(-odds))
    features[rng.random(features.shape) < 0.05] = np.nan
    return Examples(features, won, np.ones(n))


def fits(train: Examples, calibrate: Examples, repeats: int) -> tuple[float, float]:
    """Return the median seconds of 300 trees grown by optiq and by LightGBM alone."""
    settings = FitSettings(max_rounds=300, patience=300, min_data_in_leaf=300)
    params = settings.to_lightgbm(threads_for(len(train))) | {
        "min_data_in_leaf": leaf_size(settings, train)
    }

    def bare() -> str:
        grown = lightgbm.Dataset(
            train.features,
            train.won,
            weight=train.weight,
            feature_name=list(NAMES),
            params=params,
        )
        judged = grown.create_valid(calibrate.features, calibrate.won)
        stop = lightgbm.early_stopping(300, verbose=False)
        booster = lightgbm.train(params, grown, 300, valid_sets=[judged], callbacks=[stop])
        return plain_text(booster, booster.best_iteration)

    def ours() -> str:
        return fit(train, calibrate, settings).text

    if ours() != bare():
        raise SystemExit("optiq's trees are not LightGBM's")
    return alternated(ours, bare, repeats)


def chains(model: ScorerModel, chain: np.ndarray, repeats: int) -> tuple[float, float]:
    """Return the median seconds of a chain scored by optiq and of LightGBM's predict alone."""
    booster = booster_of(model.trees)
    if not np.array_equal(model.margin(chain), booster.predict(chain, raw_score=True)):
        raise SystemExit("optiq's margins are not LightGBM's")
    return alternated(
        lambda: model.score(chain), lambda: booster.predict(chain, num_threads=1), repeats
    )


def alternated(
    one: Callable[[], object], other: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Return the median seconds of two functions called in turn, so that both meet one machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for work, taken in zip((one, other), times, strict=True):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def command(store: Path) -> tuple[float, float, int]:
    """Return the seconds of train-scorer, first and again, and how many rows it learnt from."""
    import json

    if not store.is_dir():
        simulate = ["simulate", "--days", str(SESSIONS), "--seed", "1", "--store", str(store)]
        optiq(*simulate)
    models = store.parent / "models"
    train = ["train-scorer", "--store", str(store), "--models", str(models), "--json"]
    optiq(*train)  # compiled once and kept by numba
    shutil.rmtree(store / FOLDER)
    times = []
    for _ in range(2):
        started = time.perf_counter()
        told = json.loads(optiq(*train))
        times.append(time.perf_counter() - started)
    rows = told["rows"]
    return times[0], times[1], rows["train"] + rows["calibrate"]


def optiq(*arguments: str) -> str:
    """Run one command in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "optiq.cli", *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
