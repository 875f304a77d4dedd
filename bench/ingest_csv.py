"""Time one-minute chains from CSV into the store, with validation, volatility and Greeks.

python bench/ingest_csv.py [--days 6] [--repeats 3]

The days are simulated, written to one CSV a day in a temporary folder, and ingested into a new
store each time, after a warm-up that compiles.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq

from optiq.market.ingest.pipeline import ingest
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

COLUMNS = ["ts", "expiry", "strike", "right", "ltp", "bid", "ask", "volume", "oi", "spot"]
GOAL = ">= 0.8 M rows/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_days(folder, asked.days)
        ingested(folder, 0)
        seconds = statistics.median(ingested(folder, n + 1) for n in range(asked.repeats))
    print(f"{rows:,} rows of {asked.days} days in {seconds:.2f} s")
    print(f"  CSV to store {rows / seconds / 1e6:10.2f} M rows/s   goal {GOAL}")


def write_days(folder: Path, days: int) -> int:
    """Write simulated days as CSV and return their rows."""
    store, rows = Store(folder / "simulated"), 0
    store_simulation(Simulation(days=days, seed=3), store)
    (folder / "csv").mkdir()
    for day in store.days():
        table = pq.read_table(store.place(day.underlying, day.date).chain, columns=COLUMNS)
        pc.write_csv(table, folder / "csv" / f"NIFTY_{day.date}.csv")
        rows += table.num_rows
    return rows


def ingested(folder: Path, number: int) -> float:
    """Ingest the folder into a new store and return the seconds; every row must be kept."""
    started = time.perf_counter()
    report = ingest([str(folder / "csv")], Store(folder / f"store{number}"))
    seconds = time.perf_counter() - started
    if report.rows_kept != report.rows_in:
        raise SystemExit(
            f"{report.rows_in - report.rows_kept:,} rows were not kept: {report.notes}"
        )
    return seconds


if __name__ == "__main__":
    main()
