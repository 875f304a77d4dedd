"""Time a year of one-minute chains through a strategy: Parquet to trades, and from memory.

python bench/backtest_year.py [--days 250] [--store data/bench] [--strategy NAME|all]

The year is simulated once into the store and kept. Times are the median of --repeats runs in one
process after a warm-up, page cache warm. Both ways must make the same trades, or the run stops.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.store import Store
from optiq.run.backtest import Settings, backtest
from optiq.run.stored import fields_of, panels
from optiq.run.user_strategy import find_all
from optiq.trade.strategies import Strategy

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
    team = find_all([asked.strategy])
    fields = fields_of(team)

    def from_store() -> tuple[int, int]:
        return walked(panels(store, "NIFTY", dates, fields), team)

    seconds, (quotes, trades) = median(from_store, asked.repeats)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    loaded = list(panels(store, "NIFTY", dates, fields))
    for panel, _ in loaded:
        [panel.fields[name] for name in fields]
    in_memory, again = median(lambda: walked(loaded, team), asked.repeats)
    if again != (quotes, trades):
        raise SystemExit(f"not the same work: {again} from memory, {(quotes, trades)} from disk")
    print(f"{asked.strategy}: {len(dates)} days, {quotes:,} quotes, {trades:,} trades")
    rows = (
        ("Parquet to trades", f"{seconds:.3f} s", f"{quotes / seconds / 1e6:.0f} M quotes/s"),
        ("from memory", f"{in_memory:.3f} s", f"{quotes / in_memory / 1e6:.0f} M quotes/s"),
        ("peak memory", f"{memory_mb:.0f} MB", "of the process, while reading from Parquet"),
    )
    for name, value, note in rows:
        print(f"  {name:20} {value:>10}   goal {GOALS[name]:10} {note}")


def walked(days: Iterable[tuple[Panel, Context]], team: list[Strategy]) -> tuple[int, int]:
    """Walk the days once and return the quotes seen and the trades made."""
    quotes = trades = 0
    for day in backtest(days, team, Settings(), compare_instant=False):
        quotes += day.panel.n_rows * day.panel.n_contracts
        trades += int(day.book.day["n_closed"][0])
    return quotes, trades


def median(work: Callable[[], tuple[int, int]], repeats: int) -> tuple[float, tuple[int, int]]:
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
