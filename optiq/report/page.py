"""One HTML page about one run: self-contained, and every number from the run's own files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optiq import __version__
from optiq.learn.intervals import ENOUGH_SESSIONS
from optiq.report import charts, figures
from optiq.report.choice_table import choice_tables
from optiq.report.group_tables import group_tables
from optiq.report.grouping import FEW, by_day, everything
from optiq.report.ledger_lines import LeftOut, ledger_lines
from optiq.report.positions import Positions, positions_of
from optiq.report.spot_paths import SpotPaths, read_paths
from optiq.report.tables import CHARGE_NAMES, warnings
from optiq.report.template import render
from optiq.run.recorded import RecordedRun

MANY = 3
"""More strategies than this are counted in the title, not named."""


@dataclass(frozen=True, slots=True)
class Report:
    """A page and what a program should know about it."""

    html: str
    trades: int
    left_out: LeftOut
    paths: SpotPaths


def write_report(
    run: RecordedRun,
    out: Path,
    store: Path | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Report:
    """Write the page of a run to ``out`` and return it; ``advance`` is told of each day read.

    ``store`` is where the chains are now; None is where the run found them.
    """
    positions = positions_of(run.trades)
    paths = read_paths(store or run.store, run.summary["underlying"], positions, advance)
    page = report(run, positions, paths)
    out.parent.mkdir(parents=True, exist_ok=True)
    half = out.with_name(f".{out.name}.tmp")
    half.write_text(page.html, "utf-8")
    half.replace(out)
    return page


def report(run: RecordedRun, positions: Positions, paths: SpotPaths) -> Report:
    """Return the page of a run, given the spot of its days; the same files give the same page."""
    lines, left_out = ledger_lines(positions, run.trades)
    told = {
        **_headline(run, positions),
        **_fills(run, positions),
        "tables": group_tables(positions, run.summary["strategies"], paths),
        "choices": choice_tables(run, positions),
        "days": by_day(positions),
        "lines": lines,
        "left_out": left_out,
        "paths": paths,
        "drawn_days": charts.drawn_days(positions, paths.by_date),
        "thinned_to": charts.SPOT_POINTS if _is_thinned(paths) else None,
        "snapshot_s": _snapshot_seconds(paths),
        "settings": dict(_settings(run.settings)),
        "few": FEW,
        "enough": ENOUGH_SESSIONS,
        "version": __version__,
    }
    return Report(render(told, _drawn(run, positions, paths)), len(positions), left_out, paths)


def _headline(run: RecordedRun, positions: Positions) -> dict[str, Any]:
    return {
        "name": run.path.resolve().name,
        "summary": run.summary,
        "title": _title(run.summary["strategies"]),
        "span": _span(run.summary["from"], run.summary["to"]),
        "all": everything(positions),
        "daily": figures.daily(run, positions),
        "warnings": warnings(run.summary),
        "charge_names": CHARGE_NAMES,
    }


def _fills(run: RecordedRun, positions: Positions) -> dict[str, Any]:
    return {
        "spread": figures.spread_paid(run.fills),
        "waiting": figures.waiting_cost(run.fills),
        "latencies": {
            "entries": figures.latency(positions.decided, positions.entry),
            "exits": figures.latency(positions.exit_decided, positions.exit),
        },
        "fates": figures.fates(run.fates, run.summary["strategies"]),
        "refusals": figures.refusals(run.summary["refused_by"]),
    }


def _drawn(run: RecordedRun, positions: Positions, paths: SpotPaths) -> dict[str, Any]:
    names = list(dict.fromkeys([*run.summary["strategies"], *positions.strategy.tolist()]))
    return {
        "strategies": names,
        "equity": charts.equity_chart(run) if len(positions) else None,
        "days": [
            charts.day_chart(date, positions, run.trades, paths.by_date[date], names)
            for date in charts.drawn_days(positions, paths.by_date)
        ],
    }


def _title(strategies: Sequence[str]) -> str:
    if len(strategies) > MANY:
        return f"{len(strategies)} strategies"
    return " and ".join(filter(None, [", ".join(strategies[:-1]), strategies[-1]]))


def _span(start: str, end: str) -> str:
    """Return a span of days in words, what both ends share only once.

    >>> _span("2025-01-01", "2025-02-03"), _span("2025-01-06", "2025-01-06")
    ('1 January to 3 February 2025', '6 January 2025')
    >>> _span("2025-01-06", "2025-01-10"), _span("2024-12-30", "2025-01-03")
    ('6 to 10 January 2025', '30 December 2024 to 3 January 2025')
    """
    first, last = dt.date.fromisoformat(start), dt.date.fromisoformat(end)
    if first == last:
        return f"{last:%-d %B %Y}"
    if first.year != last.year:
        return f"{first:%-d %B %Y} to {last:%-d %B %Y}"
    month = "" if first.month == last.month else f" {first:%B}"
    return f"{first.day}{month} to {last:%-d %B %Y}"


def _is_thinned(paths: SpotPaths) -> bool:
    return any(len(path.ts) > charts.SPOT_POINTS for path in paths.by_date.values())


def _snapshot_seconds(paths: SpotPaths) -> float | None:
    """Return the usual time between two snapshots; None where no spot is known."""
    gaps = [np.diff(path.ts) for path in paths.by_date.values()]
    steps = np.concatenate([gap / np.timedelta64(1, "s") for gap in gaps]) if gaps else np.empty(0)
    return float(np.median(steps)) if len(steps) else None


def _settings(written: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the sections of a run's settings, its folders first."""
    yield "folders", {key: value for key, value in written.items() if not isinstance(value, dict)}
    for name, section in written.items():
        if isinstance(section, dict):
            yield name, section
