"""On every kind of recorded day a paper session comes to the bytes of a backtest."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from paper_days import ensemble, plan_of, with_monitor_rows
from recorded import RECORDED, needs_recordings

from optiq.market.chain_row import ChainRow, rows_of
from optiq.market.context import Context
from optiq.market.ingest.pipeline import ingest
from optiq.market.manifest import DayManifest
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.market.store import Store
from optiq.run.backtest import Settings, backtest_day
from optiq.run.choosing import chooser_named
from optiq.run.directory import to_table
from optiq.run.journal import NAME
from optiq.run.sessions import Ensemble, opened
from optiq.trade.fills import WalkSettings
from optiq.trade.ledger import Columns
from optiq.trade.limits import Limits
from optiq.trade.orders import Orders

pytestmark = needs_recordings


def scorer(chain: Panel, context: Context, orders: Orders) -> FloatArray:
    """Any number of 0 to 100 that each order's own row and contract decide; some it cannot say."""
    legs = orders.legs[:, 0]
    price = chain.ltp[orders.row, legs]
    said = np.mod(price * 37.0 + chain.strike[legs] + 11.0 * chain.minute[orders.row], 100.0)
    return np.where(np.mod(said, 10.0) < 1.0, np.nan, said)


def all_eight(latency_s: float) -> Ensemble:
    return ensemble(Settings(walk=WalkSettings(latency_s=latency_s)))


def scored(latency_s: float) -> Ensemble:
    settings = Settings(walk=WalkSettings(latency_s=latency_s), limits=Limits(min_score=25.0))
    return replace(ensemble(settings), scorer=scorer)


def drawn(latency_s: float) -> Ensemble:
    who = all_eight(latency_s)
    return replace(who, chooser=chooser_named("random", who.strategies, 5))


def all_at_once(latency_s: float) -> Ensemble:
    who = scored(latency_s)
    return replace(who, chooser=chooser_named("random", who.strategies, 6))


VARIANTS: dict[str, tuple[Callable[[float], Ensemble], bool]] = {
    "all eight": (all_eight, False),
    "with a scorer": (scored, False),
    "random policy": (drawn, False),
    "scorer, policy and monitor rows": (all_at_once, True),
}


def trades_on_paper(
    folder: Path, panel: Panel, context: Context, who: Ensemble, rows: list[ChainRow]
) -> bytes:
    with opened(folder, plan_of(panel, context, who), who) as session:
        session.run(rows, [])
        return in_parquet(session.day.result().trades())


def trades_of_a_backtest(panel: Panel, context: Context, who: Ensemble) -> bytes:
    day = backtest_day(panel, context, who.strategies, who.settings, who.scorer, who.chooser)
    return in_parquet(day.trades())


def in_parquet(columns: Columns) -> bytes:
    file = io.BytesIO()
    pq.write_table(to_table(columns), file, compression="zstd")
    return file.getvalue()


def both(store: Store, day: DayManifest, name: str, tmp_path: Path) -> tuple[bytes, bytes]:
    """A stored day's trades on paper and in a backtest; monitor rows go through a store first."""
    team, is_monitored = VARIANTS[name]
    panel = store.read_panel(day.underlying, day.date)
    context = store.context(day.underlying, day.date)
    pace = np.median(np.diff(panel.ts)) / np.timedelta64(1, "s") if panel.n_rows > 1 else 0.0
    who, rows = team(0.0 if pace > 100.0 else 1.0), rows_of(panel)
    if is_monitored:
        rows = list(with_monitor_rows(panel, seed=day.date.toordinal()))
    folder, again = tmp_path / "session", Store(tmp_path / "again")
    on_paper = trades_on_paper(folder, panel, context, who, rows)
    if is_monitored:
        ingest([str(folder / NAME)], again)
        panel = again.read_panel(day.underlying, day.date)
        assert panel.n_rows == len(rows)
    backtested = trades_of_a_backtest(panel, context, who)
    for place in (folder, again.root):
        shutil.rmtree(place, ignore_errors=True)
    return on_paper, backtested


def n_trades(trades: bytes) -> int:
    ids = pq.read_table(io.BytesIO(trades), columns=["trade_id"])["trade_id"]
    return len(set(ids.to_pylist()))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("nse_json/2025-11-20*", "scorer, policy and monitor rows"),
        ("nse_json/2025-11-19*", "with a scorer"),
        ("nse_json/2025-11-18*", "random policy"),
    ],
)
def test_a_recorded_day_on_paper_is_its_backtest(tmp_path, source, name):
    store = Store(tmp_path / "store")
    assert not ingest([str(RECORDED / source)], store).failed
    (day,) = store.days()
    on_paper, backtested = both(store, day, name, tmp_path)
    assert on_paper == backtested
    assert n_trades(on_paper) > 0


SOURCES = ("nse_json", "nse_1min", "collector", "ltp_only", "history_2019")


def compared(source: str, tmp_path: Path) -> Iterator[tuple[str, dt.date, bool, int]]:
    """Every day of a source in every variant: whether the bytes are equal, and how many trades."""
    store = Store(tmp_path / source)
    ingest([str(RECORDED / source)], store)
    for day, name in itertools.product(store.days(), VARIANTS):
        on_paper, backtested = both(store, day, name, tmp_path)
        yield name, day.date, on_paper == backtested, n_trades(on_paper)


@pytest.mark.study
@pytest.mark.parametrize("source", SOURCES)
def test_every_recorded_day_on_paper_is_its_backtest(write_study, tmp_path, source):
    days, trades, unequal = Counter[str](), Counter[str](), Counter[str]()
    differ = []
    for name, date, is_equal, count in compared(source, tmp_path):
        days[name] += 1
        trades[name] += count
        unequal[name] += not is_equal
        differ += [] if is_equal else [(name, date)]
    write_study(
        f"paper-parity-{source.replace('_', '-')}",
        "Recorded days replayed row by row as paper sessions and backtested at once: days whose "
        "trades.parquet is not the same, byte for byte. Where rows lie further apart than 100 s "
        "orders fill at once (latency_s = 0). Monitor rows are made up between the snapshots, "
        "stored, and read again for the backtest.",
        ["traded by", "days", "trades", "days that differ"],
        [(name, days[name], trades[name], unequal[name]) for name in VARIANTS],
    )
    assert differ == []
    assert days["all eight"] > 0
