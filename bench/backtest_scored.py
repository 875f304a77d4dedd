"""Time a backtest with a scorer beside the same days without one.

python bench/backtest_scored.py [--days 20] [--store data/bench] [--strategy gamma_scalping]

The scorer is trained on the last days before those, as `train-scorer` trains, with its usual
settings. Times are medians of --repeats runs, Parquet to trades, in turns; both ask for the same
orders, or the run stops.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from optiq.learn.dataset import Recipe, dataset
from optiq.learn.scorer.model import Question
from optiq.learn.scorer.serving import scorer_of
from optiq.learn.scorer.training import Plan, train
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.asking import Scorer
from optiq.run.backtest import Settings, backtest
from optiq.run.stored import fields_of, panels
from optiq.run.user_strategy import find_all
from optiq.trade.strategies import Strategy

LEARNT = 5
GOAL = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--store", type=Path, default=Path("data/bench-scored"))
    parser.add_argument("--strategy", default="gamma_scalping")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    store = Store(asked.store)
    store_simulation(Simulation(days=LEARNT + asked.days, seed=11), store)
    days, team = store.days("NIFTY"), find_all([asked.strategy])
    recipe = Recipe(find_all(["gamma_scalping"])[0], Settings())
    question = Question("gamma_scalping", _rule(recipe), ("NIFTY",))
    rows = dataset(store, days[:LEARNT], recipe)
    scorer = scorer_of(train(rows, question, Plan(lockbox=0)).model)
    dates = [day.date for day in days[LEARNT:]]
    times: dict[str, list[float]] = {"without": [], "with a scorer": []}
    asks = {"without": None, "with a scorer": scorer}
    orders = {name: _walked(store, dates, team, one)[1] for name, one in asks.items()}
    if len(set(orders.values())) > 1:
        raise SystemExit(f"not the same work: {orders}")
    for _ in range(asked.repeats):
        for name, one in asks.items():
            times[name].append(_walked(store, dates, team, one)[0])
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{asked.strategy}: {len(dates)} days, {orders['without']:,} orders")
    for name, seconds in medians.items():
        print(f"  {name:16} {seconds:.3f} s")
    ratio = medians["with a scorer"] / medians["without"]
    print(f"  ratio            {ratio:.2f}   goal <= {GOAL:g}")


def _rule(recipe: Recipe):
    from optiq.learn.labels import exit_rule

    return exit_rule(recipe.strategy)


def _walked(
    store: Store, dates: list, team: list[Strategy], scorer: Scorer | None
) -> tuple[float, int]:
    started, orders = time.perf_counter(), 0
    days = panels(store, "NIFTY", dates, fields_of(team, scorer))
    for day in backtest(days, team, Settings(), scorer):
        orders += len(day.orders)
    return time.perf_counter() - started, orders


if __name__ == "__main__":
    main()
