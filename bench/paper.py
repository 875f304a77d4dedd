"""Time a paper session: from a row's arrival to its decision on disk, and a restart.

python bench/paper.py [--strategy NAME|all]... [--sessions 5] [--monitor 2] [--store DIR --date D]

A simulated day of one-minute chains, or a recorded one from a store, all eight strategies in one
book unless told otherwise, with monitor rows of a few contracts between the snapshots. Times are
wall clock with the commit to disk, each row's the best of --sessions sessions after a warm-up, so
that what else the machine does is left out; a restart walks the journal of the whole day again,
without Python's imports.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from optiq.cli.config import resolved_toml
from optiq.cli.settings import sections_of
from optiq.market.chain_row import ChainRow, rows_of
from optiq.market.panel import Panel
from optiq.market.schema import PRICES
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.plan import Plan
from optiq.run.sessions import Ensemble, opened
from optiq.run.user_strategy import find_all, tokens

GOALS = {"chain": "p99 <= 10 ms", "monitor": "p99 <= 3 ms"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strategy", action="append", default=[])
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--monitor", type=int, default=2, help="monitor rows a minute")
    parser.add_argument("--store", type=Path, help="a store with a recorded NIFTY day")
    parser.add_argument("--date", type=dt.date.fromisoformat, help="that day")
    asked = parser.parse_args()
    who = Ensemble(Settings(), find_all(asked.strategy))
    with tempfile.TemporaryDirectory() as folder:
        panel = recorded(asked) if asked.store else simulated(Path(folder) / "store")
        rows = with_monitor_rows(panel, asked.monitor)
        journal = Path(folder) / "session"
        timed(Path(folder) / "warm-up", panel, who, rows)
        times = [timed(journal / str(number), panel, who, rows) for number in range(asked.sessions)]
        restarts = [restarted(journal / str(n), panel, who) for n in range(asked.sessions)]
    names = asked.strategy or ["all eight strategies"]
    print(f"{', '.join(names)}: {panel.n_rows} x {panel.n_contracts}, {len(rows)} rows")
    for kind, is_chain in (("chain", True), ("monitor", False)):
        wanted = np.array([row.is_chain == is_chain for row in rows])
        show(kind, np.array(times)[:, wanted].min(axis=0) * 1e3)
    print(f"  restart        {min(restarts):7.2f} s    goal <= 1 s")
    sys.stdout.flush()


def show(kind: str, ms: np.ndarray) -> None:
    """Print the quantiles of a kind of row, and its first hour beside its last."""
    an_hour = len(ms) * 60 // 375
    first, last = np.median(ms[:an_hour]), np.median(ms[-an_hour:])
    print(
        f"  {kind:8} rows  median {np.median(ms):5.2f} ms  p99 {np.quantile(ms, 0.99):6.2f} ms  "
        f"first hour {first:5.2f}  last hour {last:5.2f}   goal {GOALS[kind]}, flat"
    )


def timed(folder: Path, panel: Panel, who: Ensemble, rows: Sequence[ChainRow]) -> list[float]:
    """Return the seconds that each row took."""
    seconds = []
    with opened(folder, plan_of(panel, who), who) as session:
        for row in rows:
            started = time.perf_counter()
            session.take(row)
            seconds.append(time.perf_counter() - started)
    return seconds


def restarted(folder: Path, panel: Panel, who: Ensemble) -> float:
    """Return the seconds until a session that was stopped at the close is where it was."""
    started = time.perf_counter()
    with opened(folder, plan_of(panel, who), who) as session:
        seconds = time.perf_counter() - started
        assert session.day.rows.n_chain_rows == panel.n_rows
    return seconds


def plan_of(panel: Panel, who: Ensemble) -> Plan:
    return Plan(
        underlying=panel.underlying,
        date=panel.date,
        feed="replay",
        has_book=panel.has_book,
        settings=resolved_toml(sections_of(who.settings, who.strategies)),
        strategies=tokens(list(who.strategies)),
    )


def with_monitor_rows(panel: Panel, a_minute: int) -> list[ChainRow]:
    """A day's rows, each followed by the prices of its first dozen contracts some seconds later."""
    rows = []
    for row in rows_of(panel)[:-1]:
        rows.append(row)
        few = slice(0, 12)
        prices = {name: row.fields[name][few] for name in PRICES if name in row.fields}
        for number in range(a_minute):
            ts = row.ts + np.timedelta64(2 * number + 2, "s")
            part = {name: getattr(row, name)[few] for name in ("expiry", "strike", "right")}
            rows.append(replace(row, ts=ts, known=ts, is_chain=False, fields=prices, **part))
    return [*rows, rows_of(panel)[-1]]


def recorded(asked: argparse.Namespace) -> Panel:
    return Store(asked.store).read_panel("NIFTY", asked.date).chain_only


def simulated(path: Path) -> Panel:
    """Return a simulated day of about 174 contracts."""
    store = Store(path)
    store_simulation(Simulation(days=1, seed=11), store)
    (day,) = store.days("NIFTY")
    return store.read_panel("NIFTY", day.date)


if __name__ == "__main__":
    main()
