"""A run's folder read back: found by name, its files loaded, and checked against each other."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from optiq.errors import AccessError, DamagedError, InputError, MissingDataError, OptiqError
from optiq.market.schema import IST_OFFSET, AnyArray, TimeArray
from optiq.trade.book import PAISE
from optiq.trade.ledger import Columns

if TYPE_CHECKING:
    import pyarrow as pa

TOGETHER = "together"
"""The run of a comparison in which all strategies share one book and its limits."""
SUMMARY = "summary.json"
HALF_A_PAISA = 0.005
TRADES = (
    *("trade_id", "strategy", "underlying", "expiry", "strike", "right", "side", "lots"),
    *("quantity", "decided_ts", "entry_ts", "entry_price", "exit_decided_ts", "exit_ts"),
    *("exit_price", "exit_reason", "stale_exit", "gross_pnl", "charges", "net_pnl", "score"),
)
FILLS = (
    *("trade_id", "leg", "side", "quantity", "decided_entry_price", "entry_price"),
    *("entry_half_spread", "decided_exit_price", "exit_price", "exit_half_spread"),
)
FIGURES = (
    *("underlying", "from", "to", "strategies", "days", "rows", "quotes", "trades", "orders"),
    *("gross_pnl", "charges", "net_pnl", "max_drawdown", "profit_factor"),
    *("charge_lines", "expired", "refused", "refused_by", "stale_exits", "notes"),
    *("equal_price_quoted_again", "equal_price_without_quote"),
    *("reverting_jumps", "filled_on_deciding_quote", "net_pnl_if_latency_0"),
)
_AGAIN = "run the backtest again; its config.toml repeats it"
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What the files of a run's folder say.

    Attributes
    ----------
    path
        The folder.
    summary
        ``summary.json``; a ratio that was undefined is None.
    settings
        ``config.toml`` as it stands: folders by name, and one table a section.
    trades
        One row per leg of a closed position, DESIGN's columns.
    equity
        ``ts`` and ``equity``, the realised net after each moment with an exit.
    fates
        How many orders of a strategy ended in a status, by (strategy, status).
    decided_on
        The days in India with at least one order, ascending.
    fills
        One row per leg in the order of ``trades``; None where the run did not record them.
    """

    path: Path
    summary: dict[str, Any]
    settings: dict[str, Any]
    trades: Columns
    equity: Columns
    fates: dict[tuple[str, str], int]
    decided_on: TimeArray
    fills: Columns | None

    @property
    def store(self) -> Path | None:
        """The folder of the chains it was run on; None where the run does not say."""
        named = self.settings.get("store")
        return Path(named) if isinstance(named, str) else None


def find_run(name: str | None, runs: Path) -> Path:
    """Return the folder of a run: a path, a name under ``runs``, or without one the latest.

    A comparison stands for its run of all strategies in one book.
    """
    places = [f"[!.]*/{SUMMARY}", f"[!.]*/{TOGETHER}/{SUMMARY}"]  # a dot: a run cut short
    stored = sorted(
        (file.parent for place in places for file in runs.glob(place)),
        key=lambda run: ((run / SUMMARY).stat().st_mtime_ns, run.name),
    )
    if name is None:
        if not stored:
            raise MissingDataError(f"no run in {runs}", "optiq backtest makes one")
        return stored[-1]
    given = (Path(name), runs / name)
    for place in (*given, *(folder / TOGETHER for folder in given)):
        if (place / SUMMARY).is_file():
            return place
    names = [str(run.relative_to(runs)) for run in stored]
    near = get_close_matches(name, names, 1)
    there = f"did you mean {near[0]}?" if near else f"{runs} holds {', '.join(names) or 'none'}"
    raise InputError(f"no run {name}", there)


def read_run(path: Path) -> RecordedRun:
    """Read a run's folder; `DamagedError` where a file is torn or two of them disagree."""
    summary = _read(path / SUMMARY, lambda file: json.loads(file.read_text("utf-8")))
    if not isinstance(summary, dict) or (lacking := [k for k in FIGURES if k not in summary]):
        what = f"has no {', '.join(lacking)}" if isinstance(summary, dict) else "is no object"
        raise DamagedError(f"{path / SUMMARY} {what}", _AGAIN)
    fates, decided_on = _decisions(path / "decisions.parquet")
    run = RecordedRun(
        path=path,
        summary=summary,
        settings=_read(path / "config.toml", lambda file: tomllib.loads(file.read_text("utf-8"))),
        trades=read_columns(path / "trades.parquet", TRADES),
        equity=read_columns(path / "equity.parquet", ("ts", "equity")),
        fates=fates,
        decided_on=decided_on,
        fills=_fills(path / "fills.parquet"),
    )
    _agree(run)
    return run


def to_paise(rupees: AnyArray) -> AnyArray:
    """Return rupees of a run's file as whole paise, (n,) int64."""
    return np.rint(np.asarray(rupees, np.float64) * PAISE).astype(np.int64)


def _agree(run: RecordedRun) -> None:
    """Refuse a run whose files tell different stories."""
    ids, equity = run.trades["trade_id"], run.equity["equity"]
    told = [
        ("trades", run.summary["trades"], len(set(ids.tolist()))),
        ("orders", run.summary["orders"], sum(run.fates.values())),
        ("net_pnl", run.summary["net_pnl"], float(equity[-1]) if len(equity) else 0.0),
    ]
    for name in ("gross_pnl", "charges", "net_pnl"):
        told.append((name, run.summary[name], int(to_paise(run.trades[name]).sum()) / PAISE))
    if run.fills is not None and run.fills["trade_id"].tolist() != ids.tolist():
        raise DamagedError(f"{run.path}: fills.parquet is about other trades", _AGAIN)
    for name, one, other in told:
        if abs(one - other) > HALF_A_PAISA:
            raise DamagedError(
                f"{run.path}: {name} is {one} in one of its files and {other} in another", _AGAIN
            )


def _fills(path: Path) -> Columns | None:
    return read_columns(path, FILLS) if path.exists() else None


def _decisions(path: Path) -> tuple[dict[tuple[str, str], int], TimeArray]:
    table = _table(path, ("ts", "strategy", "status"))
    counts = table.group_by(["strategy", "status"]).aggregate([("status", "count")]).to_pydict()
    rows = zip(counts["strategy"], counts["status"], counts["status_count"], strict=True)
    fates = {(strategy, status): count for strategy, status, count in rows}
    return fates, np.unique(session_days(_numpy(table["ts"])))


def session_days(ts: TimeArray) -> TimeArray:
    """Return the day in India of UTC times, ``datetime64[D]``."""
    return (ts + IST_OFFSET).astype("datetime64[D]")


def read_columns(path: Path, needed: Iterable[str]) -> Columns:
    """Return some columns of a run's file; lists of one length become (n, length).

    `DamagedError` where the file, or one of the columns, is missing or torn.
    """
    table = _table(path, needed)
    return {name: _numpy(table[name]) for name in table.column_names}


def _table(path: Path, needed: Iterable[str]) -> pa.Table:
    import pyarrow.parquet as pq

    names = list(needed)
    present = _read(path, pq.read_schema).names
    if lacking := [name for name in names if name not in present]:
        raise DamagedError(f"{path} has no column {', '.join(lacking)}", _AGAIN)
    return _read(path, lambda file: pq.read_table(file, columns=names, partitioning=None))


def _numpy(column: pa.ChunkedArray) -> AnyArray:
    import pyarrow as pa

    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_fixed_size_list(column.type):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat).reshape(len(column), column.type.list_size)
    values: AnyArray = column.to_numpy()
    return values.astype("datetime64[us]") if pa.types.is_timestamp(column.type) else values


def _read(path: Path, read: Callable[[Path], _Read]) -> _Read:
    import pyarrow as pa

    try:
        return read(path)
    except (OSError, ValueError, pa.ArrowException) as reason:  # JSON, TOML and UTF-8 are values
        raise _unreadable(path, reason) from reason


def _unreadable(path: Path, reason: Exception) -> OptiqError:
    if isinstance(reason, PermissionError):
        return AccessError(f"{path}: no permission to read it", "give this user access")
    if isinstance(reason, FileNotFoundError):
        return DamagedError(f"{path} is missing", _AGAIN)
    return DamagedError(f"{path} cannot be read: {reason}", _AGAIN)
