"""Time a year of one-minute chains through a strategy: Parquet to trades, and from memory.

python bench/backtest_year.py [--days 250] [--store data/bench] [--strategy gamma_scalping]

The year is simulated once into the store and kept. Times are the median of --repeats runs in one
process after a warm-up, page cache warm. The slow reference walks the first days too, and the run
stops if it does not get the same trades.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from optiq.market.store import Store
from optiq.run.backtest import DayResult, Settings, backtest
from optiq.run.stored import fields_of, panels
from optiq.run.user_strategy import find

GOALS = {
    "Parquet to trades": "<= 0.6 s",
    "from memory": "<= 0.1 s",
    "peak memory": "<= 600 MB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--store", type=Path, default=Path("data/bench"))
    parser.add_argument("--strategy", default="gamma_scalping")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    store = simulated(asked.store, asked.days)
    dates = [day.date for day in store.days("NIFTY")][: asked.days]
    strategy = find(asked.strategy)
    fields = fields_of([strategy])

    def from_store() -> list[DayResult]:
        return run(panels(store, "NIFTY", dates, fields), strategy)

    seconds, results = median(from_store, asked.repeats)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    quotes = sum(int(r.panel.observed.size) for r in results)
    trades = sum(int(r.book.day["n_closed"][0]) for r in results)
    loaded = list(panels(store, "NIFTY", dates, fields))
    for panel, _ in loaded:
        [panel.fields[name] for name in fields]
    in_memory, again = median(lambda: run(loaded, strategy), asked.repeats)
    assert sum(int(r.book.day["n_closed"][0]) for r in again) == trades
    print(f"{strategy.name}: {len(dates)} days, {quotes:,} quotes, {trades:,} trades")
    rows = (
        ("Parquet to trades", f"{seconds:.3f} s", f"{quotes / seconds / 1e6:.0f} M quotes/s"),
        ("from memory", f"{in_memory:.3f} s", f"{quotes / in_memory / 1e6:.0f} M quotes/s"),
        ("peak memory", f"{memory_mb:.0f} MB", "the Parquet runs, all results kept"),
    )
    for name, value, note in rows:
        print(f"  {name:20} {value:>10}   goal {GOALS[name]:10} {note}")


def run(days: object, strategy: object) -> list[DayResult]:
    """Walk the days once, under the settings' own latency only."""
    return list(backtest(days, [strategy], Settings(), compare_instant=False))  # type: ignore[arg-type]


def median(work: Callable[[], list[DayResult]], repeats: int) -> tuple[float, list[DayResult]]:
    """Return the median seconds of ``repeats`` runs after a warm-up, and the last result."""
    result, times = work(), []
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
    return statistics.median(times), result


def simulated(path: Path, days: int) -> Store:
    """Return the store of the simulated year, making it where it is not there yet."""
    if len(Store(path).days("NIFTY")) < days:
        command = ["simulate", "--days", str(days), "--seed", "1", "--store", str(path)]
        subprocess.run([sys.executable, "-m", "optiq.cli", *command], check=True)
    return Store(path)


if __name__ == "__main__":
    main()
