"""Several strategies over the same days: each alone, then all in one book, side by side."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import CannotCreateError
from optiq.market.store import Store
from optiq.run.asking import Scorer
from optiq.run.backtest import DayResult, Settings, backtest_day, day_result, walked
from optiq.run.directory import RunDirectory, finite
from optiq.run.frontier import Frontier, time_in_market_us
from optiq.run.recorded import TOGETHER
from optiq.run.returns import daily_paise
from optiq.run.seeing import Direction
from optiq.run.stored import Run, complete, fields_of, panels, what_was_run
from optiq.run.summary import Tally
from optiq.run.verdict import daily_interval, verdict
from optiq.trade.book import MICROSECONDS_PER_MINUTE, PAISE, Records
from optiq.trade.strategies import Strategy

Describe = Callable[[Sequence[Strategy]], str]
"""Returns the text of the ``config.toml`` of a run of these strategies."""


@dataclass(slots=True)
class Part:
    """One run of a comparison in the making."""

    strategies: list[Strategy]
    directory: RunDirectory
    tally: Tally = field(default_factory=Tally)
    frontier: Frontier = field(default_factory=Frontier)
    in_market_us: int = 0
    session_us: int = 0

    def add(self, day: DayResult) -> None:
        """Count one finished day."""
        self.directory.add(day)
        self.tally.add(day)
        self.frontier.add(day.fills())
        trades = day.trades()
        self.in_market_us += time_in_market_us(trades["entry_ts"], trades["exit_ts"])
        minutes = day.panel.close_minute - day.panel.open_minute
        self.session_us += round(minutes * MICROSECONDS_PER_MINUTE)


def compare_stored(
    store: Store,
    underlying: str,
    dates: list[dt.date],
    strategies: list[Strategy],
    settings: Settings,
    out: Path,
    describe: Describe,
    scorer: Scorer | None = None,
    advance: Callable[[int], None] | None = None,
    direction: Direction | None = None,
) -> dict[str, Any]:
    """Run each strategy alone and, where there are several, all together; return the comparison.

    Each day is read once and each strategy asked once. Every run lies whole in ``out``, under its
    strategy's name or `TOGETHER`; ``compare.json`` beside them holds what is returned.
    """
    started = time.perf_counter()
    teams = {strategy.name: [strategy] for strategy in strategies}
    if len(strategies) > 1:
        teams[TOGETHER] = strategies
    with _new_folder(out), ExitStack() as open_directories:
        parts = [
            Part(team, open_directories.enter_context(RunDirectory(out / name)))
            for name, team in teams.items()
        ]
        for panel, context in panels(store, underlying, dates, fields_of(strategies, scorer)):
            together = backtest_day(
                panel, context, strategies, settings, scorer, direction=direction
            )
            for place in range(len(strategies)):
                parts[place].add(_alone(together, place, parts[place], settings))
            for part in parts[len(strategies) :]:
                part.add(together)
            if advance is not None:
                advance(1)
        lines = []
        for part in parts:
            about = what_was_run(
                underlying, dates, part.strategies, direction=direction, scorer=scorer
            )
            config = describe(part.strategies)
            run = complete(part.directory, part.tally, settings, about, started, config)
            lines.append(_line(part, run))
        result = {
            "compare": str(out),
            "underlying": underlying,
            "from": dates[0].isoformat(),
            "to": dates[-1].isoformat(),
            "days": len(dates),
            "strategies": lines[: len(strategies)],
            TOGETHER: lines[-1] if len(strategies) > 1 else None,
            "elapsed_s": round(time.perf_counter() - started, 3),
        }
        (out / "compare.json").write_text(json.dumps(finite(result), indent=2) + "\n")
    return result


@contextmanager
def _new_folder(path: Path) -> Iterator[None]:
    """Make a folder, and take it away again where its making fails."""
    if path.exists():
        raise CannotCreateError(f"{path} exists already", "give another --out")
    path.mkdir(parents=True)
    whole = False
    try:
        yield
        whole = True
    finally:
        if not whole:
            shutil.rmtree(path, ignore_errors=True)


def _alone(together: DayResult, place: int, part: Part, settings: Settings) -> DayResult:
    """Walk one strategy's orders of a day with the whole book to itself."""
    orders: Records = together.orders[together.orders["strategy"] == place]
    orders["strategy"] = 0
    book = walked(together.panel, orders, part.strategies, settings)
    return day_result(together.panel, together.context, orders, book, part.strategies, settings)


def _line(part: Part, run: Run) -> dict[str, Any]:
    summary, sessions = run.summary, run.summary["sessions"]
    net = daily_paise(run.trades, sessions) / PAISE
    gross = daily_paise(run.trades, sessions, "gross_pnl") / PAISE
    trades, worst, a_day = summary["trades"], int(np.argmin(net)), daily_interval(net)
    return {
        "strategy": run.path.name,
        "run": str(run.path),
        "trades": trades,
        "win_rate": summary["win_rate"],
        "gross_pnl": summary["gross_pnl"],
        "charges": summary["charges"],
        "net_pnl": summary["net_pnl"],
        "net_per_trade": summary["net_pnl"] / trades if trades else np.nan,
        "max_drawdown": summary["max_drawdown"],
        "exposure": part.in_market_us / part.session_us,
        "worst_day": sessions[worst],
        "worst_day_net": float(net[worst]),
        "net_a_day": a_day.mean,
        "net_a_day_low": a_day.low,
        "net_a_day_high": a_day.high,
        "verdict": verdict(trades, daily_interval(gross), a_day).value,
        "stale_exits": summary["stale_exits"],
        "frontier": part.frontier.result(summary),
        "notes": summary["notes"],
    }
